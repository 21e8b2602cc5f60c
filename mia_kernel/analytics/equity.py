"""Marked equity: what the account was worth at every mark, in exact cents.

How it moves: each round trip contributes its gross move at the mark while it is open and its net result
when it is closed; its whole fee is charged at entry, so the curve is never flattered. Between two marks the
worst point of an open trip (its MAE) is placed at the lowest mark inside it, because the path between marks
is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.instrument import instrument
from mia_kernel.core.orders import RoundTrip

IntArray = NDArray[np.int64]


def tick_cents(symbol: str) -> int:
    """Return what one tick of one contract is worth, in cents."""
    cents = instrument(symbol).tick_cents
    if cents is None:
        raise InvariantError(f"{symbol} cannot be traded, so it has no round trips")
    return cents


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity over time.

    Parameters
    ----------
    ts : ndarray of shape (n,)
        Nanoseconds UTC, ascending; the first is the starting capital.
    cents : ndarray of shape (n,)
        Equity in cents at `ts`.
    low_cents : ndarray of shape (n,)
        The lowest equity around `ts` (≤ `cents`), from the excursions of open trips.
    """

    ts: IntArray
    cents: IntArray
    low_cents: IntArray

    def drawdown_cents(self) -> int:
        """Return the largest fall from a peak, in cents (≥ 0)."""
        peak = np.maximum.accumulate(self.cents)
        return int((peak - self.low_cents).max())

    def drawdown_percent(self) -> float:
        """Return the largest fall from a peak in percent of that peak."""
        peak = np.maximum.accumulate(self.cents)
        return float(((peak - self.low_cents) / peak).max() * 100)


def marked_equity(
    trips: Sequence[RoundTrip],
    *,
    capital_cents: int,
    mark_ts: IntArray | None = None,
    mark_ticks: NDArray[np.float64] | None = None,
) -> Curve:
    """Return the equity curve of closed positions over marks.

    Parameters
    ----------
    trips : sequence of RoundTrip
    capital_cents : int
        Starting capital, the first point.
    mark_ts, mark_ticks : ndarray of shape (n,), optional
        Times (ascending) and prices to mark at, e.g. those of the decisions. Entry and exit of each trip are
        marks of their own.
    """
    ts, price = _marks(trips, mark_ts, mark_ticks)
    n = len(ts)
    closed = np.zeros(n + 1, np.int64)
    floating, dip = np.zeros(n), np.zeros(n)
    for trip in trips:
        value = tick_cents(trip.symbol) * trip.qty
        first, last = np.searchsorted(ts, (trip.entry_ts, trip.exit_ts), side="left")
        move = trip.side * (price[first:last] - trip.entry_ticks) * value - trip.fees_cents
        floating[first:last] += move
        closed[last] += trip.net_cents
        if len(move):
            trough = -trip.mae_ticks * value - trip.fees_cents
            dip[first + int(np.argmin(move))] += min(0.0, trough - float(move.min()))
    cents = capital_cents + np.cumsum(closed[:n]) + floating
    low = cents + dip
    head = np.array([ts[0] if len(ts) else 0], np.int64)
    start = np.array([capital_cents], np.int64)
    return Curve(
        np.concatenate([head, ts]),
        np.concatenate([start, np.rint(cents).astype(np.int64)]),
        np.concatenate([start, np.rint(low).astype(np.int64)]),
    )


def _marks(
    trips: Sequence[RoundTrip], mark_ts: IntArray | None, mark_ticks: NDArray[np.float64] | None
) -> tuple[IntArray, NDArray[np.float64]]:
    ts = [np.asarray(mark_ts if mark_ts is not None else [], np.int64)]
    ts.append(np.array([t.entry_ts for t in trips] + [t.exit_ts for t in trips], np.int64))
    price = [np.asarray(mark_ticks if mark_ticks is not None else [], np.float64)]
    price.append(np.array([t.entry_ticks for t in trips] + [t.exit_ticks for t in trips], np.float64))
    joined_ts, joined = np.concatenate(ts), np.concatenate(price)
    order = np.argsort(joined_ts, kind="stable")
    return joined_ts[order], joined[order]
