"""Invented runs for tests of journal, analytics, views and report: nothing here is a measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.analytics.report import Material
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import (
    CONTEXT_NAMES,
    Decision,
    FeatureVector,
    Score,
    Signal,
    Verdict,
    decision_of,
)
from mia_kernel.core.orders import Order, OrderReport, OrderStatus, OrderType, PlaceBracket, Role, RoundTrip

NAMES = (
    "gamma_levels",
    "vwap_trend",
    "es_nq_correlation",
    "level_proximity",
    "sierra_patterns",
    "order_book",
)
WEIGHTS = (0.25, 0.25, 0.15, 0.15, 0.10, 0.10)
GATE_CODES = (
    "data_quality",
    "market_open",
    "coverage",
    "grade",
    "battle_side",
    "regime_side",
    "spread",
    "rvol",
)
START_NS = 1_772_029_800_000_000_000  # 2026-02-25 09:30 New York
STEP_NS = 15_000_000_000


def header(**changes: Any) -> dict[str, Any]:
    """Return the header of an invented run."""
    base: dict[str, Any] = {
        "ts_event": START_NS,
        "start": "2026-02-25T09:30:00-05:00",
        "settings_id": "a1b2c3d4",
        "code_version": "0.1.0",
        "model_id": None,
        "source": "synthetic:7",
        "source_tag": "synthetic",
        "symbol": "ESH6",
        "names": list(NAMES),
        "weights": list(WEIGHTS),
        "weights_name": "mia14",
        "gate_codes": list(GATE_CODES),
        "gate_levels": [0, 0, 0, 0, 0, 0, 0, 1],
        "gate_units": ["share", "flag", "share", "grade", "score", "flag", "ticks", "ratio"],
        "context_names": list(CONTEXT_NAMES),
        "coverage_floor": 0.60,
        "equity_usd": 50_000.0,
    }
    return {**base, **changes}


def decisions(count: int = 200, *, seed: int = 7, signals: bool = True, absent: int = 0) -> list[Decision]:
    """Return `count` decisions on the 15 s grid along a random walk; every 25th carries a signal."""
    rng = np.random.default_rng(seed)
    price = 26_000 + np.cumsum(rng.integers(-3, 4, count))
    return [_decision(i, price, rng, signals, absent) for i in range(count)]


def _decision(i: int, price: Any, rng: Any, signals: bool, absent: int) -> Decision:
    n = len(NAMES)
    values = rng.uniform(-1, 1, n)
    status = np.zeros(n, np.int8)
    status[:absent] = 3
    values[status != 0] = np.nan
    quality = np.where(status == 0, 1.0, np.nan)
    weights = np.array(WEIGHTS)
    contributions = np.where(status == 0, np.nan_to_num(values) * weights, 0.0)
    total = float(contributions.sum())
    coverage = float(weights[status == 0].sum())
    percent = 50 * (1 + abs(total))
    grade = 0 if coverage < 0.6 or percent < 60 else 1 if percent < 70 else 3
    ts = START_NS + i * STEP_NS
    side = int(np.sign(total))
    fires = signals and i % 25 == 10
    outcome = np.zeros(len(GATE_CODES), np.int8)
    required = np.array([0.8, 1, 0.6, 1, 0.25, 0, 2, 1.2])
    actual = np.array([0.97, 1, coverage, grade, 0.3, 0, 1, 1.5])
    outcome[2] = int(coverage < 0.6)
    outcome[3] = int(grade < 1)
    allowed = fires and i % 50 == 10 and coverage >= 0.6
    if fires and not allowed:
        outcome[6], actual[6] = 1, 3
    p = int(price[i])
    signal = Signal(
        ts,
        side or 1,
        "confluence_entry",
        0.5,
        None,
        p,
        p - 8 * (side or 1),
        p + 16 * (side or 1),
        grade,
        "test",
    )
    limits = {"risk_per_trade": 2.0, "max_position": 2.0}
    verdict = Verdict(
        allowed, "allow" if allowed else "spread", "ES", int(allowed), "max_position", limits, 1.0, ""
    )
    return decision_of(
        sequence=i,
        event_sequence=i * 40,
        price_ticks=p,
        vector=FeatureVector(NAMES, values, quality, status, ts),
        score=Score(total, percent, coverage, 1.0, grade, side, contributions, weights),
        signal=signal if fires else None,
        gate_outcome=outcome,
        gate_required=required,
        gate_actual=actual,
        verdict=verdict if fires else None,
        intents=(bracket(signal, i),) if allowed else (),
        context=_context(price, i),
    )


def _context(price: Any, i: int) -> Any:
    context = np.full(len(CONTEXT_NAMES), np.nan)
    known = {
        "vwap_ticks": float(np.mean(price[: i + 1])),
        "vwap_sd_ticks": float(np.std(price[: i + 1])) + 1,
        "poc_ticks": float(np.median(price[: i + 1])),
        "vah_ticks": float(np.quantile(price[: i + 1], 0.85)),
        "val_ticks": float(np.quantile(price[: i + 1], 0.15)),
        "session_high_ticks": float(np.max(price[: i + 1])),
        "session_low_ticks": float(np.min(price[: i + 1])),
        "spread_ticks": 1.0,
        "data_quality": 0.97,
        "cumulative_delta": float(np.sin(i / 20) * 500),
        "obi_signal": float(np.sin(i / 7)),
        "equity_usd": 50_000.0,
        "phase": 4.0,
    }
    for name, value in known.items():
        context[CONTEXT_NAMES.index(name)] = value
    return context


def bracket(signal: Signal, i: int) -> PlaceBracket:
    """Return the bracket of an invented signal."""
    key = f"b{i}"
    side, ts = signal.side, signal.ts_event
    entry = Order(
        f"{key}-e", key, Role.ENTRY, "ES", side, 1, OrderType.LIMIT, ts, limit_ticks=signal.entry_ticks
    )
    stop = Order(f"{key}-s", key, Role.STOP, "ES", -side, 1, OrderType.STOP, ts, stop_ticks=signal.stop_ticks)
    target = Order(
        f"{key}-t", key, Role.TARGET, "ES", -side, 1, OrderType.LIMIT, ts, limit_ticks=signal.target_ticks
    )
    return PlaceBracket(ts, key, entry, stop, target, signal.grade, 65.0, 10_450)


def round_trips(found: list[Decision], *, hold: int = 8) -> tuple[list[RoundTrip], list[OrderReport]]:
    """Return trips that enter at every allowed signal and leave `hold` decisions later at that price."""
    trips: list[RoundTrip] = []
    reports: list[OrderReport] = []
    for at, decision in enumerate(found):
        if not decision.intents or at + hold >= len(found) or decision.signal is None:
            continue
        out, side = found[at + hold], decision.signal.side
        path = [d.price_ticks for d in found[at : at + hold + 1]]
        moves = [side * (p - decision.price_ticks) for p in path]
        key = f"b{decision.sequence}"
        trips.append(
            RoundTrip(
                id=len(trips) + 1,
                bracket_id=key,
                symbol="ES",
                side=side,
                qty=1,
                entry_ts=decision.ts_event,
                entry_ticks=float(decision.price_ticks),
                exit_ts=out.ts_event,
                exit_ticks=float(out.price_ticks),
                exit_reason="target" if moves[-1] > 0 else "stop",
                gross_cents=1250 * moves[-1],
                fees_cents=450,
                mae_ticks=float(max(0, -min(moves))),
                mfe_ticks=float(max(0, max(moves))),
                grade=decision.signal.grade,
                confluence_percent=decision.score.percent,
                risk_cents=10_450,
                slippage_ticks=0.0,
                phase="morning",
            )
        )
        for d, role, s in ((decision, Role.ENTRY, side), (out, Role.TARGET, -side)):
            reports.append(_fill(d, role, s, key, len(reports)))
    return trips, reports


def _fill(decision: Decision, role: Role, side: int, key: str, seq: int) -> OrderReport:
    return OrderReport(
        ts_event=decision.ts_event,
        ts_recv=decision.ts_event,
        seq=seq,
        order_id=f"{key}-{role.value[0]}",
        bracket_id=key,
        role=role,
        symbol="ES",
        side=side,
        status=OrderStatus.FILLED,
        qty=1,
        filled_qty=1,
        last_qty=1,
        last_ticks=float(decision.price_ticks),
        fee_cents=225,
        exec_id=f"x{seq}",
    )


def material(count: int = 400, **more: Any) -> Material:
    """Return what a page of an invented run is made of; `more` goes to `decisions`."""
    found = decisions(count, **more)
    trips, _ = round_trips(found)
    head = header()
    table = DecisionTable(head["names"], head["gate_codes"], head["gate_levels"])
    for decision in found:
        table.append(decision)
    return Material(head, table, trips, {"digest": "0" * 64}, None, "f" * 64)
