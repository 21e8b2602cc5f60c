"""Regimes: limits of volatility, transition, ATR against its own phase, and the market regime."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.phases import MORNING
from mia_kernel.state import regime, trend
from mia_kernel.state.bars import TF_1M, TF_5M
from mia_kernel.state.memory import MarketState
from mia_kernel.state.regime import (
    M_DOWN_STRONG,
    M_RANGE,
    M_UP_STRONG,
    M_UP_WEAK,
    V_EXTREME,
    V_HIGH,
    V_LOW,
    V_NORMAL,
    V_TRANSITION,
)
from mia_kernel.state.volatility import VolatilityParams
from tests.fakes.bars_by_hand import add_bar, fresh_market

pytestmark = pytest.mark.unit

BASE = 5000.0


def market_with_phase() -> MarketState:
    market = fresh_market()
    market.array["clock"]["phase"] = MORNING
    market.array["clock"]["base"] = TF_1M
    return market


def close(
    market: MarketState, atr: float, *, price: float = BASE, vix: float | None = None, **fields: object
) -> None:
    """Close one quiet 5m bar with a given ATR (ticks) and a VIX as fresh as the bar."""
    if vix is not None:
        end = (int(market.array["tf"][0, TF_5M]["n"]) + 1) * 300 * 10**9
        regime.on_vix(market.array[0], round(vix * 100), end)
    add_bar(market, TF_5M, (price, price + 1, price - 1, price), atr=atr, **fields)
    regime.on_bar_close(market.array[0], TF_5M)


def days_of(market: MarketState, atr: float, days: int) -> None:
    for _ in range(days):
        regime.on_session(market.array[0])
        for _ in range(3):
            close(market, atr)
    regime.on_session(market.array[0])


@pytest.mark.parametrize(
    ("vix", "ratio", "expected"),
    [
        (14.0, 0.7, V_LOW),
        (14.0, 0.9, V_NORMAL),
        (16.0, 0.7, V_NORMAL),
        (25.0, 1.5, V_NORMAL),
        (25.5, 1.0, V_HIGH),
        (16.0, 1.6, V_HIGH),
        (35.5, 1.0, V_EXTREME),
        (14.0, 2.1, V_EXTREME),
    ],
)
def test_volatility_limits(vix: float, ratio: float, expected: int) -> None:
    market = market_with_phase()
    days_of(market, 10.0, 5)
    r = market.array["regime"][0]
    r["volatility"] = r["volatility_base"] = r["volatility_pending"] = -1  # the first label has no transition
    close(market, 10.0 * ratio, vix=vix)
    assert r["atr_ratio"] == pytest.approx(ratio)
    assert not r["ratio_is_rolling"]
    assert r["volatility"] == expected
    assert r["volatility_quality"] == 1.0


def test_one_unknown_measure_halves_the_quality_and_cannot_declare_low() -> None:
    market = market_with_phase()
    days_of(market, 10.0, 5)
    close(market, 5.0)
    r = market.array["regime"][0]
    assert np.isnan(r["vix"])
    assert (r["volatility"], r["volatility_quality"]) == (V_NORMAL, 0.5)
    alone = market_with_phase()
    close(alone, np.nan, vix=26.0)  # before the first ATR
    assert (alone.array["regime"][0]["volatility"], alone.array["regime"][0]["volatility_quality"]) == (
        V_HIGH,
        0.5,
    )


def test_nothing_known_is_not_ready() -> None:
    market = market_with_phase()
    close(market, 10.0)
    assert market.array["regime"][0]["volatility"] == -1


def test_with_fewer_than_five_days_the_reference_is_the_last_fifty_bars() -> None:
    market = market_with_phase()
    values = 10.0 + np.arange(50) % 7
    for atr in values:
        close(market, float(atr))
    assert np.isnan(market.array["regime"][0]["atr_ratio"])
    close(market, 15.0, vix=18.0)
    r = market.array["regime"][0]
    assert r["atr_ratio"] == pytest.approx(15.0 / values.mean())
    assert r["ratio_is_rolling"]
    assert r["volatility_quality"] == 0.5


def test_the_reference_takes_twenty_days_before_today_and_no_more() -> None:
    market = market_with_phase()
    days_of(market, 40.0, 1)
    days_of(market, 10.0, 19)  # each call ends with the session of the next day
    close(market, 20.0)
    # days_of opens a further empty day each time: the wild day is 21 sessions back
    assert market.array["regime"][0]["atr_ratio"] == pytest.approx(2.0)


def test_a_change_is_a_transition_for_thirty_minutes_and_remembers_what_was_left() -> None:
    market = market_with_phase()
    days_of(market, 10.0, 5)
    close(market, 10.0, vix=18.0)
    r = market.array["regime"][0]
    assert r["volatility"] in (V_NORMAL, V_TRANSITION)
    for _ in range(7):
        close(market, 10.0, vix=18.0)
    assert r["volatility"] == V_NORMAL
    states = []
    for _ in range(7):
        close(market, 16.0, vix=18.0)
        states.append((int(r["volatility"]), int(r["volatility_base"])))
    assert states[:6] == [(V_TRANSITION, V_NORMAL)] * 6
    assert states[6] == (V_HIGH, V_HIGH)


def test_an_old_vix_is_unknown() -> None:
    market = market_with_phase()
    close(market, 10.0, vix=18.0)
    market.array["regime"]["vix_ts"] -= 97 * 3600 * 10**9
    close(market, 10.0)
    assert np.isnan(market.array["regime"][0]["vix"])


def test_percentile_and_trend_of_volatility_equal_numpy() -> None:
    market = market_with_phase()
    values = 10.0 + 3.0 * np.sin(np.arange(300) / 9.0)
    vix = 18.0 + 0.01 * np.round(100 * np.cos(np.arange(300) / 11.0))
    for atr, level in zip(values, vix, strict=True):
        close(market, float(atr), vix=float(level))
    r = market.array["regime"][0]
    past = values[:-1].astype(np.float32)
    assert r["atr_percentile"] == pytest.approx((past < np.float32(values[-1])).mean(), abs=1e-9)
    slope_vix = np.polyfit(np.arange(5), vix[-5:], 1)[0]
    slope_atr = np.polyfit(np.arange(5), values[-5:] / 4.0, 1)[0]
    assert r["volatility_trend"] == pytest.approx((slope_vix + 10 * slope_atr) / 2, abs=1e-9)


def test_table_of_consequences_is_that_of_the_definition() -> None:
    table = [
        (row.battle_threshold, row.size, row.stop, row.target, row.max_position)
        for row in VolatilityParams().rows()
    ]
    assert table == [
        (0.20, 1.2, 0.8, 0.9, 4),
        (0.25, 1.0, 1.0, 1.0, 3),
        (0.35, 0.8, 1.5, 1.5, 2),
        (0.50, 0.5, 2.0, 2.0, 1),
        (0.30, 0.7, 1.2, 1.1, 2),
    ]


# -- the market regime ------------------------------------------------------------------------------------


def path(market: MarketState, prices: list[float], *, vwap_step: float, swings: int, side: int) -> None:
    """Close bars along a path with a straight VWAP (ticks per bar) and `swings` balls of one side."""
    for i, price in enumerate(prices):
        vwap = 4 * prices[0] + vwap_step * i
        add_bar(market, TF_5M, (price, price + 0.25, price - 0.25, price), atr=8.0, vwap=vwap, vwap_sd=4.0)
    w = market.array["battle"][0, TF_5M]
    n = len(prices)
    for i in range(swings + 1):
        for color in ("green", "red"):
            ball = w[color][i]
            ball["px"], ball["bar"] = 20_000 + side * 8 * i + (8 if color == "red" else 0), n - 25 + 4 * i
    w["green_n"] = w["red_n"] = swings + 1


@pytest.mark.parametrize("side", [1, -1])
def test_strong_trend_and_its_mirror(side: int) -> None:
    market = market_with_phase()
    path(market, [BASE + side * 0.75 * i for i in range(60)], vwap_step=side * 1.5, swings=3, side=side)
    trend.on_bar_close(market.array[0], TF_5M)
    r = market.array["regime"][0]
    # Dow 6 of 6, slope 1.5 of 2, momentum 30 ticks over 24
    assert r["strength"] == pytest.approx(0.40 + 0.35 * 0.75 + 0.25)
    assert r["market"] == (M_UP_STRONG if side > 0 else M_DOWN_STRONG)
    assert r["trend_sign"] == side
    assert (r["allow_long"], r["allow_short"]) == ((1, 0) if side > 0 else (0, 1))
    assert r["market_size"] == 1.3


def test_weak_trend_needs_less() -> None:
    market = market_with_phase()
    path(market, [BASE + 0.25 * i for i in range(60)], vwap_step=0.4, swings=1, side=1)
    trend.on_bar_close(market.array[0], TF_5M)
    r = market.array["regime"][0]
    assert r["strength"] == pytest.approx(0.40 + 0.35 * 0.2 + 0.25 * 10 / 24)
    assert r["market"] == M_UP_WEAK
    assert r["market_size"] == 1.0


def test_range_has_tested_edges_and_both_sides() -> None:
    market = market_with_phase()
    prices = [BASE + 3.0 * np.sin(i / 3.0) for i in range(70)]
    path(market, [round(4 * p) / 4 for p in prices], vwap_step=0.0, swings=0, side=1)
    trend.on_bar_close(market.array[0], TF_5M)
    r = market.array["regime"][0]
    assert r["market"] == M_RANGE
    assert 20 <= r["range_high"] - r["range_low"] <= 30
    assert (r["allow_long"], r["allow_short"], r["market_size"]) == (1, 1, 0.9)


def test_market_regime_waits_for_fifty_bars() -> None:
    market = market_with_phase()
    path(market, [BASE] * 49, vwap_step=0.0, swings=0, side=1)
    trend.on_bar_close(market.array[0], TF_5M)
    assert market.array["regime"][0]["market"] == -1


def test_choppy_counts_vwap_crosses_of_thirty_bars() -> None:
    market = market_with_phase()
    path(market, [BASE + (0.5 if i // 6 % 2 else -0.5) for i in range(60)], vwap_step=0.0, swings=0, side=1)
    market.array["tf"][0, TF_5M]["ring"]["vwap"][:60] = 4 * BASE
    trend.on_bar_close(market.array[0], TF_5M)
    assert market.array["regime"][0]["choppy"] == 1
