"""Where the real market data lies, for tests that prove themselves on it.

`SHARED` is the folder or None. `MIA_SHARED_DATA` names another place; the default is `shared/data` beside
the project. The files belong to their vendors, so they are never in the repository: a test that needs one
skips with the reason, and the same law is also tested on synthetic events.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"
_FOLDER = Path(os.environ.get("MIA_SHARED_DATA") or _DEFAULT)

SHARED: Path | None = _FOLDER if _FOLDER.is_dir() else None
"""The folder of real recordings, or None where it is absent."""

needs_shared_data = pytest.mark.skipif(
    SHARED is None,
    reason="real market data absent: put it in ../shared/data or name it in MIA_SHARED_DATA",
)


def shared_file(relative: str) -> Path:
    """Return one real file, or skip the calling test with the reason where it is absent."""
    if SHARED is None:
        pytest.skip("real market data absent: put it in ../shared/data or name it in MIA_SHARED_DATA")
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"real file absent: {relative}")
    return path
