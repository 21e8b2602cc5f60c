"""What the gate gathers from the market state, one number at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mia_kernel.core.events import Carries
from mia_kernel.core.phases import AFTERNOON, POST, POWER_HOUR
from mia_kernel.core.session import new_york_ns, session_row
from mia_kernel.risk import inputs
from mia_kernel.risk.gates import parameter_record
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.record import INPUT_DTYPE
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.costs import CostParams
from mia_kernel.state.regime import M_RANGE, M_UP_WEAK, V_EXTREME, V_LOW
from mia_kernel.state.volatility import VolatilityParams
from tests.fakes.small_state import DAY, SIGNAL_TF, add_bar, ball, battle, regime, small_state

pytestmark = pytest.mark.unit
MINUTE = 60_000_000_000


def at(minute: float, day: int = DAY) -> int:
    return new_york_ns(day, minute)


def gathered(market: Any, ts: int) -> Any:
    x = np.zeros(1, INPUT_DTYPE)
    p = parameter_record(RiskParams(), CostParams(), Carries(book=True, trades=True), True, False)
    inputs.gather(market, inputs.regime_table(VolatilityParams()), p, ts, x)
    return x[0]


@pytest.mark.parametrize(
    ("minute", "phase", "size", "is_rth", "to_close", "to_rth"),
    [
        (840, AFTERNOON, 1.0, 1, 180.0, 120.0),
        (946, POWER_HOUR, 0.7, 1, 74.0, 14.0),
        (960, POST, 0.0, 0, 60.0, math.nan),
    ],
)
def test_hours(minute: float, phase: int, size: float, is_rth: int, to_close: float, to_rth: float) -> None:
    x = gathered(small_state(), at(minute))
    assert (x["phase"], x["phase_size"], x["is_rth"]) == (phase, size, is_rth)
    assert x["to_close_min"] == to_close
    assert x["to_rth_end_min"] == pytest.approx(to_rth, nan_ok=True)
    assert x["is_open"] == 1


def test_the_daily_break_is_closed() -> None:
    x = gathered(small_state(), at(1020))
    assert (x["is_open"], x["phase_size"]) == (0, 0.0)
    assert math.isnan(x["to_close_min"])


def test_a_weekend_is_a_long_break_and_the_daily_one_is_not() -> None:
    market = small_state()
    assert gathered(market, at(900))["long_break_ahead"] == 0
    market["session"][0] = session_row(20231117)
    assert gathered(market, at(900, 20231117))["long_break_ahead"] == 1


def test_entry_hours_end_fifteen_minutes_before_the_close() -> None:
    market = small_state()
    got = [int(gathered(market, at(m))["in_entry_hours"]) for m in (574, 575, 944, 945)]
    assert got == [0, 1, 1, 0]


def test_account_figures() -> None:
    market = small_state()
    a = market["account"][0]
    ts = at(840)
    a["equity_cents"], a["peak_cents"], a["day_start_cents"] = 4_900_000, 5_000_000, 4_950_000
    a["entries"], a["entry_ts"][:3] = 3, [ts - 61 * MINUTE, ts - 59 * MINUTE, ts - MINUTE]
    a["losses"], a["last_loss_ts"] = 1, ts - 5 * MINUTE
    a["signals"], a["last_signal_ts"] = 1, ts - 30_000_000_000
    x = gathered(market, ts)
    assert (x["equity_usd"], x["day_net_usd"], x["drawdown_percent"]) == (49_000.0, -500.0, 2.0)
    assert (x["trades_hour"], x["since_loss_min"], x["since_signal_s"]) == (2, 5.0, 30.0)
    assert math.isnan(x["slippage_mean"])


def test_nothing_yet_is_unknown_not_zero() -> None:
    x = gathered(small_state(), at(840))
    for name in ("since_loss_min", "since_signal_s", "slippage_mean", "rvol", "rvol_recent", "battle_score"):
        assert math.isnan(x[name]), name


def test_book_or_no_book() -> None:
    market = small_state()
    market["book"]["ts"] = at(840) - 250_000_000
    x = gathered(market, at(840))
    assert (x["spread_ticks"], x["mid_ticks"], x["book_age_ms"]) == (1.0, 20_000.5, 250.0)
    x = gathered(small_state(quotes=False), at(840))
    assert math.isnan(x["spread_ticks"])
    assert x["mid_ticks"] == 20_000.0


def test_volume_pause_looks_five_minutes_back() -> None:
    market = small_state()
    ts = at(840)
    for minutes, rvol in ((6, 20.0), (4, 12.0), (1, 1.5)):
        add_bar(market, TF_1M, 1, 1, 1, 1, end=ts - minutes * MINUTE, rvol=rvol)
    x = gathered(market, ts)
    assert (x["rvol"], x["rvol_recent"]) == (1.5, 12.0)


def test_regimes_and_their_consequences() -> None:
    market = small_state()
    regime(market, volatility=V_LOW, state=M_UP_WEAK, size=1.0)
    x = gathered(market, at(840))
    assert (x["battle_threshold"], x["volatility_size"], x["volatility_max_position"]) == (0.20, 1.2, 4.0)
    market["regime"]["volatility"] = market["regime"]["market"] = -1
    x = gathered(market, at(840))
    assert x["volatility_known"] == 0.0
    assert math.isnan(x["allow_long"])
    assert math.isnan(x["market_size"])


def test_phase_threshold_moves_with_the_regime() -> None:
    market = small_state()
    assert gathered(market, at(840))["phase_threshold"] == 70.0
    regime(market, state=M_UP_WEAK)
    assert gathered(market, at(840))["phase_threshold"] == 65.0
    regime(market, state=M_RANGE, volatility=V_EXTREME)
    market["regime"]["range_low"], market["regime"]["range_high"] = 100, 120
    assert gathered(market, at(840))["phase_threshold"] == 90.0
    market["regime"]["choppy"] = 1
    assert gathered(market, at(840))["phase_threshold"] == 95.0  # 105, clipped
    assert math.isnan(gathered(market, at(970))["phase_threshold"])


def test_fomo_is_more_than_one_atr_from_the_swing() -> None:
    market = small_state(20_000, 20_000)
    regime(market, state=M_UP_WEAK)
    add_bar(market, SIGNAL_TF, 19_990, 20_000, 19_985, 19_988, atr=12.0)
    ball(market, "green", 19_988)
    assert gathered(market, at(840))["fomo_long"] == 0.0
    ball(market, "green", 19_987)
    assert gathered(market, at(840))["fomo_long"] == 1.0
    assert math.isnan(gathered(market, at(840))["fomo_short"])  # no red ball, too few bars


def test_three_extension_bars_are_fomo() -> None:
    market = small_state(20_000, 20_000)
    battle(market, ball_trend=1.0)
    for i in range(4):
        add_bar(market, SIGNAL_TF, 100 + 4 * i, 106 + 4 * i, 99 + 4 * i, 104 + 4 * i)
    x = gathered(market, at(840))
    assert x["fomo_long"] == 1.0
    assert math.isnan(x["fomo_short"])


def test_fomo_concerns_trend_entries_only() -> None:
    market = small_state(20_000, 20_000)
    add_bar(market, SIGNAL_TF, 19_990, 20_000, 19_985, 19_988, atr=2.0)
    ball(market, "green", 19_900)
    assert math.isnan(gathered(market, at(840))["fomo_long"])
