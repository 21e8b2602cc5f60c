"""Battle Navale against the worked examples: outcome, base, golden rule, patterns, score, balls."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.state import battle, patterns, swings
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.battle import G_BULL, G_GREEN_BROKEN, G_NONE
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import add_bar, fresh_market, mirrored, ticks

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

OUTCOME = [
    ((6499.00, 6500.25, 6498.75, 6500.00), 1.1),
    ((6500.00, 6500.50, 6499.50, 6499.75), 0.8),
    ((6499.75, 6501.50, 6499.75, 6501.25), 1.5),
    ((6501.25, 6501.50, 6501.00, 6501.25), 1.0),  # doji
    ((6501.25, 6502.75, 6501.00, 6502.50), 1.2),
]


def outcome_market(mirror: bool) -> MarketState:
    market = fresh_market()
    for i, (ohlc, rvol) in enumerate(OUTCOME):
        last = i == len(OUTCOME) - 1
        # δ = +420 and a = .63: 1,016.3/596.3 of 1,615 contracts, rounded to whole ones that keep both.
        bought, sold = (1018, 598) if last else (0, 0)
        if mirror:
            ohlc, bought, sold = mirrored(ohlc, 6500.0), sold, bought
        add_bar(market, TF_1M, ohlc, rvol=rvol, ask_volume=bought, bid_volume=sold)
    battle.on_bar_close(market.array[0], TF_1M)
    return market


def test_outcome_of_the_worked_example() -> None:
    w = outcome_market(False).array["battle"][0, TF_1M]
    assert w["vikings"] == pytest.approx(3.060, abs=2e-3)
    assert w["defenders"] == pytest.approx(0.160, abs=1e-9)
    assert w["outcome"] == pytest.approx(0.950, abs=1e-3)


def test_mirrored_outcome_gives_the_mirrored_score() -> None:
    up = outcome_market(False).array["battle"][0, TF_1M]
    down = outcome_market(True).array["battle"][0, TF_1M]
    assert down["outcome"] == pytest.approx(1 - up["outcome"], abs=1e-12)
    assert down["score"] == pytest.approx(-up["score"], abs=1e-12)


def test_base_quality_of_the_worked_example() -> None:
    market = fresh_market()
    low, high = 100.0, 101.5  # six ticks; the middle half is 100.375 … 101.125
    add_bar(market, TF_1M, (99.0, 99.5, 98.0, 99.0), volume=700)
    add_bar(market, TF_1M, (100.5, 101.0, 100.0, 100.75), volume=900)
    closes = (100.5, 100.75, 101.0, 100.5, 100.75, 101.0, 101.25, 101.5)
    for close, volume in zip(closes, (900, 1000, 1100, 950, 1050, 980, 1020, 1000), strict=True):
        add_bar(market, TF_1M, (100.75, high, low, close), volume=volume)
    t = market.array["tf"][0, TF_1M]
    quality = battle.base_quality(t, ticks(low), ticks(high), 6.0)
    # n = 9 bars inside, size 1.0, steady 1 − 56.8/1000, six of eight closes in the middle half
    assert quality == pytest.approx(0.893, abs=1e-3)


def test_golden_rule_table_of_the_worked_example() -> None:
    market = fresh_market()
    t, w = market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M]
    w["outcome"] = 0.5
    battle._govern(w, ticks(6500.00), ticks(6501.50), 1, 0.72, 0)
    rows = [
        ((6501.50, 6503.00, 6501.25, 6502.75), G_BULL),
        ((6502.75, 6502.75, 6500.25, 6500.50), G_BULL),
        ((6500.50, 6500.75, 6499.25, 6500.00), G_BULL),
        ((6500.00, 6500.25, 6499.25, 6499.75), G_GREEN_BROKEN),
        ((6499.75, 6500.75, 6499.75, 6500.50), G_GREEN_BROKEN),
    ]
    for ohlc, state in rows:
        add_bar(market, TF_1M, ohlc)
        battle._golden_step(t, w)
        assert w["golden"] == state
    assert w["k"] == pytest.approx(-0.6)
    for _ in range(18):
        add_bar(market, TF_1M, (6500.0, 6500.25, 6499.75, 6500.0))
        battle._golden_step(t, w)
        assert w["golden"] == G_GREEN_BROKEN
    add_bar(market, TF_1M, (6500.0, 6500.25, 6499.75, 6500.0))
    battle._golden_step(t, w)
    assert w["golden"] == G_NONE
    assert np.isnan(w["k"])


def test_green_close_below_a_green_base_only_warns() -> None:
    market = fresh_market()
    t, w = market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M]
    battle._govern(w, ticks(6500.00), ticks(6501.50), 1, 0.72, 0)
    add_bar(market, TF_1M, (6499.0, 6500.0, 6498.5, 6499.5))
    battle._golden_step(t, w)
    assert (w["golden"], w["warning"]) == (G_BULL, 1)


LONG_DOWN_UP = [
    ((6503.00, 6503.25, 6501.75, 6502.00), np.nan),
    ((6502.00, 6502.50, 6500.75, 6501.00), np.nan),
    ((6500.75, 6501.00, 6499.50, 6499.75), 0.8),
    ((6500.00, 6503.00, 6499.75, 6502.75), np.nan),
]
COLOR_DOWN = [
    (6510.00, 6510.50, 6507.00, 6507.25),
    (6507.00, 6508.00, 6505.00, 6505.25),
    (6505.25, 6507.50, 6505.00, 6507.00),
    (6506.75, 6507.00, 6503.75, 6504.00),
]


@pytest.mark.parametrize("mirror", [False, True])
def test_long_down_up_bar_is_known_one_bar_later_and_fades(mirror: bool) -> None:
    market = fresh_market()
    sign = -1 if mirror else 1
    for ohlc, rvol in LONG_DOWN_UP:
        add_bar(market, TF_1M, mirrored(ohlc, 6500.0) if mirror else ohlc, rvol=rvol)
        patterns.on_bar_close(market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M])
    w = market.array["battle"][0, TF_1M]
    assert w["pattern"] == pytest.approx(sign * 0.765)
    quiet = (6502.75, 6503.00, 6502.50, 6502.75)
    add_bar(market, TF_1M, mirrored(quiet, 6500.0) if mirror else quiet)
    patterns.on_bar_close(market.array["tf"][0, TF_1M], w)
    assert w["pattern"] == pytest.approx(sign * 0.612)


@pytest.mark.parametrize("mirror", [False, True])
def test_color_setting_of_the_worked_example(mirror: bool) -> None:
    market = fresh_market()
    for ohlc in COLOR_DOWN:
        add_bar(market, TF_1M, mirrored(ohlc, 6500.0) if mirror else ohlc)
    w = market.array["battle"][0, TF_1M]
    patterns.on_bar_close(market.array["tf"][0, TF_1M], w)
    expected = 0.8 * 22 / 24
    assert w["pattern_strength"][3 if mirror else 2] == pytest.approx(expected if mirror else -expected)
    assert w["completeness"] == 1.0


def test_score_joins_its_terms_and_names_no_missing_one() -> None:
    w = fresh_market().array["battle"][0, TF_1M]
    w["outcome"], w["k"], w["pattern"] = (1 + 0.901) / 2, 0.6, 0.765
    w["has_base"], w["base_color"], w["base_quality"] = 1, 1, 0.72
    battle._score(w)
    assert w["score"] == pytest.approx(0.865, abs=1e-3)
    w["outcome"] = np.nan
    battle._score(w)
    assert np.isnan(w["score"])


def test_balls_streak_pullback_stop_and_break_of_the_worked_example() -> None:
    market = fresh_market()
    t, w = market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M]
    path = [
        6500.0,
        6496.0,
        6493.0,
        6490.5,
        6493.0,
        6496.0,
        6498.0,
        6497.0,
        6496.0,
        6494.75,
        6497.0,
        6499.0,
        6502.0,
    ]
    path += [6501.0, 6500.5, 6499.5, 6501.0, 6503.0, 6504.5]
    lows = {3: 6490.0, 9: 6494.25, 15: 6499.0}
    for i, price in enumerate(path):
        low = lows.get(i, price - 0.25)
        add_bar(market, TF_1M, (price, price + 0.5, low, price + 0.25))
        swings.on_bar_close(t, w)
    assert w["green_n"] == 3
    assert [int(w["green"][i]["px"]) for i in range(3)] == [ticks(6490.0), ticks(6494.25), ticks(6499.0)]
    assert w["up_streak"] == 3
    assert w["ball_trend"] == swings.FRESH
    assert w["ball_stop"] == ticks(6493.50)
    assert swings.pullback_depth(t, 0, ticks(6499.0), 1) >= 0


def test_pullback_depth_of_the_worked_example() -> None:
    market = fresh_market()
    add_bar(market, TF_1M, (6499.5, 6500.0, 6499.0, 6499.75))
    add_bar(market, TF_1M, (6499.75, 6505.0, 6499.75, 6504.75))
    add_bar(market, TF_1M, (6504.75, 6504.75, 6501.25, 6501.50))
    t = market.array["tf"][0, TF_1M]
    assert swings.pullback_depth(t, 0, ticks(6499.0), 1) == pytest.approx(3.5 / 6)
