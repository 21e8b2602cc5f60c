"""Ticks, prices and fees."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.core.errors import DataError
from mia_kernel.core.instrument import ES, INSTRUMENTS, MES, MNQ, NQ, VIX, instrument

pytestmark = pytest.mark.unit


def test_contract_facts_of_the_domain_table() -> None:
    facts = {
        each.symbol: (each.tick_size, each.multiplier_usd, each.tick_cents, each.months)
        for each in (ES, MES, NQ, MNQ)
    }
    assert facts == {
        "ES": (Decimal("0.25"), 50, 1250, "HMUZ"),
        "MES": (Decimal("0.25"), 5, 125, "HMUZ"),
        "NQ": (Decimal("0.25"), 20, 500, "HMUZ"),
        "MNQ": (Decimal("0.25"), 2, 50, "HMUZ"),
    }
    for each in (ES, MES, NQ, MNQ):
        assert each.multiplier_usd is not None
        assert each.tick_size * each.multiplier_usd * 100 == each.tick_cents
    assert VIX.tick_cents is None


def test_ten_ticks_of_es_are_125_usd() -> None:
    assert ES.tick_cents is not None
    assert 10 * ES.tick_cents == 12_500
    assert ES.price_of(10) == 2.5


def test_fees_by_date() -> None:
    assert ES.fee_cents(20190809) == 225
    assert MES.fee_cents(20240312) == 62
    assert MES.fee_cents(20180101) is None  # before the first MES traded
    assert NQ.fee_cents(20240312) is None  # read for correlation, never traded


def test_price_to_ticks_known_values() -> None:
    assert ES.ticks_of(2915.75) == 11_663
    assert ES.ticks_of(Decimal("2915.75")) == 11_663
    assert ES.ticks_of(-37.25) == -149
    assert ES.price_text(11_663) == "2915.75"
    assert VIX.ticks_array([17.97, 0.07, 82.69]).tolist() == [1797, 7, 8269]
    assert ES.ticks_array(np.array([[2899.0], [2935.75]])).shape == (2, 1)
    assert ES.prices_of([11_596, 11_743]).tolist() == [2899.0, 2935.75]


@pytest.mark.parametrize("bad", [2915.80, 2915.7501, math.nan, math.inf, -math.inf, 1e12])
def test_off_grid_prices_are_named_not_rounded(bad: float) -> None:
    with pytest.raises(DataError) as caught:
        ES.ticks_array([2915.75, bad, 2915.80])
    assert caught.value.field == "price[1]"
    assert repr(caught.value.value) == repr(bad)
    assert ES.on_grid([2915.75, bad]).tolist() == [True, False]


@pytest.mark.parametrize("bad", ["2915.80", "NaN", "Infinity", "1e12"])
def test_off_grid_decimals_are_refused(bad: str) -> None:
    with pytest.raises(DataError, match="not on its grid"):
        ES.ticks_of(Decimal(bad))


@given(st.sampled_from(sorted(INSTRUMENTS)), st.integers(-(2**31) + 1, 2**31 - 1))
def test_every_tick_survives_the_way_out_and_back(symbol: str, ticks: int) -> None:
    product = instrument(symbol)
    assert product.ticks_of(product.price_of(ticks)) == ticks
    assert product.ticks_of(Decimal(product.price_text(ticks))) == ticks


def test_unknown_symbol_lists_the_known() -> None:
    with pytest.raises(DataError, match="ES, MES, NQ, MNQ, VIX"):
        instrument("SPY")
