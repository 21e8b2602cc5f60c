"""Gamma levels and options flow: worked numbers, absent without a chain, stale after their limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.core.decisions import ABSENT, NOT_READY, OK, STALE
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import OptionView
from mia_kernel.features.options_flow import bias
from mia_kernel.features.spec import Given
from mia_kernel.features.vector import FeatureSet
from mia_kernel.state import options
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.levels import CALL_WALL, GAMMA_FLIP
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import TRADES, add_bar, fresh_market

pytestmark = pytest.mark.unit

MINUTE = 60 * 10**9
PRICE = 26_000


def view(as_of: int = 0, valid_until: int = 0, **figures: float | None) -> OptionView:
    given = {"call_wall_ticks": PRICE + 4.0, "put_wall_ticks": PRICE - 40.0, "dealer_gamma_position": 1.0}
    return OptionView(as_of, as_of, 0, as_of, valid_until, False, 0.9, "hand-made", {**given, **figures})


def market(event: OptionView | None, rising: int = 1, now: int = 10 * MINUTE) -> MarketState:
    state = fresh_market()
    for i in range(8):
        close = (PRICE + rising * (i - 7)) / 4
        add_bar(state, TF_1M, (close, close, close, close))
    if event is not None:
        state.load(event)
    clock = state.array["clock"]
    clock["price"], clock["has_price"], clock["now"] = PRICE, 1, now
    return state


def answer(state: MarketState, name: str, *, chain: bool = True) -> tuple[float, float, int]:
    vector = FeatureSet(Given(TRADES, options=chain)).snapshot(state, 0)
    i = vector.names.index(name)
    return float(vector.values[i]), float(vector.quality[i]), int(vector.status[i])


def test_long_gamma_pushes_away_from_a_near_wall() -> None:
    value, quality, status = answer(market(view(gamma_flip_ticks=PRICE - 6.0)), "gamma_levels")
    assert (value, status) == (pytest.approx(-0.5), OK)
    assert quality == pytest.approx(0.9 * (0.7 + 0.3 * 0.5))


@pytest.mark.parametrize("rising", [1, -1])
def test_short_gamma_goes_with_the_move(rising: int) -> None:
    value, _, _ = answer(market(view(dealer_gamma_position=-1.0), rising), "gamma_levels")
    assert value == pytest.approx(rising * 0.5)


def test_neutral_or_far_is_a_measured_zero_and_unknown_is_none() -> None:
    assert answer(market(view(dealer_gamma_position=0.0)), "gamma_levels")[0] == 0.0
    assert answer(market(view(call_wall_ticks=PRICE + 80.0)), "gamma_levels")[0] == 0.0
    assert answer(market(view(call_wall_ticks=None)), "gamma_levels")[2] == NOT_READY


def test_no_chain_is_absent_and_an_old_one_stale() -> None:
    for name in ("gamma_levels", "options_flow"):
        assert answer(market(None), name)[2] == ABSENT
        assert answer(market(None), name, chain=False)[2] == ABSENT
        assert answer(market(view(), now=16 * MINUTE), name)[2] == STALE
    held = view(valid_until=100 * MINUTE)
    value, quality, status = answer(market(held, now=90 * MINUTE), "gamma_levels")
    assert status == OK, "an end-of-day chain holds to the end it says"
    assert quality <= 0.6
    assert value == pytest.approx(-0.5)


@pytest.mark.parametrize(("r", "expected"), [(0.60, 0.448), (1.0, 0.0), (2.0, -0.553)])
def test_flow_bias_of_the_worked_example(r: float, expected: float) -> None:
    assert bias(r) == pytest.approx(expected, abs=5e-4)
    assert bias(1 / r) == pytest.approx(-bias(r))


def test_flow_needs_volume_and_tells_a_missing_reference_by_its_quality() -> None:
    thin = view(put_call_volume_ratio=0.6, option_volume_contracts=999.0)
    assert answer(market(thin), "options_flow")[2] == NOT_READY
    bare = view(put_call_volume_ratio=0.6, option_volume_contracts=5_000.0)
    assert answer(market(bare), "options_flow")[:2] == (pytest.approx(0.448), 0.5)
    full = view(put_call_volume_ratio=0.6, option_volume_contracts=5_000.0, put_call_reference=1.0)
    assert answer(market(full), "options_flow")[:2] == (pytest.approx(0.448), 0.9)


def test_a_view_writes_levels_and_an_unknown_figure_is_refused() -> None:
    state = market(view(gamma_flip_ticks=None))
    at: Any = state.array["levels"][0]["at"]
    assert at[CALL_WALL]["known"]
    assert at[CALL_WALL]["price_2"] == 2 * (PRICE + 4)
    assert not at[GAMMA_FLIP]["known"]
    with pytest.raises(InvariantError, match="magic"):
        view(magic=1.0)


def test_pin_is_strongest_at_the_wall_and_only_under_long_gamma() -> None:
    record: Any = market(view(call_wall_ticks=float(PRICE), call_wall_weight=2.0)).array[0]["options"]
    assert options.pin(record, PRICE, 1.0) == pytest.approx(1.0)
    assert options.pin(record, PRICE + 4, 1.0) == pytest.approx(0.2)
    assert options.pin(record, PRICE + 4, 0.5) == pytest.approx(0.24)
    assert options.pin(record, PRICE + 6, 1.0) == 0.0
    record["dealer_gamma_position"] = -1.0
    assert options.pin(record, PRICE, 1.0) == 0.0
    record["dealer_gamma_position"] = np.nan
    assert np.isnan(options.pin(record, PRICE, 1.0))
