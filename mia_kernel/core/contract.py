"""Futures contracts: codes, expiry and the roll, as pure functions over daily volumes.

How it moves: a code names a product and a delivery month; the month gives the expiry (third Friday, or the
business day before it); the roll takes the next contract once its volume of a finished day was the larger,
at the latest on Monday of expiry week. Nothing here looks at a day that is not over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from mia_kernel.core.errors import DataError
from mia_kernel.core.instrument import INSTRUMENTS
from mia_kernel.core.option_calendar import monthly_expiry
from mia_kernel.core.session import date_of, day_number, is_trading_day, new_york_ns, next_trading_day
from mia_kernel.core.session import trading_days_between as _trading_days_between

MONTH_CODES = "FGHJKMNQUVXZ"
LAST_TRADE_MINUTE = 570
"""09:30 New York: the special opening quotation ends trading on expiry day."""

MIN_TRADING_DAYS_LEFT = 3
"""No new entry in a contract with fewer trading days left."""

_CODE = re.compile(r"^([A-Z]{2,3})([FGHJKMNQUVXZ])(\d{1,2}|\d{4})(?:[-_. ].*)?$")


@dataclass(frozen=True, slots=True, order=True)
class Contract:
    """One delivery month of a product; ordered by year and month within a symbol."""

    symbol: str
    year: int
    month: int

    @property
    def code(self) -> str:
        """The usual short name with a two-digit year: ESH24."""
        return f"{self.symbol}{MONTH_CODES[self.month - 1]}{self.year % 100:02}"

    def __str__(self) -> str:
        return self.code


def parse_contract(text: str, *, near_year: int | None = None) -> Contract:
    """Return the contract of a code such as `ESH24`, `ESU19`, `ESH4`, `ESU25_FUT_CME` or `ESM22-CME`.

    A one-digit year is the one nearest to `near_year` (within −4..+5 years), the year of the data.

    Raises
    ------
    DataError
        If the text is no code of a known product and its months, or a one-digit year has no `near_year`.
    """
    found = _CODE.match(text.strip().upper())
    symbol = found.group(1) if found else ""
    if found is None or symbol not in INSTRUMENTS or found.group(2) not in INSTRUMENTS[symbol].months:
        raise DataError(
            "not a futures contract code",
            field="contract",
            value=text,
            rule="product, month letter H M U Z, year: ESH24",
            way_out="name the contract or symbol with --symbol",
        )
    month, digits = MONTH_CODES.index(found.group(2)) + 1, found.group(3)
    return Contract(symbol, _year(text, digits, near_year), month)


def _year(text: str, digits: str, near_year: int | None) -> int:
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return 2000 + int(digits)
    if near_year is None:
        raise DataError(
            "the contract year has one digit and nothing says which decade",
            field="contract",
            value=text,
            rule="two digits, or data whose year is known",
            way_out="write the year with two digits: ESH24",
        )
    first = near_year - 4
    return first + (int(digits) - first) % 10


def next_contract(contract: Contract) -> Contract:
    """Return the following delivery month of the same product."""
    months = [MONTH_CODES.index(letter) + 1 for letter in INSTRUMENTS[contract.symbol].months]
    at = months.index(contract.month) + 1
    year = contract.year + at // len(months)
    return Contract(contract.symbol, year, months[at % len(months)])


def expiry_day(contract: Contract) -> int:
    """Return the day of final settlement: the third Friday, or the business day before if it is a holiday."""
    return monthly_expiry(contract.year, contract.month)


def last_trade_ns(contract: Contract) -> int:
    """Return the instant trading ends: 09:30 New York on expiry day."""
    return new_york_ns(expiry_day(contract), LAST_TRADE_MINUTE)


def trading_days_left(contract: Contract, day: int) -> int:
    """Return how many trading days follow `day` up to and with expiry day; 0 on it, negative after it."""
    return _trading_days_between(day, expiry_day(contract))


def may_enter(contract: Contract, day: int) -> bool:
    """Tell whether a new position may be opened in the contract on this trading day."""
    return trading_days_left(contract, day) >= MIN_TRADING_DAYS_LEFT


def forced_roll_day(contract: Contract) -> int:
    """Return the trading day from which the next contract is front whatever the volumes: Monday of expiry week."""
    expiry = date_of(expiry_day(contract))
    monday = day_number(expiry - timedelta(days=expiry.weekday()))
    return monday if is_trading_day(monday) else next_trading_day(monday)


def calendar_front(symbol: str, day: int) -> Contract:
    """Return the front contract by the calendar alone: the first whose forced roll day has not come."""
    year = day // 10_000
    months = [MONTH_CODES.index(letter) + 1 for letter in INSTRUMENTS[symbol].months]
    contract = Contract(symbol, year, months[0])
    while forced_roll_day(contract) <= day:
        contract = next_contract(contract)
    return contract


def front_contracts(daily_volume: Mapping[int, Mapping[Contract, int]]) -> dict[int, Contract]:
    """Return the front contract of each day, by the roll rule.

    Parameters
    ----------
    daily_volume : mapping of trading day (yyyymmdd) to {contract: contracts traded that day}
        One product. A contract that did not trade may be left out.

    Returns
    -------
    dict
        For every day of the input. The next contract is front on the day after its volume exceeded the
        front's, at the latest on Monday of expiry week; the front never goes back. A day on which the due
        contract is not in the data keeps the nearest later one that is. Days without any contract that
        could be front are left out.
    """
    front: Contract | None = None
    pending: Contract | None = None
    chosen: dict[int, Contract] = {}
    for day in sorted(daily_volume):
        volumes = {c: v for c, v in daily_volume[day].items() if v > 0 and day < forced_roll_day(c)}
        due = pending or front
        pending = None
        candidates = [c for c in volumes if due is None or c >= due]
        if not candidates:
            continue
        front = min(candidates)
        chosen[day] = front
        later = _later(volumes, front)
        if later is not None and volumes[later] > volumes[front]:
            pending = later
    return chosen


def _later(volumes: Mapping[Contract, int], front: Contract) -> Contract | None:
    later = [c for c in volumes if c > front]
    return max(later, key=lambda c: (volumes[c], -c.year * 12 - c.month)) if later else None


def rolls(front: Mapping[int, Contract]) -> list[tuple[int, Contract, Contract]]:
    """Return (first day of the new contract, old, new) for every change in a `front_contracts` result."""
    days: Iterable[int] = sorted(front)
    found: list[tuple[int, Contract, Contract]] = []
    old: Contract | None = None
    for day in days:
        if old is not None and front[day] != old:
            found.append((day, old, front[day]))
        old = front[day]
    return found
