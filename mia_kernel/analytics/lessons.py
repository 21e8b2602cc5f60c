"""One row per closed trade with all that was known around it, so that trades can be compared with their like.

How it moves: a round trip, its decision at entry, the decision nearest its exit, the path between and its fills
become a `Lesson`; text fields come from stated rules over the numbers, so the same trade always reads the same.
Lessons are written into the journal when a run closes; statistics over many of them are in `effectiveness`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics import chain_around
from mia_kernel.analytics.autopsy import Fill
from mia_kernel.analytics.performance import outcome
from mia_kernel.analytics.say import mark
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import CONTEXT_NAMES, GRADE_NAMES, OK, PREMIUM, STRONG, WEAK, Decision
from mia_kernel.core.events import OptionView
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.session import new_york_minute, trading_day_of
from mia_kernel.core.session_table import date_of
from mia_kernel.state.ledger import TICK_CENTS
from mia_kernel.state.regime import MARKET_NAMES, VOLATILITY_NAMES

PROFIT_R = 0.2
"""Profit from which a trade counts as having worked for a moment."""

EARLY_MAE_R = 0.6
LATE_ATR = 1.0
QUALITY = {WEAK: "average", STRONG: "good", PREMIUM: "excellent"}


@dataclass(frozen=True, slots=True)
class Lesson:
    """One closed trade in its context. Money in USD, distances in ticks, unknown is None."""

    trade_id: int
    bracket_id: str
    ts_event: int
    exit_ts: int
    symbol: str
    direction: str
    size: int
    entry: float
    exit: float
    pnl_gross: float
    pnl_net: float
    pnl_ticks: float
    result_r: float | None
    outcome: str
    duration_min: float
    time_to_profit_min: float | None
    session_phase: str
    hour: int
    weekday: str
    volatility_regime: str | None
    market_regime: str | None
    signal_type: str | None
    grade: str
    confluence_score: float | None
    confluence_percent: float
    coverage: float | None
    setup_quality: str
    entry_timing: str | None
    slippage_ticks: float | None
    fill_quality: float | None
    execution_delay_ms: float | None
    mae_ticks: float
    mfe_ticks: float
    mae_r: float | None
    mfe_r: float | None
    exit_reason: str
    risk_usd: float
    risk_reward_ratio: float | None
    win_probability_estimated: float | None
    confidence_level: float | None
    market_context: Mapping[str, float | None]
    contributions: Mapping[str, float]
    contributions_at_exit: Mapping[str, float]
    what_worked: tuple[str, ...]
    what_failed: tuple[str, ...]
    improvement_suggestion: str | None
    risk_management_notes: tuple[str, ...]
    gamma_phase: str | None = None

    @property
    def volume_profile(self) -> str | None:
        """Where the session's value area stood at entry: `below`, `in` or `above_value`; None where it was unknown."""
        over, under = self.market_context.get("from_vah_ticks"), self.market_context.get("from_val_ticks")
        if over is None or under is None:
            return None
        return "above_value" if over > 0 else "below_value" if under < 0 else "in_value"


def lessons(
    trips: Sequence[RoundTrip],
    columns: DecisionTable,
    *,
    path: NDArray[Any] | None = None,
    fills: Sequence[Fill] = (),
    views: Sequence[OptionView] = (),
) -> list[Lesson]:
    """Return a lesson per round trip, in order.

    Parameters
    ----------
    trips : sequence of RoundTrip
    columns : DecisionTable
    path : structured array, optional
        What the price did (`ts`, `high`, `low`); without it time to profit and entry timing are unknown.
    fills : sequence of Fill
        Of the same run; without them delay and fill quality are unknown.
    views : sequence of OptionView
        What the option chains beside the market said, in order; without them walls, flip and gamma phase are unknown.
    """
    by_bracket = {command.bracket_id: d for _, d in columns.signals for command in d.intents}
    entries = {fill.bracket_id: fill for fill in reversed(fills) if fill.role == "entry"}
    ts = columns.column("ts_event")
    made: list[Lesson] = []
    for trip in trips:
        row = int(np.searchsorted(ts, trip.exit_ts, side="right")) - 1
        decision = by_bracket.get(trip.bracket_id)
        walked = None if path is None else _walk(path, trip)
        lesson = _lesson(trip, decision, columns, row, walked, entries.get(trip.bracket_id))
        view = None if decision is None else chain_around.in_force(views, decision.ts_event)
        if decision is not None and view is not None:
            around = {**lesson.market_context, **chain_around.distances(view, decision.price_ticks)}
            phase = chain_around.gamma_phase(decision.ts_event)
            lesson = replace(lesson, market_context=around, gamma_phase=phase)
        made.append(lesson)
    return made


@dataclass(frozen=True, slots=True)
class _Walk:
    """What the price did for a trade before it first showed a profit of PROFIT_R, ticks ≥ 0."""

    profit_ts: int | None
    worst_before: float


def _walk(path: NDArray[Any], trip: RoundTrip) -> _Walk:
    first, stop = np.searchsorted(path["ts"], (trip.entry_ts, trip.exit_ts), side="right")
    part = path[first:stop]
    if not len(part) or trip.risk_cents <= 0:
        return _Walk(None, 0.0)
    best, worst = (part["high"], part["low"]) if trip.side > 0 else (part["low"], part["high"])
    needed = PROFIT_R * _risk_ticks(trip)
    reached = np.flatnonzero(trip.side * (best - trip.entry_ticks) >= needed)
    at = int(reached[0]) if len(reached) else None
    against = -trip.side * (worst[: at if at is not None else len(part)] - trip.entry_ticks)
    return _Walk(None if at is None else int(part["ts"][at]), float(max(against.max(initial=0.0), 0.0)))


def _risk_ticks(trip: RoundTrip) -> float:
    return trip.risk_cents / (trip.qty * TICK_CENTS[0 if trip.symbol == "ES" else 1])


def _lesson(
    trip: RoundTrip,
    decision: Decision | None,
    columns: DecisionTable,
    exit_row: int,
    walk: _Walk | None,
    fill: Fill | None,
) -> Lesson:
    risk = _risk_ticks(trip) if trip.risk_cents > 0 else None
    context = _context(decision)
    mae_r, mfe_r = (None, None) if risk is None else (trip.mae_ticks / risk, trip.mfe_ticks / risk)
    result_r = trip.net_cents / trip.risk_cents if trip.risk_cents > 0 else None
    timing = _timing(trip, decision, walk, risk)
    slipped = trip.slippage_ticks
    worked, failed = _verdicts(trip, result_r, mae_r, mfe_r, slipped)
    return Lesson(
        **_of_trip(trip),
        **_of_decision(decision, context),
        result_r=result_r,
        mae_r=mae_r,
        mfe_r=mfe_r,
        time_to_profit_min=_minutes_to_profit(trip, walk),
        entry_timing=timing,
        execution_delay_ms=None if fill is None else fill.delay_ms,
        contributions_at_exit=_row_contributions(columns, exit_row),
        what_worked=worked,
        what_failed=failed,
        improvement_suggestion=_suggestion(timing, mfe_r, result_r, slipped),
        risk_management_notes=_notes(trip, mae_r, result_r),
    )


def _of_trip(trip: RoundTrip) -> dict[str, Any]:
    """Return what the round trip itself says."""
    slipped = trip.slippage_ticks
    return {
        "trade_id": trip.id,
        "bracket_id": trip.bracket_id,
        "ts_event": trip.entry_ts,
        "exit_ts": trip.exit_ts,
        "symbol": trip.symbol,
        "direction": "long" if trip.side > 0 else "short",
        "size": trip.qty,
        "entry": trip.entry_ticks * TICK_POINTS,
        "exit": trip.exit_ticks * TICK_POINTS,
        "pnl_gross": trip.gross_cents / 100,
        "pnl_net": trip.net_cents / 100,
        "pnl_ticks": trip.side * (trip.exit_ticks - trip.entry_ticks),
        "outcome": {1: "win", -1: "loss", 0: "scratch"}[outcome(trip)],
        "duration_min": (trip.exit_ts - trip.entry_ts) / 60e9,
        "session_phase": trip.phase,
        "hour": new_york_minute(trip.entry_ts) // 60,
        "weekday": _weekday(trip.entry_ts),
        "grade": GRADE_NAMES[trip.grade],
        "confluence_percent": trip.confluence_percent,
        "setup_quality": QUALITY.get(trip.grade, "poor"),
        "slippage_ticks": slipped,
        "fill_quality": None if slipped is None else float(np.clip(1 - max(0.0, slipped) / 4, 0, 1)),
        "mae_ticks": trip.mae_ticks,
        "mfe_ticks": trip.mfe_ticks,
        "exit_reason": trip.exit_reason,
        "risk_usd": trip.risk_cents / 100,
    }


def _of_decision(decision: Decision | None, context: Mapping[str, float | None]) -> dict[str, Any]:
    """Return what the decision at entry knew; None and empty where it is not in the record."""
    signal = None if decision is None else decision.signal
    return {
        "volatility_regime": _code(context, "volatility_regime", VOLATILITY_NAMES),
        "market_regime": _code(context, "market_regime", MARKET_NAMES),
        "signal_type": None if signal is None else signal.strategy,
        "confluence_score": None if decision is None else decision.score.total,
        "coverage": None if decision is None else decision.score.coverage,
        "risk_reward_ratio": _planned_ratio(decision),
        "win_probability_estimated": None
        if decision is None or decision.opinion is None
        else decision.opinion.probability,
        "confidence_level": None if signal is None else signal.confidence,
        "market_context": _around(decision, context),
        "contributions": _contributions(decision),
    }


def _minutes_to_profit(trip: RoundTrip, walk: _Walk | None) -> float | None:
    return None if walk is None or walk.profit_ts is None else (walk.profit_ts - trip.entry_ts) / 60e9


def _context(decision: Decision | None) -> dict[str, float | None]:
    if decision is None or decision.context is None:
        return {}
    values = decision.context.tolist()
    return {name: v if v == v else None for name, v in zip(CONTEXT_NAMES, values, strict=False)}


def _code(context: Mapping[str, float | None], name: str, names: Sequence[str]) -> str | None:
    code = context.get(name)
    return names[int(code)] if code is not None and 0 <= int(code) < len(names) else None


def _around(decision: Decision | None, context: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return VIX, ATR and distances from the price at the decision, in ticks (positive: the price is above)."""
    if decision is None:
        return {}
    price = float(decision.price_ticks)
    out: dict[str, float | None] = {
        name: context.get(name) for name in ("vix", "atr_5m_ticks", "spread_ticks")
    }
    for name in (
        "vwap_ticks",
        "poc_ticks",
        "vah_ticks",
        "val_ticks",
        "session_high_ticks",
        "session_low_ticks",
    ):
        level = context.get(name)
        out[f"from_{name.removesuffix('_ticks')}_ticks"] = None if level is None else price - level
    return out


def _contributions(decision: Decision | None) -> dict[str, float]:
    if decision is None:
        return {}
    vector = decision.vector
    found = decision.score.contributions.tolist()
    return {
        n: c for n, c, s in zip(vector.names, found, vector.status.tolist(), strict=True) if s == OK and c
    }


def _row_contributions(columns: DecisionTable, row: int) -> dict[str, float]:
    if row < 0:
        return {}
    found = columns.column("contributions")[row].tolist()
    status = columns.column("status")[row].tolist()
    return {n: c for n, c, s in zip(columns.names, found, status, strict=True) if s == OK and c}


def _timing(trip: RoundTrip, decision: Decision | None, walk: _Walk | None, risk: float | None) -> str | None:
    """Return late, early or good.

    Early: over 0.6 R against the trade before any profit over 0.2 R. Late: at entry the price was already over one
    ATR beyond VWAP in the trade's direction, and the trade then never made 1 R.
    """
    if walk is None or risk is None:
        return None
    if walk.worst_before > EARLY_MAE_R * risk:
        return "early"
    leg = _leg_before(trip, decision)
    atr = _context(decision).get("atr_5m_ticks")
    return (
        "late"
        if leg is not None and atr is not None and leg > LATE_ATR * atr and trip.mfe_ticks < risk
        else "good"
    )


def _leg_before(trip: RoundTrip, decision: Decision | None) -> float | None:
    """Return how far the price had already come from VWAP in the trade's direction, ticks."""
    vwap = _context(decision).get("vwap_ticks")
    return None if vwap is None or decision is None else trip.side * (decision.price_ticks - vwap)


def _planned_ratio(decision: Decision | None) -> float | None:
    signal = None if decision is None else decision.signal
    if signal is None or signal.entry_ticks == signal.stop_ticks:
        return None
    return abs(signal.target_ticks - signal.entry_ticks) / abs(signal.entry_ticks - signal.stop_ticks)


def _verdicts(
    trip: RoundTrip, result_r: float | None, mae_r: float | None, mfe_r: float | None, slipped: float | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    worked: list[str] = []
    failed: list[str] = []
    if result_r is not None and result_r >= 1.0:
        worked.append(mark("made its planned risk or more"))
    if mae_r is not None and mae_r <= 0.3 and trip.net_cents > 0:
        worked.append(mark("hardly went against the entry"))
    if trip.exit_reason == "trailing_stop" and trip.net_cents > 0:
        worked.append(mark("the trailing stop kept a profit"))
    if mae_r is not None and mae_r > EARLY_MAE_R:
        failed.append(mark("went more than 0.6 R against the entry"))
    if mfe_r is not None and result_r is not None and mfe_r >= 1.0 and result_r < 0:
        failed.append(mark("gave back 1 R or more"))
    if mfe_r is not None and mfe_r < PROFIT_R and trip.net_cents < 0:
        failed.append(mark("never worked"))
    if slipped is not None and slipped > 2.0:
        failed.append(mark("slipped more than 2 ticks"))
    return tuple(worked), tuple(failed)


def _suggestion(
    timing: str | None, mfe_r: float | None, result_r: float | None, slipped: float | None
) -> str | None:
    if mfe_r is not None and result_r is not None and mfe_r >= 1.0 and result_r < 0:
        return mark("compare with a stop at break-even after 1 R (what-if)")
    if timing == "early":
        return mark("compare with an entry after the first push back (what-if)")
    if timing == "late":
        return mark("compare with entries within one ATR of VWAP (what-if)")
    if slipped is not None and slipped > 2.0:
        return mark("look at the spread at entry in the fill autopsy")
    return None


def _notes(trip: RoundTrip, mae_r: float | None, result_r: float | None) -> tuple[str, ...]:
    notes: list[str] = []
    if result_r is not None and result_r < -1.25:
        notes.append(mark("lost more than 1.25 R: the stop slipped or gapped"))
    if trip.exit_reason == "stop" and mae_r is not None and mae_r >= 1.0:
        notes.append(mark("the initial stop ended it"))
    return tuple(notes)


def _weekday(ts: int) -> str:
    return f"{date_of(trading_day_of(ts)):%A}"
