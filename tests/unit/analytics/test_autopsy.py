"""A fill taken apart: the parts add up, and what the source cannot see stays unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics.autopsy import Mids, autopsy, by_role
from mia_kernel.core.events import BAR, QUOTE, empty
from mia_kernel.core.orders import OrderReport, OrderStatus, Role
from mia_kernel.core.session import new_york_ns
from mia_kernel.state.costs import CostParams

pytestmark = pytest.mark.unit

NS = 1_000_000_000
START = new_york_ns(20250610, 600)
COSTS = CostParams()


def quotes(mids: dict[float, int], spread: int = 1):
    rows = empty(len(mids))
    rows["ts_event"] = rows["ts_recv"] = [START + round(t * NS) for t in mids]
    rows["kind"] = QUOTE
    rows["bid"] = list(mids.values())
    rows["ask"] = rows["bid"] + spread
    rows["seq"] = np.arange(len(rows))
    return rows


def fill(role: Role = Role.ENTRY, *, side: int = 1, at: float = 0.1, price: float = 22_003.0) -> OrderReport:
    return OrderReport(
        ts_event=START + round(at * NS), ts_recv=START, seq=0, order_id="b1-entry", bracket_id="b1", role=role,
        symbol="ES", side=side, status=OrderStatus.FILLED, qty=1, filled_qty=1, last_qty=1, last_ticks=price,
        fee_cents=225, exec_id="b1-x0", reference_ticks=22_000.5, submitted_ts=START,
    )  # fmt: skip


def test_slippage_is_delay_half_spread_and_impact() -> None:
    rows = quotes({0: 22_000, 0.05: 22_001, 1.0: 22_004, 10.0: 21_999, 60.0: 22_010, 90.0: 22_010})
    found = autopsy(rows, [fill()], COSTS)[0]
    assert found.delay_ms == pytest.approx(100)
    assert found.slippage_ticks == pytest.approx(2.5)
    assert (found.delay_ticks, found.spread_ticks, found.impact_ticks) == (1.0, 0.5, 1.0)
    assert found.adverse_ticks == (-3.0, 2.0, -9.0)


def test_a_sell_is_the_mirror_of_a_buy() -> None:
    up = quotes({0: 22_000, 0.05: 22_001, 1.0: 22_004, 60.0: 22_010, 90.0: 22_010})
    down = up.copy()
    down["ask"] = 44_001 - up["bid"]
    down["bid"] = 44_001 - up["ask"]
    bought = autopsy(up, [fill()], COSTS)[0]
    sold = autopsy(
        down, [replace(fill(side=-1, price=44_001 - 22_003.0), reference_ticks=44_001 - 22_000.5)], COSTS
    )[0]
    for name in ("slippage_ticks", "delay_ticks", "spread_ticks", "impact_ticks", "adverse_ticks"):
        assert getattr(bought, name) == getattr(sold, name)


def test_beyond_the_end_of_the_data_nothing_is_known() -> None:
    found = autopsy(quotes({0: 22_000, 2.0: 22_001}), [fill()], COSTS)[0]
    assert found.adverse_ticks[0] is not None
    assert found.adverse_ticks[1:] == (None, None)


def test_bars_know_nothing_finer_than_a_bar() -> None:
    rows = empty(4)
    rows["ts_event"] = rows["ts_recv"] = START + 300 * NS * np.arange(4)
    rows["kind"], rows["px"], rows["sz"] = BAR, 22_000, 10
    found = autopsy(rows, [fill(at=300)], COSTS)[0]
    assert found.adverse_ticks == (None, None, None)
    assert (found.delay_ticks, found.spread_ticks, found.impact_ticks) == (None, None, None)
    assert found.slippage_ticks == pytest.approx(2.5)
    assert Mids(rows).spread(START) is None


def test_roles_are_held_against_the_cost_model() -> None:
    rows = quotes({0: 22_000, 100.0: 22_000})
    stop = replace(fill(Role.STOP, side=-1, at=50, price=21_999.0), reference_ticks=22_000.5, fee_cents=300)
    entry, stopped = by_role(autopsy(rows, [fill(), stop], COSTS))
    assert (entry.role, entry.modelled_ticks, entry.excess_ticks) == ("entry", 0.0, 2.0)
    assert (stopped.role, stopped.modelled_ticks) == ("stop", 1.0)
    assert stopped.excess_ticks == pytest.approx(0.0)
    assert stopped.fee_difference_cents == 75
    assert entry.slippage_interval is None


def test_no_fill_is_no_autopsy() -> None:
    assert autopsy(quotes({0: 1}), [replace(fill(), last_qty=0)], COSTS) == []
    assert by_role([]) == []
