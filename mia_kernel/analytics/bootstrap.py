"""Intervals: Wilson for a share, stationary bootstrap for everything that is measured day by day.

The draws are the only random numbers here; they come from a stated seed, so the same run prints the same
interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import SettingsError

Z_95 = 1.959963984540054
DRAWS = 10_000
SEED = 20_260_101
MIN_DAYS = 10
"""Under so many days a bootstrap by day says nothing: the interval is unknown."""

_CHUNK = 1_000


def wilson(successes: int, n: int, *, z: float = Z_95) -> tuple[float, float] | None:
    """Return the Wilson score interval of a share, None without observations.

    Notes
    -----
    Centre (p + z²/2n)/(1 + z²/n), half width z/(1 + z²/n)·√(p(1 − p)/n + z²/4n²).
    Source: Wilson 1927; the default is two-sided 95 %.

    Examples
    --------
    >>> [round(x, 4) for x in wilson(65, 100)]
    [0.5525, 0.7364]
    """
    if n == 0:
        return None
    p = successes / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def stationary_indices(
    n: int, draws: int, *, mean_block: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `draws` resamples of range(n) made of blocks of geometric length.

    Parameters
    ----------
    n : int
        Observations, at least 1.
    draws : int
    mean_block : float
        Expected block length, at least 1 (1 draws independently).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (draws, n)

    Notes
    -----
    Each next index follows the one before (circularly) with probability 1 − 1/mean_block, else it is drawn
    anew. Source: Politis and Romano 1994.
    """
    if mean_block < 1:
        raise SettingsError("mean_block must be at least 1", value=mean_block)
    # Laid out by period while it is made: a step then reads and writes neighbours.
    start = np.ascontiguousarray(rng.integers(0, n, (draws, n)).T)
    anew = np.ascontiguousarray((rng.random((draws, n)) < 1 / mean_block).T)
    out = np.empty((n, draws), np.int64)
    out[0] = start[0]
    for j in range(1, n):
        following = out[j - 1] + 1
        following[following == n] = 0
        out[j] = np.where(anew[j], start[j], following)
    return np.ascontiguousarray(out.T)


Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From resamples of shape (draws, n_days, k) to values of shape (draws,)."""


def interval_by_day(
    days: NDArray[np.float64],
    statistic: Statistic,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    share: float = 0.95,
) -> tuple[float, float] | None:
    """Return the percentile interval of one statistic; see `intervals_by_day`."""
    return intervals_by_day(days, (statistic,), draws=draws, seed=seed, share=share)[0]


def intervals_by_day(
    days: NDArray[np.float64],
    statistics: Sequence[Statistic],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    share: float = 0.95,
) -> list[tuple[float, float] | None]:
    """Return the percentile interval of each statistic under the same stationary bootstrap by day.

    Parameters
    ----------
    days : ndarray of shape (n_days, k)
        One row per trading day in order, zero days kept.
    statistics : sequence of Statistic
        Infinite values count as "above every number", NaN draws are left out.
    draws, seed, share : see the defaults

    Returns
    -------
    list of (low, high) or None
        None under MIN_DAYS days or where a statistic is unknown in more than half of the draws.
    """
    n = len(days)
    if n < MIN_DAYS:
        return [None] * len(statistics)
    rng = np.random.default_rng(seed)
    found = np.empty((len(statistics), draws))
    for at in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - at)
        drawn = days[stationary_indices(n, count, mean_block=n ** (1 / 3), rng=rng)]
        for row, statistic in zip(found, statistics, strict=True):
            row[at : at + count] = statistic(drawn)
    return [_percentiles(row, draws, share) for row in found]


def _percentiles(values: NDArray[np.float64], draws: int, share: float) -> tuple[float, float] | None:
    known = np.sort(values[~np.isnan(values)])
    if len(known) * 2 < draws:
        return None
    tail = (1 - share) / 2
    # Nearest-rank, not interpolated: an infinite draw must not turn its neighbour into NaN.
    low = known[int(tail * (len(known) - 1))]
    high = known[math.ceil((1 - tail) * (len(known) - 1))]
    return float(low), float(high)


def mean_interval(
    values: NDArray[np.float64], *, draws: int = DRAWS // 10, seed: int = SEED
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a mean by plain resampling, None under MIN_DAYS values."""
    if len(values) < MIN_DAYS:
        return None
    return _mean_interval(np.ascontiguousarray(values, np.float64).tobytes(), draws, seed)


@lru_cache(maxsize=128)
def _mean_interval(raw: bytes, draws: int, seed: int) -> tuple[float, float]:
    # A page asks for the same group in its table, its advice and its proposals.
    values = np.frombuffer(raw, np.float64)
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(draws)])
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
