"""Fit everything that is asked of a model, a fit a task, on every core.

How it moves: `plan` lists the fits (each variant out of fold, each walk-forward step with its nested choice, each
combinatorial split), `run_plan` shares them over processes and hands the answers back in the order of the plan.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from mia_kernel.analytics import leakage
from mia_kernel.analytics.learning import Rows, Variant, fit_and_score, importance, nested
from mia_kernel.ml.splits import Split
from mia_kernel.training.gather import Progress

_HELD: list[Rows] = []
"""The rows, once in each process; tasks name them only."""


@dataclass(frozen=True, slots=True)
class Task:
    """One fit: `kind` is `fold`, `nested`, `importance` or `leak`."""

    kind: str
    split: Split | None
    variants: tuple[Variant, ...]
    embargo: int
    seed: int
    names: tuple[str, ...] = ()


def run_plan(rows: Rows, tasks: Sequence[Task], *, processes: int | None, progress: Progress) -> list[Any]:
    """Return the answer of each task in order."""
    workers = min(processes or os.cpu_count() or 1, max(len(tasks), 1))
    out: list[Any] = [None] * len(tasks)
    if workers == 1:
        _hold(rows)
        for i, task in enumerate(tasks):
            out[i] = _do(task)
            progress(i + 1, len(tasks), "fitted")
        return out
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_hold, initargs=(rows,)) as pool:
        jobs = {pool.submit(_do, task): i for i, task in enumerate(tasks)}
        for done, job in enumerate(as_completed(jobs), 1):
            out[jobs[job]] = job.result()
            progress(done, len(tasks), "fitted")
    return out


def _hold(rows: Rows) -> None:
    _HELD[:] = [rows]


def _do(task: Task) -> Any:
    rows = _HELD[0]
    if task.kind == "leak":
        return leakage.checks(rows, task.names, seed=task.seed)
    assert task.split is not None
    if task.kind == "nested":
        return nested(rows, task.split, task.variants, embargo=task.embargo, seed=task.seed)
    if task.kind == "importance":
        return importance(rows, task.split, task.variants[0], task.names, repeats=1, seed=task.seed)
    return fit_and_score(rows, task.split, task.variants[0], seed=task.seed)
