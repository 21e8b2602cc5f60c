"""The machine's part of a frame: the last decision with its reasons, Battle Navale, the signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mia_kernel.analytics.explain import light, nearest_change, refusals, waterfall, why_not
from mia_kernel.core.decisions import CONTEXT_NAMES, GRADE_NAMES, Decision
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.features import mtf_confluence
from mia_kernel.frames.market import closed_bars
from mia_kernel.frames.memory import Driven, Memory
from mia_kernel.state.bars import TIMEFRAME_NAMES
from mia_kernel.state.battle import EVENTS, GOLDEN_NAMES
from mia_kernel.state.memory import MarketState

SIGNALS_SHOWN = 24
DECISIONS_SHOWN = 240
EXPLAINED_KEPT = 64
BATTLE_EVENTS = ("", "base", "golden_break", "pattern", "green_ball", "red_ball", "ball_break")
MATURE_STREAK = 3
EXTENDED_STREAK = 5
ENTRY_ZONE = (0.30, 0.62)
ABSORBED = 0.1
"""Absorption of the other side that confirms a pullback (domain §8.2)."""


def decision_view(run: Driven, memory: Memory) -> dict[str, Any] | None:
    """Return the last decision: score, grade, coverage, contributions that add up, and why not; None before one."""
    decision = run.last
    if decision is None:
        return None
    return _explained(decision, memory)


def _explained(decision: Decision, memory: Memory) -> dict[str, Any]:
    known = memory.explained.get(decision.sequence)
    if known is not None:
        return known
    facts, score = memory.facts, decision.score
    change = nearest_change(decision, facts)
    out = {
        "sequence": decision.sequence,
        "ts": decision.ts_event,
        "price": decision.price_ticks * TICK_POINTS,
        "score": score.total,
        "percent": score.percent,
        "coverage": score.coverage,
        "coverage_floor": facts.coverage_floor,
        "grade": GRADE_NAMES[score.grade],
        "side": score.side,
        "light": light(decision),
        "weights": facts.weights_name,
        "contributions": [
            {
                "name": line.name,
                "weight": line.weight,
                "value": line.value,
                "contribution": line.contribution,
                "status": line.status,
            }
            for line in waterfall(decision, facts)
        ],
        "why_not": why_not(decision, facts, form="brief"),
        "refusals": [
            {"code": r.code, "level": r.level, "sentence": r.sentence} for r in refusals(decision, facts)
        ],
        "nearest": change.sentence if change else None,
    }
    if len(memory.explained) >= EXPLAINED_KEPT:
        memory.explained.pop(next(iter(memory.explained)))
    memory.explained[decision.sequence] = out
    return out


def signal_rows(run: Driven, memory: Memory) -> list[dict[str, Any]]:
    """Return the last signals, newest first: side, grade, prices, whether allowed, and the reason in a sentence."""
    out: list[dict[str, Any]] = []
    for _, decision in run.table.signals[: -SIGNALS_SHOWN - 1 : -1]:
        signal, verdict = decision.signal, decision.verdict
        allowed = verdict is not None and verdict.allowed
        out.append(
            {
                "sequence": decision.sequence,
                "ts": signal.ts_event,
                "side": signal.side,
                "strategy": signal.strategy,
                "grade": GRADE_NAMES[signal.grade],
                "percent": decision.score.percent,
                "entry": signal.entry_ticks * TICK_POINTS,
                "stop": signal.stop_ticks * TICK_POINTS,
                "target": signal.target_ticks * TICK_POINTS,
                "allowed": allowed,
                "qty": verdict.qty if verdict is not None else None,
                "code": verdict.code if verdict is not None else None,
                "reason": signal.reason,
                "sentence": signal.reason if allowed else _explained(decision, memory)["why_not"],
            }
        )
    return out


def history(run: Driven) -> dict[str, Any]:
    """Return the last decisions as series: ts, percent, side, grade, coverage, day_net (USD), position."""
    table = run.table
    heads = table.column("heads")[-DECISIONS_SHOWN:]
    context = table.column("context")[-DECISIONS_SHOWN:]
    return {
        "ts": table.column("ts_event")[-DECISIONS_SHOWN:].copy(),
        "percent": heads[:, 1].astype(np.float32),
        "coverage": heads[:, 2].astype(np.float32),
        "side": table.column("side")[-DECISIONS_SHOWN:].astype(np.int8),
        "grade": table.column("grade")[-DECISIONS_SHOWN:].astype(np.int8),
        "day_net": context[:, CONTEXT_NAMES.index("day_net_usd")].astype(np.float32),
        "position": context[:, CONTEXT_NAMES.index("position")].astype(np.float32),
    }


# -- Battle Navale ---------------------------------------------------------------------------------


def battle_view(market: MarketState, memory: Memory) -> dict[str, Any]:
    """Return how Battle Navale stands on the signal timeframe, its events, and what each timeframe says."""
    signal = int(market.array["clock"]["signal"][0])
    w = market.array["battle"][0, signal]
    return {
        "timeframe": TIMEFRAME_NAMES[signal],
        "now": standing(market.array["tf"][0, signal], w),
        "events": memory.keep("battle", (signal, int(w["event_n"])), lambda: [*_named(w)]),
        "timeframes": memory.keep("timeframes", closed_bars(market), lambda: timeframe_rows(market)),
    }


def _named(w: Any) -> Iterator[dict[str, Any]]:
    names = ("kind", "side", "price", "to", "ts", "pivot_ts")
    return (dict(zip(names, event, strict=True)) for event in battle_events(w))


def battle_events(w: Any) -> Iterator[tuple[str, int, float, float, int, int]]:
    """Yield what happened on a timeframe: kind, side, price, other edge (points), when known, where it lies."""
    balls = {
        (1, int(b["known"])): int(b["ts"]) for b in w["green"][: min(int(w["green_n"]), len(w["green"]))]
    }
    balls |= {(-1, int(b["known"])): int(b["ts"]) for b in w["red"][: min(int(w["red_n"]), len(w["red"]))]}
    n = int(w["event_n"])
    for i in range(max(n - EVENTS, 0), n):
        at = i % EVENTS
        kind, side, ts = int(w["event_kind"][at]), int(w["event_side"][at]), int(w["event_ts"][at])
        name = BATTLE_EVENTS[kind]
        pivot = balls.get((side, ts), ts) if name.endswith("_ball") else ts
        price, to = w["event_px"][at] * TICK_POINTS, w["event_to"][at] * TICK_POINTS
        yield name, side, float(price), float(to), ts, pivot


def standing(t: Any, w: Any) -> dict[str, Any]:
    """Return how a timeframe stands: golden rule, base, streaks, maturity, pullback, stop, outcome, score.

    `confirms` says what in the newest bar's footprint speaks for the side of the ball trend, None without a trend
    or where sides are not known.
    """
    trend = float(w["ball_trend"])
    pullback = known(w["pullback"])
    return {
        "golden_rule": GOLDEN_NAMES[int(w["golden"])],
        "golden_rule_strong": bool(w["golden_strong"]),
        "warning": bool(w["warning"]),
        "continuation": known(w["k"]),
        "base_low": float(w["base_low"] * TICK_POINTS) if w["has_base"] else None,
        "base_high": float(w["base_high"] * TICK_POINTS) if w["has_base"] else None,
        "base_quality": known(w["base_quality"]) if w["has_base"] else None,
        "up_streak": int(w["up_streak"]),
        "down_streak": int(w["down_streak"]),
        "ball_trend": trend,
        "maturity": _maturity(trend, max(int(w["up_streak"]), int(w["down_streak"]))),
        "compression": bool(w["compression"]),
        "pullback": pullback,
        "in_entry_zone": None if pullback is None else ENTRY_ZONE[0] <= pullback <= ENTRY_ZONE[1],
        "confirms": confirmations(t, w),
        "stop": float(w["ball_stop"] * TICK_POINTS) if w["has_ball_stop"] else None,
        "outcome": known(w["outcome"]),
        "score": known(w["score"]),
        "confidence": known(w["confidence"]),
    }


def confirmations(t: Any, w: Any) -> list[str] | None:
    """Return which signs of the footprint confirm an entry with the ball trend on the newest closed bar.

    A stacked imbalance of its side, absorption of the other side beyond 0.1, or delta of its side on a bar of its
    colour. Source: domain §8.2, entry zone.
    """
    e = int(np.sign(w["ball_trend"]))
    if e == 0 or t["n"] == 0:
        return None
    bar = t["ring"][(int(t["n"]) - 1) % len(t["ring"])]
    if bar["known_volume"] == 0:
        return None
    delta, body = int(bar["ask_volume"]) - int(bar["bid_volume"]), int(bar["close"]) - int(bar["open"])
    signs = {
        "stacked imbalance": bar["stacked_buy" if e > 0 else "stacked_sell"] > 0,
        "absorption": e * bar["absorption"] > ABSORBED,
        "delta": e * delta > 0 and e * body > 0,
    }
    return [name for name, is_there in signs.items() if is_there]


def _maturity(trend: float, streak: int) -> str:
    if trend == 0:
        return "none"
    if streak == MATURE_STREAK:
        return "fresh"
    return "mature" if streak <= EXTENDED_STREAK else "extended"


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
        w, is_known = s["battle"][k], strength[k] == strength[k]
        rows.append(
            {
                "timeframe": name,
                "strength": known(strength[k]),
                "quality": float(quality[k]) if is_known else None,
                "weight": raw[k] / total if total > 0 else 0.0,
                "golden_rule": GOLDEN_NAMES[int(w["golden"])],
                "ball_trend": float(w["ball_trend"]) if w["bars"] > 0 else None,
                "outcome": known(w["outcome"]),
                "score": known(w["score"]),
                "pattern": known(w["pattern"]),
                "bars": int(w["bars"]),
            }
        )
    return rows


def known(value: Any) -> float | None:
    """Return a number of the state, None where it is unknown."""
    return float(value) if value == value else None
