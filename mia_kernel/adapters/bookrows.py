"""Levels of any author as BOOK rows on the tick grid, and the checks that every book passes.

A level lies at its own price: what a file calls "level 3" says nothing. A crossed book in open hours and
every book in closed hours is not given out, and a book that says what the one before said is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.running_repeats import note_frozen
from mia_kernel.adapters.silence import stale_term
from mia_kernel.core import events as ev
from mia_kernel.core.events import DEPTH, EventArray
from mia_kernel.core.session import open_mask

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_FAR = np.int64(2**40)


def best_prices(bid: IntArray, ask: IntArray) -> tuple[IntArray, IntArray]:
    """Return the best bid and ask of each row's levels, shape (n,); 0 where a side is empty.

    `bid` and `ask` are prices in ticks of shape (n, levels), in any order; a price ≤ 0 is no level.
    """
    best_bid = np.max(bid, axis=1, initial=0)
    lowest = np.min(np.where(ask > 0, ask, _FAR), axis=1, initial=_FAR)
    return np.maximum(best_bid, 0), np.where(lowest == _FAR, 0, lowest)


def book_rows(
    ts: IntArray, bid: IntArray, bid_size: IntArray, ask: IntArray, ask_size: IntArray
) -> EventArray:
    """Return BOOK rows of levels given by price.

    Parameters
    ----------
    ts : ndarray of shape (n,)
        Stamps, ns UTC.
    bid, bid_size, ask, ask_size : ndarray of shape (n, levels)
        Prices in ticks (≤ 0: no level) and contracts. Levels further than DEPTH ticks are left out.
    """
    rows = ev.empty(len(ts))
    rows["ts_event"] = rows["ts_recv"] = ts
    rows["kind"] = ev.BOOK
    rows["bid"], rows["ask"] = best_prices(np.where(bid_size > 0, bid, 0), np.where(ask_size > 0, ask, 0))
    for name, sizes, price, size, away in (
        ("bid", "b", bid, bid_size, 1),
        ("ask", "a", ask, ask_size, -1),
    ):
        best = rows[name].astype(np.int64)
        for k in range(price.shape[1]):
            distance = away * (best - price[:, k])
            fits = (best > 0) & (price[:, k] > 0) & (size[:, k] > 0) & (distance >= 0) & (distance < DEPTH)
            at = np.flatnonzero(fits)
            rows[sizes][at, distance[at]] = size[at, k]
    return rows


def usable(rows: EventArray, findings: Findings, *, sampled: bool = False) -> IntArray:
    """Return the positions of the QUOTE or BOOK rows that may be given out, and score the book.

    Left out: closed hours, crossed or locked in open hours, unchanged against the row given out before. A
    `sampled` source (one quote a minute) cannot tell silence, so it gets no stale term.
    """
    closed = ~open_mask(rows["ts_event"])
    crossed = (rows["bid"] > 0) & (rows["ask"] > 0) & (rows["bid"] >= rows["ask"])
    bad = crossed & ~closed
    findings.counts["book_events"] = findings.counts.get("book_events", 0) + len(rows)
    findings.note("closed_book_events", int(closed.sum()),
                  f"{int(closed.sum())} book events in closed hours, not given out")  # fmt: skip
    findings.aside("crossed", int(bad.sum()), f"{int(bad.sum())} books crossed or locked in open hours")
    findings.term("crossed", float(bad.mean()) if len(rows) else 0.0)
    if not sampled:
        stale_term(findings, np.maximum.accumulate(rows["ts_event"][~closed]))
        note_frozen(findings, rows[~closed])
    keep = np.flatnonzero(~closed & ~crossed)
    kept = keep[changed(rows[keep])]
    if len(keep) - len(kept):
        findings.counts["unchanged_book_events"] = len(keep) - len(kept)
    return kept


def changed(rows: EventArray) -> BoolArray:
    """Return which rows differ from the row before in price or size; the first one does."""
    if len(rows) < 2:
        return np.ones(len(rows), np.bool_)
    same = (rows["bid"][1:] == rows["bid"][:-1]) & (rows["ask"][1:] == rows["ask"][:-1])
    same &= (rows["b"][1:] == rows["b"][:-1]).all(axis=1) & (rows["a"][1:] == rows["a"][:-1]).all(axis=1)
    return np.r_[True, ~same]


def by_record(
    views: EventArray,
    view_record: Any,
    trades: EventArray,
    trade_record: Any,
    *,
    views_first: bool = False,
) -> EventArray:
    """Join both kinds in file order; at one record the trade comes first unless the view is of before it."""
    rows = np.concatenate([views, trades])
    record = np.concatenate([view_record, trade_record])
    rank = np.concatenate(
        [np.full(len(views), 0 if views_first else 1), np.full(len(trades), 1 if views_first else 0)]
    )
    rows = rows[np.lexsort((rank, record))]
    rows["seq"] = np.arange(len(rows))
    return rows
