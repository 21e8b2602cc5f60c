"""Order truth by hand: every ordering the venue may choose, exact money, and what a snapshot resolves."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.core.orders import CancelEntry, ClosePosition, OrderStatus, Role
from mia_kernel.core.venue import (
    Cancel,
    Commission,
    Fill,
    Holding,
    Place,
    Rests,
    Snapshot,
    VenueOrder,
    WireType,
)
from mia_kernel.execution import plan
from mia_kernel.execution.reconcile import reconcile
from mia_kernel.execution.truth import Truth
from mia_kernel.execution.truth_record import parts_of
from tests.fakes.guarded import ASK, BID, bracket
from tests.fakes.venue import T0

pytestmark = [pytest.mark.unit, pytest.mark.safety]
FEES = {"ES": 225, "MES": 62}


def opened(qty: int = 1) -> tuple[Truth, str]:
    truth, command = Truth(FEES), bracket(T0, qty=qty)
    orders = plan.bracket_orders(command)
    truth.open_bracket(command, orders)
    truth.sent(Place(orders), T0)
    return truth, command.bracket_id


def said(
    truth: Truth, name: str, role: Role, status: OrderStatus, filled: int = 0, perm: int = 0
) -> VenueOrder:
    o = truth.state.orders[f"{name}-{role.value}"].order
    perm = perm or 100 + list(Role).index(role)
    return VenueOrder(
        o.ref,
        perm,
        o.symbol,
        o.side,
        o.qty,
        filled,
        status,
        o.type,
        T0 + 1,
        o.limit_ticks,
        o.stop_ticks,
        Rests.VENUE,
    )


def fill(name: str, role: Role, n: int, px: int, exec_id: str, side: int = 1) -> Fill:
    return Fill(exec_id, 100 + list(Role).index(role), f"{name}-{role.value}", "ES", side, n, px, T0 + 2)


def test_every_order_of_messages_gives_the_same_truth() -> None:
    results = set()
    for order in itertools.permutations(range(5)):
        truth, name = opened()
        events = [
            said(truth, name, Role.ENTRY, OrderStatus.WORKING),
            said(truth, name, Role.ENTRY, OrderStatus.FILLED, 1),
            fill(name, Role.ENTRY, 1, ASK, "a.01"),
            Commission("a.01", Decimal("2.10")),
            said(truth, name, Role.STOP, OrderStatus.WORKING),
        ]
        for at in order:
            truth.apply(events[at])
        b = truth.state.brackets[name]
        results.add((truth.position("ES"), b.filled, b.fees_usd, truth.net_usd({"ES": ASK + 4})))
    assert results == {(1, 1, Decimal("2.10"), Decimal("47.90"))}


def test_a_cancel_that_speaks_of_an_unheard_fill_waits_for_it() -> None:
    truth, name = opened(qty=2)
    truth.apply(said(truth, name, Role.ENTRY, OrderStatus.CANCELLED, filled=1))
    assert truth.state.orders[f"{name}-entry"].live
    truth.apply(fill(name, Role.ENTRY, 1, ASK, "a.01"))
    assert truth.state.orders[f"{name}-entry"].status is OrderStatus.CANCELLED
    assert truth.state.brackets[name].open == 1


def test_a_commission_not_told_yet_counts_as_expected() -> None:
    truth, name = opened()
    truth.apply(fill(name, Role.ENTRY, 1, ASK, "a.01"))
    assert truth.net_usd({"ES": ASK}) == Decimal("-2.25")
    truth.apply(Commission("a.01", Decimal("1.00")))
    assert truth.net_usd({"ES": ASK}) == Decimal("-1.00")


def test_an_open_position_without_a_mark_is_unknown() -> None:
    truth, name = opened()
    truth.apply(fill(name, Role.ENTRY, 1, ASK, "a.01"))
    assert truth.net_usd({}) is None


def test_corrections_replace_and_old_ones_are_ignored() -> None:
    truth, name = opened()
    first = fill(name, Role.ENTRY, 1, ASK, "a.b.01")
    truth.apply(first)
    truth.apply(fill(name, Role.ENTRY, 1, ASK + 2, "a.b.02"))
    assert truth.apply(first).reports == ()
    assert truth.position("ES") == 1
    assert truth.net_usd({"ES": ASK + 2}) == Decimal("-2.25")


def test_closing_cancels_first_and_closes_only_what_is_open() -> None:
    truth, name = opened(qty=2)
    truth.apply(fill(name, Role.ENTRY, 1, ASK, "a.01"))
    sent = plan.of_command(truth, ClosePosition(T0, name, "test"))
    assert [i.ref for i in sent if isinstance(i, Cancel)] == [
        f"{name}-entry",
        f"{name}-stop",
        f"{name}-target",
    ]
    (place,) = [i for i in sent if isinstance(i, Place)]
    (order,) = place.orders
    assert (order.type, order.side, order.qty) == (WireType.MARKET, -1, 1)
    for instruction in sent:
        truth.sent(instruction, T0)
    assert plan.of_command(truth, ClosePosition(T0, name, "again")) == ()
    assert plan.flatten(truth, "again", everything=True) == ()


def test_a_cancel_is_sent_once() -> None:
    truth, name = opened()
    (cancel,) = plan.of_command(truth, CancelEntry(T0, name, "x"))
    truth.sent(cancel, T0)
    assert plan.of_command(truth, CancelEntry(T0, name, "x")) == ()


def test_a_snapshot_resolves_what_was_unknown_and_leaves_what_was_sent_later() -> None:
    truth, name = opened()
    truth.doubt(f"{name}-entry")
    empty = Snapshot(1, (), (), (), T0 + 5)
    found = reconcile(truth, empty, asked_ts=T0, marks={})
    assert found.equal
    assert name in truth.state.brackets, "it was sent at the time of the question: absence means nothing"
    found = reconcile(truth, empty, asked_ts=T0 + 1, marks={})
    assert found.equal
    assert name not in truth.state.brackets


def test_a_working_order_the_venue_does_not_have_is_a_difference() -> None:
    truth, name = opened()
    truth.apply(said(truth, name, Role.ENTRY, OrderStatus.WORKING))
    found = reconcile(truth, Snapshot(1, (), (), (), T0 + 5), asked_ts=T0 + 1, marks={})
    assert [d.what for d in found.differences] == ["order"]


def test_the_venue_is_right_about_the_position_once_it_can_be_marked() -> None:
    truth = Truth(FEES)
    snapshot = Snapshot(1, (Holding("ES", 2),), (), (), T0)
    assert not reconcile(truth, snapshot, asked_ts=T0, marks={}).equal
    assert truth.position("ES") == 0
    assert not reconcile(truth, snapshot, asked_ts=T0, marks={"ES": ASK}).equal
    assert truth.position("ES") == 2
    assert truth.net_usd({"ES": ASK}) == 0
    assert reconcile(truth, snapshot, asked_ts=T0, marks={"ES": ASK}).equal


@given(
    st.lists(st.tuples(st.sampled_from((1, -1)), st.integers(1, 3), st.integers(17_000, 19_000)), max_size=20)
)
def test_money_is_exact_whatever_is_traded(trades: list[tuple[int, int, int]]) -> None:
    truth, cash, held = Truth(FEES), Decimal(0), 0
    for number, (side, qty, px) in enumerate(trades):
        truth.apply(Fill(f"x{number}.01", 1, "", "ES", side, qty, px, T0, Decimal("2.25") * qty))
        cash -= side * qty * px * Decimal("12.5") + Decimal("2.25") * qty
        held += side * qty
    assert truth.net_usd({"ES": 18_000}) == cash + held * 18_000 * Decimal("12.5")


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("mia-5-entry", ("mia-5", Role.ENTRY)),
        ("mia-5-stop.2", ("mia-5", Role.STOP)),
        ("mia-0-exit.7", ("mia-0", Role.EXIT)),
        ("somebody's order", ("", Role.EXIT)),
        ("", ("", Role.EXIT)),
    ],
)
def test_refs_name_bracket_and_role(ref: str, parts: tuple[str, Role]) -> None:
    assert parts_of(ref) == parts


def test_a_snapshot_older_than_a_fill_says_nothing_about_the_position() -> None:
    truth = Truth(FEES)
    bought = Fill("0001.01", 7, "", "MES", 1, 1, ASK, T0 + 3, Decimal("0.62"))
    truth.apply(bought)
    before = truth.net_usd({"MES": BID})
    found = reconcile(truth, Snapshot(1, (), (), (), T0 + 5), asked_ts=T0, marks={"MES": BID})
    assert (found.crossed, found.differences, found.equal) == (("MES",), (), False)
    assert truth.position("MES") == 1
    assert truth.net_usd({"MES": BID}) == before, "money was made up at the mark"
    later = reconcile(truth, Snapshot(2, (), (), (), T0 + 9), asked_ts=T0 + 4, marks={"MES": BID})
    assert [d.what for d in later.differences] == ["position"], "asked after the fill: the venue is right"
