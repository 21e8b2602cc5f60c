"""The tables of the daily page: trades with their reasons, refusals per gate, components, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mia_kernel.analytics import explain
from mia_kernel.analytics.html import Cell, esc, number, section, table, text, unfold
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS, by_group
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.analytics.words import FEEDS
from mia_kernel.core.decisions import ABSENT, BLOCKING, FAILED, GRADE_NAMES, NOT_READY, OK, PASSED, STALE
from mia_kernel.core.instrument import instrument
from mia_kernel.core.orders import RoundTrip

NEW_YORK = ZoneInfo("America/New_York")
MAX_REFUSED_SIGNALS = 40
MAX_TRADES = 200
SIDES = {1: "long", -1: "short"}


def trades(
    trips: Sequence[RoundTrip], columns: DecisionTable, run: explain.RunFacts, lessons: Sequence[Lesson] = ()
) -> str:
    """Return the trades, each unfolding to its post-mortem, then the refused signals.

    Of more than MAX_TRADES the best and the worst are shown; the journal holds them all.
    """
    parts = ["<p class='mia-note'>No round trip was closed.</p>"]
    if trips:
        parts = [_trips(_telling(trips), columns, run, {row.bracket_id: row for row in lessons})]
        if len(trips) > MAX_TRADES:
            note = f"{MAX_TRADES} of {len(trips):,}: the best and the worst half of them; all are in the journal."
            parts.append(f"<p class='mia-note'>{note}</p>")
    refused = _refused(columns, run)
    return "".join(parts) + refused


def _telling(trips: Sequence[RoundTrip]) -> Sequence[RoundTrip]:
    """Return the trades worth a row: all, or the worst and the best of very many, in order of time."""
    if len(trips) <= MAX_TRADES:
        return trips
    ranked = sorted(trips, key=lambda trip: trip.net_cents)
    half = MAX_TRADES // 2
    return sorted([*ranked[:half], *ranked[-half:]], key=lambda trip: trip.exit_ts)


def post_mortem(lesson: Lesson) -> str:
    """Return what a lesson says of its trade as lines of text; unknown is an em dash."""
    timing = lesson.entry_timing or "—"
    first = "never" if lesson.time_to_profit_min is None else f"after {lesson.time_to_profit_min:.1f} min"
    regime = " · ".join(
        (
            f"volatility {lesson.volatility_regime or '—'}",
            f"market {(lesson.market_regime or '—').replace('_', ' ')}",
        )
    )
    lines = [
        f"{lesson.direction} {lesson.size} {lesson.symbol}, {lesson.duration_min:.1f} min, {regime}",
        f"planned reward to risk {_plain(lesson.risk_reward_ratio)}, result {_plain(lesson.result_r, '+.2f')} R, "
        f"MAE {_plain(lesson.mae_r)} R, MFE {_plain(lesson.mfe_r)} R, profit of 0.2 R {first}, entry {timing}",
        f"slippage {_plain(lesson.slippage_ticks)} ticks, order to fill {_plain(lesson.execution_delay_ms, ',.0f')} ms",
        *(f"worked: {text}" for text in lesson.what_worked),
        *(f"failed: {text}" for text in lesson.what_failed),
        *(f"note: {text}" for text in lesson.risk_management_notes),
    ]
    if lesson.improvement_suggestion:
        lines.append(f"next: {lesson.improvement_suggestion}")
    return "\n".join(lines)


def _plain(value: float | None, form: str = ".2f") -> str:
    return "—" if value is None else format(value, form).replace("-", "−")


def _trips(
    trips: Sequence[RoundTrip], columns: DecisionTable, run: explain.RunFacts, lessons: Mapping[str, Lesson]
) -> str:
    by_bracket = {command.bracket_id: d for _, d in columns.signals for command in d.intents}
    rows: list[list[Cell]] = []
    for trip in trips:
        tick = float(instrument(trip.symbol).tick_size)
        in_r = trip.net_cents / trip.risk_cents if trip.risk_cents > 0 else None
        decision = by_bracket.get(trip.bracket_id)
        reason = explain.why(decision, run) if decision else "the decision is not in this record"
        if trip.bracket_id in lessons:
            reason = f"{post_mortem(lessons[trip.bracket_id])}\n\n{reason}"
        side = SIDES[trip.side]
        rows.append(
            [
                Cell(unfold(f"{trip.id}", reason)),
                text(_time(trip.entry_ts), "num"),
                text(_time(trip.exit_ts), "num"),
                Cell(f"{side} {trip.qty} {esc(trip.symbol)}", "up" if trip.side > 0 else "down"),
                number(trip.entry_ticks * tick),
                number(trip.exit_ticks * tick),
                text(trip.exit_reason.replace("_", " ")),
                number(trip.side * (trip.exit_ticks - trip.entry_ticks), ",.1f", signed=True),
                number(trip.fees_cents / 100),
                number(trip.net_cents / 100, signed=True),
                number(in_r, ".2f", signed=True),
                number(trip.mae_ticks, ".0f"),
                number(trip.mfe_ticks, ".0f"),
                text(GRADE_NAMES[trip.grade]),
                text(trip.phase.replace("_", " ")),
            ]
        )
    heads = [
        *("why", "in", "out", "side", "entry", "exit", "exit by", "ticks", "costs USD", "net USD", "R"),
        *("MAE ticks", "MFE ticks", "grade", "phase"),
    ]
    return table(heads, rows, numeric=(1, 2, 4, 5, 7, 8, 9, 10, 11, 12))


def _refused(columns: DecisionTable, run: explain.RunFacts) -> str:
    found = [d for _, d in columns.signals if not (d.verdict and d.verdict.allowed)]
    if not found:
        return ""
    rows = [
        [
            text(_time(d.ts_event), "num"),
            Cell(SIDES[d.signal.side], "up" if d.signal.side > 0 else "down") if d.signal else Cell("—"),
            number(d.price_ticks * run.tick_points),
            number(d.score.percent),
            text(GRADE_NAMES[d.score.grade]),
            text(explain.why_not(d, run, form="brief")),
        ]
        for d in found[:MAX_REFUSED_SIGNALS]
    ]
    more = len(found) - len(rows)
    note = f"<p class='mia-note'>{more} more refused signals are in the journal.</p>" if more else ""
    heads = ("time", "side", "price", "confluence %", "grade", "why not")
    return f"<h3>Refused signals ({len(found)})</h3>" + table(heads, rows, numeric=(0, 2, 3)) + note


def refusals(columns: DecisionTable, run: explain.RunFacts) -> str:
    """Return which gate refused how often, and how often it was the only one in the way."""
    outcome = columns.column("gate_outcome")
    if len(outcome) == 0:
        return "<p class='mia-note'>No decision was taken.</p>"
    levels = np.array(run.gate_levels)
    failed = outcome == FAILED
    alone = failed & ((failed & (levels == BLOCKING)).sum(axis=1, keepdims=True) == 1)
    required, actual = columns.column("gate_required"), columns.column("gate_actual")
    rows: list[tuple[bool, int, list[Cell]]] = []
    quiet: list[str] = []
    unasked: list[str] = []
    for i, code in enumerate(run.gate_codes):
        asked = int(((outcome[:, i] == PASSED) | failed[:, i]).sum())
        count = int(failed[:, i].sum())
        if not count:
            (quiet if asked else unasked).append(code.replace("_", " "))
            continue
        found = actual[failed[:, i], i]
        wanted = required[failed[:, i], i]
        blocking = bool(levels[i] == BLOCKING)
        cells = [
            text(code.replace("_", " ")),
            text(("blocks", "warns", "informs")[int(levels[i])]),
            number(asked, ",.0f"),
            number(count, ",.0f"),
            _share(count, asked),
            number(int(alone[:, i].sum()), ",.0f") if blocking else Cell("", "num"),
            _amount(wanted[np.isfinite(wanted)], run.gate_units[i]),
            _amount(found[np.isfinite(found)], run.gate_units[i]),
        ]
        rows.append((not blocking, -count, cells))
    rows.sort(key=lambda row: row[:2])
    heads = ("gate", "weight", "asked", "refused", "share", "alone in the way", "requires", "found (median)")
    faint = [i for i, row in enumerate(rows) if row[0]]
    body = table(heads, [row[2] for row in rows], numeric=(2, 3, 4, 5, 6, 7), faint=faint) if rows else ""
    return body + _list("Never refused", quiet) + _list("Never asked, or without an answer", unasked)


def _list(title: str, names: Sequence[str]) -> str:
    return f"<p class='mia-note'>{title}: {esc(', '.join(names))}.</p>" if names else ""


def _amount(values: Any, unit: str) -> Cell:
    if unit in ("flag", "state") or not len(values):
        return Cell("—" if unit not in ("flag", "state") else "", "num faint")
    return text(explain.amount(float(np.median(values)), unit), "num")


def _share(count: int, asked: int) -> Cell:
    if not asked:
        return Cell("—", "num faint")
    share = count / asked
    return Cell(f"<span class='bar' style='--share:{share:.3f}'></span>{share:.0%}", "num")


def components(columns: DecisionTable, run: explain.RunFacts) -> str:
    """Return each weighed component: weight, how often it was known and why not, mean and range."""
    status, values = columns.column("status"), columns.column("values")
    n = len(status)
    rows: list[list[Cell]] = []
    weighed = sorted(((w, name) for name, w in run.static_weights.items() if w > 0), reverse=True)
    faint: list[int] = []
    for at, (weight, name) in enumerate(weighed):
        i = columns.names.index(name)
        counts = [int((status[:, i] == code).sum()) for code in (OK, NOT_READY, STALE, ABSENT)]
        known = values[status[:, i] == OK, i]
        if not counts[0]:
            faint.append(at)
        rows.append(
            [
                text(name.replace("_", " ")),
                number(weight, ".4f"),
                *(_share(count, n) for count in counts),
                number(float(known.mean()) if len(known) else None, ".3f", signed=True),
                number(float(known.min()) if len(known) else None, ".3f"),
                number(float(known.max()) if len(known) else None, ".3f"),
                text(FEEDS.get(name, "") if not counts[0] else ""),
            ]
        )
    heads = (
        "component",
        "weight",
        "known",
        "not ready",
        "stale",
        "absent",
        "mean",
        "min",
        "max",
        "would need",
    )
    return table(heads, rows, numeric=range(1, 9), faint=faint)


def groups(trips: Sequence[RoundTrip]) -> str:
    """Return what worked by phase, by grade and by side, each with n; "too few" in grey."""
    if not trips:
        return "<p class='mia-note'>Nothing to compare: no round trip was closed.</p>"
    parts = []
    for title, key in (
        ("by phase", lambda t: t.phase.replace("_", " ")),
        ("by grade", lambda t: GRADE_NAMES[t.grade]),
        ("by side", lambda t: SIDES[t.side]),
        ("by exit", lambda t: t.exit_reason.replace("_", " ")),
    ):
        found = by_group(trips, key)
        rows = [
            [
                text(row["group"]),
                number(row["n"], ",.0f"),
                number(row["win_rate"] * 100, ".0f", unit="%"),
                Cell("–".join(f"{x:.0%}" for x in row["win_rate_ci"]), "num"),
                number(row["expectancy_r"], ".2f", signed=True),
                number(row["net_usd"], signed=True),
                text("too few" if row["too_few"] else "", "faint"),
            ]
            for row in found
        ]
        heads = (title, "n", "win rate", "95 % interval", "expectancy R", "net USD", "")
        faint = [i for i, row in enumerate(found) if row["too_few"]]
        parts.append(table(heads, rows, numeric=(1, 2, 3, 4, 5), faint=faint))
    note = f"<p class='mia-note'>Under {MIN_GROUP_TRIPS} round trips a group proves nothing.</p>"
    return f"<div class='mia-columns'>{''.join(parts)}</div>{note}"


def _time(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(NEW_YORK):%H:%M:%S}"


__all__ = ["components", "groups", "refusals", "section", "trades"]
