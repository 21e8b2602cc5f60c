"""A market inferred from prints lives between them for a minute, and no longer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mia_kernel.gateway.subscriptions import LevelOne
from tests.fakes.gateway_orders import BID, Bench, S

pytestmark = pytest.mark.unit
BOTH = 2


class Told:
    """Stands where a session stands, and keeps what it is told."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []

    def send(self, values: list[Any]) -> None:
        self.sent.append(values)


def sizes_told(bench: Bench, seconds: float, *, infers: bool, halted: bool = False) -> list[float]:
    """Return when sizes of bid and ask were told within this long after one print."""
    session = Told()
    bench.market.infers, bench.market.halted = infers, int(halted)
    bench.trade(BID, 3, -1)
    bench.market.infer_quote(BID, 3, -1)
    line = LevelOne(session, 1, dataclasses.replace(bench.es), bench.market, "", 250_000_000)  # type: ignore[arg-type]
    began, told = bench.now, []
    for step in range(round(seconds * 4) + 1):
        bench.now = began + step * S // 4
        session.sent.clear()
        line.flush(bench.now)
        if sum(values[0] == 2 and values[3] in (0, 3) for values in session.sent) == BOTH:
            told.append((bench.now - began) / S)
    return told


def test_an_inferred_market_is_told_every_second_for_a_minute_after_its_last_print() -> None:
    assert sizes_told(Bench(), 90, infers=True) == [float(second) for second in range(60)]


def test_a_recorded_market_is_told_when_it_changes_only() -> None:
    assert sizes_told(Bench(), 10, infers=False) == [0.0]


def test_a_halted_market_does_not_live() -> None:
    assert sizes_told(Bench(), 10, infers=True, halted=True) == [0.0]
