"""Fit what the real books with sizes tell of order flow and depth, and how trades follow each other.

Three books of ES are at hand: an hour of ESH4 order by order (Databento), a minute at 08:30 of 24 January 2022 with 40
levels (Sierra), parts of 5 September 2025 (ACSIL; level 1 is the quote). CME's session has no book, and LOBSTER's is
of a stock whose spread is many ticks wide: neither tells the response of ES. Nothing here looks at a strategy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.sources import open_source
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.desk.likeness import (
    HOURS,
    QUICK_NS,
    burst,
    instants,
    lasting,
    level_means,
    minute_of_day,
    ofi_response,
)

FloatArray = NDArray[np.float64]

HOUR = "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
MINUTE = "es_ticks_sierra_dom/ES_trades_dom40_20220124_133000-133100utc.txt"
MORNING = "sierra_acsil/20250905_clean/es_dom19_20250905.csv.gz"
BOOKS: dict[str, tuple[str, dict[str, str], int, tuple[int, int]]] = {
    "ESH4 2023-12-25 18:00": (HOUR, {}, 10, (0, 60)),
    "ESH22 2022-01-24 08:30": (MINUTE, {"tz": "UTC"}, 1, (870, 872)),
    "ESU25 2025-09-05 10:44": (MORNING, {"symbol": "ES"}, 10, (1004, 1028)),
    "ESU25 2025-09-05 16:52": (MORNING, {"symbol": "ES"}, 10, (1370, 1380)),
}
"""Name to file, how it is asked for, width of a window in seconds (a minute has no ten-second windows to speak of), and
the stretch in minutes after 18:00 New York."""


def books_of(data: Path) -> dict[str, tuple[EventArray, int]]:
    """Return the book rows of each stretch and its width of a window, seconds."""
    found: dict[str, tuple[EventArray, int]] = {}
    for name, (file, asked, width, (first, last)) in BOOKS.items():
        rows = open_source(data / file, **asked).events  # type: ignore[arg-type]
        rows = rows[(rows["kind"] == ev.BOOK) | (rows["kind"] == ev.QUOTE)]
        minute = minute_of_day(rows["ts_event"])
        found[name] = rows[(minute >= first) & (minute < last)], width
    return found


def fit_flow(data: Path) -> dict[str, Any]:
    """Return R² and response (ticks per contract times contracts at the best) of each stretch, and both of all.

    A move is imbalance over depth (Cont, Kukanov and Stoikov 2014): slopes of books of different depth compare only
    times their depth. Stretches weigh by their windows; responses in logs.
    """
    told: list[list[Any]] = []
    for name, (rows, width) in books_of(data).items():
        windows, r2, slope = ofi_response(rows, width)
        best = float(level_means(rows)[0])
        told.append([name, windows, round(r2, 3), round(slope, 5), round(best, 1), round(slope * best, 3)])
    weight = np.array([row[1] for row in told], np.float64)
    weight /= weight.sum()
    return {
        "books": told,
        "ofi_r2": round(float((weight * [row[2] for row in told]).sum()), 3),
        "ofi_response": round(float(np.exp((weight * np.log([row[5] for row in told])).sum())), 3),
    }


def profile(data: Path) -> FloatArray:
    """Return the contracts of each level over those of the best: geometric mean of the stretches with ten levels."""
    shapes: list[FloatArray] = []
    for rows, _ in books_of(data).values():
        deep = rows[rows["kind"] == ev.BOOK]
        means = level_means(deep)
        shapes.append(np.log(means / means[0]))
    return np.asarray(np.exp(np.mean(shapes, axis=0)), np.float64)


def fit_bursts(trades: EventArray) -> dict[str, Any]:
    """Return how far the rate strays from second to second at the middle of each hour, and how long that lasts.

    One persistence for all hours: the median of what is left at 4 to 8 seconds of what is there at 1 to 3.
    """
    ts = trades["ts_event"]
    hour = minute_of_day(ts) // 60
    hours = [(h, ts[hour == h]) for h in range(HOURS) if (hour == h).sum() >= 200]
    left = []
    for _, part in hours:
        base = lasting(part, range(55, 66))
        near, far = lasting(part, range(1, 4)) - base, lasting(part, range(4, 9)) - base
        if near > 0.05:
            left.append(max(far, 0.0) / near)
    keep = float(np.median(left)) ** 0.25  # four seconds lie between the middles of both
    shown = float(np.sqrt(np.mean([keep**k for k in range(1, 4)])))
    spread = [[60 * h + 30, round(burst(part) / shown, 3)] for h, part in hours]
    return {"burst_spread": spread, "burst_persistence": round(keep, 3)}


def fit_followers(data: Path) -> dict[str, Any]:
    """Return which share of the instants with a trade come within 10 ms of the one before, and their mean delay.

    Only two recordings of ES have a clock that fine: the first hour (ESH4, ns) and a minute at 08:30 (ms, with the
    trades of one millisecond counted). Where none tells it, no trade is made to follow. The delay is the hour's.
    """
    hour = open_source(data / HOUR).events
    minute = open_source(data / MINUTE, tz="UTC").events
    told: list[tuple[float, float]] = []
    for rows in (hour, minute):
        wait = np.diff(instants(rows[rows["kind"] == ev.TRADE]))
        quick = wait < QUICK_NS
        told.append((float(quick.mean()), float(wait[quick].mean()) / 1_000))
    first, news = round(told[0][0], 3), round(told[1][0], 3)
    share = [[0, first], [60, first], [120, 0.0], [860, 0.0], [870, news], [880, 0.0]]
    return {"follow_share": share, "follow_us": round(told[0][1], 1)}
