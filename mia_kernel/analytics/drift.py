"""Notice that the market, or the model, is no longer what it was.

How it moves: a one-sided CUSUM on won and lost watches performance, because it is fast; the stability index
and ADWIN watch the inputs. An alarm proposes; it changes nothing by itself. Sources: Page 1954; Bifet and
Gavaldà 2007; domain §17.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LOOK, ACT = 0.10, 0.25
"""Stability index from which to look, and from which to act."""

TINY = 1e-4


def cusum(wins: Sequence[int] | NDArray[Any], *, good: float, bad: float, limit: float = 3.0) -> FloatArray:
    """Return the CUSUM of a fall of the win rate from `good` to `bad`; an alarm is a value ≥ `limit`.

    Notes
    -----
    S ← max(0, S + log-likelihood ratio of the next outcome); restarted by whoever answered the alarm.
    """
    won, lost = math.log(bad / good), math.log((1 - bad) / (1 - good))
    out, s = np.empty(len(wins)), 0.0
    for i, win in enumerate(wins):
        s = max(0.0, s + (won if win else lost))
        out[i] = s
    return out


def first_alarm(values: FloatArray, limit: float = 3.0) -> int | None:
    """Return the place of the first alarm, None without one."""
    at = np.flatnonzero(values >= limit)
    return int(at[0]) if len(at) else None


def stability_index(reference: FloatArray, recent: FloatArray, *, bins: int = 10) -> float | None:
    """Return the population stability index over bins of equal mass of the reference.

    Returns
    -------
    float or None
        None where either is empty.

    Notes
    -----
    Σ (a − e)·ln(a/e), shares under 1e-4 raised to it. Repeated edges of a lumpy reference are one bin.
    """
    reference, recent = reference[np.isfinite(reference)], recent[np.isfinite(recent)]
    if len(reference) == 0 or len(recent) == 0:
        return None
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    expected = np.bincount(np.searchsorted(edges, reference, side="right"), minlength=len(edges) + 1)
    actual = np.bincount(np.searchsorted(edges, recent, side="right"), minlength=len(edges) + 1)
    e = np.maximum(expected / len(reference), TINY)
    a = np.maximum(actual / len(recent), TINY)
    return float(((a - e) * np.log(a / e)).sum())


def stability_p_value(
    reference: FloatArray, recent: FloatArray, *, draws: int = 200, seed: int = 1
) -> float | None:
    """Return how often a shuffle of both gives an index at least as large: small samples drift by luck."""
    found = stability_index(reference, recent)
    if found is None:
        return None
    rng = np.random.default_rng(seed)
    both, n = np.concatenate([reference, recent]), len(reference)
    at_least = 1
    for _ in range(draws):
        mixed = rng.permutation(both)
        other = stability_index(mixed[:n], mixed[n:])
        at_least += other is not None and other >= found
    return at_least / (draws + 1)


def adwin_changes(values: FloatArray, *, delta: float = 0.002, clock: int = 32, least: int = 64) -> list[int]:
    """Return the places at which an adaptive window noticed another mean.

    Notes
    -----
    Every `clock` values each cut of the window into halves of `least` values and more is asked whether the two
    means differ by more than √(2σ²·ln(2/δ')/m) + 2·ln(2/δ')/(3m), 1/m = 1/n₀ + 1/n₁, δ' = δ/ln n; the older part
    is dropped. The plain form of ADWIN, without its buckets.
    """
    start, found = 0, list[int]()
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    for i in range(clock, len(values) + 1, clock):
        cut = _cut(sums, squares, start, i, delta, least)
        if cut is not None:
            start = cut
            found.append(i)
    return found


def _cut(sums: FloatArray, squares: FloatArray, start: int, end: int, delta: float, least: int) -> int | None:
    n = end - start
    if n < 2 * least:
        return None
    cuts = np.arange(start + least, end - least + 1, max(1, n // 64))
    first, second = (cuts - start).astype(np.float64), (end - cuts).astype(np.float64)
    means = (sums[cuts] - sums[start]) / first, (sums[end] - sums[cuts]) / second
    mean = (sums[end] - sums[start]) / n
    variance = max((squares[end] - squares[start]) / n - mean**2, 0.0)
    m = 1 / (1 / first + 1 / second)
    log = math.log(2 * math.log(n) / delta)
    bound = np.sqrt(2 * variance * log / m) + 2 * log / (3 * m)
    over = np.flatnonzero(np.abs(means[0] - means[1]) > bound)
    return int(cuts[over[-1]]) if len(over) else None
