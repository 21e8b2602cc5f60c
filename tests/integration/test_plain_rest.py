"""The smaller measures against plain numpy and pandas: the contract, the session of trades, the hour of orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.integration.test_plain_definitions import slopes
from tests.integration.test_plain_regimes import CLOSED, CLOSES, HALF_CLOSES, HALF_DAYS, OPENS, phases
from tests.integration.test_plain_structure import both, pivots
from tests.plain import contract_tables
from tests.plain_battle import governed, outcome
from tests.plain_patterns import strengths
from tests.plain_replay import BLOCK, HOUR, HOUR_NS, SESSION, Replay, large_orders, replayed, tape_of

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

# -- a contract of bars --------------------------------------------------------------------------------

SIZES = (0.5, 0.8, 0.7, 1.0, 1.0, 0.6, 1.0, 0.7, 0.0)  # asia to post
LEAST_PERCENT = (85, 85, 85, 75, 70, 80, 70, 85, np.nan)


def test_clock_of_the_session() -> None:
    bars, found, decided = contract_tables()
    hour = bars.index.hour + bars.index.minute / 60
    closes = np.where(bars["day"].isin(HALF_DAYS), HALF_CLOSES, CLOSES)
    cash = (hour > OPENS - 1e-6) & (hour < closes - 1e-6)
    both(
        found["time_since_open_minutes"],
        np.where(cash, 60 * (hour - OPENS), np.nan),
        decided,
        least=4_500,
        abs_=1e-6,
    )
    both(
        found["time_to_close_minutes"],
        np.where(cash, 60 * (closes - hour), np.nan),
        decided,
        least=4_500,
        abs_=1e-6,
    )
    ends = np.where(bars["day"].isin(HALF_DAYS), HALF_CLOSES, 17.0)
    share = ((hour - 18) % 24) / (ends + 6)
    share = np.where(np.abs(hour - ends) < 1e-6, 1.0, share)
    both(found["session_time_ratio"], share.clip(0, 1), decided, least=16_000, abs_=1e-6)


def test_size_and_threshold_of_a_phase() -> None:
    bars, found, decided = contract_tables()
    hour = pd.Series(bars.index.hour + bars.index.minute / 60, bars.index)
    phase = phases(hour, bars["day"]).to_numpy()
    trading = decided & (found["session_phase"] < CLOSED).to_numpy()
    both(found["session_phase"], phase, trading, least=16_000)
    both(found["phase_size_multiplier"], np.array(SIZES)[phase], trading, least=16_000)
    both(found["phase_threshold_percent"], np.array(LEAST_PERCENT)[phase], trading, least=15_000)


def test_flags_are_their_ratios_beyond_the_limit() -> None:
    bars, found, decided = contract_tables()
    both(found["volume_relative"], bars["rvol"], decided, least=16_000)
    for flag, value, limit in (
        ("volume_spike_detected", found["volume_spike_ratio"], 3.0),
        ("flow_anomaly_detected", found["flow_anomaly_sigma"].abs(), 2.5),
    ):
        expected = np.where(value.isna(), np.nan, value > limit)
        both(found[flag], expected, decided, least=16_000)
        assert 50 < np.nansum(expected) < 5_000


def test_parts_of_the_vwap_trend() -> None:
    bars, found, decided = contract_tables()
    known = found["vwap_slope"].notna().to_numpy()
    fit = slopes(bars["close"], 10)[0]
    agrees = np.where(np.sign(fit) == np.sign(found["vwap_slope"]), np.sign(fit), 0)
    swings = (np.sign(slopes(bars["high"], 20)[0]) + np.sign(slopes(bars["low"], 20)[0])) / 2
    away = (bars["close"] - bars["vwap"]) / bars["vwap_sd"].clip(lower=1)
    both(found["vwap_agreement"], np.where(known, agrees, np.nan), decided & known, least=14_000)
    both(found["vwap_swings"], swings, decided & known, least=14_000)
    both(found["vwap_distance_sd"], away, decided & known, least=14_000)
    both(found["vwap_mean_reversion"], away.abs() > 2, decided & known, least=14_000)


def test_score_and_confidence_of_battle_navale() -> None:
    bars, found, decided = contract_tables()
    rule = governed(bars, outcome(bars))
    k, q = found["golden_rule"], found["base_quality"]
    score = 0.40 * found["battle_outcome"] + 0.35 * k.fillna(0)
    score += 0.25 * rule.side * q.fillna(0) + 0.15 * found["sierra_patterns"].fillna(0)
    score = score.clip(-1, 1)
    # The newest of each kind, as long as it is at most five bars old.
    newest = strengths(bars).replace(0.0, np.nan).ffill(limit=5)
    confidence = pd.concat([q, newest.mean(axis=1), k.abs(), score.abs()], axis=1).mean(axis=1)
    both(found["battle_score"], score, decided, least=16_000)
    both(found["battle_confidence"], confidence.where(score.notna()), decided, least=16_000)
    assert newest.notna().any(axis=1).sum() > 40


def test_pullback_in_the_leg_of_a_ball_trend_and_chasing() -> None:
    """Depth from the newest ball of the trend's colour to the extreme after it; a chase is far from that ball."""
    bars, found, decided = contract_tables()
    columns = {name: bars[name].to_numpy(float) for name in ("open", "high", "low", "close", "atr")}
    ball = {e: pivots(bars, e)[0] for e in (1, -1)}
    depth, chase = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    trend, side = found["ball_trend"].to_numpy(), found["pullback_side"].to_numpy()
    for i in np.flatnonzero(decided):
        if trend[i] and np.isfinite(trend[i]):
            depth[i] = given_back(columns, i, ball[int(np.sign(trend[i]))][i], int(np.sign(trend[i])))
        if side[i] and np.isfinite(side[i]):
            chase[i] = chases(columns, i, ball[int(side[i])][i], int(side[i]))
    both(found["ball_pullback"], depth, decided, least=1_500)
    both(found["fomo"], chase, decided, least=4_500)
    assert {0.0, 1.0} <= set(chase)


def given_back(bars: dict[str, Any], i: int, p: int, e: int) -> float:
    start = e * bars["low" if e > 0 else "high"][p]
    leg = (e * bars["high" if e > 0 else "low"][p + 1 : i + 1]).max() - start
    return (leg + start - e * bars["close"][i]) / leg if leg > 0 else np.nan


def chases(bars: dict[str, Any], i: int, p: int, e: int) -> bool:
    far = e * (bars["close"][i] - bars["low" if e > 0 else "high"][p]) > bars["atr"][i]
    reach = e * bars["high" if e > 0 else "low"][i - 3 : i + 1]
    body = e * (bars["close"] - bars["open"])[i - 2 : i + 1]
    return bool(far or ((np.diff(reach) > 0).all() and (body > 0).all()))


HOLIDAYS = ("2016-11-24", "2016-12-26", "2017-01-02", "2017-01-16", "2017-02-20", "2017-04-14", "2017-05-29")
CYCLE = ((1.05, 1.0), (0.70, 0.8), (1.30, 1.2), (1.10, 1.0), (1.00, 1.0))  # factors of confidence and size


def test_where_a_day_stands_in_the_cycle_of_expiries() -> None:
    """Cash days to and since the third Friday's 16:00, or the cash day before where the market is closed."""
    bars, found, decided = contract_tables()
    cash = pd.bdate_range("2016-10-01", "2017-06-30").difference(pd.DatetimeIndex(HOLIDAYS))
    thirds = pd.date_range("2016-10-01", "2017-06-30", freq="WOM-3FRI")
    monthly = cash[cash.searchsorted(thirds, "right") - 1]
    day = pd.DatetimeIndex(pd.to_datetime(bars["day"].astype(str)))
    settled = (day.isin(monthly) & (bars.index.tz_localize(None) >= day + pd.Timedelta(hours=16))).astype(int)
    following = monthly[monthly.searchsorted(day, "left") + settled]
    last = monthly[monthly.searchsorted(day, "left") + settled - 1]

    def between(first: pd.DatetimeIndex, second: pd.DatetimeIndex) -> Any:
        return cash.searchsorted(second, "right") - cash.searchsorted(first, "right")

    ahead, since = between(day, following), between(last, day)
    rules = [(since <= 2) & (ahead > 15), ahead <= 2, ahead <= 5, ahead <= 10]
    phase = np.select(rules, [0, 1, 2, 3], 4)
    for name, expected in (
        ("days_to_monthly_expiry", ahead),
        ("days_since_monthly_expiry", since),
        ("gamma_phase", phase),
        ("gamma_confidence_factor", np.array(CYCLE)[phase, 0]),
        ("gamma_size_factor", np.array(CYCLE)[phase, 1]),
        ("quarterly_expiry", day.isin(monthly[monthly.month % 3 == 0])),
    ):
        both(found[name], expected, decided, least=16_000)
    assert set(phase[decided]) == {0, 1, 2, 3, 4}


# -- the session of trades -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> Replay:
    return replayed(SESSION)


def test_aggression_of_every_minute(session: Replay) -> None:
    tape = tape_of(session)
    first, stop = (np.searchsorted(tape.ts, session.bar[edge], "left") for edge in ("start", "end"))
    bought, sold, volume = (
        np.r_[0, np.cumsum(sizes)][stop] - np.r_[0, np.cumsum(sizes)][first]
        for sizes in (tape.sz * (tape.side > 0), tape.sz * (tape.side < 0), tape.sz)
    )
    known = np.where(session.bar["end"] > 0, bought + sold, np.nan)  # none before the first closed bar
    delta, volume = bought - sold, np.where(session.bar["end"] > 0, volume, np.nan)
    for name, expected in (
        ("net_delta", np.where(known > 0, delta, np.nan)),
        ("aggression_bias", delta / volume),
        ("imbalance_ratio", delta / known),
        ("aggressive_buy_ratio", bought / known),
        ("aggressive_sell_ratio", sold / known),
    ):
        both(session.measures[name], expected, slice(None), least=5_300)


def test_how_large_orders_behave(session: Replay) -> None:
    """Over half blocks, over seven tenths sweeps, more than fifteen all under 150, else stealth, in this order."""
    orders = np.array(large_orders(tape_of(session)), float)
    when, size, levels = orders[:, 0], orders[:, 2], orders[:, 3]
    expected = []
    for now in session.at:
        here = slice(*np.searchsorted(when, [now - HOUR_NS, now], "right"))
        n = here.stop - here.start
        if n == 0:
            expected.append(np.nan)
        elif (size[here] >= BLOCK).mean() > 0.5:
            expected.append(0)
        elif (levels[here] >= 2).mean() > 0.7:
            expected.append(1)
        else:
            expected.append(2 if n > 15 and (size[here] < 150).all() else 3)
    ready = np.isfinite(session.measures["smart_signal"])
    both(session.measures["smart_behaviour"], np.where(ready, expected, np.nan), slice(None), least=5_000)
    assert len(set(np.array(expected)[ready])) > 2


# -- the hour of orders --------------------------------------------------------------------------------


def test_composite_of_volume_delta_footprint_and_book() -> None:
    hour = replayed(HOUR)
    bar = hour.bar
    delta = bar["ask_volume"].astype(float) - bar["bid_volume"]
    loud = np.sign(delta) * np.minimum(bar["rvol"] / 2, 1)
    stacks = np.clip((bar["stacked_buy"].astype(float) - bar["stacked_sell"]) / 3, -1, 1)
    expected = 0.25 * loud + 0.30 * delta / np.maximum(bar["volume"], 1) + 0.25 * stacks
    expected += 0.20 * hour.components["order_book"]
    known = np.isfinite(hour.components["order_book"]) & (bar["end"] > 0)
    both(hour.measures["orderflow_composite"], expected, known, least=120)
