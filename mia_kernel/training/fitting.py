"""Fit everything that is asked of a model, a fit a task, on every core.

How it moves: a plan is a list of `Task`s (each variant out of fold, each walk-forward step with its nested choice,
each combinatorial split). `Fitter` keeps the processes and their rows from plan to plan, starts what takes longest
first, and hands the answers back in the order of the plan. How many processes share the work changes no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mia_kernel.analytics import leakage
from mia_kernel.analytics.learning import Rows, Variant, fit_and_score, importance, nested
from mia_kernel.ml.splits import Split
from mia_kernel.training import workers
from mia_kernel.training.gather import Progress

_HELD: list[Rows] = []
"""The rows, once in each process; tasks name them only."""


@dataclass(frozen=True, slots=True)
class Task:
    """One fit: `kind` is `fold`, `nested`, `importance`, `leak` or `shuffled`."""

    kind: str
    split: Split | None
    variants: tuple[Variant, ...]
    embargo: int
    seed: int
    names: tuple[str, ...] = ()


class Fitter:
    """Runs plans on rows that every process holds once; a context that lets the processes go.

    Parameters
    ----------
    rows : Rows
    processes : int, optional
        Default one for each core; 1 stays in this process.
    """

    def __init__(self, rows: Rows, processes: int | None) -> None:
        self._rows = rows
        self._workers = workers.count(processes, len(rows.y))
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._workers == 1:
            _hold(self._rows)
        else:
            self._pool = workers.pool(self._workers, _hold, self._rows)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        _HELD.clear()

    def run(self, tasks: Sequence[Task], *, progress: Progress, what: str) -> list[Any]:
        """Return the answer of each task in order."""
        out: list[Any] = [None] * len(tasks)
        if self._pool is None:
            for i, task in enumerate(tasks):
                out[i] = _do(task)
                progress(i + 1, len(tasks), what)
            return out
        progress(0, len(tasks), what)
        order = sorted(range(len(tasks)), key=lambda i: -_size(tasks[i]))
        jobs = {self._pool.submit(_do, tasks[i]): i for i in order}
        for done, job in enumerate(as_completed(jobs), 1):
            out[jobs[job]] = job.result()
            progress(done, len(tasks), what)
        return out


def _size(task: Task) -> int:
    """Return about how many rows a task trains on in all."""
    rows = 0 if task.split is None else len(task.split.train)
    return rows * (2 * len(task.variants) + 1 if task.kind == "nested" else 1)


def _hold(rows: Rows) -> None:
    _HELD[:] = [rows]


def _do(task: Task) -> Any:
    rows = _HELD[0]
    if task.kind == "leak":
        return leakage.checks(rows, task.names, seed=task.seed)
    if task.kind == "shuffled":
        return leakage.shuffled_area(rows, seed=task.seed)
    assert task.split is not None
    if task.kind == "nested":
        return nested(rows, task.split, task.variants, embargo=task.embargo, seed=task.seed)
    if task.kind == "importance":
        return importance(rows, task.split, task.variants[0], task.names, seed=task.seed)
    return fit_and_score(rows, task.split, task.variants[0], seed=task.seed)
