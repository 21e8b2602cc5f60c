"""The worked zone example and grouping."""

from __future__ import annotations

import pytest

from mia_kernel.confluence.zones import Level, zones
from mia_kernel.state.levels import PPOC, PUT_WALL, VWAP, WEIGHTS

pytestmark = pytest.mark.unit


def level(slot: int, price: float, touches: int = 0) -> Level:
    return Level(slot, round(price * 8), WEIGHTS[slot], WEIGHTS[slot] * (1 + 0.2 * touches))


def test_zone_of_the_worked_example() -> None:
    (zone,) = zones([level(PPOC, 6500.0), level(VWAP, 6500.5), level(PUT_WALL, 6501.0, touches=2)], 6512 * 4)
    assert (zone.low_2 / 8, zone.high_2 / 8) == (6499.625, 6501.375)
    assert zone.centre_2 / 8 == pytest.approx(6500.56, abs=5e-3)
    assert zone.score == pytest.approx(0.967, abs=5e-4)
    assert (zone.quality, zone.direction) == ("extreme", 1)


def test_a_gap_of_more_than_three_ticks_splits_and_inside_has_no_direction() -> None:
    one, other = zones([level(VWAP, 6500.0), level(PPOC, 6501.0)], 6500 * 4)
    assert (one.direction, other.direction) == (0, -1)
