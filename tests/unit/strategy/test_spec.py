"""Entry rules as edges, prices by the reference's rules, care that only tightens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.core.decisions import NO_TRADE, STRONG, WEAK, Score, Signal
from mia_kernel.core.errors import InvariantError, SettingsError
from mia_kernel.core.orders import ClosePosition, ReplaceStop
from mia_kernel.state.battle import G_BULL
from mia_kernel.state.regime import (
    M_RANGE,
    M_UNCLEAR,
    M_UP_STRONG,
    V_EXTREME,
    V_HIGH,
    V_LOW,
    V_NORMAL,
    V_TRANSITION,
)
from mia_kernel.state.volatility import VolatilityParams
from mia_kernel.strategy.spec import RULES, Strategy, StrategyParams, make
from tests.fakes.small_market import T0
from tests.fakes.small_state import ball, battle, regime, small_state

pytestmark = pytest.mark.unit
NOTHING = np.zeros(14)


def score(side: int = 1, grade: int = STRONG) -> Score:
    return Score(0.45 * side, 72.5, 0.7, 0.5, grade, side, NOTHING, NOTHING)


def strategy(**params: Any) -> Strategy:
    return make(StrategyParams(**params), VolatilityParams())


def signal(market: Any, side: int = 1, **params: Any) -> Signal:
    battle(market, score=0.6 * side)
    out = strategy(**params).propose(market, score(side), T0)
    assert out is not None
    return out


def test_both_must_agree() -> None:
    s, market = strategy(), small_state()
    battle(market, score=0.6)
    assert s.propose(market, score(-1), T0) is None
    assert s.propose(market, score(1, NO_TRADE), T0) is None
    assert s.rule_side == 0
    out = s.propose(market, score(1, WEAK), T0)
    assert out is not None
    assert (out.side, s.rule_side, out.strategy) == (1, 1, "battle_navale+confluence_entry")
    assert out.reason == "battle_navale +0.600 beyond 0.25, confluence WEAK 72.50 %"


def test_a_signal_is_an_edge() -> None:
    s, market = strategy(), small_state()
    battle(market, score=0.6)
    assert s.propose(market, score(), T0) is not None
    assert s.propose(market, score(), T0 + 1) is None
    assert s.propose(market, score(1, NO_TRADE), T0 + 2) is None
    assert s.propose(market, score(), T0 + 3) is not None


def test_turning_over_is_an_edge_too() -> None:
    s, market = strategy(entry_rule="battle_navale"), small_state()
    battle(market, score=0.6)
    assert s.propose(market, score(), T0).side == 1  # type: ignore[union-attr]
    battle(market, score=-0.6)
    assert s.propose(market, score(), T0 + 1).side == -1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("volatility", "threshold"),
    [(V_LOW, 0.20), (V_NORMAL, 0.25), (V_HIGH, 0.35), (V_EXTREME, 0.50), (V_TRANSITION, 0.30), (-1, 0.25)],
)
def test_threshold_by_volatility_regime_is_exclusive(volatility: int, threshold: float) -> None:
    market = small_state()
    regime(market, volatility=volatility)
    battle(market, score=threshold)
    assert strategy(entry_rule="battle_navale").propose(market, score(), T0) is None
    battle(market, score=np.nextafter(threshold, 1.0))
    assert strategy(entry_rule="battle_navale").propose(market, score(), T0) is not None
    battle(market, score=-np.nextafter(threshold, 1.0))
    assert strategy(entry_rule="battle_navale").propose(market, score(), T0).side == -1  # type: ignore[union-attr]


def test_a_score_not_ready_is_no_side() -> None:
    assert strategy(entry_rule="battle_navale").propose(small_state(), score(), T0) is None


def test_strength_and_confidence() -> None:
    # 4 · (0.40 - 0.25) = 0.6
    market = small_state()
    battle(market, score=0.40, confidence=0.66)
    out = strategy().propose(market, score(), T0)
    assert out is not None
    assert out.strength == pytest.approx(0.6)
    assert out.confidence == 0.66
    battle(market, confidence=np.nan)
    assert strategy().propose(market, score(), T0).confidence is None  # type: ignore[union-attr]


def test_confluence_alone_knows_no_battle() -> None:
    out = strategy(entry_rule="confluence_entry").propose(small_state(), score(-1, WEAK), T0)
    assert out is not None
    assert (out.side, out.confidence, out.reason) == (-1, None, "confluence WEAK 72.50 %")
    assert out.strength == pytest.approx(0.45)


def test_entry_is_the_opposite_touch_or_the_last_price() -> None:
    assert signal(small_state()).entry_ticks == 20_001
    assert signal(small_state(), -1).entry_ticks == 20_000
    assert signal(small_state(quotes=False)).entry_ticks == 20_000


@pytest.mark.parametrize(
    ("market_state", "volatility", "stop", "target"),
    [
        (M_UNCLEAR, V_NORMAL, 6, 12),  # default 6, reward 2.0
        (M_UP_STRONG, V_NORMAL, 8, 20),  # 8 · 2.5
        (M_RANGE, V_NORMAL, 4, 6),  # 4 · 1.5
        (M_UP_STRONG, V_HIGH, 12, 30),  # 8 · 1.5 = 12; factors 1.5/1.5: reward stays 2.5
        (M_UP_STRONG, V_LOW, 7, 20),  # 6.4 → 7 outward; 7 · 2.5 · 0.9/0.8 = 19.69 → 20
        (M_UNCLEAR, V_TRANSITION, 8, 15),  # 7.2 → 8; 8 · 2 · 1.1/1.2 = 14.67 → 15
        (M_RANGE, V_EXTREME, 8, 12),  # 4 · 2; 8 · 1.5
    ],
)
def test_stop_and_target_distances(market_state: int, volatility: int, stop: int, target: int) -> None:
    market = small_state()
    regime(market, volatility=volatility, state=market_state)
    out = signal(market)
    assert (20_001 - out.stop_ticks, out.target_ticks - 20_001) == (stop, target)
    short = signal(market, -1)
    assert (short.stop_ticks - 20_000, 20_000 - short.target_ticks) == (stop, target)


def test_a_strong_base_allows_a_nearer_stop_but_never_inside_the_base() -> None:
    market = small_state()
    regime(market, state=M_UP_STRONG)
    base = {"has_base": 1, "base_color": 1, "base_low": 19_998, "base_high": 20_000, "golden": G_BULL}
    battle(market, base_quality=0.79, **base)
    assert signal(market).stop_ticks == 20_001 - 8
    battle(market, base_quality=0.8)
    assert signal(market).stop_ticks == 20_001 - 7  # 8 · 0.8 = 6.4 → 7
    battle(market, base_low=19_990)
    assert signal(market).stop_ticks == 19_988  # two ticks beyond the base is farther


def test_a_broken_base_or_one_of_the_other_side_governs_nothing() -> None:
    market = small_state()
    battle(market, has_base=1, base_color=1, base_low=19_980, base_quality=0.9, golden=0)
    assert signal(market).stop_ticks == 20_001 - 6
    battle(market, golden=G_BULL)
    assert signal(market, -1).stop_ticks == 20_000 + 6


def test_ball_rule_stop_where_it_is_farther() -> None:
    market = small_state()
    battle(market, has_ball_stop=1, ball_stop=19_985, ball_trend=1.0)
    assert signal(market).stop_ticks == 19_985
    assert signal(market, -1).stop_ticks == 20_006
    battle(market, ball_stop=19_999)
    assert signal(market).stop_ticks == 19_995


def test_an_extended_trend_brings_the_target_nearer() -> None:
    market = small_state()
    battle(market, ball_trend=0.5)
    assert signal(market).target_ticks == 20_001 + 9  # 12 · 0.7 = 8.4 → 9
    assert signal(market, -1).target_ticks == 20_000 - 12


def leg(market: Any, *, side: int = 1, stop: int = 19_993, qty: int = 1, at: int = 0) -> Any:
    account = market[0]["account"]
    row = account["legs"][at]
    row["used"], row["key"], row["qty"], row["side"] = 1, T0, qty, side
    row["entry_ts"], row["stop_ticks"] = T0, stop
    account["position"] = side * qty
    return row


def test_trailing_follows_the_newest_ball_in_favour_only() -> None:
    market, s = small_state(20_020, 20_021), strategy()
    leg(market)
    assert s.manage(market, T0 + 1) == ()
    ball(market, "green", 20_010)
    assert s.manage(market, T0 + 1) == (ReplaceStop(T0 + 1, f"mia-{T0}", 20_007, "trail_ball"),)
    leg(market, stop=20_007)
    assert s.manage(market, T0 + 2) == ()
    ball(market, "green", 20_005)
    assert s.manage(market, T0 + 3) == ()


def test_trailing_a_short_is_the_mirror() -> None:
    market = small_state(19_980, 19_981)
    leg(market, side=-1, stop=20_007)
    ball(market, "red", 19_990)
    assert strategy().manage(market, T0 + 1) == (ReplaceStop(T0 + 1, f"mia-{T0}", 19_993, "trail_ball"),)


def test_a_stop_the_market_has_passed_is_not_trailed_to() -> None:
    market = small_state(20_000, 20_001)
    leg(market)
    ball(market, "green", 20_010)
    assert strategy().manage(market, T0 + 1) == ()


def test_a_broken_ball_trend_closes_the_position_once() -> None:
    market, s = small_state(), strategy()
    leg(market)
    battle(market, ball_break=1, ball_break_ts=T0 - 1)
    assert s.manage(market, T0 + 1) == ()  # broke before the entry
    battle(market, ball_break_ts=T0 + 1)
    assert s.manage(market, T0 + 1) == (ClosePosition(T0 + 1, f"mia-{T0}", "ball_break"),)
    assert s.manage(market, T0 + 2) == ()


def test_a_break_of_the_other_side_is_no_reason_to_leave() -> None:
    market = small_state()
    leg(market)
    battle(market, ball_break=-1, ball_break_ts=T0 + 1)
    assert strategy().manage(market, T0 + 1) == ()


def test_care_can_be_switched_off() -> None:
    market = small_state(20_020, 20_021)
    leg(market)
    ball(market, "green", 20_010)
    battle(market, ball_break=1, ball_break_ts=T0 + 1)
    assert strategy(trail=False, exit_on_ball_break=False).manage(market, T0 + 1) == ()


def test_restored_strategy_remembers_its_edge() -> None:
    market, one = small_state(), strategy()
    battle(market, score=0.6)
    one.propose(market, score(), T0)
    two = strategy()
    two.restore(one.to_bytes())
    assert two.propose(market, score(), T0 + 1) is None
    with pytest.raises(InvariantError, match="bytes"):
        two.restore(b"")


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_registered_strategy_keeps_the_protocol(name: str) -> None:
    s = strategy(entry_rule=name)
    assert s.name == name
    assert s.propose(small_state(), score(1, NO_TRADE), T0) is None
    assert s.manage(small_state(), T0) == ()
    s.restore(s.to_bytes())


def test_an_unknown_strategy_names_the_known_ones() -> None:
    params = StrategyParams.model_construct(entry_rule="martingale")
    with pytest.raises(SettingsError, match="battle_navale"):
        make(params, VolatilityParams())
