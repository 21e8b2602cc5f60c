"""Tell which kernels have to be compiled before a run: all of them on a new machine, some after a change.

numba compiles in silence when a kernel is first called. A changed source finds its cache folder empty, and so does
every source that stands on it; here they are named beforehand, at the price of reading the sources once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from mia_kernel.core.kernel import CACHES, cache_folder, kernel_sources

REHEARSED = "rehearsed"
"""An empty file beside the folders: a rehearsal once went to its end here. Without it a first one was cut off."""
UNREACHED = "not-rehearsed"
"""An empty file in the folder of a source whose kernels a rehearsal does not call: it is not named again."""


class Compiled(NamedTuple):
    """What lies compiled: `cold` where nothing does or the first rehearsal was cut off, and which sources changed."""

    cold: bool
    changed: tuple[Path, ...]

    @property
    def names(self) -> list[str]:
        """Return the changed sources as modules of the package, sorted."""
        return sorted(folder.name.rpartition("-")[0] for folder in self.changed)

    @property
    def wanting(self) -> bool:
        """Return whether a run would have to compile first."""
        return self.cold or bool(self.changed)


def look(root: Path = CACHES) -> Compiled:
    """Compare the present sources with what lies compiled below `root`.

    A source counts as changed where its folder holds no kernel and an older folder of the same source does; one that
    never had a kernel compiled is not missed.
    """
    folders = [cache_folder(source, root) for source in kernel_sources()]
    empty = [folder for folder in folders if not _holds(folder)]
    missed = (folder for folder in empty if not (folder / UNREACHED).exists() and _held_before(folder))
    whole = (root / REHEARSED).exists()
    return Compiled(not whole or len(empty) == len(folders), tuple(missed))


def can_be_kept(root: Path = CACHES) -> bool:
    """Return whether what is compiled now could be written below `root`."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(root, os.W_OK)


def settle(was: Compiled, root: Path = CACHES) -> None:
    """Note that a rehearsal went to its end, and which of the changed sources it did not reach.

    A read-only environment is left alone.
    """
    try:
        for folder in was.changed:
            if not _holds(folder):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / UNREACHED).touch()
        root.mkdir(parents=True, exist_ok=True)
        (root / REHEARSED).touch()
    except OSError:
        return


def _holds(folder: Path) -> bool:
    return next(folder.rglob("*.nbi"), None) is not None


def _held_before(folder: Path) -> bool:
    stem = folder.name.rpartition("-")[0]
    return any(_holds(older) for older in folder.parent.glob(f"{stem}-*") if older != folder)
