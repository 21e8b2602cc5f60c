"""What the clock and the calendars say: phase, time left, quality, season, events, gamma cycle."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.core.phases import PHASES
from mia_kernel.measures.spec import FLAG, OPEN, POSITIVE, SHARE, m
from mia_kernel.state import season
from mia_kernel.state.bars import bar_at
from mia_kernel.state.micro import SPREADS

MINUTE = 60_000_000_000
FIVE_MINUTES = 300
SIZES = tuple(phase.size_multiplier for phase in PHASES)
THRESHOLDS = tuple(
    np.nan if p.minimum_confluence_percent is None else p.minimum_confluence_percent for p in PHASES
)

MEASURES = (
    m("session_phase", "code", (0.0, 11.0), "even", "§3", "asia, london, pre_market, ny_open, morning, lunch, afternoon, power_hour, post, closed"),
    m("time_since_open_minutes", "min", POSITIVE, "even", "§3", "since the RTH open, within RTH"),
    m("time_to_close_minutes", "min", POSITIVE, "even", "§3", "to the RTH close, within RTH"),
    m("session_time_ratio", "–", SHARE, "even", "§3", "elapsed share of the trading day"),
    m("phase_size_multiplier", "ratio", POSITIVE, "even", "§3", "size of the phase"),
    m("phase_threshold_percent", "%", (0.0, 100.0), "even", "§3", "advisory confluence percent of the phase"),
    m("session_quality", "–", SHARE, "even", "§3", "volume, spread, volatility and phase; all four must be known", "book"),
    m("market_stress_indicator", "–", SHARE, "even", "§13", "mean of what is known of VIX, ATR ratio and wide spreads"),
    m("economic_events_today", "count", POSITIVE, "even", "§3", "events of the trading day in the user's calendar", "calendar"),
    m("high_impact_event_today", "flag", FLAG, "even", "§3", "one of them is of high impact", "calendar"),
    m("high_impact_minutes", "min", POSITIVE, "even", "§18.3", "distance to the nearest of high impact; 1,440: none today", "calendar"),
    m("seasonal_bias", "%", OPEN, "odd", "§3", "own mean return of this weekday's phase, from 30 on"),
    m("seasonal_half_width", "%", POSITIVE, "even", "§3", "half of its 95 % interval"),
    m("seasonal_n", "count", POSITIVE, "even", "§3", "phases it was measured on"),
    m("gamma_phase", "code", (0.0, 4.0), "even", "§12", "post_expiry, expiry_week, gamma_peak, gamma_moderate, normal"),
    m("days_to_monthly_expiry", "days", POSITIVE, "even", "§12", "cash days to the next monthly expiry"),
    m("days_since_monthly_expiry", "days", POSITIVE, "even", "§12", "cash days since the last one"),
    m("days_to_weekly_expiry", "days", POSITIVE, "even", "§12", "cash days to the next Friday expiry that is no monthly"),
    m("gamma_confidence_factor", "ratio", POSITIVE, "even", "§12", "factor of the phase; shown, not applied by default"),
    m("gamma_size_factor", "ratio", POSITIVE, "even", "§12", "factor of the phase; shown, not applied by default"),
    m("weekly_expiry", "flag", FLAG, "even", "§12", "a Friday expiry that is no monthly"),
    m("zero_dte", "flag", FLAG, "even", "§12", "an SPXW expiry today, not yet settled"),
    m("quarterly_expiry", "flag", FLAG, "even", "§12", "monthly of March, June, September, December"),
    m("vix_expiry", "flag", FLAG, "even", "§12", "VIX options settle"),
    m("am_settled_last_trade", "flag", FLAG, "even", "§12", "last day of the AM-settled monthly"),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`."""
    c, row, n = s["clock"], s["session"], s["season"]
    now, phase = c["now"], c["phase"]
    in_rth = row["has_rth"] and row["rth_open_ns"] <= now < row["rth_close_ns"]
    out[at] = phase
    out[at + 1] = (now - row["rth_open_ns"]) / MINUTE if in_rth else np.nan
    out[at + 2] = (row["rth_close_ns"] - now) / MINUTE if in_rth else np.nan
    share = (now - row["open_ns"]) / (row["close_ns"] - row["open_ns"])
    out[at + 3] = min(max(share, 0.0), 1.0)
    out[at + 4], out[at + 5] = SIZES[phase], THRESHOLDS[phase]
    out[at + 6] = quality(s, SIZES[phase])
    out[at + 7] = stress(s)
    _events(n, now, out, at + 8)
    bias, half, count = season.seasonal(n, row["weekday"], phase)
    out[at + 11], out[at + 12], out[at + 13] = bias, half, count
    _cycle(n["cycle"][1 if now >= n["settles_ns"] else 0], out, at + 14)


@kernel
def quality(s: Record, phase_size: float) -> float:
    """Return 0.30·volume + 0.20·spread + 0.25·volatility + 0.25·phase, NaN with any part unknown."""
    t, x, p = s["tf"][s["clock"]["base"]], s["micro"], s["regime"]["atr_percentile"]
    if t["n"] == 0 or x["spread_n"] < FIVE_MINUTES:
        return np.nan
    volume = min(bar_at(t, 0)["rvol"], 1.0) if bar_at(t, 0)["rvol"] == bar_at(t, 0)["rvol"] else np.nan
    spread = x["one_tick_n"] / SPREADS
    return 0.30 * volume + 0.20 * spread + 0.25 * (1.0 - abs(2.0 * p - 1.0)) + 0.25 * min(phase_size, 1.0)


@kernel
def stress(s: Record) -> float:
    """Return the mean of the known among clip((VIX−15)/20), clip(ATR ratio − 1) and the share of wide spreads."""
    r, x = s["regime"], s["micro"]
    total, known = 0.0, 0
    if r["vix"] == r["vix"]:
        total += min(max((r["vix"] - 15.0) / 20.0, 0.0), 1.0)
        known += 1
    if r["atr_ratio"] == r["atr_ratio"]:
        total += min(max(r["atr_ratio"] - 1.0, 0.0), 1.0)
        known += 1
    if x["spread_n"] >= FIVE_MINUTES:
        total += x["wide_n"] / SPREADS
        known += 1
    return total / known if known > 0 else np.nan


@kernel
def _events(n: Record, now: int, out: np.ndarray, at: int) -> None:
    out[at] = out[at + 1] = np.nan
    out[at + 2] = season.high_impact_minutes(n, now)
    if n["has_events"]:
        high = 0
        for i in range(n["event_n"]):
            high += 1 if n["event_impact"][i] == season.HIGH else 0
        out[at], out[at + 1] = n["event_n"], 1.0 if high > 0 else 0.0


@kernel
def _cycle(cycle: Record, out: np.ndarray, at: int) -> None:
    if cycle["phase"] < 0:
        for i in range(11):
            out[at + i] = np.nan
        return
    out[at] = cycle["phase"]
    out[at + 1], out[at + 2] = cycle["days_to_monthly"], cycle["days_since_monthly"]
    out[at + 3] = cycle["days_to_weekly"]
    out[at + 4], out[at + 5] = cycle["confidence_factor"], cycle["size_factor"]
    out[at + 6], out[at + 7], out[at + 8] = cycle["weekly"], cycle["zero_dte"], cycle["quarterly"]
    out[at + 9], out[at + 10] = cycle["vix_expiry"], cycle["am_settled_last_trade"]
