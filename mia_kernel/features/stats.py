"""Small statistics over closed bars, shared by components: sums over whole ticks, so that mirrors agree."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at

CLOSE, CVD, HIGH, LOW, VWAP = range(5)


@kernel
def column(bar: Record, what: int) -> float:
    """Return one number of a bar."""
    if what == CLOSE:
        return float(bar["close"])
    if what == CVD:
        return float(bar["cvd"])
    if what == HIGH:
        return float(bar["high"])
    if what == LOW:
        return float(bar["low"])
    return bar["vwap"]


@kernel
def regression(t: Record, what: int, bars: int, back: int) -> tuple[float, float]:
    """Return (slope per bar, R²) of a bar column over `bars` closed bars ending `back` bars ago.

    A flat column has slope 0 and R² 0. Ordinary least squares on values relative to the newest one.
    """
    base = column(bar_at(t, back), what)
    middle = 0.5 * (bars - 1)
    sy = sxy = syy = 0.0
    for i in range(bars):
        y = column(bar_at(t, back + bars - 1 - i), what) - base
        sy += y
        sxy += (i - middle) * y
        syy += y * y
    sxx = bars * (bars * bars - 1.0) / 12.0
    spread = syy - sy * sy / bars
    slope = sxy / sxx
    if spread <= 1e-12:
        return 0.0, 0.0
    return slope, min(max(slope * slope * sxx / spread, 0.0), 1.0)


@kernel
def mean_volume(t: Record, bars: int) -> float:
    """Return the mean volume of the `bars` closed bars before the newest one, NaN with fewer."""
    if t["n"] < bars + 1:
        return np.nan
    total = 0
    for j in range(1, bars + 1):
        total += bar_at(t, j)["volume"]
    return total / bars


@kernel
def sign(value: float) -> int:
    """Return −1, 0 or +1."""
    return 1 if value > 0 else (-1 if value < 0 else 0)


@kernel
def clip(value: float, most: float) -> float:
    """Return the value held within ±most."""
    return min(max(value, -most), most)
