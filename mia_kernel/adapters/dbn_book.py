"""Order by order to levels on the tick grid: the book of a Databento MBO stream.

The kernel keeps every resting order (dense number, price, size, side) and the size at each price. At
each end-of-event flag it compares the visible levels with those it gave out last and emits them if they
changed. Before the open the auction book is crossed, rightly; nothing is emitted in closed hours, only
kept, so that the first row after the open is whole. Add, cancel, modify and clear change the book; trade
and fill never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.events import DEPTH
from mia_kernel.core.kernel import kernel

IntArray = NDArray[np.int64]

ADD, CANCEL, MODIFY, CLEAR, OTHER = 1, 2, 3, 4, 0
_ACTIONS = {b"A": ADD, b"C": CANCEL, b"M": MODIFY, b"R": CLEAR}

# Counters of a replay, and the two best prices, by position in `at`.
BEST_BID, BEST_ASK, TOUCHED, UNKNOWN_ORDERS, CROSSED_OPEN, CROSSED_AUCTION, CLOSED, EVENTS = range(8)
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Book:
    """Levels given out: one entry per changed view of the book.

    Attributes
    ----------
    record : ndarray of shape (n,)
        Index of the record (its end-of-event) after which the view holds.
    bid, ask : ndarray of shape (n,)
        Best prices in ticks; 0 where a side is empty.
    bid_sizes, ask_sizes : ndarray of shape (n, DEPTH)
        Size resting i ticks behind the best.
    counts : dict
        events (end-of-event flags with a touched book), unknown_orders, crossed (open market),
        crossed_auction and closed (events in closed hours, not given out).
    """

    record: IntArray
    bid: NDArray[np.int32]
    ask: NDArray[np.int32]
    bid_sizes: NDArray[np.int32]
    ask_sizes: NDArray[np.int32]
    counts: dict[str, int]


@kernel
def _change(levels: Any, at: Any, side: int, price: int, size: int) -> None:
    """Add `size` (may be negative) at a price; keep the best price of the side (-1: empty)."""
    levels[side, price] += size
    best = at[side]
    if side == 0:
        if size > 0:
            if best < 0 or price > best:
                at[0] = price
        elif price == best and levels[0, price] <= 0:
            while best >= 0 and levels[0, best] <= 0:
                best -= 1
            at[0] = best
    else:
        if size > 0:
            if best < 0 or price < best:
                at[1] = price
        elif price == best and levels[1, price] <= 0:
            top = levels.shape[1]
            while best < top and levels[1, best] <= 0:
                best += 1
            at[1] = best if best < top else -1


@kernel
def _view(levels: Any, at: Any, low: int, k: int, bid: Any, ask: Any, b: Any, a: Any) -> bool:
    """Write the visible levels to row k; return whether they differ from row k - 1."""
    top = levels.shape[1]
    bid[k] = 0 if at[0] < 0 else at[0] + low
    ask[k] = 0 if at[1] < 0 else at[1] + low
    changed = k == 0 or bid[k] != bid[k - 1] or ask[k] != ask[k - 1]
    for i in range(b.shape[1]):
        p = at[0] - i
        b[k, i] = levels[0, p] if at[0] >= 0 and p >= 0 else 0
        p = at[1] + i
        a[k, i] = levels[1, p] if at[1] >= 0 and p < top else 0
        if not changed:
            changed = b[k, i] != b[k - 1, i] or a[k, i] != a[k - 1, i]
    return changed


@kernel
def replay_orders(
    order: Any, action: Any, side: Any, price: Any, size: Any, last: Any, closed: Any, start: int, stop: int,
    resting: Any, levels: Any, at: Any, low: int, k: int, record: Any, bid: Any, ask: Any, b: Any, a: Any,
) -> int:  # fmt: skip
    """Apply records [start, stop) to the book and write changed views from row k on; return the next row.

    Row k - 1 must be the view given out last. `resting` has shape (orders, 3): price index, size, side;
    side -1 is no order. `at` holds the best prices and the counters.
    """
    for i in range(start, stop):
        what = action[i]
        if what == 4:
            levels[:, :] = 0
            resting[:, 2] = -1
            at[0] = -1
            at[1] = -1
            at[2] = 1
        elif what != 0:
            n = order[i]
            held = resting[n, 2] >= 0
            if not held and what != 1:
                at[3] += 1
            if held:
                gone = resting[n, 1]
                if what == 2 and size[i] < gone:
                    gone = size[i]
                _change(levels, at, resting[n, 2], resting[n, 0], -gone)
                resting[n, 1] -= gone
                if resting[n, 1] <= 0:
                    resting[n, 2] = -1
            if what != 2 and side[i] >= 0 and price[i] >= 0 and size[i] > 0:
                resting[n, 0] = price[i]
                resting[n, 1] = size[i]
                resting[n, 2] = side[i]
                _change(levels, at, side[i], price[i], size[i])
            at[2] = 1
        if last[i] and at[2] == 1:
            at[2] = 0
            at[7] += 1
            crossed = at[0] >= 0 and at[1] >= 0 and at[0] >= at[1]
            if closed[i]:
                at[6] += 1
                if crossed:
                    at[5] += 1
            elif crossed:
                at[4] += 1
            elif _view(levels, at, low, k, bid, ask, b, a):
                record[k] = i
                k += 1
    return k


def action_codes(action: NDArray[Any]) -> NDArray[np.int8]:
    """Return Databento's action letters as the kernel's codes."""
    codes = np.zeros(len(action), np.int8)
    for letter, code in _ACTIONS.items():
        codes[action == letter] = code
    return codes


def replay_book(
    order_id: NDArray[np.uint64],
    action: NDArray[np.int8],
    side: NDArray[np.int8],
    ticks: IntArray,
    size: IntArray,
    last: NDArray[np.bool_],
    closed: NDArray[np.bool_],
) -> Book:
    """Return the book's changed views over a whole MBO stream of one instrument.

    Parameters
    ----------
    order_id, action, side, ticks, size, last, closed : ndarray of shape (n,)
        Columns of the stream in file order: exchange order number, `action_codes`, side (0 bid, 1 ask,
        -1 none), price in ticks (-1 undefined), contracts, end-of-event flag, record in closed hours.
    """
    dense = np.unique(order_id, return_inverse=True)[1].astype(np.int64)
    priced = (ticks >= 0) & (action != OTHER)
    low = int(ticks[priced].min()) if priced.any() else 0
    span = int(ticks[priced].max()) - low + 1 if priced.any() else 1
    index = np.where(ticks >= 0, ticks - low, -1)
    levels = np.zeros((2, span), np.int64)
    resting = np.zeros((int(dense.max()) + 1 if len(dense) else 1, 3), np.int64)
    resting[:, 2] = -1
    at = np.zeros(8, np.int64)
    at[BEST_BID] = at[BEST_ASK] = -1
    pieces: list[tuple[Any, ...]] = []
    carried: tuple[Any, ...] | None = None
    for start in range(0, max(len(order_id), 1), _CHUNK):
        stop = min(start + _CHUNK, len(order_id))
        out = _room(int(last[start:stop].sum()) + 2)
        k = 0
        if carried is not None:
            for column, value in zip(out, carried, strict=True):
                column[0] = value
            k = 1
        end = replay_orders(dense, action, side, index, size, last, closed, start, stop,
                            resting, levels, at, low, k, *out)  # fmt: skip
        pieces.append(tuple(column[k:end].copy() for column in out))
        if end:
            carried = tuple(column[end - 1].copy() for column in out)
    record, bid, ask, b, a = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
    counts = {
        "events": int(at[EVENTS]),
        "unknown_orders": int(at[UNKNOWN_ORDERS]),
        "crossed": int(at[CROSSED_OPEN]),
        "crossed_auction": int(at[CROSSED_AUCTION]),
        "closed": int(at[CLOSED]),
    }
    return Book(record, bid, ask, b, a, counts)


def _room(n: int) -> tuple[Any, ...]:
    return (
        np.zeros(n, np.int64),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros((n, DEPTH), np.int32),
        np.zeros((n, DEPTH), np.int32),
    )
