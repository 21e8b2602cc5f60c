"""Pullback quality: is this a patient entry in a trend, or a chase."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.state.bars import bar_at
from mia_kernel.state.regime import M_DOWN_WEAK, M_UP_WEAK
from mia_kernel.state.swings import BALLS

LOOK_BACK = 200


@feature("pullback_quality")
@kernel
def pullback_quality(st: Any, cells: Any, at: int) -> None:
    """e·f_d·f_v·f_h·f_t·f_r of the pullback in the last leg of a trend of side e; no trend → 0.

    Depth f_d (1 at .382–.5), volume and delta of the retrace against the leg f_v, holding above the last
    swing, base or VWAP band f_h, time f_t, rejection bar f_r. Needs a ball trend or a weak+ market trend on
    `signal_tf`. Unit: none, in [−1, 1]. Not ready before the first ball and the market regime. Quality: 1
    with known aggressors, else 0.7. Source: domain §14.
    """
    s, out = st[0], cells[at]
    k = s["clock"]["signal"]
    t, w, r = s["tf"][k], s["battle"][k], s["regime"]
    if w["green_n"] < 2 or w["red_n"] < 2 or r["market"] < 0:
        refuse(out, NOT_READY)
        return
    side = side_of(w, r)
    quality = 1.0 if bar_at(t, 0)["known_volume"] > 0 else 0.7
    if side == 0:
        put(out, 0.0, quality)
        return
    _, f_d, f_v, f_h, f_t, f_r = factors(t, w, side)
    put(out, side * (f_d * f_v * f_h * f_t * f_r), quality)


@kernel
def side_of(w: Record, r: Record) -> int:
    """Return the side of the ball trend, else of a weak or stronger market trend, else 0."""
    if w["ball_trend"] != 0:
        return 1 if w["ball_trend"] > 0 else -1
    if r["market"] < 0 or r["market"] > M_DOWN_WEAK:
        return 0
    return 1 if r["market"] <= M_UP_WEAK else -1


@kernel
def factors(t: Record, w: Record, side: int) -> tuple[float, float, float, float, float, float]:
    """Return (depth, f_d, f_v, f_h, f_t, f_r) of the pullback of side `side`; zeros where there is no leg."""
    n = w["green_n"] if side > 0 else w["red_n"]
    ball = w["green"][(n - 1) % BALLS] if side > 0 else w["red"][(n - 1) % BALLS]
    span = min(t["n"] - 1 - ball["bar"], LOOK_BACK)
    extreme, at = ball["px"], span
    for j in range(span - 1, -1, -1):
        reach = bar_at(t, j)["high"] if side > 0 else bar_at(t, j)["low"]
        if side * (reach - extreme) > 0:
            extreme, at = reach, j
    leg = side * (extreme - ball["px"])
    nothing = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if leg <= 0 or at >= span:
        return nothing
    depth = side * (extreme - bar_at(t, 0)["close"]) / leg
    f_d = depth_factor(depth)
    if f_d == 0.0 or at == 0:
        return depth, 0.0, 0.0, 0.0, 0.0, 0.0
    f_t = min(1.0, (span - at) / at)
    f_h, f_r = _holds(t, w, side, ball["px"]), _rejects(t, w, side, ball["px"])
    return depth, f_d, _effort(t, span, at), f_h, f_t, f_r


@kernel
def depth_factor(depth: float) -> float:
    """Return 1 for .382–.5, 0.7 within .30–.62, 0.3 for .10–.30 and .62–.786, else 0."""
    if depth < 0.10 or depth > 0.786:
        return 0.0
    if 0.382 <= depth <= 0.5:
        return 1.0
    return 0.7 if 0.30 <= depth <= 0.62 else 0.3


@kernel
def _effort(t: Record, span: int, at: int) -> float:
    """Return 1 if mean volume and |δ| of the retrace are below those of the leg, 0.6 for one, 0.3 for none."""
    leg_volume = leg_delta = back_volume = back_delta = 0.0
    for j in range(span):
        bar = bar_at(t, j)
        delta = abs(bar["ask_volume"] - bar["bid_volume"])
        if j >= at:
            leg_volume += bar["volume"] / (span - at)
            leg_delta += delta / (span - at)
        else:
            back_volume += bar["volume"] / at
            back_delta += delta / at
    quieter = int(back_volume < leg_volume) + (back_delta < leg_delta)
    return 1.0 if quieter == 2 else (0.6 if quieter == 1 else 0.3)


@kernel
def _holds(t: Record, w: Record, side: int, ball: int) -> float:
    """Return 1 if the close holds beyond the last swing, the base or the VWAP band on the trend's side."""
    bar = bar_at(t, 0)
    if side * (bar["close"] - ball) > 0:
        return 1.0
    if w["has_base"] and w["base_color"] == side:
        edge = w["base_low"] if side > 0 else w["base_high"]
        if side * (bar["close"] - edge) >= 0:
            return 1.0
    band = bar["vwap"] - side * bar["vwap_sd"]
    return 1.0 if side * (bar["close"] - band) >= 0 else 0.0


@kernel
def _rejects(t: Record, w: Record, side: int, ball: int) -> float:
    """Return 1 if the newest bar closed in the trend's outer third after turning, else 0.6."""
    bar, before = bar_at(t, 0), bar_at(t, 1)
    height = bar["high"] - bar["low"]
    outer = (
        3 * (bar["close"] - bar["low"]) >= 2 * height
        if side > 0
        else 3 * (bar["high"] - bar["close"]) >= 2 * height
    )
    probed = bar["low"] <= before["low"] if side > 0 else bar["high"] >= before["high"]
    return 1.0 if outer and probed and height > 0 else 0.6
