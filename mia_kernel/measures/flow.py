"""What trades say: aggression, spikes, impact, toxicity, large orders, and how late they arrive."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features import smart_money
from mia_kernel.features.stats import clip, sign
from mia_kernel.measures.spec import FLAG, OPEN, POSITIVE, SHARE, SIGNED, m
from mia_kernel.state import iceberg, micro
from mia_kernel.state.bars import bar_at
from mia_kernel.state.flow import ORDERS

BLOCK, SWEEP_LEVELS, SMALL, MANY = 500, 2, 150, 15
BEHAVIOUR_NS = 60 * 60 * 1_000_000_000
B_BLOCK, B_AGGRESSIVE, B_ICEBERG, B_STEALTH = range(4)
BEHAVIOURS = ("block", "aggressive", "iceberg", "stealth")

MEASURES = (
    m("aggression_bias", "–", SIGNED, "odd", "§5", "(buys − sells)/volume of the newest base bar", "flow"),
    m("imbalance_ratio", "–", SIGNED, "odd", "§6", "(buys − sells)/(buys + sells) of the newest base bar", "flow"),
    m("aggressive_buy_ratio", "–", SHARE, "even", "§5", "buys of buys and sells", "flow"),
    m("aggressive_sell_ratio", "–", SHARE, "even", "§5", "sells of buys and sells", "flow"),
    m("net_delta", "contracts", OPEN, "odd", "§6", "buys less sells of the newest base bar", "flow"),
    m("cumulative_delta", "contracts", OPEN, "odd", "§5", "since 18:00", "flow"),
    m("volume_spike_ratio", "ratio", POSITIVE, "even", "§6.6", "newest base bar against the mean of 30 before"),
    m("volume_spike_detected", "flag", FLAG, "even", "§6.5", "that ratio is above 3"),
    m("flow_anomaly_sigma", "deviations", OPEN, "odd", "§6.6", "delta of the newest base bar against the 30 before", "flow"),
    m("flow_anomaly_detected", "flag", FLAG, "even", "§6.6", "it is beyond 2.5", "flow"),
    m("kyle_lambda", "ticks/contract", OPEN, "even", "§6.2", "slope of price change on signed volume this session", "flow"),
    m("kyle_r2", "–", SHARE, "even", "§6.2", "how much of the price change it explains", "flow"),
    m("vpin", "–", SHARE, "even", "§6.2", "one-sided share of volume, 50 buckets; shown, never weighed"),
    m("orderflow_composite", "–", SIGNED, "odd", "§6.2", "volume, delta, footprint and book; needs all four", "flow", "book"),
    m("large_orders_bias", "–", SIGNED, "odd", "§10", "net side of large orders over 15 min", "flow", "trades"),
    m("large_orders_count", "count", POSITIVE, "even", "§10", "large orders within 15 min", "flow", "trades"),
    m("large_orders_intensity", "–", SHARE, "even", "§10", "their volume of 500 contracts", "flow", "trades"),
    m("large_orders_persistence", "–", SHARE, "even", "§10", "share of 3-minute periods on the net side", "flow", "trades"),
    m("large_orders_alignment", "–", SHARE, "even", "§10", "nearness of price to any level", "flow", "trades"),
    m("large_orders_impact_ticks", "ticks", OPEN, "even", "§10", "size-weighted ticks a large order moved through", "flow", "trades"),
    m("block_share", "–", SHARE, "even", "§10", "blocks among the large orders of the last hour", "flow", "trades"),
    m("sweep_share", "–", SHARE, "even", "§10", "sweeps of two levels or more among them", "flow", "trades"),
    m("smart_behaviour", "code", (0.0, 3.0), "even", "§10", "block, aggressive, iceberg, stealth", "flow", "trades"),
    m("iceberg_count", "count", POSITIVE, "even", "§10", "inferred refills of the last hour", "book", "flow", "trades"),
    m("iceberg_bias_contracts", "contracts", OPEN, "odd", "§10", "executed against hidden buyers less hidden sellers", "book", "flow", "trades"),
    m("latency_p50_us", "µs", POSITIVE, "even", "§4", "exchange to here over 5 minutes", "trades"),
    m("latency_p95_us", "µs", POSITIVE, "even", "§4", "the same, upper edge of its bin", "trades"),
    m("latency_p99_us", "µs", POSITIVE, "even", "§4", "the same, upper edge of its bin", "trades"),
    m("smart_signal", "code", (0.0, 3.0), "even", "§10", "neutral, rotation, accumulation or distribution, institutional; side: large_orders_bias", "flow", "trades"),
    m("smart_confidence", "–", SHARE, "even", "§10", "confidence in the net flow of large orders; to act on from 0.6", "flow", "trades"),
)  # fmt: skip


@kernel
def fill(s: Record, out: np.ndarray, at: int) -> None:
    """Write the group's values; see `spec`."""
    x, t, now = s["micro"], s["tf"][s["clock"]["base"]], s["clock"]["now"]
    for i in range(30):
        out[at + i] = np.nan
    if t["n"] > 0:
        _newest(s, bar_at(t, 0), out, at)
    out[at + 6], out[at + 8] = x["volume_ratio"], x["flow_sigma"]
    if x["volume_ratio"] == x["volume_ratio"]:
        out[at + 7] = 1.0 if x["volume_ratio"] > x["p_volume"] else 0.0
    if x["flow_sigma"] == x["flow_sigma"]:
        out[at + 9] = 1.0 if abs(x["flow_sigma"]) > x["p_flow"] else 0.0
    out[at + 10], out[at + 11] = micro.kyle(x)
    out[at + 12] = micro.vpin(x)
    if smart_money.is_ready(s, now):
        _large(s, now, out, at + 14)
        out[at + 28], out[at + 29] = _verdict(s, now)
    for i in range(3):
        out[at + 25 + i] = micro.latency_us(x, (0.5, 0.95, 0.99)[i], now)


@kernel
def _newest(s: Record, bar: Record, out: np.ndarray, at: int) -> None:
    bought, sold, volume = bar["ask_volume"], bar["bid_volume"], bar["volume"]
    if bar["known_volume"] > 0:
        out[at + 4] = bought - sold
        out[at + 5] = bar["cvd"]
        if volume > 0:
            out[at] = (bought - sold) / volume
        if bought + sold > 0:
            out[at + 1] = (bought - sold) / (bought + sold)
            out[at + 2], out[at + 3] = bought / (bought + sold), sold / (bought + sold)
    signal, rvol = s["book"]["signal"], bar["rvol"]
    if bar["known_volume"] > 0 and volume > 0 and signal == signal and rvol == rvol:
        delta = bought - sold
        stacked = clip((bar["stacked_buy"] - bar["stacked_sell"]) / 3.0, 1.0)
        loud = sign(delta) * min(rvol / 2.0, 1.0)
        out[at + 13] = 0.25 * loud + 0.30 * delta / volume + 0.25 * stacked + 0.20 * signal


@kernel
def _large(s: Record, now: int, out: np.ndarray, at: int) -> None:
    """Write what large orders did: the window of the component, and an hour for how they behaved."""
    f = s["flow"]
    bought, sold, n, _, steady = smart_money.totals(f, now)
    if bought + sold > 0:
        out[at] = (bought - sold) / (bought + sold)
    out[at + 1], out[at + 2] = n, min((bought + sold) / 500.0, 1.0)
    out[at + 3], out[at + 4] = steady, smart_money.alignment(s)
    blocks, sweeps, small, count, size, moved = 0, 0, 0, 0, 0, 0.0
    for j in range(min(f["order_n"], ORDERS)):
        o = f["orders"][(f["order_n"] - 1 - j) % ORDERS]
        if now - o["ts"] >= BEHAVIOUR_NS:
            break
        count += 1
        blocks += 1 if o["size"] >= BLOCK else 0
        sweeps += 1 if o["levels"] >= SWEEP_LEVELS else 0
        small += 1 if o["size"] < SMALL else 0
        size += o["size"]
        moved += o["size"] * o["side"] * (o["last"] - o["first"])
    if count > 0:
        out[at + 5], out[at + 6], out[at + 7] = moved / size, blocks / count, sweeps / count
        out[at + 8] = behaviour(blocks / count, sweeps / count, small, count)
    if s["book"]["has"]:
        hidden, bias = iceberg.within(s["iceberg"], now - BEHAVIOUR_NS)
        out[at + 9], out[at + 10] = hidden, bias


@kernel
def _verdict(s: Record, now: int) -> tuple[float, float]:
    """Return what large orders are doing and how sure that is; see domain §10."""
    bought, sold, n, aggressor, steady = smart_money.totals(s["flow"], now)
    if n < smart_money.MIN_ORDERS or smart_money.volume(s, now) < smart_money.MIN_VOLUME:
        return smart_money.NEUTRAL, 0.0  # no large flow is a measurement
    net = (bought - sold) / (bought + sold)
    _, confidence = smart_money.judge(net, bought + sold, n, steady, smart_money.alignment(s), aggressor)
    return smart_money.doing(net, bought + sold, steady), confidence


@kernel
def behaviour(blocks: float, sweeps: float, small: int, count: int) -> int:
    """Return the label of large orders from their shares; the first that holds."""
    if blocks > 0.5:
        return B_BLOCK
    if sweeps > 0.7:
        return B_AGGRESSIVE
    return B_ICEBERG if count > MANY and small == count else B_STEALTH
