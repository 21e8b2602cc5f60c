"""Every format, plain and wrapped, alone and in a folder: found by its content, and the same rows each time."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.formats import FORMATS, recognise
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.sources import read_parts, sniff
from mia_kernel.adapters.wrappers import members
from tests.fakes.every_format import FILES, ZONES
from tests.fakes.market_files import zipped

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

Wrapped = tuple[str, bytes]


def _zst(name: str, data: bytes) -> Wrapped:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return f"{name}.zst", sink.getvalue().to_pybytes()


def _tar(name: str, data: bytes) -> Wrapped:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{name}.tar.xz", buffer.getvalue()


WRAPS: dict[str, Callable[[str, bytes], Wrapped]] = {
    "gz": lambda name, data: (f"{name}.gz", gzip.compress(data, mtime=0)),
    "zip": lambda name, data: (f"{name}.zip", zipped({f"inside/{name}": data})),
    "zst": _zst,
    "tar": _tar,
}
RULES = "".join(f'[[files]]\nmatch = "{name}*"\nzone = "{zone}"\n' for name, zone in ZONES.items())


@lru_cache(maxsize=len(FILES))
def _plain(name: str) -> list[Part]:
    return read_parts(Path(name), Ask(tz=ZONES.get(name)), data=FILES[name])


def _format(name: str) -> str:
    known = recognise(next(members(Path(name), FILES[name])))
    assert known is not None, name
    return known.name


def test_the_table_holds_every_format() -> None:
    assert {_format(name) for name in FILES} == {known.name for known in FORMATS if known.read is not None}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", FILES)
def test_a_wrapped_file_has_the_rows_of_the_plain_one(name: str, wrap: str, tmp_path: Path) -> None:
    plain = _plain(name)
    assert sum(part.rows for part in plain) > 0
    packed, content = WRAPS[wrap](name, FILES[name])
    path = tmp_path / packed
    path.write_bytes(content)
    found = read_parts(path, Ask(tz=ZONES.get(name)))
    assert sniff(path).name == _format(name)
    assert [part.source.symbol for part in found] == [part.source.symbol for part in plain]
    assert [part.source.contract for part in found] == [part.source.contract for part in plain]
    for one, other in zip(found, plain, strict=True):
        assert np.array_equal(one.events, other.events)
        assert one.verdict.counts == other.verdict.counts


@pytest.mark.parametrize("wrap", ["plain", "zip"])
def test_a_folder_of_all_formats_is_one_import(wrap: str, tmp_path: Path) -> None:
    """Zones that no file tells are named once in a `sierra.toml` above; then one command does all of it."""
    own = tmp_path / "own"
    for at, (name, data) in enumerate(FILES.items()):
        folder = own / f"vendor {at}"
        folder.mkdir(parents=True)
        packed, content = (name, data) if wrap == "plain" else WRAPS[wrap](name, data)
        (folder / packed).write_bytes(content)
    results = import_sources([own], Catalog(tmp_path / "without"))
    lacking = {Path(result.path).name.removesuffix(".zip") for result in results if result.asks == "tz"}
    assert lacking == set(ZONES)
    assert {r.status for r in results if r.asks is None} <= {"stored", "known"}
    (own / "sierra.toml").write_text(RULES)
    results = import_sources([own], Catalog(tmp_path / "data"))
    assert len(results) == len(FILES)
    assert {result.status for result in results} <= {"stored", "known"}, [r.error for r in results]
    assert max(result.exit_code for result in results) == 0
