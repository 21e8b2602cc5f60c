"""Measure how fresh the market is here and how long a decision takes, for whoever looks; nothing decides by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mia_kernel.core.events import BOOK, QUOTE, TRADE, WARM_UP, EventArray

EDGES_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Edges of the latency bins; below the first and above the last are bins of their own."""
KEPT = 512


class FeedAge:
    """How old rows were when they arrived: `ts_recv` − `ts_event` of the newest `KEPT` trades, quotes and books.

    A source without an exchange time of its own stamps both at arrival: then the age is 0 and says nothing, so rows
    whose two times are equal are left out, and without others the age is unknown.
    """

    def __init__(self) -> None:
        self._ages = np.full(KEPT, np.nan)
        self._n = 0

    def take(self, rows: EventArray) -> None:
        """Look at rows the engine has consumed."""
        rows = rows[-KEPT:]
        timed = np.isin(rows["kind"], (TRADE, QUOTE, BOOK)) & (rows["ts_recv"] > rows["ts_event"])
        timed &= (rows["flags"] & WARM_UP) == 0
        ages = (rows["ts_recv"][timed] - rows["ts_event"][timed]) / 1e6
        if len(ages):
            self._ages[(self._n + np.arange(len(ages))) % KEPT] = ages
            self._n += len(ages)

    @property
    def median_ms(self) -> float | None:
        """Median age in milliseconds, None before the first row with two times."""
        return float(np.nanmedian(self._ages)) if self._n else None


def latency_view(seconds: Sequence[float]) -> dict[str, Any] | None:
    """Return percentiles and a histogram of durations, None before the first.

    `p50_ms`, `p95_ms`, `p99_ms`, `most_ms`, `n`; `counts` has one number per bin of `edges_ms`, the last for what is
    above them all.
    """
    if not seconds:
        return None
    ms = np.asarray(seconds) * 1e3
    p50, p95, p99 = np.percentile(ms, (50, 95, 99)).tolist()
    counts = np.bincount(np.searchsorted(EDGES_MS, ms), minlength=len(EDGES_MS) + 1)
    return {
        "n": len(ms),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "most_ms": float(ms.max()),
        "edges_ms": list(EDGES_MS),
        "counts": counts.tolist(),
    }
