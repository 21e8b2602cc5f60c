"""The book over time: how much rested at each price, column by column, and what traded in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError
from mia_kernel.core.events import BOOK, DEPTH, PRIMARY, QUOTE, TRADE, EventArray
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.state.tape import sides


@dataclass(frozen=True, slots=True)
class BookHeat:
    """Resting size by time and price.

    Attributes
    ----------
    time : DatetimeIndex of shape (columns,)
        End of each column, New York.
    price : ndarray of shape (prices,)
        Points, ascending.
    size : ndarray of shape (prices, columns)
        Contracts resting at the end of the column; NaN where no level was shown, never 0 for unknown.
    bid, ask : ndarray of shape (columns,)
        Best prices, NaN before the first book.
    trades : DataFrame
        time, price, size, side of every trade.
    """

    time: pd.DatetimeIndex
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    trades: pd.DataFrame


def book_heat(events: EventArray, start: int, end: int, *, columns: int = 360) -> BookHeat:
    """Return the book of the traded instrument between two instants (ns UTC), sampled at the end of each column.

    Raises
    ------
    DataError
        If the source shows no book in that time.
    """
    rows = events[events["instrument"] == PRIMARY]
    clock = np.maximum.accumulate(rows["ts_event"])
    view = (rows["kind"] == BOOK) | (rows["kind"] == QUOTE)
    books, stamps = rows[view], clock[view]
    edges = np.linspace(start, end, columns + 1).astype(np.int64)[1:]
    at = np.searchsorted(stamps, edges, side="right") - 1
    known = (at >= 0) & (stamps[np.maximum(at, 0)] >= start - (end - start))
    if len(books) == 0 or not known.any():
        raise DataError(
            "no book in that time", field="start, end", value=(start, end), rule="a source with a book"
        )
    shown = books[np.maximum(at, 0)]
    low = int(shown["bid"][known].min()) - DEPTH + 1
    high = int(shown["ask"][known].max()) + DEPTH - 1
    size = np.full((high - low + 1, columns), np.nan)
    for name, sizes, step in (("bid", "b", -1), ("ask", "a", 1)):
        for k in range(DEPTH):
            price = shown[name].astype(np.int64) + step * k - low
            there = known & (shown[name] > 0) & (shown["kind"] == BOOK) if k else known & (shown[name] > 0)
            mine = np.flatnonzero(there)
            size[price[mine], mine] = shown[sizes][mine, k]
    best = [np.where(known & (shown[n] > 0), shown[n] * TICK_POINTS, np.nan) for n in ("bid", "ask")]
    return BookHeat(_index(edges), np.arange(low, high + 1, dtype=np.float64) * TICK_POINTS, size, best[0], best[1],
                    _trades(rows, clock, start, end))  # fmt: skip


def _trades(rows: EventArray, clock: NDArray[np.int64], start: int, end: int) -> pd.DataFrame:
    side = sides(rows)
    mine = (rows["kind"] == TRADE) & (rows["sz"] > 0) & (clock >= start) & (clock < end)
    values = {"price": rows["px"][mine] * TICK_POINTS, "size": rows["sz"][mine], "side": side[mine]}
    return pd.DataFrame({"time": _index(clock[mine]), **values})


def _index(ts: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(ts, unit="ns", utc=True)).tz_convert("America/New_York")
