"""Season: what the calendar says about the present instant, and what such instants have done before.

How it moves: entering a trading day writes the gamma cycle before and after its 16:00, and the day's
economic events from the user's own file; when a base bar closes, the return of the phase that has ended
joins the table weekday × phase, and the day's range joins the table of ranges by minute.
Source: domain §3, §12, §13.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.core.option_calendar import GAMMA_PHASES, GammaCycle, expiry_ns, gamma_cycle, is_cash_day
from mia_kernel.core.phases import PHASES
from mia_kernel.state.bars import NEVER, bar_at

WEEKDAYS, PHASE_COUNT = 5, len(PHASES)
RANGE_DAYS, MINUTES = 60, 1440
RANGE_ROWS = RANGE_DAYS + 1  # today's row is written beside the days it is held against
RANGE_MIN_DAYS = 20
SEASON_MIN = 30
EVENTS = 32
HIGH = 2
NONE_TODAY_MIN = 1440.0
MINUTE_NS = 60_000_000_000

CYCLE_DTYPE = np.dtype(
    [
        ("phase", np.int8),  # index into GAMMA_PHASES, −1 = unknown
        ("days_to_monthly", np.int16),
        ("days_since_monthly", np.int16),
        ("days_to_weekly", np.int16),
        ("weekly", np.uint8),
        ("zero_dte", np.uint8),
        ("quarterly", np.uint8),
        ("vix_expiry", np.uint8),
        ("am_settled_last_trade", np.uint8),
        ("confidence_factor", np.float64),
        ("size_factor", np.float64),
    ],
    align=True,
)

SEASON_DTYPE = np.dtype(
    [
        ("cycle", CYCLE_DTYPE, (2,)),  # before and after the day's expiry
        ("settles_ns", np.int64),  # NEVER on a day without one
        ("has_events", np.uint8),  # a calendar file was given and covers this day
        ("event_n", np.int32),
        ("event_ts", np.int64, (EVENTS,)),
        ("event_impact", np.int8, (EVENTS,)),  # 0 low, 1 medium, 2 high
        # returns by weekday and phase
        ("n", np.int32, (WEEKDAYS, PHASE_COUNT)),
        ("sum", np.float64, (WEEKDAYS, PHASE_COUNT)),
        ("squares", np.float64, (WEEKDAYS, PHASE_COUNT)),
        ("run_phase", np.int8),
        ("run_weekday", np.int8),
        ("run_day", np.int32),
        ("run_open", np.int32),
        ("run_close", np.int32),
        ("has_run", np.uint8),
        # session range by minute of the session
        ("range_at", np.int32, (RANGE_ROWS, MINUTES)),  # −1 = no bar
        ("days", np.int64),
        ("range_percentile", np.float64),  # 0-1, NaN = unknown
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` one that has seen no day."""
    record[...] = np.zeros((), SEASON_DTYPE)
    record["cycle"]["phase"] = -1
    record["settles_ns"] = NEVER
    record["range_at"] = -1
    record["range_percentile"] = np.nan


def enter_day(record: Any, session: Any, events: Any) -> None:
    """Write what the calendars say about a trading day.

    Parameters
    ----------
    record : SEASON_DTYPE record
    session : SESSION_DTYPE record
    events : ndarray of (ts, impact), or None where the user gave no calendar file
    """
    opened = int(session["open_ns"])
    day = int(session["trading_day"])
    settles = expiry_ns(day) if is_cash_day(day) else NEVER
    record["settles_ns"] = settles
    before = _cycle(record["cycle"][0], opened)
    after = settles if settles != NEVER else opened
    _cycle(record["cycle"][1], after if before is not None else opened)
    record["has_events"], record["event_n"] = events is not None, 0
    if events is not None:
        covered = (
            len(events) > 0 and events["ts"][0] <= int(session["close_ns"]) and opened <= events["ts"][-1]
        )
        record["has_events"] = covered
        today = events[(events["ts"] >= opened) & (events["ts"] < int(session["close_ns"]))][:EVENTS]
        record["event_n"] = len(today)
        record["event_ts"][: len(today)] = today["ts"]
        record["event_impact"][: len(today)] = today["impact"]


def _cycle(row: Any, ts: int) -> GammaCycle | None:
    found = gamma_cycle(ts)
    row["phase"] = GAMMA_PHASES.index(found.phase)
    row["days_to_monthly"], row["days_since_monthly"] = found.days_to_monthly, found.days_since_monthly
    row["days_to_weekly"] = found.days_to_weekly
    for name in ("weekly", "zero_dte", "quarterly", "vix_expiry", "am_settled_last_trade"):
        row[name] = getattr(found, name)
    row["confidence_factor"], row["size_factor"] = found.phase.confidence_factor, found.phase.size_factor
    return found


@kernel
def on_session(n: Record) -> None:
    """A new trading day starts a new row of ranges."""
    n["days"] += 1
    row = n["days"] % RANGE_ROWS
    for i in range(MINUTES):
        n["range_at"][row, i] = -1
    n["range_percentile"] = np.nan


@kernel
def on_base_close(s: Record) -> None:
    """Take one closed bar of the base timeframe."""
    n, t, row = s["season"], s["tf"][s["clock"]["base"]], s["session"]
    bar = bar_at(t, 0)
    phase = 0
    for k in range(row["phase_count"]):
        if bar["start"] >= row["phase_start_ns"][k]:
            phase = row["phase_code"][k]
    if n["has_run"] and (n["run_phase"] != phase or n["run_day"] != bar["day"]):
        _close_run(n)
    if not n["has_run"]:
        n["has_run"], n["run_phase"], n["run_day"] = 1, phase, bar["day"]
        n["run_weekday"], n["run_open"] = row["weekday"], bar["open"]
    n["run_close"] = bar["close"]
    _range(s, n, bar)


@kernel
def _close_run(n: Record) -> None:
    n["has_run"] = 0
    if n["run_open"] > 0 and n["run_close"] > 0 and 0 <= n["run_weekday"] < WEEKDAYS:
        r = math.log(n["run_close"] / n["run_open"])
        n["n"][n["run_weekday"], n["run_phase"]] += 1
        n["sum"][n["run_weekday"], n["run_phase"]] += r
        n["squares"][n["run_weekday"], n["run_phase"]] += r * r


@kernel
def _range(s: Record, n: Record, bar: Record) -> None:
    """Rank the session's range so far among those of the 60 sessions before at this minute (at least 20)."""
    slot = (bar["end"] - s["session"]["anchor_ns"]) // MINUTE_NS
    eth = s["profile"]["anchor"][0]
    if not 0 <= slot < MINUTES or not eth["has"]:
        return
    span, below, equal, known = eth["high"] - eth["low"], 0, 0, 0
    today = n["days"] % RANGE_ROWS
    for d in range(RANGE_ROWS):
        other = n["range_at"][d, slot]
        if d != today and other >= 0:
            known += 1
            below += 1 if other < span else 0
            equal += 1 if other == span else 0
    n["range_at"][today, slot] = span
    n["range_percentile"] = (below + 0.5 * equal) / known if known >= RANGE_MIN_DAYS else np.nan


@kernel
def high_impact_minutes(n: Record, ts: int) -> float:
    """Return the distance to the nearest high-impact event of the day in minutes.

    A day (1,440) where the day has none, NaN where no calendar covers it.
    """
    if not n["has_events"]:
        return np.nan
    nearest = NONE_TODAY_MIN
    for i in range(n["event_n"]):
        if n["event_impact"][i] == HIGH:
            nearest = min(nearest, abs(n["event_ts"][i] - ts) / MINUTE_NS)
    return nearest


@kernel
def seasonal(n: Record, weekday: int, phase: int) -> tuple[float, float, float]:
    """Return (mean log return in %, half width of its 95 % interval in %, n) of a weekday's phase.

    The mean and its interval are NaN under 30 such phases: no bias out of a handful of days.
    """
    if not 0 <= weekday < WEEKDAYS or phase < 0:
        return np.nan, np.nan, 0.0
    count = n["n"][weekday, phase]
    if count < SEASON_MIN:
        return np.nan, np.nan, float(count)
    mean = n["sum"][weekday, phase] / count
    variance = max(n["squares"][weekday, phase] / count - mean * mean, 0.0) * count / (count - 1.0)
    return 100.0 * mean, 196.0 * math.sqrt(variance / count), float(count)
