"""Bar tables of every author and container; known values and row counts of the real files."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.bars import is_bar_header, read_bar_csv, read_bar_json, read_bar_parquet
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sources import open_source
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from tests.fakes.market_files import bar_csv, bar_json, bar_parquet, minutes, session, shifted
from tests.shared_data import shared_file

pytestmark = pytest.mark.unit

DAYS = [datetime(2022, 8, 8) + timedelta(days=k) for k in range(3)]
NY = "America/New_York"
BARS = [bar for day in DAYS for bar in session(day)]


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def _member(data: bytes, name: str = "ES_5min.csv") -> Member:
    return Member(name, name, data)


def test_csv_with_one_stamp_column() -> None:
    part = read_bar_csv([_member(bar_csv(BARS))], Ask())[0]
    assert part.source.zone == "America/New_York"
    assert len(part.events) == len(BARS)
    # The first bar starts on Sunday at 18:00 New York = 22:00 UTC and enters five minutes later.
    assert part.events["ts_event"][0] == _utc("2022-08-07T22:05")
    assert part.source.carries.bar_seconds == 300
    assert part.source.adjustment == "unknown"


def test_the_json_of_day_files_is_back_adjusted_and_joined() -> None:
    members = [_member(bar_json(session(day)), f"ES.tar!{day:%Y-%m-%d}.json") for day in DAYS]
    part = read_bar_json(members, Ask())[0]
    assert part.source.adjustment == "back_adjusted"
    assert len(part.events) == len(BARS)


@pytest.mark.parametrize("zone", ["America/New_York", None])
def test_parquet_with_and_without_a_zone(zone: str | None) -> None:
    part = read_bar_parquet([_member(bar_parquet(BARS, zone=zone), "ES1_5m.parquet")], Ask())[0]
    assert part.events["ts_event"][0] == _utc("2022-08-07T22:05")
    assert ("from the file" in part.source.notes[0]) == (zone is not None)


def test_stamps_with_an_offset_need_no_proof() -> None:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{b[0]:%Y-%m-%dT%H:%M:%S}-04:00,{b[1]},{b[2]},{b[3]},{b[4]},{b[5]}" for b in BARS[:20]]
    part = read_bar_csv([_member(("\n".join(lines) + "\n").encode())], Ask())[0]
    assert part.events["ts_event"][0] == _utc("2022-08-07T22:05")


def test_numbers_as_stamps_in_json() -> None:
    stamp = _utc("2022-08-07T22:00") // 10**6
    rows = [
        {
            "time": stamp + 60_000 * i,
            "open": 4000.0,
            "high": 4000.5,
            "low": 3999.5,
            "close": 4000.25,
            "volume": 5,
        }
        for i in range(3)
    ]
    part = read_bar_json([_member(json.dumps(rows).encode(), "ES.json")], Ask())[0]
    assert part.events["ts_event"].tolist() == [(stamp + 60_000 * (i + 1)) * 10**6 for i in range(3)]


def test_short_bars_without_a_zone_are_asked_for() -> None:
    data = bar_csv(minutes(datetime(2022, 8, 8, 10, 0), 60))
    with pytest.raises(InputError) as caught:
        read_bar_csv([_member(data)], Ask())
    assert caught.value.field == "tz"
    assert len(read_bar_csv([_member(data)], Ask(tz="America/New_York"))[0].events) == 60


@pytest.mark.safety
def test_a_wrong_zone_is_refused() -> None:
    with pytest.raises(DataError, match="wrong zone"):
        read_bar_csv([_member(bar_csv(shifted(BARS, 6)))], Ask(tz="America/New_York"))


@pytest.mark.safety
def test_a_series_of_another_scale_is_refused_with_its_first_line() -> None:
    off = [(b[0], b[1] * 1.01, b[2] * 1.01, b[3] * 1.01, b[4] * 1.01, *b[5:]) for b in BARS]
    with pytest.raises(DataError) as caught:
        read_bar_csv([_member(bar_csv(off))], Ask())
    assert "ES_5min.csv:" in str(caught.value)
    assert "off_grid" in str(caught.value)


@pytest.mark.safety
def test_a_file_cut_inside_its_last_line_loses_that_line_or_is_refused() -> None:
    data = bar_csv(BARS)
    whole = read_bar_csv([_member(data)], Ask())[0].events
    for cut in range(1, 40):
        try:
            part = read_bar_csv([_member(data[:-cut])], Ask())[0]
        except FormatError as error:
            assert error.line is not None
            continue
        n = len(part.events)
        assert n < len(whole)
        assert (part.events == whole[:n]).all()


def test_headers() -> None:
    assert is_bar_header(["timestamp", "open", "high", "low", "close"])
    assert is_bar_header(["date", "time", "open", "high", "low", "last", "volume"])
    assert not is_bar_header(["timestamp", "price", "volume"])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "rows", "zone", "first", "seconds"),
    [
        ("es_1min_other/ES_1min_firstrate_sample_20250420_20250505.csv", 15_310, NY, "2025-04-20T22:01", 60),
        ("es_1min_other/NQ_1min_firstrate_sample_20231119_20231204.csv", 14_714, NY, "2023-11-19T23:01", 60),
        ("es_nq_5min_tradingview/ES1_5m_20241202_20251205.parquet", 69_606, "UTC", "2024-12-03T00:05", 300),
        ("es_nq_5min_tradingview/NQ1_5m_20241202_20251205.parquet", 71_175, "UTC", "2024-12-03T00:05", 300),
        ("es_nq_5min_tradingview/ES_1m_novolume_20250727_20251203.parquet", 105_825, "UTC", "2025-07-27T22:01", 60),
        ("es_nq_1min_2026/ES_1min_2026-06-15_2026-06-22.csv", 5_682, "America/Chicago", "2026-06-16T04:11", 60),
        ("es_nq_1min_2026/NQ_1min_2026-06-15_2026-06-22.csv", 5_682, "America/Chicago", "2026-06-16T04:11", 60),
    ],
)  # fmt: skip
def test_the_real_bar_files(name: str, rows: int, zone: str, first: str, seconds: int) -> None:
    recording = open_source(shared_file(name))
    assert len(recording) == rows  # the 2026 files: 5,688 lines, 6 of them without volume
    assert recording.source.zone == zone
    assert recording.events["ts_event"][0] == _utc(first)
    assert recording.source.carries.bar_seconds == seconds
    assert recording.source.symbol == ("NQ" if "NQ" in name else "ES")


@pytest.mark.integration
def test_the_real_five_minute_and_one_minute_closes_agree() -> None:
    # README: in August and October 2025 the closes of the 1-min file equal those of the 5-min file.
    five = open_source(shared_file("es_nq_5min_tradingview/ES1_5m_20241202_20251205.parquet")).events
    one = open_source(shared_file("es_nq_5min_tradingview/ES_1m_novolume_20250727_20251203.parquet")).events
    for month in ("2025-08", "2025-10"):
        low, high = _utc(f"{month}-01"), _utc(f"{month}-01") + 30 * 86_400 * 10**9
        a = five[(five["ts_event"] >= low) & (five["ts_event"] < high)]
        _, i, j = np.intersect1d(a["ts_event"], one["ts_event"], return_indices=True)
        assert len(i) > 3_000
        assert (a["px"][i] == one["px"][j]).all()


@pytest.mark.integration
def test_minutes_of_the_cme_ticks_equal_the_firstrate_minutes() -> None:
    ticks = open_source(shared_file("es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip")).events
    bars = open_source(shared_file("es_1min_firstrate/ES_1min_2019.tar.xz"))
    assert bars.source.adjustment == "back_adjusted"
    minute = 60 * 10**9
    start = ticks["ts_event"] // minute
    edge = np.flatnonzero(np.r_[True, np.diff(start) != 0])
    end = (start[edge] + 1) * minute
    px, sz = ticks["px"].astype(np.int64), ticks["sz"].astype(np.int64)
    built = {
        "open": px[edge],
        "high": np.maximum.reduceat(px, edge),
        "low": np.minimum.reduceat(px, edge),
        "close": px[np.r_[edge[1:], len(px)] - 1],
        "volume": np.add.reduceat(sz, edge),
    }
    at = bars.events[np.isin(bars.events["ts_event"], end)]
    assert len(at) == len(end) == 1_365
    offset = 28  # +7.00 points: the back-adjustment of ESU19
    difference = {
        name: at["b"][:, k] - offset - built[name] for name, k in (("open", 0), ("high", 1), ("low", 2))
    }
    difference["close"] = at["px"] - offset - built["close"]
    difference["volume"] = at["sz"] - built["volume"]
    assert not difference["high"].any()
    assert not difference["low"].any()
    for name in ("open", "close"):
        assert np.abs(difference[name]).max() <= 2
        assert np.mean(difference[name] == 0) >= 0.994
    moved = difference["volume"]
    assert np.mean(moved == 0) >= 0.992
    assert np.abs(moved).max() <= 4
    assert int((moved == 0).sum()) == 1_355
    assert moved.sum() == 0  # what one minute lacks its neighbour has


@pytest.mark.integration
def test_the_new_york_text_of_sierra_equals_the_firstrate_minutes_of_may() -> None:
    # README: constant within the contract; M22 stands 86.50 points = 346 ticks above the traded price.
    traded = open_source(shared_file("sierra/ES_1min_bidask_2022-05-01_2022-05-20.txt")).events
    adjusted = open_source(shared_file("es_1min_firstrate/ES_1min_2022-01-02_2022-05-20.tar.xz")).events
    _, i, j = np.intersect1d(traded["ts_event"], adjusted["ts_event"], return_indices=True)
    assert len(i) > 20_000
    assert set((adjusted["px"][j] - traded["px"][i]).tolist()) == {346}
    assert (adjusted["sz"][j] == traded["sz"][i]).mean() > 0.99


@pytest.mark.integration
def test_the_real_year_is_one_back_adjusted_series(tmp_path: Path) -> None:
    year = open_source(shared_file("es_1min_firstrate/ES_1min_2019.tar.xz"))
    assert (len(year), year.source.zone) == (349_335, "America/New_York")
    assert (np.diff(year.events["ts_event"]) > 0).all()
    assert year.events["kind"].max() == ev.BAR
