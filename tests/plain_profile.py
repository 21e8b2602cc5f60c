"""Volume at price by the words of its definition: point of control and value area, of trades and of bars."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core import events as ev


def area(px: Any, sz: Any) -> tuple[float, int, int]:
    """Return POC, VAL and VAH of trades by the words of the definition."""
    low = int(px.min())
    rows = np.bincount(px - low, weights=sz).astype(int)
    return _area(rows, low, float((px * sz).sum() / sz.sum()))


def area_of_bars(bars: Any) -> tuple[float, int, int]:
    """Return POC, VAL and VAH of bars, the volume of each spread evenly over its range.

    What does not divide lies about the middle of the range, in mirror image; where that is not possible, one row
    nearer the close. VWAP of bars is of (high + low + close)/3.
    """
    lows, highs = bars["b"][:, ev.BAR_LOW].astype(int), bars["b"][:, ev.BAR_HIGH].astype(int)
    volume, close = bars["sz"].astype(int), bars["px"].astype(int)
    low = int(lows.min())
    rows = np.zeros(int(highs.max()) - low + 1, int)
    for a, b, v, c in zip(lows - low, highs - low, volume, close - low, strict=True):
        rows[a : b + 1] += _spread(b - a + 1, v, 2 * c > a + b)
    mean = float(((highs + lows + close) / 3 * volume).sum() / volume.sum())
    return _area(rows, low, mean)


def _spread(n: int, volume: int, upper: bool) -> Any:
    """Return `volume` over `n` rows: an equal share each, the rest on the rows nearest the middle."""
    each, rest = divmod(volume, n)
    order = sorted(range(n), key=lambda i: (abs(2 * i - (n - 1)), -i if upper else i))
    if n % 2 == 1 and rest % 2 == 0:
        order = order[1:]  # an even rest leaves the middle row out: a mirrored bar has mirrored rows
    held = np.full(n, each)
    held[order[:rest]] += 1
    return held


def _area(rows: Any, low: int, mean_price: float) -> tuple[float, int, int]:
    mean = mean_price - low
    most = np.flatnonzero(rows == rows.max())
    near = most[np.abs(np.abs(most - mean) - np.abs(most - mean).min()) < 1e-9]
    poc = near.mean()
    lo, hi = int(np.floor(poc)), int(np.ceil(poc))
    held = np.r_[0, 0, rows, 0, 0]  # two empty rows beyond each end
    inside = rows[lo : hi + 1].sum()
    while inside < 0.7 * rows.sum() and (lo > 0 or hi < len(rows) - 1):
        below = held[max(lo, 0) : lo + 2].sum() if lo > -2 else 0
        above = held[hi + 3 : hi + 5].sum()
        if below >= above:
            inside, lo = inside + below, lo - 2
        if above >= below:
            inside, hi = inside + above, hi + 2
    return low + poc, low + max(lo, 0), low + min(hi, len(rows) - 1)
