"""MTF confluence: do five timeframes agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip, mean_volume, sign
from mia_kernel.state.bars import TF_1M, TF_5M, TF_15M, bar_at
from mia_kernel.state.battle import G_BEAR, G_BULL, G_GREEN_BROKEN, G_RED_BROKEN

WEIGHTS = (0.20, 0.25, 0.25, 0.20, 0.10)
MIN_FRAMES, MIN_WEIGHT = 3, 0.60


@feature("mtf_confluence")
@kernel
def mtf_confluence(st: Any, cells: Any, at: int) -> None:
    """sgn(base)·clip(|base| + bonuses − penalty, 0, 1) over 1m 5m 15m 1h 4h, each from closed bars.

    Base = Σ w·S·K/Σ w; alignment and quality add up to 0.2 and 0.15, opposition takes up to 0.3 of it away.
    Weights shift towards short timeframes when volatility is high. Ready when three timeframes and 0.60 of
    the weight are there. Quality: Σ w·K/Σ w. Unit: none, in [−1, 1]. > 0.75 elite, > 0.35 standard, > 0.1
    weak. Source: domain §9.
    """
    s, out = st[0], cells[at]
    strength, quality = frames(s)
    p = s["regime"]["atr_percentile"]
    value, mean_quality = combine(strength, quality, p)
    if value != value:
        refuse(out, NOT_READY)
    else:
        put(out, value, mean_quality)


@kernel
def frames(s: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return strength (NaN = missing) and quality of the five timeframes, finest first."""
    strength = np.full(5, np.nan)
    quality = np.zeros(5)
    for k in range(5):
        strength[k] = _strength(s, k)
        if strength[k] == strength[k]:
            quality[k] = _quality(s, k, strength[k])
    return strength, quality


@kernel
def combine(strength: np.ndarray, quality: np.ndarray, percentile: float) -> tuple[float, float]:
    """Return (value, mean quality) of five strengths (NaN = missing) and qualities; NaN while not ready."""
    tau = 0.5 * (2.0 * percentile - 1.0) if percentile == percentile else 0.0
    weight = np.zeros(5)
    total, present, base_weight = 0.0, 0, 0.0
    for k in range(5):
        if strength[k] == strength[k]:
            weight[k] = WEIGHTS[k] * (1.0 + tau * (2 - k) / 2.0)
            total += weight[k]
            base_weight += WEIGHTS[k]
            present += 1
    if present < MIN_FRAMES or base_weight < MIN_WEIGHT - 1e-12:
        return np.nan, np.nan
    base = aligned = heavy = 0.0
    for k in range(5):
        if weight[k] > 0:
            weight[k] /= total
            base += weight[k] * strength[k] * quality[k]
            aligned += weight[k] * quality[k] * sign(strength[k])
            heavy += weight[k] * quality[k]
    a = abs(aligned) / heavy if heavy > 0 else 0.0
    bonus = 0.2 * a if a > 0.8 else (0.1 * a if a > 0.6 else 0.0)
    bonus += 0.15 * heavy if heavy > 0.8 else (0.08 * heavy if heavy > 0.6 else 0.0)
    d = _divergence(strength, weight)
    penalty = 0.3 * d if d > 0.5 else (0.15 * d if d > 0.3 else 0.0)
    return sign(base) * min(max(abs(base) + bonus - penalty, 0.0), 1.0), heavy


@kernel
def _divergence(strength: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted share of pairs that oppose with both strengths beyond 0.3."""
    against, pairs = 0.0, 0.0
    for i in range(5):
        for j in range(i + 1, 5):
            if weight[i] > 0 and weight[j] > 0:
                pairs += weight[i] * weight[j]
                if strength[i] * strength[j] < 0 and min(abs(strength[i]), abs(strength[j])) > 0.3 + 1e-12:
                    against += weight[i] * weight[j]
    return against / pairs if pairs > 0 else 0.0


@kernel
def _strength(s: Record, k: int) -> float:
    t, w = s["tf"][k], s["battle"][k]
    if t["n"] < 1:
        return np.nan
    bar = bar_at(t, 0)
    if k == TF_1M:
        if t["n"] < 4 or not bar["atr"] > 0:
            return np.nan
        momentum = clip((bar["close"] - bar_at(t, 3)["close"]) / bar["atr"], 1.0)
        flow = clip((bar["ask_volume"] - bar["bid_volume"]) / 500.0, 1.0)
        return clip(2.0 * (0.3 * momentum + 0.7 * flow), 1.0) if bar["known_volume"] > 0 else np.nan
    if k == TF_5M:
        if w["outcome"] != w["outcome"] or w["pattern"] != w["pattern"]:
            return np.nan
        return 0.4 * w["pattern"] + 0.6 * (2.0 * w["outcome"] - 1.0)
    if k == TF_15M:
        if w["has_base"] and w["base_quality"] > 0.6:
            return w["base_color"] * max(0.3, w["base_color"] * w["k"])
        return w["k"]
    return _slow(t, w, bar)


@kernel
def _slow(t: Record, w: Record, bar: Record) -> float:
    """1h and 4h: the golden rule where it is strong or broken, else a 20-bar move."""
    if w["golden"] == G_GREEN_BROKEN or w["golden"] == G_RED_BROKEN:
        return 0.0
    if w["golden"] == G_BULL and w["golden_strong"]:
        return 0.7
    if w["golden"] == G_BEAR and w["golden_strong"]:
        return -0.7
    if t["n"] < 21 or not bar["atr"] > 0:
        return np.nan
    return clip((bar["close"] - bar_at(t, 20)["close"]) / (4.0 * bar["atr"]), 1.0)


@kernel
def _quality(s: Record, k: int, strength: float) -> float:
    """K = clip(g·mean(known of base quality, relative volume, completeness), 0, 1)."""
    t, w = s["tf"][k], s["battle"][k]
    total, n = 0.0, 0
    if w["has_base"]:
        total += w["base_quality"]
        n += 1
    mean = mean_volume(t, 10)
    if mean == mean and mean > 0:
        total += min(bar_at(t, 0)["volume"] / (1.8 * mean), 1.0)
        n += 1
    if w["completeness"] == w["completeness"]:
        total += w["completeness"]
        n += 1
    if n == 0:
        return 0.0
    rule = 1 if w["golden"] == G_BULL else (-1 if w["golden"] == G_BEAR else 0)
    agrees = rule != 0 and rule == sign(strength)
    return min(max((1.15 if agrees else 1.0) * total / n, 0.0), 1.0)
