"""The bounded queue between a feed and the engine: market data waits, order events never do.

How it moves: a feed's thread puts rows (it waits while the queue is full) or offers them (it never waits;
when the queue is full the newest book of an instrument replaces the older one that still waits outside, and
that is counted). Order events and other objects always enter. The engine's thread takes everything that is
there in one batch, in order of arrival. A live inbox stamps arrival time and number itself, under one lock,
so that rows and objects of several threads have one order, and a replay of the record has the same.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mia_kernel.core.events import BOOK, QUOTE, TIMER, EventArray, empty

CAPACITY_ROWS = 65_536
"""Two minutes of a busy market; a queue that long is already a fault, seen in `waiting`."""

REPLACEABLE = frozenset((BOOK, QUOTE, TIMER))


@dataclass(frozen=True, slots=True)
class Batch:
    """What came since the last look: rows and objects in order of arrival.

    `arrived` is the monotonic time (s) at which the oldest of it was put in; `last` says that nothing more
    will come.
    """

    rows: EventArray
    objects: tuple[Any, ...]
    arrived: float
    last: bool


class Inbox:
    """One queue, any number of writers, one reader.

    Parameters
    ----------
    capacity : int
        Rows that may wait.
    stamp : callable, optional
        Session time in ns. Given for a live source: every row and object gets its `ts_recv` (never running
        backwards, an object always later than what was before it) and `seq` here.
    """

    def __init__(self, capacity: int = CAPACITY_ROWS, *, stamp: Callable[[], int] | None = None) -> None:
        self.capacity = capacity
        self.replaced = 0
        self.most = 0
        self.error: BaseException | None = None
        self._stamp = stamp
        self._items: deque[tuple[float, Any]] = deque()
        self._outside: dict[tuple[int, int], EventArray] = {}
        self._rows = 0
        self._clock = 0
        self._seq = 0
        self._ended = False
        self._closed = False
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)

    @property
    def stamps(self) -> bool:
        """Whether arrival time and number are given here."""
        return self._stamp is not None

    @property
    def waiting(self) -> int:
        """Rows that wait now."""
        return self._rows

    # -- the feed's side -------------------------------------------------------------------------------

    def put(self, rows: EventArray) -> bool:
        """Add rows, waiting for room: back-pressure on a source that can wait. False: nobody reads any more."""
        with self._lock:
            while self._rows and self._rows + len(rows) > self.capacity and not self._closed:
                self._room.wait()
            if self._closed:
                return False
            self._append(rows)
        return True

    def offer(self, rows: EventArray) -> None:
        """Add rows of a source that cannot wait. Trades always enter; a full queue merges books."""
        with self._lock:
            if self._rows + len(rows) <= self.capacity and not self._outside:
                self._append(rows)
                return
            for at in range(len(rows)):
                row = rows[at : at + 1]
                kind = int(row["kind"][0])
                if kind not in REPLACEABLE:
                    self._append(row)
                    continue
                key = (int(row["instrument"][0]), kind)
                self.replaced += key in self._outside
                self._outside[key] = row.copy()

    def put_object(self, event: Any) -> None:
        """Add an object event: an order report, a trading state, an option view. Never waits, never drops."""
        with self._lock:
            if self._stamp is not None:
                self._clock = max(self._stamp(), self._clock + 1)
                stamps = {"ts_recv": self._clock, "seq": self._seq}
                if event.ts_event == 0:
                    stamps["ts_event"] = self._clock
                event = replace(event, **stamps)
                self._seq += 1
            self._items.append((time.monotonic(), event))
            self._ready.notify()

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes, and why if it was not meant to end."""
        with self._lock:
            self._ended, self.error = True, error
            self._ready.notify()

    def _append(self, rows: EventArray) -> None:
        if len(rows) == 0:
            return
        if self._stamp is not None:
            rows = rows.copy()
            self._clock = max(self._stamp(), self._clock)
            rows["ts_recv"] = self._clock
            rows["seq"] = np.arange(self._seq, self._seq + len(rows))
            self._seq += len(rows)
        self._items.append((time.monotonic(), rows))
        self._rows += len(rows)
        self.most = max(self.most, self._rows)
        self._ready.notify()

    # -- the engine's side -----------------------------------------------------------------------------

    def take(self, timeout_s: float) -> Batch | None:
        """Return what is there, waiting at most `timeout_s` for the first of it; None for nothing."""
        with self._lock:
            if not self._items and not self._ended:
                self._ready.wait(max(timeout_s, 0.0))
            if not self._items:
                return Batch(empty(0), (), time.monotonic(), last=True) if self._ended else None
            items = list(self._items)
            self._items.clear()
            self._rows = 0
            outside, self._outside = self._outside, {}
            for row in outside.values():
                self._append(row)
            self._room.notify_all()
            last = self._ended and not self._items
        parts = [item for _, item in items if isinstance(item, np.ndarray)]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else empty(0)
        objects = tuple(item for _, item in items if not isinstance(item, np.ndarray))
        return Batch(rows, objects, items[0][0], last)

    def resume_at(self, ts_recv: int, seq: int) -> None:
        """Continue the order of a session that was interrupted after arrival `ts_recv` and number `seq`."""
        with self._lock:
            self._clock, self._seq = max(self._clock, ts_recv + 1), max(self._seq, seq + 1)

    def close(self) -> None:
        """Stop reading: writers that wait are let go."""
        with self._lock:
            self._closed = True
            self._room.notify_all()
