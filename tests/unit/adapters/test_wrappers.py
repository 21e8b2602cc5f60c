"""Wrappers come off in any nesting; a cut one is refused with file, offset and way out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from mia_kernel.adapters.wrappers import members, read_bytes
from mia_kernel.core.errors import FormatError, InputError
from tests.fakes.market_files import zipped

pytestmark = [pytest.mark.unit, pytest.mark.safety]

TEXT = b"line one\nline two\n" * 500


def _zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


WRAPS = {
    "gz": gzip.compress(TEXT),
    "bz2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zst": _zst(TEXT),
    "zip": zipped({"a.txt": TEXT}),
    "tar": _tar({"a.txt": TEXT})[: 512 + 18 * 512 + 512],  # without the padding behind the end
    "tar.xz": lzma.compress(_tar({"a.txt": TEXT})),
    "zip of gz": zipped({"a.txt.gz": gzip.compress(TEXT)}),
}


@pytest.mark.parametrize("kind", WRAPS)
def test_every_wrapper_gives_the_plain_bytes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt.wrapped"
    path.write_bytes(WRAPS[kind])
    found = list(members(path))
    assert [member.data for member in found] == [TEXT]


@pytest.mark.parametrize("kind", WRAPS)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.999])
def test_a_cut_wrapper_is_refused_with_offset_and_way_out(kind: str, part: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(WRAPS[kind][: max(int(len(WRAPS[kind]) * part), 8)])
    with pytest.raises(FormatError) as caught:
        list(members(path))
    assert caught.value.path == str(path)
    assert caught.value.offset is not None
    assert caught.value.way_out


def test_members_are_named_by_archive_and_file_and_litter_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "day.zip"
    path.write_bytes(zipped({"x/a.csv": b"1", "[Content_Types].xml": b"2", "__MACOSX/b": b"3", "x/.c": b"4"}))
    assert [(m.path, m.name) for m in members(path)] == [(f"{path}!x/a.csv", "a.csv")]


def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    whole = _tar({"a.txt": TEXT, "b.txt": TEXT})
    at = 512 + -(-len(TEXT) // 512) * 512
    path = tmp_path / "cut.tar"
    path.write_bytes(whole[:at])
    with pytest.raises(FormatError):
        list(members(path))


def test_a_zip_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": bytes(range(256)) * 40}))
    data[60] ^= 0xFF
    path = tmp_path / "flipped.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError):
        list(members(path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="empty"):
        list(members(path))


def test_wrappers_inside_each_other_have_an_end(tmp_path: Path) -> None:
    data = TEXT
    for _ in range(8):
        data = gzip.compress(data)
    path = tmp_path / "deep.gz"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="too many"):
        list(members(path))


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_bytes(tmp_path / "nothing")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": TEXT}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        central = archive.start_dir
    data[6] |= 1  # local header: the flag of encryption
    data[central + 8] |= 1  # and in the directory
    path = tmp_path / "locked.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError):
        list(members(path))
