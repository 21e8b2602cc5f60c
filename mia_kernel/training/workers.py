"""Share work over processes that end with the one that started them.

How it moves: `pool` gives fresh processes, each told once what all tasks have in common. A watch in every one
of them waits for its parent to end: a training that is killed leaves nobody computing for nobody.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

ORPHANED = 3
"""Exit code of a worker whose parent has ended."""


def count(wanted: int | None, tasks: int) -> int:
    """Return how many processes to use: as wanted, else one for each core, never more than tasks."""
    return max(min(wanted or os.cpu_count() or 1, tasks), 1)


def pool(workers: int, hold: Callable[..., None] | None = None, *held: Any) -> ProcessPoolExecutor:
    """Return an executor of `workers` processes; `hold(*held)` runs once in each of them."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(hold, held))


def _begin(hold: Callable[..., None] | None, held: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="mia-orphan-watch", daemon=True).start()
    if hold is not None:
        hold(*held)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(ORPHANED)
