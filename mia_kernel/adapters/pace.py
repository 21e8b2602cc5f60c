"""The clock of a paced run: hand out slices of rows no sooner than their time has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

REFRESH_S = 0.1
"""A slice spans at most this much wall time, so that a watcher sees the market move."""


def paced(
    arrivals: Any,
    start: int,
    speed: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) over rows as their arrival time comes; an empty slice is a chance to look.

    Parameters
    ----------
    arrivals : ndarray of int64, shape (n_rows,)
        `ts_recv` in ns, ascending.
    start : int
        First row; its arrival is the moment the clock starts.
    speed : float
        Event seconds per wall second, > 0; infinity hands out everything at once.
    now, sleep : callable
        The clock in seconds; tests bring their own.

    Notes
    -----
    A consumer that is slower than the market gets longer slices, never a growing queue.
    """
    total = len(arrivals)
    if speed == float("inf"):
        if start < total:
            yield start, total
        return
    began, at = now(), start
    while at < total:
        due_ns = int(arrivals[start]) + int((now() - began) * speed * 1e9)
        stop = int(np.searchsorted(arrivals, due_ns, side="right"))
        yield at, max(stop, at)
        at = max(stop, at)
        if at < total:
            ahead_s = (int(arrivals[at]) - int(arrivals[start])) / 1e9 / speed - (now() - began)
            sleep(min(max(ahead_s, 0.0), REFRESH_S))
