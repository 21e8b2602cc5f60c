"""What a person looks at in the market state: Battle Navale with its history, large orders, profile, timeframes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mia_kernel.core.errors import InputError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.features import mtf_confluence
from mia_kernel.measures.flow import BLOCK, SWEEP_LEVELS
from mia_kernel.state.bars import TIMEFRAME_NAMES
from mia_kernel.state.battle import EVENTS, GOLDEN_NAMES
from mia_kernel.state.flow import ORDERS
from mia_kernel.state.iceberg import RING
from mia_kernel.state.memory import MarketState

EVENT_NAMES = ("", "base", "golden_break", "pattern", "green_ball", "red_ball", "ball_break")
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
    events = pd.DataFrame(list(_events(w)), columns=columns)
    return Battle(timeframe, bars, events, _standing(w))


def _events(w: Any) -> Iterator[tuple[str, int, float, float, int, int]]:
    balls = {
        (1, int(b["known"])): int(b["ts"]) for b in w["green"][: min(int(w["green_n"]), len(w["green"]))]
    }
    balls |= {(-1, int(b["known"])): int(b["ts"]) for b in w["red"][: min(int(w["red_n"]), len(w["red"]))]}
    n = int(w["event_n"])
    for i in range(max(n - EVENTS, 0), n):
        at = i % EVENTS
        kind, side, ts = int(w["event_kind"][at]), int(w["event_side"][at]), int(w["event_ts"][at])
        name = EVENT_NAMES[kind]
        pivot = balls.get((side, ts), ts) if name.endswith("_ball") else ts
        price, to = w["event_px"][at] * TICK_POINTS, w["event_to"][at] * TICK_POINTS
        yield name, side, float(price), float(to), ts, pivot


def _standing(w: Any) -> dict[str, Any]:
    streak = max(int(w["up_streak"]), int(w["down_streak"]))
    trend = float(w["ball_trend"])
    return {
        "golden_rule": GOLDEN_NAMES[int(w["golden"])],
        "golden_rule_strong": bool(w["golden_strong"]),
        "warning": bool(w["warning"]),
        "continuation": _known(w["k"]),
        "base_low": w["base_low"] * TICK_POINTS if w["has_base"] else None,
        "base_high": w["base_high"] * TICK_POINTS if w["has_base"] else None,
        "base_quality": _known(w["base_quality"]) if w["has_base"] else None,
        "up_streak": int(w["up_streak"]),
        "down_streak": int(w["down_streak"]),
        "ball_trend": trend,
        "maturity": "none" if trend == 0 else ("fresh" if streak == 3 else "mature" if streak <= 5 else "extended"),
        "compression": bool(w["compression"]),
        "pullback": _known(w["pullback"]),
        "in_entry_zone": 0.30 <= w["pullback"] <= 0.62 if w["pullback"] == w["pullback"] else None,
        "stop": w["ball_stop"] * TICK_POINTS if w["has_ball_stop"] else None,
        "outcome": _known(w["outcome"]),
        "score": _known(w["score"]),
        "confidence": _known(w["confidence"]),
    }  # fmt: skip


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


def timeframe_rows(market: MarketState) -> list[dict[str, Any]]:
    """Return what each timeframe says, finest first; unknown is None."""
    s = market.array[0]
    strength, quality = mtf_confluence.frames(s)
    percentile = s["regime"]["atr_percentile"]
    tau = 2.0 * percentile - 1.0 if percentile == percentile else 0.0
    raw = [
        weight * (1.0 + 0.5 * tau * (2 - k) / 2.0) if strength[k] == strength[k] else 0.0
        for k, weight in enumerate(mtf_confluence.WEIGHTS)
    ]
    total = sum(raw)
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(TIMEFRAME_NAMES):
        w, known = s["battle"][k], strength[k] == strength[k]
        rows.append(
            {
                "timeframe": name,
                "strength": _known(strength[k]),
                "quality": float(quality[k]) if known else None,
                "weight": raw[k] / total if total > 0 else 0.0,
                "golden_rule": GOLDEN_NAMES[int(w["golden"])],
                "ball_trend": float(w["ball_trend"]) if w["bars"] > 0 else None,
                "outcome": _known(w["outcome"]),
                "score": _known(w["score"]),
                "pattern": _known(w["pattern"]),
                "bars": int(w["bars"]),
            }
        )
    return rows


def _known(value: Any) -> float | None:
    return float(value) if value == value else None
