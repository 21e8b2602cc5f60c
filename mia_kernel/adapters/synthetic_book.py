"""The order book of the SYNTHETIC market: orders that chase the value of `synthetic_path`.

How it moves: at each event an order joins or leaves one of ten levels a side, or a market order takes the
best and perhaps sweeps on. Where the book is below the value, buyers are likelier, bids are refilled and
offers pulled, so the order flow moves the price and not the other way round. An emptied best level opens
the spread; somebody improves a side soon after. Nothing can cross: a side improves only inside a spread.

Sizes are those of a real session's prints (`SyntheticParams.size_points`): half of them 1 or 2 contracts, one in a
hundred above 60.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.synthetic_path import EXPONENTIAL, TABLE
from mia_kernel.core.events import BOOK, DEPTH, PRIMARY, SIDE_FEED, TRADE
from mia_kernel.core.kernel import kernel

UNIFORMS = 8
"""Random numbers an event uses."""


def size_table(points: tuple[tuple[float, float], ...]) -> NDArray[np.int64]:
    """Return quantiles of market orders, contracts: logarithms of (share, size) points joined by lines."""
    share = [(i + 0.5) / TABLE for i in range(TABLE)]
    logs = np.interp(share, [p for p, _ in points], [math.log(size) for _, size in points])
    return np.array([round(math.exp(value)) for value in logs.tolist()], np.int64)


_ORDER_SIZES = EXPONENTIAL

BID, ASK = 0, 1


@kernel
def fill_book(
    rows: Any,
    ts: Any,
    has_trade: Any,
    second: Any,
    value: Any,
    depth: Any,
    uniforms: Any,
    levels: Any,
    sizes: Any,
    order_sizes: Any,
    shown: int,
    sweeps: bool,
    closes: Any,
    refills: Any,
    order_share: float,
) -> int:
    """Write the rows of a session and return how many.

    Parameters
    ----------
    rows : array of EVENT_DTYPE, long enough
        Zeroed; `ts_event`, prices, sizes, kinds and flags are written.
    ts : ndarray of shape (n,)
        Time of each event, ns UTC, ascending.
    has_trade : ndarray of shape (n,)
        1 where a market order comes; its TRADE rows stand before the BOOK row of the event.
    second : ndarray of shape (n,)
        Index of each event into `value` and `depth`.
    value, depth : ndarray of shape (seconds,)
        Value in ticks and depth factor.
    uniforms : ndarray of shape (n, UNIFORMS)
        In [0, 1).
    levels : ndarray of shape (DEPTH,)
        Usual contracts of each level.
    sizes, order_sizes : ndarray of shape (TABLE,)
        Quantiles of market orders (contracts) and of limit orders (mean 1).
    shown : int
        Levels written to the rows; deeper ones stay 0.
    sweeps : bool
        Whether a market order may take more than one level. Without, an event has at most one trade.
    closes, refills : ndarray of shape (seconds,)
        Chance that an opened spread is closed within the event that opened it, and by a later limit order.
    order_share : float
        Mean limit order as a share of what usually rests on its level.
    """
    q = np.zeros((2, DEPTH), np.int64)
    best = np.zeros(2, np.int64)
    best[BID] = int(np.floor(value[0]))
    best[ASK] = best[BID] + 1
    for k in range(DEPTH):
        q[BID, k] = q[ASK, k] = int(levels[k] * depth[0]) + 1
    n = 0
    for i in range(len(ts)):
        u = uniforms[i]
        d = depth[second[i]]
        gap = value[second[i]] - 0.5 * (best[BID] + best[ASK])
        lean = gap / (1.0 + abs(gap))
        if has_trade[i]:
            n = _take(rows, n, ts[i], q, best, u, gap, lean, levels, d, sizes, sweeps)
        else:
            _rest(q, best, u, lean, levels, d, order_sizes, refills[second[i]], order_share)
        if best[ASK] - best[BID] > 1 and u[6] < closes[second[i]]:
            # Somebody quotes inside at once: usually the market moves by whole ticks at a spread of one.
            _improve(q, best, BID if u[7] < 0.5 + 0.45 * lean else ASK, 1 + int(u[2] * 0.6 * levels[0] * d))
        row = rows[n]
        row["ts_event"] = ts[i]
        row["kind"] = BOOK
        row["instrument"] = PRIMARY
        row["bid"] = best[BID]
        row["ask"] = best[ASK]
        for k in range(shown):
            row["b"][k] = q[BID, k]
            row["a"][k] = q[ASK, k]
        n += 1
    return n


@kernel
def _take(
    rows: Any,
    n: int,
    ts: int,
    q: Any,
    best: Any,
    u: Any,
    gap: float,
    lean: float,
    levels: Any,
    d: float,
    sizes: Any,
    sweeps: bool,
) -> int:
    """A market order: trades at the best, level after level while it sweeps."""
    buyer = u[0] < 0.5 + 0.42 * lean
    side = ASK if buyer else BID
    size = sizes[int(u[1] * len(sizes))]
    behind = abs(gap) - 1.5
    if behind > 0.0 and buyer == (gap > 0.0):
        # Far behind its value the market is taken, not waited for.
        size += int(q[side, 0] * min(behind * 0.5, 2.5))
    for _ in range(4):
        filled = min(size, q[side, 0])
        row = rows[n]
        row["ts_event"] = ts
        row["kind"] = TRADE
        row["instrument"] = PRIMARY
        row["flags"] = SIDE_FEED
        row["px"] = best[side]
        row["sz"] = filled
        row["side"] = 1 if buyer else -1
        n += 1
        size -= filled
        q[side, 0] -= filled
        if q[side, 0] == 0:
            _retreat(q, best, side, levels, d)
        elif size == 0:
            break
        if size == 0 or not sweeps:
            break
    return n


@kernel
def _rest(
    q: Any,
    best: Any,
    u: Any,
    lean: float,
    levels: Any,
    d: float,
    order_sizes: Any,
    refills: float,
    order_share: float,
) -> None:
    """Limit orders join or leave; an open spread is usually closed first."""
    if best[ASK] - best[BID] > 1 and u[0] < refills:
        up = u[1] < 0.5 + 0.45 * lean
        _improve(q, best, BID if up else ASK, 1 + int(u[2] * 0.5 * levels[0] * d))
        return
    side = BID if u[0] < 0.5 else ASK
    favour = lean if side == BID else -lean
    k = _level(u[1], u[2])
    usual = levels[k] * d * (1.0 + 0.6 * favour)
    amount = 1 + int(order_sizes[int(u[3] * len(order_sizes))] * order_share * levels[k] * d)
    if k == 0 and favour < -0.55:
        amount += amount
    if u[4] * (usual + q[side, k]) < usual:
        q[side, k] += amount
    else:
        # Only the best may be emptied here; behind it somebody always stays.
        q[side, k] = max(q[side, k] - amount, 0 if k == 0 else 1)
        if q[side, 0] == 0:
            _retreat(q, best, side, levels, d)
    deep = 1 + int(u[5] * (DEPTH - 1))
    other = BID + ASK - side
    q[other, deep] = max(1, q[other, deep] + int((levels[deep] * d - q[other, deep]) * 0.25))


@kernel
def _level(u: float, v: float) -> int:
    """Which level an order chooses: four in ten the best, falling off behind it."""
    if u < 0.42:
        return 0
    if u < 0.62:
        return 1
    if u < 0.75:
        return 2
    if u < 0.85:
        return 3
    if u < 0.92:
        return 4
    return 5 + int(v * (DEPTH - 5))


@kernel
def _retreat(q: Any, best: Any, side: int, levels: Any, d: float) -> None:
    """The best level is gone: the next one is the best now, and a far one comes into view."""
    best[side] += 1 if side == ASK else -1
    for k in range(DEPTH - 1):
        q[side, k] = q[side, k + 1]
    q[side, DEPTH - 1] = int(levels[DEPTH - 1] * d) + 1


@kernel
def _improve(q: Any, best: Any, side: int, size: int) -> None:
    """A new best level inside the spread."""
    best[side] += -1 if side == ASK else 1
    for k in range(DEPTH - 1, 0, -1):
        q[side, k] = q[side, k - 1]
    q[side, 0] = size
