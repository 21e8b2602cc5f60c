"""Plant secrets in the environment of a whole test session, and search what it has written for them.

The names are those under which people keep the login of IBKR and of a data vendor; nothing here reads them, so
that planting changes no test. Whatever writes an environment down is found.
"""

from __future__ import annotations

import mmap
from pathlib import Path

MARK = "canary" + "0815"
SECRETS = {name: f"{MARK}-{name.lower()}" for name in ("IB_PASSWORD", "TWSPASSWORD", "DATABENTO_API_KEY")}


def found_in(folder: Path) -> list[Path]:
    """Return the files below a folder that hold a planted secret, as bytes lie there."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and _holds(path)
    ]


def _holds(path: Path) -> bool:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return mapped.find(MARK.encode()) >= 0
    except (OSError, ValueError):  # empty, gone meanwhile, or a file that a test has locked
        return False
