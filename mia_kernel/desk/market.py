"""What a person looks at in the market state: Battle Navale with its history, large orders, profile, timeframes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.frames.mind import battle_events, standing, timeframe_rows
from mia_kernel.measures.flow import BLOCK, SWEEP_LEVELS
from mia_kernel.state.bars import TIMEFRAME_NAMES
from mia_kernel.state.flow import ORDERS
from mia_kernel.state.iceberg import RING
from mia_kernel.state.memory import MarketState

__all__ = ["LARGE_COLUMNS", "Battle", "battle_of", "large_orders", "timeframe_rows", "volume_rows"]

LARGE_COLUMNS = ("ts", "side", "size", "price", "to", "levels", "prints", "kind")


@dataclass(frozen=True, slots=True)
class Battle:
    """Battle Navale on one timeframe.

    `bars` are closed bars in points; `events` has kind, side, price, to (the other edge of a base), ts (when
    it was known) and pivot_ts (where a ball lies); `now` says how it stands: golden rule, streaks, maturity,
    pullback depth, entry zone, stop, outcome, score. Unknown is None.
    """

    timeframe: str
    bars: pd.DataFrame
    events: pd.DataFrame
    now: Mapping[str, Any]


def battle_of(market: MarketState, timeframe: str, bars: pd.DataFrame) -> Battle:
    """Return Battle Navale of a timeframe as it is known now."""
    if timeframe not in TIMEFRAME_NAMES:
        raise InputError("no such timeframe", field="timeframe", value=timeframe,
                         rule=", ".join(TIMEFRAME_NAMES))  # fmt: skip
    w = market.array["battle"][0, TIMEFRAME_NAMES.index(timeframe)]
    columns = ["kind", "side", "price", "to", "ts", "pivot_ts"]
    events = pd.DataFrame(list(battle_events(w)), columns=columns)
    return Battle(timeframe, bars, events, standing(w))


def large_orders(market: MarketState) -> list[tuple[Any, ...]]:
    """Return large aggregated orders and inferred icebergs in the order they were complete."""
    f, ice = market.array["flow"][0], market.array["iceberg"][0]
    rows: list[tuple[Any, ...]] = []
    n = int(f["order_n"])
    for i in range(max(n - ORDERS, 0), n):
        o = f["orders"][i % ORDERS]
        kind = "block" if o["size"] >= BLOCK else "sweep" if o["levels"] >= SWEEP_LEVELS else "large"
        first, last = float(o["first"] * TICK_POINTS), float(o["last"] * TICK_POINTS)
        rows.append(
            (
                int(o["ts"]),
                int(o["side"]),
                int(o["size"]),
                first,
                last,
                int(o["levels"]),
                int(o["prints"]),
                kind,
            )
        )
    n = int(ice["n"])
    for i in range(max(n - RING, 0), n):
        at = i % RING
        price = float(ice["at"][at] * TICK_POINTS)
        rows.append(
            (int(ice["ts"][at]), int(ice["side"][at]), int(ice["size"][at]), price, price, 1, 0, "iceberg")
        )
    return sorted(rows, key=lambda row: row[0])


def volume_rows(market: MarketState, anchor: str) -> list[tuple[float, int, str, bool]]:
    """Return volume by price of an anchor, lowest first; node is `high`, `low` or empty."""
    if anchor not in ("eth", "rth"):
        raise InputError("no such anchor", field="anchor", value=anchor, rule="eth or rth")
    a = market.array["profile"][0]["anchor"][("eth", "rth").index(anchor)]
    if not a["has"]:
        return []
    size = len(a["volume_at"])
    high_nodes = set(a["hvn"][: int(a["hvn_n"])].tolist())
    low_nodes = set(a["lvn"][: int(a["lvn_n"])].tolist())
    rows: list[tuple[float, int, str, bool]] = []
    for px in range(int(a["low"]), int(a["high"]) + 1):
        node = "high" if px in high_nodes else "low" if px in low_nodes else ""
        inside = bool(a["has_area"]) and int(a["val"]) <= px <= int(a["vah"])
        rows.append((px * TICK_POINTS, int(a["volume_at"][px & (size - 1)]), node, inside))
    return rows
