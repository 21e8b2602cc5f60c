"""Volume confirmation: does volume stand behind the newest bar's delta."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import mean_volume, sign
from mia_kernel.state.bars import bar_at

MEAN_BARS, CORR_BARS = 10, 5


@feature("volume_confirmation", needs=("flow",))
@kernel
def volume_confirmation(st: Any, cells: Any, at: int) -> None:
    """sgn(δ)·[0.45·min(V/(1.8·mean10 V),1) + 0.35·min(2.2·|δ|/V,1) + 0.20·|corr(V, C) over 5 bars|].

    On the last closed bar of the base timeframe; mean10 excludes it; an undefined correlation adds 0; V = 0
    gives 0 with quality 0. Unit: none, in [−1, 1]. Not ready under 11 bars. Quality: share of volume with a
    known aggressor. Source: domain §6.5.
    """
    s, out = st[0], cells[at]
    t = s["tf"][s["clock"]["base"]]
    mean = mean_volume(t, MEAN_BARS)
    if mean != mean:
        refuse(out, NOT_READY)
        return
    bar = bar_at(t, 0)
    volume, delta = bar["volume"], bar["ask_volume"] - bar["bid_volume"]
    if volume <= 0:
        put(out, 0.0, 0.0)
        return
    loud = min(volume / (1.8 * mean), 1.0) if mean > 0 else 1.0
    strength = 0.45 * loud + 0.35 * min(2.2 * abs(delta) / volume, 1.0) + 0.20 * abs(_corr(t))
    put(out, sign(delta) * strength, min(bar["known_volume"] / volume, 1.0))


@kernel
def _corr(t: Record) -> float:
    """Return corr(V, C) over 5 closed bars, 0 where it is undefined."""
    base = bar_at(t, 0)["close"]
    sx = sy = sxx = syy = sxy = 0.0
    for j in range(CORR_BARS):
        x, y = float(bar_at(t, j)["volume"]), float(bar_at(t, j)["close"] - base)
        sx += x
        sy += y
        sxx += x * x
        syy += y * y
        sxy += x * y
    vx, vy = sxx - sx * sx / CORR_BARS, syy - sy * sy / CORR_BARS
    if vx <= 0.0 or vy <= 0.0:
        return 0.0
    return min(max((sxy - sx * sy / CORR_BARS) / np.sqrt(vx * vy), -1.0), 1.0)
