"""A journal's run as tables, as JSON lines and as files.

Tables use the person's units: prices in points, money in USD, times in UTC; unknown is NaN or None.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.journal_record import to_json
from mia_kernel.core.decisions import GRADE_NAMES, OUTCOME_NAMES, STATUS_NAMES, Decision
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import OrderReport, RoundTrip


def frames(reader: JournalReader) -> dict[str, pd.DataFrame]:
    """Return the run as tables.

    Returns
    -------
    dict of DataFrame
        `decisions`, `signals`, `gates` (one row per decision, one column per gate code), `values`,
        `contributions`, `statuses`, `round_trips`, `fills`. All but the last two share the index `ts` (UTC).
    """
    columns = reader.columns()
    point = tick_points(reader)
    decisions = _decisions(reader, columns, point)
    index, names = _times(columns["ts_event"]), list(reader.names)
    status = np.array(STATUS_NAMES, object)[columns["status"]]
    outcome = np.array(OUTCOME_NAMES, object)[columns["gate_outcome"]]
    return {
        "decisions": decisions,
        "signals": _signals(columns, index, point),
        "gates": pd.DataFrame(outcome, index, list(reader.gate_codes)),
        "values": pd.DataFrame(columns["value"], index, names),
        "contributions": pd.DataFrame(columns["contribution"], index, names),
        "statuses": pd.DataFrame(status, index, names),
        "round_trips": round_trips_frame(reader.round_trips(), point),
        "fills": fills_frame(reader.reports(), point),
    }


def tick_points(reader: JournalReader) -> float:
    """Return the points of one tick of the run's instrument."""
    return float(reader.header.get("tick_points", TICK_POINTS))


def _decisions(reader: JournalReader, columns: dict[str, Any], point: float) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "sequence": columns["sequence"],
            "event_sequence": columns["event_sequence"],
            "price": columns["price_ticks"] * point,
            "score": columns["total"],
            "percent": columns["percent"],
            "coverage": columns["coverage"],
            "quality": columns["quality_total"],
            "grade": np.array(GRADE_NAMES, object)[columns["grade"]],
            "side": columns["side"],
            "has_signal": [bool(d.get("signal")) for d in columns["detail"]],
            "allowed": [_allowed(d) for d in columns["detail"]],
        },
        index=_times(columns["ts_event"]),
    )
    for at, name in enumerate(reader.context_names):
        values = columns["context"][:, at]
        is_price = name.endswith("_ticks") and name not in DISTANCES
        frame[name.removesuffix("_ticks") if is_price else name] = values * point if is_price else values
    return frame


DISTANCES = frozenset(("atr_5m_ticks", "spread_ticks", "vwap_sd_ticks"))
"""Context columns that are distances, not prices: they stay in ticks and keep the unit in the name."""


def _allowed(detail: dict[str, Any]) -> bool | None:
    verdict = detail.get("verdict")
    return bool(verdict["allowed"]) if verdict else None


def _signals(columns: dict[str, Any], index: pd.DatetimeIndex, point: float) -> pd.DataFrame:
    rows, at = [], []
    for i, detail in enumerate(columns["detail"]):
        signal, verdict = detail.get("signal"), detail.get("verdict") or {}
        if signal:
            at.append(index[i])
            rows.append(
                {
                    "side": signal["side"],
                    "strategy": signal["strategy"],
                    "entry": signal["entry_ticks"] * point,
                    "stop": signal["stop_ticks"] * point,
                    "target": signal["target_ticks"] * point,
                    "strength": signal["strength"],
                    "confidence": signal["confidence"],
                    "grade": GRADE_NAMES[signal["grade"]],
                    "reason": signal["reason"],
                    "allowed": verdict.get("allowed"),
                    "code": verdict.get("code"),
                    "qty": verdict.get("qty"),
                    "binding": verdict.get("binding"),
                    "message": verdict.get("message"),
                }
            )
    return pd.DataFrame(rows, pd.DatetimeIndex(at, name="ts", tz="UTC"), columns=SIGNAL_COLUMNS)


SIGNAL_COLUMNS = [
    *("side", "strategy", "entry", "stop", "target", "strength", "confidence", "grade", "reason"),
    *("allowed", "code", "qty", "binding", "message"),
]


def round_trips_frame(trips: list[RoundTrip], point: float = TICK_POINTS) -> pd.DataFrame:
    """Return closed positions with the keys of `mia replay --json`, times in UTC."""
    columns = [
        *("id", "side", "qty", "symbol", "entry_ts", "entry", "exit_ts", "exit", "exit_reason", "gross_usd"),
        *("costs_usd", "net_usd", "mae_ticks", "mfe_ticks", "grade", "confluence_percent", "risk_usd"),
        *("slippage_ticks", "phase", "bracket_id"),
    ]
    rows = [
        {
            "id": t.id,
            "side": t.side,
            "qty": t.qty,
            "symbol": t.symbol,
            "entry_ts": t.entry_ts,
            "entry": t.entry_ticks * point,
            "exit_ts": t.exit_ts,
            "exit": t.exit_ticks * point,
            "exit_reason": t.exit_reason,
            "gross_usd": t.gross_cents / 100,
            "costs_usd": t.fees_cents / 100,
            "net_usd": t.net_cents / 100,
            "mae_ticks": t.mae_ticks,
            "mfe_ticks": t.mfe_ticks,
            "grade": GRADE_NAMES[t.grade],
            "confluence_percent": t.confluence_percent,
            "risk_usd": t.risk_cents / 100,
            "slippage_ticks": t.slippage_ticks,
            "phase": t.phase,
            "bracket_id": t.bracket_id,
        }
        for t in trips
    ]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("entry_ts", "exit_ts"):
        frame[name] = _times(frame[name].to_numpy(np.int64))
    return frame


def fills_frame(reports: list[OrderReport], point: float = TICK_POINTS) -> pd.DataFrame:
    """Return the fills among the reports: index `ts`, side, quantity, price, role, fee, order."""
    fills = [r for r in reports if r.last_qty > 0 and r.last_ticks is not None]
    rows = [
        {
            "side": r.side,
            "qty": r.last_qty,
            "price": (r.last_ticks or 0.0) * point,
            "role": r.role.value,
            "symbol": r.symbol,
            "fee_usd": r.fee_cents / 100,
            "order_id": r.order_id,
            "bracket_id": r.bracket_id,
            "tags": ",".join(r.tags),
        }
        for r in fills
    ]
    columns = ["side", "qty", "price", "role", "symbol", "fee_usd", "order_id", "bracket_id", "tags"]
    return pd.DataFrame(rows, _times(np.array([r.ts_event for r in fills], np.int64)), columns=columns)


def _times(ns: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.asarray(ns, np.int64).view("datetime64[ns]"), name="ts").tz_localize("UTC")


def tail_lines(reader: JournalReader, count: int = 10) -> Iterator[str]:
    """Yield the last `count` decisions as JSON lines."""
    for decision in reader.tail(count):
        yield json.dumps(decision_json(reader, decision), separators=(",", ":"))


def decision_json(reader: JournalReader, decision: Decision) -> dict[str, Any]:
    """Return one decision as plain JSON values with names beside the numbers; unknown is None."""
    vector, score = decision.vector, decision.score
    components = {
        name: {
            "value": _number(vector.values[i]),
            "status": STATUS_NAMES[vector.status[i]],
            "weight": _number(score.weights[i]),
            "contribution": _number(score.contributions[i]),
        }
        for i, name in enumerate(reader.names)
    }
    gates = {
        code: {
            "outcome": OUTCOME_NAMES[decision.gate_outcome[i]],
            "required": _number(decision.gate_required[i]),
            "actual": _number(decision.gate_actual[i]),
        }
        for i, code in enumerate(reader.gate_codes)
    }
    context = [] if decision.context is None else decision.context
    return {
        "sequence": decision.sequence,
        "event_sequence": decision.event_sequence,
        "ts_event": pd.Timestamp(decision.ts_event, tz="UTC").isoformat(),
        "price": decision.price_ticks * tick_points(reader),
        "score": _number(score.total),
        "percent": _number(score.percent),
        "coverage": _number(score.coverage),
        "grade": decision.grade_name,
        "side": score.side,
        "components": components,
        "gates": gates,
        "signal": _builtin(decision.signal),
        "verdict": _builtin(decision.verdict),
        "intents": [{"type": type(x).__name__, **_builtin(x)} for x in decision.intents],
        "fills": [_builtin(x) for x in decision.fills],
        "context": {n: _number(v) for n, v in zip(reader.context_names, context, strict=False)},
    }


def _builtin(value: Any) -> Any:
    return json.loads(to_json(value))


def _number(value: Any) -> float | None:
    value = float(value)
    return value if value == value else None


def export(reader: JournalReader, target: str | Path) -> Path:
    """Write the run: `.jsonl` decisions as JSON lines, `.parquet` the decision table with components.

    The file appears only when it is complete.

    Raises
    ------
    InputError
        If the ending is neither.
    OutsideError
        If the disk refuses.
    """
    target = Path(target)
    partial = target.with_name(target.name + ".partial")
    if target.suffix not in (".jsonl", ".parquet"):
        raise InputError(
            "unknown export format", path=str(target), rule="the name ends in .jsonl or .parquet"
        )
    try:
        if target.suffix == ".jsonl":
            with partial.open("w", encoding="utf-8") as handle:
                for decision in reader.decisions():
                    handle.write(json.dumps(decision_json(reader, decision), separators=(",", ":")) + "\n")
        else:
            tables = frames(reader)
            wide = [tables[k].add_prefix(f"{k}.") for k in ("values", "statuses", "contributions", "gates")]
            pd.concat([tables["decisions"], *wide], axis=1).to_parquet(partial, compression="zstd")
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutsideError(
            f"{target}: {error.strerror or error}; way out: free space or rights there"
        ) from error
    return target
