"""The simulated venue, scene by scene: times in seconds, prices in ticks."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import merge
from mia_kernel.core.orders import CancelEntry, ClosePosition, OrderStatus, ReplaceStop
from mia_kernel.execution.simulate import SimulatedVenue, SimulatorParams
from mia_kernel.state.costs import CostParams
from tests.fakes.small_market import at, bar, bracket, quote, trade
from tests.fakes.trading import Desk

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_marketable_entry_fills_at_the_touch_it_finds_after_the_latency() -> None:
    # sent at 0 against 100/101, arrives at 0.1; the quote of 0.05 counts, the one of 0.2 does not
    desk = Desk().run(
        [quote(-1, 100, 101), quote(0.05, 101, 102), quote(0.2, 100, 101)],
        bracket(0, 1, limit=103, stop=90, target=130),
    )
    (fill,) = desk.fills("entry")
    assert (fill.last_ticks, fill.fee_cents, fill.ts_event) == (102.0, 225, at(0.2))


def test_the_worst_touch_on_the_way_is_paid() -> None:
    # 101 → 103 → 101 within the latency: the fill is at 103, so more latency can never be cheaper
    desk = Desk().run(
        [quote(-1, 100, 101), quote(0.03, 102, 103), quote(0.06, 100, 101), quote(0.5, 100, 101)],
        bracket(0, 1, limit=103, stop=90, target=130),
    )
    assert desk.fills("entry")[0].last_ticks == 103.0


def test_entry_waits_when_the_market_left_its_limit() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(0.05, 102, 103), quote(1, 102, 103)],
        bracket(0, 1, limit=101, stop=90, target=130),
    )
    assert desk.fills("entry") == []
    assert desk.last("entry").status is OrderStatus.WORKING


def test_resting_entry_fills_only_behind_the_queue() -> None:
    # 7 rest at 100 when the order joins; 5 trade there, then 4: two of ours after the first seven
    desk = Desk().run(
        [
            quote(-1, 100, 101, 7, 9),
            trade(1, 100, 5, -1),
            trade(2, 100, 4, -1),
            trade(3, 100, 9, 1),  # a buyer paying 100 does not meet our bid
        ],
        bracket(0, 1, limit=100, stop=90, target=130, qty=3),
    )
    (fill,) = desk.fills("entry")
    assert (fill.last_qty, fill.last_ticks, fill.tags) == (2, 100.0, ("queue",))
    assert fill.status is OrderStatus.PARTIALLY_FILLED


def test_a_shrinking_level_shortens_the_queue() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101, 50, 9), quote(1, 100, 101, 2, 9), trade(2, 100, 3, -1)],
        bracket(0, 1, limit=100, stop=90, target=130),
    )
    assert desk.fills("entry")[0].last_qty == 1


def test_traded_through_fills_everything_at_the_limit() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101, 50, 9), trade(1, 99, 1, -1)],
        bracket(0, 1, limit=100, stop=90, target=130, qty=2),
    )
    (fill,) = desk.fills("entry")
    assert (fill.last_qty, fill.last_ticks, fill.tags) == (2, 100.0, ("through",))


def test_entry_expires_after_thirty_seconds() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(31, 100, 101), trade(32, 90, 5, -1)],
        bracket(0, 1, limit=95, stop=90, target=130),
    )
    assert desk.last("entry").status is OrderStatus.EXPIRED
    assert desk.last("entry").reason == "entry_timeout"
    assert desk.fills("entry") == []
    assert desk.venue.working == 0


def test_entry_far_from_the_mid_is_refused() -> None:
    desk = Desk().run([quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=80, stop=70, target=130))
    assert (desk.last("entry").status, desk.last("entry").reason) == (
        OrderStatus.REJECTED,
        "too_far_from_mid",
    )


def test_stop_fills_at_the_opposite_touch_plus_slippage() -> None:
    # in at 101; a trade at 93 touches the stop; bid 93, one tick of slippage in RTH → 92
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 93, 94), trade(3, 93, 1, -1)],
        bracket(0, 1, limit=101, stop=93, target=130),
    )
    (fill,) = desk.fills("stop")
    assert fill.last_ticks == 92.0
    (trip,) = desk.trips
    # 9 ticks of 12.50 and 4.50 of fees
    assert (trip.gross_cents, trip.fees_cents, trip.net_cents) == (-11_250, 450, -11_700)
    assert trip.exit_reason == "stop"
    assert trip.mae_ticks == 9.0
    assert desk.account.equity_cents == 5_000_000 - 11_700


def test_slippage_outside_rth_is_two_ticks() -> None:
    evening = 8 * 3600.0  # 19:00 New York, the next trading day
    desk = Desk().run(
        [
            quote(evening - 1, 100, 101),
            quote(evening + 1, 100, 101),
            quote(evening + 2, 93, 94),
            trade(evening + 3, 93, 1, -1),
        ],
        bracket(evening, 1, limit=101, stop=93, target=130),
    )
    assert desk.fills("stop")[0].last_ticks == 91.0


def test_hours_follow_the_calendar_while_an_order_works() -> None:
    # in at 15:59 New York, out after 16:00: two ticks of slippage
    almost = 5 * 3600.0 - 60.0
    desk = Desk().run(
        [
            quote(almost - 1, 100, 101),
            quote(almost + 1, 100, 101),
            quote(almost + 62, 93, 94),
            trade(almost + 63, 93, 1, -1),
        ],
        bracket(almost, 1, limit=101, stop=93, target=130),
    )
    assert desk.fills("stop")[0].last_ticks == 91.0


def test_slippage_around_news_is_two_ticks() -> None:
    desk = Desk()
    desk.venue.set_news([at(60)])
    desk.run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 93, 94), trade(3, 93, 1, -1)],
        bracket(0, 1, limit=101, stop=93, target=130),
    )
    assert desk.fills("stop")[0].last_ticks == 91.0


def test_short_is_the_mirror_of_long() -> None:
    desk = Desk().run(
        [quote(-1, 99, 100), quote(1, 99, 100), quote(2, 106, 107), trade(3, 107, 1, 1)],
        bracket(0, -1, limit=99, stop=107, target=70),
    )
    (trip,) = desk.trips
    assert (trip.entry_ticks, trip.exit_ticks, trip.net_cents) == (99.0, 108.0, -11_700)


def test_target_cancels_the_stop() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 116, 117), trade(3, 117, 1, 1)],
        bracket(0, 1, limit=101, stop=93, target=116),
    )
    (trip,) = desk.trips
    assert (trip.exit_reason, trip.exit_ticks, trip.gross_cents) == ("target", 116.0, 15 * 1250)
    assert desk.last("stop").reason == "one_cancels_other"
    assert trip.mfe_ticks == 15.0  # what printed behind the target was not ours


def test_partial_target_leaves_a_stop_for_the_rest() -> None:
    desk = Desk().run(
        [
            quote(-1, 20100, 20101, 9, 9),
            quote(1, 20100, 20101, 9, 9),
            quote(2, 20114, 20115, 9, 4),  # the target 115 is the touch: 4 stand before us
            trade(3, 20115, 5, 1),  # one of ours
            quote(4, 20093, 20094),
            trade(5, 20093, 1, -1),
        ],
        bracket(0, 1, limit=20101, stop=20093, target=20115, qty=3),
    )
    assert [f.last_qty for f in desk.fills("target")] == [1]
    assert [f.last_qty for f in desk.fills("stop")] == [2]
    (trip,) = desk.trips
    assert trip.qty == 3
    assert trip.gross_cents == (14 - 9 - 9) * 1250


def test_close_position_cancels_the_bracket_and_fills_at_market() -> None:
    place = bracket(0, 1, limit=101, stop=90, target=130)
    close = ClosePosition(at(10), place.bracket_id, "flat_before_close")
    desk = Desk().run([quote(-1, 100, 101), quote(1, 100, 101), quote(11, 103, 104)], place, close)
    (trip,) = desk.trips
    # the bid when the order arrived at 10.1 was 100; slippage one tick
    assert (trip.exit_ticks, trip.exit_reason) == (99.0, "flat_before_close")
    assert desk.last("stop").status is OrderStatus.CANCELLED
    assert desk.venue.working == 0


def test_cancelled_entry_keeps_the_protection_of_what_was_filled() -> None:
    place = bracket(0, 1, limit=100, stop=90, target=130, qty=2)
    desk = Desk().run(
        [quote(-1, 100, 101, 0, 9), trade(1, 100, 1, -1), quote(5, 101, 102), trade(6, 98, 5, -1)],
        place,
        CancelEntry(at(3), place.bracket_id, "disarmed"),
    )
    assert desk.last("entry").status is OrderStatus.CANCELLED
    (view,) = desk.oms.open_brackets()
    assert (view.open, view.protected, view.filled) == (1, 1, 1)


def test_replaced_stop_holds_after_the_latency() -> None:
    place = bracket(0, 1, limit=101, stop=90, target=130)
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 110, 111), quote(12, 104, 105), trade(13, 105, 1, -1)],
        place,
        ReplaceStop(at(10), place.bracket_id, 105, "trail_ball"),
    )
    (trip,) = desk.trips
    assert (trip.exit_reason, trip.exit_ticks) == ("trailing_stop", 103.0)


def test_a_stop_never_moves_away() -> None:
    place = bracket(0, 1, limit=101, stop=90, target=130)
    desk = Desk().run([quote(-1, 100, 101), quote(1, 100, 101)], place)
    with pytest.raises(InvariantError, match="only tighten"):
        desk.venue.submit([ReplaceStop(at(2), place.bracket_id, 89, "loosen")])


def test_without_quotes_a_market_fill_is_the_worse_of_next_and_last_trade() -> None:
    # last trade 100, next 99: the buyer pays 101 (last + 1), not 99
    desk = Desk().run([trade(-1, 100), trade(1, 99)], bracket(0, 1, limit=None, stop=90, target=130))
    (fill,) = desk.fills("entry")
    assert (fill.last_ticks, fill.tags) == (101.0, ("no_quotes",))


def test_without_quotes_a_stop_waits_for_the_next_trade() -> None:
    desk = Desk().run(
        [trade(-1, 20100), trade(1, 20100), trade(2, 20093), trade(3, 20088)],
        bracket(0, 1, limit=None, stop=20093, target=20130),
    )
    (trip,) = desk.trips
    assert (trip.entry_ticks, trip.exit_ticks) == (20101.0, 20088.0)


def test_without_quotes_a_limit_needs_a_trade_through_it() -> None:
    desk = Desk().run(
        [trade(-1, 100), trade(1, 100, 500), trade(2, 99)], bracket(0, 1, limit=100, stop=90, target=130)
    )
    (fill,) = desk.fills("entry")
    assert (fill.last_ticks, fill.ts_event) == (100.0, at(2))


def test_inside_a_bar_the_worse_comes_first() -> None:
    # entry rests at 100; the second bar reaches stop 94 and target 106: the stop counts
    desk = Desk().run(
        [bar(0, 100, 101, 99, 100), bar(60, 100, 101, 98, 100), bar(120, 100, 108, 93, 107)],
        bracket(0, 1, limit=100, stop=94, target=106),
    )
    (trip,) = desk.trips
    assert (trip.entry_ticks, trip.exit_ticks, trip.exit_reason) == (100.0, 93.0, "stop")
    assert trip.mfe_ticks == 0.0


def test_a_bar_that_opens_beyond_the_stop_fills_at_its_open() -> None:
    desk = Desk().run(
        [bar(0, 100, 101, 99, 100), bar(60, 100, 101, 98, 100), bar(120, 90, 99, 89, 95)],
        bracket(0, 1, limit=100, stop=94, target=106),
    )
    (fill,) = desk.fills("stop")
    assert fill.last_ticks == 89.0
    assert "gap" in fill.tags


def test_the_entry_bar_may_stop_out_but_not_reach_the_target() -> None:
    desk = Desk().run(
        [bar(0, 100, 101, 99, 100), bar(60, 100, 120, 99, 119), bar(120, 119, 121, 118, 120)],
        bracket(0, 1, limit=100, stop=94, target=110),
    )
    (fill,) = desk.fills("target")
    assert fill.ts_event == at(120)


def test_micro_contract_costs_a_tenth_and_its_own_fee() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 116, 117), trade(3, 117, 1, 1)],
        bracket(0, 1, limit=101, stop=93, target=116, symbol="MES", qty=5),
    )
    (trip,) = desk.trips
    assert (trip.gross_cents, trip.fees_cents) == (5 * 15 * 125, 5 * 2 * 62)


def test_scan_changes_nothing() -> None:
    venue = SimulatedVenue(SimulatorParams(), CostParams())
    rows = merge([quote(-1, 100, 101), quote(1, 100, 101), trade(2, 80, 1, -1)])
    venue.advance(rows, 0, 1)
    venue.submit([bracket(0, 1, limit=101, stop=90, target=130)])
    before = venue.to_bytes()
    assert venue.scan(rows, 1, 3) == 2
    assert venue.scan(rows, 1, 3) == 2
    assert venue.to_bytes() == before
    assert venue.reports() == []


def test_restored_venue_goes_on_the_same() -> None:
    rows = merge([quote(-1, 100, 101), quote(1, 100, 101), quote(2, 91, 92), trade(3, 90, 1, -1)])
    place = bracket(0, 1, limit=101, stop=90, target=130)
    one, two = (SimulatedVenue(SimulatorParams(), CostParams()) for _ in range(2))
    one.advance(rows, 0, 1)
    one.submit([place])
    one.advance(rows, 1, 2)
    one.reports()
    two.restore(one.to_bytes())
    one.advance(rows, 2, 4)
    two.advance(rows, 2, 4)
    assert one.reports() == two.reports()


def test_snapshot_refuses_to_lose_reports() -> None:
    desk = Desk()
    rows = merge([quote(-1, 100, 101), quote(1, 100, 101)])
    desk.venue.advance(rows, 0, 1)
    desk.venue.submit([bracket(0, 1, limit=101, stop=90, target=130)])
    desk.venue.advance(rows, 1, 2)
    with pytest.raises(InvariantError, match="waiting"):
        desk.venue.to_bytes()


def test_what_the_state_does_not_believe_fills_nothing() -> None:
    late = trade(5, 5, 9, -1)
    late["ts_event"] = at(-60)
    desk = Desk().run(
        [
            quote(-1, 2000, 2001),
            trade(-0.5, 2000),
            quote(1, 2000, 2001),
            trade(2, 1500, 1, -1),  # a jump of 25 %
            quote(3, 2010, 1900),  # crossed
            trade(4, 1500, 0, -1),  # empty
            late,
        ],
        bracket(0, 1, limit=2001, stop=1990, target=2030),
    )
    assert desk.trips == []
    assert desk.account.position == 1
    assert int(desk.record["drawdown_cents"][0]) == 225


def test_a_jump_that_three_prints_confirm_is_real() -> None:
    desk = Desk().run(
        [
            quote(-1, 2000, 2001),
            trade(-0.5, 2000),
            quote(1, 2000, 2001),
            *(trade(2 + i, 1500, 1, -1) for i in range(3)),
        ],
        bracket(0, 1, limit=2001, stop=1990, target=2030),
    )
    (fill,) = desk.fills("stop")
    assert fill.ts_event == at(4)


def test_a_full_venue_rejects() -> None:
    desk = Desk()
    desk.venue.advance(quote(-1, 100, 101), 0, 1)
    desk.venue.submit([bracket(i * 0.001, 1, limit=99, stop=90, target=130) for i in range(9)])
    assert [r.reason for r in desk.venue.reports()] == ["too_many_brackets"]


def test_the_same_bracket_twice_is_our_error() -> None:
    desk = Desk()
    desk.venue.advance(quote(-1, 100, 101), 0, 1)
    place = bracket(0, 1, limit=99, stop=90, target=130)
    desk.venue.submit([place])
    with pytest.raises(InvariantError, match="twice"):
        desk.venue.submit([place])


def test_other_instruments_let_time_pass_but_fill_nothing() -> None:
    nq = trade(1, 50, 9, -1)
    nq["instrument"] = 1
    late = trade(40, 50, 9, -1)
    late["instrument"] = 1
    desk = Desk().run([quote(-1, 100, 101), nq, late], bracket(0, 1, limit=100, stop=90, target=130))
    assert desk.fills("entry") == []
    assert desk.last("entry").status is OrderStatus.EXPIRED


def test_no_market_yet_is_no_place_to_enter() -> None:
    desk = Desk()
    nq = trade(1, 50, 9, -1)
    nq["instrument"] = 1
    desk.run(nq, bracket(0, 1, limit=100, stop=90, target=130))
    assert (desk.last("entry").status, desk.last("entry").reason) == (OrderStatus.REJECTED, "no_market")


def test_slices_do_not_matter_here_either() -> None:
    rng = np.random.default_rng(7)
    rows = []
    mid = 1000
    for i in range(400):
        mid += int(rng.integers(-2, 3))
        rows.append(quote(i * 0.2, mid, mid + 1, int(rng.integers(1, 9)), int(rng.integers(1, 9))))
        rows.append(trade(i * 0.2 + 0.1, mid + int(rng.integers(0, 2)), int(rng.integers(1, 9)), 0))
    place = bracket(0, 1, limit=1001, stop=990, target=1012, qty=2)
    whole = Desk().run(rows, place)
    cut = Desk().run(rows, place, cuts=range(0, 800, 3))
    assert whole.reports == cut.reports
    assert whole.trips == cut.trips
