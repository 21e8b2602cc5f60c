"""Take the wrapping off a file: gz, zip, zst, xz, bz2 and tar, in any nesting, told by magic bytes.

`members(path)` yields the plain files inside, one at a time, each with the name a person would use for
it in an error (`day.zip!20190809/slot.xml`). Readers never see a wrapper; a damaged one is refused here.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from mia_kernel.adapters.headroom import check_fits
from mia_kernel.core.errors import FormatError, InputError, OutsideError

_DEEPEST = 5
_LARGEST_PLAIN, _SWELLS = 64_000_000, 200
"""A file over this size that unpacks to over so many times its packed size is no market data."""
_MAGIC = {
    b"\x1f\x8b": "gz",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zst",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
}
_SUFFIXES = {".gz", ".zst", ".xz", ".bz2", ".zip"}
DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises on damaged or encrypted archives."""


class UnreadableError(OutsideError):
    """The system does not let a file be read: this one, not the disk that the catalog lies on."""


@dataclass(frozen=True, slots=True)
class Member:
    """One plain file: its bytes, its own name, and the path that names it in a message."""

    path: str
    name: str
    data: bytes


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file; a missing or too large one is an input error, an unreadable one the world's fault."""
    _check_plain(path)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("no such file", path=str(path), way_out="check the path") from error
    except OSError as error:
        raise UnreadableError(
            f"{path}: cannot be read: {error.strerror}; check permissions and disk"
        ) from error


def members(path: Path, data: bytes | None = None) -> Iterator[Member]:
    """Yield the plain files inside `path`, in the order of the archive.

    Parameters
    ----------
    path : Path
        A file, wrapped or not.
    data : bytes, optional
        Its content where the caller has read it already.

    Raises
    ------
    FormatError
        If the file is empty, or a wrapper is cut short or damaged.
    """
    content = read_bytes(path) if data is None else data
    if not content:
        raise FormatError("the file is empty", path=str(path), offset=0, rule="a source holds at least one record",
                          way_out="fetch the file again")  # fmt: skip
    yield from _unwrap(str(path), path.name, content, 0)


def _check_plain(path: Path) -> None:
    """Refuse a plain file that is too large before a byte of it is held."""
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
        size = path.stat().st_size
    except OSError:
        return  # the reading says what is wrong with it
    if kind_of_bytes(head) is None:
        check_fits(str(path), head, size)


def kind_of_bytes(data: bytes) -> str | None:
    """Return the wrapper that bytes begin like, None for a plain file."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    return "tar" if data[257:262] == b"ustar" else None


def _unwrap(path: str, name: str, data: bytes, depth: int) -> Iterator[Member]:
    kind = kind_of_bytes(data)
    if kind is None:
        check_fits(path, data[:512], len(data))
        yield Member(path, name, data)
        return
    if depth >= _DEEPEST:
        raise FormatError(
            "too many wrappers inside each other",
            path=path,
            value=depth,
            rule=f"at most {_DEEPEST}",
            way_out="unpack the file by hand",
        )
    try:
        for inner_path, inner_name, inner in _layer(kind, path, name, data):
            yield from _unwrap(inner_path, inner_name, inner, depth + 1)
    except DAMAGE as error:
        raise damaged(path, len(data), error, kind) from error


def damaged(path: str, size: int, error: Exception, kind: str = "") -> FormatError:
    """Return the error for a wrapper that ends early or is bent."""
    what = f"the {kind} wrapper" if kind else "the file or its wrapper"
    return FormatError(
        f"{what} is cut short or damaged",
        path=path,
        offset=size,
        value=str(error) or type(error).__name__,
        rule=f"a complete {kind or 'compressed'} stream",
        way_out="fetch the file again; nothing was stored",
    )


def _layer(kind: str, path: str, name: str, data: bytes) -> Iterator[tuple[str, str, bytes]]:
    if kind == "zip":
        yield from _zip_files(path, data)
    elif kind == "tar":
        yield from _tar_files(path, data)
    else:
        yield path, without_suffix(name), _decompress(kind, data)


def _decompress(kind: str, data: bytes) -> bytes:
    if kind == "gz":
        return gzip.decompress(data)
    if kind == "xz":
        return lzma.decompress(data)
    if kind == "bz2":
        return bz2.decompress(data)
    return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()


def _zip_files(path: str, data: bytes) -> Iterator[tuple[str, str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir() and not is_litter(info.filename):
                if info.file_size > _LARGEST_PLAIN and info.file_size > _SWELLS * info.compress_size:
                    raise ValueError(f"{info.filename} would unpack to {info.file_size:,} bytes")
                yield f"{path}!{info.filename}", PurePosixPath(info.filename).name, archive.read(info)


def _tar_files(path: str, data: bytes) -> Iterator[tuple[str, str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        end = 0
        for info in archive:
            end = info.offset_data + -(-info.size // 512) * 512
            stream = archive.extractfile(info) if info.isfile() and not is_litter(info.name) else None
            if stream is not None:
                content = stream.read()
                if len(content) != info.size:
                    raise EOFError(f"{info.name} holds {len(content)} of {info.size} bytes")
                yield f"{path}!{info.name}", PurePosixPath(info.name).name, content
        # tarfile takes a cut between two members for the end; a whole archive closes with zero blocks.
        if len(data) < end + 512:
            raise EOFError("no end-of-archive block")


def without_suffix(name: str) -> str:
    """Return a file's name without the ending of its wrapper."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in _SUFFIXES else name


def is_litter(name: str) -> bool:
    """Return whether a member of an archive is no data of its owner: what systems leave behind."""
    last = PurePosixPath(name).name
    return name.startswith("__MACOSX") or last.startswith(".") or last == "[Content_Types].xml"
