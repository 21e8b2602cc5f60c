"""The path of the SYNTHETIC market: where its value goes, second by second.

How it moves: regimes (trends that advance in impulses and rest in bases, and ranges that pull back to a
centre), log volatility that clusters, and news that jumps. The book of `synthetic_book` chases this value
with orders; nobody else sees it.

Random numbers are plain uniforms of PCG64 turned by tables rounded to nine places, so the same seed gives
the same bytes on every Python and numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.synthetic_params import SyntheticParams
from mia_kernel.core.kernel import kernel

FloatArray = NDArray[np.float64]

TABLE = 4096
UP, DOWN, RANGE = 1, -1, 0
_IMPULSE_MINUTES, _BASE_MINUTES = (3, 9), (3, 8)
_NEWS_SECONDS = 5400


def quantiles(inverse: Any) -> FloatArray:
    """Return a table of `TABLE` quantiles at the middles of equal steps, rounded against the last bit."""
    return np.array([round(inverse((i + 0.5) / TABLE), 9) for i in range(TABLE)])


NORMAL = quantiles(NormalDist().inv_cdf)
EXPONENTIAL = quantiles(lambda p: -math.log1p(-p))


def draw(table: NDArray[Any], uniform: FloatArray) -> NDArray[Any]:
    """Return table values for uniforms in [0, 1)."""
    return table[(uniform * TABLE).astype(np.int64)]


@dataclass(frozen=True, slots=True)
class Path:
    """Per open second: value in ticks, event rate, share of it that trades, sigma (ticks per √minute), depth."""

    value: FloatArray
    rate: FloatArray
    trading: FloatArray
    sigma: FloatArray
    depth: FloatArray


def make_path(
    rng: np.random.Generator, params: SyntheticParams, seconds: NDArray[np.int64], start_ticks: float
) -> Path:
    """Return the path over a session.

    Parameters
    ----------
    rng : Generator
        Source of every random number.
    params : SyntheticParams
        Shapes and strengths.
    seconds : ndarray of shape (n,)
        Seconds after 18:00 New York at which the market is open, ascending.
    start_ticks : float
        Value at the first second.
    """
    minute = seconds / 60.0
    cluster = _clusters(rng, params, int(minute[-1]) + 2)
    local = cluster[minute.astype(np.int64)]
    news, jump = _news(rng, params, seconds)
    sigma = shape(params.sigma_ticks, minute) * local * (1.0 + 1.2 * news)
    trend, quiet, pull = _regimes(rng, params, minute)
    noise = draw(NORMAL, rng.random(len(seconds)))
    value = np.zeros(len(seconds))
    _walk(value, float(start_ticks), sigma, trend, quiet, pull, noise, jump, params.range_half_width)
    burst = 0.4 + 0.6 * draw(EXPONENTIAL, rng.random(len(seconds)))
    traded = shape(params.rate, minute) * local * (1.0 + 2.0 * news)
    events = traded + params.quoting
    if any(spread > 0 for _, spread in params.burst_spread):
        burst *= _bursts(rng, params, minute)
    depth = shape(params.depth, minute) / (1.0 + 1.5 * news)
    return Path(value, events * burst, traded / events, sigma, depth)


def shape(points: tuple[tuple[int, float], ...], minute: FloatArray) -> FloatArray:
    """Return points joined by lines, at minutes after 18:00 New York."""
    return np.interp(minute, [at for at, _ in points], [value for _, value in points])


def _clusters(rng: np.random.Generator, params: SyntheticParams, minutes: int) -> FloatArray:
    """Volatility factor per minute: exp of an AR(1), median 1."""
    keep = params.volatility_persistence
    step = params.volatility_spread * math.sqrt(1.0 - keep * keep)
    noise = draw(NORMAL, rng.random(minutes)).tolist()
    level = params.volatility_spread * noise[0]
    factors: list[float] = []
    for shock in noise:
        level = keep * level + step * shock
        factors.append(round(math.exp(level), 9))
    return np.array(factors)


def _bursts(rng: np.random.Generator, params: SyntheticParams, minute: FloatArray) -> FloatArray:
    """Rate factor per second, mean 1: exp of an AR(1) that lasts seconds, so that trades come in bursts."""
    keep = params.burst_persistence
    noise = draw(NORMAL, rng.random(len(minute))) * math.sqrt(1.0 - keep * keep)
    noise[0] /= math.sqrt(1.0 - keep * keep)
    level = np.array(list(accumulate(noise.tolist(), lambda before, shock: keep * before + shock)))
    spread = shape(params.burst_spread, minute)
    factors: FloatArray = np.exp(spread * level - spread * spread / 2.0)
    return factors.round(9)


def following(
    rng: np.random.Generator,
    params: SyntheticParams,
    at: FloatArray,
    has_trade: NDArray[np.uint8],
    seconds: NDArray[np.int64],
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Let a share of the trades answer the one before within moments; their number stays what it was.

    Parameters
    ----------
    at : ndarray of shape (n,)
        Times of the events in seconds of the session, ascending.
    has_trade : ndarray of uint8
        Which of them trade.
    seconds : ndarray of int64
        Seconds after 18:00 New York at which the market is open.

    Returns
    -------
    at, has_trade
        An answer is the event right behind the trade it answers, brought as near to it as `follow_us` says.
    """
    if not any(share > 0 for _, share in params.follow_share):
        return at, has_trade
    trades = np.flatnonzero(has_trade)
    minute = seconds[np.minimum(at[trades].astype(np.int64), len(seconds) - 1)] / 60.0
    answers = rng.random(len(trades)) < shape(params.follow_share, minute)
    wait = draw(EXPONENTIAL, rng.random(len(trades))) * params.follow_us * 1e-6
    times, out = at.copy(), np.zeros(len(at), np.uint8)
    before = -1
    for index, answer, delay in zip(trades.tolist(), answers.tolist(), wait.tolist(), strict=True):
        here = max(index, before + 1)
        if answer and before >= 0:
            here = before + 1
            times[here] = min(times[here], times[before] + delay)
        out[here], before = 1, here
    return times, out


def _news(
    rng: np.random.Generator, params: SyntheticParams, seconds: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Excitement (1 at the news, decaying over half an hour) and jump in sigmas, per second."""
    excitement, jump = np.zeros(len(seconds)), np.zeros(len(seconds))
    u = rng.random((len(params.news_chance), 3))
    for (minute, chance), (happens, size, side) in zip(params.news_chance, u.tolist(), strict=True):
        at = int(np.searchsorted(seconds, minute * 60))
        if happens >= chance or at >= len(seconds) - 3:
            continue
        reach = min(len(seconds) - at, _NEWS_SECONDS)
        # 1/(1 + t/10 min)^2 falls like news does and needs no exponential.
        excitement[at : at + reach] = np.maximum(
            excitement[at : at + reach], 1.0 / (1.0 + np.arange(reach) / 600.0) ** 2
        )
        direction = 1.0 if side < 0.5 else -1.0
        jump[at : at + 3] += direction * (0.25 + 0.75 * size) * params.news_jump / 3.0
    return excitement, jump


def _regimes(
    rng: np.random.Generator, params: SyntheticParams, minute: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Drift (sigmas per minute), noise factor and pull to the centre (0 or 1), per second."""
    trend, quiet, pull = np.zeros(len(minute)), np.ones(len(minute)), np.zeros(len(minute))
    at, end = float(minute[0]), float(minute[-1]) + 1.0
    while at < end:
        kind, length, strength = rng.random(3).tolist()
        minutes = params.regime_minutes_low + length * (
            params.regime_minutes_high - params.regime_minutes_low
        )
        inside = slice(*np.searchsorted(minute, (at, at + minutes)).tolist())
        if kind < params.range_share:
            pull[inside] = 1.0
            quiet[inside] = 1.0
        else:
            side = UP if kind < (1.0 + params.range_share) / 2.0 else DOWN
            drift = side * params.trend_strength * (0.6 + 0.8 * strength)
            _steps(rng, minute[inside], drift, trend[inside], quiet[inside])
        at += minutes
    return trend, quiet, pull


def _steps(
    rng: np.random.Generator, minute: FloatArray, drift: float, trend: FloatArray, quiet: FloatArray
) -> None:
    """Lay impulses and bases over one trend: fast, then a rest that gives a little back."""
    if len(minute) == 0:
        return
    at, impulse = float(minute[0]), True
    while at <= float(minute[-1]):
        low, high = _IMPULSE_MINUTES if impulse else _BASE_MINUTES
        length = low + (high - low) * float(rng.random())
        inside = slice(*np.searchsorted(minute, (at, at + length)).tolist())
        trend[inside] = 1.8 * drift if impulse else -0.4 * drift
        quiet[inside] = 1.0 if impulse else 0.65
        at, impulse = at + length, not impulse


@kernel
def _walk(
    value: Any,
    start: float,
    sigma: Any,
    trend: Any,
    quiet: Any,
    pull: Any,
    noise: Any,
    jump: Any,
    half_width: float,
) -> None:
    """Add drift, noise, jumps and, in a range, the pull back to where the range began."""
    now = start
    centre = start
    ranging = False
    root = 0.12909944487358055  # 1/√60
    for i in range(len(value)):
        if pull[i] > 0.0 and not ranging:
            centre = now
        ranging = pull[i] > 0.0
        step = sigma[i] * (trend[i] / 60.0 + quiet[i] * noise[i] * root + jump[i])
        if ranging:
            away = (now - centre) / (half_width * sigma[i])
            step -= sigma[i] * away * (0.3 + away * away) * 0.0075
        now += step
        value[i] = now
