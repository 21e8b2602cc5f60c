"""What stands beside the tape: NQ, option chain, and how our own last order went."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.measures.spec import FLAG, GONE, OPEN, POSITIVE, SHARE, SIGNED, m
from mia_kernel.state import cross, options
from mia_kernel.state.bars import bar_at

MEASURES = (
    m("es_nq_corr_30", "–", SIGNED, "even", "§14", "correlation of 30 base returns", "second"),
    m("es_nq_corr_60", "–", SIGNED, "even", "§14", "of 60, the one that is used", "second"),
    m("es_nq_corr_120", "–", SIGNED, "even", "§14", "of 120", "second"),
    m("es_nq_beta_60", "ratio", OPEN, "even", "§14", "ES return per NQ return", "second"),
    m("es_nq_divergence", "deviations", OPEN, "odd", "§14", "5-bar residual of ES; beyond 2 they diverge", "second"),
    m("es_nq_diverges", "flag", FLAG, "even", "§14", "it is beyond 2", "second"),
    m("es_nq_lead_lag", "bars", (-5.0, 5.0), "even", "§14", "lag of the largest correlation; above 0 NQ leads", "second"),
    m("es_nq_hayashi_yoshida", "–", SIGNED, "even", "§14; Hayashi, Yoshida 2005", "correlation of tick changes without a grid", "second", "trades"),
    m("total_gamma_exposure", "USD per 1 %", OPEN, "even", "§12", "net gamma of dealers under the sign assumption", "options"),
    m("dealer_gamma_position", "–", SIGNED, "even", "§12", "long, short, or neutral within 3 % of gross", "options"),
    m("gamma_flip_level", "ticks", POSITIVE, "price", "§12", "zero-gamma price of the future", "options"),
    m("call_wall", "ticks", POSITIVE, "price", "§12", "call wall mapped to the future", "options"),
    m("put_wall", "ticks", POSITIVE, "price", "§12", "put wall mapped to the future", "options"),
    m("term_structure_slope", "vol/year", OPEN, "even", "§12", "at-the-money volatility over maturity", "options"),
    m("vol_skew_25_delta", "vol", OPEN, "even", "§12", "25-delta put less call volatility", "options"),
    m("put_call_ratio", "ratio", POSITIVE, "ratio", "§12", "of open interest", "options"),
    m("put_call_volume_ratio", "ratio", POSITIVE, "ratio", "§12", "of today's volume", "options"),
    m("unusual_options_activity", "–", SHARE, "even", "§12", "share of volume in contracts traded over 3 times their open interest", "options"),
    m("gamma_pin", "–", SHARE, "even", "§11", "how strongly a near wall holds price under long gamma", "options"),
    m("execution_time_ms", "ms", POSITIVE, "even", "§19", "submit to last fill of the newest entry"),
    m("slippage_ticks", "ticks", OPEN, "even", "§19", "fill against the decision's mid; above 0 is worse"),
    m("fill_quality", "–", SHARE, "even", "§19", "1 − slippage/4, by the filled share"),
    m("market_impact", "ticks", OPEN, "even", "§19", "move of the mid in the 10 s after it, on its side", "book"),
    m("bid_ask_spread", "ticks", POSITIVE, "even", "§19", "spread when it was sent", "book"),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`."""
    x, a, z = s["cross"], s["account"], s["micro"]
    out[at], out[at + 1], out[at + 2] = x["corr30"], x["corr60"], x["corr120"]
    out[at + 3], out[at + 4] = x["beta60"], x["divergence"]
    out[at + 5] = out[at + 6] = np.nan
    if x["divergence"] == x["divergence"]:
        out[at + 5] = 1.0 if abs(x["divergence"]) > 2.0 else 0.0
        out[at + 6] = x["lead_lag"]
    out[at + 7] = cross.hayashi_yoshida(x)
    _chain(s, out, at + 8)
    for i in range(5):
        out[at + 19 + i] = np.nan
    if a["entries"] > 0:
        out[at + 19], out[at + 20], out[at + 21] = (
            a["execution_time_ms"],
            a["slippage_ticks"],
            a["fill_quality"],
        )
        out[at + 22], out[at + 23] = z["impact_ticks"], z["impact_spread"]


@kernel
def _chain(s: Record, out: np.ndarray, at: int) -> None:
    o, t = s["options"], s["tf"][s["clock"]["base"]]
    if not o["has"] or not options.is_fresh(o, s["clock"]["now"]):
        for i in range(11):
            out[at + i] = GONE if o["has"] else np.nan
        return
    out[at], out[at + 1] = o["total_gamma_exposure_usd"], o["dealer_gamma_position"]
    out[at + 2], out[at + 3], out[at + 4] = o["gamma_flip_ticks"], o["call_wall_ticks"], o["put_wall_ticks"]
    out[at + 5], out[at + 6] = o["term_structure_slope"], o["vol_skew_25_delta"]
    out[at + 7], out[at + 8] = o["put_call_ratio"], o["put_call_volume_ratio"]
    out[at + 9] = o["unusual_share"]
    rvol = bar_at(t, 0)["rvol"] if t["n"] > 0 else np.nan
    out[at + 10] = options.pin(o, s["clock"]["price"], rvol) if s["clock"]["has_price"] else np.nan
