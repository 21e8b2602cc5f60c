"""What only many sessions show, of the SYNTHETIC market and of real bars: regimes, news, and how the VIX leans.

The estimators are those that the fit uses (`scripts/fit_synthetic.py`). Generated sessions are paths alone, without
book and trades: a path takes a few hundredths of a second, so that enough of them can be made to see what is rare.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.stamps import NEW_YORK, to_local
from mia_kernel.adapters.synthetic_others import vix_rows
from mia_kernel.adapters.synthetic_params import SyntheticParams
from mia_kernel.adapters.synthetic_path import make_path
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import session_row

FloatArray = NDArray[np.float64]

FIGURES = {
    "efficiency": "net move over path, mean of the half hours of day sessions (regimes)",
    "variance_ratio_10": "variance of ten-minute moves over ten times that of one-minute moves, median day (regimes)",
    "variance_ratio_30": "the same of thirty minutes",
    "news_0830": "share of sessions whose minute of 08:30 moves over three deviations, less that of 08:05",
    "news_1000": "the same of 10:00, less that of 09:35",
    "news_1400": "the same of 14:00, less that of 13:35",
    "news_move": "95 % quantile of such minutes, in deviations of the quarter of an hour before",
    "vix_per_percent": "VIX points for one percent of ES over a day",
}
"""Name of a figure to what it is."""
NEWS = {"news_0830": 870, "news_1000": 960, "news_1400": 1200}
"""Usual times of news, in minutes after 18:00 New York."""
SESSIONS = 400
_DAY = 20210602
_START_TICKS, _START_VIX = 17_000.0, 18.0
_MINUTE_NS = 60_000_000_000
_DAY_NS = 86_400 * 10**9


def minute_of_day(ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return minutes after 18:00 New York of instants in ns UTC."""
    return ((to_local(ts, NEW_YORK) // _MINUTE_NS) % 1440 - 1080) % 1440


def bar_steps(bars: EventArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return one-minute changes in ticks of neighbouring bars, and their minute of the day."""
    close, ts = bars["px"].astype(np.float64), bars["ts_event"]
    near = np.diff(ts) == _MINUTE_NS
    return np.diff(close)[near], minute_of_day(ts[1:][near] - 1)


def deviation(values: FloatArray) -> float:
    """Return the standard deviation of a bell with this mean absolute value: steps of whole ticks, few wild ones."""
    return float(np.abs(values).mean() * np.sqrt(np.pi / 2))


def day_sessions(bars: EventArray) -> list[FloatArray]:
    """Return the closes of each whole day session (390 minutes)."""
    minute = minute_of_day(bars["ts_event"] - 1)
    inside = (minute >= 930) & (minute < 1320)
    close, day = bars["px"][inside].astype(np.float64), bars["ts_event"][inside] // _DAY_NS
    edges = np.flatnonzero(np.r_[True, day[1:] != day[:-1], True])
    days = [close[a:b] for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    return [path for path in days if len(path) >= 385]


def regimes(days: list[FloatArray]) -> dict[str, float]:
    """Return efficiency and variance ratios of one-minute closes of day sessions; empty without one.

    Efficiency is net move over path; a ratio is 1 for a walk without memory, more with trends, less with ranges.
    """
    if not days:
        return {}
    ratios, ten, thirty = [], [], []
    for path in days:
        steps = np.diff(path)
        halves = [steps[k : k + 30] for k in range(0, len(steps) - 29, 30)]
        ratios += [abs(half.sum()) / max(float(np.abs(half).sum()), 1.0) for half in halves]
        one = (steps**2).mean()
        ten.append(((path[10:] - path[:-10]) ** 2).mean() / 10 / one)
        thirty.append(((path[30:] - path[:-30]) ** 2).mean() / 30 / one)
    return {
        "efficiency": float(np.mean(ratios)),
        "variance_ratio_10": float(np.median(ten)),
        "variance_ratio_30": float(np.median(thirty)),
    }


def news(steps: FloatArray, minute: NDArray[np.int64]) -> dict[str, float]:
    """Return how often the usual minutes of news move over three deviations, and how far; empty without such minutes.

    The deviation is that of the quarter of an hour before. What such a minute is by chance, measured 25 minutes
    earlier, is taken off.
    """
    out: dict[str, float] = {}
    moves: list[float] = []
    for name, at in NEWS.items():
        before = steps[(minute >= at - 16) & (minute < at - 1)]
        if not len(before) or not (minute == at).any() or not (minute == at - 25).any():
            return {}
        calm = deviation(before)
        first, control = np.abs(steps[minute == at]) / calm, np.abs(steps[minute == at - 25]) / calm
        out[name] = float(max((first > 3).mean() - (control > 3).mean(), 0.0))
        moves += first[first > 3].tolist()
    return {**out, "news_move": float(np.quantile(moves, 0.95))} if moves else out


def slope(percent: FloatArray, points: FloatArray) -> float:
    """Return VIX points for one percent of ES, from days on which ES moved over 0.2 %."""
    keep = np.abs(percent) > 0.2
    return float((percent * points)[keep].sum() / (percent * percent)[keep].sum())


def of_bars(bars: EventArray) -> dict[str, float]:
    """Return what one-minute bars of many sessions tell: regimes and news."""
    return {**regimes(day_sessions(bars)), **news(*bar_steps(bars))}


def open_seconds() -> tuple[int, NDArray[np.int64]]:
    """Return 18:00 New York of a usual session in ns UTC, and the seconds after it at which the market is open."""
    row = session_row(_DAY)
    assert row is not None
    anchor = int(row["anchor_ns"])
    return anchor, np.arange(
        (int(row["open_ns"]) - anchor) // 10**9, (int(row["close_ns"]) - anchor) // 10**9
    )


def generated(
    params: SyntheticParams, seconds: NDArray[np.int64], sessions: int
) -> Iterator[tuple[np.random.Generator, FloatArray]]:
    """Yield SYNTHETIC paths in ticks, one value a second, of seeds 0 to `sessions` - 1, each with its generator."""
    for seed in range(sessions):
        rng = np.random.Generator(np.random.PCG64(seed))
        yield rng, make_path(rng, params, seconds, _START_TICKS).value


def day_closes(seconds: NDArray[np.int64], value: FloatArray) -> FloatArray:
    """Return the one-minute closes of the day session of a path."""
    return value[(seconds >= 930 * 60) & (seconds < 1320 * 60)][59::60]


def of_generator(params: SyntheticParams, sessions: int) -> dict[str, float]:
    """Return the same of generated sessions, and how their VIX leans."""
    anchor, seconds = open_seconds()
    minute = (seconds // 60)[59::60]
    days, steps, percent, points = [], [], [], []
    for rng, value in generated(params, seconds, sessions):
        days.append(day_closes(seconds, value))
        steps.append(np.diff(value[59::60]))
        rows, last = vix_rows(rng, params, anchor, seconds, value, _START_VIX)
        at = int(np.searchsorted(seconds, (int(rows["ts_event"][-1]) - anchor) // 10**9))
        percent.append(100.0 * (value[at] / value[0] - 1.0))
        points.append(last - _START_VIX)
    told = news(np.concatenate(steps), np.tile(minute[1:], sessions))
    return {**regimes(days), **told, "vix_per_percent": slope(np.array(percent), np.array(points))}
