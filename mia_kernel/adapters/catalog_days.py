"""Rows by trading day, of all rows at once or of slices: a day is handed on when no later row can belong to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.parts import Part, Sliced
from mia_kernel.adapters.stamps import DAY_NS, NEW_YORK, to_local
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import trading_days_of


def days_of(part: Part) -> Iterator[tuple[int, EventArray]]:
    """Yield the trading days (yyyymmdd) of a part with their rows. What comes in slices is held day by day."""
    yield from split_days(part.events) if part.sliced is None else _closing_days(part.sliced)


def _closing_days(sliced: Sliced) -> Iterator[tuple[int, EventArray]]:
    held: dict[int, list[EventArray]] = {}
    for rows in sliced.again():
        for day, mine in split_days(rows):
            held.setdefault(day, []).append(mine.copy())  # a view would keep the whole slice
        settled = int(rows["ts_recv"][-1]) - sliced.late_ns
        reached = int(trading_days_of(np.array([settled], np.int64))[0])
        for day in sorted(day for day in held if day < reached):
            yield day, _joined(held.pop(day))
    for day in sorted(held):
        yield day, _joined(held.pop(day))


def _joined(pieces: list[EventArray]) -> EventArray:
    """Return pieces as one array; each is let go once it is copied, so that a day is never held twice."""
    if len(pieces) == 1:
        return pieces[0]
    rows = np.empty(sum(map(len, pieces)), pieces[0].dtype)
    at = 0
    while pieces:
        piece = pieces.pop(0)
        rows[at : at + len(piece)] = piece
        at += len(piece)
    return rows


def split_days(events: EventArray) -> list[tuple[int, EventArray]]:
    """Return the rows of each trading day. A bar belongs to the day in which it lies, not to its end.

    Values of the VIX, one a day, are kept by year (yyyy0000).
    """
    if len(events) == 0:
        return []
    if bool((events["instrument"] == ev.VIX).all()):
        years = new_york_dates(events["ts_event"]) // 10_000
        return [(int(year) * 10_000, events[years == year]) for year in np.unique(years)]
    inside = np.where(events["kind"] == ev.BAR, events["ts_event"] - 1, events["ts_event"]).astype(np.int64)
    days = trading_days_of(inside)
    edges = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])
    if bool((days[1:] < days[:-1]).any()):
        return [(int(day), events[days == day]) for day in np.unique(days)]
    return [(int(days[at]), rows) for at, rows in zip(edges, np.split(events, edges[1:]), strict=True)]


def new_york_dates(ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the New York calendar date (yyyymmdd) of instants."""
    days = (to_local(ts, NEW_YORK) // DAY_NS).astype("datetime64[D]")
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    return np.asarray(year * 10_000 + month * 100 + day, np.int64)
