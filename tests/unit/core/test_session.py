"""Trading days, phases and boundaries, against the words of the domain reference."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mia_kernel.core import phases, session
from mia_kernel.core.errors import DataError
from mia_kernel.core.phases import PHASE_NAMES, PHASES

pytestmark = pytest.mark.unit

MINUTE = 60_000_000_000


def et(text: str) -> int:
    """ns UTC of a New York wall time."""
    return (
        round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9
    )


def test_trading_day_runs_from_18_to_17_new_york() -> None:
    row = session.session_row(20190809)
    assert row["open_ns"] == et("2019-08-08 18:00")
    assert row["close_ns"] == et("2019-08-09 17:00")
    assert (row["pause_start_ns"], row["pause_end_ns"]) == (et("2019-08-09 16:15"), et("2019-08-09 16:30"))
    assert (row["rth_open_ns"], row["rth_close_ns"]) == (et("2019-08-09 09:30"), et("2019-08-09 16:00"))
    assert row["ib_end_ns"] == et("2019-08-09 10:30")
    assert row["anchor_ns"] == row["open_ns"]
    assert row["weekday"] == 4


def test_sunday_evening_opens_monday() -> None:
    assert session.trading_day_of(et("2024-03-10 18:00")) == 20240311
    assert session.session_row(20240311)["previous_day"] == 20240308


def test_an_instant_after_the_close_belongs_to_the_day_that_ended() -> None:
    assert session.trading_day_of(et("2024-03-08 17:00")) == 20240308
    assert session.trading_day_of(et("2024-03-09 12:00")) == 20240308
    assert session.session_at(et("2024-03-08 17:00")) is None
    assert session.session_at(et("2024-03-08 16:59")) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [("2024-03-08", "2024-03-11"), ("2024-11-01", "2024-11-04"), ("2026-03-06", "2026-03-09")],
)
def test_dst_changes_move_utc_not_new_york(before: str, after: str) -> None:
    rows = [session.session_row(int(day.replace("-", ""))) for day in (before, after)]
    assert abs(int(rows[0]["utc_offset_s"]) - int(rows[1]["utc_offset_s"])) == 3600
    for row, day in zip(rows, (before, after), strict=True):
        assert row["rth_open_ns"] == et(f"{day} 09:30")
        assert row["close_ns"] == et(f"{day} 17:00")
    assert rows[1]["phase_code"][0] == phases.ASIA
    assert rows[0]["phase_code"][int(rows[0]["phase_count"]) - 1] == phases.WEEKEND


@pytest.mark.parametrize(
    ("wall", "name"),
    [
        ("18:00", "asia"),
        ("02:59", "asia"),
        ("03:00", "london"),
        ("07:59", "london"),
        ("08:00", "pre_market"),
        ("09:29", "pre_market"),
        ("09:30", "ny_open"),
        ("10:30", "morning"),
        ("12:00", "lunch"),
        ("13:30", "afternoon"),
        ("15:00", "power_hour"),
        ("16:00", "post"),
        ("16:59", "post"),
        ("17:00", "break"),
        ("17:59", "break"),
    ],
)
def test_phases_are_half_open(wall: str, name: str) -> None:
    day = "2024-03-12" if wall == "18:00" else "2024-03-13"
    assert PHASE_NAMES[session.phase_at(et(f"{day} {wall}"))] == name


def test_phase_table_is_the_one_of_the_domain_reference() -> None:
    told = {phase.name: (phase.size_multiplier, phase.minimum_confluence_percent) for phase in PHASES}
    assert told == {
        "asia": (0.5, 85.0),
        "london": (0.8, 85.0),
        "pre_market": (0.7, 85.0),
        "ny_open": (1.0, 75.0),
        "morning": (1.0, 70.0),
        "lunch": (0.6, 80.0),
        "afternoon": (1.0, 70.0),
        "power_hour": (0.7, 85.0),
        "post": (0.0, None),
        "break": (0.0, None),
        "weekend": (0.0, None),
        "holiday": (0.0, None),
    }
    assert [phase.code for phase in PHASES] == list(range(len(PHASES)))


def test_closed_times_have_names() -> None:
    assert PHASE_NAMES[session.phase_at(et("2024-03-09 12:00"))] == "weekend"
    assert PHASE_NAMES[session.phase_at(et("2024-05-27 13:00"))] == "holiday"  # Memorial Day
    assert PHASE_NAMES[session.phase_at(et("2024-12-25 12:00"))] == "holiday"
    assert PHASE_NAMES[session.phase_at(et("2019-08-09 16:20"))] == "break"  # the old pause


def test_early_close_shifts_power_hour_and_post() -> None:
    # Day after Thanksgiving: cash closes 13:00, futures 13:15.
    expected = [("11:59", "morning"), ("12:00", "power_hour"), ("12:59", "power_hour"), ("13:00", "post")]
    for wall, name in [*expected, ("13:14", "post"), ("13:15", "holiday")]:
        assert PHASE_NAMES[session.phase_at(et(f"2025-11-28 {wall}"))] == name
    row = session.session_row(20251128)
    assert row["rth_close_ns"] == et("2025-11-28 13:00")
    assert row["early_close"] == 1
    assert row["cash_holiday"] == 0


def test_cash_holiday_is_flagged_and_ends_at_13() -> None:
    row = session.session_row(20240527)
    assert row["cash_holiday"] == 1
    assert row["close_ns"] == row["rth_close_ns"] == et("2024-05-27 13:00")
    assert PHASE_NAMES[session.phase_at(et("2024-05-27 12:30"))] == "power_hour"


@pytest.mark.parametrize("day", [20181205, 20250109, 20210402, 20121029, 20121030])
def test_a_session_that_ends_before_the_open_has_no_rth(day: int) -> None:
    row = session.session_row(day)
    assert row["has_rth"] == 0
    assert row["rth_open_ns"] == row["rth_close_ns"] == row["close_ns"]
    assert row["early_close"] == 1
    assert phases.NY_OPEN not in row["phase_code"]
    assert session.phase_at(int(row["close_ns"])) == phases.HOLIDAY


@pytest.mark.parametrize("day", [20250418, 20240329, 20241225, 20250101, 20220415])
def test_closed_days_have_no_session(day: int) -> None:
    assert session.session_row(day) is None
    assert not session.is_trading_day(day)
    assert session.special_source(day) is not None


def test_rth_end_is_a_parameter() -> None:
    assert session.session_row(20240312, rth_end_minute=975)["rth_close_ns"] == et("2024-03-12 16:15")
    # a half day keeps the distance to the cash close, and never passes the futures close
    assert session.session_row(20251128, rth_end_minute=975)["rth_close_ns"] == et("2025-11-28 13:15")
    assert session.is_rth(et("2024-03-12 16:05"), rth_end_minute=975)
    assert not session.is_rth(et("2024-03-12 16:05"))
    with pytest.raises(DataError, match="RTH end"):
        session.sessions(rth_end_minute=300)


def test_hours_before_2012_and_before_2015() -> None:
    old, middle = session.session_row(20100302), session.session_row(20140305)
    assert (old["close_ns"], middle["close_ns"]) == (et("2010-03-02 17:30"), et("2014-03-05 17:15"))
    assert session.session_row(20100305)["close_ns"] == et("2010-03-05 16:15")  # a Friday then
    assert not session.is_open(et("2010-03-02 16:15"))
    assert session.is_open(et("2010-03-02 16:30"))


def test_no_pause_since_2021_06_28() -> None:
    assert not session.is_open(et("2021-06-25 16:20"))
    assert session.is_open(et("2021-06-28 16:20"))


@pytest.mark.parametrize("ts", [et("2007-12-31 12:00"), et("2028-01-03 12:00"), 0, -(2**63), 2**63 - 1])
def test_an_unknown_date_raises_and_is_never_normal(ts: int) -> None:
    for question in (session.session_at, session.phase_at, session.is_open, session.trading_day_of):
        with pytest.raises(DataError, match="does not know this date"):
            question(ts)
    with pytest.raises(DataError, match="20080101 to 20271231"):
        session.session_row(20280103)
    with pytest.raises(DataError):
        session.open_mask(np.array([ts], np.int64))


def test_next_boundary_walks_through_a_whole_day() -> None:
    walls = []
    ts = et("2019-08-08 18:00")
    while ts < et("2019-08-09 18:00"):
        ts = session.next_boundary(ts)
        walls.append(session.new_york_minute(ts))
    assert walls == [180, 480, 570, 630, 720, 810, 900, 960, 975, 990, 1020, 1080]


def test_next_boundary_from_a_friday_evening_is_sunday() -> None:
    assert session.next_boundary(et("2024-03-08 17:00")) == et("2024-03-10 18:00")


def test_sessions_between_takes_every_overlap() -> None:
    rows = session.sessions_between(et("2024-03-08 16:59"), et("2024-03-12 18:01"))
    assert rows["trading_day"].tolist() == [20240308, 20240311, 20240312, 20240313]
    assert len(session.sessions_between(et("2024-03-09 10:00"), et("2024-03-10 12:00"))) == 0
    with pytest.raises(ValueError, match="read-only"):
        rows["trading_day"][0] = 1


def test_vector_forms_agree_with_the_scalar_ones() -> None:
    stamps = np.arange(et("2024-12-23 00:00"), et("2025-01-12 00:00"), 17 * MINUTE)
    days, opened = session.trading_days_of(stamps), session.open_mask(stamps)
    for ts, day, is_open in zip(stamps.tolist(), days.tolist(), opened.tolist(), strict=True):
        assert session.trading_day_of(ts) == day
        assert session.is_open(ts) == is_open


def test_every_row_keeps_its_order() -> None:
    table = session.sessions()
    assert (np.diff(table["open_ns"]) > 0).all()
    assert (table["open_ns"][1:] >= table["close_ns"][:-1]).all()
    assert (np.diff(table["phase_start_ns"], axis=1) >= 0).all()
    for before, after in (
        ("anchor_ns", "open_ns"),
        ("open_ns", "rth_open_ns"),
        ("rth_open_ns", "rth_close_ns"),
        ("rth_close_ns", "close_ns"),
        ("pause_start_ns", "pause_end_ns"),
        ("pause_end_ns", "close_ns"),
        ("ib_end_ns", "close_ns"),
    ):
        assert (table[before] <= table[after]).all(), (before, after)
    assert (table["phase_start_ns"][:, 0] == table["open_ns"]).all()
    assert (table["phase_start_ns"][:, -1] == table["close_ns"]).all()
    assert (table["phase_count"] <= phases.PHASE_SLOTS).all()


def test_neighbours_and_counts() -> None:
    assert session.next_trading_day(20250417) == 20250421  # Good Friday between
    assert session.previous_trading_day(20250421) == 20250417
    assert session.trading_days_between(20240308, 20240312) == 2
    assert session.trading_days_between(20240312, 20240308) == -2


def test_interruptions_are_events_not_calendar() -> None:
    stops = session.interruptions()
    assert all(stop.start_ns < stop.end_ns for stop in stops)
    outage = stops[-1]
    assert outage.start_ns == et("2025-11-27 21:45")
    assert session.is_open(outage.start_ns)
