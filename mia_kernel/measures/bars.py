"""What closed bars say: range, volatility, relative volume, trend, regimes."""

from __future__ import annotations

import math

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.measures.spec import FLAG, OPEN, POSITIVE, SHARE, SIGNED, m
from mia_kernel.state import headfake, trend
from mia_kernel.state.bars import TF_5M, bar_at

REALISED_RETURNS = 30
YEAR_MINUTES_RTH, YEAR_MINUTES_FULL = 252 * 390.0, 252 * 1380.0

MEASURES = (
    m("atr_14", "ticks", POSITIVE, "even", "§5", "Wilder's average true range of 14 bars of 5m"),
    m("realized_volatility", "share/year", POSITIVE, "even", "§5", "30 base returns, annualised by their session's hours"),
    m("trend_strength", "–", SHARE, "even", "§13", "strength of the market regime over 50 bars of 5m"),
    m("trend_sign", "–", SIGNED, "odd", "§13", "side of that trend"),
    m("volume_relative", "ratio", POSITIVE, "even", "§5", "newest base bar against its time of day, else 20 bars"),
    m("overnight_gap_percent", "%", OPEN, "odd", "§3", "RTH open against the previous RTH close, within RTH"),
    m("atr_ratio", "ratio", POSITIVE, "even", "§13", "ATR against the same phase of the last days"),
    m("atr_percentile", "–", SHARE, "even", "§13", "rank of ATR within 20 trading days"),
    m("volatility_trend", "points/bar", OPEN, "even", "§13", "slopes of VIX and ATR: above 0.5 rising, above 2 explosive", "vix"),
    m("vix_level", "points", POSITIVE, "even", "§13", "the newest VIX in force", "vix"),
    m("session_range_percentile", "–", SHARE, "even", "§13", "range so far among the 60 sessions before, at this minute"),
    m("market_size_multiplier", "ratio", POSITIVE, "even", "§13", "size the market regime allows"),
    m("choppy", "flag", FLAG, "even", "§13", "four or more VWAP crosses in 30 bars"),
    m("absorption_score", "–", SIGNED, "odd", "§6.3", "newest base bar: above 0 selling was absorbed", "flow"),
    m("headfake", "–", SIGNED, "odd", "§11", "newest trap within 5 signal bars, signed against the break"),
    m("market_kind", "code", (0.0, 4.0), "even", "§13", "strong trend, weak trend, range, transition, unclear"),
    m("market_allows_buy", "flag", FLAG, "even", "§13", "the market regime lets one go long"),
    m("market_allows_sell", "flag", FLAG, "even", "§13", "the market regime lets one go short"),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`."""
    r, p, c = s["regime"], s["profile"], s["clock"]
    five, t = s["tf"][max(TF_5M, c["base"])], s["tf"][c["base"]]
    out[at] = bar_at(five, 0)["atr"] if five["n"] > 0 else np.nan
    out[at + 1] = realised(s, t)
    out[at + 2] = r["strength"]
    out[at + 3] = r["trend_sign"] if r["market"] >= 0 else np.nan
    out[at + 4] = bar_at(t, 0)["rvol"] if t["n"] > 0 else np.nan
    rth = p["anchor"][1]
    # The RTH anchor keeps the session before until 09:30 starts it anew; from the close on, the close
    # that is kept is today's own, and the gap is not known any more.
    opened = (
        rth["has"] and rth["start"] >= s["session"]["rth_open_ns"] and c["now"] < s["session"]["rth_close_ns"]
    )
    gap = opened and p["has_previous"] and p["previous_close"] > 0
    out[at + 5] = 100.0 * (rth["open"] / p["previous_close"] - 1.0) if gap else np.nan
    out[at + 6], out[at + 7] = r["atr_ratio"], r["atr_percentile"]
    out[at + 8], out[at + 9] = r["volatility_trend"], r["vix"]
    out[at + 10] = s["season"]["range_percentile"]
    out[at + 11] = r["market_size"]
    out[at + 12] = r["choppy"] if r["market"] >= 0 else np.nan
    out[at + 13] = bar_at(t, 0)["absorption"] if t["n"] > 0 else np.nan
    out[at + 14] = headfake.value(s["headfake"])
    known = r["market"] >= 0
    out[at + 15] = _kind(r["market"]) if known else np.nan
    out[at + 16] = r["allow_long"] if known else np.nan
    out[at + 17] = r["allow_short"] if known else np.nan


@kernel
def _kind(market: int) -> int:
    """Return the market regime without its side, which `trend_sign` tells."""
    return market % 2 if market <= trend.DOWN_WEAK else market - 2


@kernel
def realised(s: Record, t: Record) -> float:
    """Return √(Σ r²) of 30 base returns within one session, annualised; NaN before there are 30."""
    if t["n"] < REALISED_RETURNS + 1:
        return np.nan
    if bar_at(t, REALISED_RETURNS)["day"] != bar_at(t, 0)["day"]:
        return np.nan
    total = 0.0
    for j in range(REALISED_RETURNS):
        before, after = bar_at(t, j + 1)["close"], bar_at(t, j)["close"]
        if before <= 0 or after <= 0:
            return np.nan
        total += math.log(after / before) ** 2
    year = YEAR_MINUTES_RTH if s["clock"]["is_rth"] else YEAR_MINUTES_FULL
    return math.sqrt(total * year / (REALISED_RETURNS * t["seconds"] / 60.0))
