"""The ladder's measures against the worked example, the definition in numpy, and refused rows."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.events import BOOK, DEPTH, empty
from mia_kernel.state import book
from tests.fakes.bars_by_hand import fresh_market, ticks

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]
NS = 10**9


def row(bid: float, ask: float, b: list[int], a: list[int]) -> np.void:
    events = empty(1)
    events["kind"], events["bid"], events["ask"] = BOOK, ticks(bid), ticks(ask)
    events["b"][0, : len(b)], events["a"][0, : len(a)] = b, a
    return events[0]


def test_ladder_metrics_of_the_worked_example() -> None:
    k = fresh_market().array["book"][0]
    book.on_book(k, row(6500.00, 6500.25, [42, 85, 90, 110, 95], [28, 70, 88, 92, 105]), 0)
    book.sample(k, 0)
    assert k["level1"] == pytest.approx(0.2)
    assert k["depth"] == pytest.approx(0.0657, abs=5e-5)
    assert k["volume_share"] == pytest.approx(422 / 805)
    assert k["volume_ratio"] == pytest.approx(1.1018, abs=5e-5)
    assert k["spread_ticks"] == 1
    assert k["spread_bps"] == pytest.approx(0.385, abs=5e-4)


def test_streaming_signal_equals_the_definition_at_every_sample() -> None:
    rng = np.random.default_rng(5)
    k = fresh_market().array["book"][0]
    raws, totals = [], []
    for second in range(80):
        b, a = rng.integers(1, 200, 5).tolist(), rng.integers(1, 200, 5).tolist()
        spread = int(rng.integers(1, 5))
        book.on_book(k, row(6500.0, 6500.0 + 0.25 * spread, b, a), second * NS)
        decay = 0.8 ** np.arange(5)
        level1 = (b[0] - a[0]) / (b[0] + a[0])
        depth = (decay * np.subtract(b, a)).sum() / (decay * np.add(b, a)).sum()
        raws.append(0.6 * level1 + 0.4 * depth)
        total = sum(b) + sum(a)
        book.sample(k, second)
        if len(totals) >= 10:
            n = min(len(raws), 10)
            w = np.exp(np.linspace(0, 1, n))
            smooth = (w / w.sum()) @ np.array(raws[-n:])
            liquidity = 0.7 * min(1, total / (2 * np.mean(totals[-50:]))) + 0.3
            penalty = 1.0 if spread <= 2 else max(0.5, 1 - 0.25 * (spread - 2))
            assert k["liquidity"] == pytest.approx(liquidity)
            assert k["signal"] == pytest.approx(smooth * liquidity * penalty)
            assert k["quality"] == pytest.approx(min(1, liquidity / 0.65) * min(1, n / 10))
        else:
            assert np.isnan(k["signal"])
        totals.append(total)


def test_order_flow_imbalance_of_the_worked_examples() -> None:
    assert book.flow_term(26000, 42, 26001, 28, 26000, 50, 26001, 20) == 16
    assert book.flow_term(26000, 50, 26001, 20, 26001, 15, 26002, 30) == 35


@pytest.mark.parametrize(
    ("bid", "ask", "b", "a"),
    [
        (6500.25, 6500.25, [5], [5]),
        (6500.5, 6500.25, [5], [5]),
        (0.0, 6500.25, [5], [5]),
        (6500.0, 6500.25, [0], [5]),
    ],
)
def test_crossed_locked_and_one_sided_books_are_counted_and_not_applied(
    bid: float, ask: float, b: list[int], a: list[int]
) -> None:
    k = fresh_market().array["book"][0]
    assert book.on_book(k, row(bid, ask, b, a), 0) == 0
    assert k["crossed"] == 1
    assert k["has"] == 0


def test_nothing_is_sampled_from_a_stale_book() -> None:
    k = fresh_market().array["book"][0]
    book.on_book(k, row(6500.0, 6500.25, [5] * DEPTH, [5] * DEPTH), 0)
    book.sample(k, 4)
    assert k["sample_n"] == 1
    book.sample(k, 6)
    assert k["sample_n"] == 1
