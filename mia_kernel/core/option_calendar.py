"""Cash-equity days, monthly expiries and the gamma cycle (domain §12), as pure functions.

How it moves: a day is a cash day unless the exchange calendar says the cash market is shut; an expiry is a
third Friday moved back to a cash day; everything else counts cash days between two dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.calendar_table import FIRST_DAY, LAST_DAY
from mia_kernel.core.errors import DataError
from mia_kernel.core.session import cash_close_minute, date_of, day_number, new_york_ns, trading_day_of

_FRIDAY = 4

# First SPXW expiry of each weekday (Monday first); Friday weeklies are older than the calendar.
_DAILY_SINCE = (20160815, 20220418, 20160223, 20220511, 0)


@dataclass(frozen=True, slots=True)
class GammaPhase:
    """One row of the gamma cycle: factors apply to confidence and size only where they are switched on."""

    name: str
    confidence_factor: float
    size_factor: float
    expected_volatility: str


POST_EXPIRY = GammaPhase("post_expiry", 1.05, 1.0, "low")
EXPIRY_WEEK = GammaPhase("expiry_week", 0.70, 0.8, "high")
GAMMA_PEAK = GammaPhase("gamma_peak", 1.30, 1.2, "moderate")
GAMMA_MODERATE = GammaPhase("gamma_moderate", 1.10, 1.0, "moderate")
NORMAL = GammaPhase("normal", 1.00, 1.0, "low")
GAMMA_PHASES = (POST_EXPIRY, EXPIRY_WEEK, GAMMA_PEAK, GAMMA_MODERATE, NORMAL)


@dataclass(frozen=True, slots=True)
class GammaCycle:
    """Where an instant stands between two monthly expiries; day counts are cash-equity days."""

    trading_day: int
    next_monthly: int
    days_to_monthly: int
    days_since_monthly: int
    days_to_weekly: int
    phase: GammaPhase
    weekly: bool
    zero_dte: bool
    quarterly: bool
    vix_expiry: bool
    am_settled_last_trade: bool


def is_cash_day(day: int) -> bool:
    """Tell whether the cash equity market opens on this day (yyyymmdd)."""
    return cash_close_minute(day) is not None


def cash_days_between(first: int, last: int) -> int:
    """Return the number of cash days d with first < d ≤ last; negative where last < first."""
    days = _cash_days()
    for day in (first, last):
        if not FIRST_DAY <= day <= LAST_DAY:
            raise DataError(
                "the exchange calendar does not know this date", value=day, rule=f"{FIRST_DAY} to {LAST_DAY}"
            )
    return int(np.searchsorted(days, last, side="right") - np.searchsorted(days, first, side="right"))


def third_friday(year: int, month: int) -> int:
    """Return the third Friday (yyyymmdd), holiday or not."""
    first = date(year, month, 1)
    return day_number(first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14))


@lru_cache(maxsize=512)
def monthly_expiry(year: int, month: int) -> int:
    """Return the monthly expiry (yyyymmdd): the third Friday, or the cash day before if the market is shut."""
    return _cash_day_at_or_before(date_of(third_friday(year, month)))


@lru_cache(maxsize=512)
def vix_expiry(year: int, month: int) -> int:
    """Return the VIX expiry of a month: 30 days before the next month's monthly, or the cash day before."""
    following = monthly_expiry(year + month // 12, month % 12 + 1)
    return _cash_day_at_or_before(date_of(following) - timedelta(days=30))


@lru_cache(maxsize=512)
def weekly_expiry(day: int) -> int:
    """Return the Friday expiry of the week of `day`: Friday, or the cash day before if the market is shut."""
    start = date_of(day)
    return _cash_day_at_or_before(start + timedelta(days=_FRIDAY - start.weekday()))


def expiry_ns(day: int) -> int:
    """Return the instant options of this expiry day settle: 16:00 New York, or the early cash close."""
    return new_york_ns(day, cash_close_minute(day) or 960)


def gamma_cycle(ts: int) -> GammaCycle:
    """Return the gamma cycle of an instant (ns UTC).

    The monthly passes at its 16:00 New York. Before the first and after the last monthly of the calendar it
    raises DataError. Source: domain §12.
    """
    day = trading_day_of(ts)
    settled = is_cash_day(day) and ts >= expiry_ns(day)
    return _cycle(day, settled)


@lru_cache(maxsize=1024)
def _cycle(day: int, settled: bool) -> GammaCycle:
    year, month = day // 10_000, day // 100 % 100
    this = monthly_expiry(year, month)
    passed = this < day or (this == day and settled)
    upcoming = monthly_expiry(year + month // 12, month % 12 + 1) if passed else this
    previous = this if passed else monthly_expiry(year - (month == 1), (month - 2) % 12 + 1)
    d, p = cash_days_between(day, upcoming), cash_days_between(previous, day)
    cash = is_cash_day(day)
    return GammaCycle(
        trading_day=day,
        next_monthly=upcoming,
        days_to_monthly=d,
        days_since_monthly=p,
        days_to_weekly=cash_days_between(day, _next_weekly(day, settled)),
        phase=gamma_phase(d, p),
        weekly=day == weekly_expiry(day) != this,
        zero_dte=cash and not settled and _has_daily_expiry(day),
        quarterly=day == this and month % 3 == 0,
        vix_expiry=day == vix_expiry(year, month),
        am_settled_last_trade=cash and not passed and this != day and cash_days_between(day, this) == 1,
    )


def gamma_phase(days_to_monthly: int, days_since_monthly: int) -> GammaPhase:
    """Return the phase; the first rule that holds, as in the table of domain §12."""
    if days_since_monthly <= 2 and days_to_monthly > 15:
        return POST_EXPIRY
    if days_to_monthly <= 2:
        return EXPIRY_WEEK
    if days_to_monthly <= 5:
        return GAMMA_PEAK
    if days_to_monthly <= 10:
        return GAMMA_MODERATE
    return NORMAL


def _next_weekly(day: int, settled: bool) -> int:
    """Next Friday expiry that is not a monthly, on or after the day."""
    start = date_of(day)
    for week in range(4):
        friday = weekly_expiry(day_number(start + timedelta(days=7 * week)))
        if friday < day or (friday == day and settled):
            continue
        if friday != monthly_expiry(friday // 10_000, friday // 100 % 100):
            return friday
    raise DataError("no weekly expiry found within four weeks", field="trading_day", value=day)


def _has_daily_expiry(day: int) -> bool:
    weekday = date_of(day).weekday()
    return day >= _DAILY_SINCE[weekday] or day == weekly_expiry(day)


def _cash_day_at_or_before(start: date) -> int:
    day = start
    while not is_cash_day(day_number(day)):
        day -= timedelta(days=1)
    return day_number(day)


@lru_cache(maxsize=1)
def _cash_days() -> NDArray[np.int32]:
    first, last = date_of(FIRST_DAY), date_of(LAST_DAY)
    every = (day_number(first + timedelta(days=i)) for i in range((last - first).days + 1))
    return np.array([day for day in every if is_cash_day(day)], np.int32)
