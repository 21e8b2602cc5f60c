"""The engine's side of the guardian: reports and states enter as recorded events, wishes leave once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.events import StateChange, empty
from mia_kernel.core.orders import Command, OrderReport, OrderStatus, Role
from mia_kernel.live.calendar import next_open, when_over
from mia_kernel.live.follow import Follow, last_heard, numbered

pytestmark = [pytest.mark.unit, pytest.mark.safety]

NS = 1_000_000_000
FRIDAY_CLOSE = 1_565_384_400 * NS  # 2019-08-09 17:00 New York
SUNDAY_OPEN = FRIDAY_CLOSE + 49 * 3600 * NS


def report(seq: int) -> OrderReport:
    return OrderReport(5, 5, seq, "mia-1-entry", "mia-1", Role.ENTRY, "ES", 1, OrderStatus.WORKING, 1, 0)


class FakeLink:
    def __init__(self) -> None:
        self.trading_state, self.state_reason = "reducing", "started: disarmed"
        self.said: list[OrderReport] = []
        self.sent: list[Command] = []
        self.beats: list[int] = []

    def beat(self, ts_event: int) -> None:
        self.beats.append(ts_event)

    def submit(self, commands: Sequence[Command]) -> None:
        self.sent += commands

    def reports(self) -> list[OrderReport]:
        said, self.said = self.said, []
        return said


def test_what_the_guardian_says_enters_as_events_in_order_and_once() -> None:
    link, inbox, order = FakeLink(), Inbox(stamp=lambda: 1_000), []
    follow = Follow(link, inbox, lambda: 77, lambda commands: order.append("durable"))
    link.said = [report(41), report(42)]
    follow.turn()
    follow.turn()
    link.trading_state, link.state_reason = "active", "armed by hand"
    follow.turn()
    batch = inbox.take(0.0)
    assert batch is not None
    kinds = [type(event).__name__ for event in batch.objects]
    assert kinds == ["OrderReport", "OrderReport", "StateChange", "StateChange"]
    assert [event.state for event in batch.objects if isinstance(event, StateChange)] == [
        "reducing",
        "active",
    ]
    assert last_heard(batch.objects) == 42
    assert [event.seq for event in batch.objects] == [
        0,
        1,
        2,
        3,
    ]  # the order of the session, not the guardian's
    assert link.beats == [77, 77, 77]


def test_the_record_is_durable_before_a_command_leaves() -> None:
    order: list[str] = []

    class Ordered(FakeLink):
        def submit(self, commands: Sequence[Command]) -> None:
            order.append("sent")

    follow = Follow(Ordered(), Inbox(stamp=lambda: 1), lambda: 0, lambda commands: order.append("durable"))
    follow.send(())
    assert order == ["durable", "sent"]


def test_a_resumed_session_continues_time_and_numbers() -> None:
    inbox = Inbox(stamp=lambda: 500)
    inbox.resume_at(1_000, 9)
    inbox.put_object(numbered(report(1)))
    inbox.offer(empty(1))
    batch = inbox.take(0.0)
    assert batch is not None
    assert batch.objects[0].ts_recv > 1_000
    assert batch.objects[0].seq == 10
    assert int(batch.rows["ts_recv"][0]) >= batch.objects[0].ts_recv
    assert bool(np.all(batch.rows["seq"] == 11))


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (FRIDAY_CLOSE - NS, FRIDAY_CLOSE - NS),
        (FRIDAY_CLOSE, SUNDAY_OPEN),
        (SUNDAY_OPEN - 1, SUNDAY_OPEN),
        (SUNDAY_OPEN, SUNDAY_OPEN),
    ],
)
def test_the_weekend_is_waited_for(now: int, opens: int) -> None:
    assert next_open(now) == opens


def test_a_session_is_over_a_minute_after_the_close_of_its_day() -> None:
    assert when_over(lambda: FRIDAY_CLOSE - 3600 * NS) == FRIDAY_CLOSE + 60 * NS
    monday_close = FRIDAY_CLOSE + 72 * 3600 * NS
    assert when_over(lambda: FRIDAY_CLOSE + NS) == monday_close + 60 * NS
