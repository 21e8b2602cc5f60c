"""Balls: how a trend of balls breaks, in either form, and the mirror of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.state import swings
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import add_bar, fresh_market, mirrored

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

Ohlc = tuple[float, float, float, float]
CENTRE = 100.0


def trending(mirror: bool) -> MarketState:
    """Return a market whose trend of three balls stands (up, or down in the mirror)."""
    market = fresh_market()
    w = market.array["battle"][0, TF_1M]
    colour, streak = ("red", "down_streak") if mirror else ("green", "up_streak")
    for i, px in enumerate((380, 388, 396)):
        w[colour][i]["px"] = 800 - px if mirror else px
    w[f"{colour}_n"], w[streak] = 3, 3
    return market


def play(market: MarketState, bars: list[Ohlc], mirror: bool) -> Any:
    t, w = market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M]
    for ohlc in bars:
        add_bar(market, TF_1M, mirrored(ohlc, CENTRE) if mirror else ohlc)
        swings.on_bar_close(t, w)
    return w


@pytest.mark.parametrize("mirror", [False, True])
def test_a_red_ball_below_the_last_green_one_breaks_the_trend_once(mirror: bool) -> None:
    # Swing high at 98.5, below the green ball at 99.00; no red candle.
    highs = (97.5, 97.75, 98.0, 98.5, 98.0, 97.75, 97.5)
    w = play(trending(mirror), [(h - 0.5, h, h - 0.75, h - 0.25) for h in highs], mirror)
    streak, other = ("down_streak", "up_streak") if mirror else ("up_streak", "down_streak")
    assert w[streak] == 0
    assert w[other] == 1
    assert w["ball_break"] == (-1 if mirror else 1)
    assert w["ball_trend"] == 0.0


@pytest.mark.parametrize("mirror", [False, True])
def test_one_bar_that_is_both_balls_breaks_in_the_mirror_too(mirror: bool) -> None:
    # The fourth bar reaches beyond its six neighbours on both sides, wholly below the ball at 99.00.
    quiet: Ohlc = (97.5, 97.75, 97.25, 97.5)
    w = play(trending(mirror), [quiet, quiet, quiet, (97.5, 98.5, 96.5, 97.5), quiet, quiet, quiet], mirror)
    assert (w["green_n"], w["red_n"]) == ((1, 4) if mirror else (4, 1))
    assert w["ball_break"] == (-1 if mirror else 1)
    assert (w["up_streak"], w["down_streak"]) == (1, 1)


# A green ball at 98.00 whose own candle is green; of the three after it, one green candle has its low at 99.00.
AFTER_A_BALL: list[Ohlc] = [
    (101.0, 101.25, 100.75, 101.0),
    (101.0, 101.25, 100.5, 100.75),
    (100.5, 100.75, 100.0, 100.25),
    (99.0, 100.5, 98.0, 100.25),
    (100.25, 100.75, 99.0, 100.5),
    (100.5, 101.0, 100.25, 100.75),
    (100.75, 101.5, 100.5, 101.25),
]


@pytest.mark.parametrize("mirror", [False, True])
def test_green_candles_since_the_pivot_count_though_the_ball_is_known_later(mirror: bool) -> None:
    market = fresh_market()
    w = play(market, AFTER_A_BALL, mirror)
    name, colour = ("highest_red_high", "red") if mirror else ("lowest_green_low", "green")
    assert w[f"{colour}_n"] == 1
    assert w[name] == (800 - 392 if mirror else 392)  # the pivot's own candle is one of them


@pytest.mark.parametrize("mirror", [False, True])
def test_a_red_close_below_the_lowest_green_candle_breaks_and_a_wick_does_not(mirror: bool) -> None:
    market = fresh_market()
    w = play(market, AFTER_A_BALL, mirror)
    streak = "down_streak" if mirror else "up_streak"
    w[streak] = 3
    play(market, [(101.0, 101.0, 97.5, 98.0)], mirror)  # on the edge, with a wick below
    assert w[streak] == 3
    play(market, [(97.5, 98.5, 97.25, 97.75)], mirror)  # a green close below it
    assert w[streak] == 3
    lowest = 97.25  # that candle is the lowest green one now
    play(market, [(98.0, 98.0, 96.75, lowest - 0.25)], mirror)
    assert w[streak] == 0
    assert w["ball_break"] == (-1 if mirror else 1)


@pytest.mark.parametrize(("streak", "weight"), [(3, 1.0), (4, 0.8), (5, 0.8), (6, 0.5), (9, 0.5)])
def test_maturity_of_a_streak(streak: int, weight: float) -> None:
    assert swings.maturity(streak) == weight


def test_two_streaks_at_once_are_compression_and_no_trend() -> None:
    market = trending(False)
    w = market.array["battle"][0, TF_1M]
    w["down_streak"] = 3
    play(market, [(100.0, 100.25, 99.75, 100.0)], False)
    assert w["compression"] == 1
    assert w["ball_trend"] == 0.0
    assert np.isnan(w["pullback"])
    assert w["has_ball_stop"] == 0
