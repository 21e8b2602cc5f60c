"""The control: brackets by hand, the worse first, and a strategy that is chance is found to be chance."""

from __future__ import annotations

import numpy as np
import pytest

import mia_kernel as mia
from mia_kernel.analytics.control import PATH_DTYPE, _outcomes, random_control
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.desk import Run
from mia_kernel.state.costs import CostParams

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def path(*rows: tuple[int, int, int, int], slippage: int = 1) -> np.ndarray:
    out = np.zeros(len(rows), PATH_DTYPE)
    for i, (o, h, low, c) in enumerate(rows):
        out[i] = (i, o, h, low, c, slippage, i == len(rows) - 1)
    return out


def ticks(rows: np.ndarray, side: int, stop: int = 8, target: int = 16) -> float:
    one = np.array([1], np.int64)
    return float(_outcomes(rows, np.array([0], np.int64), side * one, stop * one, target * one)[0])


START = (100, 100, 100, 100)


def test_target_needs_a_price_beyond_it_and_a_stop_slips() -> None:
    assert ticks(path(START, (100, 100, 100, 100), (117, 118, 117, 118), START), 1) == 16
    assert ticks(path(START, (100, 100, 100, 100), (117, 117, 117, 117), START), 1) == -2, (
        "touched only: out at the end"
    )
    assert ticks(path(START, (100, 100, 100, 100), (93, 93, 93, 93), START), 1) == -9
    assert ticks(path(START, (100, 100, 100, 100), (80, 80, 80, 80), START), 1) == -22, (
        "a gap fills where it opens"
    )


def test_inside_a_bar_the_worse_comes_first() -> None:
    assert ticks(path(START, (100, 130, 80, 100), START), 1) == -9


def test_a_short_is_the_mirror_of_a_long() -> None:
    rng = np.random.default_rng(2)
    close = 1_000 + np.cumsum(rng.integers(-3, 4, 400))
    up = path(*[(int(c), int(c) + 1, int(c) - 1, int(c)) for c in close])
    down = path(*[(2_000 - int(c), 2_001 - int(c), 1_999 - int(c), 2_000 - int(c)) for c in close])
    for at in range(0, 390, 10):
        one, t = np.array([1], np.int64), np.array([at], np.int64)
        assert _outcomes(up, t, one, 8 * one, 16 * one) == _outcomes(down, t, -one, 8 * one, 16 * one)


@pytest.fixture(scope="module")
def run() -> Run:
    return mia.day("synthetic:7").replay(weights="bars")


def test_a_thousand_sets_are_drawn_and_the_same_seed_draws_the_same(run: Run) -> None:
    one, again = run.random_control(), run.random_control()
    assert len(one.random_usd) == 1_000
    assert np.array_equal(one.random_usd, again.random_usd)
    assert one.entries == sum(
        1 for _, d in run._pass.table.signals if d.verdict is not None and d.verdict.allowed
    )
    assert 0 < (one.share_at_least or 0) <= 1
    other = run.random_control(seed=2)
    assert not np.array_equal(one.random_usd, other.random_usd)


def test_random_entries_lose_their_costs_on_average() -> None:
    # A day that trends pays whoever stands on its side, so the mean is taken over days, each trade alike.
    usd = entries = 0.0
    for seed in range(1, 6):
        found = mia.day(f"synthetic:{seed}").replay(weights="bars").random_control()
        usd += float(found.random_usd.mean()) if found.entries else 0.0
        entries += found.entries
    assert -80 < usd / entries < 10, "two sides of slippage and fees, and nothing to gain"


def test_without_an_entry_there_is_nothing_to_compare(run: Run) -> None:
    found = random_control(run.recording.events, DecisionTable((), (), ()), CostParams())
    assert found.strategy_usd is None
    assert found.share_at_least is None
