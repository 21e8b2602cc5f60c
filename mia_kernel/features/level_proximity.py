"""Level proximity: is price at a level, on which side, and was the level rejected."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip, sign
from mia_kernel.state import levels
from mia_kernel.state.bars import bar_at

REACH_2 = 6  # 3 ticks in half ticks
LIST = (levels.POC, levels.VAH, levels.VAL, levels.PPOC, levels.PVAH, levels.PVAL) + tuple(
    range(levels.HVN_FIRST, levels.HVN_FIRST + levels.HVN_SLOTS)
)
WEIGHTS = levels.WEIGHTS


@feature("level_proximity")
@kernel
def level_proximity(st: Any, cells: Any, at: int) -> None:
    """side·max(0, 1 − d/3T)·rejection for the nearest of POC VAH VAL PPOC PVAH PVAL HVN.

    side = sgn(C − level); rejection 1.0 if within the last 3 base bars the range touched the level ±1T and
    the bar closed on `side`, else 0.5. Equal distances are summed and clipped. None within 3T → 0, ok. Not
    ready while no level of the list is known. Quality: weight of the level. Unit: none, in [−1, 1].
    Source: domain §11.
    """
    s, out = st[0], cells[at]
    t, table = s["tf"][s["clock"]["base"]], s["levels"]["at"]
    nearest, known = 1 << 30, 0
    if t["n"] > 0:
        close_2 = 2 * bar_at(t, 0)["close"]
        for slot in LIST:
            if table[slot]["known"]:
                known = 1
                nearest = min(nearest, abs(close_2 - table[slot]["price_2"]))
    if not known:
        refuse(out, NOT_READY)
        return
    if nearest >= REACH_2:
        put(out, 0.0, 0.0)
        return
    total, quality = 0.0, 0.0
    close_2 = 2 * bar_at(t, 0)["close"]
    for slot in LIST:
        level = table[slot]
        if level["known"] and abs(close_2 - level["price_2"]) == nearest:
            side = sign(close_2 - level["price_2"])
            total += side * (1.0 - nearest / REACH_2) * _rejection(t, level["price_2"], side)
            quality = max(quality, WEIGHTS[slot])
    put(out, clip(total, 1.0), quality)


@kernel
def _rejection(t: Record, price_2: int, side: int) -> float:
    for j in range(min(3, t["n"])):
        bar = bar_at(t, j)
        touched = 2 * bar["low"] - 2 <= price_2 <= 2 * bar["high"] + 2
        if touched and sign(2 * bar["close"] - price_2) == side:
            return 1.0
    return 0.5
