"""Market regime: trend strength with its sign."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse


@feature("market_regime")
@kernel
def market_regime(st: Any, cells: Any, at: int) -> None:
    """Trend sign times strength, in [−1, 1].

    Context, not a component of any weight set. Not ready under 50 closed 5-minute bars. Quality 0.6 where
    VWAP has no slope because its session just began. Source: domain §13.
    """
    s, out = st[0], cells[at]
    r = s["regime"]
    if r["market"] < 0:
        refuse(out, NOT_READY)
    else:
        put(out, r["trend_sign"] * r["strength"], r["market_quality"])
