"""Tell when nobody could enter, and why: the guardian's states, the engine's own halts, stops of the exchange.

How it moves: the runtime writes every trading state it is told into the journal under `STATES`. A page takes the
decisions that the gate `trading_state` refused, asks for each which state was in force and what it was given for, and
tells each reason once. Without a state in the record the halt was the engine's own: the limit that ordered it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mia_kernel.analytics.html import esc
from mia_kernel.analytics.report_material import Material, clock
from mia_kernel.analytics.say import Say, coded, mark, plain
from mia_kernel.core.decisions import FAILED
from mia_kernel.core.events import StateChange
from mia_kernel.core.orders import OrderReport, OrderStatus
from mia_kernel.core.session import interruptions, open_mask

STATES = "trading_state"
"""Kind of the journal's records, and code of the gate that asks."""

MINUTE_NS = 60_000_000_000
GAP_NS = 15 * MINUTE_NS
REASONS_TOLD = 4
LIMIT_WORDS = {
    "daily_loss": mark("the daily loss limit"),
    "hard_daily_loss": mark("the hard daily loss limit"),
    "weekly_loss": mark("the weekly loss limit"),
    "drawdown": mark("the drawdown limit"),
    "minimum_balance": mark("the minimum balance"),
    "consecutive_losses": mark("losses in a row"),
    "profit_target": mark("the day's profit target"),
}
"""Limits that halt: codes of gates, and exit reasons where they closed a position."""


def note_state(change: StateChange, write: Callable[[str, int, Any], None] | None) -> None:
    """Write down what may be traded from now on, and why."""
    if write is not None:
        write(STATES, change.ts_recv, {"ts": change.ts_recv, "state": change.state, "reason": change.reason})


def states_in(objects: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the trading states among the object events of a run, as its journal would hold them."""
    found: list[dict[str, Any]] = []
    for event in objects:
        if isinstance(event, StateChange):
            note_state(event, lambda _kind, _ts, row: found.append(row))
    return found


def rejections(reports: Iterable[OrderReport]) -> dict[str, int]:
    """Return why orders were refused after the gate had permitted them, most frequent first."""
    found: dict[str, int] = {}
    for report in reports:
        if report.status is OrderStatus.REJECTED:
            found[report.reason] = found.get(report.reason, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Halt:
    """Decisions in a row that could not enter: from when to when, how many, in which state and for what."""

    first: int
    last: int
    n: int
    state: str
    reason: str


def halts(material: Material) -> list[Halt]:
    """Return each time without entries, in order; a state that changes between two decisions begins another."""
    codes = list(material.header["gate_codes"])
    if STATES not in codes or len(material.table) == 0:
        return []
    outcome = material.table.column("gate_outcome")
    failed = np.flatnonzero(outcome[:, codes.index(STATES)] == FAILED)
    ts = material.table.column("ts_event")
    told = [row["ts"] for row in material.states]
    found: list[Halt] = []
    previous = -2
    for i in failed.tolist():
        at = int(np.searchsorted(told, ts[i], side="right")) - 1
        row = material.states[at] if at >= 0 else {}
        state = str(row.get("state", ""))
        reason = str(row.get("reason", "")).removeprefix("halted: ").removeprefix("disarmed: ")
        if state in ("", "active"):
            state, reason = "", _limit(material, outcome[i], codes, int(ts[i]))
        before = found[-1] if found else None
        follows, previous = previous == i - 1, i
        if before and follows and (before.state, before.reason) == (state, reason):
            found[-1] = Halt(before.first, int(ts[i]), before.n + 1, state, reason)
        else:
            found.append(Halt(int(ts[i]), int(ts[i]), 1, state, reason))
    return found


def _limit(material: Material, outcome: Any, codes: Sequence[str], ts: int) -> str:
    """Return the limit behind a halt of the engine's own: it closed a trade before, or stands failed beside it."""
    closed = [t.exit_reason for t in material.trips if t.exit_reason in LIMIT_WORDS and t.exit_ts <= ts]
    if closed:
        return closed[-1]
    return next((code for code in LIMIT_WORDS if code in codes and outcome[codes.index(code)] == FAILED), "")


def halt_sentences(material: Material, say: Say = plain) -> list[str]:
    """Return for each reason from when to when nobody could enter, and how many decisions that refused."""
    by_reason: dict[tuple[str, str], list[Halt]] = {}
    for halt in halts(material):
        by_reason.setdefault((halt.state, halt.reason), []).append(halt)
    said: list[str] = []
    for (state, reason), members in list(by_reason.items())[:REASONS_TOLD]:
        span = say("from {first} to {last} {n} decisions could not enter.").format(
            first=clock(members[0].first),
            last=clock(members[-1].last)[11:],
            n=f"{sum(halt.n for halt in members):,}",
        )
        times = say("(in {n} pieces)").format(n=len(members)) if len(members) > 1 else ""
        said.append(esc(" ".join(filter(None, (_because(state, reason, say), span, times)))))
    return said


def _because(state: str, reason: str, say: Say) -> str:
    if state == "reducing":
        return say("Entries were not allowed ({reason}):").format(reason=coded(reason, say) or "—")
    if state == "halted":
        return say("Trading was halted by the guardian ({reason}):").format(reason=coded(reason, say) or "—")
    if reason in LIMIT_WORDS:
        return say("Trading was halted after {limits}:").format(limits=say(LIMIT_WORDS[reason]))
    return say("Trading was halted:")


def halt_bands(material: Material, say: Say = plain) -> list[dict[str, Any]]:
    """Return what the picture shades: halts with their word, and stops of the exchange, times in ns UTC."""
    bands = [
        {"start": halt.first, "end": halt.last, "text": say("halted")}
        for halt in halts(material)
        if halt.state != "reducing" and halt.last > halt.first
    ]
    stops = [{"start": a, "end": b, "text": say("exchange closed")} for a, b, _ in _stops(material)]
    return sorted([*bands, *stops], key=lambda band: band["start"])


def exchange_sentences(material: Material, say: Say = plain) -> list[str]:
    """Return which known stops of the exchange fell into the record."""
    text = say("The exchange was closed from {first} to {last}: {what}.")
    return [
        esc(text.format(first=clock(a), last=clock(b)[11:], what=what.split(" (")[0]))
        for a, b, what in _stops(material)
    ]


def _stops(material: Material) -> list[tuple[int, int, str]]:
    ts = material.table.column("ts_event")
    if len(ts) == 0:
        return []
    return [
        (stop.start_ns, stop.end_ns, stop.what)
        for stop in interruptions()
        if stop.start_ns < ts[-1] and stop.end_ns > ts[0]
    ]


def rejection_sentences(refused: Mapping[str, int], say: Say = plain) -> list[str]:
    """Return how many permitted orders were refused afterwards, and for what."""
    if not refused:
        return []
    named = ", ".join(f"{coded(why, say) or '—'} ({n})" for why, n in list(refused.items())[:REASONS_TOLD])
    text = say("Orders refused after the gate had permitted them: {n} ({reasons}).")
    return [esc(text.format(n=sum(refused.values()), reasons=named))]


def gap_sentences(material: Material, say: Say = plain) -> list[str]:
    """Return where the record is silent for a quarter of an hour and more while the market was open."""
    ts = material.table.column("ts_event")
    wide = np.flatnonzero(np.diff(ts) >= GAP_NS)
    silent = [(int(ts[i]), int(ts[i + 1])) for i in wide if open_mask(ts[i : i + 1] + MINUTE_NS)[0]]
    if not silent:
        return []
    first, last = max(silent, key=lambda gap: gap[1] - gap[0])
    minutes = f"{(last - first) / 60e9:,.0f}"
    if len(silent) == 1:
        text = say("The record is silent for {minutes} minutes from {first} while the market was open.")
        return [esc(text.format(minutes=minutes, first=clock(first)))]
    text = say(
        "The record is silent {n} times for 15 minutes or more while the market was open; the longest gap lasted "
        "{minutes} minutes from {first}."
    )
    return [esc(text.format(n=len(silent), minutes=minutes, first=clock(first)))]
