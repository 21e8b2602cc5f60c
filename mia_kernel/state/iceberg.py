"""Icebergs, inferred: more traded at one best price than was ever shown there, three times over.

How it moves: while a price is the best of its side, what trades there against it and the most it showed are
remembered; when the price leaves, or at every trade beyond the limit, the refills are counted once as an
iceberg of the resting side. No feed used here carries order numbers to prove it: it is inferred, and said so.
Source: domain §6.3, §10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel

TIMES, LEAST = 3, 100
RING = 64

ICEBERG_DTYPE = np.dtype(
    [
        ("px", np.int32, (2,)),  # best bid, best ask that is watched
        ("executed", np.int64, (2,)),
        ("shown", np.int32, (2,)),
        ("counted", np.uint8, (2,)),
        ("has", np.uint8),
        ("n", np.int64),
        ("ts", np.int64, (RING,)),
        ("at", np.int32, (RING,)),
        ("side", np.int8, (RING,)),  # of the resting order: +1 a hidden buyer
        ("size", np.int64, (RING,)),  # executed when it was counted; goes on growing while the price holds
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` one that watches nothing."""
    record[...] = np.zeros((), ICEBERG_DTYPE)


@kernel
def on_book(i: Record, k: Record) -> None:
    """Watch the best prices of a book that has just been replaced."""
    _watch(i, 0, k["bid"], k["b"][0])
    _watch(i, 1, k["ask"], k["a"][0])
    i["has"] = 1


@kernel
def _watch(i: Record, at: int, px: int, size: int) -> None:
    if not i["has"] or i["px"][at] != px:
        i["px"][at], i["executed"][at], i["shown"][at], i["counted"][at] = px, 0, size, 0
    elif size > i["shown"][at]:
        i["shown"][at] = size


@kernel
def on_trade(i: Record, px: int, size: int, side: int, clock: int) -> None:
    """Count a trade against the resting side it met."""
    if not i["has"] or side == 0:
        return
    at = 0 if side < 0 else 1
    if i["px"][at] != px:
        return
    i["executed"][at] += size
    executed = i["executed"][at]
    if executed < LEAST or executed < TIMES * i["shown"][at]:
        return
    if not i["counted"][at]:
        i["counted"][at] = 1
        row = i["n"] % RING
        i["ts"][row], i["at"][row], i["side"][row] = clock, px, -side
        i["size"][row] = executed
        i["n"] += 1
        return
    for back in range(min(i["n"], 4)):
        row = (i["n"] - 1 - back) % RING
        if i["at"][row] == px and i["side"][row] == -side:
            i["size"][row] = executed
            return


@kernel
def within(i: Record, since: int) -> tuple[int, int]:
    """Return (count, signed executed volume) of the icebergs counted after `since`, the resting side's sign."""
    count, volume = 0, 0
    for back in range(min(i["n"], RING)):
        row = (i["n"] - 1 - back) % RING
        if i["ts"][row] <= since:
            break
        count += 1
        volume += i["side"][row] * i["size"][row]
    return count, volume
