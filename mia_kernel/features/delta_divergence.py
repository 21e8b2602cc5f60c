"""Delta divergence: price and cumulative delta pulling apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import CLOSE, CVD, regression, sign
from mia_kernel.state.bars import bar_at

BARS, HISTORY = 10, 100
FIT_MIN = 0.3


@feature("delta_divergence", needs=("flow",))
@kernel
def delta_divergence(st: Any, cells: Any, at: int) -> None:
    """sgn(zδ)·min(min(|z_p|,|z_δ|)/2, 1)·(R²_p + R²_δ)/2 where the slopes of C and CVD oppose, else 0.

    Least squares over 10 closed base bars of one session; z = slope over the deviation of that slope in the
    last 100 bars. Both R² ≥ 0.3. Price falling with delta rising is positive. Unit: none, in [−1, 1]. Ready
    after 110 bars. Quality: mean R². Source: domain §6.4.
    """
    s, out = st[0], cells[at]
    t = s["tf"][s["clock"]["base"]]
    if t["n"] < HISTORY + BARS:
        refuse(out, NOT_READY)
        return
    price, price_fit = regression(t, CLOSE, BARS, 0)
    delta, delta_fit = regression(t, CVD, BARS, 0)
    quality = (price_fit + delta_fit) / 2.0
    # Across 18:00 cumulative delta starts anew: no slope.
    one_session = bar_at(t, 0)["day"] == bar_at(t, BARS - 1)["day"]
    opposed = sign(price) * sign(delta) < 0
    if not (one_session and opposed and price_fit >= FIT_MIN and delta_fit >= FIT_MIN):
        put(out, 0.0, quality)
        return
    spread_price, spread_delta = _spread(t, CLOSE), _spread(t, CVD)
    if spread_price <= 0.0 or spread_delta <= 0.0:
        put(out, 0.0, quality)
        return
    z = min(abs(price) / spread_price, abs(delta) / spread_delta)
    put(out, sign(delta) * min(z / 2.0, 1.0) * quality, quality)


@kernel
def _spread(t: Record, what: int) -> float:
    """Return the standard deviation of the 10-bar slope over the last 100 bars of single sessions."""
    n, total, squares = 0, 0.0, 0.0
    for j in range(HISTORY):
        if bar_at(t, j)["day"] == bar_at(t, j + BARS - 1)["day"]:
            slope = regression(t, what, BARS, j)[0]
            total += slope
            squares += slope * slope
            n += 1
    return np.sqrt(max(squares / n - (total / n) ** 2, 0.0)) if n > 1 else 0.0
