"""Turn a source into labelled signals: replay it year by year, on every core.

How it moves: each calendar year of trading days is one replay of its own, warmed up by the sessions before it,
with a collector where the model sits. How many processes share the years changes nothing. The account begins
each year anew, so "refused by a gate" means: in a year that started with the capital of the settings.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.dataset import Dataset, joined, labelled
from mia_kernel.core.events import BAR, WARM_UP, Recording
from mia_kernel.core.session import trading_days_of
from mia_kernel.ml.ensemble import Collector
from mia_kernel.ml.inputs import Inputs, schema_of
from mia_kernel.runtime import Run, given_of
from mia_kernel.settings import Settings

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
    workers = min(processes or os.cpu_count() or 1, len(parts))
    done: dict[int, Dataset] = {}
    if workers == 1:
        for i, part in enumerate(parts):
            done[i] = gather_one(settings, part, tuple(groups))
            progress(len(done), len(parts), "replayed")
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            # The longest years first, so that no core is left alone with one at the end.
            order = sorted(range(len(parts)), key=lambda i: -len(parts[i]))
            jobs = {pool.submit(gather_one, settings, parts[i], tuple(groups)): i for i in order}
            for job in as_completed(jobs):
                done[jobs[job]] = job.result()
                progress(len(done), len(parts), "replayed")
    return joined([done[i] for i in range(len(parts))])


def gather_one(settings: Settings, recording: Recording, groups: tuple[str, ...]) -> Dataset:
    """Return the labelled signals of one replay."""
    schema = schema_of(groups)
    collector = Collector(Inputs(schema, given_of(recording)))
    run = Run(settings, recording, model=collector)
    run.drive()
    return labelled(
        schema=schema, rows=collector.rows, table=run.table, events=recording.events, costs=settings.costs
    )


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
