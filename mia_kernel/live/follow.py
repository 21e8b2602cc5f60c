"""Carry what the guardian says into the inbox, and the engine's wishes and beats out to the guardian.

How it moves: `turn` is a timer of the loop, in the loop's thread, because the link's socket belongs to it.
Reports and trading states become object events: the inbox stamps and records them with the market, so a replay
meets them at the same place. A report keeps the guardian's own number as a tag, from which a restart knows
what it has already heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.events import StateChange
from mia_kernel.core.orders import Command, OrderReport, OrderStatus, Role
from mia_kernel.execution.oms import Oms

NUMBER = "guardian:"
TURN_S = 0.005


class Link(Protocol):
    """What of the guardian's link is used here (`adapters.guardian_link`)."""

    @property
    def trading_state(self) -> str: ...
    @property
    def state_reason(self) -> str: ...
    def beat(self, ts_event: int) -> None: ...
    def submit(self, commands: Sequence[Command]) -> None: ...
    def reports(self) -> list[OrderReport]: ...


class Follow:
    """The engine's side of a session whose orders go through the guardian.

    Parameters
    ----------
    link : Link
        Has greeted.
    inbox : Inbox
        Stamps.
    now_ns : callable
        Event time of the engine.
    before_send : callable
        Makes the record durable; called before every command leaves.
    """

    def __init__(
        self,
        link: Link,
        inbox: Inbox,
        now_ns: Callable[[], int],
        before_send: Callable[[Sequence[Command]], None],
    ) -> None:
        self.link = link
        self.inbox = inbox
        self._now_ns = now_ns
        self._before_send = before_send
        self._state = ""

    def send(self, commands: Sequence[Command]) -> None:
        """Hand commands over; what becomes of them comes as events."""
        self._before_send(commands)
        self.link.submit(commands)

    def turn(self) -> None:
        """Beat, and take what has been said."""
        self.link.beat(self._now_ns())
        for report in self.link.reports():
            self.inbox.put_object(numbered(report))
        if self.link.trading_state != self._state:
            self._state = self.link.trading_state
            self.inbox.put_object(StateChange(0, 0, 0, self._state, self.link.state_reason))


def numbered(report: OrderReport) -> OrderReport:
    """Return a report with the guardian's number as a tag; the inbox gives it one of its own."""
    return replace(report, tags=(*report.tags, f"{NUMBER}{report.seq}"))


def last_heard(objects: Sequence[Any]) -> int | None:
    """Return the highest number of the guardian among recorded reports, None for none."""
    numbers = [
        int(tag.removeprefix(NUMBER))
        for event in objects
        if isinstance(event, OrderReport)
        for tag in event.tags
        if tag.startswith(NUMBER)
    ]
    return max(numbers, default=None)


def never_arrived(oms: Oms, at_guardian: Sequence[str]) -> list[OrderReport]:
    """Return a cancellation for each entry that was decided but that the guardian has never had.

    A restart decides what its record holds again. What was not handed over before the crash is not handed over
    later: a price is old after seconds.
    """
    return [
        OrderReport(
            ts_event=0, ts_recv=0, seq=0, order_id=f"{view.bracket_id}-{Role.ENTRY.value}", bracket_id=view.bracket_id,
            role=Role.ENTRY, symbol=view.symbol, side=view.side, status=OrderStatus.CANCELLED, qty=view.qty,
            filled_qty=0, reason="never_sent",
        )
        for view in oms.open_brackets()
        if view.bracket_id not in at_guardian and view.filled == 0
    ]  # fmt: skip
