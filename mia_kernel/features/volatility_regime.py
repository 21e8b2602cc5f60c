"""Volatility regime: how wild the last bars are against their own kind."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse


@feature("volatility_regime", range=(0.0, 4.0), signed=False)
@kernel
def volatility_regime(st: Any, cells: Any, at: int) -> None:
    """Code of the regime: 0 low, 1 normal, 2 high, 3 extreme, 4 transition.

    Context, not a component of any weight set. Not ready while VIX and ATR ratio are both unknown. Quality
    0.5 where one of them is, or the reference is the last 50 bars. Source: domain §13.
    """
    s, out = st[0], cells[at]
    r = s["regime"]
    if r["volatility"] < 0:
        refuse(out, NOT_READY)
    else:
        put(out, float(r["volatility"]), r["volatility_quality"])
