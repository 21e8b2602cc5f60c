"""The account to the cent, and what a position went through."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.orders import ClosePosition, ReplaceStop
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.state.account import ACCOUNT_DTYPE, Account, bracket_key, bracket_name, init, week_of
from tests.fakes.small_market import T0, at, bar, bracket, quote, trade
from tests.fakes.trading import EQUITY_CENTS, Desk

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_open_profit_is_marked_with_every_trade() -> None:
    desk = Desk().run(
        [quote(-1, 20100, 20101), quote(1, 20100, 20101), trade(2, 20105), trade(3, 20109), trade(4, 20103)],
        bracket(0, 1, limit=20101, stop=20090, target=20130, qty=2),
    )
    # 2 contracts: +2 ticks at 103 = 50 USD, entry fees 4.50; the peak was at 109: 200 - 4.50
    assert desk.account.equity_cents == EQUITY_CENTS + 2 * 2 * 1250 - 450
    assert desk.account.open_cents == 2 * 2 * 1250 - 450
    assert int(desk.record["peak_cents"][0]) == EQUITY_CENTS + 8 * 2 * 1250 - 450
    assert int(desk.record["drawdown_cents"][0]) == 6 * 2 * 1250


def test_excursions_are_those_of_the_time_in_the_market() -> None:
    desk = Desk().run(
        [
            quote(-1, 20100, 20101),
            trade(-0.5, 20080),  # before
            quote(1, 20100, 20101),
            trade(2, 20097),
            trade(3, 20108),
            quote(4, 20116, 20117),
            trade(5, 20119),  # through the target: we were gone at 116
            trade(6, 20140),
        ],
        bracket(0, 1, limit=20101, stop=20090, target=20116),
    )
    (trip,) = desk.trips
    assert (trip.mae_ticks, trip.mfe_ticks) == (4.0, 15.0)


def test_bar_that_hits_the_target_counts_its_bad_side_first() -> None:
    desk = Desk().run(
        [bar(0, 100, 101, 99, 100), bar(60, 100, 101, 99, 100), bar(120, 101, 120, 96, 118)],
        bracket(0, 1, limit=100, stop=90, target=110),
    )
    (trip,) = desk.trips
    assert (trip.mae_ticks, trip.mfe_ticks) == (4.0, 10.0)


def test_quote_only_source_marks_a_long_at_the_bid_and_a_short_at_the_ask() -> None:
    long = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=101, stop=90, target=130)
    )
    short = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, -1, limit=100, stop=111, target=70)
    )
    assert long.account.open_cents == short.account.open_cents == -1250 - 225


def test_day_and_week_roll_keep_what_was_earned() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 116, 117), trade(3, 117, 1, 1)],
        bracket(0, 1, limit=101, stop=93, target=116),
    )
    net = 15 * 1250 - 450
    assert (desk.account.day_net_cents, desk.account.week_net_cents) == (net, net)
    desk.account.enter_day(20231115)
    assert (desk.account.day_net_cents, desk.account.week_net_cents) == (0, net)
    assert int(desk.record["trades_today"][0]) == 0
    desk.account.enter_day(20231120)  # the Monday after
    assert desk.account.week_net_cents == 0


def test_a_trading_week_is_monday_to_friday() -> None:
    assert week_of(20231113) == week_of(20231117)
    assert week_of(20231117) != week_of(20231120)


def test_days_do_not_run_backwards() -> None:
    desk = Desk()
    with pytest.raises(InvariantError, match="went back"):
        desk.account.enter_day(20231113)


def test_losses_in_a_row_and_the_table_by_phase() -> None:
    desk = Desk()
    for i in range(2):
        start = 100.0 * i
        desk.run(
            [
                quote(start - 1, 100, 101),
                quote(start + 1, 100, 101),
                quote(start + 2, 92, 93),
                trade(start + 3, 92),
            ],
            bracket(start, 1, limit=101, stop=93, target=130),
        )
    record = desk.record[0]
    assert int(record["consecutive_losses"]) == 2
    assert int(record["losses"]) == 2
    # each lost 101 → 91 = 10 ticks and 4.50; the plan risked 117.00
    assert int(record["loss_cents"]) == 2 * 12_950
    assert int(record["phase_n"][4, 0]) == 2
    assert float(record["phase_r"][4, 0]) == pytest.approx(-2 * 129.50 / 117.00)
    assert int(record["last_loss_ts"]) == at(102)


def test_a_scratch_is_neither_win_nor_loss() -> None:
    place = bracket(0, 1, limit=101, stop=93, target=130)
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 102, 103), quote(11, 102, 103)],
        place,
        ClosePosition(at(10), place.bracket_id, "test"),
    )
    (trip,) = desk.trips
    assert trip.net_cents == -450  # out at the bid 102 less one tick, where it came in
    record = desk.record[0]
    assert (int(record["wins"]), int(record["losses"]), int(record["consecutive_losses"])) == (0, 0, 0)


def test_open_risk_follows_the_stop() -> None:
    place = bracket(0, 1, limit=101, stop=91, target=130, qty=2)
    desk = Desk().run([quote(-1, 100, 101), quote(1, 104, 105)], place)
    assert int(desk.record["open_risk_cents"][0]) == 2 * 10 * 1250
    desk.send(ReplaceStop(at(5), place.bracket_id, 99, "trail_ball"))
    assert int(desk.record["open_risk_cents"][0]) == 2 * 2 * 1250
    desk.send(ReplaceStop(at(6), place.bracket_id, 103, "trail_ball"))
    assert int(desk.record["open_risk_cents"][0]) == 0


def test_a_bracket_under_way_counts_its_planned_risk() -> None:
    desk = Desk().run([quote(-1, 100, 101)], bracket(0, 1, limit=90, stop=82, target=130))
    assert int(desk.record["brackets"][0]) == 1
    assert desk.account.position == 0
    assert int(desk.record["open_risk_cents"][0]) == 11_700


def test_an_entry_that_never_fills_frees_its_place() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(40, 100, 101)], bracket(0, 1, limit=95, stop=90, target=130)
    )
    assert int(desk.record["brackets"][0]) == 0
    assert int(desk.record["open_risk_cents"][0]) == 0
    assert int(desk.record["entries"][0]) == 0


def test_execution_measures_of_the_newest_entry() -> None:
    # decision mid 100.5, filled at 102: slippage +1.5 ticks, quality 1 - 1.5/4
    desk = Desk().run(
        [quote(-1, 100, 101), quote(0.05, 101, 102), quote(0.3, 101, 102)],
        bracket(0, 1, limit=103, stop=90, target=130, reference=100.5),
    )
    record = desk.record[0]
    assert float(record["slippage_ticks"]) == 1.5
    assert float(record["fill_quality"]) == pytest.approx(0.625)
    assert float(record["execution_time_ms"]) == pytest.approx(300.0)


def test_micros_weigh_a_tenth() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)],
        bracket(0, 1, limit=101, stop=90, target=130, symbol="MES", qty=5),
    )
    assert desk.account.position == 5
    assert float(desk.record["es_position"][0]) == 0.5
    (position,) = desk.account.positions()
    assert (position.symbol, position.qty, position.average_ticks) == ("MES", 5, 101.0)


def test_names_of_brackets_hold_their_time() -> None:
    assert bracket_key(bracket_name(T0)) == T0
    with pytest.raises(InvariantError, match="mia-"):
        bracket_key("hand-placed")


def test_a_fill_of_nobody_is_refused() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=101, stop=90, target=130)
    )
    fresh = np.zeros(1, ACCOUNT_DTYPE)
    init(fresh, EQUITY_CENTS)
    with pytest.raises(InvariantError, match="unknown bracket"):
        Account(fresh, PHASE_NAMES).apply(desk.fills("entry")[0])


def test_exits_beyond_the_position_are_refused() -> None:
    desk = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101)], bracket(0, 1, limit=101, stop=90, target=130, qty=1)
    )
    other = Desk().run(
        [quote(-1, 100, 101), quote(1, 100, 101), quote(2, 88, 89), trade(3, 88)],
        bracket(0, 1, limit=101, stop=90, target=130, qty=2),
    )
    with pytest.raises(InvariantError, match="exceed the position"):
        desk.account.apply(other.fills("stop")[0])


def test_measured_expectancy_of_earlier_runs_can_be_taken() -> None:
    desk = Desk()
    n = np.zeros((16, 2), np.int64)
    n[4, 1] = 40
    desk.account.load_expectancy(n, np.full((16, 2), 2.5))
    assert int(desk.record["phase_n"][0, 4, 1]) == 40
