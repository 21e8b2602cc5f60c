"""Keep what a picture needs and the state does not: resting sizes through time, and trades by price.

How it moves: `take` gets the rows that were consumed. Time is cut into columns of `COLUMN_NS`; a column keeps
the last book it saw and what was bought and sold at each price. Half an hour is kept. Closed columns are joined
once and reused, so that a frame costs what has changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.explain import RunFacts
from mia_kernel.core.events import BOOK, DEPTH, PRIMARY, TRADE, EventArray
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.state.tape import Sides

NS = 1_000_000_000
COLUMN_NS = 10 * NS
COLUMNS = 180
"""Half an hour of ten-second columns."""
FOOTPRINT_NS = 60 * NS
FOOTPRINT_BARS = 8

Bins = dict[int, list[int]]
"""Price in ticks to contracts sold at the bid and bought at the ask."""


class Driven(Protocol):
    """What a frame reads of a run; `runtime.Run` and the live loop are such."""

    engine: Any
    recording: Any
    settings: Any
    table: Any
    round_trips: list[Any]
    reports: list[Any]
    last: Any
    chains: Any

    def header(self) -> Any:
        """Return what stands once in front of all decision rows."""


class Memory:
    """Depth and trades of the last half hour of a run, and what its decisions have in common.

    Parameters
    ----------
    run : Driven
        Only its header is read here.
    """

    def __init__(self, run: Driven) -> None:
        header = run.header()
        self.facts = RunFacts.from_header(header)
        self.settings_id = str(header.get("settings_id", ""))
        self.code_version = str(header.get("code_version", ""))
        self.explained: dict[int, dict[str, Any]] = {}
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._sides = Sides()
        self._books: deque[tuple[int, int, int, Any, Any]] = deque(maxlen=COLUMNS)
        self._trades: deque[tuple[int, Bins]] = deque(maxlen=COLUMNS)

    def keep(self, name: str, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` makes, made anew only when `key` has changed since the last frame."""
        known = self._kept.get(name)
        if known is None or known[0] != key:
            known = self._kept[name] = (key, make())
        return known[1]

    def take(self, events: EventArray, start: int = 0, stop: int | None = None) -> None:
        """Take rows [start, stop) in the order the engine consumed them."""
        rows = events[start : len(events) if stop is None else stop]
        if len(rows) == 0:
            return
        side = self._sides.of(rows)
        mine = rows["instrument"] == PRIMARY
        column = rows["ts_event"] // COLUMN_NS * COLUMN_NS
        self._take_books(rows, mine & (rows["kind"] == BOOK) & (rows["bid"] < rows["ask"]), column)
        self._take_trades(rows, mine & (rows["kind"] == TRADE) & (rows["sz"] > 0), column, side)

    def _take_books(self, rows: EventArray, chosen: Any, column: Any) -> None:
        at = np.flatnonzero(chosen)
        if len(at) == 0:
            return
        last = np.flatnonzero(np.r_[column[at][1:] != column[at][:-1], True])
        for i in at[last][-COLUMNS:].tolist():
            row, start = rows[i], int(column[i])
            if self._books and self._books[-1][0] > start:
                continue  # a late row never rewrites a column that is over
            if self._books and self._books[-1][0] == start:
                self._books.pop()
            self._books.append((start, int(row["bid"]), int(row["ask"]), row["b"].copy(), row["a"].copy()))
        _forget(self._books)

    def _take_trades(self, rows: EventArray, chosen: Any, column: Any, side: Any) -> None:
        at = np.flatnonzero(chosen)
        if len(at) == 0:
            return
        at = at[column[at] > int(column[at[-1]]) - COLUMNS * COLUMN_NS]
        keys, where = np.unique(
            np.stack([column[at], rows["px"][at], side[at]], axis=1), axis=0, return_inverse=True
        )
        sums = np.bincount(where.ravel(), weights=rows["sz"][at]).astype(np.int64)
        for (start, px, aggressor), size in zip(keys.tolist(), sums.tolist(), strict=True):
            if aggressor == 0:
                continue
            bins = self._bins(start)
            if bins is not None:
                bins.setdefault(px, [0, 0])[aggressor > 0] += size
        _forget(self._trades)

    def _bins(self, start: int) -> Bins | None:
        if not self._trades or self._trades[-1][0] < start:
            self._trades.append((start, {}))
        for known, bins in reversed(self._trades):
            if known == start:
                return bins
            if known < start:
                return None
        return None

    # -- what a frame shows --------------------------------------------------------------------------

    def depth(self) -> dict[str, NDArray[Any]]:
        """Return the last book of each column: ts, bid, ask (points), `sizes` flat, 2·DEPTH a column.

        The first DEPTH of a column are at bid and below, the others at ask and above.
        """
        books = list(self._books)
        key = (books[0][0], books[-1][0]) if books else None
        closed = self.keep("depth", key, lambda: _ladders(books[:-1]))
        last = _ladders(books[-1:])
        return {name: np.concatenate([closed[name], last[name]]) for name in last}

    def dots(self) -> dict[str, NDArray[Any]]:
        """Return what traded in each column and price with a known aggressor: ts, price, bid, ask (contracts)."""
        newest = self._trades[-1][0] if self._trades else -1
        closed = self.keep("dots", newest, lambda: _flat(list(self._trades)[:-1]))
        last = _flat([self._trades[-1]] if self._trades else [])
        return {name: np.concatenate([closed[name], last[name]]) for name in last}

    def footprint(self, ratio: float, least: float, stacked: int) -> dict[str, NDArray[Any]]:
        """Return bought and sold by price of the last minutes with imbalances: ts, price, bid, ask, imbalance.

        `imbalance` is +1 buy, −1 sell, ±2 where it is part of a stack, 0 none. Source: domain §6.2.
        """
        newest = self._trades[-1][0] // FOOTPRINT_NS * FOOTPRINT_NS if self._trades else 0
        first = newest - (FOOTPRINT_BARS - 1) * FOOTPRINT_NS
        how = (ratio, least, stacked)
        closed = self.keep("footprint", newest, lambda: self._minutes(first, newest, *how))
        last = self._minutes(newest, newest + FOOTPRINT_NS, *how)
        return {name: np.concatenate([closed[name], last[name]]) for name in last}

    def _minutes(self, first: int, end: int, ratio: float, least: float, stacked: int) -> dict[str, Any]:
        minutes: dict[int, Bins] = {}
        for start, bins in self._trades:
            if not first <= start < end:
                continue
            into = minutes.setdefault(start // FOOTPRINT_NS * FOOTPRINT_NS, {})
            for px, (bid, ask) in bins.items():
                both = into.setdefault(px, [0, 0])
                both[0] += bid
                both[1] += ask
        parts = [_minute(start, minutes[start], ratio, least, stacked) for start in minutes if minutes[start]]
        names = ("ts", "price", "bid", "ask", "imbalance")
        kinds = (np.int64, np.float32, np.int32, np.int32, np.int8)
        return {
            name: np.concatenate([p[k] for p in parts]).astype(kind) if parts else np.zeros(0, kind)
            for k, (name, kind) in enumerate(zip(names, kinds, strict=True))
        }


def _forget(columns: deque[Any]) -> None:
    """Drop what is older than half an hour before the newest column; a quiet market has fewer columns."""
    while columns and columns[0][0] <= columns[-1][0] - COLUMNS * COLUMN_NS:
        columns.popleft()


def _ladders(books: Sequence[tuple[int, int, int, Any, Any]]) -> dict[str, NDArray[Any]]:
    sizes = np.zeros((len(books), 2 * DEPTH), np.int32)
    for i, (_, _, _, b, a) in enumerate(books):
        sizes[i, :DEPTH], sizes[i, DEPTH:] = b, a
    return {
        "ts": np.array([book[0] for book in books], np.int64),
        "bid": np.array([book[1] for book in books], np.float32) * np.float32(TICK_POINTS),
        "ask": np.array([book[2] for book in books], np.float32) * np.float32(TICK_POINTS),
        "sizes": np.minimum(sizes, 65_535).astype(np.uint16).ravel(),
    }


def _flat(columns: list[tuple[int, Bins]]) -> dict[str, NDArray[Any]]:
    rows = [(start, px, bid, ask) for start, bins in columns for px, (bid, ask) in sorted(bins.items())]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return {
        "ts": table[:, 0],
        "price": (table[:, 1] * TICK_POINTS).astype(np.float32),
        "bid": table[:, 2].astype(np.int32),
        "ask": table[:, 3].astype(np.int32),
    }


def _minute(start: int, bins: Bins, ratio: float, least: float, stacked: int) -> tuple[Any, ...]:
    low, high = min(bins), max(bins)
    bid, ask = np.zeros(high - low + 1, np.int64), np.zeros(high - low + 1, np.int64)
    for px, (sold, bought) in bins.items():
        bid[px - low], ask[px - low] = sold, bought
    buy, sell = imbalances(bid, ask, ratio, least)
    flag = buy.astype(np.int8) - sell.astype(np.int8)
    flag += stacks(buy, stacked).astype(np.int8) - stacks(sell, stacked).astype(np.int8)
    return np.full(len(bid), start), np.arange(low, high + 1) * TICK_POINTS, bid, ask, flag


def imbalances(bid: Any, ask: Any, ratio: float, least: float) -> tuple[Any, Any]:
    """Return where buyers and where sellers outweigh the other side diagonally, one tick apart.

    A buy imbalance is ask volume against the bid volume one tick below, at least `ratio` to one and `least`
    contracts; nothing below counts as an infinite ratio. Source: domain §6.2.
    """
    below, above = np.r_[0, bid[:-1]], np.r_[ask[1:], 0]
    return (ask >= least) & (ask >= ratio * below), (bid >= least) & (bid >= ratio * above)


def stacks(flags: Any, least: int) -> Any:
    """Mark the rows that belong to a run of at least `least` flagged ones."""
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(np.int8), 0]))
    out = np.zeros(len(flags), bool)
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        out[first:last] = last - first >= least
    return out
