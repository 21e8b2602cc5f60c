"""Two clocks in one source: does a stream's price path fit another's better some hours away?

An exporter may write quotes in UTC and bars in the chart's zone. The paths tell: over the same market they
lie on each other at lag 0. A stream that fits better at a whole or half hour is refused with the lag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.stamps import NS

IntArray = NDArray[np.int64]

HALF_HOUR_NS = 1800 * NS
_FURTHEST = 28  # half hours: fourteen hours is the furthest a zone is from UTC
_OLDEST_NS = 90 * NS
_FEWEST = 8
_CLOSE_TICKS = 8.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How two price paths fit: the best lag and the fit there and at lag 0.

    `distance` and `distance_at_zero` are mean absolute distances in ticks; None where fewer than a handful of
    points overlap. `ns` is what must be taken off the stream's stamps to lie on the reference.
    """

    ns: int
    distance: float | None
    distance_at_zero: float | None

    @property
    def another_clock(self) -> bool:
        """Return whether the stream runs on another clock: it fits at the lag, and not at zero."""
        if self.ns == 0 or self.distance is None or self.distance > _CLOSE_TICKS:
            return False
        return self.distance_at_zero is None or self.distance < 0.5 * self.distance_at_zero

    def __str__(self) -> str:
        hours = self.ns / 3600 / NS
        at = "no overlap" if self.distance_at_zero is None else f"{self.distance_at_zero:.1f} ticks"
        return f"fit at a lag of {hours:+g} h ({self.distance:.1f} ticks away) and not at 0 h ({at})"


def best_lag(ts: IntArray, price: IntArray, ref_ts: IntArray, ref_price: IntArray) -> Lag:
    """Return the lag (a multiple of half an hour, at most 14 h) at which a price path lies on the reference.

    Parameters
    ----------
    ts, price : ndarray of shape (n,)
        Stamps in ns and prices in ticks of the stream, in time order.
    ref_ts, ref_price : ndarray of shape (m,)
        The same of the stream whose clock is known.
    """
    fits = {
        k: _distance(ts - k * HALF_HOUR_NS, price, ref_ts, ref_price)
        for k in range(-_FURTHEST, _FURTHEST + 1)
    }
    known = {k: fit for k, fit in fits.items() if fit is not None}
    if not known:
        return Lag(0, None, None)
    best = min(known, key=lambda k: (known[k], abs(k)))
    return Lag(best * HALF_HOUR_NS, known[best], fits[0])


def fine_lag(
    ts: IntArray, price: IntArray, ref_ts: IntArray, ref_price: IntArray
) -> tuple[int, float, float]:
    """Return the lag in ns, at most half a minute either way, at which two paths agree most often, and how often.

    Answers (lag, share of equal prices there, share at lag 0). The lag is what must be added to the stream's
    stamps to lie on the reference; 0 unless it explains at least half as much again as no lag.
    """
    tenth = NS // 10
    shares = {k: _equal_share(ts + k * tenth, price, ref_ts, ref_price) for k in range(-300, 301)}
    best = max(shares, key=lambda k: (shares[k], -abs(k)))
    if abs(best) < 5 or shares[best] < 1.5 * shares[0]:
        return 0, shares[0], shares[0]
    return best * tenth, shares[best], shares[0]


def _equal_share(ts: IntArray, price: IntArray, ref_ts: IntArray, ref_price: IntArray) -> float:
    at = np.searchsorted(ref_ts, ts, side="right") - 1
    fresh = (at >= 0) & (ts - ref_ts[np.maximum(at, 0)] <= 5 * NS)
    if int(fresh.sum()) < len(ts) // 4:
        return 0.0
    return float((price[fresh] == ref_price[at[fresh]]).mean())


def _distance(ts: IntArray, price: IntArray, ref_ts: IntArray, ref_price: IntArray) -> float | None:
    """Return the mean distance in ticks to the reference price in force, None where too little overlaps."""
    if len(ref_ts) == 0:
        return None
    at = np.searchsorted(ref_ts, ts, side="right") - 1
    fresh = (at >= 0) & (ts - ref_ts[np.maximum(at, 0)] <= _OLDEST_NS)
    if int(fresh.sum()) < min(_FEWEST, len(ts)):
        return None
    return float(np.abs(price[fresh] - ref_price[at[fresh]]).mean())
