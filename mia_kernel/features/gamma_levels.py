"""Gamma levels: where option walls hold or repel price."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import ABSENT, NOT_READY, STALE
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import sign
from mia_kernel.state.bars import bar_at
from mia_kernel.state.options import is_fresh

NEAR_TICKS, FLIP_TICKS = 8.0, 12.0
MOVE_BARS = 5


@feature("gamma_levels", needs=("options",))
@kernel
def gamma_levels(st: Any, cells: Any, at: int) -> None:
    """p_P − p_C where dealers are long gamma, sgn(5-bar move)·max(p_C, p_P) where they are short, else 0.

    p = max(0, 1 − |price − wall|/8T) for call wall C and put wall P, mapped to the future. Unit: none, in
    [−1, 1]. Absent until a chain is loaded, not ready without walls or sign, stale beyond the chain's limit.
    Quality: the chain's, by nearness to the flip (12T). Source: domain §12.
    """
    s, out = st[0], cells[at]
    o, t = s["options"], s["tf"][s["clock"]["base"]]
    if not o["has"]:
        refuse(out, ABSENT)
    elif not is_fresh(o, s["clock"]["now"]):
        refuse(out, STALE)
    elif t["n"] < MOVE_BARS + 1 or not known(o):
        refuse(out, NOT_READY)
    else:
        price = s["clock"]["price"]
        move = sign(bar_at(t, 0)["close"] - bar_at(t, MOVE_BARS)["close"])
        near = max(0.0, 1.0 - abs(price - o["gamma_flip_ticks"]) / FLIP_TICKS)
        flip = near if o["gamma_flip_ticks"] == o["gamma_flip_ticks"] else 0.0
        put(out, measure(o, price, move), o["quality"] * (0.7 + 0.3 * flip))


@kernel
def known(o: Record) -> int:
    """Return 1 where both walls and the dealers' side are known."""
    total = o["call_wall_ticks"] + o["put_wall_ticks"] + o["dealer_gamma_position"]
    return 1 if total == total else 0


@kernel
def measure(o: Record, price: int, move: int) -> float:
    """Return the value for a price in ticks and the sign of the last five closes' move."""
    call = max(0.0, 1.0 - abs(price - o["call_wall_ticks"]) / NEAR_TICKS)
    put_ = max(0.0, 1.0 - abs(price - o["put_wall_ticks"]) / NEAR_TICKS)
    if o["dealer_gamma_position"] > 0:
        return put_ - call
    return move * max(call, put_) if o["dealer_gamma_position"] < 0 else 0.0
