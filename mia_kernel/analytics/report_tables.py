"""The tables of the daily page: trades with their reasons, refusals per gate, components, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mia_kernel.analytics import explain
from mia_kernel.analytics.effectiveness import Group, pattern_of
from mia_kernel.analytics.html import Cell, esc, number, section, table, text, unfold
from mia_kernel.analytics.lessons import Lesson
from mia_kernel.analytics.performance import MIN_GROUP_TRIPS, by_group
from mia_kernel.analytics.say import Say, coded, mark, marks, plain
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.analytics.words import FEEDS
from mia_kernel.core.decisions import ABSENT, BLOCKING, FAILED, GRADE_NAMES, NOT_READY, OK, PASSED, STALE
from mia_kernel.core.instrument import instrument
from mia_kernel.core.orders import RoundTrip

NEW_YORK = ZoneInfo("America/New_York")
MAX_REFUSED_SIGNALS = 40
OPEN_REFUSED = 8
"""Refused signals that stand open; the rest is folded."""

MAX_TRADES = 200
SIDES = {1: "long", -1: "short"}
WEIGHTS = marks("blocks", "warns", "informs")
"""What a gate does when it fails, by level."""


def trades(
    trips: Sequence[RoundTrip],
    columns: DecisionTable,
    run: explain.RunFacts,
    lessons: Sequence[Lesson] = (),
    alike: Mapping[str, Group] | None = None,
    say: Say = plain,
) -> str:
    """Return the trades, each unfolding to its post-mortem, then the refused signals.

    Of more than MAX_TRADES the best and the worst are shown; the journal holds them all.
    """
    parts = [note(say("No round trip was closed."))]
    if trips:
        parts = [
            _trips(_telling(trips), columns, run, {row.bracket_id: row for row in lessons}, alike or {}, say)
        ]
        if len(trips) > MAX_TRADES:
            text = say("{shown} of {n}: the best and the worst half of them; all are in the journal.")
            parts.append(note(text.format(shown=MAX_TRADES, n=f"{len(trips):,}")))
    return "".join(parts) + _refused(columns, run, say)


def note(sentence: str) -> str:
    """Return a sentence in small letters."""
    return f"<p class='mia-note'>{esc(sentence)}</p>"


def _telling(trips: Sequence[RoundTrip]) -> Sequence[RoundTrip]:
    """Return the trades worth a row: all, or the worst and the best of very many, in order of time."""
    if len(trips) <= MAX_TRADES:
        return trips
    ranked = sorted(trips, key=lambda trip: trip.net_cents)
    half = MAX_TRADES // 2
    return sorted([*ranked[:half], *ranked[-half:]], key=lambda trip: trip.exit_ts)


def post_mortem(lesson: Lesson, say: Say = plain) -> str:
    """Return what a lesson says of its trade as lines of text; unknown is an em dash."""
    first = say("never")
    if lesson.time_to_profit_min is not None:
        first = say("after {minutes} min").format(minutes=f"{lesson.time_to_profit_min:.1f}")
    lines = [
        say("{side} {size} {symbol}, {minutes} min, volatility {volatility} · market {market}").format(
            side=coded(lesson.direction, say),
            size=lesson.size,
            symbol=lesson.symbol,
            minutes=f"{lesson.duration_min:.1f}",
            volatility=_word(lesson.volatility_regime, say),
            market=_word(lesson.market_regime, say),
        ),
        say("planned reward to risk {planned}, result {result} R, MAE {mae} R, MFE {mfe} R").format(
            planned=_plain(lesson.risk_reward_ratio),
            result=_plain(lesson.result_r, "+.2f"),
            mae=_plain(lesson.mae_r),
            mfe=_plain(lesson.mfe_r),
        ),
        say("profit of 0.2 R {first}, entry {timing}").format(
            first=first, timing=_word(lesson.entry_timing, say)
        ),
        say("slippage {ticks} ticks, order to fill {seconds} s").format(
            ticks=_plain(lesson.slippage_ticks),
            seconds=_plain(
                None if lesson.execution_delay_ms is None else lesson.execution_delay_ms / 1000, ",.1f"
            ),
        ),
        *around(lesson, say),
        *(say("worked: {text}").format(text=say(text)) for text in lesson.what_worked),
        *(say("failed: {text}").format(text=say(text)) for text in lesson.what_failed),
        *(say("note: {text}").format(text=say(text)) for text in lesson.risk_management_notes),
    ]
    if lesson.improvement_suggestion:
        lines.append(say("next: {text}").format(text=say(lesson.improvement_suggestion)))
    return "\n".join(lines)


def alike_words(group: Group, say: Say = plain) -> str:
    """Return how the trades of the same pattern did in 90 days, or that they are too few to say."""
    if group.too_few or group.expectancy_r is None:
        return say("the same pattern in 90 days: {n} trades, too few").format(n=group.n)
    return say("the same pattern in 90 days: {value} R per trade over {n}").format(
        value=_plain(group.expectancy_r, "+.2f"), n=group.n
    )


AROUND = {
    "from_vwap_ticks": mark("VWAP"),
    "from_poc_ticks": mark("POC"),
    "from_gamma_flip_ticks": mark("gamma flip"),
    "from_call_wall_ticks": mark("call wall"),
    "from_put_wall_ticks": mark("put wall"),
}
"""Levels whose distance a post-mortem tells, by their name in a lesson's market context."""


def around(lesson: Lesson, say: Say = plain) -> list[str]:
    """Return where the entry stood: VIX, distances to the levels that were known, gamma phase, the model's word."""
    context = lesson.market_context
    found = [
        f"{say(name)} {_plain(value, '+,.0f')}"
        for key, name in AROUND.items()
        if (value := context.get(key)) is not None
    ]
    lines = []
    if found:
        lines.append(say("price against levels, ticks: {levels}").format(levels=", ".join(found)))
    if lesson.volume_profile is not None:
        lines.append(say("entry {place}").format(place=coded(lesson.volume_profile, say)))
    if context.get("vix") is not None:
        lines.append(f"VIX {_plain(context['vix'])}")
    if lesson.gamma_phase is not None:
        lines.append(say("gamma phase {phase}").format(phase=coded(lesson.gamma_phase, say)))
    if lesson.win_probability_estimated is not None:
        lines.append(
            say("the model gave a win {probability}").format(
                probability=f"{lesson.win_probability_estimated:.0%}"
            )
        )
    return lines


def _word(code: str | None, say: Say) -> str:
    return "—" if code is None else coded(code, say)


def _plain(value: float | None, form: str = ".2f") -> str:
    return "—" if value is None else format(value, form).replace("-", "−")


def _trips(
    trips: Sequence[RoundTrip],
    columns: DecisionTable,
    run: explain.RunFacts,
    lessons: Mapping[str, Lesson],
    alike: Mapping[str, Group],
    say: Say,
) -> str:
    by_bracket = {command.bracket_id: d for _, d in columns.signals for command in d.intents}
    rows: list[list[Cell]] = []
    for trip in trips:
        tick = float(instrument(trip.symbol).tick_size)
        in_r = trip.net_cents / trip.risk_cents if trip.risk_cents > 0 else None
        decision = by_bracket.get(trip.bracket_id)
        reason = (
            explain.why(decision, run, say=say) if decision else say("Its decision is not in this record.")
        )
        if trip.bracket_id in lessons:
            lesson = lessons[trip.bracket_id]
            like = alike.get(pattern_of(lesson))
            told = [post_mortem(lesson, say), *([] if like is None else [alike_words(like, say)])]
            reason = "\n".join([*told, "", reason])
        side = esc(coded(SIDES[trip.side], say))
        rows.append(
            [
                Cell(unfold(f"{trip.id}", reason)),
                text(_time(trip.entry_ts), "num"),
                text(_time(trip.exit_ts), "num"),
                Cell(f"{side} {trip.qty} {esc(trip.symbol)}", "up" if trip.side > 0 else "down"),
                number(trip.entry_ticks * tick),
                number(trip.exit_ticks * tick),
                text(coded(trip.exit_reason, say)),
                number(trip.side * (trip.exit_ticks - trip.entry_ticks), ",.1f", signed=True),
                number(trip.fees_cents / 100),
                number(trip.net_cents / 100, signed=True),
                number(in_r, ".2f", signed=True),
                number(trip.mae_ticks, ".0f"),
                number(trip.mfe_ticks, ".0f"),
                text(GRADE_NAMES[trip.grade]),
                text(coded(trip.phase, say)),
            ]
        )
    heads = marks(
        "why", "in", "out", "side", "entry", "exit", "exit by", "ticks", "costs USD", "net USD", "R", "MAE ticks",
        "MFE ticks", "grade", "phase",
    )  # fmt: skip
    return table(heads, rows, numeric=(1, 2, 4, 5, 7, 8, 9, 10, 11, 12), say=say)


def _refused(columns: DecisionTable, run: explain.RunFacts, say: Say) -> str:
    found = [d for _, d in columns.signals if not (d.verdict and d.verdict.allowed)]
    if not found:
        return ""
    rows = [
        [
            text(_time(d.ts_event), "num"),
            text(coded(SIDES[d.signal.side], say), "up" if d.signal.side > 0 else "down")
            if d.signal
            else Cell("—"),
            number(d.price_ticks * run.tick_points),
            number(d.score.percent),
            text(GRADE_NAMES[d.score.grade]),
            text(explain.why_not(d, run, form="brief", say=say)),
        ]
        for d in found[:MAX_REFUSED_SIGNALS]
    ]
    more = len(found) - len(rows)
    rest = note(say("{n} more refused signals are in the journal.").format(n=more)) if more else ""
    heads = marks("time", "side", "price", "confluence %", "grade", "why not")
    title = esc(say("Refused signals ({n})").format(n=len(found)))
    shown = table(heads, rows[:OPEN_REFUSED], numeric=(0, 2, 3), say=say)
    if len(rows) > OPEN_REFUSED:
        summary = esc(say("{n} more").format(n=len(rows) - OPEN_REFUSED))
        folded = table(heads, rows[OPEN_REFUSED:], numeric=(0, 2, 3), say=say)
        shown += f"<details><summary>{summary}</summary>{folded}</details>"
    return f"<h3>{title}</h3>{shown}{rest}"


def refusals(columns: DecisionTable, run: explain.RunFacts, say: Say = plain) -> str:
    """Return which gate refused how often, and how often it was the only one in the way."""
    outcome = columns.column("gate_outcome")
    if len(outcome) == 0:
        return note(say("No decision was taken."))
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
            (quiet if asked else unasked).append(coded(code, say))
            continue
        found = actual[failed[:, i], i]
        wanted = required[failed[:, i], i]
        blocking = bool(levels[i] == BLOCKING)
        cells = [
            text(coded(code, say)),
            text(say(WEIGHTS[int(levels[i])])),
            number(asked, ",.0f"),
            number(count, ",.0f"),
            _share(count, asked),
            number(int(alone[:, i].sum()), ",.0f") if blocking else Cell("", "num"),
            _amount(wanted[np.isfinite(wanted)], run.gate_units[i], say),
            _amount(found[np.isfinite(found)], run.gate_units[i], say),
        ]
        rows.append((not blocking, -count, cells))
    rows.sort(key=lambda row: row[:2])
    heads = marks(
        "gate", "weight", "asked", "refused", "share", "alone in the way", "requires", "found (median)"
    )
    faint = [i for i, row in enumerate(rows) if row[0]]
    cells = [row[2] for row in rows]
    body = table(heads, cells, numeric=(2, 3, 4, 5, 6, 7), faint=faint, say=say) if rows else ""
    if quiet:
        body += note(say("Never refused: {gates}.").format(gates=", ".join(quiet)))
    if unasked:
        body += note(say("Never asked, or without an answer: {gates}.").format(gates=", ".join(unasked)))
    return body


def _amount(values: Any, unit: str, say: Say) -> Cell:
    if unit in ("flag", "state") or not len(values):
        return Cell("—" if unit not in ("flag", "state") else "", "num faint")
    return text(explain.amount(float(np.median(values)), unit, say), "num")


def _share(count: int, asked: int) -> Cell:
    if not asked:
        return Cell("—", "num faint")
    share = count / asked
    if not count:
        return Cell("0%", "num")
    return Cell(f"<span class='bar' style='--share:{share:.3f}'></span>{share:.0%}", "num")


def components(columns: DecisionTable, run: explain.RunFacts, say: Say = plain) -> str:
    """Return each weighed component: weight, how often it was known and why not, mean and range."""
    status, values = columns.column("status"), columns.column("values")
    n = len(status)
    if n == 0:
        return note(say("No decision was taken."))
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
                text(say(FEEDS.get(name, "")) if not counts[0] else ""),
            ]
        )
    heads = marks(
        "component", "weight", "known", "not ready", "stale", "absent", "mean", "min", "max", "would need"
    )
    return table(heads, rows, numeric=range(1, 9), faint=faint, say=say)


def groups(trips: Sequence[RoundTrip], say: Say = plain) -> str:
    """Return what worked by phase, by grade and by side, each with n; "too few" in grey."""
    if not trips:
        return note(say("Nothing to compare: no round trip was closed."))
    parts = []
    for title, key in (
        (mark("by phase"), lambda t: coded(t.phase, say)),
        (mark("by grade"), lambda t: GRADE_NAMES[t.grade]),
        (mark("by side"), lambda t: coded(SIDES[t.side], say)),
        (mark("by exit"), lambda t: coded(t.exit_reason, say)),
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
                text(say("too few") if row["too_few"] else "", "faint"),
            ]
            for row in found
        ]
        heads = (title, *marks("n", "win rate", "95 % interval", "expectancy R", "net USD"), "")
        faint = [i for i, row in enumerate(found) if row["too_few"]]
        parts.append(table(heads, rows, numeric=(1, 2, 3, 4, 5), faint=faint, say=say))
    few = say("Under {n} round trips a group proves nothing.").format(n=MIN_GROUP_TRIPS)
    return f"<div class='mia-columns'>{''.join(parts)}</div>{note(few)}"


def _time(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(NEW_YORK):%H:%M:%S}"


__all__ = ["components", "groups", "refusals", "section", "trades"]
