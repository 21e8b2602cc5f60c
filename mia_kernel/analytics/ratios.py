"""Put a result in proportion to its swings: Sharpe, Sortino, Calmar, by their plain definitions.

How it moves: returns are daily results over a fixed capital, zero days kept; a year is 252 of them. What has no
spread, no loss or no fall to divide by is unknown (NaN or None), never infinite. Equal to empyrical-reloaded and
quantstats within 1e-9 (validation V7).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TRADING_DAYS_PER_YEAR = 252
LEAST_CALMAR_DAYS = 63
"""Under a quarter nobody should raise a result to a year."""


def sharpe(returns: FloatArray) -> FloatArray:
    """Return mean over standard deviation (n − 1) by the year of each row of daily returns, NaN where unknown.

    Parameters
    ----------
    returns : ndarray of shape (n_series, n_days)
    """
    if returns.shape[1] < 2:
        return np.full(len(returns), np.nan)
    return _ratio(returns.mean(axis=1), returns.std(axis=1, ddof=1))


def sortino(returns: FloatArray) -> FloatArray:
    """Return mean over the root mean square of what lies under zero, by the year, NaN where nothing lost.

    Parameters
    ----------
    returns : ndarray of shape (n_series, n_days)
        The mean square is taken over all days, those above zero as zero.
    """
    if returns.shape[1] < 2:
        return np.full(len(returns), np.nan)
    return _ratio(returns.mean(axis=1), np.sqrt((np.minimum(returns, 0.0) ** 2).mean(axis=1)))


def calmar(total_return: float, days: int, drawdown_percent: float | None) -> float | None:
    """Return the compound yearly growth over the deepest fall.

    Parameters
    ----------
    total_return : float
        Net result over the starting capital.
    days : int
        Trading days it took.
    drawdown_percent : float or None

    Returns
    -------
    float or None
        None under LEAST_CALMAR_DAYS, without a fall, or where the whole capital is gone.
    """
    if days < LEAST_CALMAR_DAYS or not drawdown_percent or total_return <= -1:
        return None
    growth = (1 + total_return) ** (TRADING_DAYS_PER_YEAR / days) - 1
    return growth / (drawdown_percent / 100)


def _ratio(mean: FloatArray, spread: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = mean / spread * math.sqrt(TRADING_DAYS_PER_YEAR)
    return np.where(spread > 0, ratio, np.nan)
