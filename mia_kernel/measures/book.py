"""What the book says: imbalance, spread, liquidity, order-flow imbalance, micro-price."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.measures.spec import FLAG, GONE, OPEN, POSITIVE, SHARE, SIGNED, m
from mia_kernel.state import microprice
from mia_kernel.state.book import HISTORY, ofi_over
from mia_kernel.state.micro import A_SPREAD, EVENTS

MINUTE = 60_000_000_000

MEASURES = (
    m("obi_level1", "–", SIGNED, "odd", "§6.1", "sizes at the best prices", "book"),
    m("obi_depth", "–", SIGNED, "odd", "§6.1", "five levels, each counting 0.8 of the one before", "book"),
    m("obi_volume_share", "–", SHARE, "share", "§6.1", "bid share of five levels; 0.5 is balanced", "book"),
    m("obi_volume_ratio", "ratio", POSITIVE, "ratio", "§6.1", "bid over ask size of five levels", "book"),
    m("bid_ask_spread_ticks", "ticks", POSITIVE, "even", "§6.1", "spread at the newest second", "book"),
    m("bid_ask_spread_bps", "bp", POSITIVE, "even", "§6.1", "the same in hundredths of a percent", "book"),
    m("obi_liquidity", "–", SHARE, "even", "§6.1", "depth against the last 50 seconds; a steady full book reads 0.65", "book"),
    m("ofi_1s", "contracts", OPEN, "odd", "§6.2", "order-flow imbalance of the last closed second", "book"),
    m("ofi_10s", "contracts", OPEN, "odd", "§6.2", "of ten seconds", "book"),
    m("ofi_60s", "contracts", OPEN, "odd", "§6.2", "of sixty seconds", "book"),
    m("weighted_mid_offset_ticks", "ticks", OPEN, "odd", "§6.2", "weighted mid less mid", "book"),
    m("micro_price_offset_ticks", "ticks", OPEN, "odd", "§6.2; Stoikov 2018", "micro-price less mid, once estimated", "book"),
    m("spread_ratio", "ratio", POSITIVE, "even", "§6.6", "spread against the 30 seconds before", "book"),
    m("spread_anomaly_detected", "flag", FLAG, "even", "§6.6", "one within the last minute", "book"),
    m("wide_spread_share", "–", SHARE, "even", "§6.6", "share of anomalous spreads in the last 5 minutes", "book"),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`. A book older than its limit makes them stale."""
    k, x, now = s["book"], s["micro"], s["clock"]["now"]
    nothing = np.nan
    if k["has"] and now - k["ts"] > k["p_obi_stale_ns"]:
        nothing = GONE
    if not k["has"] or nothing == GONE or k["sample_n"] == 0:
        for i in range(15):
            out[at + i] = nothing
        return
    out[at], out[at + 1] = k["level1"], k["depth"]
    out[at + 2], out[at + 3] = k["volume_share"], k["volume_ratio"]
    out[at + 4], out[at + 5], out[at + 6] = k["spread_ticks"], k["spread_bps"], k["liquidity"]
    out[at + 7] = ofi_over(k, 1)
    out[at + 8] = ofi_over(k, 10) if k["sample_n"] >= HISTORY else np.nan
    out[at + 9] = ofi_over(k, 60) if k["sample_n"] >= 60 else np.nan
    bid, ask, width = float(k["b"][0]), float(k["a"][0]), float(k["ask"] - k["bid"])
    out[at + 10] = 0.5 * width * (bid - ask) / (bid + ask)
    out[at + 11] = microprice.adjustment(x["microprice"], k)
    out[at + 12] = x["spread_ratio"]
    out[at + 13] = _recent(x, now) if x["spread_n"] > 30 else np.nan
    out[at + 14] = x["wide_n"] / min(x["spread_n"], 300) if x["spread_n"] > 30 else np.nan


@kernel
def _recent(x: Record, now: int) -> float:
    for j in range(min(x["event_n"], EVENTS)):
        i = (x["event_n"] - 1 - j) % EVENTS
        if now - x["event_ts"][i] > MINUTE:
            return 0.0
        if x["event_kind"][i] == A_SPREAD:
            return 1.0
    return 0.0
