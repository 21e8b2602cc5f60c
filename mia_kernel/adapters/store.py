"""Files that are written whole or not at all, and the list of what the catalog holds.

An import writes its segments into a staging folder, flushes each to the disk, moves them to their place
and writes its manifest last, by rename. A file that no manifest names is not in the catalog: after a full
disk or a kill at any moment the catalog is as before, and the next writer sweeps what was left behind.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from mia_kernel.core.errors import CorruptError, OutsideError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MANIFESTS, STAGING, LOCK = "_manifests", "_staging", "_lock"
_VERSION = 2  # 1 had no hash of its own


@dataclass(frozen=True, slots=True)
class Segment:
    """One immutable Parquet file: rows of one kind of one contract on one trading day."""

    symbol: str
    contract: str  # "continuous" for a series without contract
    day: int  # yyyymmdd
    kind: str
    rows: int
    first_ts: int
    last_ts: int
    volume: int
    bytes: int
    sha256: str  # of the file
    content: str  # of the rows, without their numbers
    file: str  # relative to the catalog
    source: int  # position in the manifest's sources


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one import has stored. `sources` hold what is known of each part and its verdict."""

    import_id: str  # sha256 of the imported file
    name: str
    imported_at: str
    segments: tuple[Segment, ...]
    sources: tuple[dict[str, Any], ...]


def write_flushed(path: Path, data: bytes) -> None:
    """Write bytes and flush them to the disk."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def outside(error: OSError, path: Path) -> OutsideError:
    """Return the error for a disk that refuses, saying that nothing was changed."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full" if full else f"the disk refuses ({error.strerror or error})"
    return OutsideError(f"{path}: {what}; the catalog is unchanged; free space, then import again")


class Store:
    """The folder of the catalog."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[Path, tuple[tuple[int, int], Manifest]] = {}

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Hold the catalog for one writer; gives an empty staging folder and sweeps leftovers.

        Raises
        ------
        OutsideError
            If another process writes, or the disk refuses.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            stream = (self.root / LOCK).open("a+b")
        except OSError as error:
            raise outside(error, self.root) from error
        with stream:
            try:
                _lock(stream)
            except OSError as error:
                raise OutsideError(
                    f"{self.root}: another import is writing; wait for it and try again"
                ) from error
            try:
                self.sweep()
                staging = self.root / STAGING
                staging.mkdir(parents=True, exist_ok=True)
                yield staging
            except OSError as error:
                raise outside(error, self.root) from error
            finally:
                shutil.rmtree(self.root / STAGING, ignore_errors=True)

    def sweep(self) -> int:
        """Remove staged files and segments that no manifest names; return how many."""
        shutil.rmtree(self.root / STAGING, ignore_errors=True)
        named = {segment.file for manifest in self.manifests() for segment in manifest.segments}
        swept = 0
        for file in self.root.glob("symbol=*/contract=*/day=*/kind=*/*"):
            if file.relative_to(self.root).as_posix() not in named:
                file.unlink()
                swept += 1
        for file in (self.root / MANIFESTS).glob("*.part"):
            file.unlink()
            swept += 1
        return swept

    def publish(self, manifest: Manifest, staged: dict[str, Path]) -> None:
        """Move staged files to their places and write the manifest, which makes them part of the catalog."""
        folders: set[Path] = set()
        try:
            for file, path in staged.items():
                target = self.root / file
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
                folders.add(target.parent)
            for folder in folders:
                _flush_folder(folder)
            self._write_manifest(manifest)
        except OSError as error:
            for file in staged:
                (self.root / file).unlink(missing_ok=True)
            raise outside(error, self.root) from error

    def _write_manifest(self, manifest: Manifest) -> None:
        folder = self.root / MANIFESTS
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{manifest.import_id}.part"
        try:
            told = {"version": _VERSION, **asdict(manifest)}
            write_flushed(part, json.dumps({**told, "sha256": _hash(told)}, indent=1).encode())
            os.replace(part, folder / f"{manifest.import_id}.json")
        except OSError:
            part.unlink(missing_ok=True)
            raise
        _flush_folder(folder)

    def manifests(self) -> list[Manifest]:
        """Return every manifest, in the order of import.

        Raises
        ------
        CorruptError
            If one cannot be read.
        """
        found = [self._manifest(file) for file in sorted((self.root / MANIFESTS).glob("*.json"))]
        return sorted(found, key=lambda manifest: (manifest.imported_at, manifest.import_id))

    def _manifest(self, file: Path) -> Manifest:
        """Return a manifest, read again only if its file is another: thousands of segments are no quick reading."""
        try:
            told = file.stat()
        except OSError as error:
            raise OutsideError(f"{file}: cannot be read: {error.strerror}") from error
        mark = (told.st_mtime_ns, told.st_size)
        held = self._read.get(file)
        if held is None or held[0] != mark:
            held = self._read[file] = (mark, _read_manifest(file))
        return held[1]

    def read(self, segment: Segment) -> bytes:
        """Return the bytes of a segment, checked against its hash.

        Raises
        ------
        CorruptError
            If the file is missing or was changed.
        """
        path = self.root / segment.file
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise CorruptError(f"{path}: the stored file is missing; restore it from a backup") from error
        except OSError as error:
            raise OutsideError(f"{path}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != segment.sha256:
            raise CorruptError(f"{path}: the stored file does not match its hash; restore it from a backup")
        return data


def _read_manifest(path: Path) -> Manifest:
    try:
        value = json.loads(path.read_bytes())
        version, own = value["version"], value.pop("sha256", None)
        if version not in (1, _VERSION) or own != (_hash(value) if version > 1 else None):
            raise ValueError("it does not match its own hash")
        segments = tuple(Segment(**segment) for segment in value["segments"])
        return Manifest(
            value["import_id"], value["name"], value["imported_at"], segments, tuple(value["sources"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{path}: the manifest cannot be read ({error}); restore it from a backup"
        ) from error
    except OSError as error:
        raise OutsideError(f"{path}: cannot be read: {error.strerror}") from error


def _hash(told: dict[str, Any]) -> str:
    """Return the hash of a manifest's content, whatever the spaces between its words."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _lock(stream: IO[bytes]) -> None:
    # The system drops the lock when the process dies, however it dies.
    if sys.platform == "win32":
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # a folder cannot be opened there; the rename itself is journalled by NTFS
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
