"""FOMO: is an entry a chase after the move (domain §14, pullback quality)."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at
from mia_kernel.state.swings import BALLS

EXTENSION_BARS = 3


@kernel
def fomo(t: Record, b: Record, price: float, side: int) -> float:
    """Flag an entry after the move: > 1 ATR14 from the last swing, or three extension bars in a row.

    NaN where neither the swing nor the bars are known.
    """
    flag = np.nan
    n = b["green_n"] if side > 0 else b["red_n"]
    if t["n"] > 0 and n > 0:
        swing = b["green"][(n - 1) % BALLS]["px"] if side > 0 else b["red"][(n - 1) % BALLS]["px"]
        atr = bar_at(t, 0)["atr"]
        if atr == atr:
            flag = 1.0 if side * (price - swing) > atr else 0.0
    if t["n"] > EXTENSION_BARS:
        run = 1
        for j in range(EXTENSION_BARS):
            now = bar_at(t, j)
            before = bar_at(t, j + 1)
            ahead = now["high"] - before["high"] if side > 0 else before["low"] - now["low"]
            if side * (now["close"] - now["open"]) <= 0 or ahead <= 0:
                run = 0
        if run:
            return 1.0
        if flag != flag:
            return 0.0
    return flag
