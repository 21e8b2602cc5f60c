"""Micro-price: where the mid is expected to settle, given who waits at the best prices and how wide they stand.

How it moves: once a second the state (imbalance bucket, spread) and the move of the mid since the second
before are counted, and so is their mirror image; every hour the expected moves are solved anew.
Not known before it has been estimated, and then for spreads of one and two ticks only.

Source: Stoikov (2018), "The micro-price", with its construction: G¹ = (I − Q)⁻¹·E[move], B = (I − Q)⁻¹·T,
micro-price = mid + Σₖ Bᵏ·G¹, where Q are transitions without and T those with a move of the mid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel

SIDES = 5
BINS = 2 * SIDES + 1  # the middle one is an exactly balanced book, so that a mirror has a mirror
WIDTHS = 2
STATES = BINS * WIDTHS
MIN_TRANSITIONS = 1_000
MOST_MOVE_2 = 2  # half ticks: a larger jump is news, not queueing
TERMS = 100

MICROPRICE_DTYPE = np.dtype(
    [
        ("stay", np.int64, (STATES, STATES)),
        ("move", np.int64, (STATES, STATES)),
        ("moved_2", np.int64, (STATES,)),  # Σ half ticks moved out of the state
        ("seen", np.int64, (STATES,)),
        ("transitions", np.int64),
        ("has_last", np.uint8),
        ("last", np.int16),
        ("last_mid_2", np.int32),
        ("adjustment", np.float64, (STATES,)),  # ticks to add to the mid, NaN = not estimated
        ("estimated", np.uint8),
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` one that has counted nothing."""
    record[...] = np.zeros((), MICROPRICE_DTYPE)
    record["adjustment"] = np.nan


@kernel
def state_of(bid_size: int, ask_size: int, spread: int) -> int:
    """Return the state of a book, −1 for a spread that is not modelled. Whole numbers: a mirror agrees."""
    if spread < 1 or spread > WIDTHS:
        return -1
    total = bid_size + ask_size
    if bid_size == ask_size:
        bin_ = SIDES
    elif bid_size < ask_size:
        bin_ = 2 * SIDES * bid_size // total
    else:
        bin_ = BINS - 1 - 2 * SIDES * ask_size // total
    return (spread - 1) * BINS + bin_


@kernel
def mirrored(state: int) -> int:
    """Return the state of the mirrored book."""
    return state // BINS * BINS + BINS - 1 - state % BINS


@kernel
def second(x: Record, k: Record) -> None:
    """Count the transition since the second before, and its mirror image."""
    state = state_of(k["b"][0], k["a"][0], k["ask"] - k["bid"])
    mid_2 = k["bid"] + k["ask"]
    if x["has_last"] and state >= 0:
        moved, before = mid_2 - x["last_mid_2"], x["last"]
        if abs(moved) <= MOST_MOVE_2:
            _count(x, before, state, moved)
            _count(x, mirrored(before), mirrored(state), -moved)
            x["transitions"] += 1
    x["has_last"] = 1 if state >= 0 else 0
    x["last"], x["last_mid_2"] = state, mid_2


@kernel
def _count(x: Record, before: int, state: int, moved: int) -> None:
    x["seen"][before] += 1
    if moved == 0:
        x["stay"][before, state] += 1
    else:
        x["move"][before, state] += 1
        x["moved_2"][before] += moved


@kernel
def estimate(x: Record) -> None:
    """Solve for the adjustment of every state that was ever left by a move; nothing before 1,000 transitions."""
    if x["transitions"] < MIN_TRANSITIONS:
        return
    q, right = np.zeros((STATES, STATES)), np.zeros((STATES, STATES + 1))
    for i in range(STATES):
        q[i, i] = 1.0
        if x["seen"][i] > 0:
            for j in range(STATES):
                q[i, j] -= x["stay"][i, j] / x["seen"][i]
                right[i, j] = x["move"][i, j] / x["seen"][i]
            right[i, STATES] = 0.5 * x["moved_2"][i] / x["seen"][i]
    if not _solve(q, right):
        return
    total, term = right[:, STATES].copy(), right[:, STATES].copy()
    for _ in range(TERMS):
        following = np.zeros(STATES)
        for i in range(STATES):
            for j in range(STATES):
                following[i] += right[i, j] * term[j]
        term = following
        total += term
    for i in range(STATES):
        # What is odd by construction is made odd to the last bit.
        known = x["seen"][i] > 0
        x["adjustment"][i] = 0.5 * (total[i] - total[mirrored(i)]) if known else np.nan
    x["estimated"] = 1


@kernel
def _solve(a: np.ndarray, b: np.ndarray) -> int:
    """Solve a·x = b in place by elimination with row exchange; return 0 where there is no one answer."""
    n, wide = a.shape[0], b.shape[1]
    for col in range(n):
        best = col
        for row in range(col + 1, n):
            if abs(a[row, col]) > abs(a[best, col]):
                best = row
        if abs(a[best, col]) < 1e-9:
            return 0
        for j in range(n):
            a[col, j], a[best, j] = a[best, j], a[col, j]
        for j in range(wide):
            b[col, j], b[best, j] = b[best, j], b[col, j]
        for row in range(n):
            if row != col and a[row, col] != 0.0:
                factor = a[row, col] / a[col, col]
                for j in range(col, n):
                    a[row, j] -= factor * a[col, j]
                for j in range(wide):
                    b[row, j] -= factor * b[col, j]
    for row in range(n):
        for j in range(wide):
            b[row, j] /= a[row, row]
    return 1


@kernel
def adjustment(x: Record, k: Record) -> float:
    """Return the ticks to add to the mid of book `k`, NaN where they are not known."""
    state = state_of(k["b"][0], k["a"][0], k["ask"] - k["bid"])
    return x["adjustment"][state] if state >= 0 else np.nan
