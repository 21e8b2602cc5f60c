"""Check whether the rules were kept: what was permitted against what was done.

How it moves: each rule looks at the closed trades, what was sent and what was permitted, and names the trades that
broke it. A rule is about conduct, not about luck: a winner that broke one is a breach all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mia_kernel.analytics.performance import outcome
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import Decision
from mia_kernel.core.orders import PlaceBracket, ReplaceStop, RoundTrip
from mia_kernel.core.phases import PHASES
from mia_kernel.core.session import trading_day_of

REENTRY_NS = 5 * 60 * 1_000_000_000
HOUR_NS = 3_600_000_000_000
MOST_PER_HOUR, MOST_PER_DAY = 10, 20
EARLY_EXIT_R = 0.3
BY_MACHINE = frozenset(
    {"", "stop", "trailing_stop", "target", "closed", "disarmed", "engine_lost", "unprotected", "signal"}
)
"""Exit reasons that bracket, engine and guardian give; limits give the code of their gate."""

Sent = Mapping[str, tuple[Decision, PlaceBracket]]
"""Bracket to the decision that permitted it and the command that was sent."""

NO_ENTRY_PHASES = frozenset(phase.name for phase in PHASES if phase.size_multiplier == 0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over one day or more: `broken_by` are the round trips that broke it, of `asked` that could have."""

    code: str
    asked: int
    broken_by: tuple[int, ...]

    @property
    def kept(self) -> bool:
        """Whether nothing broke it."""
        return not self.broken_by


def rules(trips: Sequence[RoundTrip], columns: DecisionTable) -> list[Rule]:
    """Return every rule with what broke it.

    Parameters
    ----------
    trips : sequence of RoundTrip
        In order of exit.
    columns : DecisionTable
        Decisions with signals, permissions and intents of the same run.
    """
    sent = {
        c.bracket_id: (d, c) for _, d in columns.signals for c in d.intents if isinstance(c, PlaceBracket)
    }
    return [
        _permission(trips, sent),
        _oversize(trips, sent),
        _stop_moved_away(trips, columns, sent),
        _revenge(trips),
        _outside_hours(trips),
        _overtrading(trips),
        _early_exit(trips, columns.gate_codes),
    ]


def adherence(found: Sequence[Rule]) -> float | None:
    """Return the share of round trips that broke no rule, None without any."""
    n = max((rule.asked for rule in found), default=0)
    broken = {trip for rule in found for trip in rule.broken_by}
    return 1 - len(broken) / n if n else None


def _permission(trips: Sequence[RoundTrip], sent: Sent) -> Rule:
    return Rule("permission", len(trips), tuple(t.id for t in trips if t.bracket_id not in sent))


def _oversize(trips: Sequence[RoundTrip], sent: Sent) -> Rule:
    large = []
    for trip in trips:
        decision = sent[trip.bracket_id][0] if trip.bracket_id in sent else None
        if decision is not None and decision.verdict is not None and trip.qty > decision.verdict.qty:
            large.append(trip.id)
    return Rule("size", len(trips), tuple(large))


def _stop_moved_away(trips: Sequence[RoundTrip], columns: DecisionTable, sent: Sent) -> Rule:
    stops = {k: c.stop.stop_ticks for k, (_, c) in sent.items() if c.stop.stop_ticks is not None}
    sides = {key: command.entry.side for key, (_, command) in sent.items()}
    loosened: set[str] = set()
    for decision in columns.with_intents:
        for command in decision.intents:
            if isinstance(command, ReplaceStop) and command.bracket_id in stops:
                if sides[command.bracket_id] * (command.stop_ticks - stops[command.bracket_id]) < 0:
                    loosened.add(command.bracket_id)
                stops[command.bracket_id] = command.stop_ticks
    return Rule("stop_moved", len(trips), tuple(t.id for t in trips if t.bracket_id in loosened))


def _revenge(trips: Sequence[RoundTrip]) -> Rule:
    losses = np.array(sorted(t.exit_ts for t in trips if outcome(t) < 0), np.int64)
    broken = []
    for trip in trips:
        at = int(np.searchsorted(losses, trip.entry_ts, side="right")) - 1
        if at >= 0 and trip.entry_ts - int(losses[at]) < REENTRY_NS:
            broken.append(trip.id)
    return Rule("revenge", len(trips), tuple(broken))


def _outside_hours(trips: Sequence[RoundTrip]) -> Rule:
    return Rule("hours", len(trips), tuple(t.id for t in trips if t.phase in NO_ENTRY_PHASES))


def _overtrading(trips: Sequence[RoundTrip]) -> Rule:
    ordered = sorted(trips, key=lambda t: t.entry_ts)
    entries = np.array([t.entry_ts for t in ordered], np.int64)
    by_day: dict[int, int] = {}
    broken = []
    for i, trip in enumerate(ordered):
        day = trading_day_of(trip.entry_ts)
        by_day[day] = by_day.get(day, 0) + 1
        in_hour = i - int(np.searchsorted(entries, trip.entry_ts - HOUR_NS, side="right")) + 1
        if by_day[day] > MOST_PER_DAY or in_hour > MOST_PER_HOUR:
            broken.append(trip.id)
    return Rule("overtrading", len(trips), tuple(broken))


def by_hand(reason: str, gate_codes: Sequence[str]) -> bool:
    """Return whether a person ended a position: its reason is no bracket's, no gate's and not the guardian's own."""
    return reason not in BY_MACHINE and reason not in gate_codes and not reason.startswith("the ")


def _early_exit(trips: Sequence[RoundTrip], gate_codes: Sequence[str]) -> Rule:
    by_people = [t for t in trips if by_hand(t.exit_reason, gate_codes)]
    early = [t.id for t in by_people if t.risk_cents > 0 and 0 < t.net_cents / t.risk_cents < EARLY_EXIT_R]
    return Rule("early_exit", len(by_people), tuple(early))
