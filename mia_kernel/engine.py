"""Decide: the walk of an event, and nothing else.

    rows → state kernels → (at each decision point) vector → score → wish → opinion → permission → intents

`Engine.step` is a plain function of what came in: no clock, no file, no random number. It consumes rows up
to and including the first decision that gave commands and says how far it came; the caller hands the
commands to a venue or to the guardian and calls again. A decision point is a grid point of event time in
which an event came; the decision is taken on the state after all rows stamped at or before it, so how rows
were grouped can never change it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mia_kernel.confluence.score import Scorer
from mia_kernel.core.decisions import CONTEXT_NAMES, Decision
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import WARM_UP, ContractChange, EventArray, ImportedLevel, OptionView
from mia_kernel.core.layout import layout
from mia_kernel.core.orders import Command, OrderReport, PlaceBracket, ReplaceStop, RoundTrip
from mia_kernel.core.ports import Model
from mia_kernel.decide import EDGE, decide
from mia_kernel.execution.oms import Oms
from mia_kernel.features.vector import FeatureSet
from mia_kernel.risk.gate import RiskGate
from mia_kernel.state.account import Account
from mia_kernel.state.memory import MarketState
from mia_kernel.strategy.spec import Strategy

NS = 1_000_000_000
_HEAD = struct.Struct("<qq?")
_LENGTHS = struct.Struct("<7q")
_FILLS = TypeAdapter(list[OrderReport])


class EngineParams(BaseModel):
    """When the engine decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision_interval_s: int = Field(
        default=15, ge=1, le=300, description="grid of decision points in event time (s)"
    )


@dataclass(frozen=True, slots=True)
class Rooms:
    """The furnished rooms an engine walks through."""

    market: MarketState
    account: Account
    features: FeatureSet
    scorer: Scorer
    strategy: Strategy
    gate: RiskGate
    oms: Oms
    model: Model | None = None  # asked about a signal before the gate is


@dataclass(frozen=True, slots=True)
class Step:
    """What one call did: rows consumed, decisions taken, commands that must be handed on before the next row."""

    consumed: int
    decisions: tuple[Decision, ...]
    commands: tuple[Command, ...]


class Engine:
    """The one code path of live, paper, dry-run and replay.

    Parameters
    ----------
    params : EngineParams
    rooms : Rooms
        Built by the runtime from settings and from what the source carries.
    """

    def __init__(self, params: EngineParams, rooms: Rooms) -> None:
        self.params = params
        self.rooms = rooms
        self.sequence = 0
        self._interval = params.decision_interval_s * NS
        self._grid = 0
        self._pending = False
        self._fills: list[OrderReport] = []
        self._layout = layout(rooms.features.names, len(rooms.gate.codes), len(CONTEXT_NAMES))
        inner = (rooms.features, rooms.scorer, rooms.strategy, rooms.gate)
        self._compiled: tuple[Any, ...] = tuple(array for room in inner for array in room.compiled)
        self.observer: Callable[[MarketState, int], None] | None = (
            None  # looks at a decision, changes nothing
        )

    # -- the door in -----------------------------------------------------------------------------------

    def step(self, events: EventArray, start: int = 0, stop: int | None = None) -> Step:
        """Consume rows [start, stop) up to and including the first decision that gives commands.

        Returns
        -------
        Step
            `consumed` is the index of the first row not consumed. Rows after a decision with commands wait:
            an order sent at that point must be able to meet them.
        """
        stop = len(events) if stop is None else stop
        market, account = self.rooms.market, self.rooms.account
        clocks, flags = events["ts_event"], events["flags"]
        decisions: list[Decision] = []
        at = start
        while at < stop:
            clock = market.clock_with(int(clocks[at]))
            if self._pending and clock > self._grid:
                commands = self._decide_into(decisions)
                if commands:
                    return Step(at, tuple(decisions), commands)
            if market.needs_session(clock):
                account.enter_day(market.enter_session_at(clock))
            grid = -(-clock // self._interval) * self._interval
            reached = market.apply(events, at, stop, min(grid, market.session_until))
            if reached == at:
                raise InvariantError(f"no progress at row {at}, event time {clock}")
            account.mark(events, at, reached)
            if not flags[reached - 1] & WARM_UP:
                self._grid, self._pending = grid, True
            at = reached
        return Step(at, tuple(decisions), ())

    @property
    def pending_ts(self) -> int | None:
        """The decision point that waits for event time to pass it, None where none does."""
        return self._grid if self._pending else None

    def finish(self) -> Step:
        """Decide the pending point at the end of a source."""
        decisions: list[Decision] = []
        commands = self._decide_into(decisions) if self._pending else ()
        return Step(0, tuple(decisions), commands)

    def report(self, report: OrderReport) -> RoundTrip | None:
        """Take one order report; return the round trip it closed, if any."""
        self.rooms.oms.apply(report)
        self.rooms.gate.report(report)
        if report.last_qty > 0:
            self._fills.append(report)
        return self.rooms.account.apply(report)

    def change_contract(self, change: ContractChange) -> None:
        """Translate levels and histories to the new contract; no position may be open."""
        if self.rooms.account.position != 0:
            raise InvariantError(f"contract changes from {change.old} to {change.new} with an open position")
        self.rooms.market.change_contract(change.spread_ticks)

    def take(self, event: OptionView | ImportedLevel) -> None:
        """Take an object event of the market: it is known from here on, not before."""
        self.rooms.market.load(event)

    # -- the state as bytes ----------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Return all that later decisions depend on; reports a venue still holds are the venue's."""
        rooms = self.rooms
        parts = (
            _HEAD.pack(self.sequence, self._grid, self._pending),
            _FILLS.dump_json(self._fills),
            rooms.market.to_bytes(),
            rooms.strategy.to_bytes(),
            rooms.gate.to_bytes(),
            rooms.oms.to_bytes(),
            rooms.features.to_bytes(),
        )
        return _LENGTHS.pack(*map(len, parts)) + b"".join(parts)

    def restore(self, state: bytes) -> None:
        """Take a state made by `to_bytes` of the same version and settings."""
        lengths = _LENGTHS.unpack_from(state)
        if len(state) != _LENGTHS.size + sum(lengths):
            raise InvariantError(f"engine state has {len(state)} bytes, its head says {sum(lengths)}")
        parts: list[bytes] = []
        at = _LENGTHS.size
        for length in lengths:
            parts.append(state[at : at + length])
            at += length
        self.sequence, self._grid, self._pending = _HEAD.unpack(parts[0])
        self._fills = _FILLS.validate_json(parts[1])
        self.rooms.market.restore(parts[2])
        self.rooms.strategy.restore(parts[3])
        self.rooms.gate.restore(parts[4])
        self.rooms.oms.restore(parts[5])
        self.rooms.features.restore(parts[6])

    # -- one decision ----------------------------------------------------------------------------------

    def _decide_into(self, decisions: list[Decision]) -> tuple[Command, ...]:
        self.rooms.market.advance(self._grid)
        decision = self.decide_at(self._grid)
        self._pending = False
        decisions.append(decision)
        return decision.intents

    def decide_at(self, ts: int) -> Decision:
        """Decide on the state as it stands; `step` and `finish` bring it to `ts` first."""
        rooms = self.rooms
        market, features, gate = rooms.market, rooms.features, rooms.gate
        features.measure(market, ts)
        if self.observer is not None:
            self.observer(market, ts)
        numbers, codes = np.empty(self._layout.numbers), np.empty(self._layout.codes, np.int8)
        found = int(decide(market.array, ts, numbers, codes, *self._compiled))
        features.refuse(-1 - found)
        gate.gathered(ts)
        decision = Decision(
            sequence=self.sequence,
            event_sequence=market.events_seen,
            ts_event=ts,
            price_ticks=market.price_ticks,
            layout=self._layout,
            numbers=numbers,
            codes=codes,
            fills=tuple(self._fills),
        )
        if found == EDGE:
            decision = self._ask(decision)
        intents = self._intend(decision)
        self.sequence += 1
        self._fills.clear()
        return replace(decision, intents=intents) if intents else decision

    def _ask(self, decision: Decision) -> Decision:
        """Ask model and gate about the wish of a decision."""
        rooms, ts, score = self.rooms, decision.ts_event, decision.score
        signal = rooms.strategy.wish(score, ts)
        if signal is None:
            raise InvariantError(f"the rule became true at {ts} and wishes nothing")
        opinion = None
        if rooms.model is not None:
            opinion = rooms.model.opinion(rooms.market, decision.vector, score, signal, ts)
        ml_score = None if opinion is None else opinion.ml_score
        result = rooms.gate.permit(rooms.market.array, score, signal, ml_score)
        decision.gate_outcome[:] = result.outcome
        decision.gate_required[:] = result.required
        decision.gate_actual[:] = result.actual
        return replace(decision, signal=signal, verdict=result.verdict, opinion=opinion)

    def _intend(self, decision: Decision) -> tuple[Command, ...]:
        """Collect what is to be sent: safety first, then care for what is open, then the new wish."""
        rooms, ts = self.rooms, decision.ts_event
        signal, verdict = decision.signal, decision.verdict
        commands: list[Command] = []
        for breach in rooms.gate.monitor(rooms.market.array, ts):
            if breach.action == "cancel_entries":
                commands += rooms.oms.cancel_entries(ts, breach.code)
            else:
                commands += rooms.oms.flatten(ts, breach.code)
        if not commands:
            commands += rooms.oms.overdue(ts)
            commands += rooms.strategy.manage(rooms.market.array, ts)
        if signal is not None and verdict is not None and verdict.allowed and not commands:
            commands.append(rooms.oms.plan(signal, verdict, decision.score, rooms.market.mid_ticks, ts))
        for command in commands:
            rooms.oms.accept(command)
            if isinstance(command, PlaceBracket | ReplaceStop):
                rooms.account.note(command, rooms.market.phase)
        return tuple(commands)
