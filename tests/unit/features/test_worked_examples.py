"""Components against the worked examples and limits of their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.features import mtf_confluence, pullback_quality, smart_money
from mia_kernel.features.stats import CLOSE, regression
from mia_kernel.state import flow
from mia_kernel.state.bars import TF_1M
from tests.fakes.bars_by_hand import add_bar, fresh_market

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

STRENGTH = np.array([-0.35, 0.55, 0.60, 0.70, 0.30])
QUALITY = np.array([0.50, 0.70, 0.80, 0.75, 0.60])


def test_mtf_confluence_of_the_worked_example_and_its_mirror() -> None:
    value, quality = mtf_confluence.combine(STRENGTH, QUALITY, 0.8)
    assert value == pytest.approx(0.327, abs=5e-4)
    assert quality == pytest.approx(0.675, abs=5e-4)
    assert mtf_confluence.combine(-STRENGTH, QUALITY, 0.8)[0] == pytest.approx(-value, abs=1e-12)


def test_mtf_confluence_needs_three_timeframes_and_sixty_percent_of_the_weight() -> None:
    two = np.array([0.5, 0.5, np.nan, np.nan, np.nan])
    assert np.isnan(mtf_confluence.combine(two, QUALITY, np.nan)[0])
    light = np.array([0.5, np.nan, np.nan, 0.5, 0.5])  # three timeframes with 0.50 of the weight
    assert np.isnan(mtf_confluence.combine(light, QUALITY, np.nan)[0])
    three = np.array([0.5, 0.5, 0.5, np.nan, np.nan])
    assert mtf_confluence.combine(three, QUALITY, np.nan)[0] > 0


def test_smart_money_of_the_worked_example() -> None:
    net = (620 - 180) / (620 + 180)
    value, confidence = smart_money.judge(net, 800.0, 6, 0.8, 0.5, 1.0)
    assert confidence == pytest.approx(0.805)
    assert value == pytest.approx(0.854)
    assert smart_money.judge(-net, 800.0, 6, 0.8, 0.5, 1.0)[0] == pytest.approx(-0.854)


def test_persistence_ignores_empty_periods_and_needs_two() -> None:
    assert smart_money.persistence(np.array([100.0, 0.0, 50.0, -20.0, 0.0]), 1) == pytest.approx(2 / 3)
    assert smart_money.persistence(np.array([100.0, 0.0, 0.0, 0.0, 0.0]), 1) == 0.0


@pytest.mark.parametrize(
    ("depth", "factor"),
    [
        (0.05, 0.0),
        (0.10, 0.3),
        (0.29, 0.3),
        (0.30, 0.7),
        (0.382, 1.0),
        (0.5, 1.0),
        (0.62, 0.7),
        (0.7, 0.3),
        (0.79, 0.0),
    ],
)
def test_pullback_depth_factor(depth: float, factor: float) -> None:
    assert pullback_quality.depth_factor(depth) == factor


def test_regression_equals_numpy() -> None:
    rng = np.random.default_rng(3)
    market = fresh_market()
    closes = 6500 + np.cumsum(rng.integers(-3, 4, 40)) / 4
    for close in closes:
        add_bar(market, TF_1M, (close, close + 1, close - 1, close))
    t = market.array["tf"][0, TF_1M]
    for back in (0, 7, 20):
        y = closes[len(closes) - back - 10 : len(closes) - back] * 4
        slope, intercept = np.polyfit(np.arange(10), y, 1)
        fit = 1 - ((y - slope * np.arange(10) - intercept) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        got = regression(t, CLOSE, 10, back)
        assert got[0] == pytest.approx(slope, abs=1e-9)
        assert got[1] == pytest.approx(fit, abs=1e-9)


def test_tick_momentum_counts_moves_and_volume_of_twenty_trades() -> None:
    f = fresh_market().array["flow"][0]
    prices = [100, 101, 101, 102] * 5  # from 102 back to 100 is a move down
    for px in prices[:19]:
        flow.on_trade(f, px, 2, 0, 0.0, 0)
    assert np.isnan(flow.tick_momentum(f))
    flow.on_trade(f, prices[19], 2, 0, 0.0, 0)
    up, down = 10, 4
    assert flow.tick_momentum(f) == pytest.approx(0.4 * (up - down) / 20 + 0.6 * (up - down) * 2 / 40)


def test_sweep_joins_prints_of_one_aggressor_and_ends_after_the_gap() -> None:
    f = fresh_market().array["flow"][0]
    ms = 10**6
    for i, (px, side) in enumerate([(100, 1), (100, 1), (101, 1), (102, 1)]):
        flow.on_trade(f, px, 60, side, 1.0, i * 10 * ms)
    flow.expire(f, 200 * ms)
    assert f["order_n"] == 1
    order = f["orders"][0]
    assert (int(order["size"]), int(order["levels"]), int(order["side"]), int(order["prints"])) == (
        240,
        3,
        1,
        4,
    )


def test_footprint_counts_three_stacked_rows_once() -> None:
    f = fresh_market().array["flow"][0]
    for px in (100, 101, 102, 103):
        flow.on_trade(f, px, 30, 1, 1.0, 0)
    assert flow.stacks(f) == (1, 0)
    flow.clear_footprint(f)
    for px in (100, 101, 102, 103):
        flow.on_trade(f, px, 30, -1, 1.0, 0)
    assert flow.stacks(f) == (0, 1)
