"""Flow: who was the aggressor, and what the aggressors did.

How it moves: every trade of the traded instrument gets a side (feed, quote rule, tick rule, or unknown),
moves cumulative delta and the footprint of the forming bar, enters the ring of the last trades, and joins
or ends an aggregated order. Everything is O(1) per trade; bars read and clear the footprint when they close.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.events import SIDE_FEED, SIDE_TICK_RULE
from mia_kernel.core.kernel import Record, kernel

ROWS = 8192
MASK = ROWS - 1
LAST = 32
TICK_WINDOW = 20
ORDERS = 2048  # large ones that are kept: a busy hour of August 2019 had 1,166
SIZE_BINS = 1024
SESSIONS = 5


class FlowParams(BaseModel):
    """How trades become flow (domain: aggressor, footprint, smart money)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sweep_gap_ms: int = Field(default=50, ge=1, description="largest pause inside one aggregated order (ms)")
    large_contracts: int = Field(
        default=100, ge=1, description="large order until five sessions are known (contracts)"
    )
    large_percentile: float = Field(
        default=99.5, gt=50, lt=100, description="large order after that (percentile)"
    )
    imbalance_ratio_min: float = Field(
        default=3.0, gt=1, description="diagonal footprint ratio that counts (ratio)"
    )
    imbalance_contracts_min: int = Field(default=10, ge=1, description="and its smallest volume (contracts)")
    stacked_rows: int = Field(default=3, ge=2, description="consecutive rows that make a stack (rows)")


ORDER_DTYPE = np.dtype(
    [
        ("ts", np.int64),  # when it was complete
        ("start", np.int64),
        ("size", np.int32),
        ("prints", np.int32),
        ("first", np.int32),
        ("last", np.int32),
        ("levels", np.int32),
        ("side", np.int8),
        ("quality", np.float32),
    ],
    align=True,
)

FLOW_DTYPE = np.dtype(
    [
        ("p_gap_ns", np.int64),
        ("p_large", np.int64),
        ("p_percentile", np.float64),
        ("p_ratio", np.float64),
        ("p_min", np.int64),
        ("p_stack", np.int64),
        ("ts", np.int64),  # event clock of the newest trade; meaningless while `trades` is 0
        ("trades", np.int64),
        ("last", np.int32),
        ("direction", np.int8),  # of the last price change, for the tick rule
        ("day_trades", np.int64),
        ("cvd", np.int64),
        ("buy", np.int64),
        ("sell", np.int64),
        ("unknown", np.int64),
        ("by_tick_rule", np.int64),  # volume whose side was inferred without a quote
        ("ring_px", np.int32, (LAST,)),
        ("ring_sz", np.int32, (LAST,)),
        ("ask_at", np.int32, (ROWS,)),  # footprint of the forming bar: bought at the ask, by price & MASK
        ("bid_at", np.int32, (ROWS,)),
        ("foot_low", np.int32),
        ("foot_high", np.int32),
        ("foot_has", np.uint8),
        ("current", ORDER_DTYPE),
        ("has_current", np.uint8),
        ("orders", ORDER_DTYPE, (ORDERS,)),  # large aggregated orders, newest at (order_n - 1) % ORDERS
        ("order_n", np.int64),
        ("aggregated", np.int64),
        ("large", np.int64),  # threshold in force
        ("large_is_measured", np.uint8),
        ("is_rth", np.uint8),
        ("sizes", np.int32, (2, SIZE_BINS)),  # of the running session: [eth, rth]
        ("past", np.int32, (2, SESSIONS, SIZE_BINS)),
        ("past_n", np.int64),
    ],
    align=True,
)


def init(record: Any, params: FlowParams) -> None:
    """Make `record` a flow that has seen nothing."""
    record[...] = np.zeros((), FLOW_DTYPE)
    record["p_gap_ns"] = params.sweep_gap_ms * 1_000_000
    record["p_large"] = record["large"] = params.large_contracts
    record["p_percentile"] = params.large_percentile
    record["p_ratio"] = params.imbalance_ratio_min
    record["p_min"] = params.imbalance_contracts_min
    record["p_stack"] = params.stacked_rows


@kernel
def side_of(f: Record, k: Record, e: Record) -> tuple[int, float]:
    """Return (+1, -1 or 0, quality) of a trade: feed 1.0, at the quote 0.8, tick rule 0.5.

    The tick rule is used inside a spread, and without any quote only on rows whose source allows it.
    """
    px = e["px"]
    if e["flags"] & SIDE_FEED and e["side"] != 0:
        return e["side"], 1.0
    if k["has"]:
        if px >= k["ask"]:
            return 1, 0.8
        if px <= k["bid"]:
            return -1, 0.8
    elif not e["flags"] & SIDE_TICK_RULE:
        return 0, 0.0
    if f["trades"] == 0:
        return 0, 0.0
    direction = 1 if px > f["last"] else (-1 if px < f["last"] else f["direction"])
    return direction, 0.5 if direction != 0 else 0.0


@kernel
def on_trade(f: Record, px: int, sz: int, side: int, quality: float, clock: int) -> None:
    """Take one trade with its side."""
    if f["trades"] > 0 and px != f["last"]:
        f["direction"] = 1 if px > f["last"] else -1
    f["ring_px"][f["trades"] % LAST] = px
    f["ring_sz"][f["trades"] % LAST] = sz
    f["last"] = px
    f["trades"] += 1
    f["day_trades"] += 1
    f["ts"] = clock
    if not f["foot_has"]:
        f["foot_low"], f["foot_high"], f["foot_has"] = px, px, 1
    elif px < f["foot_low"]:
        f["foot_low"] = px
    elif px > f["foot_high"]:
        f["foot_high"] = px
    if side > 0:
        f["cvd"] += sz
        f["buy"] += sz
        f["ask_at"][px & MASK] += sz
    elif side < 0:
        f["cvd"] -= sz
        f["sell"] += sz
        f["bid_at"][px & MASK] += sz
    else:
        f["unknown"] += sz
    if quality == 0.5:
        f["by_tick_rule"] += sz
    _aggregate(f, px, sz, side, quality, clock)


@kernel
def _aggregate(f: Record, px: int, sz: int, side: int, quality: float, clock: int) -> None:
    """Join the print to the running order or complete that one and start the next (domain §10)."""
    c = f["current"]
    if f["has_current"]:
        goes_on = side == c["side"] and clock - c["ts"] <= f["p_gap_ns"] and (px - c["last"]) * side >= 0
        if goes_on:
            c["levels"] += 1 if px != c["last"] else 0
            c["last"], c["ts"] = px, clock
            c["size"] += sz
            c["prints"] += 1
            return
        complete(f)
    if side != 0:
        f["has_current"] = 1
        c["ts"], c["start"], c["size"], c["prints"] = clock, clock, sz, 1
        c["first"], c["last"], c["levels"], c["side"], c["quality"] = px, px, 1, side, quality


@kernel
def complete(f: Record) -> None:
    """End the running aggregated order; keep it if it is large."""
    c = f["current"]
    f["has_current"] = 0
    f["aggregated"] += 1
    size = c["size"]
    f["sizes"][f["is_rth"], min(size, SIZE_BINS - 1)] += 1
    if size < f["large"]:
        return
    o = f["orders"][f["order_n"] % ORDERS]
    o["ts"], o["start"], o["size"], o["prints"] = c["ts"], c["start"], size, c["prints"]
    o["first"], o["last"], o["levels"] = c["first"], c["last"], c["levels"]
    o["side"], o["quality"] = c["side"], c["quality"]
    f["order_n"] += 1


@kernel
def expire(f: Record, clock: int) -> None:
    """Complete an order whose pause has grown longer than the gap."""
    if f["has_current"] and clock - f["current"]["ts"] > f["p_gap_ns"]:
        complete(f)


@kernel
def tick_momentum(f: Record) -> float:
    """Return 0.4·(up − down)/n + 0.6·(upVol − downVol)/totalVol over the last 20 trades, NaN under 20.

    Up and down compare with the trade before; the first of the window is compared with the one before it,
    so 21 trades are looked at once they exist. Source: domain §6.2.
    """
    n = f["trades"]
    if n < TICK_WINDOW:
        return np.nan
    up, down, up_volume, down_volume, total = 0, 0, 0, 0, 0
    for i in range(n - TICK_WINDOW, n):
        size = f["ring_sz"][i % LAST]
        total += size
        if i == 0:
            continue
        move = f["ring_px"][i % LAST] - f["ring_px"][(i - 1) % LAST]
        if move > 0:
            up += 1
            up_volume += size
        elif move < 0:
            down += 1
            down_volume += size
    return 0.4 * (up - down) / TICK_WINDOW + 0.6 * (up_volume - down_volume) / total


@kernel
def stacks(f: Record) -> tuple[int, int]:
    """Return (stacked buy, stacked sell) imbalances of the forming footprint: runs of ≥ p_stack rows.

    Buy imbalance at p: ask volume at p against bid volume one tick below. A zero denominator counts as an
    infinite ratio where the numerator reaches the minimum. Source: domain §6.2.
    """
    buys, sells, run_buy, run_sell = 0, 0, 0, 0
    if not f["foot_has"]:
        return 0, 0
    for p in range(f["foot_low"], f["foot_high"] + 1):
        bought, sold_below = f["ask_at"][p & MASK], f["bid_at"][(p - 1) & MASK]
        sold, bought_above = f["bid_at"][p & MASK], f["ask_at"][(p + 1) & MASK]
        if p == f["foot_low"]:
            sold_below = 0
        if p == f["foot_high"]:
            bought_above = 0
        run_buy = run_buy + 1 if bought >= f["p_min"] and bought >= f["p_ratio"] * sold_below else 0
        run_sell = run_sell + 1 if sold >= f["p_min"] and sold >= f["p_ratio"] * bought_above else 0
        buys += 1 if run_buy == f["p_stack"] else 0
        sells += 1 if run_sell == f["p_stack"] else 0
    return buys, sells


@kernel
def clear_footprint(f: Record) -> None:
    """Forget the forming footprint (its bar has closed)."""
    if f["foot_has"]:
        for p in range(f["foot_low"], f["foot_high"] + 1):
            f["ask_at"][p & MASK] = 0
            f["bid_at"][p & MASK] = 0
    f["foot_has"] = 0


@kernel
def on_session(f: Record) -> None:
    """Start a trading day: delta from zero, the size table of the ended day joins the past."""
    if f["has_current"]:
        complete(f)
    if f["day_trades"] > 0:
        slot = f["past_n"] % SESSIONS
        for r in range(2):
            for i in range(SIZE_BINS):
                f["past"][r, slot, i] = f["sizes"][r, i]
                f["sizes"][r, i] = 0
        f["past_n"] += 1
    f["cvd"] = f["buy"] = f["sell"] = f["unknown"] = f["by_tick_rule"] = 0
    f["day_trades"] = 0
    f["is_rth"] = 0
    threshold(f)


@kernel
def threshold(f: Record) -> None:
    """Set the size from which an order is large: the percentile of five sessions, else the fixed one."""
    f["large"], f["large_is_measured"] = f["p_large"], 0
    if f["past_n"] < SESSIONS:
        return
    r, total = f["is_rth"], 0
    for s in range(SESSIONS):
        for i in range(SIZE_BINS):
            total += f["past"][r, s, i]
    if total == 0:
        return
    need, seen = f["p_percentile"] / 100.0 * total, 0
    for i in range(SIZE_BINS):
        for s in range(SESSIONS):
            seen += f["past"][r, s, i]
        if seen >= need:
            f["large"], f["large_is_measured"] = max(i, 1), 1
            return
