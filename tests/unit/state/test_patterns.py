"""Patterns emitted one after the other add up, fade, and say when they were rated without RVOL."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.state import patterns
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import add_bar, fresh_market, mirrored

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

Bar = tuple[tuple[float, float, float, float], float]

# Two V shapes: centre bars at index 2 and 4, each known one bar later.
TWO_VALLEYS: list[Bar] = [
    ((101.0, 101.5, 100.5, 101.0), 1.0),
    ((101.0, 102.0, 100.5, 101.0), 1.0),
    ((100.5, 101.0, 99.0, 99.5), 0.5),  # V: 12 ticks below the high before it
    ((99.75, 103.0, 99.5, 102.5), 1.0),
    ((102.0, 102.25, 100.0, 100.5), 0.5),  # V again, 12 ticks
    ((100.75, 104.0, 100.5, 103.5), 1.0),
]
ONE = 0.7 * 12 / 16 + 0.3 * 0.5


def play(bars: list[Bar], mirror: bool = False) -> MarketState:
    market = fresh_market()
    for ohlc, rvol in bars:
        add_bar(market, TF_1M, mirrored(ohlc, 100.0) if mirror else ohlc, rvol=rvol)
        patterns.on_bar_close(market.array["tf"][0, TF_1M], market.array["battle"][0, TF_1M])
    return market


@pytest.mark.parametrize("mirror", [False, True])
def test_two_patterns_of_a_kind_within_five_bars_both_count(mirror: bool) -> None:
    sign = -1 if mirror else 1
    before = play(TWO_VALLEYS[:4], mirror).array["battle"][0, TF_1M]
    assert before["pattern"] == pytest.approx(sign * ONE)
    after = play(TWO_VALLEYS, mirror).array["battle"][0, TF_1M]
    # The new one in full, the one of two bars ago at 3/5, held within ±1.
    assert after["pattern"] == pytest.approx(sign * min(ONE + 0.6 * ONE, 1.0))
    assert after["pattern_strength"][1 if mirror else 0] == pytest.approx(sign * ONE)


def test_a_pattern_rated_without_rvol_lowers_quality_while_it_counts() -> None:
    unknown = [(ohlc, np.nan) for ohlc, _ in TWO_VALLEYS[:4]]
    quiet: Bar = ((102.5, 102.75, 102.25, 102.5), np.nan)
    assert play(unknown).array["battle"][0, TF_1M]["pattern_quality"] == 0.7
    assert play(unknown).array["battle"][0, TF_1M]["pattern"] == pytest.approx(0.7 * 12 / 16)
    assert play([*unknown, quiet, quiet, quiet, quiet]).array["battle"][0, TF_1M]["pattern_quality"] == 0.7
    gone = play([*unknown, quiet, quiet, quiet, quiet, quiet]).array["battle"][0, TF_1M]
    assert (gone["pattern"], gone["pattern_quality"]) == (0.0, 1.0)


def test_nothing_is_said_before_four_bars() -> None:
    w = play(TWO_VALLEYS[:3]).array["battle"][0, TF_1M]
    assert np.isnan(w["pattern"])
    assert (w["pattern_bar"] < 0).all()
