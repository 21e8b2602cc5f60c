"""Profile of bars and its nodes: nothing leans to one side, and a node that stays keeps what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.state import levels, profile
from mia_kernel.state.profile import ANCHOR_DTYPE, MASK

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

CENTRE = 1_000


def fresh_anchor() -> Any:
    return np.zeros(1, ANCHOR_DTYPE)[0]


def rows(a: Any, low: int, high: int) -> list[int]:
    return [int(a["volume_at"][px & MASK]) for px in range(low, high + 1)]


@given(low=st.integers(900, 990), width=st.integers(0, 40), share=st.floats(0, 1), volume=st.integers(0, 500))
def test_a_mirrored_bar_has_the_mirrored_rows(low: int, width: int, share: float, volume: int) -> None:
    high, close = low + width, low + round(share * width)
    one, other = fresh_anchor(), fresh_anchor()
    profile.add_bar(one, low, high, low, close, volume)
    profile.add_bar(other, 2 * CENTRE - high, 2 * CENTRE - low, 2 * CENTRE - low, 2 * CENTRE - close, volume)
    spread = rows(one, low, high)
    assert spread == rows(other, 2 * CENTRE - high, 2 * CENTRE - low)[::-1]
    assert sum(spread) == volume
    assert max(spread) - min(spread) <= 1


def nodes(anchor: Any, *prices: int) -> Any:
    anchor["has_area"], anchor["poc_2"], anchor["hvn_n"] = 1, 2 * CENTRE, len(prices)
    anchor["hvn"][: len(prices)] = prices
    return anchor


def kept(table: Any) -> dict[int, int]:
    taken = table["at"][levels.HVN_FIRST : levels.HVN_FIRST + levels.HVN_SLOTS]
    return {int(at["price_2"]) // 2: int(at["touches"]) for at in taken if at["known"]}


def test_a_node_that_stays_keeps_its_touches_and_one_that_goes_is_forgotten() -> None:
    table = np.zeros(1, levels.LEVELS_DTYPE)[0]
    levels._area(table, nodes(fresh_anchor(), 990, 1_010, 1_020), 1)
    for at in table["at"][levels.HVN_FIRST : levels.HVN_FIRST + 3]:
        at["touches"] = at["price_2"] // 20  # 99, 101, 102
    levels._area(table, nodes(fresh_anchor(), 980, 1_010, 1_020), 2)
    assert kept(table) == {980: 0, 1_010: 101, 1_020: 102}


def test_two_nodes_equally_far_that_do_not_both_fit_are_left_out() -> None:
    table = np.zeros(1, levels.LEVELS_DTYPE)[0]
    apart = [*range(CENTRE + 5, CENTRE + 60, 5), CENTRE - 60, CENTRE + 60]
    levels._area(table, nodes(fresh_anchor(), *apart), 1)
    assert sorted(kept(table)) == apart[:11]
    levels._area(table, nodes(fresh_anchor(), *apart[:-1]), 2)
    assert sorted(kept(table)) == sorted(apart[:-1])
