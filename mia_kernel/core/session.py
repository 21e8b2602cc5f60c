"""The exchange calendar as pure functions: trading days, hours, phases, closed times.

How it moves: `calendar_table.py` says which days are special, `session_table.py` turns every trading day of
2008-2027 into one row of `SESSION_DTYPE` (absolute ns UTC, so nobody below needs a time zone), and every
question here is a binary search in that table. The compiled state holds a copy of the current row.

Trading day D runs from 18:00 New York of the evening before to the close on D; an instant between a close
and the next open belongs to the day that has ended. A date outside the table raises: unknown is not normal.

Before 2012-11-19 CME counted the hour 16:30-17:30 to the next trade date; here it stays with the calendar
day it is on, as every later session does, so a row has one open, one close and at most one pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.calendar_table import FIRST_DAY, INTERRUPTIONS, LAST_DAY, SOURCES, SPECIAL_DAYS
from mia_kernel.core.errors import DataError
from mia_kernel.core.phases import HOLIDAY
from mia_kernel.core.session_table import (
    EVENING_MINUTE,
    MINUTE_NS,
    NEW_YORK,
    RTH_END_MINUTE,
    SATURDAY,
    SESSION_DTYPE,
    SessionArray,
    SessionRow,
    date_of,
    day_number,
    minute_of,
    session_table,
)

__all__ = [
    "MINUTE_NS",
    "NEW_YORK",
    "RTH_END_MINUTE",
    "SESSION_DTYPE",
    "Interruption",
    "SessionArray",
    "SessionRow",
    "cash_close_minute",
    "date_of",
    "day_number",
    "interruptions",
    "is_open",
    "is_rth",
    "is_trading_day",
    "new_york_minute",
    "new_york_ns",
    "next_boundary",
    "next_trading_day",
    "open_mask",
    "phase_at",
    "previous_trading_day",
    "session_at",
    "session_row",
    "sessions",
    "sessions_between",
    "special_source",
    "trading_day_of",
    "trading_days_between",
    "trading_days_of",
]


@dataclass(frozen=True, slots=True)
class Interruption:
    """A real stop inside scheduled hours: [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    what: str


def sessions(*, rth_end_minute: int = RTH_END_MINUTE) -> SessionArray:
    """Return every session of the calendar, ascending, read-only."""
    return session_table(rth_end_minute)


def session_row(day: int, *, rth_end_minute: int = RTH_END_MINUTE) -> SessionRow | None:
    """Return the session of a trading day (yyyymmdd), None where the exchange is closed that day.

    Raises
    ------
    DataError
        If the day lies outside the calendar. Nothing may be armed on it.
    """
    _require_known(day)
    table = session_table(rth_end_minute)
    at = int(np.searchsorted(table["trading_day"], day))
    return table[at] if at < len(table) and int(table["trading_day"][at]) == day else None


def session_at(ts: int, *, rth_end_minute: int = RTH_END_MINUTE) -> SessionRow | None:
    """Return the session whose [open, close) holds the instant, None while the market is closed.

    The pause inside a session belongs to it; `is_open` tells the difference.
    """
    row = _latest(ts, rth_end_minute)
    return row if row is not None and ts < int(row["close_ns"]) else None


def sessions_between(start_ns: int, end_ns: int, *, rth_end_minute: int = RTH_END_MINUTE) -> SessionArray:
    """Return the sessions that overlap [start_ns, end_ns), ascending; raises outside the calendar."""
    _require_instant(start_ns)
    _require_instant(max(start_ns, end_ns - 1))
    table = session_table(rth_end_minute)
    first = int(np.searchsorted(_closes(), start_ns, side="right"))
    last = int(np.searchsorted(_opens(), end_ns, side="left"))
    return table[first : max(first, last)]


def phase_at(ts: int) -> int:
    """Return the phase code of an instant (core.phases); closed times have phases too."""
    row = _latest(ts, RTH_END_MINUTE)
    if row is None:
        return HOLIDAY
    at = int(np.searchsorted(row["phase_start_ns"][: row["phase_count"]], ts, side="right"))
    return int(row["phase_code"][at - 1])


def is_open(ts: int) -> bool:
    """Tell whether the exchange trades at this instant: inside a session and not in its pause."""
    row = session_at(ts)
    return row is not None and not row["pause_start_ns"] <= ts < row["pause_end_ns"]


def is_rth(ts: int, *, rth_end_minute: int = RTH_END_MINUTE) -> bool:
    """Tell whether the instant lies in regular trading hours."""
    row = session_at(ts, rth_end_minute=rth_end_minute)
    return row is not None and bool(row["rth_open_ns"] <= ts < row["rth_close_ns"])


def open_mask(ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for many instants at once whether the exchange trades; raises outside the calendar."""
    if len(ts) == 0:
        return np.zeros(0, np.bool_)
    _require_instant(int(ts.min()))
    _require_instant(int(ts.max()))
    return (_places(_edges(), ts) & 1).astype(np.bool_)


def trading_day_of(ts: int) -> int:
    """Return the trading day (yyyymmdd) of an instant; after a close it is the day that has ended."""
    row = _latest(ts, RTH_END_MINUTE)
    if row is None:
        raise _unknown(ts)
    return int(row["trading_day"])


def trading_days_of(ts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the trading day of many instants at once; the same rule as `trading_day_of`."""
    if len(ts) == 0:
        return np.zeros(0, np.int32)
    _require_instant(int(ts.min()))
    _require_instant(int(ts.max()))
    at = _places(_opens(), ts) - 1
    if int(at.min()) < 0:
        raise _unknown(int(ts.min()))
    return _days()[at]


def next_boundary(ts: int, *, rth_end_minute: int = RTH_END_MINUTE) -> int:
    """Return the first boundary after an instant: open, close, pause, phase, RTH or initial balance.

    Slices are cut there, so a change of phase never depends on how events were grouped.
    """
    row = _latest(ts, rth_end_minute)
    if row is None:
        return int(_opens()[0])
    later = [t for t in _boundaries(int(row["trading_day"]), rth_end_minute) if t > ts]
    if not later:
        raise _unknown(ts)
    return later[0]


def is_trading_day(day: int) -> bool:
    """Tell whether the futures have a session on this day (yyyymmdd); raises outside the calendar."""
    return session_row(day) is not None


def next_trading_day(day: int) -> int:
    """Return the first trading day after a date (yyyymmdd)."""
    return _neighbour(day, +1)


def previous_trading_day(day: int) -> int:
    """Return the last trading day before a date (yyyymmdd)."""
    return _neighbour(day, -1)


def trading_days_between(first: int, last: int) -> int:
    """Return the number of trading days d with first < d ≤ last; negative where last < first."""
    days = session_table(RTH_END_MINUTE)["trading_day"]
    _require_known(first)
    _require_known(last)
    return int(np.searchsorted(days, last, side="right") - np.searchsorted(days, first, side="right"))


def cash_close_minute(day: int) -> int | None:
    """Return the cash-equity close in minutes of the day (960 or 780), None where the cash market is shut."""
    _require_known(day)
    if date_of(day).weekday() >= SATURDAY:
        return None
    close = SPECIAL_DAYS[day][1] if day in SPECIAL_DAYS else "16:00"
    return None if close == "closed" else minute_of(close)


def special_source(day: int) -> str | None:
    """Return where the hours of a special day were seen, None for a normal day."""
    return SOURCES[SPECIAL_DAYS[day][2]] if day in SPECIAL_DAYS else None


@lru_cache(maxsize=1)
def interruptions() -> tuple[Interruption, ...]:
    """Return the known stops inside scheduled hours (outages, market-wide halts), ascending."""
    return tuple(Interruption(_wall(a), _wall(b), what) for a, b, what in INTERRUPTIONS)


def new_york_ns(day: int, minute: float) -> int:
    """Return the instant (ns UTC) of a New York wall time: `minute` of the date `day`, negative = evening before."""
    midnight = datetime.combine(date_of(day), datetime.min.time())
    wall = midnight + timedelta(seconds=round(minute * 60))
    return round(wall.replace(tzinfo=NEW_YORK).timestamp()) * 1_000_000_000


def new_york_minute(ts: int) -> int:
    """Return the minute of the New York day (0..1439) that holds an instant."""
    local = datetime.fromtimestamp(ts // 1_000_000_000, NEW_YORK)
    return local.hour * 60 + local.minute


def _wall(text: str) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
    return round(local.timestamp()) * 1_000_000_000


@lru_cache(maxsize=1)
def _opens() -> NDArray[np.int64]:
    return np.ascontiguousarray(session_table(RTH_END_MINUTE)["open_ns"])


@lru_cache(maxsize=1)
def _days() -> NDArray[np.int32]:
    return np.ascontiguousarray(session_table(RTH_END_MINUTE)["trading_day"])


@lru_cache(maxsize=1)
def _edges() -> NDArray[np.int64]:
    """Return every instant at which the market opens (even places) or closes, pauses too, ascending."""
    table = session_table(RTH_END_MINUTE)
    paused = table[table["pause_end_ns"] > table["pause_start_ns"]]
    return np.sort(
        np.r_[table["open_ns"], table["close_ns"], paused["pause_start_ns"], paused["pause_end_ns"]]
    )


def _places(edges: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many edges lie at or before each instant; instants in order are cut at the few edges among them."""
    if len(ts) < 64 or bool((ts[1:] < ts[:-1]).any()):
        return np.searchsorted(edges, ts, side="right").astype(np.int64)
    first = int(np.searchsorted(edges, int(ts[0]), side="right"))
    last = int(np.searchsorted(edges, int(ts[-1]), side="right"))
    cuts = np.searchsorted(ts, edges[first:last], side="left")
    bounds = np.concatenate([np.zeros(1, np.int64), cuts, np.full(1, len(ts), np.int64)])
    return np.repeat(np.arange(first, last + 1), np.diff(bounds))


@lru_cache(maxsize=1)
def _closes() -> NDArray[np.int64]:
    return np.ascontiguousarray(session_table(RTH_END_MINUTE)["close_ns"])


@lru_cache(maxsize=1)
def _coverage() -> tuple[int, int]:
    """First and one past the last instant the calendar knows: 18:00 to 18:00 New York."""
    return new_york_ns(FIRST_DAY, EVENING_MINUTE), new_york_ns(LAST_DAY, 18 * 60)


@lru_cache(maxsize=64)
def _boundaries(day: int, rth_end_minute: int) -> tuple[int, ...]:
    row = session_row(day, rth_end_minute=rth_end_minute)
    names = (
        "open_ns",
        "close_ns",
        "pause_start_ns",
        "pause_end_ns",
        "rth_open_ns",
        "rth_close_ns",
        "ib_end_ns",
    )
    found = {int(row[name]) for name in names} if row is not None else set[int]()
    if row is not None:
        found |= {int(t) for t in row["phase_start_ns"]} | {int(row["next_open_ns"])}
    return tuple(sorted(found - {0}))


def _latest(ts: int, rth_end_minute: int) -> SessionRow | None:
    """Return the last session opened at or before `ts`; None before the first one of the table."""
    _require_instant(ts)
    at = int(np.searchsorted(_opens(), ts, side="right")) - 1
    return session_table(rth_end_minute)[at] if at >= 0 else None


def _neighbour(day: int, step: int) -> int:
    _require_known(day)
    days = session_table(RTH_END_MINUTE)["trading_day"]
    at = int(np.searchsorted(days, day, side="right" if step > 0 else "left"))
    at = at if step > 0 else at - 1
    if not 0 <= at < len(days):
        raise _unknown_day(day)
    return int(days[at])


def _require_known(day: int) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _unknown_day(day)


def _require_instant(ts: int) -> None:
    start, end = _coverage()
    if not start <= ts < end:
        raise _unknown(ts)


def _unknown_day(day: int) -> DataError:
    return DataError(
        "the exchange calendar does not know this date",
        field="trading_day",
        value=day,
        rule=f"{FIRST_DAY} to {LAST_DAY}; an unknown date is never taken for a normal one",
        way_out="check the date, or extend the table with scripts/make_calendar.py",
    )


def _unknown(ts: int) -> DataError:
    day = datetime.fromtimestamp(ts // 1_000_000_000, UTC) if abs(ts) < 2**62 else None
    return _unknown_day(day_number(day.date()) if day else ts)
