"""Sizing: the worked example of the domain reference, and its edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.sizing import (
    Ask,
    Record,
    floor_ratio,
    kelly,
    risk_per_contract_usd,
    risk_share,
    size,
    wilson_lower,
)
from mia_kernel.state.costs import CostParams

pytestmark = [pytest.mark.unit, pytest.mark.safety]
PARAMS, COSTS = RiskParams(), CostParams()

# p̂ = .56, n = 200, b = 1.2: 112 wins of 120 USD, 88 losses of 100 USD
SEASONED = Record(n=200, wins=112, losses=88, win_cents=112 * 12_000, loss_cents=88 * 10_000)
YOUNG = Record(n=0, wins=0, losses=0, win_cents=0, loss_cents=0)
ASK = Ask(
    equity_usd=50_000.0,
    stop_ticks=8,
    is_rth=True,
    day_net_usd=0.0,
    open_risk_usd=0.0,
    es_position=0.0,
    max_position=2.0,
    max_position_name="max_position",
    multiplier=1.0,
    record=SEASONED,
)


def test_worked_example_lower_bound_and_kelly() -> None:
    lower = wilson_lower(112, 200)
    assert lower == pytest.approx(0.5018, abs=5e-5)
    assert kelly(lower, 1.2) == pytest.approx(0.0867, abs=5e-5)
    assert kelly(0.56, 1.2) == pytest.approx(0.193, abs=5e-4)
    share, name = risk_share(SEASONED, PARAMS)
    assert share == pytest.approx(0.0217, abs=5e-5)
    assert name == "kelly"


def test_worked_example_risk_per_contract() -> None:
    # 8 ticks 100 + fees 4.50 + one tick of stop slippage 12.50
    assert risk_per_contract_usd("ES", 8, True, COSTS) == 117.0
    assert risk_per_contract_usd("ES", 8, False, COSTS) == 129.5
    assert risk_per_contract_usd("MES", 8, True, COSTS) == pytest.approx(12.49)


def test_worked_example_the_smallest_limit_is_named() -> None:
    answer = size(replace(ASK, day_net_usd=-100.0), PARAMS, COSTS)
    assert answer.limits == {
        "risk_budget": 9.0,  # 2.17 % uncapped; the cap is a limit of its own
        "risk_per_trade": 4.0,  # floor(500 / 117)
        "open_risk": 2.0,  # floor(250 / 117)
        "share_of_remaining_daily_loss": 1.0,  # floor(0.3 · 400 / 117)
        "max_position": 2.0,
    }
    assert (answer.symbol, answer.qty, answer.binding) == ("ES", 1, "share_of_remaining_daily_loss")


def test_worked_example_no_edge_is_no_trade() -> None:
    # p̂ = .55, n = 60, b = 1: p_L = .444, f < 0
    record = Record(n=60, wins=33, losses=27, win_cents=33 * 10_000, loss_cents=27 * 10_000)
    assert wilson_lower(33, 60) == pytest.approx(0.444, abs=5e-4)
    answer = size(replace(ASK, record=record), PARAMS, COSTS)
    assert (answer.qty, answer.binding) == (0, "risk_budget")


def test_few_trips_risk_a_fixed_share() -> None:
    # 0.5 % of 50 000 = 250 USD: floor(250 / 117) = 2; half of it for a weak grade: 125 → 1
    answer = size(replace(ASK, record=YOUNG), PARAMS, COSTS)
    assert answer.limits["risk_budget"] == 2.0
    assert answer.share_name == "fixed"
    assert size(replace(ASK, record=YOUNG, multiplier=0.5), PARAMS, COSTS).qty == 1


def test_a_profit_of_the_day_does_not_widen_its_loss_limit() -> None:
    plain = size(ASK, PARAMS, COSTS)
    assert size(replace(ASK, day_net_usd=900.0), PARAMS, COSTS).limits == plain.limits


def test_micros_take_over_where_one_contract_is_too_much() -> None:
    # 12 ticks: 167 USD a contract against 150: none. MES: (12+1)·1.25 + 1.24 = 17.49 → floor(150 / 17.49) = 8
    answer = size(replace(ASK, stop_ticks=12), PARAMS, COSTS)
    assert (answer.symbol, answer.qty, answer.binding) == ("MES", 8, "share_of_remaining_daily_loss")
    assert answer.limits["max_position"] == 20.0


def test_without_the_fallback_nothing_is_traded_instead() -> None:
    answer = size(replace(ASK, stop_ticks=12), RiskParams(mes_fallback=False), COSTS)
    assert (answer.symbol, answer.qty) == ("ES", 0)


def test_an_open_position_takes_its_part() -> None:
    answer = size(replace(ASK, es_position=-1.0, open_risk_usd=117.0), PARAMS, COSTS)
    assert answer.limits["max_position"] == 1.0
    assert answer.limits["open_risk"] == 1.0


def test_a_spent_day_leaves_nothing() -> None:
    answer = size(replace(ASK, day_net_usd=-600.0), PARAMS, COSTS)
    assert answer.qty == 0
    assert answer.limits["share_of_remaining_daily_loss"] == 0.0


def test_no_loss_yet_is_not_an_infinite_payoff() -> None:
    record = Record(n=60, wins=60, losses=0, win_cents=60 * 10_000, loss_cents=0)
    assert risk_share(record, PARAMS) == (0.005, "fixed")


def test_no_win_yet_risks_nothing() -> None:
    record = Record(n=60, wins=0, losses=60, win_cents=0, loss_cents=60 * 10_000)
    assert risk_share(record, PARAMS) == (0.0, "kelly")


def test_floors_are_downward_but_not_by_a_last_bit() -> None:
    assert floor_ratio(0.3 * 400, 40) == 3.0
    assert floor_ratio(119.99, 40) == 2.0
    assert floor_ratio(-5.0, 40) == 0.0
    assert floor_ratio(2.0 - 0.7, 0.1) == 13.0
