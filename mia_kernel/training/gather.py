"""Turn a source into labelled signals: replay it year by year, on every core.

How it moves: each calendar year of trading days is one replay of its own, warmed up by the sessions before it,
with a collector where the model sits. How many processes share the years changes nothing. The account begins
each year anew, so "refused by a gate" means: in a year that started with the capital of the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.dataset import Dataset, joined, labelled
from mia_kernel.analytics.table import SignalTable
from mia_kernel.assembly import given_of
from mia_kernel.core.decisions import Decision
from mia_kernel.core.digest import DecisionDigest
from mia_kernel.core.events import BAR, WARM_UP, Recording
from mia_kernel.core.session import trading_days_of
from mia_kernel.ml.ensemble import Collector
from mia_kernel.ml.inputs import Inputs, schema_of
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings
from mia_kernel.training import workers

WARM_SESSIONS = 60
GROUPS: tuple[str, ...] = ()
"""Groups of measures beside the eight features; every further column is a further chance to learn noise."""

Progress = Callable[[int, int, str], None]
"""Told (done, of, what)."""


def silent(_done: int, _of: int, _what: str) -> None:
    """Tell nobody."""


def gather(
    settings: Settings,
    recording: Recording,
    *,
    groups: Sequence[str] = GROUPS,
    processes: int | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Return every signal of a recording, labelled.

    Parameters
    ----------
    groups : sequence of str
        Groups of measures beside the eight features.
    processes : int, optional
        Default one for each core; 1 stays in this process.
    """
    parts = pieces(recording)
    number = workers.count(processes, len(parts))
    done: dict[int, Dataset] = {}
    if number == 1:
        for i, part in enumerate(parts):
            done[i] = gather_one(settings, part, tuple(groups))
            progress(len(done), len(parts), "replayed")
    else:
        with workers.pool(number) as pool:
            # The longest years first, so that no core is left alone with one at the end.
            order = sorted(range(len(parts)), key=lambda i: -len(parts[i]))
            jobs = {pool.submit(gather_one, settings, parts[i], tuple(groups)): i for i in order}
            for job in as_completed(jobs):
                done[jobs[job]] = job.result()
                progress(len(done), len(parts), "replayed")
    return joined([done[i] for i in range(len(parts))])


def gather_one(settings: Settings, recording: Recording, groups: tuple[str, ...]) -> Dataset:
    """Return the labelled signals of one replay; of its other decisions nothing is kept."""
    schema = schema_of(groups)
    collector = Collector(Inputs(schema, given_of(recording)))
    run = _ForSignals(settings, recording, model=collector)
    run.drive()
    return labelled(
        schema=schema, rows=collector.rows, table=run.table, events=recording.events, costs=settings.costs
    )


class _ForSignals(Run):
    """A run that keeps its signals and lets digest, bars and the columns of other decisions go."""

    def __init__(self, settings: Settings, recording: Recording, *, model: Collector) -> None:
        super().__init__(settings, recording, model=model)
        rooms = self.engine.rooms
        self.digest = _Unhashed(rooms.features.names, rooms.gate.codes)
        self.table = SignalTable(rooms.features.names, rooms.gate.codes, rooms.gate.levels)

    def _collect_bars(self) -> None:
        """Keep no bar."""


class _Unhashed(DecisionDigest):
    """Counts decisions and hashes none: nobody will compare this replay with another."""

    def update(self, decision: Decision) -> None:
        """Count one decision."""
        self.count += 1


def pieces(recording: Recording, *, warm_sessions: int = WARM_SESSIONS) -> list[Recording]:
    """Return a recording cut into calendar years of trading days, each with its warm-up in front."""
    events = recording.events
    days = _days(events)
    distinct, firsts = np.unique(days, return_index=True)
    found: list[Recording] = []
    for year in np.unique(distinct // 10_000):
        mine = np.flatnonzero(distinct // 10_000 == year)
        start, stop = int(firsts[mine[0]]), _behind(firsts, mine[-1] + 1, len(events))
        warm = int(firsts[max(mine[0] - warm_sessions, 0)])
        rows = events[warm:stop].copy()
        rows["flags"][: start - warm] |= WARM_UP
        found.append(replace(recording, events=rows, objects=_between(recording, rows)))
    return found


def _days(events: NDArray[Any]) -> NDArray[Any]:
    """Return the trading day of each row; a bar that ends at the close belongs to the day that ends."""
    stamps = np.where(events["kind"] == BAR, events["ts_event"] - 1, events["ts_event"])
    return np.maximum.accumulate(trading_days_of(stamps))


def _behind(firsts: NDArray[np.int64], at: int, end: int) -> int:
    return int(firsts[at]) if at < len(firsts) else end


def _between(recording: Recording, rows: NDArray[Any]) -> tuple[Any, ...]:
    """Return the object events that fall inside the rows: what came before lies in no warm-up."""
    first, last = int(rows["ts_recv"][0]), int(rows["ts_recv"][-1])
    return tuple(event for event in recording.objects if first < event.ts_recv <= last)
