"""Where an entry, its stop and its target lie (domain: Stops and targets), all rounded against us.

    stop distance   = base distance of the market regime · volatility's stop factor (· 0.8 behind a strong
                      base), or 2 ticks beyond the governing base, or 3 beyond the ball, whichever is farthest
    target distance = stop distance · reward of the market regime · (volatility's target / stop factor)
                      (· 0.7 in an extended ball trend)

The volatility factors scale each distance from its own base, so the target carries their quotient.
"""

from __future__ import annotations

import math

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.battle import G_BEAR, G_BULL
from mia_kernel.state.regime import M_RANGE
from mia_kernel.state.swings import EXTENDED
from mia_kernel.state.trend import is_trend

EPSILON = 1e-9
"""So that 8·1.5 computed as 12.000000000000002 does not become 13 ticks."""


@kernel
def entry_ticks(s: Record, side: int) -> int:
    """Return the opposite touch; without quotes the last price."""
    book = s["book"]
    if book["has"]:
        return book["ask"] if side > 0 else book["bid"]
    return s["clock"]["price"]


@kernel
def stop_ticks(s: Record, battle: Record, p: Record, factor: float, side: int, entry: int) -> int:
    """Return the protective stop: the farthest of distance, base and ball."""
    market = s["regime"]["market"]
    distance = p["stop_default_ticks"]
    if is_trend(market):
        distance = p["stop_trend_ticks"]
    elif market == M_RANGE:
        distance = p["stop_range_ticks"]
    distance *= factor
    held = battle["golden"] == (G_BULL if side > 0 else G_BEAR)
    based = battle["has_base"] and held and battle["base_color"] == side
    if based and battle["base_quality"] >= p["strong_base_quality"]:
        distance *= p["strong_base_factor"]
    ticks = math.ceil(distance - EPSILON)
    if based:
        edge = battle["base_low"] if side > 0 else battle["base_high"]
        ticks = max(ticks, side * (entry - edge) + p["base_gap_ticks"])
    if battle["has_ball_stop"] and side * battle["ball_trend"] > 0.0:
        ticks = max(ticks, side * (entry - battle["ball_stop"]))
    return entry - side * ticks


@kernel
def target_ticks(
    s: Record, battle: Record, p: Record, quotient: float, side: int, entry: int, stop: int
) -> int:
    """Return the target: the stop distance times the planned reward."""
    market = s["regime"]["market"]
    reward = p["reward_default"]
    if is_trend(market):
        reward = p["reward_trend"]
    elif market == M_RANGE:
        reward = p["reward_range"]
    distance = side * (entry - stop) * reward * quotient
    if side * battle["ball_trend"] == EXTENDED:
        distance *= p["extended_target_factor"]
    return entry + side * math.ceil(distance - EPSILON)
