"""A SYNTHETIC SPX chain for a SYNTHETIC market: expiries of the calendar, a smile, open interest by rule.

Nothing in it is measured. Volatility is the VIX's at the money, higher for low strikes, a little lower for
later expiries; open interest is larger near the money and at round strikes, the same for the same day.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.core.option_calendar import is_cash_day, monthly_expiry
from mia_kernel.core.session import next_trading_day
from mia_kernel.gamma.chain import NS_PER_YEAR, Chain, make_chain, settlement_ns
from mia_kernel.gamma.greeks import black

DAILY, MONTHLY = 5, 3
RATE = 0.03
"""Carry of the forward over spot, a year: rate less dividends."""
DISCOUNT_RATE = 0.045
_SPAN, _NEAR_SPAN = 0.10, 0.03
_SKEW, _FLOOR = 1.6, 0.05
_MOST_OI = 12_000


def synthetic_chain(day: int, now_ns: int, spot: float, vix: float | None) -> Chain:
    """Return the SYNTHETIC chain of a trading day.

    Parameters
    ----------
    day : int
        Trading day (yyyymmdd).
    now_ns : int
        Its instant; what has settled by then is not in it.
    spot : float
        SPX in points.
    vix : float or None
        Level of volatility in percent; without one 16.
    """
    parts = [_expiry(expiry, am, now_ns, spot, (vix or 16.0) / 100) for expiry, am in _expiries(day, now_ns)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    roots = columns.pop("root")
    return make_chain(columns, roots, as_of=now_ns, spot=spot, underlying="SPX", source=f"SYNTHETIC chain of {day}",
                      kind="synthetic", notes=("SYNTHETIC",))  # fmt: skip


def _expiries(day: int, now_ns: int) -> list[tuple[int, bool]]:
    """Return (expiry, AM settled): the next cash days, then monthlies of both classes."""
    found: list[tuple[int, bool]] = []
    at = day
    while len(found) < DAILY:
        if is_cash_day(at) and settlement_ns(at, False) > now_ns:
            found.append((at, False))
        at = next_trading_day(at)
    year, month = day // 10_000, day // 100 % 100
    for k in range(MONTHLY + 1):
        expiry = monthly_expiry(year + (month - 1 + k) // 12, (month - 1 + k) % 12 + 1)
        for am in (True, False):
            if settlement_ns(expiry, am) > now_ns and (expiry, am) not in found:
                found.append((expiry, am))
    return found


def _expiry(expiry: int, am: bool, now_ns: int, spot: float, level: float) -> dict[str, np.ndarray]:
    wide = np.arange(25 * round(spot * (1 - _SPAN) / 25), spot * (1 + _SPAN), 25.0)
    near = np.arange(5 * round(spot * (1 - _NEAR_SPAN) / 5), spot * (1 + _NEAR_SPAN), 5.0)
    strikes = np.unique(np.concatenate((wide, near)))
    years = (settlement_ns(expiry, am) - now_ns) / NS_PER_YEAR
    forward, discount = spot * np.exp(RATE * years), np.exp(-DISCOUNT_RATE * years)
    money = np.log(strikes / forward)
    iv = np.maximum(level * (1 - _SKEW * money + 6 * money**2) / (1 + 0.1 * years), _FLOOR)
    s = iv * np.sqrt(years)
    rows: dict[str, list[np.ndarray]] = {}
    for right in (1, -1):
        ones = np.full(len(strikes), float(right))
        price = black(np.full(len(strikes), forward), np.full(len(strikes), discount), strikes, s, ones)
        half = np.maximum(0.05, 0.01 * price)
        round_ = 1 + (strikes % 25 == 0) + 2 * (strikes % 100 == 0)
        side = np.where(right * money > 0, 1.0, 0.4)
        oi = np.floor(_MOST_OI / 4 * round_ * side * np.exp(-((money / 0.04) ** 2)))
        values = {"strike": strikes, "right": ones, "expiry": np.full(len(strikes), expiry), "iv": iv,
                  "bid": np.maximum(price - half, 0.0), "ask": price + half, "oi": oi,
                  "volume": np.floor(oi / 10), "am": np.full(len(strikes), am),
                  "root": np.full(len(strikes), "SPX" if am else "SPXW")}  # fmt: skip
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    return {name: np.concatenate(value) for name, value in rows.items()}
