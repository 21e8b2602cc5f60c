"""Quality: how far the feed can be trusted over the last minute of event time.

How it moves: every row is counted into the running second; `second` closes it into a ring of 60 and keeps
the sums. Score = 1 − clip(0.30·gap + 0.20·crossed + 0.15·disorder + 0.20·stale + 0.05·zero_volume +
0.10·off_grid, 0, 1): each term a bad share (domain §4). A term a source cannot carry is left out. Prices
are integer ticks here, so off-grid ones were refused by the adapter and the term is 0 by construction.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel

WINDOW = 60
NS = 1_000_000_000
GAP_NS = NS
STALE_NS = 5 * NS
BAR_WINDOW = 5
ROWS, CROSSED, DISORDER, ZERO, GAP, STALE = range(6)
KINDS = 6
LATENCY_BINS = 96  # the last begins at 11.9 s
QUARTERS = (2**-0.75, 2**-0.5, 2**-0.25)

QUALITY_DTYPE = np.dtype(
    [
        ("p_has_book", np.uint8),
        ("p_bars_only", np.uint8),
        ("now", np.int32, (KINDS,)),
        ("ring", np.int32, (WINDOW, KINDS)),
        ("sums", np.int64, (KINDS,)),
        ("seconds", np.int64),  # closed seconds of this session
        ("score", np.float64),
        ("late", np.int64),  # applied on arrival at the present clock
        ("quarantined", np.int64),  # older than two seconds, impossible size, outside hours, unconfirmed jump
        ("outside", np.int64),
        ("jumps", np.int64),
        ("bar_rows", np.int64),
    ],
    align=True,
)


def init(record: Any, *, has_book: bool, bars_only: bool) -> None:
    """Make `record` empty for a source that carries a book, or nothing but bars."""
    record[...] = np.zeros((), QUALITY_DTYPE)
    record["p_has_book"], record["p_bars_only"] = has_book, bars_only
    record["score"] = np.nan


@kernel
def second(q: Record, book_age_ns: int) -> None:
    """Close the running second; `book_age_ns` is the age of the book at its end, < 0 without one."""
    if q["p_has_book"]:
        q["now"][GAP] = 1 if book_age_ns < 0 or book_age_ns > GAP_NS else 0
        q["now"][STALE] = 1 if book_age_ns < 0 or book_age_ns > STALE_NS else 0
    at = q["seconds"] % WINDOW
    for i in range(KINDS):
        q["sums"][i] += q["now"][i] - q["ring"][at, i]
        q["ring"][at, i] = q["now"][i]
        q["now"][i] = 0
    q["seconds"] += 1
    if q["seconds"] >= WINDOW:
        q["score"] = _score(q, q["sums"][GAP] / WINDOW, q["sums"][STALE] / WINDOW)


@kernel
def bar(q: Record) -> None:
    """Score a source of bars over its last bars: only disorder and empty bars apply."""
    q["bar_rows"] += 1
    at = q["bar_rows"] % BAR_WINDOW
    for i in range(KINDS):
        q["sums"][i] += q["now"][i] - q["ring"][at, i]
        q["ring"][at, i] = q["now"][i]
        q["now"][i] = 0
    if q["bar_rows"] >= BAR_WINDOW:
        q["score"] = _score(q, 0.0, 0.0)


@kernel
def _score(q: Record, gap: float, stale: float) -> float:
    rows = max(q["sums"][ROWS], 1)
    bad = 0.30 * gap + 0.20 * stale
    bad += (0.20 * q["sums"][CROSSED] + 0.15 * q["sums"][DISORDER] + 0.05 * q["sums"][ZERO]) / rows
    return 1.0 - min(max(bad, 0.0), 1.0)


@kernel
def latency_bin(us: float) -> int:
    """Return the histogram bin of a latency in µs: four an octave from 1 µs; what is later than 14 s is in the last."""
    if us < 1.0:
        return 0
    # us = part · 2**octave with part in [½, 1): a logarithm per row would be the dearest thing a row does.
    part, octave = math.frexp(us)
    quarter = int(part >= QUARTERS[0]) + (part >= QUARTERS[1]) + (part >= QUARTERS[2])
    return min(4 * (octave - 1) + quarter + 1, LATENCY_BINS - 1)


@kernel
def reset(q: Record) -> None:
    """Start a session: the window is empty and the score unknown until it has filled."""
    for i in range(KINDS):
        q["now"][i] = 0
        q["sums"][i] = 0
        for j in range(WINDOW):
            q["ring"][j, i] = 0
    q["seconds"] = 0
    if not q["p_bars_only"]:
        q["score"] = np.nan
