"""Hold volume and open interest against earlier days: what is unusual, what was opened, what open interest may be now.

How it moves: contracts are grouped by side, delta and days to expiry; ln(1 + volume) of a group over the last sessions
gives mean and spread, and a contract of today its z-score. The open interest of the next morning says how much of a
day's volume was opened; its slope on volume is measured, never assumed. Sides need trade prints: all is unsigned.
Source: options reference §1 (unusual activity), §3 (flow-adjusted open interest).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError
from mia_kernel.core.option_calendar import cash_days_between
from mia_kernel.gamma.book import Book, book_of
from mia_kernel.gamma.chain import Chain, Legs
from mia_kernel.gamma.exposures import new_york_day
from mia_kernel.gamma.greeks import d1_of
from mia_kernel.gamma.numeric import normal_cdf

Float = NDArray[np.float64]

SESSIONS, LEAST = 20, 5
_DELTA_EDGES = np.array([0.05, 0.15, 0.35, 0.65])
_DAY_EDGES = np.array([1.0, 7.0, 30.0, 90.0])
_GROUPS = 2 * 5 * 5
LEAST_PAIRS = 100
"""Fewer contracts with volume on both days measure no slope."""


@dataclass(frozen=True, slots=True)
class GroupTape:
    """Count, sum and sum of squares of ln(1 + volume) per group, of one snapshot."""

    as_of: int
    n: Float
    total: Float
    squares: Float


def group_tape(chain: Chain) -> GroupTape:
    """Return what a snapshot says of volume by group."""
    book = book_of(chain)
    group, volume = _group(book), _ln_volume(book.legs)
    weights = (np.ones(len(group)), volume, volume * volume)
    n, total, squares = (np.bincount(group, weight, _GROUPS).astype(np.float64) for weight in weights)
    return GroupTape(chain.as_of, n, total, squares)


def volume_scores(book: Book, tapes: Sequence[GroupTape]) -> Float:
    """Return the z-score of each leg's volume in its group, NaN where under 5 earlier sessions or no spread.

    Parameters
    ----------
    book : Book
    tapes : sequence of GroupTape
        Earlier snapshots, one a session; the last 20 before the book count.
    """
    before = sorted((tape for tape in tapes if tape.as_of < book.now), key=lambda tape: tape.as_of)[
        -SESSIONS:
    ]
    if len(before) < LEAST:
        return np.full(len(book.legs), np.nan)
    n: Float = np.sum([tape.n for tape in before], axis=0)
    total: Float = np.sum([tape.total for tape in before], axis=0)
    squares: Float = np.sum([tape.squares for tape in before], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        spread = np.sqrt(np.maximum(squares / n - mean * mean, 0.0))
        spread = np.where(spread > 0, spread, np.nan)
        group = _group(book)
        return (_ln_volume(book.legs) - mean[group]) / spread[group]


def _group(book: Book) -> NDArray[np.int64]:
    delta = np.abs(normal_cdf(d1_of(book.forward, book.legs["strike"], book.s)) - ~book.is_call)
    days = book.years * 365
    near = np.searchsorted(_DELTA_EDGES, delta, side="right")
    far = np.searchsorted(_DAY_EDGES, days, side="right")
    return (book.is_call.astype(np.int64) * 5 + near) * 5 + far


def _ln_volume(legs: Legs) -> Float:
    return np.log1p(np.nan_to_num(legs["volume"]))


@dataclass(frozen=True, slots=True)
class FlowFit:
    """How much of a day's volume stood as open interest the next morning: ΔOI = alpha·volume, least squares."""

    alpha: float
    r2: float
    contracts: int


def open_interest_change(before: Chain, after: Chain) -> Float:
    """Return for each leg of `before` the change of its open interest until `after`, NaN where it is not in it.

    Raises
    ------
    DataError
        If the two are not of successive cash days: the change would be of other days' volume too.
    """
    first, last = new_york_day(before.as_of), new_york_day(after.as_of)
    if before.underlying != after.underlying or cash_days_between(first, last) != 1:
        raise DataError("open interest is compared from one cash day to the next only", field="after", value=last,
                        rule=f"the cash day after {first}, of {before.underlying}")  # fmt: skip
    known = dict(zip(_keys(after), after.legs["oi"].tolist(), strict=True))
    later = np.array([known.get(key, np.nan) for key in _keys(before)], np.float64)
    return later - before.legs["oi"]


def _keys(chain: Chain) -> list[tuple[str, int, float, int]]:
    legs = chain.legs
    columns = (legs[name].tolist() for name in ("root", "expiry", "strike", "right"))
    return [
        (chain.roots[root], expiry, strike, right)
        for root, expiry, strike, right in zip(*columns, strict=True)
    ]


def flow_fit(before: Chain, after: Chain) -> FlowFit:
    """Measure alpha on two successive days: the slope through 0 of the change of open interest on volume.

    Raises
    ------
    DataError
        If the days do not follow each other, or under 100 contracts traded.
    """
    change, volume = open_interest_change(before, after), before.legs["volume"]
    good = np.isfinite(change) & (volume > 0)
    if np.count_nonzero(good) < LEAST_PAIRS:
        raise DataError("too few contracts with volume to measure", field="volume", value=int(good.sum()),
                        rule=f"at least {LEAST_PAIRS}")  # fmt: skip
    x, y = volume[good], change[good]
    alpha = float((x * y).sum() / (x * x).sum())
    left = float(((y - alpha * x) ** 2).sum())
    return FlowFit(alpha, 1.0 - left / float((y * y).sum()) if (y * y).any() else 0.0, int(good.sum()))


def flow_adjusted(chain: Chain, alpha: float) -> Chain:
    """Return the chain with max(0, OI + alpha·volume) as its open interest: an estimate, and it says so."""
    legs = chain.legs.copy()
    legs["oi"] = np.maximum(0.0, np.nan_to_num(legs["oi"]) + alpha * np.nan_to_num(legs["volume"]))
    told = f"ESTIMATED open interest: that of the clearing plus {alpha:+.3f} of the volume since, unsigned"
    defects = replace(chain.defects, notes=(*chain.defects.notes, told))
    return replace(chain, legs=legs, defects=defects, content_sha256=None)
