"""Plain files that are read in slices, again and again: a large file, alone or in one wrapper.

A file over `LARGE` bytes is not held in memory where its format can be read in slices. What it is, is told by its
first bytes, as of every other file; an archive of several files is read the usual way.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa

from mia_kernel.adapters.wrappers import (
    DAMAGE,
    Member,
    UnreadableError,
    damaged,
    is_litter,
    kind_of_bytes,
    without_suffix,
)

LARGE = 16_000_000
"""Bytes of a plain file above which it is read in slices, and of a wrapped one when unpacked a quarter of it."""
_WRAPPED_SHARE = 4
_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Stream:
    """One plain file: the path that names it in a message, its own name, its first bytes, and how to open it."""

    path: str
    name: str
    head: Member
    size: int
    """Bytes on disk, packed."""
    _opener: Callable[[], IO[bytes]]

    def blocks(self, size: int, skip: int = 0) -> Iterator[bytes]:
        """Yield the bytes behind the first `skip` in blocks of `size`, the last one shorter.

        Raises
        ------
        FormatError
            If its wrapper is cut short or damaged.
        UnreadableError
            If the system does not let it be read.
        """
        try:
            with self._opener() as stream:
                read_whole(stream, skip)
                while block := read_whole(stream, size):
                    yield block
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise UnreadableError(f"{self.path}: cannot be read: {error.strerror}") from error
            raise damaged(self.path, self.size, error) from error


def read_whole(stream: IO[bytes], size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end of the file."""
    found = bytearray()
    while len(found) < size and (block := stream.read(size - len(found))):
        found += block
    return bytes(found)


def large_stream(path: Path) -> Stream | None:
    """Return a file that is too large to be held, None for any other (a small one, an archive of several)."""
    try:
        size = path.stat().st_size
        if size < LARGE // _WRAPPED_SHARE:
            return None
        with path.open("rb") as stream:
            kind = kind_of_bytes(stream.read(512))
    except OSError:
        return None  # the usual way says what is wrong with it
    if kind is None:
        return _stream(str(path), path.name, size, lambda: path.open("rb")) if size >= LARGE else None
    if kind == "zip":
        return _zipped(path, size)
    opener = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open, "zst": _zst}.get(kind)
    return (
        None if opener is None else _stream(str(path), without_suffix(path.name), size, lambda: opener(path))
    )


def _zst(path: Path) -> Any:
    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


def _zipped(path: Path, size: int) -> Stream | None:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [
                info for info in archive.infolist() if not info.is_dir() and not is_litter(info.filename)
            ]
    except DAMAGE:
        return None
    if len(inside) != 1 or inside[0].file_size > 200 * max(inside[0].compress_size, 1):
        return None
    name = inside[0].filename

    def opener() -> IO[bytes]:
        return zipfile.ZipFile(path).open(name)

    return _stream(f"{path}!{name}", PurePosixPath(name).name, size, opener)


def _stream(path: str, name: str, size: int, opener: Callable[[], IO[bytes]]) -> Stream | None:
    try:
        with opener() as stream:
            head = read_whole(stream, _HEAD)
    except DAMAGE:
        return None
    if kind_of_bytes(head) is not None:
        return None  # wrapped again
    return Stream(path, name, Member(path, name, head), size, opener)


def hash_of(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
