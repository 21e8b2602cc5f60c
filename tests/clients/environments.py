"""One small environment a client, below `.venvs/`, made from its own lock; skipped with the reason where it cannot be.

The clients share package names (`eventkit`, `ibapi`), so none can live in the project's environment beside
another. An environment is made once and kept until its lock changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_MOST_S = 240
_MARK = "made-from"


def python_of(client: str, *, kind: str = "client") -> str:
    """Return the interpreter of a client's (or oracle's) environment, or skip the calling test."""
    lock = ROOT / "requirements" / f"{kind}_{client}.txt"
    mark = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    folder = ROOT / ".venvs" / client
    if not _is_made(folder, mark):
        _make(folder, lock, mark)
    return str(_interpreter(folder))


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _is_made(folder: Path, mark: str) -> bool:
    made = folder / _MARK
    return made.is_file() and made.read_text() == mark and _interpreter(folder).exists()


def _make(folder: Path, lock: Path, mark: str) -> None:
    """Make it beside its place and move it there whole: another test process may do the same."""
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    uv = shutil.which("uv")
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(fresh)], fresh)
    python = str(_interpreter(fresh))
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    _run([*install, "--quiet", "--require-hashes", "-r", str(lock)], fresh)
    (fresh / _MARK).write_text(mark)
    if _is_made(folder, mark):
        shutil.rmtree(fresh)
        return
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _run(command: list[str], fresh: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_S, check=False)
        words = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        failed = words[0] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        failed = str(error)
    if failed:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"the client's environment cannot be made here: {failed[:200]}")
