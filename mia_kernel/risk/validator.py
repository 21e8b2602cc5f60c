"""The ordered validator: what must be true of market, score and signal before risk is asked at all.

The same shape as the limits: `(required, actual, severity)` from parameters `p`, inputs `x`, question `q`.
A gate about a signal does not apply while there is none; a gate about a side looks at the signal's, else
at the side the rule leans to. Source: domain reference, Signal, validator.
"""

from __future__ import annotations

import math

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.risk.limits import Answer


@kernel
def _at_least(required: float, actual: float) -> Answer:
    return required, actual, 0.0 if actual >= required else 3.0


@kernel
def data_quality(p: Record, x: Record, q: Record) -> Answer:
    """Require good data over the last minute."""
    return _at_least(p["min_data_quality"], x["data_quality"])


@kernel
def market_open(p: Record, x: Record, q: Record) -> Answer:
    """Require an open market: no order may be sent in break, weekend, holiday."""
    return _at_least(1.0, float(x["is_open"]))


@kernel
def coverage(p: Record, x: Record, q: Record) -> Answer:
    """Require that enough of the weights is known."""
    return _at_least(p["min_coverage"], q["coverage"])


@kernel
def grade(p: Record, x: Record, q: Record) -> Answer:
    """Require a confluence grade."""
    return _at_least(p["min_grade"], float(q["grade"]))


@kernel
def phase_threshold(p: Record, x: Record, q: Record) -> Answer:
    """Compare the percent with the phase's minimum, regime counted in."""
    limit = x["phase_threshold"]
    if limit != limit:
        return limit, q["percent"], -1.0
    return limit, q["percent"], 0.0 if q["percent"] >= limit else 3.0


@kernel
def battle_navale(p: Record, x: Record, q: Record) -> Answer:
    """Require the Battle Navale score beyond its threshold on the side asked for."""
    if p["battle_required"] == 0.0:
        return x["battle_threshold"], x["battle_score"], -1.0
    s = x["battle_score"]
    s = q["side"] * s if q["side"] != 0 else abs(s)
    return x["battle_threshold"], s, 0.0 if s > x["battle_threshold"] else 3.0


@kernel
def ball_gate(p: Record, x: Record, q: Record) -> Answer:
    """Ask the ball trend: `veto` refuses a signal against it, `require` wants one with it."""
    trend = x["ball_trend"] * q["side"]
    if p["ball_gate"] == 0.0 or q["side"] == 0:
        return 0.0, trend, -1.0
    if p["ball_gate"] == 1.0:
        # No trend yet known is no established trend: nothing to veto.
        return 0.0, trend, 3.0 if trend < 0.0 else 0.0
    return 0.0, trend, 0.0 if trend > 0.0 else 3.0


@kernel
def volatility_regime(p: Record, x: Record, q: Record) -> Answer:
    """Require a known volatility regime."""
    return 1.0, x["volatility_known"], 0.0 if x["volatility_known"] > 0.0 else 3.0


@kernel
def market_regime(p: Record, x: Record, q: Record) -> Answer:
    """Require that the market regime allows the side; unclear or not ready means wait."""
    allowed = x["allow_long"] if q["side"] > 0 else x["allow_short"]
    if q["side"] == 0:
        allowed = max(x["allow_long"], x["allow_short"])
    return _at_least(1.0, allowed)


@kernel
def spread(p: Record, x: Record, q: Record) -> Answer:
    """Require a narrow market."""
    return (
        p["gate_spread_ticks"],
        x["spread_ticks"],
        0.0 if x["spread_ticks"] <= p["gate_spread_ticks"] else 3.0,
    )


@kernel
def fomo(p: Record, x: Record, q: Record) -> Answer:
    """Refuse a trend entry that runs after the move; nothing known of the swing is nothing to refuse."""
    flag = x["fomo_long"] if q["side"] > 0 else x["fomo_short"]
    if q["side"] == 0 or flag != flag:
        return 0.0, flag, -1.0
    return 0.0, flag, 3.0 if flag > 0.0 else 0.0


@kernel
def relative_volume(p: Record, x: Record, q: Record) -> Answer:
    """Warn of thin trade."""
    return _at_least(p["min_rvol"], x["rvol"])


@kernel
def confidence(p: Record, x: Record, q: Record) -> Answer:
    """Warn of a signal that is not sure of itself."""
    if q["has_signal"] == 0:
        return p["min_confidence"], math.nan, -1.0
    return _at_least(p["min_confidence"], q["confidence"])


@kernel
def signal_gap(p: Record, x: Record, q: Record) -> Answer:
    """Note a signal that follows close upon the last."""
    since = x["since_signal_s"]
    if since != since:
        return p["min_signal_gap_s"], since, -1.0
    return _at_least(p["min_signal_gap_s"], since)


@kernel
def ml(p: Record, x: Record, q: Record) -> Answer:
    """Ask the model: no opinion is visible, and blocks only where an opinion is required."""
    if p["ml_mode"] == 0.0 or q["has_signal"] == 0:
        return p["ml_threshold"], math.nan, -1.0
    return _at_least(p["ml_threshold"], q["ml_score"])


@kernel
def entry_distance(p: Record, x: Record, q: Record) -> Answer:
    """Refuse an entry far from the mid."""
    if q["has_signal"] == 0:
        return p["max_entry_distance_ticks"], math.nan, -1.0
    away = abs(q["entry_ticks"] - x["mid_ticks"])
    return p["max_entry_distance_ticks"], away, 0.0 if away <= p["max_entry_distance_ticks"] else 3.0


@kernel
def reward_risk(p: Record, x: Record, q: Record) -> Answer:
    """Require planned reward against risk before costs; a stop on the wrong side has none."""
    if q["has_signal"] == 0:
        return p["min_reward_risk"], math.nan, -1.0
    risk = q["side"] * (q["entry_ticks"] - q["stop_ticks"])
    reward = q["side"] * (q["target_ticks"] - q["entry_ticks"])
    ratio = reward / risk if risk > 0 else -1.0
    return _at_least(p["min_reward_risk"], ratio)


@kernel
def reward_risk_after_fees(p: Record, x: Record, q: Record) -> Answer:
    """Require planned reward against risk after the fees of both sides, without slippage."""
    if q["has_signal"] == 0:
        return p["min_reward_risk_after_fees"], math.nan, -1.0
    risk = q["side"] * (q["entry_ticks"] - q["stop_ticks"]) + p["fee_ticks"]
    reward = q["side"] * (q["target_ticks"] - q["entry_ticks"]) - p["fee_ticks"]
    ratio = reward / risk if risk > p["fee_ticks"] else -1.0
    return _at_least(p["min_reward_risk_after_fees"], ratio)
