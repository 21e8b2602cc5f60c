"""The engine's loop: take what the inbox holds, record it, step, look at the timers; nothing else.

How it moves: one thread. Rows and order events come through the inbox in one order; each batch is appended to
the record before the engine sees it; timers (heartbeat, frames, sealing) run on the monotonic clock between
slices and can only look. Stopping is a request: the slice in hand is finished, the pending point decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mia_kernel.adapters.inbox import Batch, Inbox
from mia_kernel.core.events import StateChange
from mia_kernel.core.model_event import ModelChange
from mia_kernel.live.collect import Collector
from mia_kernel.runtime import Run

IDLE_S = 0.05
"""Longest sleep without a look at the timers and the stop request."""

LOOK_ROWS = 2048
"""Most rows between two looks at the timers: while a session catches up the guardian must go on hearing the engine."""

KEPT = 4096
"""Latencies kept: the newest decide the percentiles."""


@dataclass
class Timer:
    """Something done every `every_s` seconds of the monotonic clock; a late one is not caught up."""

    every_s: float
    call: Callable[[], None]
    due: float = 0.0


@dataclass
class Latency:
    """The newest `KEPT` durations in seconds, from the arrival of a row to the decision it let happen."""

    values: list[float] = field(default_factory=list)
    count: int = 0

    def add(self, seconds: float) -> None:
        """Keep one duration."""
        if len(self.values) < KEPT:
            self.values.append(seconds)
        else:
            self.values[self.count % KEPT] = seconds
        self.count += 1

    def percentile(self, q: float) -> float | None:
        """Return a percentile in seconds, None before the first decision."""
        return float(np.percentile(self.values, q)) if self.values else None


class Loop:
    """Drive a run from an inbox.

    Parameters
    ----------
    run : Run
    inbox : Inbox
    collector : Collector, optional
        Records the session; without one nothing is recorded (benches).
    timers : sequence of Timer
    """

    def __init__(
        self, run: Run, inbox: Inbox, collector: Collector | None = None, timers: Sequence[Timer] = ()
    ) -> None:
        self.run = run
        self.inbox = inbox
        self.collector = collector
        self.timers = list(timers)
        self.ends: list[
            Callable[[], None]
        ] = []  # called once when the source has ended, in the loop's thread
        self.latency = Latency()
        self.stopped_by: str | None = None
        self.longest_step_s = self.longest_look_s = 0.0
        self.rows_seen: Callable[[Any], None] | None = None  # looks at consumed rows, changes nothing
        self._changes: list[tuple[type[StateChange | ModelChange], tuple[str, ...]]] = []
        self._last_recv = -1

    def stop(self, reason: str) -> None:
        """Ask the loop to end after the slice in hand; safe from a signal handler or another thread."""
        if self.stopped_by is None:
            self.stopped_by = reason

    def change_state(self, state: str, reason: str) -> None:
        """Let a trading state of the guardian or a person enter as an event, recorded like every other.

        A live inbox stamps it on arrival; over a recording it comes with the first row of a later instant, so
        that a replay meets it at the same place.
        """
        self._enter(StateChange, state, reason)

    def change_model(self, model_id: str, role: str, reason: str) -> None:
        """Let another model, or nobody, judge from here on; it enters like a trading state."""
        self._enter(ModelChange, model_id, role, reason)

    def _enter(self, kind: type[StateChange | ModelChange], *words: str) -> None:
        if self.inbox.stamps:
            self.inbox.put_object(kind(0, 0, 0, *words))
        else:
            self._changes.append((kind, words))

    def _due_changes(self, rows: Any) -> tuple[Any, ...]:
        later = int(np.searchsorted(rows["ts_recv"], self._last_recv, side="right"))
        if later == len(rows):
            return ()
        row, changes, self._changes = rows[later], self._changes, []
        at = (int(row["ts_event"]), int(row["ts_recv"]), int(row["seq"]))
        return tuple(kind(*at, *words) for kind, words in changes)

    def turn(self) -> None:
        """Take events until the source ends or somebody asks to stop.

        Raises
        ------
        BaseException
            What the feed's thread failed with, or what the engine's laws say; the record is whole up to it.
        """
        began = time.perf_counter()
        try:
            while self.stopped_by is None:
                batch = self.inbox.take(self._until_due())
                if batch is not None:
                    self._consume(batch)
                self.look()
                if batch is not None and batch.last:
                    break
            self.run.finish()
            self._collect()
            for end in self.ends:
                end()
        finally:
            self.inbox.close()
            self.run.seconds += time.perf_counter() - began
        if self.inbox.error is not None:
            raise self.inbox.error

    def _consume(self, batch: Batch) -> None:
        if batch.objects or len(batch.rows) <= LOOK_ROWS:
            self._step(batch.rows, batch.objects, batch.arrived)
            return
        for at in range(0, len(batch.rows), LOOK_ROWS):
            self._step(batch.rows[at : at + LOOK_ROWS], (), batch.arrived)
            self.look()
            if self.stopped_by is not None:
                return

    def _step(self, rows: Any, objects: tuple[Any, ...], arrived: float) -> None:
        if self._changes and len(rows):
            objects = (*objects, *self._due_changes(rows))
        if len(rows):
            self._last_recv = int(rows["ts_recv"][-1])
        if self.collector is not None:
            self.collector.before(rows, objects)
        began, decided = time.monotonic(), len(self.run.table)
        self.run.take(rows, objects)
        ended = time.monotonic()
        if self.rows_seen is not None:
            self.rows_seen(rows)
        self.longest_step_s = max(self.longest_step_s, ended - began)
        if len(self.run.table) > decided:
            self.latency.add(ended - arrived)
            self._collect()

    def _collect(self) -> None:
        if self.collector is not None:
            self.collector.after()

    def _until_due(self) -> float:
        due = min((timer.due for timer in self.timers), default=float("inf"))
        return min(max(due - time.monotonic(), 0.0), IDLE_S)

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for timer in self.timers:
            if now >= timer.due:
                timer.call()
                ended = time.monotonic()
                self.longest_look_s = max(self.longest_look_s, ended - now)
                timer.due, now = now + timer.every_s, ended
