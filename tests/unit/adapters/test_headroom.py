"""A file that does not fit into memory is refused before it is read, and the catalog stays as it was."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mia_kernel.adapters import headroom
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.wrappers import read_bytes
from mia_kernel.core.errors import InputError
from tests.fakes.every_format import FILES

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_what_is_free_is_told() -> None:
    assert 50_000_000 < headroom.available_bytes() < 2**45


def test_text_takes_more_than_records_and_packed_columns_most() -> None:
    text, records, columns = (
        headroom.needed_bytes(FILES[name], 100) for name in ("ES.csv", "ESH4.mbo.dbn", "ES.parquet")
    )
    assert records < text < columns


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_too_large_is_refused_with_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    monkeypatch.setattr(headroom, "SMALL", 1_000)
    monkeypatch.setattr(headroom, "available_bytes", lambda: 20_000)
    data = FILES["ES.csv"]
    path = tmp_path / ("ES.csv.gz" if wrapped else "ES.csv")
    path.write_bytes(gzip.compress(data) if wrapped else data)
    (result,) = import_sources([path], Catalog(tmp_path / "data"))
    assert (result.status, result.exit_code) == ("refused", 2)
    assert f"bytes = {len(data)}" in str(result.error)
    assert "does not fit into memory" in str(result.error)
    assert "split it by month or day" in str(result.error)
    assert not Catalog(tmp_path / "data").stored()


def test_a_plain_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten gigabytes of holes: nothing is read but the first bytes."""
    monkeypatch.setattr(headroom, "available_bytes", lambda: 2_000_000_000)
    with (tmp_path / "ES.csv").open("wb") as stream:
        stream.write(FILES["ES.csv"][:600])
        stream.truncate(10_000_000_000)
    with pytest.raises(InputError, match=r"takes about 100\.0 GB, 2\.0 GB are free"):
        read_bytes(tmp_path / "ES.csv")
