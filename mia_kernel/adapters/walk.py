"""Find what can be imported below a path: files, and recorded sessions as one source each.

Links to folders are followed, a folder met twice is walked once. A folder that cannot be opened is told, not
skipped: what is in it would be missed without a word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mia_kernel.adapters.recorded import is_session
from mia_kernel.adapters.sierra_config import FILE_NAME
from mia_kernel.core.errors import InputError

_ABOUT = {FILE_NAME, "README.md", "README.txt", "LICENSE"}


@dataclass(frozen=True, slots=True)
class Found:
    """Sources in order of their path, and the folders that could not be opened with the system's reason."""

    sources: tuple[Path, ...]
    closed: tuple[tuple[Path, str], ...] = ()


def find_sources(path: Path) -> Found:
    """Return the sources at or below a path.

    Raises
    ------
    InputError
        If it does not exist, or is a folder without any file.
    """
    if is_session(path):
        return Found((path,))
    if path.is_dir():
        found = _walk(path)
        if not found.sources and not found.closed:
            raise InputError("the folder holds no file", path=str(path), rule="a file, or a folder of files")
        return found
    if not path.exists():
        raise InputError("no such file", path=str(path), way_out="check the path")
    return Found((path,))


def _walk(path: Path) -> Found:
    sources: list[Path] = []
    closed: list[tuple[Path, str]] = []
    seen: set[str] = set()

    def refused(error: OSError) -> None:
        closed.append((Path(str(error.filename)), error.strerror or str(error)))

    for text, folders, files in os.walk(path, onerror=refused, followlinks=True):
        folder = Path(text)
        real = os.path.realpath(text)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        sessions = [name for name in folders if is_session(folder / name)]
        sources += [folder / name for name in sessions]
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in sessions)
        named = (folder / name for name in files if not name.startswith(".") and name not in _ABOUT)
        sources += [file for file in named if file.is_file()]
    return Found(tuple(sorted(sources)), tuple(closed))
