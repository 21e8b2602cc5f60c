"""What a person looks at in the market state: Battle Navale with its history, large orders, profile, timeframes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel.confluence.zones import Zone, distance_ticks
from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.frames.mind import ENTRY_ZONE, battle_events, standing, timeframe_rows
from mia_kernel.measures.flow import BLOCK, SWEEP_LEVELS
from mia_kernel.state.bars import TIMEFRAME_NAMES
from mia_kernel.state.flow import ORDERS
from mia_kernel.state.iceberg import RING
from mia_kernel.state.levels import NAMES as LEVEL_NAMES
from mia_kernel.state.memory import MarketState
from mia_kernel.state.micro import ANOMALY_NAMES
from mia_kernel.state.regime import MARKET_NAMES, VOLATILITY_NAMES
from mia_kernel.state.volatility import VolatilityParams

__all__ = [
    "ANOMALY_COLUMNS", "LARGE_COLUMNS", "Battle", "anomalies", "battle_of", "large_orders", "regimes", "timeframe_rows",
    "volume_rows", "zone_table",
]  # fmt: skip

ANOMALY_COLUMNS = ("ts", "kind", "size", "unit")
LARGE_COLUMNS = ("ts", "side", "size", "price", "to", "levels", "prints", "kind")
VOLATILITY_TREND = (
    (-np.inf, "falling"),
    (-0.5, "flat"),
    (np.nextafter(0.5, 1), "rising"),
    (np.nextafter(2, 3), "explosive"),
)
"""From which slope on, points per bar (domain §13)."""
RANGE_CLASSES = ((0.0, "very low"), (0.10, "low"), (0.30, "normal"), (0.70, "high"), (0.90, "extreme"))
"""From which rank among 60 sessions on (domain §13)."""
LEG_BARS = 250
"""How far back a leg is followed, as `state.swings` does."""


@dataclass(frozen=True, slots=True)
class Battle:
    """Battle Navale on one timeframe.

    `bars` are closed bars in points; `events` has kind, side, price, to (the other edge of a base), ts (when
    it was known) and pivot_ts (where a ball lies); `now` says how it stands: golden rule, streaks, maturity,
    pullback depth, entry zone (and its edges in points), what of the footprint confirms it, stop, outcome, score.
    Unknown is None.
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
    t = market.array["tf"][0, TIMEFRAME_NAMES.index(timeframe)]
    low, high = _entry_zone(t, w)
    return Battle(timeframe, bars, events, {**standing(t, w), "entry_low": low, "entry_high": high})


def _entry_zone(t: Any, w: Any) -> tuple[float | None, float | None]:
    """Return the edges in points of the pullback that is an entry, None without a trend or a leg (domain §8.2)."""
    side = 1 if w["ball_trend"] > 0 else -1
    if w["ball_trend"] == 0 or np.isnan(w["pullback"]):
        return None, None
    balls, n = (w["green"], int(w["green_n"])) if side > 0 else (w["red"], int(w["red_n"]))
    ball = balls[(n - 1) % len(balls)]
    newest, ring = int(t["n"]) - 1, t["ring"]
    since = range(max(int(ball["bar"]), newest - LEG_BARS) + 1, newest + 1)
    reach = [int(ring[j % len(ring)]["high" if side > 0 else "low"]) for j in since]
    extreme = max(reach) if side > 0 else min(reach)
    leg = extreme - int(ball["px"])
    edges = sorted((extreme - share * leg) * TICK_POINTS for share in ENTRY_ZONE)
    return edges[0], edges[1]


def regimes(market: MarketState, table: VolatilityParams) -> list[dict[str, Any]]:
    """Return volatility and market regime in words with what each implies; unknown is None (domain §13)."""
    r = market.array["regime"][0]
    label, code = int(r["volatility"]), int(r["market"])
    row = table.rows()[label] if label >= 0 else None
    rank, trend = float(market.array["season"][0]["range_percentile"]), float(r["volatility_trend"])
    up, down = bool(r["allow_long"]), bool(r["allow_short"])
    allowed = "both" if up and down else "long" if up else "short" if down else "none"
    return [
        {"name": "volatility regime", "value": VOLATILITY_NAMES[label] if row else None},
        {"name": "Battle Navale threshold", "value": row.battle_threshold if row else None},
        {"name": "volatility size factor", "value": min(1.0, row.size) if row else None},
        {"name": "stop factor", "value": row.stop if row else None},
        {"name": "target factor", "value": row.target if row else None},
        {"name": "largest position", "value": row.max_position if row else None},
        {"name": "trend of volatility", "value": _word(trend, VOLATILITY_TREND)},
        {"name": "range of the session so far", "value": _word(rank, RANGE_CLASSES)},
        {"name": "market regime", "value": MARKET_NAMES[code] if code >= 0 else None},
        {"name": "allowed sides", "value": allowed if code >= 0 else None},
        {"name": "market size factor", "value": float(r["market_size"]) if code >= 0 else None},
    ]


def _word(value: float, classes: tuple[tuple[float, str], ...]) -> str | None:
    """Return the word of the last class that begins below a value, None where it is not known."""
    return None if value != value else [word for start, word in classes if value >= start][-1]


def anomalies(market: MarketState) -> list[tuple[int, str, float, str]]:
    """Return the newest anomalies of volume, spread and flow, oldest first: when, what, how large (domain §6.6)."""
    m = market.array["micro"][0]
    n, kept = int(m["event_n"]), len(m["event_kind"])
    rows: list[tuple[int, str, float, str]] = []
    for i in range(max(n - kept, 0), n):
        kind = ANOMALY_NAMES[int(m["event_kind"][i % kept])]
        unit = "deviations" if kind == "flow" else "times the mean"
        rows.append((int(m["event_ts"][i % kept]), kind, float(m["event_size"][i % kept]), unit))
    return rows


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


def zone_table(found: Sequence[Zone], price_ticks: float) -> pd.DataFrame:
    """Return zones as rows, prices in points, with their distance from a price in ticks."""
    half = TICK_POINTS / 2
    rows = [
        {
            "low": zone.low_2 * half,
            "centre": zone.centre_2 * half,
            "high": zone.high_2 * half,
            "score": zone.score,
            "quality": zone.quality,
            "bias": ("resistance", "inside", "support")[zone.direction + 1],
            "distance_ticks": distance_ticks(zone, price_ticks),
            "levels": ", ".join(LEVEL_NAMES[slot] for slot in zone.slots),
        }
        for zone in found
    ]
    columns = ["low", "centre", "high", "score", "quality", "bias", "distance_ticks", "levels"]
    return pd.DataFrame(rows, columns=columns)
