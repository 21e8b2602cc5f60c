"""Figures of a run: known values by hand, definitions at their edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics.bootstrap import interval_by_day, stationary_indices, wilson
from mia_kernel.analytics.equity import marked_equity
from mia_kernel.analytics.performance import by_group, outcome, performance, targets
from mia_kernel.core.orders import RoundTrip

pytestmark = pytest.mark.unit
DAY = 86_400_000_000_000
CAPITAL = 5_000_000


def trip(net_ticks: int, *, day: int = 0, at: int = 0, fees: int = 0, **changes: object) -> RoundTrip:
    base = RoundTrip(
        id=1,
        bracket_id="b",
        symbol="ES",
        side=1,
        qty=1,
        entry_ts=day * DAY + at * 1000 + 100,
        entry_ticks=20_000.0,
        exit_ts=day * DAY + at * 1000 + 900,
        exit_ticks=20_000.0 + net_ticks,
        exit_reason="target",
        gross_cents=1250 * net_ticks,
        fees_cents=fees,
        mae_ticks=float(max(0, -net_ticks)),
        mfe_ticks=float(max(0, net_ticks)),
        grade=2,
        confluence_percent=72.0,
        risk_cents=10_000,
        slippage_ticks=0.0,
        phase="morning",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def figures(trips: list[RoundTrip], days: int = 1, **more: object) -> dict[str, object]:
    return performance(
        trips,
        capital_cents=CAPITAL,
        days=range(days),
        day_of=lambda ts: ts // DAY,
        **more,  # type: ignore[arg-type]
    )


def test_three_trips_by_hand() -> None:
    # +8 T = 100 USD, -8 T = -100 USD, +4 T = 50 USD, fees 4.50 each: 95.50 - 104.50 + 45.50 = 36.50
    got = figures([trip(8, at=0, fees=450), trip(-8, at=1, fees=450), trip(4, at=2, fees=450)])
    assert (got["n"], got["wins"], got["losses"], got["scratches"]) == (3, 2, 1, 0)
    assert got["net_usd"] == 36.50
    assert got["profit_factor"] == pytest.approx(141.0 / 104.5)
    assert got["expectancy_r"] == pytest.approx(36.50 / 100 / 3)
    # Peak 50 095.50 after the first, 49 991.00 after the second, less the fee of the third at its entry.
    assert got["max_drawdown_usd"] == 109.0
    assert got["max_drawdown_percent"] == pytest.approx(109.0 / 50_095.5 * 100)
    assert got["payoff_ratio"] == pytest.approx((95.5 + 45.5) / 2 / 104.5)
    assert got["sharpe_daily"] is None
    assert got["trades_per_day"] == 3


def test_a_result_under_one_tick_is_a_scratch() -> None:
    assert outcome(trip(1, fees=1)) == 0
    assert outcome(trip(1)) == 1
    assert outcome(trip(-1)) == -1
    assert outcome(trip(0, fees=450)) == 0
    assert outcome(replace(trip(1), symbol="MES", gross_cents=125)) == 1
    assert outcome(replace(trip(1), qty=2, gross_cents=2499)) == 0


def test_no_trades_is_unknown_not_zero() -> None:
    got = figures([], days=5)
    assert got["n"] == 0
    assert got["net_usd"] == 0
    assert got["trades_per_day"] == 0
    for key in ("win_rate", "win_rate_ci", "profit_factor", "expectancy_r", "sharpe_daily", "payoff_ratio"):
        assert got[key] is None
    assert got["profit_factor_text"] == "no trades"
    assert targets(got) == {
        "win_rate": "not shown",
        "profit_factor": "not shown",
        "max_drawdown": "not shown",
    }


def test_no_losses_has_no_profit_factor() -> None:
    got = figures([trip(8), trip(8, at=1)])
    assert got["profit_factor"] is None
    assert got["profit_factor_text"] == "no losses, n = 2"
    assert got["max_drawdown_usd"] == 0


def test_drawdown_sees_the_open_position() -> None:
    # Bought at 20 000, marked at 19 980 in between (-20 T = -250 USD), closed at +4.
    one = trip(4, mae_ticks=20.0)
    marks = np.array([500], np.int64), np.array([19_980.0])
    got = figures([one], mark_ts=marks[0], mark_ticks=marks[1])
    assert got["max_drawdown_usd"] == 250.0
    # The excursion is known even without a mark.
    assert figures([one])["max_drawdown_usd"] == 250.0
    # A mark above the entry makes the fall longer: +10 T, then -20 T.
    up = marked_equity(
        [one], capital_cents=CAPITAL, mark_ts=np.array([300, 500]), mark_ticks=np.array([20_010.0, 19_980.0])
    )
    assert up.drawdown_cents() == 1250 * 30


def test_starting_capital_is_the_first_point() -> None:
    assert figures([trip(-8)])["max_drawdown_usd"] == 100.0


def test_sharpe_keeps_zero_days() -> None:
    got = figures([trip(8, day=0), trip(4, day=2)], days=4)
    daily = np.array([100.0, 0.0, 50.0, 0.0]) / 50_000
    assert got["sharpe_daily"] == pytest.approx(daily.mean() / daily.std(ddof=1) * math.sqrt(252))


def test_wilson_known_values() -> None:
    assert wilson(0, 0) is None
    # 65 of 100 (validation: 55 to 74 %), 195 of 300 (59 to 70 %)
    assert wilson(65, 100) == pytest.approx((0.5525, 0.7364), abs=5e-5)
    assert wilson(195, 300) == pytest.approx((0.5944, 0.7018), abs=5e-4)
    low, high = wilson(10, 10) or (0, 0)
    assert (low, high) == pytest.approx((0.7225, 1.0), abs=5e-5)


def test_stationary_indices_have_blocks_of_the_stated_length() -> None:
    rng = np.random.default_rng(1)
    index = stationary_indices(200, 500, mean_block=5, rng=rng)
    follows = (index[:, 1:] == (index[:, :-1] + 1) % 200).mean()
    assert follows == pytest.approx(1 - 1 / 5 + 1 / 5 / 200, abs=0.01)
    counts = np.bincount(index.ravel(), minlength=200) / index.size
    assert counts.max() < 1.4 / 200
    assert (stationary_indices(5, 3, mean_block=1, rng=rng) < 5).all()


def test_bootstrap_interval_covers_a_mean_and_repeats() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(40):
        days = rng.normal(1.0, 2.0, (60, 1))
        low, high = interval_by_day(days, lambda t: t[:, :, 0].mean(axis=1), draws=1000) or (0.0, 0.0)
        hits += low <= 1.0 <= high
    assert hits >= 33
    assert interval_by_day(days, lambda t: t[:, :, 0].mean(axis=1)) == interval_by_day(
        days, lambda t: t[:, :, 0].mean(axis=1)
    )
    assert interval_by_day(days[:5], lambda t: t[:, :, 0].mean(axis=1)) is None


def many(count: int, win_share: float, win: int, loss: int) -> list[RoundTrip]:
    wins = round(10 * win_share)
    return [trip(win if i % 10 < wins else -loss, day=i // 5, at=i % 5) for i in range(count)]


def test_targets_are_supported_refuted_or_not_shown() -> None:
    good = figures(many(600, 0.8, 8, 8), days=120)
    assert targets(good) == {
        "win_rate": "supported",
        "profit_factor": "supported",
        "max_drawdown": "supported",
    }
    bad = figures(many(600, 0.4, 8, 8), days=120)
    assert targets(bad)["win_rate"] == "refuted"
    assert targets(bad)["profit_factor"] == "refuted"
    assert targets(bad)["max_drawdown"] == "refuted"
    few = figures(many(290, 0.8, 8, 8), days=58)
    assert set(targets(few).values()) == {"not shown"}
    near = figures(many(310, 0.7, 8, 8), days=62)
    assert targets(near)["win_rate"] == "not shown"


def test_groups_say_when_they_are_too_few() -> None:
    rows = by_group(many(40, 0.5, 8, 8) + [trip(8, phase="open", day=8)], lambda t: t.phase)
    assert [(r["group"], r["n"], r["too_few"]) for r in rows] == [("morning", 40, False), ("open", 1, True)]
    assert rows[0]["win_rate"] == 0.5


def test_performance_keys_are_those_of_the_interface() -> None:
    keys = [
        *("n", "wins", "losses", "scratches", "win_rate", "win_rate_ci", "profit_factor", "expectancy_r"),
        *("net_usd", "max_drawdown_usd", "max_drawdown_percent", "trades_per_day", "sharpe_daily"),
    ]
    assert list(figures([trip(8)]))[: len(keys)] == keys


def test_sortino_and_calmar_by_hand() -> None:
    # Over a quarter, one day in three loses 2 T and two make 2 T each: mean 2/3 T, root mean square loss sqrt(4/3) T.
    trips = [trip(-2 if day % 3 == 0 else 2, day=day) for day in range(63)]
    got = figures(trips, days=63)
    assert got["sortino_daily"] == pytest.approx((2 / 3) / math.sqrt(4 / 3) * math.sqrt(252))
    growth = (1 + 63 * 2 / 3 * 1_250 / CAPITAL) ** 4 - 1
    assert got["calmar"] == pytest.approx(growth / (2 * 1_250 / CAPITAL))
    assert figures(trips[:60], days=60)["calmar"] is None
    won = figures([trip(2, day=day) for day in range(63)], days=63)
    assert (won["sortino_daily"], won["calmar"]) == (None, None)
