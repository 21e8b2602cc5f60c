"""One break of the broker's farms asks for the streams again once, however many farms it was."""

from __future__ import annotations

import pytest

from mia_kernel.adapters.ibkr_farms import LATEST_S, Farms

pytestmark = pytest.mark.unit

DATA = "Market data farm connection is broken:usfuture", "Market data farm connection is OK:usfuture"
OPTIONS = "Market data farm connection is broken:usopt", "Market data farm connection is OK:usopt"


def told(*words: tuple[float, int, str]) -> list[float]:
    farms = Farms()
    return [at for at, code, text in words if farms.hear(code, text, at)]


def test_several_farms_of_one_break_are_one_recovery_when_the_last_is_back() -> None:
    breaks = [
        (0.0, 2103, DATA[0]),
        (0.0, 2103, OPTIONS[0]),
        (0.0, 2105, "h:ushmds"),
        (0.0, 2157, "s:secdefil"),
    ]
    ends = [(0.5, 2104, DATA[1]), (0.6, 2104, OPTIONS[1]), (0.7, 2106, "h:ushmds"), (0.8, 2158, "s:secdefil")]
    assert told(*breaks, *ends) == [0.8]


def test_a_farm_that_stays_broken_holds_the_others_up_for_a_second_only() -> None:
    farms = Farms()
    for text in (DATA[0], OPTIONS[0]):
        assert not farms.hear(2103, text, 1.0)
    assert not farms.hear(2104, DATA[1], 2.0)
    assert not farms.due(2.0 + 0.9 * LATEST_S)
    assert farms.due(2.0 + LATEST_S)
    assert not farms.due(9.0)
    assert farms.hear(2104, OPTIONS[1], 10.0)  # a recovery of its own


@pytest.mark.parametrize("code", [2107, 2108, 2119, 2104, 2106, 2158, 1100, 10197])
def test_what_ends_no_break_asks_for_nothing(code: int) -> None:
    assert told((0.0, code, DATA[1]), (5.0, code, DATA[1])) == []


def test_words_without_a_name_belong_to_one_farm() -> None:
    assert told((0.0, 2103, "broken"), (1.0, 2104, "back")) == [1.0]


def test_a_fresh_connection_has_no_old_break() -> None:
    farms = Farms()
    farms.hear(2103, DATA[0], 0.0)
    farms.clear()
    assert not farms.hear(2104, DATA[1], 1.0)
