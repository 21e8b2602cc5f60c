"""The committed table against the libraries: in step with the script, and every difference has a reason."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from mia_kernel.core import session
from mia_kernel.core.calendar_table import FIRST_DAY, LAST_DAY, SOURCES, SPECIAL_DAYS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
MOURNING = {20181205, 20250109}
GOOD_FRIDAY_CLOSED = {20240329, 20250418, 20270326}
SANDY = {20121029, 20121030}


def closes() -> dict[int, int]:
    return {
        int(row["trading_day"]): session.new_york_minute(int(row["close_ns"])) for row in session.sessions()
    }


def explain(day: int, library: int | None, ours: int | None) -> str | None:
    """The reason a close (minute of day, None = closed) differs from pandas_market_calendars, or None."""
    if day in MOURNING and library is None and ours == 570:
        return "day of mourning: traded until 09:30"
    if day in GOOD_FRIDAY_CLOSED and library == 555 and ours is None:
        return "Good Friday without employment report: closed"
    if day in SANDY and ours == 555:
        return "hurricane Sandy"
    if day <= 20140217 and (library, ours) == (780, 690):
        return "holiday hours were 11:30 then"
    if (library, ours) == (780, 795):
        return "half days end 13:15"
    if day < 20121119 and library in (780, 975) and ours == 1050:
        return "the library counts 16:30-17:30 to the next day"
    if 20121119 <= day < 20150921 and (library, ours) == (1020, 1035):
        return "the day ended 17:15 until 2015-09-18"
    return None


def test_differences_from_pandas_market_calendars_are_explained() -> None:
    library = pytest.importorskip("pandas_market_calendars")
    schedule = library.get_calendar("CME_Equity").schedule("2008-01-01", "2027-12-31", tz="America/New_York")
    theirs = {
        int(day.strftime("%Y%m%d")): close.hour * 60 + close.minute
        for day, close in zip(schedule.index, schedule["market_close"], strict=True)
    }
    ours = closes()
    different = [day for day in ours.keys() | theirs.keys() if ours.get(day) != theirs.get(day)]
    assert len(different) > 1000
    assert [day for day in different if explain(day, theirs.get(day), ours.get(day)) is None] == []


def test_differences_from_exchange_calendars_are_explained() -> None:
    library = pytest.importorskip("exchange_calendars")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the library still uses Series.values of pandas 2
        days = library.get_calendar("CMES", start="2008-01-01", end="2026-06-30").sessions
    theirs = {int(day.strftime("%Y%m%d")) for day in days}
    ours = {day for day in closes() if day <= 20260630}
    assert theirs <= ours
    # short sessions it drops: Good Fridays with the employment report and the days of mourning
    assert ours - theirs == MOURNING | {20100402, 20120406, 20150403, 20210402, 20230407, 20260403}


def test_the_table_is_what_the_script_makes() -> None:
    pytest.importorskip("pandas_market_calendars")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_calendar.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_special_day_has_a_source_and_lies_in_the_table() -> None:
    for day, (_, _, source) in SPECIAL_DAYS.items():
        assert FIRST_DAY <= day <= LAST_DAY
        assert SOURCES[source]
