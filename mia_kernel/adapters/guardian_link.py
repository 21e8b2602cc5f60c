"""Link the engine to the guardian: a broker that can only wish.

How it moves: `greet` proves that both run the same build and mode and brings the limits; `submit` hands
commands over without waiting; `reports` returns what the venue said, and for a wish that was refused a
rejection in the venue's words. A wish without an answer is `unknown`, never sent again. `beat` must be
called at least every quarter of a second: a second of silence, and the guardian withdraws the entries.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_kernel.adapters.bus import GUARDIAN, Client, expect, load_keys
from mia_kernel.adapters.messages import (
    PROTOCOL,
    Accepted,
    Heartbeat,
    Hello,
    Limits,
    Refused,
    Report,
    State,
    Submit,
    command_bytes,
    report_of,
)
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.orders import CancelEntry, Command, OrderReport, OrderStatus, PlaceBracket, Role
from mia_kernel.execution.oms import DEAD

BEAT_S = 0.25
ANSWER_S = 2.0
LOST_S = 2.0
GONE = "gone"
"""The guardian's word for a bracket it does not have open."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish that was not carried out."""

    ts_event: int
    bracket_id: str
    command: str
    code: str
    reason: str


class GuardianLink:
    """The engine's broker in paper and production.

    Parameters
    ----------
    home : Path
    build, settings_id, mode, run_id : str
        As the engine runs; the guardian refuses another build or mode.

    Raises
    ------
    OutsideError
        If no guardian runs in `home`.
    """

    def __init__(self, home: Path, *, build: str, settings_id: str, mode: str, run_id: str) -> None:
        self.home = home
        self.build = build
        self.settings_id = settings_id
        self.mode = mode
        self.run_id = run_id
        self.limits: Limits | None = None
        self.trading_state = "reducing"
        self.armed = False
        self.state_reason = "no word from the guardian yet"
        self.refusals: list[Refusal] = []
        self.reports_seen: int | None = None
        self.entries: dict[str, PlaceBracket] = {}  # wished, and not known to have ended
        self._told: list[OrderReport] = []
        self._waiting: dict[bytes, tuple[float, Command]] = {}
        self._beats = 0
        self._next_beat = 0.0
        self._client = Client(load_keys(home), expect(home, GUARDIAN).ports["engine"])

    def greet(self, reports_seen: int | None = None, timeout_s: float = ANSWER_S) -> Limits:
        """Greet; with `reports_seen` the reports after that number come again.

        Raises
        ------
        InputError
            If the guardian refuses: another build, protocol or mode.
        OutsideError
            If it does not answer.
        """
        self.reports_seen = reports_seen
        hello = Hello(self.build, PROTOCOL, self.settings_id, self.mode, self.run_id, reports_seen)
        answer = self._client.ask(hello, timeout_s)
        if isinstance(answer, Refused):
            raise InputError(f"the guardian refuses this engine: {answer.reason}", field=answer.code)
        if not isinstance(answer, Limits):
            raise OutsideError(f"the guardian answered {type(answer).__name__} to a greeting")
        self.limits = answer
        if reports_seen is None:
            self.reports_seen = answer.reports
        self.trading_state = answer.trading_state
        self.beat(0)
        return answer

    def beat(self, ts_event: int) -> None:
        """Say that the engine lives; at most every quarter of a second something is sent."""
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S / 2
            self._beats += 1
            self._client.send(Heartbeat(self._beats, ts_event))

    def submit(self, commands: Sequence[Command]) -> None:
        """Hand commands over, each as a wish of its own; outcomes come in `reports`."""
        for command in commands:
            if isinstance(command, PlaceBracket):
                self.entries[command.bracket_id] = command
            wish = Submit(intent_id(command), command_bytes((command,)))
            self._waiting[self._client.post(wish)] = (time.monotonic(), command)

    def take_over(self, old: GuardianLink) -> None:
        """Ask after what was wished of a guardian that is gone: an entry this one never had is told as cancelled."""
        self._told = [*old.reports(), *self._told]
        self.entries |= old.entries
        known = () if self.limits is None else self.limits.brackets
        lost = [command for name, command in old.entries.items() if name not in known]
        self.submit([CancelEntry(c.ts_event, c.bracket_id, "was it ever sent?") for c in lost])

    def reports(self) -> list[OrderReport]:
        """Hand over and forget what has come since the last call, in the order it came."""
        self._collect(0.0)
        told, self._told = self._told, []
        return told

    def wait(self, timeout_s: float) -> bool:
        """Wait at most so long for something to come; return whether reports wait."""
        self._collect(timeout_s)
        return bool(self._told)

    def close(self) -> None:
        """Close the link; orders stay where they are."""
        self._client.close()

    # -- inside ------------------------------------------------------------------------------------

    def _collect(self, timeout_s: float) -> None:
        for request, message in self._client.collect(timeout_s):
            if isinstance(message, Report):
                self._report(report_of(message.payload))
            elif isinstance(message, State):
                self.trading_state, self.armed = message.trading_state, message.armed
                self.state_reason = message.reason
            elif request in self._waiting:
                _, command = self._waiting.pop(request)
                self._answered(command, message)
        now = time.monotonic()
        for request, (since, command) in list(self._waiting.items()):
            if now - since > ANSWER_S:
                del self._waiting[request]
                self._tell(command, OrderStatus.UNKNOWN, "no_answer")

    def _report(self, report: OrderReport) -> None:
        if self.reports_seen is not None and report.seq <= self.reports_seen:
            return  # it came by the greeting already
        self.reports_seen = report.seq
        self._ended(report)
        self._told.append(report)

    def _answered(self, command: Command, answer: Any) -> None:
        if isinstance(answer, Accepted) or not isinstance(answer, Refused):
            return
        name = type(command).__name__
        self.refusals.append(Refusal(command.ts_event, command.bracket_id, name, answer.code, answer.reason))
        if isinstance(command, CancelEntry) and answer.code == GONE and command.bracket_id in self.entries:
            # Reports come before this answer on the same way: none of them ended it, so it was never there.
            self._tell(self.entries[command.bracket_id], OrderStatus.CANCELLED, "never_arrived")
        else:
            self._tell(command, OrderStatus.REJECTED, answer.code)

    def _ended(self, report: OrderReport) -> None:
        if report.role is Role.ENTRY and report.status in DEAD:
            self.entries.pop(report.bracket_id, None)

    def _tell(self, command: Command, status: OrderStatus, reason: str) -> None:
        """Report what became of an entry that was refused or left without an answer."""
        if not isinstance(command, PlaceBracket):
            return
        entry = command.entry
        report = OrderReport(
            ts_event=command.ts_event,
            ts_recv=command.ts_event,
            seq=0,
            order_id=entry.order_id,
            bracket_id=command.bracket_id,
            role=Role.ENTRY,
            symbol=entry.symbol,
            side=entry.side,
            status=status,
            qty=entry.qty,
            filled_qty=0,
            reason=reason,
        )
        self._ended(report)
        self._told.append(report)


def intent_id(command: Command) -> str:
    """Return the identity of a wish: the same decision always makes the same."""
    detail = getattr(command, "stop_ticks", "")
    return f"{command.bracket_id}:{type(command).__name__}:{command.ts_event}:{detail}"
