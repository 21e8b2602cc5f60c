"""The order state machine and the bracket plan."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.decisions import STRONG, Score, Signal, Verdict
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.orders import CancelEntry, ClosePosition, OrderStatus, OrderType, ReplaceStop
from mia_kernel.execution.oms import DEAD, ExecutionParams, Oms, advance
from tests.fakes.small_market import T0, S, at, bracket, quote
from tests.fakes.trading import Desk

pytestmark = [pytest.mark.unit, pytest.mark.safety]
NOTHING = np.zeros(14)
SCORE = Score(0.45, 72.5, 0.7, 0.5, STRONG, 1, NOTHING, NOTHING)
LONG = Signal(T0, 1, "battle_navale", 1.0, 0.7, 20_001, 19_993, 20_021, STRONG, "")


def verdict(**changes: object) -> Verdict:
    given = {
        "allowed": True,
        "code": "allowed",
        "symbol": "ES",
        "qty": 2,
        "binding": "max_position",
        "limits": {"max_position": 2.0},
        "size_multiplier": 1.0,
        "message": "",
        "risk_cents": 23_400,
    }
    return Verdict(**(given | changes))  # type: ignore[arg-type]


def test_plan_is_a_limit_at_the_touch_with_stop_and_target() -> None:
    plan = Oms(ExecutionParams()).plan(LONG, verdict(), SCORE, 20_000.5, T0)
    assert plan.bracket_id == f"mia-{T0}"
    assert (plan.entry.type, plan.entry.limit_ticks, plan.entry.qty) == (OrderType.LIMIT, 20_001, 2)
    assert plan.entry.expires_ts == T0 + 30 * S
    assert plan.entry.reference_ticks == 20_000.5
    assert (plan.stop.side, plan.stop.type, plan.stop.stop_ticks) == (-1, OrderType.STOP, 19_993)
    assert (plan.target.side, plan.target.limit_ticks) == (-1, 20_021)
    assert (plan.grade, plan.confluence_percent, plan.risk_cents) == (STRONG, 72.5, 23_400)


def test_entry_may_lie_through_the_touch() -> None:
    plan = Oms(ExecutionParams(entry_through_ticks=2)).plan(LONG, verdict(), SCORE, None, T0)
    assert plan.entry.limit_ticks == 20_003
    assert plan.entry.reference_ticks is None


def test_the_same_decision_gives_the_same_ids() -> None:
    one, two = (Oms(ExecutionParams()).plan(LONG, verdict(), SCORE, 20_000.5, T0) for _ in range(2))
    assert one == two


def test_nothing_is_planned_without_permission() -> None:
    with pytest.raises(InvariantError, match="does not allow"):
        Oms(ExecutionParams()).plan(LONG, verdict(allowed=False, qty=0), SCORE, None, T0)


@pytest.mark.parametrize("dead", sorted(DEAD))
def test_a_dead_order_stays_dead(dead: OrderStatus) -> None:
    for said in OrderStatus:
        if said is not dead:
            with pytest.raises(InvariantError, match="cannot become"):
                advance("x", dead, said)


def test_old_news_does_not_undo_a_cancellation_under_way() -> None:
    assert advance("x", OrderStatus.CANCEL_PENDING, OrderStatus.WORKING) is OrderStatus.CANCEL_PENDING
    assert advance("x", OrderStatus.CANCEL_PENDING, OrderStatus.FILLED) is OrderStatus.FILLED


def test_unknown_is_resolved_by_what_a_query_says() -> None:
    assert advance("x", OrderStatus.UNKNOWN, OrderStatus.FILLED) is OrderStatus.FILLED
    assert advance("x", OrderStatus.SUBMITTED, OrderStatus.UNKNOWN) is OrderStatus.UNKNOWN


def test_protection_equals_the_position() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101, 9, 1), quote(1, 100, 101, 9, 1)],
        bracket(0, 1, limit=101, stop=90, target=130, qty=2),
    )
    (view,) = desk.oms.open_brackets()
    assert (view.open, view.protected, view.entry) == (2, 2, OrderStatus.FILLED)
    assert [f.last_qty for f in desk.fills("entry")] == [1, 1]


def test_flatten_closes_each_bracket_once() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=101, stop=90, target=130)
    )
    (close,) = desk.oms.flatten(at(5), "daily_loss")
    assert isinstance(close, ClosePosition)
    assert close.reason == "daily_loss"
    desk.send(close)
    assert desk.oms.flatten(at(6), "daily_loss") == ()
    desk.feed(quote(7, 100, 101))
    assert desk.oms.open_brackets() == ()
    assert desk.account.position == 0


def test_cancel_entries_leaves_positions_alone() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)],
        bracket(0, 1, limit=101, stop=90, target=130),
        bracket(0.5, 1, limit=95, stop=90, target=130),
    )
    (cancel,) = desk.oms.cancel_entries(at(5), "disarmed")
    assert isinstance(cancel, CancelEntry)
    assert cancel.bracket_id == f"mia-{at(0.5)}"
    desk.send(cancel)
    desk.feed(quote(7, 100, 101))
    assert len(desk.oms.open_brackets()) == 1
    assert desk.account.position == 1


def test_overdue_entries_are_withdrawn() -> None:
    oms = Oms(ExecutionParams())
    oms.accept(bracket(0, 1, limit=95, stop=90, target=130))
    assert oms.overdue(at(34)) == ()  # expires at 30; a venue is given five seconds to say so
    (cancel,) = oms.overdue(at(35))
    oms.accept(cancel)
    assert oms.overdue(at(36)) == ()


def test_a_stop_may_only_tighten() -> None:
    oms = Oms(ExecutionParams())
    place = bracket(0, -1, limit=100, stop=110, target=70)
    oms.accept(place)
    oms.accept(ReplaceStop(at(1), place.bracket_id, 105, "trail_ball"))
    with pytest.raises(InvariantError, match="only tighten"):
        oms.accept(ReplaceStop(at(2), place.bracket_id, 106, "loosen"))


def test_commands_for_nobody_are_our_error() -> None:
    with pytest.raises(InvariantError, match="not open"):
        Oms(ExecutionParams()).accept(ReplaceStop(at(1), f"mia-{T0}", 105, "trail_ball"))


def test_restored_orders_go_on_the_same() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=101, stop=90, target=130)
    )
    other = Oms(ExecutionParams())
    other.restore(desk.oms.to_bytes())
    assert other.open_brackets() == desk.oms.open_brackets()
    with pytest.raises(InvariantError, match="bytes"):
        other.restore(b"short")
