"""A person's own folder, Sierra, IBKR, Databento and FirstRate side by side: one truthful catalog, refusals by name."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mia_kernel import cli
from mia_kernel.adapters import catalog_query as query
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.recorder import SessionAbout, SessionRecorder
from mia_kernel.core import events as ev
from mia_kernel.core.events import Carries, SourceInfo
from mia_kernel.core.session import session_row
from tests.fakes.market_files import session, zipped
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

SECOND = 1_000_000_000


def _head(name: str, lines: int) -> bytes:
    with shared_file(name).open("rb") as file:
        return b"".join(islice(file, lines))


def _ibkr(folder: Path) -> None:
    """Write a session as the recorder does for IBKR; its 400 rows are made up."""
    row = session_row(20240108)
    assert row is not None
    rows = ev.empty(400)
    rows["ts_event"] = rows["ts_recv"] = row["open_ns"] + SECOND * np.arange(400)
    rows["seq"], rows["kind"] = range(400), [ev.QUOTE, ev.TRADE] * 200
    rows["bid"], rows["ask"], rows["px"], rows["sz"] = 19_000, 19_001, 19_001, 2
    rows["b"][:, 0] = rows["a"][:, 0] = 50
    quotes = rows["kind"] == ev.QUOTE
    rows["px"][quotes] = rows["sz"][quotes] = 0
    carries = Carries(trades=True, quotes=True, aggressor="none")
    source = SourceInfo("live", "ibkr", "rows made up for a test", "ES", "ESH24", carries=carries)
    recorder = SessionRecorder(folder, SessionAbout(
        session_id=folder.name, mode="dry-run", uri="ibkr:ES", source=source, others=(), declared=(), calendar=None,
        settings_id="x", settings={}, code_version="v", started_at="2024-01-07T23:00:00+00:00",
    ))  # fmt: skip
    recorder.append(rows)
    recorder.close({"decisions": 0, "digest": "d", "parity": None})


def _firstrate() -> bytes:
    """Write bars as FirstRate sells them: no header line; here the sessions of three days."""
    days = [bar for day in (8, 9, 10) for bar in session(datetime(2022, 8, day))]
    return b"".join(
        f"{at:%Y-%m-%d %H:%M:%S},{o},{h},{low},{c},{v}\n".encode() for at, o, h, low, c, v, _, _ in days
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    for name in ("sierra", "ibkr", "databento", "firstrate", "other"):
        (own / name).mkdir(parents=True)
    scid = shared_file("sierra/ESM23_10records.scid").read_bytes()
    (own / "sierra" / "ESM23.scid").write_bytes(scid)
    bars = _head("sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt", 1_501)
    (own / "sierra" / "ES_bars.zip").write_bytes(zipped({"ES_bars.txt": bars}))
    _ibkr(own / "ibkr" / "2024-01-08")
    trades = shared_file("dbn/fixtures_glbx_esh1/test_data.trades.dbn.zst").read_bytes()
    (own / "databento" / "trades.dbn.zst").write_bytes(trades)
    (own / "databento" / "cut.dbn.zst").write_bytes(trades[:-60])
    sample = _head("es_1min_other/ES_1min_firstrate_sample_20250420_20250505.csv", 3_001)
    (own / "firstrate" / "ES_1min.csv.gz").write_bytes(gzip.compress(sample, mtime=0))
    (own / "firstrate" / "ES_full_1min.txt").write_bytes(_firstrate())
    for name in ("condition.json", "manifest.json", "metadata.json", "symbology.json"):
        (own / "databento" / name).write_text('{"job_id": "GLBX-20240101-X", "version": 1}')
    (own / "sierra" / "ESM23-CME.Cht").write_bytes(b"\x01\x02\x00chart")
    (own / "ibkr" / "U1_2024.xml").write_text(
        '<FlexQueryResponse queryName="all" type="AF"></FlexQueryResponse>'
    )
    (own / "notes.md").write_text("# What I bought, and where\n")
    (own / "other" / "shopping.txt").write_text("two apples\nbread, and the paper\n")
    (own / "sierra" / "ESM23_older.scid").write_bytes(scid[: 56 + 40 * 3])
    return own


STORED = {
    "trades.dbn.zst": (["ESH21"], 4),
    "ESM23.scid": (["ESM23"], 10),
    "ES_bars.zip": (["ES"], 1_500),
    "2024-01-08": (["ESH24"], 400),
    "ES_1min.csv.gz": (["ES"], 3_000),
    "ES_full_1min.txt": (["ES"], 828),
}


@needs_shared_data
def test_a_mixed_folder_becomes_one_truthful_catalog(
    folder: Path, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["import", str(folder), "--json", "-"]) == 2
    told = {Path(file["path"]).name: file for file in json.loads(capsys.readouterr().out)["files"]}
    aside = {name: file["error"] for name, file in told.items() if file["status"] == "aside"}
    assert set(aside) == {"condition.json", "manifest.json", "metadata.json", "symbology.json", "ESM23-CME.Cht",
                          "U1_2024.xml", "notes.md"}  # fmt: skip
    assert "Databento's account" in aside["manifest.json"]
    assert "broker's statement" in aside["U1_2024.xml"]
    assert len(told) == 9 + len(aside)
    for name, (series, rows) in STORED.items():
        assert told[name]["status"] == "stored", told[name]["error"]
        assert [part["contract"] or part["symbol"] for part in told[name]["parts"]] == series
        assert sum(part["rows"] for part in told[name]["parts"]) == rows
    assert (told["ESM23_older.scid"]["status"], told["ESM23_older.scid"]["rows_known"]) == ("known", 3)
    assert told["ES_1min.csv.gz"]["parts"][0]["zone"] == "America/New_York"
    refused = {name: file["error"] for name, file in told.items() if file["status"] == "refused"}
    assert set(refused) == {"shopping.txt", "cut.dbn.zst"}
    assert "shopping.txt at byte 0: no reader knows this" in refused["shopping.txt"]
    assert "cut.dbn.zst" in refused["cut.dbn.zst"]

    catalog = Catalog(mia_home / "data")
    imports = {told[name]["import_id"] for name in STORED}
    assert len(imports) == 6
    assert {stored.import_id for stored in catalog.stored()} == imports
    assert query.verify(catalog).ok
    assert len(catalog.read_day("ES", 20240108).events) == 400

    before = [stored.segment for stored in catalog.stored()]
    assert cli.main(["import", str(folder), "--json", "-"]) == 2
    again = json.loads(capsys.readouterr().out)["files"]
    assert {file["status"] for file in again} == {"known", "aside", "refused"}
    assert [stored.segment for stored in catalog.stored()] == before
    (folder / "other" / "shopping.txt").unlink()
    (folder / "databento" / "cut.dbn.zst").unlink()
    assert cli.main(["import", str(folder)]) == 0
    assert "7 known before, 7 no market data, passed over" in capsys.readouterr().out
    assert (
        cli.main(["import", str(folder / "notes.md")]) == 2
    )  # meant by name it is no market data either, and said
    assert "no reader knows this content" in capsys.readouterr().err


@needs_shared_data
def test_files_that_lack_a_word_are_told_with_the_command_and_one_file_names_it_for_all(
    tmp_path: Path, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks = tmp_path / "own" / "my ticks"
    ticks.mkdir(parents=True)
    name = "time_and_sales_nq_20251009_30min.csv"
    (ticks / name).write_bytes(_head(f"nq_ticks/{name}", 400))
    (tmp_path / "own" / "VIX_daily.csv").write_bytes(_head("vix/VIX_daily.csv", 90))
    assert cli.main(["import", str(tmp_path / "own")]) == 2
    said = capsys.readouterr().err
    assert "1 of them lack only their zone" in said
    assert f"mia import '{ticks / name}' --tz ZONE" in said
    lines = said[said.index("[[files]]") :]
    assert 'match = "my ticks/*"' in lines
    (tmp_path / "own" / "sierra.toml").write_text(lines.replace('"ZONE"', '"Europe/Madrid"'))
    assert cli.main(["import", str(tmp_path / "own")]) == 0
    assert "2 sources: 1 stored, 1 known before" in capsys.readouterr().out
    (part,) = {stored.source.zone for stored in Catalog(mia_home / "data").stored()} - {"America/New_York"}
    assert part == "Europe/Madrid"
