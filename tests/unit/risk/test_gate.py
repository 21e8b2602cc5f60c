"""The gate: order, outcomes, refusals with numbers, halts. Inputs are given directly, no market needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mia_kernel.core.decisions import (
    BLOCKING,
    FAILED,
    INFO,
    NO_TRADE,
    NOT_APPLICABLE,
    PASSED,
    STRONG,
    UNKNOWN,
    WARNING,
    WEAK,
    Score,
    Signal,
)
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import Carries
from mia_kernel.core.orders import OrderReport, OrderStatus, Role, TradingState
from mia_kernel.risk import gates
from mia_kernel.risk.gamma_factors import GammaFactors
from mia_kernel.risk.gate import GateParams, GateResult, GateSource, RiskGate, RiskParams
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import ACCOUNT_DTYPE
from mia_kernel.state.volatility import VolatilityParams

pytestmark = [pytest.mark.unit, pytest.mark.safety]
FULL = Carries(book=True, quotes=True, trades=True, aggressor="feed")
POOR = Carries(trades=True, aggressor="none")
NAN = float("nan")
S = 1_000_000_000
NOON = 1_700_000_000 * S
NOTHING = np.zeros(14)
GOOD = {
    "ts": NOON,
    "phase": 4,
    "is_open": 1,
    "is_rth": 1,
    "in_entry_hours": 1,
    "long_break_ahead": 0,
    "day": 20231114,
    "week": 1,
    "phase_size": 1.0,
    "phase_threshold": 70.0,
    "to_rth_end_min": 240.0,
    "to_close_min": 300.0,
    "data_quality": 0.97,
    "spread_ticks": 1.0,
    "book_age_ms": 40.0,
    "mid_ticks": 20_000.5,
    "rvol": 1.3,
    "rvol_recent": 1.4,
    "vix": 18.0,
    "vix_explosive": 0.0,
    "battle_score": 0.62,
    "battle_threshold": 0.25,
    "ball_trend": 0.0,
    "fomo_long": 0.0,
    "fomo_short": 0.0,
    "volatility_known": 1.0,
    "volatility_size": 1.0,
    "volatility_max_position": 3.0,
    "market_size": 1.0,
    "allow_long": 1.0,
    "allow_short": 1.0,
    "equity_usd": 50_000.0,
    "day_net_usd": 0.0,
    "week_net_usd": 0.0,
    "drawdown_percent": 0.0,
    "open_risk_usd": 0.0,
    "es_position": 0.0,
    "since_loss_min": NAN,
    "since_signal_s": NAN,
    "slippage_mean": NAN,
    "to_news_min": NAN,
}
LONG = Signal(NOON, 1, "battle_navale", 1.0, 0.7, 20_001, 19_993, 20_021, STRONG, "")


def score(grade: int = STRONG, coverage: float = 0.71, percent: float = 72.5, side: int = 1) -> Score:
    return Score(0.45 * side, percent, coverage, 0.5, grade, side, NOTHING, NOTHING)


def gate(params: RiskParams | None = None, **source: Any) -> RiskGate:
    given = {"carries": FULL} | source
    return RiskGate(params or RiskParams(), CostParams(), VolatilityParams(), GateSource(**given))


def put(g: RiskGate, **inputs: Any) -> RiskGate:
    """Give the gate inputs directly: the good ones, changed."""
    for name, value in (GOOD | inputs).items():
        g._x[name] = value
    g._gathered = int(g._x["ts"][0])
    return g


def market(**account: Any) -> np.ndarray[Any, Any]:
    """Give the part of the market state that monitor looks at."""
    out = np.zeros(1, np.dtype([("account", ACCOUNT_DTYPE)]))
    for name, value in account.items():
        out["account"][name] = value
    return out


def judged(signal: Signal | None = LONG, params: RiskParams | None = None, **inputs: Any) -> GateResult:
    return put(gate(params), **inputs).judge(score(), signal)


def outcome(result: GateResult, code: str) -> int:
    return int(result.outcome[gates.AT[code]])


def test_a_good_signal_is_allowed_with_its_size_and_binding_limit() -> None:
    verdict = judged().verdict
    assert verdict is not None
    # 0.5 % of 50 000 = 250 → 2; 30 % of the daily loss = 150 → 1 of 117
    assert (verdict.allowed, verdict.symbol, verdict.qty) == (True, "ES", 1)
    assert verdict.binding == "share_of_remaining_daily_loss"
    assert verdict.risk_cents == 11_700
    assert verdict.message == "1 ES, bound by share_of_remaining_daily_loss"


def test_order_of_the_validator() -> None:
    assert gates.CODES[:15] == (
        "data_quality",
        "market_open",
        "coverage",
        "grade",
        "phase_threshold",
        "battle_navale",
        "ball_gate",
        "volatility_regime",
        "market_regime",
        "spread",
        "fomo",
        "rvol",
        "confidence",
        "signal_gap",
        "ml",
    )
    assert gates.CODES[-1] == "size"
    assert len(set(gates.CODES)) == len(gates.CODES)


REFUSALS = [
    ("data_quality", {"data_quality": 0.79}, FAILED),
    ("data_quality", {"data_quality": NAN}, UNKNOWN),
    ("market_open", {"is_open": 0}, FAILED),
    ("battle_navale", {"battle_score": 0.25}, FAILED),
    ("battle_navale", {"battle_score": -0.62}, FAILED),
    ("battle_navale", {"battle_score": NAN}, UNKNOWN),
    ("ball_gate", {"ball_trend": -1.0}, FAILED),
    ("volatility_regime", {"volatility_known": 0.0, "volatility_size": NAN}, FAILED),
    ("market_regime", {"allow_long": 0.0}, FAILED),
    ("market_regime", {"allow_long": NAN}, UNKNOWN),
    ("spread", {"spread_ticks": 3.0}, FAILED),
    ("spread", {"spread_ticks": NAN}, UNKNOWN),
    ("fomo", {"fomo_long": 1.0}, FAILED),
    ("phase_size", {"phase_size": 0.0}, FAILED),
    ("daily_loss", {"day_net_usd": -500.0}, FAILED),
    ("weekly_loss", {"week_net_usd": -1500.0}, FAILED),
    ("drawdown", {"drawdown_percent": 5.0}, FAILED),
    ("drawdown", {"drawdown_percent": NAN}, UNKNOWN),
    ("minimum_balance", {"equity_usd": 1000.0}, FAILED),
    ("open_risk", {"open_risk_usd": 251.0}, FAILED),
    ("max_position", {"es_position": 2.0}, FAILED),
    ("max_position", {"es_position": 1.0, "vix": 36.0}, FAILED),
    ("max_position", {"es_position": 1.0, "volatility_max_position": 1.0}, FAILED),
    ("concurrent", {"brackets": 3}, FAILED),
    ("opposite_position", {"es_position": -1.0}, FAILED),
    ("trades_per_hour", {"trades_hour": 10}, FAILED),
    ("trades_per_day", {"trades_today": 20}, FAILED),
    ("consecutive_losses", {"consecutive_losses": 5, "since_loss_min": 59.0}, FAILED),
    ("volume", {"rvol_recent": 10.5}, FAILED),
    ("close_buffer", {"to_rth_end_min": 15.0}, FAILED),
    ("close_buffer", {"to_rth_end_min": NAN, "to_close_min": 14.0}, FAILED),
    ("vix", {"vix": 31.0, "vix_explosive": 1.0}, FAILED),
    ("stale_book", {"book_age_ms": 3001.0}, FAILED),
    ("entry_distance", {"mid_ticks": 20_022.0}, FAILED),
]


@pytest.mark.parametrize(("code", "inputs", "expected"), REFUSALS)
def test_each_gate_refuses_with_its_code_and_numbers(
    code: str, inputs: dict[str, Any], expected: int
) -> None:
    result = judged(**inputs)
    assert outcome(result, code) == expected
    assert result.verdict is not None
    assert not result.verdict.allowed
    assert result.verdict.qty == 0
    failing = [
        c
        for c, level, out in zip(gates.CODES, gate().levels, result.outcome, strict=True)
        if level == BLOCKING and out in (FAILED, UNKNOWN)
    ]
    assert code in failing
    assert result.verdict.code == failing[0]
    assert "required" in result.verdict.message


PASSES = [
    ("spread", {"spread_ticks": 2.0}),
    ("spread_limit", {"spread_ticks": 3.0}),
    ("daily_loss", {"day_net_usd": 25_000.0}),
    ("hard_daily_loss", {"day_net_usd": 25_000.0}),
    ("consecutive_losses", {"consecutive_losses": 5, "since_loss_min": 60.0}),
    ("stale_book", {"book_age_ms": 14_000.0, "is_rth": 0}),
    ("vix", {"vix": 34.0, "vix_explosive": 0.0}),
    ("open_risk", {"open_risk_usd": 250.0}),
    ("ball_gate", {"ball_trend": 0.8}),
    ("max_position", {"es_position": 1.0}),
]


@pytest.mark.parametrize(("code", "inputs"), PASSES)
def test_edges_that_pass(code: str, inputs: dict[str, Any]) -> None:
    assert outcome(judged(**inputs), code) == PASSED


def test_coverage_and_grade_come_from_the_score() -> None:
    g = put(gate())
    assert outcome(g.judge(score(coverage=0.599), LONG), "coverage") == FAILED
    assert outcome(g.judge(score(coverage=0.60), LONG), "coverage") == PASSED
    assert outcome(g.judge(score(grade=NO_TRADE), LONG), "grade") == FAILED
    assert outcome(g.judge(score(grade=WEAK), LONG), "grade") == PASSED


def test_warnings_and_notes_do_not_block() -> None:
    result = judged(rvol=0.5, since_signal_s=10.0)
    assert outcome(result, "rvol") == FAILED
    assert outcome(result, "signal_gap") == FAILED
    assert result.verdict is not None
    assert result.verdict.allowed
    levels = gate().levels
    assert levels[gates.AT["rvol"]] == WARNING
    assert levels[gates.AT["signal_gap"]] == INFO


def test_phase_threshold_advises_unless_enforced() -> None:
    assert judged(phase_threshold=80.0).verdict.allowed  # type: ignore[union-attr]
    strict = RiskParams(gates=GateParams(phase_threshold_mode="enforce"))
    verdict = judged(params=strict, phase_threshold=80.0).verdict
    assert verdict is not None
    assert verdict.code == "phase_threshold"
    assert verdict.message == "phase_threshold: found 72.5, required 80 percent"


def test_ball_gate_may_require_a_trend_or_be_off() -> None:
    require = RiskParams(gates=GateParams(ball_gate="require"))
    assert outcome(judged(params=require), "ball_gate") == FAILED
    assert outcome(judged(params=require, ball_trend=1.0), "ball_gate") == PASSED
    off = RiskParams(gates=GateParams(ball_gate="off"))
    assert outcome(judged(params=off, ball_trend=-1.0), "ball_gate") == NOT_APPLICABLE


def test_what_a_poor_source_cannot_carry_does_not_apply_in_simulation() -> None:
    inputs = {"spread_ticks": NAN, "book_age_ms": NAN}
    result = put(gate(carries=POOR), **inputs).judge(score(), LONG)
    assert {outcome(result, c) for c in ("spread", "spread_limit", "stale_book")} == {NOT_APPLICABLE}
    assert result.verdict is not None
    assert result.verdict.allowed


def test_what_a_poor_source_cannot_carry_blocks_with_a_broker() -> None:
    g = put(gate(carries=POOR, simulated=False), spread_ticks=NAN, book_age_ms=NAN)
    g.arm()
    result = g.judge(score(), LONG)
    assert outcome(result, "spread") == UNKNOWN
    assert not result.verdict.allowed  # type: ignore[union-attr]


def test_planned_reward_against_risk_is_refused_with_both_numbers() -> None:
    # 8 ticks risk, 11 reward: 1.375 before costs, (137.50 - 4.50) / (100 + 4.50) = 1.27 after fees
    poor = Signal(NOON, 1, "x", 1.0, 0.7, 20_001, 19_993, 20_012, STRONG, "")
    result = judged(poor)
    assert result.verdict.code == "reward_risk"  # type: ignore[union-attr]
    assert result.actual[gates.AT["reward_risk"]] == pytest.approx(1.375)
    assert result.actual[gates.AT["reward_risk_after_fees"]] == pytest.approx(133 / 104.5)


def test_micros_are_judged_with_their_own_fee() -> None:
    # 13 ticks stop: 0 ES, MES. 13 against 20: (25 - 1.24) / (16.25 + 1.24) = 1.359; with 4 against 6 it fails
    wide = Signal(NOON, 1, "x", 1.0, 0.7, 20_001, 19_988, 20_021, STRONG, "")
    result = judged(wide)
    assert result.verdict.symbol == "MES"  # type: ignore[union-attr]
    assert result.actual[gates.AT["reward_risk_after_fees"]] == pytest.approx((25 - 1.24) / (16.25 + 1.24))
    tight = Signal(NOON, 1, "x", 1.0, 0.7, 20_001, 19_997, 20_007, STRONG, "")
    refused = judged(tight, market_size=0.2).verdict  # too little for an ES
    assert refused is not None
    assert (refused.code, refused.symbol) == ("reward_risk_after_fees", "MES")


def test_a_stop_on_the_wrong_side_is_refused() -> None:
    wrong = Signal(NOON, 1, "x", 1.0, 0.7, 20_001, 20_005, 20_021, STRONG, "")
    assert judged(wrong).verdict.code == "reward_risk"  # type: ignore[union-attr]


def test_without_a_signal_every_state_gate_is_still_asked() -> None:
    result = judged(None, data_quality=0.5, es_position=2.0)
    assert result.verdict is None
    assert outcome(result, "data_quality") == FAILED
    assert outcome(result, "max_position") == FAILED
    for code in ("confidence", "ml", "entry_distance", "reward_risk", "reward_risk_after_fees", "size"):
        assert outcome(result, code) == NOT_APPLICABLE


def test_without_a_signal_the_leaning_side_is_asked() -> None:
    g = put(gate(), allow_short=0.0)
    assert outcome(g.judge(score(), None, candidate_side=-1), "market_regime") == FAILED
    assert outcome(g.judge(score(), None, candidate_side=1), "market_regime") == PASSED


def test_multipliers_and_the_cap_without_an_ml_opinion() -> None:
    g = put(gate(), market_size=1.3)
    assert g.judge(score(), LONG).verdict.size_multiplier == 1.0  # type: ignore[union-attr]
    assert "no ML opinion" in g.judge(score(), LONG).verdict.message  # type: ignore[union-attr]
    assert g.judge(score(), LONG, ml_score=0.8).verdict.size_multiplier == pytest.approx(1.3)  # type: ignore[union-attr]
    calm = put(gate(), volatility_size=1.2).judge(score(), LONG, ml_score=0.8).verdict
    assert calm is not None
    assert calm.size_multiplier == 1.0  # never up by volatility


def test_factors_of_the_gamma_cycle_do_nothing_until_they_are_on() -> None:
    # Three cash days before the monthly of November 2023: the phase is gamma_peak, 1.2 and 1.3.
    def asked(on: bool, **factors: float) -> GateResult:
        g = put(gate(RiskParams(gamma=GammaFactors(on=on, **factors))))
        return g.judge(score(), replace(LONG, confidence=0.5), ml_score=0.8)

    off, on, own = asked(False), asked(True), asked(True, size_gamma_peak=0.0)
    assert off.verdict is not None
    assert on.verdict is not None
    assert own.verdict is not None
    assert on.verdict.size_multiplier == pytest.approx(1.2 * off.verdict.size_multiplier)
    assert (outcome(off, "confidence"), outcome(on, "confidence")) == (FAILED, PASSED)
    assert not own.verdict.allowed
    assert own.verdict.code == "size"


def test_ml_may_be_required() -> None:
    strict = RiskParams(gates=GateParams(ml_mode="require"))
    assert judged(params=strict).verdict.code == "ml"  # type: ignore[union-attr]
    g = put(gate(strict))
    assert g.judge(score(), LONG, ml_score=0.7).verdict.allowed  # type: ignore[union-attr]
    assert g.judge(score(), LONG, ml_score=0.69).verdict.code == "ml"  # type: ignore[union-attr]


def test_daily_loss_flattens_and_halts_until_the_next_day() -> None:
    g = put(gate(), day_net_usd=-510.0, brackets=1)
    g.judge(score(), None)
    (breach,) = g.monitor(market(), NOON)
    assert (breach.code, breach.action, breach.limit, breach.actual) == ("daily_loss", "halt", -500.0, -510.0)
    assert (g.state, g.halt_code) == (TradingState.HALTED, "daily_loss")
    put(g, day_net_usd=0.0, ts=NOON + S)
    assert g.judge(score(), LONG).verdict.code == "trading_state"  # type: ignore[union-attr]
    with pytest.raises(InvariantError, match="next trading day"):
        g.resume("I feel lucky")
    put(g, day=20231115)
    assert g.judge(score(), LONG).verdict.allowed  # type: ignore[union-attr]


def test_hard_loss_needs_a_human_with_a_reason() -> None:
    g = put(gate(), day_net_usd=-1000.0, brackets=1)
    g.judge(score(), None)
    codes = [b.code for b in g.monitor(market(), NOON)]
    assert codes == ["daily_loss", "hard_daily_loss"]
    put(g, day=20231116, day_net_usd=0.0)
    g.judge(score(), None)
    assert g.state is TradingState.HALTED
    with pytest.raises(InvariantError, match="reason"):
        g.resume("  ")
    g.resume("checked the feed, stop was hit twice")
    assert g.state is TradingState.ACTIVE


def test_a_halt_is_told_once_when_nothing_is_open() -> None:
    g = put(gate(), day_net_usd=-510.0)
    g.judge(score(), None)
    assert len(g.monitor(market(), NOON)) == 1
    assert g.monitor(market(), NOON) == ()


def test_flat_before_the_break_and_before_the_weekend() -> None:
    g = put(gate(), to_close_min=5.4, brackets=1)
    g.judge(score(), None)
    assert [(b.code, b.action) for b in g.monitor(market(), NOON)] == [("flat_before_close", "flatten")]
    assert g.state is TradingState.ACTIVE
    friday = put(gate(), to_close_min=15.4, long_break_ahead=1, brackets=1)
    friday.judge(score(), None)
    assert len(friday.monitor(market(), NOON)) == 1
    held = put(gate(RiskParams(hold_overnight=True)), to_close_min=5.0, brackets=1)
    held.judge(score(), None)
    assert held.monitor(market(), NOON) == ()


def test_disarmed_withdraws_entries() -> None:
    g = put(gate(), brackets=1)
    g.disarm()
    result = g.judge(score(), LONG)
    assert result.verdict.code == "trading_state"  # type: ignore[union-attr]
    assert [b.action for b in g.monitor(market(), NOON)] == ["cancel_entries"]


def test_one_terrible_fill_pauses_entries_for_half_an_hour() -> None:
    g = put(gate(), slip_n=1)
    g.judge(score(), None)
    g.monitor(market(slip_n=1, slips=[4.5, NAN, NAN, NAN, NAN]), NOON)
    assert g.judge(score(), LONG).verdict.code == "slippage"  # type: ignore[union-attr]
    put(g, ts=NOON + 30 * 60 * S)
    assert g.judge(score(), LONG).verdict.allowed  # type: ignore[union-attr]


def test_five_bad_fills_pause_entries() -> None:
    g = put(gate(), slip_n=5)
    g.judge(score(), None)
    g.monitor(market(slip_n=5, slips=[2.2, 2.2, 2.2, 2.2, 2.2]), NOON)
    assert g.judge(score(), LONG).verdict.code == "slippage"  # type: ignore[union-attr]


def test_the_same_order_twice_in_a_second_is_a_duplicate() -> None:
    g = put(gate())
    g.memory.note_order(NOON, 1, LONG.entry_ticks, LONG.stop_ticks)
    assert g.judge(score(), LONG).verdict.code == "duplicate_order"  # type: ignore[union-attr]
    put(g, ts=NOON + S)
    assert g.judge(score(), LONG).verdict.allowed  # type: ignore[union-attr]


def test_order_rates_are_bounded() -> None:
    g = put(gate())
    for i in range(20):
        g.memory.note_order(NOON - (i + 1) * 100 * S, -1, 1, 2)
    assert g.judge(score(), LONG).verdict.code == "orders_per_hour"  # type: ignore[union-attr]


def test_three_refusals_of_the_rate_disarm() -> None:
    g = put(gate())
    for i in range(20):
        g.memory.note_order(NOON - (i + 1) * 100 * S, -1, 1, 2)
    for i in range(3):
        assert g.state is TradingState.ACTIVE
        put(g, ts=NOON + i * 4 * S).judge(score(), LONG)
    assert g.state is TradingState.REDUCING


def test_ten_rejections_in_a_minute_are_the_kill_switch() -> None:
    g = put(gate())
    for i in range(10):
        g.report(
            OrderReport(NOON + i * S, NOON, i, "o", "mia-1", Role.ENTRY, "ES", 1, OrderStatus.REJECTED, 1, 0)
        )
    assert (g.state, g.halt_code) == (TradingState.HALTED, "rejections")


def test_a_broker_starts_disarmed() -> None:
    assert gate(simulated=False).state is TradingState.REDUCING
    assert gate().state is TradingState.ACTIVE


def test_what_is_remembered_survives_a_restart() -> None:
    g = put(gate(), drawdown_percent=6.0)
    g.judge(score(), None)
    g.monitor(market(), NOON)
    other = gate()
    other.restore(g.to_bytes())
    assert (other.state, other.halt_code) == (TradingState.HALTED, "drawdown")
    with pytest.raises(InvariantError, match="bytes"):
        other.restore(b"")


def test_operator_halt_overrides_arming() -> None:
    g = put(gate())
    g.judge(score(), None)
    g.halt()
    g.arm()
    assert g.state is TradingState.HALTED


def test_limits_show_how_near_they_are() -> None:
    g = put(gate(), day_net_usd=-360.0, week_net_usd=-1400.0)
    g.judge(score(), None)
    levels = {check.code: (check.level, check.applies) for check in g.limits()}
    assert levels["daily_loss"] == ("warning", True)
    assert levels["hard_daily_loss"] == ("normal", True)
    assert levels["weekly_loss"] == ("danger", True)
    assert levels["news"] == ("normal", False)
    assert levels["profit_target"] == ("normal", False)


def test_profit_target_ends_the_day_where_wanted() -> None:
    g = put(gate(RiskParams(profit_target_usd=1000.0)), day_net_usd=1000.0)
    assert g.judge(score(), LONG).verdict.code == "profit_target"  # type: ignore[union-attr]


def test_rth_only_hours() -> None:
    g = put(gate(RiskParams(gates=GateParams(entry_hours="rth_only"))), in_entry_hours=0)
    assert g.judge(score(), LONG).verdict.code == "entry_hours"  # type: ignore[union-attr]


def test_gate_rows_are_values_with_names() -> None:
    g = put(gate(), spread_ticks=NAN)
    row = {r.code: r for r in g.gate_rows(g.judge(score(), None))}["spread"]
    assert (row.required, row.actual, row.unit, row.outcome) == (2.0, None, "ticks", UNKNOWN)
