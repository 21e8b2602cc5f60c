"""The worked zone example and grouping."""

from __future__ import annotations

import pytest

from mia_kernel.confluence.zones import Level, score_at, zones, zones_near
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


def test_strong_zones_within_twenty_ticks_and_the_score_at_a_price() -> None:
    """An extreme zone 6499.625 to 6501.375 (0.967) and a weak one at 6503.25 to 6504.00 (0.267)."""
    levels = [
        level(PPOC, 6500.0),
        level(VWAP, 6500.5),
        level(PUT_WALL, 6501.0, touches=2),
        level(VWAP, 6503.625),
    ]
    found = zones(levels, 6502 * 4)
    assert [zone.quality for zone in found] == ["extreme", "weak"]
    assert zones_near(found, 6502 * 4) == found[:1], "the weak one is nearer and does not count"
    assert zones_near(found, 4 * 6506.375) == found[:1], "twenty ticks above its range"
    assert zones_near(found, 4 * 6506.625) == []
    inside = score_at(found, 4 * 6500.0)
    assert inside == pytest.approx(0.967, abs=5e-4), "the other is more than ten ticks away"
    between = 0.9667 * (1 - 2.5 / 10) + 0.2667 * (1 - 5 / 10)
    assert score_at(found, 4 * 6502.0) == pytest.approx(between, abs=5e-4)
    assert score_at(found, 4 * 6400.0) == 0.0
