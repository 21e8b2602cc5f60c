"""The venue by hand: what each order kind fills, where families and groups end, which code refuses."""

from __future__ import annotations

import pytest

from mia_kernel.gateway.fields import by_hand
from mia_kernel.gateway.market import Bar
from mia_kernel.gateway.params import GatewayParams
from tests.fakes.gateway_orders import ASK, BID, Bench, S

pytestmark = pytest.mark.unit


def test_a_market_order_walks_the_book_level_by_level() -> None:
    bench = Bench()
    bench.quote(asks=[2, 3, 10])
    order = bench.place(1, "BUY", 6, "MKT")
    assert order is not None
    assert [(f.quantity, f.price) for f in bench.fills] == [(2, 4500.25), (3, 4500.50), (1, 4500.75)]
    assert order.average == pytest.approx((2 * 4500.25 + 3 * 4500.50 + 4500.75) / 6)
    assert order.status() == "Filled"


def test_what_was_taken_is_gone_until_the_next_row() -> None:
    bench = Bench()
    bench.quote(asks=[2] * 10)
    bench.place(1, "BUY", 2, "MKT")
    bench.place(2, "BUY", 1, "MKT")
    assert [f.price for f in bench.fills] == [4500.25, 4500.50]


def test_a_resting_limit_waits_for_the_queue_in_front_of_it() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 3, limit=BID)
    assert order is not None
    bench.trade(BID, 8, -1)  # 10 rest in front: 2 are left
    assert order.filled == 0
    bench.trade(BID, 4, -1)  # 2 in front, 2 for us
    assert (order.filled, order.status()) == (2, "Submitted")
    bench.trade(BID, 5, +1)  # a buyer at the bid price does not hit resting buyers
    assert order.filled == 2
    bench.trade(BID - 1, 1, -1)  # through the price: the rest
    assert (order.filled, order.average) == (3, 4500.0)
    assert {f.liquidity for f in bench.fills} == {1}


def test_cancelled_size_in_front_moves_the_order_forward() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 1, limit=BID)
    bench.quote(bids=[1] + [10] * 9)
    bench.trade(BID, 2, -1)
    assert order is not None
    assert order.filled == 1


def test_stop_and_touched_orders_wait_for_their_trigger() -> None:
    bench = Bench()
    bench.trade(ASK)
    stop = bench.place(1, "SELL", 1, "STP", aux=BID - 4)
    touched = bench.place(2, "BUY", 1, "MIT", aux=BID - 2)
    stop_limit = bench.place(3, "SELL", 1, "STP LMT", aux=BID - 4, limit=BID + 40)
    assert stop is not None
    assert touched is not None
    assert stop_limit is not None
    bench.trade(BID - 2)
    assert (touched.status(), stop.status()) == ("Filled", "PreSubmitted")
    bench.trade(BID - 4)
    assert stop.status() == "Filled"
    assert (stop_limit.status(), stop_limit.filled) == ("Submitted", 0)


def test_a_trail_follows_and_never_turns_back() -> None:
    bench = Bench()
    bench.trade(BID)
    order = bench.place(1, "SELL", 1, "TRAIL", aux=8)
    assert order is not None
    assert order.stop == BID - 8
    bench.trade(BID + 10)
    assert order.stop == BID + 2
    bench.trade(BID + 4)
    assert order.stop == BID + 2
    bench.trade(BID + 2)
    assert order.status() == "Filled"


def test_double_last_asks_for_two_prints() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 1, "STP", aux=ASK + 4, trigger_method=3)
    assert order is not None
    bench.trade(ASK + 4)
    assert order.status() == "PreSubmitted"
    bench.trade(ASK + 4)
    assert order.status() == "Filled"


def test_immediate_or_cancel_and_fill_or_kill() -> None:
    bench = Bench()
    bench.quote(asks=[2] + [0] * 9)
    some = bench.place(1, "BUY", 5, limit=ASK, tif="IOC")
    none = bench.place(2, "BUY", 5, limit=ASK, tif="FOK")
    assert some is not None
    assert none is not None
    assert (some.filled, some.status()) == (2, "Cancelled")
    assert (none.filled, none.status()) == (0, "Cancelled")


def test_nothing_is_told_before_the_bracket_is_transmitted() -> None:
    bench = Bench()
    bench.place(1, "BUY", 1, limit=BID, transmit=False)
    bench.place(2, "SELL", 1, limit=BID + 20, parent_id=1, transmit=False)
    assert bench.told == []
    bench.place(3, "SELL", 1, "STP", aux=BID - 20, parent_id=1)
    assert bench.told == [(1, "Submitted"), (2, "PreSubmitted"), (3, "PreSubmitted")]


def test_children_do_only_what_the_parent_has_filled() -> None:
    bench = Bench()
    parent, target, stop = bench.bracket(1, 3, BID, stop=BID - 8, target=BID + 8)
    assert (target.why_held(), target.workable()) == ("child", 0)
    bench.trade(BID, 11, -1)  # 10 in front, 1 for the parent
    assert (parent.filled, target.workable(), target.status()) == (1, 1, "Submitted")
    bench.trade(BID + 9)  # through the target: only the one contract that is there
    assert (target.filled, bench.position) == (1, 0)
    assert (stop.total, stop.workable()) == (2, 0)
    bench.trade(BID - 1)  # the parent's rest
    assert (parent.filled, bench.position, stop.workable()) == (3, 2, 2)
    bench.quote(BID - 9, BID - 8)
    bench.trade(BID - 8)
    assert bench.position == 0
    assert (stop.status(), target.status()) == ("Filled", "Cancelled")


def test_cancelling_a_part_filled_parent_leaves_exits_for_the_part() -> None:
    bench = Bench()
    parent, target, stop = bench.bracket(1, 3, BID, stop=BID - 8, target=BID + 8)
    bench.trade(BID, 12, -1)
    bench.venue.cancel(7, 1)
    assert (parent.status(), parent.filled) == ("Cancelled", 2)
    assert (target.total, stop.total) == (2, 2)


def test_cancelling_an_unfilled_parent_cancels_its_children() -> None:
    bench = Bench()
    family = bench.bracket(1, 3, BID, stop=BID - 8, target=BID + 8)
    bench.venue.cancel(7, 1)
    assert {order.status() for order in family} == {"Cancelled"}


@pytest.mark.parametrize(("kind", "left"), [(1, None), (2, 2), (3, 2)])
def test_an_oca_group_is_cancelled_or_reduced(kind: int, left: int | None) -> None:
    bench = Bench()
    one = bench.place(1, "BUY", 4, limit=BID - 4, oca_group="g", oca_type=kind)
    other = bench.place(2, "BUY", 4, limit=BID - 6, oca_group="g", oca_type=kind)
    assert one is not None
    assert other is not None
    bench.quote(BID - 4, BID - 3)
    one.queue = 0
    bench.trade(BID - 4, 2, -1)
    assert one.filled == 2
    assert (other.status(), other.remaining) == (("Cancelled", 4) if left is None else ("Submitted", left))


def test_realized_is_net_of_both_commissions_as_at_ib() -> None:
    bench = Bench()
    mes = bench.listings.front["MES"]
    account = bench.account
    assert account.apply(mes, 1, 1, 7039.50, 62) is None
    assert account.positions[mes.con_id].average_cost == pytest.approx(7039.50 * 5 + 0.62)
    assert account.apply(mes, -1, 1, 7039.25, 62) == -249  # −0.25 · 5 − 2 · 0.62 USD
    assert account.quantity(mes) == 0


def test_turning_a_position_realizes_the_old_and_opens_the_new() -> None:
    bench = Bench()
    bench.account.apply(bench.es, 1, 1, 4500.0, 225)
    realized = bench.account.apply(bench.es, -1, 3, 4502.0, 675)
    assert realized == round(2.0 * 5000 - 225 - 225)
    assert bench.position == -2
    assert bench.account.positions[bench.es.con_id].average_cost == pytest.approx(4502.0 * 50 - 2.25)


def test_a_modification_keeps_identity_and_may_be_refused() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 2, limit=BID - 4)
    assert order is not None
    permanent = order.perm_id
    bench.place(1, "BUY", 2, limit=BID - 2)
    assert (order.limit, order.perm_id) == (BID - 2, permanent)
    bench.place(1, "BUY", 2, limit=BID - 2.5)
    bench.place(1, "SELL", 2, limit=BID - 2)
    bench.place(1, "BUY", 2, "STP", aux=ASK + 4)
    assert [r.code for r in bench.refusals] == [110, 105, 105]
    assert (order.limit, order.status()) == (BID - 2, "Submitted")


def test_ids_are_used_once_and_cancels_of_the_gone_are_refused() -> None:
    bench = Bench()
    bench.place(5, "BUY", 1, "MKT")
    bench.place(5, "BUY", 1, "MKT")
    bench.place(4, "BUY", 1, "MKT")
    bench.venue.cancel(7, 5)
    bench.venue.cancel(7, 99)
    assert [r.code for r in bench.refusals] == [103, 103, 10148, 10147]
    assert bench.position == 1


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"kind": "LMT"}, 321),
        ({"kind": "STP"}, 321),
        ({"kind": "TRAIL"}, 321),
        ({"kind": "REL"}, 387),
        ({"kind": "MKT", "tif": "OPG"}, 321),
        ({"kind": "MKT", "account": "U1"}, 321),
        ({"kind": "MKT", "algo": "Adaptive"}, 321),
        ({"kind": "MKT", "parent_id": 77}, 135),
        ({"kind": "LMT", "limit": float("nan")}, 110),
        ({"kind": "LMT", "limit": float("inf")}, 110),
    ],
)
def test_what_is_no_order_here_is_refused_with_its_code(terms: dict, code: int) -> None:
    bench = Bench()
    assert bench.place(1, "BUY", 1, terms.pop("kind"), **terms) is None
    assert [r.code for r in bench.refusals] == [code]


@pytest.mark.parametrize("quantity", [0, -1, 1.5])
def test_a_quantity_is_whole_and_positive(quantity: float) -> None:
    bench = Bench()
    assert bench.place(1, "BUY", quantity, "MKT") is None
    assert len(bench.refusals) == 1


def test_margin_refuses_what_the_account_cannot_carry_but_never_an_exit() -> None:
    bench = Bench(GatewayParams(equity_usd=20_000))
    bench.place(1, "BUY", 1, "MKT")
    bench.place(2, "BUY", 1, "MKT")
    assert [r.code for r in bench.refusals] == [201]
    bench.place(3, "SELL", 1, "MKT")
    assert bench.position == 0


def test_an_order_without_outside_rth_waits_for_regular_hours() -> None:
    bench = Bench()
    bench.now += 12 * 3600 * S  # 23:00 New York
    order = bench.place(1, "BUY", 1, "MKT", outside_rth=False)
    assert order is not None
    assert (order.status(), [r.code for r in bench.refusals]) == ("PreSubmitted", [399])
    bench.now += 12 * 3600 * S
    bench.venue.tick()
    assert order.status() == "Filled"


def test_a_day_order_ends_with_its_session() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 1, limit=BID - 40, tif="DAY")
    assert order is not None
    bench.now += 5 * 3600 * S  # 16:00, an hour before the close
    bench.venue.tick()
    assert order.status() == "Submitted"
    bench.now += 3600 * S
    bench.venue.tick()
    assert order.status() == "Cancelled"


def test_a_correction_changes_price_profit_and_the_last_part_of_the_id() -> None:
    bench = Bench()
    order = bench.place(1, "BUY", 1, "MKT")
    assert order is not None
    wrong = bench.fills[-1]
    right = bench.venue.correct(wrong, 4499.0)
    assert right.exec_id.rsplit(".", 1) == [wrong.exec_id.rsplit(".", 1)[0], "02"]
    assert order.average == 4499.0
    assert bench.account.positions[bench.es.con_id].average_cost == pytest.approx(4499.0 * 50 + 2.25)


def test_an_order_by_hand_belongs_to_client_zero() -> None:
    bench = Bench()
    placed = bench.venue.place_by_hand(bench.es, by_hand("BUY", 1, None))
    again = bench.venue.place_by_hand(bench.es, by_hand("BUY", 1, 4400.0))
    assert [(o.client_id, o.order_id, o.status()) for o in (placed, again)] == [  # type: ignore[union-attr]
        (0, -1, "Filled"),
        (0, -2, "Submitted"),
    ]


def _bars(bench: Bench, *bars: tuple[int, int, int, int]) -> None:
    """Hand out minutes (open, high, low, close) of a source that has nothing else."""
    bench.market.bid = bench.market.ask = 0
    for o, h, low, c in bars:
        bench.now += 60 * S
        bar = Bar(o, h, low, c, 100, 60)
        bench.market.take_bar(bench.now, bar)
        bench.venue.on_bar(bench.market, bench.now, bar)


def test_bars_give_nothing_inside_the_bar_an_order_came_in() -> None:
    bench = Bench()
    bench.market.bid = bench.market.ask = 0
    bench.now += 30 * S  # half way through a minute
    order = bench.place(1, "BUY", 2, "MKT")
    assert order is not None
    bench.now -= 30 * S
    _bars(bench, (BID, BID + 9, BID - 9, BID))
    assert order.filled == 0
    _bars(bench, (BID + 3, BID + 9, BID - 9, BID))
    assert (order.filled, order.average) == (2, (BID + 3) * 0.25)


def test_bars_fill_a_limit_only_when_they_go_through_it_and_a_stop_at_the_worse_price() -> None:
    bench = Bench()
    _bars(bench, (BID, BID, BID, BID))
    limit = bench.place(1, "BUY", 1, limit=BID - 4)
    stop = bench.place(2, "SELL", 1, "STP", aux=BID - 8)
    trail = bench.place(3, "SELL", 1, "TRAIL", aux=6)
    assert limit is not None
    assert stop is not None
    assert trail is not None
    _bars(bench, (BID, BID + 2, BID - 4, BID))
    assert (limit.filled, stop.filled, trail.stop) == (0, 0, BID - 4)
    _bars(bench, (BID - 12, BID - 10, BID - 14, BID - 12))
    assert limit.average == (BID - 12) * 0.25  # the gap opened better than asked
    assert stop.average == trail.average == (BID - 12) * 0.25  # and worse for the stops


def test_an_inferred_market_stands_one_tick_around_the_prints() -> None:
    market = Bench().market
    for px, side, bid in (
        (BID + 8, 1, BID + 7),
        (BID + 7, -1, BID + 7),
        (BID + 8, 0, BID + 7),
        (BID + 9, 0, BID + 8),
        (BID + 3, 0, BID + 3),
    ):
        market.levels = 1
        market.infer_quote(px, 5, side)
        assert (market.bid, market.ask) == (bid, bid + 1)
        assert (market.bids[0], market.asks[0]) == (5, 5)
