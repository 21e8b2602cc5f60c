"""The account's part of a frame: position, orders, profit and loss, limits used, fills."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.frames.memory import Driven
from mia_kernel.state.ledger import TICK_CENTS, bracket_key

FILLS_SHOWN = 200


def money(account: Any, market: Any) -> dict[str, Any]:
    """Return position, average price in points and money in USD, net of fees unless the name says otherwise."""
    positions = account.positions()
    held = sum(position.qty for position in positions)
    return {
        "position": account.position,
        "average": (
            sum(p.qty * p.average_ticks for p in positions if p.average_ticks is not None)
            / held
            * TICK_POINTS
            if held
            else None
        ),
        "symbols": sorted({position.symbol for position in positions}),
        "day_net_usd": account.day_net_cents / 100,
        "week_net_usd": account.week_net_cents / 100,
        "open_gross_usd": account.open_cents / 100,
        "equity_usd": account.equity_cents / 100,
        "open_risk_usd": int(market.array["account"]["open_risk_cents"][0]) / 100,
        "trades_today": int(market.array["account"]["trades_today"][0]),
    }


def order_rows(rooms: Any, market: Any) -> list[dict[str, Any]]:
    """Return the brackets that are not finished: quantities, entry state, stop and target in points.

    `protected` contracts have a working stop, as the venue last said.
    """
    planned = {int(leg["key"]): leg for leg in market.array["account"][0]["legs"] if leg["used"]}
    rows: list[dict[str, Any]] = []
    for view in rooms.oms.open_brackets():
        leg = planned.get(bracket_key(view.bracket_id))
        rows.append(
            {
                "bracket": view.bracket_id,
                "symbol": view.symbol,
                "side": view.side,
                "qty": view.qty,
                "filled": view.filled,
                "open": view.open,
                "protected": view.protected,
                "entry": view.entry.value,
                "average": _average(leg),
                "stop": view.stop_ticks * TICK_POINTS,
                "target": view.target_ticks * TICK_POINTS,
            }
        )
    return rows


def limit_rows(gate: Any) -> list[dict[str, Any]]:
    """Return every limit that applies as it was found at the last decision, with its level."""
    return [
        {"code": c.code, "limit": c.limit, "actual": c.actual, "unit": c.unit, "level": c.level}
        for c in gate.limits()
        if c.applies
    ]


def fills(run: Driven) -> dict[str, Any]:
    """Return the series `fills` (ts, price, side, qty, with words) and `trips` (closed positions)."""
    found = [report for report in run.reports if report.last_qty > 0][-FILLS_SHOWN:]
    trips = run.round_trips[-FILLS_SHOWN:]
    return {
        "fills": {
            "ts": _ns([r.ts_event for r in found]),
            "price": _points([r.last_ticks for r in found]),
            "side": np.array([r.side for r in found], np.int8),
            "qty": np.array([r.last_qty for r in found], np.int32),
            "role": [r.role.value for r in found],
            "symbol": [r.symbol for r in found],
        },
        "trips": {
            "entry_ts": _ns([t.entry_ts for t in trips]),
            "exit_ts": _ns([t.exit_ts for t in trips]),
            "entry": _points([t.entry_ticks for t in trips]),
            "exit": _points([t.exit_ticks for t in trips]),
            "side": np.array([t.side for t in trips], np.int8),
            "qty": np.array([t.qty for t in trips], np.int32),
            "symbol": [t.symbol for t in trips],
            "net_usd": np.array([t.net_cents / 100 for t in trips], np.float64),
            "reason": [t.exit_reason for t in trips],
        },
    }


def _average(leg: Any) -> float | None:
    """Average entry price in points; None before the first fill."""
    if leg is None or leg["entered"] == 0:
        return None
    tick = TICK_CENTS[int(leg["symbol"])]
    return float(leg["entry_cents"]) / (int(leg["entered"]) * tick) * TICK_POINTS


def _ns(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _points(ticks: list[Any]) -> NDArray[np.float64]:
    return np.array(ticks, np.float64) * TICK_POINTS
