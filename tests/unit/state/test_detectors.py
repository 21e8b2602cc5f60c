"""Headfake, icebergs, latency and anomalies on markets of a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.state import headfake, iceberg, micro
from mia_kernel.state.bars import TF_5M
from mia_kernel.state.micro import MICRO_DTYPE, MicroParams
from tests.fakes.bars_by_hand import add_bar, fresh_market, mirrored

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

CENTRE = 6500.0


def trap(
    closes: list[tuple[float, ...]], sign: int = 1, volume: int = 2_000, absorbed: float = -0.3
) -> float:
    market = fresh_market()
    market.array["clock"]["signal"] = TF_5M
    quiet = [(6500.0, 6501.0, 6499.0, 6500.0)] * 12
    for i, ohlc in enumerate([*quiet, *closes]):
        row = ohlc if sign > 0 else mirrored(ohlc, CENTRE)
        loud = volume if i == len(quiet) else 1_000
        add_bar(market, TF_5M, row, volume=loud, absorption=sign * absorbed if i == len(quiet) else 0.0)
        headfake.on_bar_close(market.array[0], TF_5M)
    return float(headfake.value(market.array[0]["headfake"]))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_break_that_returns_is_a_trap_against_it(sign: int) -> None:
    broke_and_held = [(6500.0, 6502.0, 6500.0, 6501.5)]
    assert trap(broke_and_held, sign) == 0.0, "not decided before a close returns"
    returned = [*broke_and_held, (6501.5, 6501.5, 6500.0, 6500.25)]
    assert trap(returned, sign) == pytest.approx(-sign * 1.0)  # .4 + .6 + .3, held at 1
    thin = trap(returned, sign, volume=1_000)
    assert thin == pytest.approx(-sign * 0.9)
    assert trap(returned, sign, volume=1_000, absorbed=0.0) == 0.0, "a return alone is no trap"


def test_a_break_that_holds_two_bars_is_none() -> None:
    held = [
        (6500.0, 6502.0, 6500.0, 6501.5),
        (6501.5, 6502.5, 6501.25, 6502.0),
        (6502.0, 6502.5, 6501.5, 6502.0),
    ]
    assert trap([*held, (6502.0, 6502.0, 6500.0, 6500.25)]) == 0.0


def test_a_bar_outside_both_edges_says_the_stronger_trap_and_nothing_where_they_contradict() -> None:
    outside = [(6500.0, 6502.0, 6498.0, 6500.0)]
    assert trap(outside, absorbed=0.0) == 0.0, "0.7 up and 0.7 down"
    for sign in (1, -1):
        assert trap(outside, sign, absorbed=-0.15) == pytest.approx(-sign * 1.0), (
            "0.4 + 0.3 + 0.3 against 0.7"
        )


def test_too_few_bars_are_not_ready() -> None:
    assert np.isnan(headfake.value(fresh_market().array[0]["headfake"]))


def test_more_traded_than_shown_is_an_inferred_iceberg_counted_once() -> None:
    i = np.zeros(1, iceberg.ICEBERG_DTYPE)[0]
    book: Any = np.zeros(1, np.dtype([("bid", "i4"), ("ask", "i4"), ("b", "i4", 1), ("a", "i4", 1)]))[0]
    book["bid"], book["ask"], book["b"], book["a"] = 100, 101, 40, 30
    iceberg.on_book(i, book)
    for at in range(6):
        iceberg.on_trade(i, 100, 30, -1, at)
    assert iceberg.within(i, -1) == (1, 180)
    iceberg.on_trade(i, 101, 89, 1, 7)
    assert iceberg.within(i, -1)[0] == 1, "89 of 30 shown is nearly three times, not three"
    iceberg.on_trade(i, 101, 20, 1, 8)
    assert iceberg.within(i, -1) == (2, 180 - 109)
    book["bid"] = 99
    iceberg.on_book(i, book)
    iceberg.on_trade(i, 100, 500, -1, 9)
    assert iceberg.within(i, -1)[0] == 2, "a price that is no longer the best is not watched"


def fresh_micro() -> Any:
    m = np.zeros(1, MICRO_DTYPE)
    micro.init(m, MicroParams())
    return m[0]


def test_latency_quantiles_forget_after_six_minutes() -> None:
    m = fresh_micro()
    minute = 60 * 10**9
    for _ in range(99):
        micro.arrival(m, 1_000_000, 10 * minute)
    micro.arrival(m, 64_000_000, 10 * minute)
    assert micro.latency_us(m, 0.5, 10 * minute) == pytest.approx(1_000, rel=0.20)
    assert micro.latency_us(m, 0.995, 10 * minute) == pytest.approx(64_000, rel=0.20)
    assert np.isnan(micro.latency_us(m, 0.5, 16 * minute))
    for late_ms in (90, 900, 9_000):
        micro.arrival(m, late_ms * 1_000_000, 20 * minute)
        assert micro.latency_us(m, 1.0, 20 * minute) == pytest.approx(late_ms * 1_000, rel=0.20)
    micro.arrival(m, 60 * 10**9, 20 * minute)
    assert micro.latency_us(m, 1.0, 20 * minute) == 2.0 ** (95 / 4), "the last bin is open"
    micro.arrival(m, -5, 17 * minute)
    assert m["early_rows"] == 1


def test_a_wide_spread_is_an_anomaly_only_against_thirty_seconds() -> None:
    m = fresh_micro()
    for second in range(40):
        micro._spread(m, 1, second)
    assert m["event_n"] == 0
    assert m["spread_ratio"] == 1.0
    micro._spread(m, 3, 40)
    assert (m["event_n"], m["event_size"][0], m["event_ts"][0]) == (1, 3.0, 40)
    assert m["wide_n"] == 1
    assert m["one_tick_n"] == 40
