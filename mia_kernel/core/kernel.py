"""The one door to numba.

numba keys a cached kernel on its own file only, so a changed helper in another file would leave stale
code behind. Here every source has a cache folder of its own, named by the hash of that file and of all
it imports from this package, near and far, with the versions of numba, numpy and Python. A changed file
thus recompiles its own kernels and those that stand on it, and no others. The folders lie inside the
environment; old ones are swept. Import `kernel` from here and nowhere else; a test holds every other
file to that.

Unknown inside compiled state is NaN and has that one meaning; outside it is None.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

Record = Any
"""A numba record: `s["field"]`, never `s.field` (attributes do not exist without the compiler)."""

CACHES = Path(sys.prefix) / "mia-kernels"
"""Where compiled kernels lie: a folder for each source that has any."""

_PACKAGE = Path(__file__).resolve().parent.parent
_MARK = b"core.kernel import"
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+{_PACKAGE.name}((?:\.\w+)*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    rf"|import[ \t]+{_PACKAGE.name}((?:\.\w+)+))",
    re.MULTILINE,
)
_plain = False
_KEPT = 4
"""Folders of one source that stay, the newest first: other checkouts may share the environment."""


def kernel_sources() -> list[Path]:
    """Return every source file of the package that may hold a kernel, sorted by path."""
    return sorted(path for path in _PACKAGE.rglob("*.py") if _MARK in path.read_bytes())


def cache_folder(source: Path, root: Path = CACHES) -> Path:
    """Return the cache folder below `root` for the kernels of one source file as everything stands now."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version_info[:3]}".encode())
    for path in sorted(_stands_on(source)):
        digest.update(_name(path).encode())
        digest.update(_text(path))
    return root / f"{_name(source)}-{digest.hexdigest()[:16]}"


def compiled() -> int:
    """Return how many kernels of the present sources lie compiled in this environment."""
    return sum(1 for source in kernel_sources() for _ in cache_folder(source).rglob("*.nbi"))


def leave_plain() -> None:
    """Leave every kernel made from here on as plain Python: for a process that must start at once.

    It decides the same bits, some two hundred times slower. What was made before stays compiled, unlike with
    `NUMBA_DISABLE_JIT=1`, where nothing is.
    """
    global _plain
    _plain = True
    np.seterr(over="ignore")  # compiled integers wrap without a word


def is_plain() -> bool:
    """Return whether this process leaves kernels as plain Python."""
    return _plain


def _name(path: Path) -> str:
    inside = path.is_relative_to(_PACKAGE)
    return ".".join((path.relative_to(_PACKAGE) if inside else Path(path.name)).with_suffix("").parts)


@cache
def _text(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Return the files of this package that a file names in its imports, modules and members alike."""
    found: set[Path] = set()
    for inner, members, plain in _IMPORT.findall(_text(path).decode()):
        base = _PACKAGE.joinpath(*(inner or plain).strip(".").split("."))
        names = re.findall(r"\w+", members)
        found.update((base.with_suffix(".py"), base / "__init__.py"), (base / f"{name}.py" for name in names))
    return frozenset(path for path in found if path.is_file())


def _stands_on(source: Path) -> set[Path]:
    """Return a file, all that it imports from this package however far, and this door."""
    reached: set[Path] = set()
    ahead = [source, Path(__file__).resolve()]
    while ahead:
        path = ahead.pop()
        if path not in reached:
            reached.add(path)
            ahead.extend(_imports(path))
    return reached


@cache
def _prepare(source: Path) -> Path | None:
    """Return the folder for the kernels of `source`, made and swept, or None where nothing can be written."""
    folder = cache_folder(source)
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
    except OSError:
        # A read-only environment still runs: numba then compiles in memory for this process.
        return None
    return folder


def _sweep(folder: Path) -> None:
    """Remove all but the newest folders of the source that `folder` belongs to."""
    alike = folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*")
    folders = sorted((path for path in alike if path != folder), key=lambda path: path.stat().st_mtime)
    for stale in folders[: 1 - _KEPT]:
        shutil.rmtree(stale, ignore_errors=True)


def kernel(function: F) -> F:
    """Compile `function`, cached on disk, with C semantics for division by zero.

    No fastmath: a replay must give the same bits. Small helpers are left to LLVM to inline: numba's own
    `inline="always"` was measured slower to run (15 against 30 M rows/s) and to compile. With
    `NUMBA_DISABLE_JIT=1` a kernel runs as plain Python.
    """
    if _plain:
        return function
    folder = _prepare(Path(function.__code__.co_filename).resolve())
    if folder is not None:
        # Read when the function is decorated, not when it is compiled: each source gets its own folder.
        numba.config.CACHE_DIR = str(folder)  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
    # Nobody calls a kernel through a C pointer: its wrapper for that took a tenth of the compiling.
    return numba.njit(cache=True, error_model="numpy", no_cfunc_wrapper=True)(function)  # type: ignore[return-value]
