"""The calendar against years of real bars: no bar while we say closed, and every session from open to close."""

from __future__ import annotations

import gzip
import re
import tarfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from mia_kernel.core import session
from tests.shared_data import needs_shared_data, shared_file
from tests.unit.core.calendar_differences import (
    FIRSTRATE_DIFFERENCES,
    SIERRA_DIFFERENCES,
    STRAY_BARS,
    TRADINGVIEW_NQ_DIFFERENCES,
)

pytestmark = [pytest.mark.unit, needs_shared_data]

MINUTE = 60_000_000_000
YEARS = (
    "2009",
    "2010",
    "2012",
    "2014",
    "2016",
    "2017",
    "2018",
    "2019",
    "2020",
    "2021",
    "2022-01-02_2022-05-20",
)
STAMP = re.compile(rb'"dateTime":\s*"(\d{4}-\d\d-\d\d) (\d\d:\d\d)')

Stamps = NDArray[np.int64]


def to_ns(wall: pd.DatetimeIndex, zone: str) -> Stamps:
    """Sorted distinct bar starts in ns UTC of naive stamps in a zone."""
    return np.unique(wall.tz_localize(zone).tz_convert("UTC").as_unit("ns").asi8)


@lru_cache(maxsize=2)
def firstrate(year: str) -> Stamps:
    walls: list[str] = []
    with tarfile.open(shared_file(f"es_1min_firstrate/ES_1min_{year}.tar.xz"), "r:xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                found = STAMP.findall(content.read())
                walls += [f"{day.decode()}T{minute.decode()}" for day, minute in found]
    return to_ns(pd.DatetimeIndex(np.array(walls, "datetime64[m]")), "America/New_York")


def new_york(ts: int) -> str:
    return pd.Timestamp(ts, tz="UTC").tz_convert("America/New_York").strftime("%Y-%m-%d %H:%M")


def outside(starts: Stamps) -> list[str]:
    """Bars while the market is closed, except prints stamped in the minute a session ends or pauses."""
    late = starts[~session.open_mask(starts)]
    found = []
    for ts in late.tolist():
        row = session.session_row(session.trading_day_of(ts))
        if ts not in (int(row["close_ns"]), int(row["pause_start_ns"])):
            found.append(new_york(ts))
    return found


def differences(starts: Stamps, bar_minutes: int, *, whole: bool = True) -> set[tuple[int, int, int]]:
    """Sessions whose first or last bar is not at the open or the close; `whole` includes the edges of the file."""
    inside = starts[session.open_mask(starts)]
    rows = session.sessions_between(int(inside[0]), int(inside[-1]) + 1)
    found = set()
    for row in rows if whole else rows[1:-1]:
        first = int(np.searchsorted(inside, row["open_ns"]))
        last = int(np.searchsorted(inside, row["close_ns"])) - 1
        day = int(row["trading_day"])
        if last < first:
            found.add((day, -1, -1))
            continue
        late, short = (
            int(inside[first] - row["open_ns"]) // MINUTE,
            int(row["close_ns"] - inside[last]) // MINUTE,
        )
        if late != 0 or short != bar_minutes:
            found.add((day, late, short))
    return found


def of_range(table: dict[tuple[int, int, int], str], starts: Stamps) -> set[tuple[int, int, int]]:
    first, last = session.trading_day_of(int(starts[0])), session.trading_day_of(int(starts[-1]))
    return {row for row in table if first <= row[0] <= last}


@pytest.mark.parametrize("year", YEARS)
def test_one_minute_bars_of_a_year(year: str) -> None:
    starts = firstrate(year)
    assert set(outside(starts)) <= set(STRAY_BARS)
    assert differences(starts, 1) == of_range(FIRSTRATE_DIFFERENCES, starts)
    days = session.trading_days_of(starts)
    closed_weekdays = {int(day.strftime("%Y%m%d")) for day in pd.bdate_range(str(days[0]), str(days[-1]))}
    assert closed_weekdays - set(days.tolist()) == {
        day for day in closed_weekdays if not session.is_trading_day(day)
    }


def test_silences_in_rth_are_the_known_halts() -> None:
    for year in ("2018", "2019", "2020"):
        starts = firstrate(year)
        starts = starts[session.open_mask(starts)]
        wide = np.flatnonzero(np.diff(starts) > 9 * MINUTE)
        for ts, following in zip(starts[wide].tolist(), starts[wide + 1].tolist(), strict=True):
            row = session.session_at(ts)
            if ts < row["rth_open_ns"] or following >= row["rth_close_ns"]:
                continue
            known = [stop for stop in session.interruptions() if ts < stop.start_ns < following]
            if new_york(ts)[:10] not in ("2018-05-07",):
                assert known, f"{new_york(ts)} to {new_york(following)}"


def test_no_bar_inside_a_known_interruption() -> None:
    for stop in session.interruptions():
        year = new_york(stop.start_ns)[:4]
        if year in YEARS:
            starts = firstrate(year)
            assert not ((starts >= stop.start_ns) & (starts < stop.end_ns)).any(), stop
    outage = session.interruptions()[-1]
    bars = tradingview("ES1_5m_20241202_20251205")
    assert not ((bars >= outage.start_ns) & (bars < outage.end_ns)).any()


def test_five_minute_bars_of_every_contract() -> None:
    folder = shared_file("sierra_es_5min_contracts")
    files = sorted(folder.glob("*.txt.gz"))
    assert len(files) == 28
    for path in files:
        starts = sierra(path)
        assert outside(starts) == [], path.name
        assert differences(starts, 5, whole=False) == of_range(SIERRA_DIFFERENCES, starts), path.name


def sierra(path: Path) -> Stamps:
    with gzip.open(path, "rt") as lines:
        next(lines)
        walls = [line.split(",", 2)[:2] for line in lines]
    joined = pd.to_datetime([f"{day} {minute.strip()}" for day, minute in walls], format="mixed")
    return to_ns(pd.DatetimeIndex(joined), "America/Chicago")


def tradingview(name: str) -> Stamps:
    index = pd.read_parquet(shared_file(f"es_nq_5min_tradingview/{name}.parquet")).index
    return np.unique(pd.DatetimeIndex(index).as_unit("ns").asi8)


def test_five_minute_bars_of_2025_es_and_nq() -> None:
    es, nq = tradingview("ES1_5m_20241202_20251205"), tradingview("NQ1_5m_20241202_20251205")
    assert outside(es) == outside(nq) == []
    assert differences(es, 5, whole=False) == set()
    assert differences(nq, 5, whole=False) == set(TRADINGVIEW_NQ_DIFFERENCES)


def test_one_minute_samples() -> None:
    for name in (
        "ES_1min_firstrate_sample_20250420_20250505.csv",
        "NQ_1min_firstrate_sample_20231119_20231204.csv",
    ):
        table = pd.read_csv(shared_file(f"es_1min_other/{name}"), usecols=["timestamp"])
        starts = to_ns(pd.DatetimeIndex(pd.to_datetime(table["timestamp"])), "America/New_York")
        assert outside(starts) == []
        assert differences(starts, 1, whole=False) == set()


def test_juneteenth_2026_in_the_minutes_of_that_week() -> None:
    for path in sorted(shared_file("es_nq_1min_2026").glob("*.csv")):
        table = pd.read_csv(path, usecols=[0, 1])
        wall = pd.to_datetime(
            table.iloc[:, 0].astype(str) + " " + table.iloc[:, 1].astype(str), format="mixed"
        )
        starts = to_ns(pd.DatetimeIndex(wall), "America/Chicago")
        assert outside(starts) == []
        # the file stops at 23:58 on the eve: the session itself is known from the exchange's holiday hours
        assert differences(starts, 1, whole=False) <= {(20260619, 0, 782)}
