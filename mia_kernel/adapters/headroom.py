"""Refuse a file that does not fit into memory before it is read: formats held whole need many times their size.

Measured (`docs/performance.md`): a byte of tick text takes 9.5 bytes of memory, of bar text 6.3, of DBN trades 6.1.
Large `.scid` files are read in slices and never come here.
"""

from __future__ import annotations

from pathlib import Path

from mia_kernel.core.errors import InputError

SMALL = 64_000_000
"""Bytes below which nothing is asked."""
_TEXT, _RECORDS, _PARQUET = 10, 7, 20
_GROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Return how many bytes this process may still take: the machine's, or its group's if that is less."""
    import psutil  # late: only large files ask

    free = int(psutil.virtual_memory().available)
    try:
        most = (_GROUP / "memory.max").read_text().strip()
        used = int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, int(most) - used) if most.isdigit() else free


def needed_bytes(head: bytes, size: int) -> int:
    """Return about how much memory the reading of a plain file of `size` bytes takes, by what its first bytes are."""
    if head.startswith(b"PAR1"):
        return _PARQUET * size
    return (_RECORDS if b"\0" in head[:512] else _TEXT) * size


def check_fits(path: str, head: bytes, size: int) -> None:
    """Refuse a plain file that is too large for this machine.

    Raises
    ------
    InputError
        With what it would take, what there is, and the way out.
    """
    if size < SMALL:
        return
    need, there = needed_bytes(head, size), available_bytes()
    if need > there:
        raise InputError("the file does not fit into memory", path=path, field="bytes", value=size,
                         rule=f"its reading takes about {need / 1e9:.1f} GB, {there / 1e9:.1f} GB are free",
                         way_out="split it by month or day and import the pieces")  # fmt: skip
