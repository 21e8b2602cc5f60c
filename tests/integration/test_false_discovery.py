"""Chance must not pass for an edge, and a real edge must be found: the whole verdict over many made-up strategies.

SYNTHETIC random walks in real sessions; no cost is charged, so that chance has its best chance.
"""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.analytics import edge
from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.analytics.dataset import SIGNAL_DTYPE, Dataset
from mia_kernel.core.session import sessions
from mia_kernel.ml.inputs import EIGHT, schema_of
from mia_kernel.ml.labels import HORIZON_NS, LABEL_DTYPE, LATENCY_NS, barriers

pytestmark = pytest.mark.integration
DAYS, BARS, EACH = 120, 78, 4
FIVE_MINUTES = 300_000_000_000


def made(seed: int, knows: float) -> Dataset:
    """Return signals whose side is right about the next hour with chance `knows` (0.5 knows nothing)."""
    rng = np.random.default_rng(seed)
    table = sessions()
    days = table[(table["trading_day"] > 20230101) & (table["has_rth"] == 1)][:DAYS]
    steps = rng.normal(0, 4, DAYS * BARS).round().astype(int)
    close = 16_000 + steps.cumsum()
    path = np.zeros(DAYS * BARS, PATH_DTYPE)
    path["ts"] = (days["rth_open_ns"][:, None] + FIVE_MINUTES * np.arange(1, BARS + 1)).ravel()
    path["open"], path["close"] = close - steps, close
    path["high"], path["low"] = np.maximum(path["open"], close) + 1, np.minimum(path["open"], close) - 1
    path["last_of_session"][BARS - 1 :: BARS] = 1
    at = np.sort(np.concatenate([d * BARS + rng.choice(BARS - 14, EACH, replace=False) for d in range(DAYS)]))
    truth = np.where(close[at + 12] > close[at], 1, -1)
    side = np.where(rng.random(len(at)) < knows, truth, -truth)
    signals = np.zeros(len(at), SIGNAL_DTYPE)
    signals["ts"], signals["side"] = path["ts"][at], side
    signals["session"] = np.repeat(days["trading_day"], EACH)
    signals["stop_ticks"], signals["target_ticks"] = 12, 12
    labels = np.zeros(len(at), LABEL_DTYPE)
    stops = np.full(len(at), 12)
    barriers(path, signals["ts"], side, stops, stops, HORIZON_NS, LATENCY_NS, 0.0, labels)
    x = np.zeros((len(at), 2 * len(EIGHT)), np.float32)
    return Dataset(schema_of(), x, signals, labels, np.ones(len(at)), path, path["ts"], (), 0, 0.0)


def verdict(seed: int, knows: float) -> str:
    data = made(seed, knows)
    rows, days = np.arange(len(data)), np.unique(data.signals["session"])
    rng = np.random.default_rng(seed)
    own = edge.daily_returns(data, rows, days, 50_000)
    tries = [edge.sharpe_of(own), *(rng.normal(0, 1 / np.sqrt(len(days)), 9))]
    part = edge.section(data, rows, days, capital_usd=50_000, tries=[t for t in tries if t is not None])
    return edge.edge(part, None, edge.random_entries(data, rows, sets=99, seed=seed))


def test_chance_is_not_an_edge_and_an_edge_is_found():
    assert sum(verdict(seed, 0.5) == "supported" for seed in range(6)) <= 1
    assert sum(verdict(seed, 0.66) == "supported" for seed in range(3)) >= 2


@pytest.mark.long
def test_false_and_true_discoveries_at_length():
    false = np.mean([verdict(seed, 0.5) == "supported" for seed in range(200)])
    found = np.mean([verdict(1_000 + seed, 0.66) == "supported" for seed in range(50)])
    assert false <= 0.05
    assert found >= 0.80
