"""One row per session of 2008-2027, in absolute ns UTC, so nobody below needs a time zone.

How it moves: `calendar_table.py` gives the hours of special days and of normal weeks; days with the same
hours share one plan in minutes of the New York day; the rows are those plans shifted to each date. The
table is built once per process and RTH end (a few ms) and is read-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.calendar_table import FIRST_DAY, LAST_DAY, REGULAR, SPECIAL_DAYS
from mia_kernel.core.errors import DataError
from mia_kernel.core.phases import BREAK, HOLIDAY, PHASE_SLOTS, WEEKEND, phase_plan

NEW_YORK = ZoneInfo("America/New_York")
MINUTE_NS = 60_000_000_000
RTH_END_MINUTE = 960
"""16:00 New York; 16:15 is also in use, so it is an argument everywhere."""

EVENING_MINUTE, RTH_OPEN_MINUTE, IB_END_MINUTE = -360, 570, 630
_CASH_CLOSE, _DAY_END = 960, 1020
FRIDAY, SATURDAY = 4, 5

SESSION_DTYPE = np.dtype(
    [
        ("trading_day", np.int32),  # yyyymmdd
        ("previous_day", np.int32),  # trading day before, 0 at the table's edge
        ("next_day", np.int32),  # trading day after, 0 at the table's edge
        ("utc_offset_s", np.int32),  # New York − UTC, constant within a session
        ("anchor_ns", np.int64),  # 18:00 New York of the evening before: bars and VWAP are aligned to it
        ("open_ns", np.int64),
        ("close_ns", np.int64),
        (
            "pause_start_ns",
            np.int64,
        ),  # no trading in [pause_start, pause_end); both = close where there is none
        ("pause_end_ns", np.int64),
        ("rth_open_ns", np.int64),  # 09:30; = close where the session ends before
        ("rth_close_ns", np.int64),  # RTH end or early close; = rth_open where there is no RTH
        ("ib_end_ns", np.int64),  # 10:30: end of the initial balance; = close where the session ends before
        ("next_open_ns", np.int64),  # open of the next session, 0 at the table's edge
        (
            "phase_start_ns",
            np.int64,
            (PHASE_SLOTS,),
        ),  # ascending; the last is the close; unused slots repeat it
        ("phase_code", np.int8, (PHASE_SLOTS,)),  # codes of core.phases; unused slots repeat the last
        ("phase_count", np.int8),  # used slots
        ("weekday", np.int8),  # 0 = Monday
        ("has_rth", np.int8),
        ("cash_holiday", np.int8),  # the cash market is shut: a thin session, no reference for the next day
        ("early_close", np.int8),
    ],
    align=True,
)

SessionRow = Any
"""One row of SESSION_DTYPE (`row["close_ns"]`), read-only."""
SessionArray = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of one trading day in minutes of its New York date; a negative open lies on the evening before."""

    open_minute: int
    close_minute: int
    pause: tuple[int, int] | None
    cash_close_minute: int | None  # None = cash market shut all day
    early: bool


def date_of(day: int) -> date:
    """Return the date of yyyymmdd."""
    return date(day // 10_000, day // 100 % 100, day % 100)


def day_number(day: date) -> int:
    """Return yyyymmdd of a date."""
    return day.year * 10_000 + day.month * 100 + day.day


def minute_of(text: str) -> int:
    """Return minutes after midnight of "HH:MM"."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=256)
def _parse(text: str, regular: str, cash: str) -> Hours:
    times = [minute_of(part) for part in (regular if text == "regular" else text).split()]
    usual = [minute_of(part) for part in regular.split()]
    opened = times[0] - 1440 if times[0] >= 1080 else times[0]
    pause = (times[1], times[2]) if len(times) == 4 else None
    early = times[-1] < usual[-1] or (pause is not None and pause[0] < usual[1])
    return Hours(opened, times[-1], pause, None if cash == "closed" else minute_of(cash), early)


def hours_of(day: int, weekday: int) -> Hours | None:
    """Return the hours of a weekday (yyyymmdd inside the table), None where the exchange is closed."""
    text, cash, _ = SPECIAL_DAYS.get(day, ("regular", "16:00", 0))
    if text == "closed":
        return None
    regular = next(row for row in reversed(REGULAR) if row[0] <= day)
    return _parse(text, regular[2] if weekday == FRIDAY else regular[1], cash)


def _plan(hours: Hours, rth_end_minute: int) -> SessionRow:
    """Return a row whose times are minutes of the New York day."""
    row = np.zeros(1, SESSION_DTYPE)[0]
    close = hours.close_minute
    # An early close ends RTH for everybody; a later RTH end (16:15) keeps its distance from the cash close.
    trading_end = hours.pause[0] if hours.early and hours.pause is not None else close
    cash_close = min(hours.cash_close_minute or trading_end, trading_end)
    rth_open = min(RTH_OPEN_MINUTE, close)
    rth_close = min(rth_end_minute, trading_end, cash_close + max(0, rth_end_minute - _CASH_CLOSE))
    row["anchor_ns"], row["open_ns"], row["close_ns"] = EVENING_MINUTE, hours.open_minute, close
    row["pause_start_ns"], row["pause_end_ns"] = hours.pause or (close, close)
    row["rth_open_ns"], row["rth_close_ns"] = rth_open, max(rth_close, rth_open)
    row["ib_end_ns"] = min(IB_END_MINUTE, close)
    row["has_rth"] = rth_close > RTH_OPEN_MINUTE
    row["cash_holiday"] = hours.cash_close_minute is None
    row["early_close"] = hours.early
    plan = phase_plan(
        open_minute=hours.open_minute,
        close_minute=close,
        cash_close_minute=min(cash_close, _CASH_CLOSE),
        pause=hours.pause,
        closed_code=BREAK,
    )
    row["phase_count"] = len(plan)
    slots = plan + plan[-1:] * (PHASE_SLOTS - len(plan))
    row["phase_start_ns"], row["phase_code"] = [at for at, _ in slots], [code for _, code in slots]
    return row


def _trading_days() -> Iterator[tuple[int, int, int, Hours]]:
    """Yield (yyyymmdd, weekday, UTC offset in seconds, hours) of every session."""
    day, last = date_of(FIRST_DAY), date_of(LAST_DAY)
    while day <= last:
        number, weekday = day_number(day), day.weekday()
        hours = hours_of(number, weekday) if weekday < SATURDAY else None
        if hours is not None:
            # No DST change falls into a session, so the offset at noon holds for all of it.
            offset = datetime(day.year, day.month, day.day, 12, tzinfo=NEW_YORK).utcoffset() or timedelta(0)
            yield number, weekday, offset.days * 86_400 + offset.seconds, hours
        day += timedelta(days=1)


@lru_cache(maxsize=4)
def session_table(rth_end_minute: int) -> SessionArray:
    """Return every session of the calendar, ascending, read-only.

    Raises
    ------
    DataError
        If the RTH end does not lie in (09:30, 17:00].
    """
    if not RTH_OPEN_MINUTE < rth_end_minute <= _DAY_END:
        raise DataError(
            "the RTH end must lie after 09:30 and not after 17:00",
            field="rth_end_minute",
            value=rth_end_minute,
        )
    days = list(_trading_days())
    distinct = list(dict.fromkeys(hours for *_, hours in days))
    plans = np.array([_plan(hours, rth_end_minute) for hours in distinct], SESSION_DTYPE)
    position = {hours: i for i, hours in enumerate(distinct)}
    table = plans[[position[hours] for *_, hours in days]]
    table["trading_day"] = [day for day, *_ in days]
    table["weekday"] = [weekday for _, weekday, *_ in days]
    table["utc_offset_s"] = [offset for _, _, offset, _ in days]
    date_text = [f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}" for day, *_ in days]
    midnight_s = np.array(date_text, "datetime64[s]").astype(np.int64) - table["utc_offset_s"]
    for name in SESSION_DTYPE.names or ():
        if name.endswith("_ns"):
            column = table[name]
            column *= MINUTE_NS
            column += (midnight_s * 1_000_000_000).reshape((-1,) + (1,) * (column.ndim - 1))
    table["previous_day"][1:] = table["trading_day"][:-1]
    table["next_day"][:-1] = table["trading_day"][1:]
    table["next_open_ns"] = 0
    table["next_open_ns"][:-1] = table["open_ns"][1:]
    _name_closed_times(table)
    table.flags.writeable = False
    return table


def _name_closed_times(table: SessionArray) -> None:
    """Name what follows each close: break (an evening), weekend (from Friday to Sunday), else holiday."""
    next_evening = table["anchor_ns"] + 24 * 60 * MINUTE_NS
    friday = table["weekday"] == FRIDAY
    expected_open = np.where(friday, next_evening + 2 * 24 * 60 * MINUTE_NS, next_evening)
    # The two Sundays of a DST change shift Sunday's opening by an hour of UTC.
    usual = np.abs(table["next_open_ns"] - expected_open) <= 60 * MINUTE_NS
    usual[-1] = True
    code = np.where(friday, WEEKEND, BREAK)
    code[~usual | (table["early_close"] == 1)] = HOLIDAY
    closed = np.arange(PHASE_SLOTS) >= table["phase_count"][:, None] - 1
    table["phase_code"][...] = np.where(closed, code[:, None], table["phase_code"])
