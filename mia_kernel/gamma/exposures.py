"""Add up what dealers would have to trade besides gamma: delta, vanna, charm; and what the tape of options says.

How it moves: each leg's greek times open interest, with the sign of the model, is summed over the book. Charm is
a finite difference of clock time, so it stays right in the last hour. Put/call ratios and unusual activity need
only volume and open interest. Source: options reference §1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.session import NEW_YORK
from mia_kernel.gamma import greeks
from mia_kernel.gamma.book import NAIVE, Book, SignModel
from mia_kernel.gamma.chain import CALL, MULTIPLIER, NS_PER_YEAR, Chain, Legs

Float = NDArray[np.float64]

_DAY = 1 / 365
UNUSUAL_RATIO, UNUSUAL_VOLUME, UNUSUAL_PREMIUM_USD = 3.0, 500.0, 1_000_000.0
UNUSUAL_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Exposures:
    """Dealer exposures of a book under a sign model."""

    delta_usd: float
    """USD of index."""
    vanna_usd_per_vol_point: float
    """Change of `delta_usd` for one volatility point up everywhere."""
    charm_usd_per_day: float
    """Change of `delta_usd` in a day of clock time, at the rate of this instant."""
    charm_to_close_usd: float | None
    """Change of `delta_usd` of what settles within a day, until it does, at this spot; None where nothing does."""


def exposures_of(book: Book, sign: SignModel = NAIVE) -> Exposures:
    """Return delta, vanna and charm exposure of a book."""
    weight = np.where(book.is_call, sign.call, sign.put) * book.oi * MULTIPLIER * book.spot
    delta = _delta(book)
    vanna = greeks.spot_vanna(
        book.spot, book.forward, book.discount, book.legs["strike"], book.s, np.sqrt(book.years)
    )
    step = np.minimum(book.years * 0.1, _DAY / 24)
    later = _delta(book, book.years - step)
    ending = book.years < _DAY
    to_close = None
    if ending.any():
        right = book.legs["right"][ending].astype(np.float64)
        final = right * (right * (book.spot - book.legs["strike"][ending]) > 0)
        to_close = float(np.sum(weight[ending] * (final - delta[ending])))
    return Exposures(
        float(np.sum(weight * delta)),
        float(np.sum(weight * vanna)) * 0.01,
        float(np.sum(weight * (later - delta) / step)) * _DAY,
        to_close,
    )


def _delta(book: Book, years: Float | None = None) -> Float:
    """Delta of each leg, at another time to settlement with carry rates and volatility held."""
    years = book.years if years is None else years
    share = years / book.years
    forward = book.spot * (book.forward / book.spot) ** share
    right = book.legs["right"].astype(np.float64)
    return greeks.spot_delta(
        book.spot, forward, book.discount**share, book.legs["strike"], book.sigma * np.sqrt(years), right
    )


def put_call_ratios(chain: Chain, now: int) -> dict[str, dict[str, float | None]]:
    """Return put/call of open interest and volume: live, today's expiries, up to 7 days, monthly roots, all rows.

    None where no call is in the part.
    """
    legs, live = chain.legs, chain.legs["settle_ns"] > now
    days = (legs["settle_ns"] - now) / NS_PER_YEAR * 365
    parts = {
        "live": live,
        "zero_dte": live & (legs["expiry"] == new_york_day(now)),
        "up_to_7_days": live & (days <= 7),
        "am_monthly": live & (legs["am"] == 1),
        "all_rows": np.ones(len(legs), np.bool_),
    }
    return {
        name: {"oi": _ratio(legs[keep], "oi"), "volume": _ratio(legs[keep], "volume")}
        for name, keep in parts.items()
    }


def _ratio(legs: Legs, column: str) -> float | None:
    values = np.nan_to_num(legs[column])
    calls = float(values[legs["right"] == CALL].sum())
    puts = float(values[legs["right"] != CALL].sum())
    return puts / calls if calls > 0 else None


def new_york_day(ts: int) -> int:
    """Return the calendar day in New York (yyyymmdd) of an instant."""
    local = datetime.fromtimestamp(ts // 1_000_000_000, NEW_YORK)
    return local.year * 10_000 + local.month * 100 + local.day


@dataclass(frozen=True, slots=True)
class Unusual:
    """One contract with more volume than its open interest explains. The traded side is not known."""

    symbol: str
    volume: float
    oi: float
    premium_usd: float | None
    reasons: tuple[str, ...]


def unusual_activity(chain: Chain, now: int) -> tuple[tuple[Unusual, ...], float | None]:
    """Return the most active unusual contracts, unsigned, and the share of live volume in all of them.

    Volume above 3 times open interest with at least 500 contracts; a premium of $1m or more is told beside it.
    The share is None without any volume.
    """
    legs = chain.live(now)
    volume, oi = np.nan_to_num(legs["volume"]), np.nan_to_num(legs["oi"])
    total = float(volume.sum())
    hit = (volume > UNUSUAL_RATIO * oi) & (volume >= UNUSUAL_VOLUME)
    mid = 0.5 * (legs["bid"] + legs["ask"])
    order = np.flatnonzero(hit)[np.argsort(-volume[hit], kind="stable")][:UNUSUAL_SHOWN]
    found: list[Unusual] = []
    for at in order:
        row = legs[at]
        premium = float(volume[at] * mid[at] * MULTIPLIER)
        reasons = ("volume above 3 times open interest",)
        if premium >= UNUSUAL_PREMIUM_USD:
            reasons += ("premium of $1m or more",)
        side = "C" if row["right"] == CALL else "P"
        symbol = f"{chain.roots[int(row['root'])]}{int(row['expiry']) % 1_000_000:06d}{side}{row['strike']:g}"
        known = premium if premium > 0 else None  # no quote, no premium
        found.append(Unusual(symbol, float(volume[at]), float(oi[at]), known, reasons))
    return tuple(found), (float(volume[hit].sum()) / total if total else None)
