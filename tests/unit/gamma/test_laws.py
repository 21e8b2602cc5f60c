"""The properties every gamma calculation must have, whatever the chain."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.gamma import greeks
from mia_kernel.gamma.book import Book, Repricer, SignModel, book_of, price_grid
from mia_kernel.gamma.chain import CALL, Chain
from mia_kernel.gamma.exposures import exposures_of
from mia_kernel.gamma.levels import per_strike, walls, zero_gamma
from mia_kernel.gamma.summary import levels_of

pytestmark = [pytest.mark.unit, pytest.mark.options]

SOME = {"max_examples": 40, "deadline": None}


@lru_cache(maxsize=1)
def chain() -> Chain:
    return synthetic_chain(11)


@lru_cache(maxsize=1)
def book() -> Book:
    return book_of(chain())


def with_oi(oi: np.ndarray) -> Book:
    legs = chain().legs.copy()
    legs["oi"] = oi
    return book_of(replace(chain(), legs=legs))


def net(found: Book) -> float:
    return float(np.sum(found.exposure() * np.where(found.is_call, 1.0, -1.0)))


contract = st.tuples(
    st.floats(0.7, 1.4),
    st.floats(0.05, 1.0),
    st.floats(0.001, 2.0),
    st.floats(-0.05, 0.08),
    st.floats(0.0, 0.08),
)


@given(contract)
@settings(**SOME)
def test_a_call_and_a_put_of_one_strike_have_one_gamma(
    made: tuple[float, float, float, float, float],
) -> None:
    moneyness, sigma, years, carry, rate = made
    spot = 4000.0
    forward, discount = np.array([spot * np.exp(carry * years)]), np.array([np.exp(-rate * years)])
    strike, s = np.array([spot * moneyness]), np.array([sigma * np.sqrt(years)])
    step = spot * 1e-4
    slopes = []
    for right in (1.0, -1.0):
        up, down = (
            greeks.spot_delta(spot + h, forward * (spot + h) / spot, discount, strike, s, np.array([right]))[
                0
            ]
            for h in (step, -step)
        )
        slopes.append((up - down) / (2 * step))
    gamma = greeks.spot_gamma(spot, forward, discount, strike, s)[0]
    assert slopes[0] == pytest.approx(slopes[1], abs=1e-10)
    assert slopes[0] == pytest.approx(gamma, rel=5e-3, abs=1e-9)


@given(contract, st.floats(0.1, 20.0))
@settings(**SOME)
def test_gamma_is_homogeneous_in_spot_and_strike(made: tuple[float, ...], scale: float) -> None:
    moneyness, sigma, years, carry, rate = made
    one = np.array([1.0])
    forward, discount, s = (
        np.exp(carry * years) * one,
        np.exp(-rate * years) * one,
        sigma * np.sqrt(years) * one,
    )
    small = greeks.spot_gamma(1.0, forward, discount, moneyness * one, s)[0]
    large = greeks.spot_gamma(scale, scale * forward, discount, scale * moneyness * one, s)[0]
    assert large * scale == pytest.approx(small, rel=1e-9)


@given(contract)
@settings(**SOME)
def test_a_price_gives_its_volatility_back(made: tuple[float, float, float, float, float]) -> None:
    moneyness, sigma, years, carry, rate = made
    one = np.array([1.0])
    forward, discount = np.exp(carry * years) * one, np.exp(-rate * years) * one
    right = np.array([1.0 if moneyness > forward[0] else -1.0])
    price = greeks.black(forward, discount, moneyness * one, sigma * np.sqrt(years) * one, right)
    found = greeks.implied_volatility(price, forward, discount, moneyness * one, years * one, right)[0]
    if price[0] > 1e-9:
        assert found == pytest.approx(sigma, rel=1e-6)


def test_an_impossible_price_has_no_volatility() -> None:
    one = np.array([1.0])
    below = greeks.implied_volatility(np.array([0.05]), one, one, 0.9 * one, one, one)
    above = greeks.implied_volatility(np.array([1.5]), one, one, 0.9 * one, one, one)
    assert np.isnan(below[0])
    assert np.isnan(above[0])


def test_twice_the_open_interest_is_twice_the_exposure() -> None:
    doubled = with_oi(chain().legs["oi"] * 2)
    assert net(doubled) == pytest.approx(2 * net(book()), rel=1e-12)


def test_a_book_and_its_mirror_cancel() -> None:
    own = Repricer(book())
    mirror = Repricer(book(), sign=SignModel("mirror", -1.0, 1.0))
    spots = price_grid(book().spot)
    assert np.abs(own.net_profile(spots) + mirror.net_profile(spots)).max() == 0.0


def test_strikes_and_expiries_add_up_to_the_whole() -> None:
    levels = levels_of(chain())
    assert levels.net == pytest.approx(net(book()), rel=1e-9)
    assert sum(row["net_gex"] for row in levels.expiries) == pytest.approx(levels.net, rel=1e-9)
    assert sum(row["gross_gex"] for row in levels.expiries) == pytest.approx(levels.gross, rel=1e-12)
    buckets = levels.buckets
    assert buckets["zero_dte"].gross + buckets["ex_zero_dte"].gross == pytest.approx(levels.gross, rel=1e-12)


def test_one_percent_of_gamma_is_the_change_of_dealer_delta() -> None:
    move = 1e-4
    up, down = (book().at(book().now, book().spot * (1 + h)) for h in (move, -move))
    # Per unit of index, not of USD: delta exposure itself is delta times spot.
    change = exposures_of(up).delta_usd / up.spot - exposures_of(down).delta_usd / down.spot
    per_percent = change / (2 * move) * 0.01 * book().spot
    gross = float(book().exposure().sum())
    assert per_percent == pytest.approx(net(book()), abs=1e-4 * gross)


def test_the_expiry_instant_removes_exactly_its_rows() -> None:
    first = min(expiry.settle_ns for expiry in book().carry.expiries)
    before, after = book().at(first - 1, book().spot), book().at(first, book().spot)
    assert len(before.legs) - len(after.legs) == np.count_nonzero(book().legs["settle_ns"] == first)
    assert (after.legs["settle_ns"] > first).all()


def test_the_repricer_gives_what_the_plain_formula_gives() -> None:
    spots = price_grid(book().spot, points=41)
    call, put = Repricer(book()).profile(spots)
    for at in (0, 13, 20, 33):
        moved = book().at(book().now, float(spots[at]))
        exposure = moved.exposure()
        total = float(exposure.sum())
        assert call[at] == pytest.approx(float(exposure[moved.is_call].sum()), abs=1e-10 * total)
        assert put[at] == pytest.approx(float(exposure[~moved.is_call].sum()), abs=1e-10 * total)
        assert Repricer(book()).net(float(spots[at])) == pytest.approx(net(moved), abs=1e-9 * total)


def test_a_late_narrow_bell_is_summed_as_exactly_as_a_wide_one() -> None:
    last = min(expiry.settle_ns for expiry in book().carry.expiries) - 60_000_000_000
    late = book().at(last, book().spot)
    spots = price_grid(book().spot, points=401)
    call, _ = Repricer(late).profile(spots)
    at = 200
    moved = late.at(last, float(spots[at]))
    assert call[at] == pytest.approx(float(moved.exposure()[moved.is_call].sum()), rel=1e-9)


def test_a_flip_is_a_zero_and_its_absence_has_a_reason() -> None:
    repricer, spots = Repricer(book()), price_grid(book().spot)
    found = zero_gamma(repricer, spots, repricer.net_profile(spots), book().spot)
    assert found.price is not None
    assert abs(repricer.net(found.price)) < 1e-6 * float(book().exposure().sum())
    calls = with_oi(np.where(chain().legs["right"] == CALL, chain().legs["oi"], 0.0))
    repricer = Repricer(calls)
    none = zero_gamma(repricer, spots, repricer.net_profile(spots), calls.spot)
    assert none.price is None
    assert none.reason is not None
    assert "stays positive" in none.reason


def test_a_tie_of_walls_goes_to_the_strike_nearer_to_spot() -> None:
    table = per_strike(book(), book().exposure())
    flat = replace(table, call=np.ones(len(table.strike)), put=np.zeros(len(table.strike)))
    found = walls(flat, book().spot)["net"]
    assert found.call == table.strike[np.argmin(np.abs(table.strike - book().spot))]
    assert found.put is None
