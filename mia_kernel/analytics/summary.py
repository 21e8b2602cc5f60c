"""The summary of a run: the object behind `mia replay --json`, from columns and round trips alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mia_kernel.analytics.performance import performance, targets
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import GRADE_NAMES
from mia_kernel.core.events import BAR, BOOK, QUOTE, TRADE, VIX, EventArray
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import trading_day_of, trading_days_of


def iso(ts: int | None) -> str | None:
    """Return a time in ns UTC as ISO 8601 with offset, microseconds kept."""
    if ts is None:
        return None
    return (
        datetime.fromtimestamp(ts // 1_000_000_000, UTC)
        .replace(microsecond=ts // 1_000 % 1_000_000)
        .isoformat()
    )


def trip_row(trip: RoundTrip) -> dict[str, Any]:
    """Return one round trip with prices in points and money in USD."""
    return {
        "id": trip.id,
        "symbol": trip.symbol,
        "side": "long" if trip.side > 0 else "short",
        "qty": trip.qty,
        "entry_ts": iso(trip.entry_ts),
        "entry": trip.entry_ticks * TICK_POINTS,
        "exit_ts": iso(trip.exit_ts),
        "exit": trip.exit_ticks * TICK_POINTS,
        "exit_reason": trip.exit_reason,
        "gross_usd": trip.gross_cents / 100,
        "costs_usd": trip.fees_cents / 100,
        "net_usd": trip.net_cents / 100,
        "mae_ticks": trip.mae_ticks,
        "mfe_ticks": trip.mfe_ticks,
        "grade": GRADE_NAMES[trip.grade],
        "confluence_percent": trip.confluence_percent,
        "phase": trip.phase,
    }


def _days(events: EventArray) -> set[int]:
    """Return the trading days the rows touch, read from 4096 of them at most."""
    sample = events["ts_event"][:: max(1, len(events) // 4096)]
    return {int(day) for day in np.unique(trading_days_of(sample))} if len(events) else set()


def _counts(events: EventArray) -> dict[str, Any]:
    kinds = events["kind"]
    market = events["instrument"] != VIX
    return {
        "first_event": iso(int(events["ts_event"][0]) if len(events) else None),
        "last_event": iso(int(events["ts_event"].max()) if len(events) else None),
        "events": len(events),
        "trades": int(((kinds == TRADE) & market).sum()),
        "quotes": int((kinds == QUOTE).sum()),
        "book_updates": int((kinds == BOOK).sum()),
        "bars": int((kinds == BAR).sum()),
    }


def summary(
    *,
    header: Mapping[str, Any],
    events: EventArray,
    table: DecisionTable,
    trips: Sequence[RoundTrip],
    digest: str,
    seconds: float,
    weights: Mapping[str, float],
    capital_cents: int,
    coverage_floor: float,
) -> dict[str, Any]:
    """Return the keys of `mia replay --json`.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        The rows of the run without its warm-up.
    seconds : float
        Wall time of the run; not part of the digest.
    coverage_floor : float
        Below it nothing may be traded; `advice` says so where the run could never reach it.
    """
    traded = {trading_day_of(trip.exit_ts) for trip in trips}
    figures = performance(
        trips,
        capital_cents=capital_cents,
        days=sorted(_days(events) | traded),
        mark_ts=table.column("ts_event"),
        mark_ticks=table.column("price_ticks").astype(np.float64),
    )
    return {
        "source": header["source"]["name"],
        "source_tag": header["source"]["tag"],
        "symbol": header["symbol"],
        **_counts(events),
        "decisions": len(table),
        "signals": len(table.signals),
        "denied": table.denied,
        "refusals": table.refusals(),
        "seconds": seconds,
        "events_per_second": len(events) / seconds if seconds > 0 else None,
        "digest": digest,
        "settings_id": header["settings_id"],
        "code_version": header["code_version"],
        "model_id": header["model_id"],
        "weights": header["weights_name"],
        "coverage": table.coverage_mean(),
        "coverage_max": table.coverage_max(),
        "components": table.component_summary(dict(weights)),
        "round_trips": [trip_row(trip) for trip in trips],
        "performance": figures,
        "targets": targets(figures),
        "advice": _advice(table, coverage_floor, header["weights_name"]),
    }


def _advice(table: DecisionTable, floor: float, weights_name: str) -> str | None:
    """Say why nothing could be traded, where the source itself is the reason."""
    most = table.coverage_max()
    if most is None:
        return "no decision point: the source holds no event inside an open session"
    if most >= floor:
        return None
    text = f"coverage reached {most:.2f} at most, under the floor of {floor:.2f}: "
    text += f"this source cannot be traded with {weights_name!r}"
    hint = "" if weights_name == "bars" else "; `--weights bars` is the research preset for poor sources"
    return text + hint
