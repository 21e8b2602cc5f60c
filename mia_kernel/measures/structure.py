"""What price has built: VWAP and its trend, Battle Navale and balls, pullback, timeframes."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features import mtf_confluence, pullback_quality, vwap_trend
from mia_kernel.measures.spec import FLAG, OPEN, SHARE, SIGNED, m
from mia_kernel.state import profile
from mia_kernel.state.fomo import fomo

FRAMES = ("1m", "5m", "15m", "1h", "4h")

MEASURES = (
    m("vwap_slope", "ticks/bar", OPEN, "odd", "§14", "of 10 base bars"),
    m("vwap_distance_sd", "deviations", OPEN, "odd", "§14", "price less VWAP in SD1"),
    m("vwap_agreement", "–", SIGNED, "odd", "§14", "regression of closes agrees with the slope"),
    m("vwap_swings", "–", SIGNED, "odd", "§14", "highs and lows of 20 bars rise or fall"),
    m("vwap_fit", "–", SHARE, "even", "§14", "R² of 10 closes"),
    m("vwap_mean_reversion", "flag", FLAG, "even", "§14", "price is beyond two deviations"),
    m("battle_outcome", "–", SIGNED, "odd", "§7.1", "Vikings against Defenders over five bars, 2o − 1"),
    m("battle_score", "–", SIGNED, "odd", "§7.4", "score A of the signal timeframe"),
    m("battle_confidence", "–", SHARE, "even", "§7.4", "mean of the known parts"),
    m("golden_rule", "–", SIGNED, "odd", "§7.3", "signed continuation of the governing base"),
    m("base_quality", "–", SHARE, "even", "§7.2", "of the governing base"),
    m("pattern_completeness", "–", SHARE, "even", "§8.1", "largest share of conditions met among the four patterns"),
    m("ball_streak", "balls", OPEN, "odd", "§8.2", "consecutive balls of the trend's colour"),
    m("ball_trend", "–", SIGNED, "odd", "§8.2", "± weight of maturity"),
    m("ball_compression", "flag", FLAG, "even", "§8.2", "both streaks are three or more"),
    m("ball_pullback", "–", OPEN, "even", "§8.2", "depth of the pullback in the last leg"),
    m("pullback_side", "–", SIGNED, "odd", "§14", "side of the trend the pullback is in"),
    m("pullback_depth", "–", OPEN, "even", "§14", "share of the leg given back"),
    m("pullback_depth_factor", "–", SHARE, "even", "§14", "1 between .382 and .5"),
    m("pullback_effort_factor", "–", SHARE, "even", "§14", "volume and delta fade on the way back"),
    m("pullback_hold_factor", "–", SHARE, "even", "§14", "holds the swing, base or band"),
    m("pullback_time_factor", "–", SHARE, "even", "§14", "patience: leg bars over retrace bars"),
    m("pullback_rejection_factor", "–", SHARE, "even", "§14", "closed in the trend's outer third"),
    m("fomo", "flag", FLAG, "even", "§14", "an entry on the trend's side would chase"),
    *(m(f"mtf_{f}_strength", "–", SIGNED, "odd", "§9", f"strength on {f}") for f in FRAMES),
    *(m(f"mtf_{f}_quality", "–", SHARE, "even", "§9", f"quality on {f}") for f in FRAMES),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`."""
    _vwap(s, out, at)
    k = s["clock"]["signal"]
    t, w = s["tf"][k], s["battle"][k]
    out[at + 6] = 2.0 * w["outcome"] - 1.0
    out[at + 7], out[at + 8], out[at + 9] = w["score"], w["confidence"], w["k"]
    out[at + 10] = w["base_quality"] if w["has_base"] else np.nan
    out[at + 11] = w["completeness"]
    for i in range(12, 24):
        out[at + i] = np.nan
    if w["bars"] > 0:
        streak = w["up_streak"] if w["up_streak"] >= w["down_streak"] else -w["down_streak"]
        out[at + 12] = 0.0 if w["up_streak"] == w["down_streak"] else streak
        out[at + 13], out[at + 14], out[at + 15] = w["ball_trend"], w["compression"], w["pullback"]
    if w["green_n"] >= 2 and w["red_n"] >= 2 and s["regime"]["market"] >= 0:
        side = pullback_quality.side_of(w, s["regime"])
        out[at + 16] = side
        if side != 0:
            depth, f_d, f_v, f_h, f_t, f_r = pullback_quality.factors(t, w, side)
            out[at + 17], out[at + 18], out[at + 19] = depth, f_d, f_v
            out[at + 20], out[at + 21], out[at + 22] = f_h, f_t, f_r
            out[at + 23] = fomo(t, w, float(s["clock"]["price"]), side)
    strength, quality = mtf_confluence.frames(s)
    for i in range(5):
        out[at + 24 + i] = strength[i]
        out[at + 29 + i] = quality[i] if strength[i] == strength[i] else np.nan


@kernel
def _vwap(s: Record, out: np.ndarray, at: int) -> None:
    slope, _, _, agree, swings, fit = vwap_trend.parts(s)
    out[at], out[at + 2], out[at + 3], out[at + 4] = slope, agree, swings, fit
    vwap, sd = profile.vwap(s["profile"]["anchor"][0])
    out[at + 1] = out[at + 5] = np.nan
    if slope == slope and vwap == vwap and s["clock"]["has_price"]:
        out[at + 1] = (s["clock"]["price"] - vwap) / max(sd, 1.0)
        out[at + 5] = 1.0 if abs(out[at + 1]) > 2.0 else 0.0
