"""Re-enter a replayed day anywhere: checkpoints along it, so that any instant is a few thousand rows away.

How it moves: the first look replays the day once more and keeps the engine's and the venue's bytes at points
of about equal work; every look restores the last one before its instant and feeds the rows between. The same
code takes the same rows from the same bytes, so the state is the one of the run, bit for bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import Decision
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import Recording
from mia_kernel.desk.moment import Moment
from mia_kernel.runtime import Run as Pass
from mia_kernel.settings import Settings

ROWS_PER_DECISION = 150
"""What a decision costs in rows: it decides where checkpoints lie, never what they hold."""

ROWS_BETWEEN = 12_000
"""Work between two checkpoints, in rows: about 10 ms."""

MOST = 2_048
"""Checkpoints of one run at most (about 0.1 MB each)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The bytes of a run before row `row`, with the last decision taken up to there."""

    row: int
    engine: bytes
    venue: bytes
    last: Decision | None


class Timeline:
    """The instants of one run.

    Parameters
    ----------
    settings : Settings
    recording : Recording
        The run's own, its window included.
    decided : ndarray of int64
        Times of the run's decisions, ns UTC; work is measured by them.
    """

    def __init__(self, settings: Settings, recording: Recording, decided: NDArray[np.int64]) -> None:
        self.settings = settings
        self.recording = recording
        self._clock: Any = np.maximum.accumulate(recording.events["ts_event"])
        self._points: list[Checkpoint] | None = None
        self._decided = decided

    def at(self, ts: int) -> Moment:
        """Return the exact state after every row stamped at or before `ts`.

        Raises
        ------
        InputError
            If no decision was taken yet at that instant.
        """
        stop = int(np.searchsorted(self._clock, ts, side="right"))
        taken = self._restored(stop)
        taken.settle(ts)
        if taken.last is None:
            first = f"{np.datetime64(int(self._decided[0]), 'ns')} UTC" if len(self._decided) else "none"
            raise InputError(
                "no decision was taken yet at that instant",
                field="when",
                value=f"{np.datetime64(ts, 'ns')} UTC",
                way_out=f"first: {first}",
            )
        return Moment(ts, taken)

    def _restored(self, stop: int) -> Pass:
        """Return a pass that has taken the rows before `stop`."""
        taken = Pass(self.settings, self.recording)
        if self._points is None:
            self._points = self._walk()
        rows = [point.row for point in self._points]
        at = int(np.searchsorted(rows, stop, side="right")) - 1
        start = 0
        if at >= 0:
            point = self._points[at]
            taken.engine.restore(zlib.decompress(point.engine))
            taken.venue.restore(zlib.decompress(point.venue))
            taken.skip_objects(point.row - 1)
            taken.last, taken.seen, start = point.last, point.row, point.row
        taken.feed(start, stop)
        return taken

    def _walk(self) -> list[Checkpoint]:
        taken = Pass(self.settings, self.recording)
        points: list[Checkpoint] = []
        start = 0
        for row in self._cuts():
            taken.feed(start, row)
            engine, venue = taken.engine.to_bytes(), taken.venue.to_bytes()
            points.append(Checkpoint(row, zlib.compress(engine, 1), zlib.compress(venue, 1), taken.last))
            start = row
        return points

    def _cuts(self) -> list[int]:
        """Return the rows before which to keep the state: equal work between two of them."""
        n = len(self._clock)
        if n == 0:
            return []
        work = np.ones(n)
        at = np.searchsorted(self._clock, self._decided, side="right") - 1
        np.add.at(work, at[at >= 0], ROWS_PER_DECISION)
        done = np.cumsum(work)
        count = min(int(done[-1] // ROWS_BETWEEN), MOST)
        wanted = done[-1] * np.arange(1, count + 1) / (count + 1)
        return (
            np.unique(np.searchsorted(done, wanted, side="left") + 1).clip(1, n - 1).tolist() if n > 1 else []
        )
