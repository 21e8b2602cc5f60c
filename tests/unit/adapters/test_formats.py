"""Every real file is named by its content; option chains are named too and read elsewhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from mia_kernel.adapters.formats import FORMATS, format_named
from mia_kernel.adapters.sources import open_source, sniff
from mia_kernel.core.errors import FormatError, InputError
from tests.fakes.market_files import bar_csv, bar_json, bar_parquet, cme_zip, session, sierra_text
from tests.shared_data import SHARED, needs_shared_data

pytestmark = pytest.mark.unit

DAY = datetime(2022, 8, 9)

NAMED = {
    "dbn/**/*.zst": ("dbn", True),
    "es_1min_firstrate/*": ("bars-json", True),
    "es_1min_other/*": ("bars-csv", True),
    "es_nq_1min_2026/*": ("sierra", True),
    "es_nq_5min_tradingview/*": ("bars-parquet", True),
    "es_ticks_cme_timesales/*": ("cme", True),
    "sierra_es_5min_contracts/*": ("sierra", True),
    "sierra/*.txt": ("sierra", True),
    "sierra/*.csv": ("sierra", True),
    "vix/*": ("vix", True),
    "sierra/*.scid": ("scid", True),
    "es_ticks_sierra_dom/*": ("sierra-dom", True),
    "sierra_acsil/*/*": ("acsil", True),
    "nq_ticks/*": ("tick-csv", True),
    "lobster/*": ("lobster", True),
    "lean_es_minute_quotes/*": ("lean", True),
    "spx_chains/*": ("chain", False),
}


@pytest.mark.integration
@needs_shared_data
@pytest.mark.parametrize(("pattern", "expected"), NAMED.items())
def test_every_real_file_is_named_by_its_content(pattern: str, expected: tuple[str, bool]) -> None:
    assert SHARED is not None
    files = [file for file in SHARED.glob(pattern) if file.is_file()]
    assert files
    assert {(s.name, s.readable) for s in map(sniff, files)} == {expected}


@pytest.mark.integration
@needs_shared_data
@pytest.mark.parametrize("pattern", [pattern for pattern, (_, readable) in NAMED.items() if not readable])
def test_formats_that_are_no_recording_are_refused_by_name(pattern: str) -> None:
    assert SHARED is not None
    file = next(file for file in sorted(SHARED.glob(pattern)) if file.is_file())
    with pytest.raises(FormatError, match="options are not kept in the catalog"):
        open_source(file)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (cme_zip(), "cme"),
        (sierra_text(session(DAY)), "sierra"),
        (bar_csv(session(DAY)), "bars-csv"),
        (bar_json(session(DAY)), "bars-json"),
        (bar_parquet(session(DAY), zone=None), "bars-parquet"),
        (b"SCID" + bytes(60), "scid"),
        (b"SCDD" + bytes(60), "depth"),
    ],
)
def test_the_name_of_the_file_does_not_matter(data: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "something.bin"
    path.write_bytes(data)
    assert sniff(path).name == name


@pytest.mark.safety
@pytest.mark.parametrize(
    "data", [b"hello", b"\x00" * 100, b"<xml/>", b"%PDF-1.7", b"a,b,c\n1,2,3\n", b"{}", b"[]", b"\n"]
)
def test_unknown_content_is_refused_with_what_is_known(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        open_source(path)
    assert "no reader knows this content" in str(caught.value)
    assert caught.value.value == data[:48]
    assert "--format" in str(caught.value.way_out)


def test_names_of_formats_are_unique_and_unknown_ones_listed() -> None:
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    with pytest.raises(InputError, match="cme"):
        format_named("exe")
