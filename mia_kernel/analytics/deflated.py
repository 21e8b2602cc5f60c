"""Doubt a Sharpe ratio: how likely it is after its sample, its tails, and the number of tries.

How it moves: `probabilistic_sharpe` asks whether a Sharpe ratio beats a benchmark given skew and tails;
`deflated_sharpe` takes as benchmark the best that so many tries would show by luck; `pbo` asks how often the
best in one half of the days is under the middle in the other. Sharpe ratios are per period, never annualised,
kurtosis is raw (3 for a normal law). Unknown is None.

Sources: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012), "The Deflated Sharpe Ratio"
(2014); Bailey, Borwein, López de Prado and Zhu, "The Probability of Backtest Overfitting" (2017).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import norm

from mia_kernel.core.errors import InputError

FloatArray = NDArray[np.float64]

EULER_GAMMA = 0.5772156649015329
BLOCKS = 8
MIN_PERIODS = 10
"""Under so many periods moments say nothing: the answer is unknown."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What a series of returns looks like: Sharpe ratio per period, length, skew, raw kurtosis."""

    sharpe: float
    n: int
    skew: float
    kurtosis: float


def moments(returns: FloatArray) -> Moments | None:
    """Return the moments of a series, None under MIN_PERIODS periods or without any spread.

    Notes
    -----
    Sharpe with the sample standard deviation (n − 1); skew and kurtosis are the plain ratios of moments.
    """
    x = np.asarray(returns, np.float64)
    if len(x) < MIN_PERIODS:
        return None
    centred = x - float(x.mean())
    spread = float(x.std(ddof=1))
    variance = float((centred**2).mean())
    if not spread > 1e-15 * max(1.0, abs(float(x.mean()))):
        return None
    return Moments(
        sharpe=float(x.mean()) / spread,
        n=len(x),
        skew=float((centred**3).mean()) / variance**1.5,
        kurtosis=float((centred**4).mean()) / variance**2,
    )


def psr(m: Moments, benchmark: float = 0.0) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds `benchmark`, both per period.

    Notes
    -----
    Φ((SR − SR*)·√(T − 1)/√(1 − γ3·SR + (γ4 − 1)/4·SR²)). None where the term under the root is not positive:
    no law has such moments.
    """
    under = 1 - m.skew * m.sharpe + (m.kurtosis - 1) / 4 * m.sharpe**2
    if under <= 0:
        return None
    return float(norm.cdf((m.sharpe - benchmark) * math.sqrt(m.n - 1) / math.sqrt(under)))


def probabilistic_sharpe(returns: FloatArray, benchmark: float = 0.0) -> float | None:
    """Return the probabilistic Sharpe ratio of a series of returns per period, None where it is unknown."""
    found = moments(returns)
    return None if found is None else psr(found, benchmark)


def expected_max(trials: float) -> float:
    """Return the expected largest of so many independent standard normal draws; 0 for one.

    Notes
    -----
    (1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)).
    """
    if trials <= 1:
        return 0.0
    first, second = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * math.e))
    return float((1 - EULER_GAMMA) * first + EULER_GAMMA * second)


def luck_sharpe(variance: float, trials: float) -> float:
    """Return the best Sharpe ratio per period that so many tries of no worth would show."""
    return math.sqrt(variance) * expected_max(trials)


def dsr(m: Moments, *, variance: float, trials: float) -> float | None:
    """Return the deflated Sharpe ratio from moments.

    Parameters
    ----------
    m : Moments
        Of the chosen strategy.
    variance : float
        Of the Sharpe ratios per period over the tries.
    trials : float
        Effective number of independent tries.

    Examples
    --------
    >>> paper = Moments(sharpe=2.5 / 250**0.5, n=1250, skew=-3, kurtosis=10)
    >>> round(dsr(paper, variance=0.5 / 250, trials=100), 4)
    0.9004
    """
    return psr(m, luck_sharpe(variance, trials))


def deflated_sharpe(
    returns: FloatArray, trials: Sequence[float] | FloatArray, *, independent: float | None = None
) -> float | None:
    """Return the deflated Sharpe ratio of a series chosen among tries.

    Parameters
    ----------
    returns : ndarray of shape (n_periods,)
        Of the chosen strategy.
    trials : sequence of float
        Sharpe ratios per period of every try, the chosen one among them.
    independent : float, optional
        Effective number of independent tries; default all of them, which never flatters.

    Returns
    -------
    float or None
        None under MIN_PERIODS periods, or without a known try. With one try it is the probabilistic Sharpe ratio.
    """
    found = moments(returns)
    known = np.asarray(trials, np.float64)
    known = known[np.isfinite(known)]
    if found is None or len(known) == 0:
        return None
    variance = float(known.var(ddof=1)) if len(known) > 1 else 0.0
    return dsr(found, variance=variance, trials=len(known) if independent is None else independent)


def effective_trials(returns: FloatArray, *, correlation: float = 0.5) -> int:
    """Return how many independent tries a set of tries amounts to.

    Parameters
    ----------
    returns : ndarray of shape (n_periods, n_trials)
    correlation : float
        Tries whose returns correlate at least so much on average are one.

    Notes
    -----
    Clusters by average linkage on 1 − correlation; a try without spread is alone.
    """
    _check_orientation(returns)
    n = returns.shape[1]
    if n < 2:
        return n
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix: FloatArray = np.nan_to_num(np.asarray(np.corrcoef(returns, rowvar=False)), nan=0.0)
    distance = 1 - matrix[np.triu_indices(n, 1)]
    groups = fcluster(linkage(np.maximum(distance, 0.0), "average"), 1 - correlation, "distance")
    return int(groups.max())


def min_track_record(m: Moments, *, benchmark: float = 0.0, alpha: float = 0.05) -> float | None:
    """Return how many periods a Sharpe ratio needs to be significant; None where it does not exceed `benchmark`.

    Notes
    -----
    1 + (1 − γ3·SR + (γ4 − 1)/4·SR²)·(z/(SR − SR*))².
    """
    if m.sharpe <= benchmark:
        return None
    under = 1 - m.skew * m.sharpe + (m.kurtosis - 1) / 4 * m.sharpe**2
    return float(1 + under * (norm.ppf(1 - alpha) / (m.sharpe - benchmark)) ** 2)


def min_backtest_years(trials: float, *, target_sharpe: float = 1.0) -> float:
    """Return the years of data under which so many tries are expected to show `target_sharpe` (annual) by luck."""
    return (expected_max(trials) / target_sharpe) ** 2


@dataclass(frozen=True, slots=True)
class Overfit:
    """The probability of backtest overfitting and what lies behind it.

    `logits` has one λ per split; `in_sample` and `out_of_sample` are the Sharpe ratios of the chosen try.
    `slope` is that of the second on the first, None where the first does not vary; `loss_share` is how often
    the chosen try lost out of sample.
    """

    probability: float
    logits: FloatArray
    in_sample: FloatArray
    out_of_sample: FloatArray
    slope: float | None
    loss_share: float


def overfit(matrix: FloatArray, *, blocks: int = BLOCKS) -> Overfit:
    """Return how often the best try in one half of the periods falls to the lower half of tries in the other.

    Parameters
    ----------
    matrix : ndarray of shape (n_periods, n_trials)
        Returns per period, at least two tries.
    blocks : int
        Even number of consecutive blocks; all ways to take half of them are tried.

    Raises
    ------
    InputError
        If the shape is the other way round, blocks are odd, or there is too little to cut.

    Notes
    -----
    Combinatorially symmetric cross-validation: n* = argmax in sample, ω = rank out of sample/(N + 1),
    λ = ln(ω/(1 − ω)), share of λ ≤ 0. Ties share their mean rank.
    """
    _check_orientation(matrix)
    periods, trials = matrix.shape
    if blocks < 2 or blocks % 2 or periods < 2 * blocks or trials < 2:
        rule = "an even number of blocks of two periods at least, and two tries"
        raise InputError(
            "nothing to cut", field="blocks", value=f"{blocks} of {periods} × {trials}", rule=rule
        )
    parts = np.array_split(matrix, blocks)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    counts = np.array([len(part) for part in parts], np.float64)
    logits, inside, outside = list[float](), list[float](), list[float]()
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        mask = np.zeros(blocks, bool)
        mask[list(chosen)] = True
        first = _sharpes(sums[mask], squares[mask], counts[mask])
        second = _sharpes(sums[~mask], squares[~mask], counts[~mask])
        best = int(np.argmax(first))
        below, equal = int((second < second[best]).sum()), int((second == second[best]).sum())
        share = (below + (equal + 1) / 2) / (trials + 1)
        logits.append(math.log(share / (1 - share)))
        inside.append(float(first[best]))
        outside.append(float(second[best]))
    return _overfit(np.array(logits), np.array(inside), np.array(outside))


def pbo(matrix: FloatArray, *, blocks: int = BLOCKS) -> float:
    """Return the probability of backtest overfitting of tries of shape (n_periods, n_trials); see `overfit`."""
    return overfit(matrix, blocks=blocks).probability


def _overfit(logits: FloatArray, inside: FloatArray, outside: FloatArray) -> Overfit:
    spread = float(((inside - inside.mean()) ** 2).sum())
    slope = float(((inside - inside.mean()) * (outside - outside.mean())).sum()) / spread if spread else None
    return Overfit(
        probability=float((logits <= 0).mean()),
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        slope=slope,
        loss_share=float((outside < 0).mean()),
    )


def _sharpes(sums: FloatArray, squares: FloatArray, counts: FloatArray) -> FloatArray:
    """Return Sharpe ratios per try; a try that never moves has 0, one that only gains without spread too."""
    n = counts.sum()
    mean = sums.sum(axis=0) / n
    variance = (squares.sum(axis=0) - n * mean**2) / (n - 1)
    return np.where(variance > 1e-18, mean / np.sqrt(np.maximum(variance, 1e-18)), 0.0)


def _check_orientation(matrix: FloatArray) -> None:
    """Refuse tries laid along the rows: the transposed matrix would give an answer, and a wrong one."""
    if matrix.ndim != 2 or matrix.shape[1] > matrix.shape[0]:
        raise InputError(
            "returns of tries must lie as (periods, tries)",
            field="matrix",
            value=str(matrix.shape),
            rule="one row per period, one column per try, more periods than tries",
            way_out="transpose it",
        )
