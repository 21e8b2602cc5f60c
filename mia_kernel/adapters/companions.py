"""Files that make one source together: LOBSTER's messages and book, the streams of a Sierra chart's day.

`companions(path)` names the files of the same folder that belong to it; a book without the quotes that tell
whether its first level is there, or without the messages that tell its time, is only half a source.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mia_kernel.adapters.wrappers import Member, members, read_bytes

_RULES = (
    re.compile(r"(?P<key>[A-Z]{1,5}_\d{4}-\d{2}-\d{2}_\d+_\d+)_(message|orderbook)_\d+.*"),
    re.compile(r"(?P<key>[a-z]+)_(dom\d+|l1_quotes)_(?P<day>\d{8})\.csv(\.\w+)?"),
    re.compile(r"(study_inventory_)?(?P<key>chart_\d+)_([a-z_]+_)?(?P<day>\d{8})\.jsonl(\.\w+)?"),
)


def _key(name: str) -> tuple[int, str, str] | None:
    for number, rule in enumerate(_RULES):
        match = rule.fullmatch(name)
        if match is not None:
            return number, match["key"], match.groupdict().get("day") or ""
    return None


def companions(path: Path) -> tuple[Path, ...]:
    """Return the files of the folder that make one source with `path` (itself included), by name."""
    key = _key(path.name)
    if key is None or not path.parent.is_dir():
        return (path,)
    found = sorted(file for file in path.parent.iterdir() if file.is_file() and _key(file.name) == key)
    return tuple(found) or (path,)


def gather(path: Path, data: bytes | None = None) -> tuple[list[Member], str]:
    """Return the plain files of a source and the hash of its content.

    Parameters
    ----------
    path : Path
        A file; its companions are read with it.
    data : bytes, optional
        The file's own content where the caller has read it already.

    Raises
    ------
    FormatError
        If a file is empty or a wrapper damaged.
    """
    found: list[Member] = []
    hashes: list[str] = []
    for file in companions(path):
        content = data if data is not None and file == path else read_bytes(file)
        found += members(file, content)
        hashes.append(hashlib.sha256(content).hexdigest())
    return found, hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
