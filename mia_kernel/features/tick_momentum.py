"""Tick momentum: the direction of the last twenty trades."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY, STALE
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.state.flow import TICK_WINDOW
from mia_kernel.state.flow import tick_momentum as measure

STALE_NS = 60_000_000_000


@feature("tick_momentum", needs=("trades",))
@kernel
def tick_momentum(st: Any, cells: Any, at: int) -> None:
    """0.4·(up − down)/n + 0.6·(upVol − downVol)/totalVol over the last 20 trades.

    Unit: none, in [−1, 1]. Not ready under 20 trades, stale when the newest is older than 60 s. Quality 1.
    |x| ≥ 0.3 is momentum, ≥ 0.6 strong. Source: domain §6.2.
    """
    s, out = st[0], cells[at]
    f = s["flow"]
    if f["trades"] < TICK_WINDOW:
        refuse(out, NOT_READY)
    elif s["clock"]["now"] - f["ts"] > STALE_NS:
        refuse(out, STALE)
    else:
        put(out, measure(f), 1.0)
