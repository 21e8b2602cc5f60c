"""Ask of one's own history whether walls held, and whether the gamma cycle moves volatility.

How it moves: a level known before a session is touched when the session's bars come within a few ticks of it;
it held if price then went away by the distance it needed before it went through. The same is asked of random
levels at the same distance from the open: what a wall adds is the difference, with a bootstrap interval by day.
Cycle phases are compared by the day's range over its own recent median. Nothing here feeds the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.bootstrap import MIN_DAYS, SEED, interval_by_day, wilson
from mia_kernel.core.errors import DataError

Float = NDArray[np.float64]

TOUCH_POINTS, THROUGH_POINTS, AWAY_POINTS = 2.0, 4.0, 8.0
RANDOM_LEVELS = 200
RANGE_DAYS = 20
HELD, BROKEN, OPEN, UNTOUCHED = "held", "broken", "open", "untouched"


@dataclass(frozen=True, slots=True)
class SessionBars:
    """High, low and close of a session's bars, in order, with its open; prices of the future in points."""

    day: int
    open: float
    high: Float
    low: Float
    close: Float


@dataclass(frozen=True, slots=True)
class WallStudy:
    """How often a kind of level held once touched, against random levels of the same distances."""

    name: str
    days: int
    touched: int
    held: int
    hold_share: float | None
    hold_interval: tuple[float, float] | None
    """Wilson, 95 %."""
    random_share: float | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    """Stationary bootstrap by day, 95 %; None under 10 days: too few to say."""
    verdict: str


def outcome(bars: SessionBars, level: float, *, from_below: bool) -> str:
    """Return what a session did with a level: held, broken, open (touched, neither) or untouched.

    Touched: within 2 points. Broken: 4 points beyond, held: 8 points back, whichever comes first from the touch on;
    a bar that does both counts as broken, for inside a bar the order is unknown.
    """
    sign = 1.0 if from_below else -1.0
    ahead = sign * (level - (bars.high if from_below else bars.low))
    touches = np.flatnonzero(ahead <= TOUCH_POINTS)
    if not len(touches):
        return UNTOUCHED
    at = int(touches[0])
    beyond = sign * ((bars.high if from_below else bars.low)[at:] - level) >= THROUGH_POINTS
    # The bar of the touch may have been far away before it touched: going away counts from the next one.
    back = sign * (level - (bars.low if from_below else bars.high)[at:]) >= AWAY_POINTS
    back[0] = False
    broken = int(np.argmax(beyond)) if beyond.any() else len(beyond)
    held = int(np.argmax(back)) if back.any() else len(back)
    if broken == held == len(back):
        return OPEN
    return BROKEN if broken <= held else HELD


def did_it_hold(
    name: str, levels: Mapping[int, float], sessions: Sequence[SessionBars], *, seed: int = SEED
) -> WallStudy:
    """Return how a level known before each session did, against random levels.

    Parameters
    ----------
    name : str
    levels : mapping of trading day (yyyymmdd) to price
        Known before the session of that day opened.
    sessions : sequence of SessionBars
    seed : int
        Of the random levels: each lies as far from its session's open as the real one of a random other day.

    Raises
    ------
    DataError
        If no session has a level.
    """
    pairs = [(bars, levels[bars.day]) for bars in sessions if bars.day in levels]
    if not pairs:
        raise DataError("no session has a level of that day", field=name, value=len(levels),
                        rule="levels and bars of the same days")  # fmt: skip
    distance = np.array([level / bars.open - 1.0 for bars, level in pairs])
    rng = np.random.default_rng(seed)
    rows = np.zeros((len(pairs), 4))  # touched, held, random touched, random held
    for at, (bars, level) in enumerate(pairs):
        rows[at, :2] = _counts(bars, [level])
        drawn = bars.open * (1.0 + rng.choice(distance, RANDOM_LEVELS) * rng.uniform(0.7, 1.3, RANDOM_LEVELS))
        rows[at, 2:] = _counts(bars, drawn)
    touched, held, random_touched, random_held = rows.sum(axis=0)
    share = held / touched if touched else None
    random_share = random_held / random_touched if random_touched else None
    interval = interval_by_day(rows, _difference, seed=seed) if touched >= MIN_DAYS else None
    return WallStudy(
        name, len(pairs), int(touched), int(held), share, wilson(int(held), int(touched)), random_share,
        None if share is None or random_share is None else share - random_share, interval,
        _verdict(interval, int(touched)),
    )  # fmt: skip


def _counts(bars: SessionBars, levels: Any) -> tuple[float, float]:
    found = [outcome(bars, float(level), from_below=level >= bars.open) for level in levels]
    decided = [one for one in found if one in (HELD, BROKEN)]
    return float(len(decided)), float(sum(one == HELD for one in decided))


def _difference(draws: Float) -> Float:
    totals = draws.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return totals[:, 1] / totals[:, 0] - totals[:, 3] / totals[:, 2]


def _verdict(interval: tuple[float, float] | None, touched: int) -> str:
    if interval is None:
        return f"too few to say: {touched} decided touches"
    if interval[0] > 0:
        return "holds more often than a random level"
    return (
        "holds less often than a random level"
        if interval[1] < 0
        else "no difference from a random level shown"
    )


@dataclass(frozen=True, slots=True)
class PhaseStudy:
    """A phase of the gamma cycle: its days, and the day's range over the median of the 20 days before."""

    phase: str
    days: int
    relative_range: float | None
    interval: tuple[float, float] | None
    mean_return_bp: float | None
    return_interval_bp: tuple[float, float] | None
    measured_factor: float | None
    """Relative range of all days over that of the phase: above 1 where the phase is calmer. None while its
    interval holds 1."""


def cycle_study(
    days: Sequence[int], phases: Sequence[str], ranges: Float, returns: Float
) -> list[PhaseStudy]:
    """Return volatility and return by phase, with bootstrap intervals.

    Parameters
    ----------
    days : sequence of int
        Trading days in order, yyyymmdd.
    phases : sequence of str
        Phase of each day.
    ranges : ndarray of shape (n_days,)
        High minus low of the cash session, points.
    returns : ndarray of shape (n_days,)
        Close over close − 1.

    Raises
    ------
    DataError
        If the lengths differ.
    """
    if not len(days) == len(phases) == len(ranges) == len(returns):
        raise DataError(
            "days, phases, ranges and returns must be of one length", field="days", value=len(days)
        )
    relative = np.full(len(days), np.nan)
    for at in range(RANGE_DAYS, len(days)):
        median = float(np.median(ranges[at - RANGE_DAYS : at]))
        relative[at] = ranges[at] / median if median > 0 else np.nan
    whole = float(np.nanmean(relative)) if np.isfinite(relative).any() else np.nan
    named = np.array(phases)
    out: list[PhaseStudy] = []
    for phase in sorted(set(phases)):
        rows = np.flatnonzero((named == phase) & np.isfinite(relative))
        span = interval_by_day(relative[rows][:, None], _mean)
        back = interval_by_day(returns[rows][:, None] * 1e4, _mean)
        mean = float(relative[rows].mean()) if len(rows) else None
        shown = span is not None and mean is not None and not span[0] <= whole <= span[1]
        out.append(
            PhaseStudy(phase, len(rows), mean, span, float(returns[rows].mean() * 1e4) if len(rows) else None, back,
                       whole / mean if shown and mean else None)
        )  # fmt: skip
    return out


def _mean(draws: Float) -> Float:
    return draws[:, :, 0].mean(axis=1)
