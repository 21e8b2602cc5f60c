"""Chance must not pass for an edge, and a real edge must be found: the whole verdict over many made-up strategies.

SYNTHETIC random walks in real sessions; no cost is charged, so that chance has its best chance.
"""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics import edge
from mia_kernel.core.events import BAR, BAR_OPEN
from tests.fakes.learned import BARS, signals
from tests.shared_data import shared_file

pytestmark = pytest.mark.integration
DAYS = 120
CAPITAL_USD = 50_000
PLANTED = 0.5585
"""Right about the next hour so often that 500 days of it have a Sharpe ratio of 2."""


def verdict(
    seed: int, knows: float, *, days: int = DAYS, steps: np.ndarray | None = None, others: int = 9
) -> str:
    data = signals(seed, knows, days=days, steps=steps)
    rows, dates = np.arange(len(data)), np.unique(data.signals["session"])
    rng = np.random.default_rng(seed)
    own = edge.daily_returns(data, rows, dates, CAPITAL_USD)
    tries = [edge.sharpe_of(own), *(rng.normal(0, 1 / np.sqrt(len(dates)), others))]
    part = edge.section(data, rows, dates, capital_usd=CAPITAL_USD, tries=[t for t in tries if t is not None])
    return edge.edge(part, None, edge.random_entries(data, rows, sets=99, seed=seed))


def test_chance_is_not_an_edge_and_an_edge_is_found():
    assert sum(verdict(seed, 0.5) == "supported" for seed in range(6)) <= 1
    assert sum(verdict(seed, 0.66) == "supported" for seed in range(3)) >= 2


def sharpe(seed: int, knows: float, days: int) -> float:
    data = signals(seed, knows, days=days)
    daily = edge.daily_returns(data, np.arange(len(data)), np.unique(data.signals["session"]), CAPITAL_USD)
    found = edge.sharpe_of(daily)
    assert found is not None
    return found * np.sqrt(252)


@pytest.mark.long
def test_false_and_true_discoveries_at_length():
    """Nothing known: at most 5 % are called supported. A Sharpe of 2 over 500 days, tried once: found in 80 %."""
    assert np.mean([verdict(seed, 0.5) == "supported" for seed in range(200)]) <= 0.05
    seeds = range(1_000, 1_050)
    assert np.mean([sharpe(seed, PLANTED, 500) for seed in seeds]) == pytest.approx(2.0, abs=0.15)
    found = [verdict(seed, PLANTED, days=500, others=0) == "supported" for seed in seeds]
    assert np.mean(found) >= 0.80


@pytest.mark.long
def test_random_strategies_on_shuffled_returns_of_es():
    """The moves of 5-minute bars of ES in another order: their size and tails, and nothing to know."""
    file = shared_file("sierra_es_5min_contracts/ESH20-CME.txt.gz")
    rows = open_recording(str(file), home=None).events
    rows = rows[rows["kind"] == BAR]
    moves = (rows["px"] - rows["b"][:, BAR_OPEN])[rows["sz"] > 0].astype(int)
    false = [
        verdict(seed, 0.5, steps=np.random.default_rng(seed).choice(moves, DAYS * BARS)) == "supported"
        for seed in range(200)
    ]
    assert np.mean(false) <= 0.05
