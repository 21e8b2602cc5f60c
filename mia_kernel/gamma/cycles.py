"""Say where a day stands in the option calendar: overlays, and how much gamma the next expiry takes with it.

How it moves: the phase every component uses is `core.option_calendar.gamma_cycle`; this adds what is for display
and study: the finer phases in cash days to the monthly, month and quarter ends, witching, and from a book the
share of gross gamma that the next expiry holds. No factor is applied here. Source: options reference §6.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mia_kernel.core.option_calendar import GammaCycle, gamma_cycle, is_cash_day
from mia_kernel.core.session import date_of, day_number

_BUILD, _WEEK, _PEAK, _DECAY = 10, 5, 2, 5


@dataclass(frozen=True, slots=True)
class Overlay:
    """The cycle of an instant with what only screens and studies use."""

    cycle: GammaCycle
    stage: str
    month_end: bool
    quarter_end: bool


def overlay_at(ts: int) -> Overlay:
    """Return the overlay of an instant (ns UTC); raises DataError outside the calendar."""
    cycle = gamma_cycle(ts)
    day = cycle.trading_day
    month_end = is_cash_day(day) and _next_cash_day(day) // 100 != day // 100
    quarter = month_end and day // 100 % 100 % 3 == 0
    return Overlay(cycle, stage_of(cycle.days_to_monthly, cycle.days_since_monthly), month_end, quarter)


def stage_of(days_to_monthly: int, days_since_monthly: int) -> str:
    """Return the stage between two monthly expiries; the first rule that holds.

    `expiry_day` n = 0, `gamma_peak` n ≤ 2, `expiry_week` n ≤ 5, `decay` p ≤ 5 after the last one, `build` n ≤ 10,
    `accumulation` above.
    """
    if days_to_monthly == 0:
        return "expiry_day"
    if days_to_monthly <= _PEAK:
        return "gamma_peak"
    if days_to_monthly <= _WEEK:
        return "expiry_week"
    if days_since_monthly <= _DECAY:
        return "decay"
    return "build" if days_to_monthly <= _BUILD else "accumulation"


def _next_cash_day(day: int) -> int:
    following = date_of(day) + timedelta(days=1)
    while not is_cash_day(day_number(following)):
        following += timedelta(days=1)
    return day_number(following)
