"""VWAP trend: slope of the session's VWAP, where price stands to it, and agreement of closes and swings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import CLOSE, HIGH, LOW, clip, regression, sign
from mia_kernel.state.bars import bar_at

SLOPE_BARS, STD_BARS, SWING_BARS = 10, 100, 20
READY_NS = 30 * 60 * 1_000_000_000


@feature("vwap_trend")
@kernel
def vwap_trend(st: Any, cells: Any, at: int) -> None:
    """0.30·tanh(s/σ) + 0.25·clip((C−VWAP)/SD1,±2)/2 + 0.25·A + 0.20·W on `vwap_eth`, base timeframe.

    s = (VWAP0 − VWAP−10)/10; σ = max(0.1, std of s over 100 bars, or of those there are, at least 20);
    A = sign of the 10-bar regression of C if it agrees with s; W = mean sign of the 20-bar regressions of H
    and L. Unit: none, in [−1, 1]. Ready 30 minutes after the anchor with 10 bars of the same session.
    Quality: R² of the 10-bar regression. Source: domain §14.
    """
    slope, pull, distance, agree, swings, fit = parts(st[0])
    if slope != slope:
        refuse(cells[at], NOT_READY)
    else:
        put(cells[at], 0.30 * pull + 0.25 * distance + 0.25 * agree + 0.20 * swings, fit)


@kernel
def parts(s: Record) -> tuple[float, float, float, float, float, float]:
    """Return (slope in ticks a bar, tanh(s/σ), clipped distance/2, A, W, R²); all NaN while not ready."""
    t = s["tf"][s["clock"]["base"]]
    nothing = (np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    if t["n"] < SWING_BARS + 1:
        return nothing
    bar, before = bar_at(t, 0), bar_at(t, SLOPE_BARS)
    since_anchor = bar["end"] - s["session"]["anchor_ns"]
    if before["day"] != bar["day"] or since_anchor < READY_NS or bar["vwap"] != bar["vwap"]:
        return nothing
    slope = (bar["vwap"] - before["vwap"]) / SLOPE_BARS
    trend, fit = regression(t, CLOSE, SLOPE_BARS, 0)
    highs, lows = regression(t, HIGH, SWING_BARS, 0)[0], regression(t, LOW, SWING_BARS, 0)[0]
    distance = clip((bar["close"] - bar["vwap"]) / max(bar["vwap_sd"], 1.0), 2.0) / 2.0
    agree = float(sign(trend)) if sign(trend) == sign(slope) else 0.0
    swings = (sign(highs) + sign(lows)) / 2.0
    return slope, math.tanh(slope / max(0.1, _slope_std(t))), distance, agree, swings, fit


@kernel
def _slope_std(t: Record) -> float:
    """Return the standard deviation of the VWAP slope over up to 100 bars of single sessions."""
    n, total, squares = 0, 0.0, 0.0
    for j in range(STD_BARS):
        if j + SLOPE_BARS >= min(t["n"], 256):
            break
        bar, before = bar_at(t, j), bar_at(t, j + SLOPE_BARS)
        if bar["day"] == before["day"] and before["vwap"] == before["vwap"]:
            slope = (bar["vwap"] - before["vwap"]) / SLOPE_BARS
            total += slope
            squares += slope * slope
            n += 1
    if n < SWING_BARS:
        return 0.1
    return np.sqrt(max(squares / n - (total / n) ** 2, 0.0))
