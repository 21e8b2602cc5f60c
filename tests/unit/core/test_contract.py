"""Codes, expiries and the roll."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mia_kernel.core.contract import (
    Contract,
    calendar_front,
    expiry_day,
    forced_roll_day,
    front_contracts,
    last_trade_ns,
    may_enter,
    next_contract,
    parse_contract,
    rolls,
    trading_days_left,
)
from mia_kernel.core.errors import DataError

pytestmark = pytest.mark.unit

U19, Z19, H20 = Contract("ES", 2019, 9), Contract("ES", 2019, 12), Contract("ES", 2020, 3)


@pytest.mark.parametrize(
    ("text", "near", "code"),
    [
        ("ESH24", None, "ESH24"),
        ("esu19", None, "ESU19"),
        ("ESH2024", None, "ESH24"),
        ("ESU25_FUT_CME", None, "ESU25"),
        ("ESM22-CME", None, "ESM22"),
        ("MNQZ25", None, "MNQZ25"),
        ("ESH4", 2023, "ESH24"),
        ("ESH4", 2016, "ESH14"),
        ("ESU9", 2019, "ESU19"),
    ],
)
def test_codes(text: str, near: int | None, code: str) -> None:
    assert parse_contract(text, near_year=near).code == code


@pytest.mark.parametrize("text", ["ES", "ESF24", "SPYH24", "ESH", "", "H24", "ESH123"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a futures contract code"):
        parse_contract(text)


def test_one_digit_year_needs_a_decade() -> None:
    with pytest.raises(DataError, match="which decade"):
        parse_contract("ESH4")


def test_months_follow_each_other() -> None:
    assert next_contract(U19) == Z19
    assert next_contract(Z19) == H20
    assert U19 < Z19 < H20


@pytest.mark.parametrize(
    ("code", "day"),
    [
        ("ESU19", 20190920),
        ("ESH24", 20240315),
        ("ESM22", 20220617),
        ("ESM26", 20260618),  # Juneteenth is the third Friday: Thursday
        ("ESH08", 20080320),  # Good Friday is the third Friday: Thursday
    ],
)
def test_expiry_is_the_third_friday_or_the_day_before(code: str, day: int) -> None:
    assert expiry_day(parse_contract(code)) == day


def test_last_trade_is_0930_new_york() -> None:
    wall = datetime(2019, 9, 20, 9, 30, tzinfo=ZoneInfo("America/New_York"))
    assert last_trade_ns(U19) == round(wall.timestamp()) * 10**9


def test_no_new_entry_with_fewer_than_three_days_left() -> None:
    assert trading_days_left(U19, 20190917) == 3
    assert may_enter(U19, 20190917)
    assert not may_enter(U19, 20190918)
    assert trading_days_left(U19, 20190920) == 0


def test_roll_after_the_day_whose_volume_crossed() -> None:
    volume = {
        20190910: {U19: 100, Z19: 20},
        20190911: {U19: 100, Z19: 101},  # crosses; known when the day is over
        20190912: {U19: 500, Z19: 400},  # so Z19 is front here, and stays so
        20190913: {U19: 500, Z19: 400},
    }
    front = front_contracts(volume)
    assert [front[day] for day in sorted(front)] == [U19, U19, Z19, Z19]
    assert rolls(front) == [(20190912, U19, Z19)]


def test_roll_at_the_latest_on_monday_of_expiry_week() -> None:
    assert forced_roll_day(U19) == 20190916
    front = front_contracts({day: {U19: 900, Z19: 1} for day in (20190913, 20190916, 20190917)})
    assert [front[day] for day in sorted(front)] == [U19, Z19, Z19]


def test_equal_volume_does_not_roll() -> None:
    front = front_contracts({20190910: {U19: 100, Z19: 100}, 20190911: {U19: 100, Z19: 100}})
    assert set(front.values()) == {U19}


def test_a_crossover_on_a_day_never_changes_that_day() -> None:
    base = {20190909: {U19: 100, Z19: 20}, 20190910: {U19: 100, Z19: 20}}
    for later in (1, 10_000):
        front = front_contracts({**base, 20190911: {U19: 100, Z19: later}})
        assert front[20190911] == U19


def test_an_expired_contract_and_an_empty_day_are_left_out() -> None:
    assert front_contracts({20190919: {U19: 900}}) == {}
    assert front_contracts({20190910: {}}) == {}


def test_calendar_front() -> None:
    assert calendar_front("ES", 20190915) == U19
    assert calendar_front("ES", 20190916) == Z19
    assert calendar_front("ES", 20191220) == H20
