"""Make an SPX chain out of a seed: SYNTHETIC, for pages and tests where no real one is at hand.

How it moves: expiries as the exchange lists them (daily, weekly, monthly AM and PM), strikes of 5 near spot and
25 far from it, a smile with a put skew, quotes around Black's price, open interest heaped on round strikes. Every
number is invented; the source says so.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.option_calendar import is_cash_day, monthly_expiry
from mia_kernel.core.session import date_of, day_number, new_york_ns
from mia_kernel.gamma import greeks
from mia_kernel.gamma.chain import CALL, NS_PER_YEAR, PUT, Chain, make_chain, settlement_ns

RATE, DIVIDEND = 0.045, 0.014
_DAILY_DAYS, _MONTHS = 45, 14
_NEAR, _FAR = 0.08, 0.35
_MINUTE = 600
DAY = 20240610


def synthetic_chain(seed: int = 7, *, spot: float = 5360.0, day: int = DAY, minute: int = _MINUTE) -> Chain:
    """Return a whole SYNTHETIC chain of SPX and SPXW at a minute of a New York day (default 10:00).

    Parameters
    ----------
    seed : int
    spot : float
        Price of the index.
    day : int
        yyyymmdd, inside the exchange calendar.
    minute : int
        Minute of the New York day.
    """
    rng = np.random.default_rng(seed)
    as_of = new_york_ns(day, minute)
    parts = [
        _expiry(rng, expiry, root, spot, as_of)
        for expiry, root in _listed(day)
        if settlement_ns(expiry, root == "SPX") > as_of
    ]
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "root_name"
    }
    roots = np.concatenate([part["root_name"] for part in parts])
    return make_chain(columns, roots, as_of=as_of, spot=spot, underlying="SPX", kind="synthetic",
                      source=f"SYNTHETIC chain, seed {seed}",
                      notes=("SYNTHETIC: every number is invented",))  # fmt: skip


def _listed(day: int) -> list[tuple[int, str]]:
    first = date_of(day)
    days = [day_number(first + timedelta(days=i)) for i in range(_DAILY_DAYS)]
    listed = {(d, "SPXW") for d in days if is_cash_day(d)}
    for step in range(_MONTHS):
        month = first.month - 1 + step
        expiry = monthly_expiry(first.year + month // 12, month % 12 + 1)
        if expiry >= day:
            listed |= {(expiry, "SPX"), (expiry, "SPXW")}
    return sorted(listed)


def _expiry(
    rng: np.random.Generator, expiry: int, root: str, spot: float, as_of: int
) -> dict[str, NDArray[Any]]:
    years = (settlement_ns(expiry, root == "SPX") - as_of) / NS_PER_YEAR
    near = np.arange(np.ceil(spot * (1 - _NEAR) / 5) * 5, spot * (1 + _NEAR), 5.0)
    far = np.arange(np.ceil(spot * (1 - _FAR) / 25) * 25, spot * (1 + _FAR), 25.0)
    strike = np.union1d(near, far)
    forward = np.full(len(strike), spot * np.exp((RATE - DIVIDEND) * years))
    discount = np.full(len(strike), np.exp(-RATE * years))
    at = np.log(strike / forward) / np.sqrt(years + 0.02)
    sigma = np.clip(0.115 + 0.02 * np.sqrt(years) - 0.09 * at + 0.12 * at * at, 0.05, 1.5)
    s = sigma * np.sqrt(years)
    heavy = np.where(
        strike % 100 == 0, 6.0, np.where(strike % 50 == 0, 3.0, np.where(strike % 25 == 0, 1.5, 0.5))
    )
    size = heavy * (4.0 if root == "SPX" else 1.0) * np.exp(-0.5 * (np.log(strike / spot) / 0.09) ** 2)
    sides = {CALL: 1.02, PUT: 0.985}
    out: dict[str, list[NDArray[Any]]] = {}
    for right, centre in sides.items():
        price = greeks.black(forward, discount, strike, s, np.full(len(strike), float(right)))
        half = np.maximum(0.05, np.round(0.01 * price, 2))
        oi = rng.poisson(300 * size * np.exp(-0.5 * ((strike / spot - centre) / 0.04) ** 2) + 1)
        columns = {
            "strike": strike,
            "right": np.full(len(strike), right, np.int8),
            "expiry": np.full(len(strike), expiry, np.int32),
            "bid": np.maximum(price - half, 0.0),
            "ask": price + half,
            "iv": sigma,
            "oi": oi.astype(np.float64),
            "volume": rng.poisson(oi * 0.3).astype(np.float64),
            "root_name": np.full(len(strike), root),
        }
        for name, values in columns.items():
            out.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in out.items()}
