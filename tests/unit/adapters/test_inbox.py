"""The queue: market data waits for room, order events never, and one lock gives one order."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.events import BOOK, TRADE, EventArray, StateChange, empty

pytestmark = pytest.mark.unit


def rows(n: int, kind: int = TRADE, px: int = 100, instrument: int = 0) -> EventArray:
    out = empty(n)
    out["kind"], out["px"], out["instrument"] = kind, px, instrument
    return out


def change(reason: str) -> StateChange:
    return StateChange(0, 0, 0, "reducing", reason)


def test_a_source_that_can_wait_waits_for_room_and_loses_nothing() -> None:
    inbox = Inbox(capacity=10)
    assert inbox.put(rows(10))
    done = threading.Event()
    writer = threading.Thread(target=lambda: (inbox.put(rows(5)), done.set()))
    writer.start()
    assert not done.wait(0.05)
    assert inbox.waiting == 10
    first = inbox.take(0.0)
    assert first is not None
    assert len(first.rows) == 10
    assert done.wait(1.0)
    second = inbox.take(0.0)
    assert second is not None
    assert len(second.rows) == 5
    writer.join()


@pytest.mark.safety
def test_order_events_enter_a_full_queue_at_once() -> None:
    inbox = Inbox(capacity=1)
    inbox.put(rows(1))
    for i in range(1000):
        inbox.put_object(change(str(i)))
    batch = inbox.take(0.0)
    assert batch is not None
    assert [event.reason for event in batch.objects] == [str(i) for i in range(1000)]


def test_a_source_that_cannot_wait_keeps_every_trade_and_the_newest_book_of_each_instrument() -> None:
    inbox = Inbox(capacity=4)
    inbox.offer(rows(4, BOOK))
    for px in range(10):
        inbox.offer(rows(1, BOOK, px))
        inbox.offer(rows(1, BOOK, 50 + px, instrument=1))
        inbox.offer(rows(1, TRADE, px))
    assert inbox.replaced == 18
    first, second = inbox.take(0.0), inbox.take(0.0)
    assert first is not None
    assert second is not None
    trades = first.rows[first.rows["kind"] == TRADE]
    assert trades["px"].tolist() == list(range(10))
    assert sorted(second.rows["px"].tolist()) == [9, 59]


def test_a_live_inbox_gives_rows_and_objects_of_many_threads_one_order() -> None:
    now = [1_000]
    inbox = Inbox(stamp=lambda: now[0])

    def market() -> None:
        for _ in range(200):
            inbox.offer(rows(2))
            now[0] += 3

    def orders() -> None:
        for i in range(200):
            inbox.put_object(change(str(i)))

    threads = [threading.Thread(target=work) for work in (market, orders, market)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batch = inbox.take(0.0)
    assert batch is not None
    assert len(batch.rows) == 800
    assert len(batch.objects) == 200
    assert bool((np.diff(batch.rows["ts_recv"]) >= 0).all())
    assert bool((np.diff(batch.rows["seq"]) > 0).all())
    stamps = np.array([event.ts_recv for event in batch.objects])
    assert bool((np.diff(stamps) > 0).all())
    # An object is later than every row that was in before it: its replay meets it at the same place.
    for event in batch.objects:
        before = batch.rows["seq"] < event.seq
        assert bool((batch.rows["ts_recv"][before] < event.ts_recv).all())
        assert bool((batch.rows["ts_recv"][~before] >= event.ts_recv).all())


def test_the_clock_of_a_live_inbox_never_runs_backwards() -> None:
    stamps = iter([100, 50, 200])
    inbox = Inbox(stamp=lambda: next(stamps))
    for _ in range(3):
        inbox.offer(rows(1))
    batch = inbox.take(0.0)
    assert batch is not None
    assert batch.rows["ts_recv"].tolist() == [100, 100, 200]


def test_the_end_is_told_once_everything_was_taken() -> None:
    inbox = Inbox()
    inbox.put(rows(3))
    inbox.end(ValueError("cut"))
    batch = inbox.take(0.0)
    assert batch is not None
    assert batch.last
    assert isinstance(inbox.error, ValueError)


def test_taking_from_an_empty_queue_waits_no_longer_than_told() -> None:
    began = time.monotonic()
    assert Inbox().take(0.02) is None
    assert time.monotonic() - began < 1.0


def test_a_closed_queue_lets_a_waiting_writer_go() -> None:
    inbox = Inbox(capacity=1)
    inbox.put(rows(1))
    told: list[bool] = []
    writer = threading.Thread(target=lambda: told.append(inbox.put(rows(1))))
    writer.start()
    inbox.close()
    writer.join(2.0)
    assert told == [False]
