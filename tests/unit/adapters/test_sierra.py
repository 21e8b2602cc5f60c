"""Sierra bar text: contracts by name, zones by hours, sides as exported."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sierra import is_sierra_header, read_sierra
from mia_kernel.adapters.sources import open_source, read_parts
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from tests.fakes.market_files import session, shifted, sierra_text
from tests.shared_data import SHARED, needs_shared_data, shared_file

pytestmark = pytest.mark.unit

BARS = [bar for k in range(5) for bar in session(datetime(2022, 8, 8) + timedelta(days=k))]


def test_a_contract_file_in_chicago_time() -> None:
    member = Member("x/ESU22-CME.txt", "ESU22-CME.txt", sierra_text(shifted(BARS, -1)))
    part = read_sierra([member], Ask())[0]
    assert (part.source.contract, part.source.adjustment, part.source.zone) == (
        "ESU22",
        "contract",
        "America/Chicago",
    )
    assert part.source.carries.aggressor == "feed"
    row = part.events[0]
    assert row["ts_event"] == int(np.datetime64("2022-08-07T22:05", "ns").astype(np.int64))
    assert row["b"][:7].tolist() == [16000, 16002, 15999, 60, 40, 50, 300]


def test_the_same_export_in_new_york_time_is_told_by_its_hours() -> None:
    part = read_sierra([Member("ES.txt", "ES.txt", sierra_text(BARS, sides=False))], Ask())[0]
    assert part.source.zone == "America/New_York"
    assert part.source.adjustment == "unknown"
    assert part.source.carries.aggressor == "none"
    assert not part.events["flags"].any()


def test_header() -> None:
    assert is_sierra_header(["date", "time", "open", "high", "low", "last", "volume", "numberoftrades"])
    assert not is_sierra_header(["timestamp", "open", "high", "low", "close", "volume"])


REAL_ROWS = {
    "ESH16-CME.part": 14_838, "ESH17-CME": 17_005, "ESU19-CME": 17_502, "ESM22-CME.part": 12_120,
    "ESH24-CME.part": 17_016, "ESZ24-CME": 17_672,
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize(("name", "rows"), REAL_ROWS.items())
def test_the_real_contract_files(name: str, rows: int) -> None:
    part = read_parts(shared_file(f"sierra_es_5min_contracts/{name}.txt.gz"), Ask())[0]
    assert len(part.events) == rows
    assert part.source.zone == "America/Chicago"
    assert part.source.contract == name[:5]
    assert (part.source.carries.aggressor, part.source.carries.bar_seconds) == ("feed", 300)
    assert part.verdict.score is not None
    assert part.verdict.score > 0.99
    # README: bid and ask volume add up in all but the odd row of ESH17, ESU17, ESZ18.
    assert part.verdict.repaired == ({"side_mismatch": 1} if name.startswith("ESH17") else {})


@pytest.mark.integration
@needs_shared_data
def test_every_real_contract_file_is_read_and_on_the_grid() -> None:
    assert SHARED is not None
    files = sorted((SHARED / "sierra_es_5min_contracts").glob("*.gz"))
    assert len(files) == 28
    rows = sum(len(part.events) for file in files for part in read_parts(file, Ask()))
    assert rows == 479_851 - 28  # every line but the headers


@pytest.mark.integration
def test_the_real_new_york_text_with_sides() -> None:
    recording = open_source(shared_file("sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt"))
    assert (len(recording), recording.source.zone) == (20_700, "America/New_York")
    assert (recording.events["flags"] == ev.SIDE_FEED).all()
    both = recording.events["b"][:, ev.BAR_BID_VOLUME] + recording.events["b"][:, ev.BAR_ASK_VOLUME]
    assert (both == recording.events["sz"]).all()


@pytest.mark.integration
def test_the_real_second_export_asks_for_its_zone_and_reports_the_first_row() -> None:
    path = shared_file("sierra/ES_intraday_export_1sec_20110102.csv")
    with pytest.raises(InputError) as caught:
        open_source(path)
    assert caught.value.field == "tz"
    part = read_parts(path, Ask(tz="UTC"))[0]
    assert len(part.events) == 999
    assert part.source.carries.bar_seconds == 1
    assert part.events["ts_event"][0] == int(np.datetime64("2011-01-02T23:00:01", "ns").astype(np.int64))
    assert part.verdict.repaired == {"side_mismatch": 1}  # 375 + 393 != 475: a real defect of the file
    assert part.events["flags"][0] == 0
