"""This machine: disk, clock, installed packages, files that must not hold secrets.

Readings only; what they mean is judged in `analytics/health.py`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import mia_kernel
from mia_kernel.core.errors import SettingsError

_PACKAGE = Path(mia_kernel.__file__).resolve().parent
ZONES = ("America/New_York", "America/Chicago")
TEXT_SUFFIXES = (
    ".html",
    ".ipynb",
    ".json",
    ".jsonl",
    ".log",
    ".md",
    ".toml",
    ".txt",
    ".py",
    ".yml",
    ".sqlite",
    ".db",
)
MOST_BYTES = 64_000_000
"""Larger files are market data, not places where a secret is typed."""


@cache
def code_version() -> str:
    """Return the version and a hash over every source: the same answer means the same code, git or not."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return f"{mia_kernel.__version__}+{digest.hexdigest()[:12]}"


def locked_packages(lock: Path) -> dict[str, str]:
    """Return name → version of the lock's packages whose markers hold here; empty where there is no lock."""
    if not lock.is_file():
        return {}
    wanted: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        requirement = Requirement(line.rstrip("\\ "))
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[_normal(requirement.name)] = next(iter(requirement.specifier)).version
    return wanted


def installed_packages() -> dict[str, str]:
    """Return name → version of everything installed in this environment."""
    return {_normal(d.name): d.version for d in metadata.distributions() if d.name}


def disk(path: Path) -> tuple[int, int]:
    """Return (free, total) bytes of the disk that holds `path`, or its nearest existing parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def write_problem(folder: Path) -> str | None:
    """Return why nothing can be written into `folder`, or None after writing and removing a file there."""
    probe = folder / ".mia-write-probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None


def clock_synchronised() -> bool | None:
    """Return whether the system's time service says the clock is set, or None where none can be asked."""
    if sys.platform != "linux":
        return None
    asked = shutil.which("timedatectl")
    if asked is None:
        return None
    try:
        answer = subprocess.run(
            [asked, "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer.stdout.strip())


def newest_ahead_s(folders: Sequence[Path]) -> float:
    """Return by how many seconds the newest file in `folders` lies in the future; 0 if none does."""
    now = time.time()
    times = [path.stat().st_mtime for folder in folders for path in _files(folder)]
    return max(0.0, max(times, default=now) - now)


def missing_zones() -> list[str]:
    """Return the time zones the calendar needs and this system does not know."""
    missing: list[str] = []
    for name in ZONES:
        try:
            zoneinfo.ZoneInfo(name)
        except zoneinfo.ZoneInfoNotFoundError:
            missing.append(name)
    return missing


def files_with(needles: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Return the text files below `folders` that contain one of `needles` (secrets in use)."""
    wanted = [needle.encode() for needle in needles if len(needle) >= 6]
    if not wanted:
        return []
    found: list[str] = []
    for folder in folders:
        for path in _files(folder):
            if path.suffix in TEXT_SUFFIXES and path.stat().st_size < MOST_BYTES:
                content = path.read_bytes()
                if any(needle in content for needle in wanted):
                    found.append(str(path))
    return found


def readable_by_others(paths: Sequence[Path]) -> list[str]:
    """Return those of `paths` that other users may read (POSIX; elsewhere none)."""
    if sys.platform == "win32":
        return []
    return [str(p) for p in paths if p.is_file() and p.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)]


def refuse_open_secrets(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse a settings file that holds secrets and that others may read (POSIX; elsewhere the folder's rights count).

    Raises
    ------
    SettingsError
        Says the mode the file must have.
    """
    if content.get("secrets") and readable_by_others([path]):
        raise SettingsError(
            "others may read a file with secrets",
            path=str(path),
            field="secrets",
            rule="mode 0600",
            way_out=f"chmod 600 {path}",
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
