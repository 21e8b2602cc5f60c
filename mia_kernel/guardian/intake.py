"""Hear the engine: greeting, heartbeat, wishes. It may wish; what is sent is decided here.

A wish is known by its intent id: heard twice, it is carried out once. Another build, protocol or mode is
refused at the greeting, so that two versions never trade together.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from mia_kernel.adapters.messages import (
    PROTOCOL,
    Accepted,
    Heartbeat,
    Hello,
    Limits,
    Message,
    Refused,
    Report,
    Submit,
    commands_of,
    report_bytes,
)
from mia_kernel.core.contract import MIN_TRADING_DAYS_LEFT
from mia_kernel.core.errors import DataError
from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Command,
    OrderReport,
    PlaceBracket,
    ReplaceStop,
    Role,
    TradingState,
)
from mia_kernel.core.venue import Place
from mia_kernel.execution import plan
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.status import rolling
from mia_kernel.state.ledger import ES_EQUIVALENT, SYMBOLS

TOO_FAR = (
    "the reports this engine has missed are in no journal any more; way out: begin a new session (`mia run` without "
    "--resume); brackets that are open hinder it until `mia halt` has made the account flat"
)
MOVES_PER_S = 10
"""Stops moved per second over all brackets; more is a strategy that runs away."""


class Intake:
    """The engine's side of one guardian."""

    def __init__(self, guardian: Guardian) -> None:
        self.g = guardian
        self._moves: deque[float] = deque(maxlen=MOVES_PER_S)

    def answer(self, message: Any, now: float) -> tuple[Message, ...]:
        """Return what is said back, in order; reports follow later by themselves."""
        if isinstance(message, Hello):
            return self._hello(message, now)
        if isinstance(message, Heartbeat):
            self._beat(now)
            return ()
        if isinstance(message, Submit):
            return (self._submit(message, now),)
        return (Refused("unexpected", f"{type(message).__name__} is not for the engine channel"),)

    def _hello(self, hello: Hello, now: float) -> tuple[Message, ...]:
        g = self.g
        if hello.protocol != PROTOCOL:
            return (
                Refused(
                    "protocol", f"engine speaks {hello.protocol}, guardian {PROTOCOL}: same build needed"
                ),
            )
        if hello.build != g.build:
            g.disarm("an engine of another build greeted", now)
            text = f"an engine of build {hello.build} greeted, the guardian is {g.build}: restart both from one build"
            g.alert("warning", "build", text, now)
            return (
                Refused(
                    "build",
                    f"engine is {hello.build}, guardian is {g.build}: mixed builds cannot arm; restart",
                ),
            )
        if hello.mode != g.mode:
            return (Refused("mode", f"engine runs {hello.mode}, guardian {g.mode}"),)
        if g.socket is None:  # dry-run begins armed for simulated fills, and goes on so with another engine
            g.law.memory.arm(not g.disarmed_by_hand)
        elif g.armed and g.engine_run != hello.run_id:
            g.disarm("another engine greeted", now)
        g.engine_run, g.engine_beat, g.engine_lost = hello.run_id, now, False
        open_brackets = tuple(name for name, b in g.truth.state.brackets.items() if not b.orphan)
        toml = g.file.text if g.file else ""
        first = Limits(toml, g.account, g.state.value, open_brackets, g.truth.state.reports)
        if hello.reports_seen is None:
            return (first,)
        self._forgotten(hello.reports_seen, now)
        told = self._told_since(hello.reports_seen)
        if told is None:
            return (Refused("too_far_behind", TOO_FAR),)
        return (first, *(Report(report_bytes(r)) for r in told))

    def _forgotten(self, seen: int, now: float) -> None:
        """An engine that heard more than our journal knows proves that its newest rows were cut off."""
        g = self.g
        known = g.truth.state.reports
        if seen <= known:
            return
        g.memory_cut = (
            f"the engine has heard {seen} reports, the journal knows {known}: its newest rows are gone"
        )
        g.disarm(g.memory_cut, now)
        g.alert("critical", "memory", g.memory_cut, now)
        g.truth.state.reports = seen  # a number that was used must not be given again
        g.save()
        g.ask_venue(now)

    def _told_since(self, seen: int) -> list[OrderReport] | None:
        """Return what was told after a number; None where the journals do not reach back so far."""
        g = self.g
        told = [r for r in g.kept.reports if r.seq > seen]
        if g.truth.state.reports > seen and g.memory_cut is None and (not told or told[0].seq != seen + 1):
            told = g.book.told_since(seen)
            if not told or told[0].seq != seen + 1:
                return None
        waiting = {r.seq for r in g.untold}
        return [r for r in told if r.seq not in waiting]

    def _beat(self, now: float) -> None:
        g = self.g
        if g.engine_run is not None:
            g.engine_beat, g.engine_lost = now, False

    def _submit(self, submit: Submit, now: float) -> Message:
        g = self.g
        if g.engine_run is None:
            return Refused("no_hello", "the engine has not greeted")
        if g.socket is None:
            return Refused("dry_run", "in dry-run nothing can be sent")
        if submit.intent_id in g.kept.intents:
            return Accepted(submit.intent_id)
        try:
            commands = commands_of(submit.payload)
        except DataError as error:
            return Refused("payload", str(error))
        for command in commands:
            refused = self._carry_out(command, submit.intent_id, now)
            if refused is not None:
                g.write_down("refused", intent_id=submit.intent_id, code=refused.code, reason=refused.reason)
                return refused
        return Accepted(submit.intent_id)

    def _carry_out(self, command: Command, intent_id: str, now: float) -> Refused | None:
        g = self.g
        if isinstance(command, PlaceBracket):
            return self._place(command, intent_id, now)
        if isinstance(command, ReplaceStop):
            if g.state is TradingState.HALTED:
                return Refused("halted", "only flattening is allowed")
            if len(self._moves) == MOVES_PER_S and now - self._moves[0] < 1.0:
                return Refused("moves_per_second", f"more than {MOVES_PER_S} stops moved in a second")
            self._moves.append(now)
        known = command.bracket_id in g.truth.state.brackets
        if not known and isinstance(command, ReplaceStop | CancelEntry | ClosePosition):
            return Refused("gone", f"bracket {command.bracket_id} is not open")
        sent = g.send(plan.of_command(g.truth, command), type(command).__name__, intent_id=intent_id)
        return None if sent else Refused("disk", g.last_reason)

    def _place(self, command: PlaceBracket, intent_id: str, now: float) -> Refused | None:
        g = self.g
        if g.flattening is not None:
            return Refused("flattening", f"the account is being made flat ({g.flattening[0]})")
        if not g.reconciled:
            return Refused("not_reconciled", "position and orders are not confirmed by the venue")
        if g.exchange_halted:
            return Refused("exchange_halt", "the exchange has halted trading")
        if g.days_left is None or g.days_left < MIN_TRADING_DAYS_LEFT:
            return Refused("roll", rolling(g))
        if command.bracket_id in g.truth.state.brackets or command.entry.order_id in g.truth.state.orders:
            return Refused("duplicate_id", f"bracket {command.bracket_id} was sent before")
        was = g.armed
        denial = g.law.permit(command, g.facts(), self._under_way(), self._own_prices(-command.entry.side))
        if denial is not None:
            if was and not g.armed:
                g.disarm("three orders above the rate within ten seconds", now)
            return Refused(denial.code, denial.text)
        placed = Place(plan.bracket_orders(command))
        sent = g.send(
            (placed,),
            "PlaceBracket",
            intent_id=intent_id,
            reference_ticks=command.entry.reference_ticks,
            bracket=command,
        )
        return None if sent else Refused("disk", g.last_reason)

    def _under_way(self) -> int:
        """Return what working entries may still add, in tenths of an ES contract, signed."""
        total = 0.0
        for record in self.g.truth.live_orders():
            if record.role is Role.ENTRY and record.order.symbol in SYMBOLS:
                total += (
                    10 * record.order.side * record.left * ES_EQUIVALENT[SYMBOLS.index(record.order.symbol)]
                )
        return round(total)

    def _own_prices(self, side: int) -> set[int]:
        return {
            r.order.limit_ticks
            for r in self.g.truth.live_orders()
            if r.role is Role.ENTRY and r.order.side == side and r.order.limit_ticks is not None
        }
