"""A wall held, broke or was never asked; and what random levels would have done."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.analytics.walls import (
    BROKEN,
    HELD,
    OPEN,
    RANGE_DAYS,
    UNTOUCHED,
    SessionBars,
    cycle_study,
    did_it_hold,
    outcome,
)
from mia_kernel.core.errors import DataError

pytestmark = [pytest.mark.unit, pytest.mark.options]


def session(day: int, *path: tuple[float, float]) -> SessionBars:
    low, high = (np.array(side, float) for side in zip(*path, strict=True))
    return SessionBars(day, float(low[0]), high, low, low)


def test_the_four_outcomes_of_a_level_above() -> None:
    assert outcome(session(1, (100, 103), (101, 104)), 110.0, from_below=True) == UNTOUCHED
    assert outcome(session(1, (100, 109), (101, 109)), 110.0, from_below=True) == HELD
    assert outcome(session(1, (100, 109), (108, 115)), 110.0, from_below=True) == BROKEN
    assert outcome(session(1, (100, 109), (107, 111)), 110.0, from_below=True) == OPEN


def test_a_bar_that_does_both_counts_as_broken() -> None:
    assert outcome(session(1, (105, 109), (100, 115)), 110.0, from_below=True) == BROKEN


def test_a_level_below_is_the_mirror() -> None:
    up = [(100.0, 109.0), (101.0, 109.0)]
    down = [(-high, -low) for low, high in up]
    assert outcome(session(1, *down), -110.0, from_below=False) == HELD


def test_few_touches_give_no_verdict() -> None:
    study = did_it_hold("call_wall", {1: 110.0}, [session(1, (100, 109), (101, 109))])
    assert (study.touched, study.held) == (1, 1)
    assert study.difference_interval is None
    assert study.verdict.startswith("too few to say")
    with pytest.raises(DataError, match="no session has a level"):
        did_it_hold("call_wall", {2: 110.0}, [session(1, (100, 109))])


def test_a_planted_wall_is_found_and_a_random_level_is_not() -> None:
    rng = np.random.default_rng(3)
    sessions, real, chance = [], {}, {}
    for day in range(1, 121):
        wall = 100.0 + rng.uniform(6, 14)
        path = 100 + rng.normal(0, 1.2, 300).cumsum()
        # The planted law: at the wall price is thrown back by ten points.
        for at in np.flatnonzero(path >= wall - 1.0):
            if path[at] >= wall - 1.0:
                path[at:] -= 10 + path[at] - (wall - 1.0)
        sessions.append(SessionBars(day, 100.0, path + 0.2, path - 0.2, path))
        real[day] = wall
        chance[day] = 100.0 + rng.uniform(6, 14)
    found = did_it_hold("planted", real, sessions)
    assert found.touched > 30
    assert found.verdict == "holds more often than a random level"
    other = did_it_hold("chance", chance, sessions)
    assert other.difference is not None
    assert found.difference is not None
    assert other.difference < found.difference


def test_a_planted_calm_phase_is_measured_and_noise_is_not() -> None:
    rng = np.random.default_rng(5)
    n = 400
    phases = ["calm" if at % 4 == 0 else "normal" for at in range(n)]
    ranges = rng.uniform(18, 22, n) * np.where(np.array(phases) == "calm", 0.7, 1.0)
    found = {row.phase: row for row in cycle_study(range(n), phases, ranges, np.zeros(n))}
    assert found["calm"].measured_factor is not None
    assert found["calm"].measured_factor > 1.2
    assert found["calm"].days == sum(p == "calm" for p in phases[RANGE_DAYS:])
    # Every fourth day by count, not by calm: nothing to find.
    blank = cycle_study(range(n), phases, rng.uniform(18, 22, n), np.zeros(n))
    assert all(row.measured_factor is None for row in blank)
