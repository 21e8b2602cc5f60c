"""Regimes: how wild the market is (here) and whether it trends (`trend`).

How it moves: when a 5-minute bar closes (the base timeframe where that is coarser), its ATR is held against
the same phase of the last days, VIX is read, and a change of regime is called a transition for a while.
Source: domain §13. Unknown numbers are NaN, an unknown regime is −1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state import trend
from mia_kernel.state.bars import TF_5M, bar_at

V_LOW, V_NORMAL, V_HIGH, V_EXTREME, V_TRANSITION = range(5)
VOLATILITY_NAMES = ("low", "normal", "high", "extreme", "transition")
M_UP_STRONG, M_UP_WEAK, M_DOWN_STRONG, M_DOWN_WEAK, M_RANGE, M_TRANSITION, M_UNCLEAR = range(7)
MARKET_NAMES = (
    "trend_up_strong",
    "trend_up_weak",
    "trend_down_strong",
    "trend_down_weak",
    "range",
    "transition",
    "unclear",
)
DAYS = 20
DAY_ROWS = DAYS + 1  # today's row is written beside the days it is held against
PHASE_SLOTS = 9
ATR_HISTORY = 5520  # 20 trading days of 5-minute bars
ATR_HISTORY_MIN = 276
ROLLING = 50
SLOPE_BARS = 5
MINUTE_NS = 60_000_000_000


class RegimeParams(BaseModel):
    """Limits of the regimes (domain §13)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_days: int = Field(
        default=5, ge=1, le=DAYS, description="days a phase needs for its own mean ATR (days)"
    )
    transition_min: float = Field(
        default=30.0, ge=0, description="how long a change counts as transition (min)"
    )
    vix_max_age_hours: float = Field(
        default=96.0, gt=0, description="a VIX older than this is unknown (hours)"
    )
    vix_low: float = Field(default=15.0, gt=0, description="VIX under it may be a low regime (points)")
    vix_high: float = Field(default=25.0, gt=0, description="VIX above it is high (points)")
    vix_extreme: float = Field(default=35.0, gt=0, description="VIX above it is extreme (points)")
    ratio_low: float = Field(default=0.8, gt=0, description="ATR ratio under it may be a low regime (ratio)")
    ratio_high: float = Field(default=1.5, gt=0, description="ATR ratio above it is high (ratio)")
    ratio_extreme: float = Field(default=2.0, gt=0, description="ATR ratio above it is extreme (ratio)")


REGIME_DTYPE = np.dtype(
    [
        ("p_min_days", np.int64),
        ("p_transition_ns", np.int64),
        ("p_vix_age_ns", np.int64),
        ("p_vix", np.float64, (3,)),
        ("p_ratio", np.float64, (3,)),
        ("vix", np.float64),  # points, NaN = unknown
        ("vix_ts", np.int64),
        ("vix_ring", np.float64, (8,)),  # one per closed 5m bar, newest at (atr_n - 1) % 8
        ("atr_ring", np.float64, (64,)),  # closed 5m ATR values, newest at (atr_n - 1) % 64
        ("atr_n", np.int64),
        ("atr_history", np.float32, (ATR_HISTORY,)),
        ("atr_percentile", np.float64),  # 0-1 within 20 trading days, NaN = unknown
        ("phase_sum", np.float64, (DAY_ROWS, PHASE_SLOTS)),
        ("phase_count", np.int32, (DAY_ROWS, PHASE_SLOTS)),
        ("days", np.int64),
        ("atr_ratio", np.float64),  # NaN = unknown
        ("ratio_is_rolling", np.uint8),
        ("volatility", np.int8),  # -1 = not ready; V_TRANSITION while in transition
        ("volatility_base", np.int8),  # the regime itself; in transition the one that was left
        ("volatility_pending", np.int8),
        ("volatility_since", np.int64),
        ("volatility_quality", np.float64),
        ("volatility_trend", np.float64),  # per 5m bar, NaN = unknown
        ("market", np.int8),  # -1 = not ready
        ("market_quality", np.float64),
        ("strength", np.float64),  # unsigned [0,1], NaN = unknown
        ("trend_sign", np.int8),
        ("dow_up", np.int32),
        ("dow_down", np.int32),
        ("vwap_slope", np.float64),  # ticks per bar
        ("momentum", np.float64),
        ("range_low", np.int32),
        ("range_high", np.int32),
        ("range_bias", np.int8),
        ("choppy", np.uint8),
        ("allow_long", np.uint8),
        ("allow_short", np.uint8),
        ("market_size", np.float64),
    ],
    align=True,
)


def init(record: Any, params: RegimeParams) -> None:
    """Make `record` a regime that knows nothing."""
    record[...] = np.zeros((), REGIME_DTYPE)
    record["p_min_days"] = params.min_days
    record["p_transition_ns"] = round(params.transition_min * MINUTE_NS)
    record["p_vix_age_ns"] = round(params.vix_max_age_hours * 60 * MINUTE_NS)
    record["p_vix"] = (params.vix_low, params.vix_high, params.vix_extreme)
    record["p_ratio"] = (params.ratio_low, params.ratio_high, params.ratio_extreme)
    for name in ("vix", "vix_ring", "atr_percentile", "atr_ratio", "volatility_quality", "volatility_trend"):
        record[name] = np.nan
    for name in ("market_quality", "strength", "vwap_slope", "momentum", "market_size"):
        record[name] = np.nan
    for name in ("volatility", "volatility_base", "volatility_pending", "market"):
        record[name] = -1


@kernel
def on_vix(s: Record, px: int, ts: int) -> None:
    """Take a VIX value in hundredths of a point."""
    s["regime"]["vix"] = px / 100.0
    s["regime"]["vix_ts"] = ts


@kernel
def on_session(s: Record) -> None:
    """A new trading day starts a new row of the phase table."""
    r = s["regime"]
    r["days"] += 1
    row = r["days"] % DAY_ROWS
    for i in range(PHASE_SLOTS):
        r["phase_sum"][row, i] = 0.0
        r["phase_count"][row, i] = 0


@kernel
def on_bar_close(s: Record, tf: int) -> None:
    """Measure both regimes when their timeframe closes."""
    if tf != max(TF_5M, s["clock"]["base"]):
        return
    r, t = s["regime"], s["tf"][tf]
    bar = bar_at(t, 0)
    if r["vix"] == r["vix"] and bar["end"] - r["vix_ts"] > r["p_vix_age_ns"]:
        r["vix"] = np.nan
    if bar["atr"] == bar["atr"]:
        _measure(r, bar["atr"], s["clock"]["phase"])
    _classify(r, bar["end"])
    trend.on_bar_close(s, tf)


@kernel
def _measure(r: Record, atr: float, phase: int) -> None:
    """Set ratio, percentile and trend of volatility; today's phase joins the table afterwards."""
    r["atr_ratio"], r["ratio_is_rolling"] = _ratio(r, atr, phase)
    n = r["atr_n"]
    known = min(n, ATR_HISTORY)
    if known >= ATR_HISTORY_MIN:
        below, equal = 0, 0
        for i in range(known):
            if r["atr_history"][i] < np.float32(atr):
                below += 1
            elif r["atr_history"][i] == np.float32(atr):
                equal += 1
        r["atr_percentile"] = (below + 0.5 * equal) / known
    r["atr_history"][n % ATR_HISTORY] = atr
    r["atr_ring"][n % 64] = atr
    r["vix_ring"][n % 8] = r["vix"]
    r["atr_n"] = n + 1
    r["volatility_trend"] = np.nan
    if r["atr_n"] >= SLOPE_BARS:
        # ATR in points, so that both slopes are in the points per bar the limits are meant in.
        r["volatility_trend"] = 0.5 * (
            _slope(r["vix_ring"], n, 8) + 10.0 * 0.25 * _slope(r["atr_ring"], n, 64)
        )
    if 0 <= phase < PHASE_SLOTS:
        row = r["days"] % DAY_ROWS
        r["phase_sum"][row, phase] += atr
        r["phase_count"][row, phase] += 1


@kernel
def _ratio(r: Record, atr: float, phase: int) -> tuple[float, int]:
    """Return (ATR over its reference, 1 if the reference is the mean of the last 50 values)."""
    total, count, days = 0.0, 0, 0
    if 0 <= phase < PHASE_SLOTS:
        for d in range(1, DAY_ROWS):
            row = (r["days"] - d) % DAY_ROWS
            if d <= r["days"] and r["phase_count"][row, phase] > 0:
                total += r["phase_sum"][row, phase]
                count += r["phase_count"][row, phase]
                days += 1
    if days >= r["p_min_days"]:
        return atr * count / total, 0
    if r["atr_n"] < ROLLING:
        return np.nan, 0
    total = 0.0
    for i in range(ROLLING):
        total += r["atr_ring"][(r["atr_n"] - 1 - i) % 64]
    return atr * ROLLING / total, 1


@kernel
def _slope(ring: Any, newest: int, size: int) -> float:
    """Return the least-squares slope of the newest five values, per bar."""
    total = 0.0
    for i in range(SLOPE_BARS):
        total += (i - 2.0) * ring[(newest - SLOPE_BARS + 1 + i) % size]
    return total / 10.0


@kernel
def _classify(r: Record, ts: int) -> None:
    vix, ratio = r["vix"], r["atr_ratio"]
    if vix != vix and ratio != ratio:
        r["volatility"] = r["volatility_base"] = r["volatility_pending"] = -1
        return
    # A comparison with NaN is false: what is unknown declares nothing.
    if vix > r["p_vix"][2] or ratio > r["p_ratio"][2]:
        raw = V_EXTREME
    elif vix > r["p_vix"][1] or ratio > r["p_ratio"][1]:
        raw = V_HIGH
    elif vix < r["p_vix"][0] and ratio < r["p_ratio"][0]:
        raw = V_LOW
    else:
        raw = V_NORMAL
    half_known = vix != vix or ratio != ratio or r["ratio_is_rolling"]
    r["volatility_quality"] = 0.5 if half_known else 1.0
    if r["volatility_base"] < 0:
        r["volatility"] = r["volatility_base"] = r["volatility_pending"] = raw
        r["volatility_since"] = ts
        return
    if raw != r["volatility_pending"]:
        r["volatility_pending"], r["volatility_since"] = raw, ts
        r["volatility"] = V_TRANSITION
    if r["volatility"] == V_TRANSITION and ts - r["volatility_since"] >= r["p_transition_ns"]:
        r["volatility"] = r["volatility_base"] = r["volatility_pending"]
