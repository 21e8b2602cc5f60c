"""End a trade in other ways along the stored bars, costs on: what other stops, targets and times would have made of it.

How it moves: from the bar of the entry on each bar is asked for its worse side first. Inside the bar of the entry only
the stop counts, because its better side may have come before the entry; where the trade outlived that bar, the stop is
held against what the trade really suffered in it (its MAE), not against prices from before. These are ghosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mia_kernel.analytics.report_material import Material
from mia_kernel.analytics.say import mark
from mia_kernel.core.instrument import instrument
from mia_kernel.core.orders import PlaceBracket, ReplaceStop, RoundTrip

AROUND_NS = 30 * 60 * 1_000_000_000
SLIP_TICKS = 1
"""What a stop loses beyond its price."""


@dataclass(frozen=True, slots=True)
class OtherExit:
    """One other way out of a trade: its name, what ended it, when, at which price, and the result net of costs."""

    name: str
    how: str
    ts: int
    price_ticks: float
    net_cents: int


def stops_of(material: Material, trip: RoundTrip) -> list[tuple[int, int]]:
    """Return (time, ticks) of each stop that protected the trade, first to last."""
    found: list[tuple[int, int]] = []
    for decision in material.table.with_intents:
        for command in decision.intents:
            if command.bracket_id != trip.bracket_id:
                continue
            if isinstance(command, PlaceBracket) and command.stop.stop_ticks is not None:
                found.append((trip.entry_ts, command.stop.stop_ticks))
            elif isinstance(command, ReplaceStop):
                found.append((command.ts_event, command.stop_ticks))
    return found


def target_of(material: Material, trip: RoundTrip) -> int | None:
    """Return the price of the trade's target in ticks, None where it is not in the record."""
    for decision in material.table.with_intents:
        for command in decision.intents:
            if isinstance(command, PlaceBracket) and command.bracket_id == trip.bracket_id:
                return command.target.limit_ticks
    return None


def other_exits(material: Material, trip: RoundTrip) -> list[OtherExit]:
    """Return the other ways out of a trade; those whose end the bars do not reach are left out."""
    bars, target, stops = material.bars, target_of(material, trip), stops_of(material, trip)
    if bars is None or not len(bars) or not stops or target is None:
        return []
    entry, side, first = trip.entry_ticks, trip.side, float(stops[0][1])
    risk = abs(entry - first)
    cents = instrument(trip.symbol).tick_cents or 0
    found: list[OtherExit] = []
    for name, stop, goal, hold in (
        (mark("as planned: first stop, target"), first, float(target), None),
        (mark("target at 1 R"), first, entry + side * risk, None),
        (mark("target at 3 R"), first, entry + side * 3 * risk, None),
        (mark("stop half as far"), entry - side * risk / 2, float(target), None),
        (mark("stop twice as far"), entry - side * risk * 2, float(target), None),
        (mark("out after 30 minutes"), first, float(target), AROUND_NS),
    ):
        ended = _end(bars, trip, stop, goal, hold)
        if ended is not None:
            ts, price, how = ended
            net = round(side * (price - entry) * cents) * trip.qty - trip.fees_cents
            found.append(OtherExit(name, how, ts, price, net))
    return found


def _end(
    bars: Any, trip: RoundTrip, stop: float, target: float, hold_ns: int | None
) -> tuple[int, float, str] | None:
    """Return when, where and by what an exit would have come, None where the bars end before."""
    side = trip.side
    held = bars[bars["start"] < trip.entry_ts]
    inside = held[held["end"] >= trip.entry_ts]
    if len(inside) and _stopped_at_once(inside[-1], trip, stop):
        return int(inside[-1]["end"]), stop - side * SLIP_TICKS, "stop"
    bars = bars[bars["start"] >= trip.entry_ts]
    worst, best = (bars["low"], bars["high"]) if side > 0 else (bars["high"], bars["low"])
    stopped, reached = side * (worst - stop) <= 0, side * (best - target) > 0
    ends = stopped | reached
    if hold_ns is not None:
        ends |= bars["end"] >= trip.entry_ts + hold_ns
    if not ends.any():
        return None
    i = int(np.argmax(ends))
    if stopped[i]:
        opened = float(bars["open"][i])
        # A stop fills where the market opens when it opens beyond it.
        return int(bars["end"][i]), min(side * opened, side * stop) * side - side * SLIP_TICKS, "stop"
    if reached[i]:
        return int(bars["end"][i]), target, "target"
    return int(bars["end"][i]), float(bars["close"][i]), "time"


def _stopped_at_once(bar: Any, trip: RoundTrip, stop: float) -> bool:
    worst = float(bar["low"] if trip.side > 0 else bar["high"])
    suffered = max(trip.side * (trip.entry_ticks - worst), 0.0)
    if trip.exit_ts > int(bar["end"]):
        suffered = min(suffered, trip.mae_ticks)
    return suffered >= abs(trip.entry_ticks - stop)


def summed(found: Sequence[Sequence[OtherExit]]) -> dict[str, list[OtherExit]]:
    """Return the other exits of several trades by their name."""
    by_name: dict[str, list[OtherExit]] = {}
    for rows in found:
        for row in rows:
            by_name.setdefault(row.name, []).append(row)
    return by_name
