"""Every streaming value against its plain definition in pandas, at every bar of a real contract.

The kernels see one bar at a time; here the whole column is there, and each definition is one line of pandas,
or somebody else's library. Equality at every row is the prefix law and the definition in one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import talib
from scipy.special import erf

from tests.plain import Whole, contract_run, same
from tests.plain_battle import governed, outcome

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]


@pytest.fixture(scope="module")
def run() -> Whole:
    return contract_run()


@pytest.fixture(scope="module")
def bars(run: Whole) -> pd.DataFrame:
    table = run.frames["bars"].copy()
    table["delta"] = table["ask_volume"].astype(float) - table["bid_volume"]
    return table


@pytest.fixture(scope="module")
def measured(run: Whole, bars: pd.DataFrame) -> pd.DataFrame:
    joined = run.measures.join(run.decisions[["delta_divergence", "volume_confirmation", "vwap_trend"]])
    return joined.reindex(bars.index)  # a refused row is a decision without a bar


def test_atr_is_that_of_ta_lib(bars: pd.DataFrame) -> None:
    other = talib.ATR(*(bars[name].to_numpy(float) for name in ("high", "low", "close")), 14)
    # TA-Lib's first mean leaves out the first bar, ours takes its range: the difference dies by 13/14 a bar.
    np.testing.assert_allclose(bars["atr"].to_numpy()[400:], other[400:], rtol=1e-9)


def test_vwap_and_its_deviation(bars: pd.DataFrame) -> None:
    by_day = bars.groupby("day")
    price = (bars["high"].astype(float) + bars["low"] + bars["close"]) / 3
    volume = bars["volume"].astype(float).groupby(bars["day"]).cumsum()
    vwap = (price * bars["volume"]).groupby(bars["day"]).cumsum() / volume
    found = bars["vwap"]
    # The kernel keeps hlc/3 in whole thirds through its profile of ticks: half a tick is the most it may differ.
    assert (found - vwap).abs().max() < 0.51
    assert by_day.ngroups > 50


def test_relative_volume(bars: pd.DataFrame) -> None:
    tables = bars.pivot_table(index="day", columns="slot", values="volume")
    mean = tables.shift(1).rolling(20, min_periods=5).mean()
    rows = [(day, slot) for day, slot in zip(bars["day"], bars["slot"], strict=True)]
    reference = mean.stack().reindex(pd.MultiIndex.from_tuples(rows)).to_numpy()
    rolling = bars["volume"].shift(1).rolling(20).mean().to_numpy()
    counted = tables.shift(1).rolling(20, min_periods=1).count().stack()
    days = counted.reindex(pd.MultiIndex.from_tuples(rows)).to_numpy()
    expected = bars["volume"].to_numpy() / np.where(days >= 5, reference, rolling)
    same(bars["rvol"], expected, least=16_000)


def test_spikes_and_anomalies(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    before = bars["volume"].shift(1).rolling(30)
    same(measured["volume_spike_ratio"], bars["volume"] / before.mean(), least=16_000)
    delta = bars["delta"]
    past = delta.shift(1).rolling(30)
    sigma = (delta - past.mean()) / past.std(ddof=0)
    same(measured["flow_anomaly_sigma"], sigma, least=16_000, rel=1e-6, abs_=1e-6)


def test_volume_confirmation(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    mean = bars["volume"].shift(1).rolling(10).mean()
    share = bars["delta"].abs() / bars["volume"]
    corr = bars["volume"].astype(float).rolling(5).corr(bars["close"].astype(float)).abs()
    corr = corr.where(np.isfinite(corr), 0.0)
    strength = 0.45 * (bars["volume"] / (1.8 * mean)).clip(upper=1)
    strength += 0.35 * (2.2 * share).clip(upper=1) + 0.20 * corr
    same(
        measured["volume_confirmation"],
        np.sign(bars["delta"]) * strength,
        least=16_000,
        rel=1e-5,
        abs_=1e-5,
    )


def test_vwap_trend(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    same_day = bars["day"] == bars["day"].shift(10)
    slope = ((bars["vwap"] - bars["vwap"].shift(10)) / 10).where(same_day)
    spread = slope.rolling(100, min_periods=20).std(ddof=0)
    sigma = np.maximum(0.1, spread.fillna(0.1))
    fit, quality = slopes(bars["close"], 10)
    agree = np.where(np.sign(fit) == np.sign(slope), np.sign(fit), 0)
    swings = (np.sign(slopes(bars["high"], 20)[0]) + np.sign(slopes(bars["low"], 20)[0])) / 2
    distance = (bars["close"] - bars["vwap"]) / bars["vwap_sd"].clip(lower=1)
    value = 0.30 * np.tanh(slope / sigma) + 0.125 * distance.clip(-2, 2) + 0.25 * agree + 0.20 * swings
    same(measured["vwap_slope"], slope, least=14_000)
    same(measured["vwap_fit"], quality, least=14_000, rel=1e-6, abs_=1e-6)
    same(measured["vwap_trend"], value, least=14_000, rel=1e-6, abs_=1e-6)


def slopes(series: pd.Series, n: int) -> tuple[pd.Series, pd.Series]:
    """Return slope and R² of least squares over n bars; a flat window is 0 and 0."""
    x = np.arange(n) - (n - 1) / 2
    windows = np.lib.stride_tricks.sliding_window_view(series.to_numpy(float), n)
    centred = windows - windows.mean(axis=1, keepdims=True)
    slope = centred @ x / (x @ x)
    total = (centred**2).sum(axis=1)
    fit = np.divide(slope**2 * (x @ x), total, out=np.zeros_like(total), where=total > 1e-12)
    lead = np.full(n - 1, np.nan)
    return (
        pd.Series(np.r_[lead, np.where(total > 1e-12, slope, 0.0)], series.index),
        pd.Series(np.r_[lead, fit], series.index),
    )


def test_delta_divergence(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    price, fit_p = slopes(bars["close"], 10)
    delta, fit_d = slopes(bars["cvd"], 10)
    z = [s / s.rolling(100).std(ddof=0) for s in (price, delta)]
    size = np.minimum(np.minimum(z[0].abs(), z[1].abs()) / 2, 1)
    opposed = (np.sign(price) * np.sign(delta) < 0) & (fit_p >= 0.3) & (fit_d >= 0.3)
    expected = np.where(opposed, np.sign(delta) * size * (fit_p + fit_d) / 2, 0.0)
    found = measured["delta_divergence"]
    # A session in the window starts delta anew: the component waits there or takes what is its own.
    inside = (bars["day"] == bars["day"].shift(110)) & found.notna()
    assert inside.sum() > 9_000
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-6)


def test_kyle_lambda_is_the_regression_of_statsmodels(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    checked = 0
    for _, day in list(bars.groupby("day"))[5:60:9]:
        change = day["close"].astype(float).diff()
        for stop in (40, 120, len(day)):
            x, y = day["delta"].iloc[1:stop], change.iloc[1:stop]
            found = measured.loc[day.index[min(stop, len(day)) - 1]]
            if len(x) < 30 or np.isnan(found["kyle_lambda"]):
                continue
            model = sm.OLS(y.to_numpy(), sm.add_constant(x.to_numpy())).fit()
            assert found["kyle_lambda"] == pytest.approx(model.params[1], rel=1e-9, abs=1e-12)
            assert found["kyle_r2"] == pytest.approx(model.rsquared, rel=1e-9, abs=1e-12)
            checked += 1
    assert checked >= 15


def test_vpin_is_the_plain_loop_over_buckets(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    change = bars["close"].astype(float).diff()
    z = change / change.rolling(50).std(ddof=0)
    share = erf(z / np.sqrt(2)).to_numpy()
    size, held, signed, ring = 25_000.0, 0.0, 0.0, []
    expected = np.full(len(bars), np.nan)
    for i, (volume, part) in enumerate(zip(bars["volume"].astype(float), share, strict=True)):
        left = volume if np.isfinite(part) else 0.0
        while left > 0:
            take = min(left, size - held)
            held, signed, left = held + take, signed + take * part, left - take
            if held >= size:
                ring.append(abs(signed) / size)
                held = signed = 0.0
        if len(ring) >= 50:
            expected[i] = np.mean(ring[-50:])
    same(measured["vpin"], expected, least=10_000)


def test_realised_volatility(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    squares = np.log(bars["close"].astype(float)).diff() ** 2
    total = squares.rolling(30).sum().where(bars["day"] == bars["day"].shift(30))
    found = measured["realized_volatility"]
    ratio = (found**2 / total).dropna()
    # 252 days of 390 or 1,380 minutes over 150 minutes, by the session the bar ends in.
    years = {round(252 * 390 / 150, 6), round(252 * 1380 / 150, 6)}
    assert set(ratio.round(6)) <= years
    assert len(ratio) > 10_000


def test_sierra_patterns(bars: pd.DataFrame, run: Whole) -> None:
    o, h, low, c = (bars[name].astype(float) for name in ("open", "high", "low", "close"))
    rvol = bars["rvol"].shift(1).fillna(0).clip(upper=1)

    def back(series: pd.Series, k: int) -> pd.Series:
        return series.shift(k + 1)  # bar −k of a pattern whose bar +1 has just closed

    down_up = (back(o, 0) < back(c, 1)) & (back(h, 1) > back(low, 0) + 8) & (o > back(c, 0))
    down_up &= (h > back(low, 0) + 8) & (h > back(h, 1))
    up_down = (back(o, 0) > back(c, 1)) & (back(h, 0) > back(low, 1) + 8) & (o < back(c, 0))
    up_down &= (back(h, 0) > low + 8) & (low < back(low, 1))
    colour_down = (
        (o < back(c, 0)) & (back(h, 0) > low + 12) & (low < back(low, 0)) & (back(o, 1) < back(c, 2))
    )
    colour_down &= (
        (back(h, 2) > back(low, 1) + 12) & (back(low, 1) < back(low, 2)) & (back(h, 0) < back(h, 1))
    )
    colour_up = (o > back(c, 0)) & (h > back(low, 0) + 12) & (h > back(h, 0)) & (back(o, 1) > back(c, 2))
    colour_up &= (back(h, 1) > back(low, 2) + 12) & (back(h, 1) > back(h, 2)) & (back(low, 0) > back(low, 1))
    strength = down_up * (0.7 * ((back(h, 1) - back(low, 0)) / 16).clip(upper=1) + 0.3 * rvol)
    strength -= up_down * (0.7 * ((back(h, 0) - back(low, 1)) / 16).clip(upper=1) + 0.3 * rvol)
    strength -= colour_down * 0.8 * ((back(h, 2) - back(low, 1)) / 24).clip(upper=1)
    strength += colour_up * 0.8 * ((back(h, 1) - back(low, 2)) / 24).clip(upper=1)
    strength = strength.fillna(0)
    expected = sum(strength.shift(age).fillna(0) * (1 - age / 5) for age in range(5)).clip(-1, 1)
    found = run.decisions["sierra_patterns"].reindex(bars.index)
    assert (found.abs() > 0).sum() > 20
    same(found, expected, least=16_000)


def absorption(volume: Any, mean: Any, sold: Any, body_atr: Any, upper: Any) -> Any:
    """Return A_s − A_b: `upper` is +1 for a close in the upper half, −1 in the lower, 0 at the middle."""
    effort = np.minimum(volume / mean / 2, 1) * (1 - np.minimum(body_atr / 0.5, 1))
    of_selling = np.clip(2 * (sold - 0.5) * effort, 0, 1) * (upper > 0)
    return of_selling - np.clip(2 * (0.5 - sold) * effort, 0, 1) * (upper < 0)


def test_absorption(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    assert absorption(3_000, 1_600, 0.62, 0.20, 1) == pytest.approx(
        0.135, abs=5e-4
    )  # as worked in the reference
    assert absorption(3_000, 1_600, 0.62, 0.20, -1) == 0
    assert absorption(3_000, 1_600, 0.38, 0.20, -1) == pytest.approx(-0.135, abs=5e-4)
    expected = absorption(
        bars["volume"],
        bars["volume"].shift(1).rolling(20).mean(),
        bars["bid_volume"] / (bars["bid_volume"] + bars["ask_volume"]),
        (bars["close"] - bars["open"]).abs() / bars["atr"],
        np.sign(2 * bars["close"] - bars["high"] - bars["low"]),
    )
    same(measured["absorption_score"], expected, least=16_000)
    assert (expected.abs() > 0.1).sum() > 100


def test_outcome_of_vikings_and_defenders(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    same(measured["battle_outcome"], 2 * outcome(bars) - 1, least=16_000)


def test_bases_and_the_golden_rule(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    """The rule as a plain loop: a base confirmed, held, violated by one coloured close, forgotten."""
    rule = governed(bars, outcome(bars))
    k, quality = rule.k, rule.quality
    known = measured.index.notna() & measured["battle_outcome"].notna().to_numpy()
    np.testing.assert_array_equal(measured["golden_rule"].to_numpy()[known], k[known])
    np.testing.assert_allclose(measured["base_quality"].to_numpy()[known], quality[known], rtol=1e-9)
    assert {-0.6, -0.2, 0.2, 0.6} <= set(k[np.isfinite(k)])


def test_balls_their_streaks_and_breaks(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    opened, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    up = down = 0
    green: list[tuple[int, int]] = []  # pivot bar, price
    red: list[tuple[int, int]] = []
    streak, trend, both = (np.zeros(len(bars)) for _ in range(3))
    for i in range(len(bars)):
        p = i - 3
        around = [j for j in range(p - 3, i + 1) if j != p]
        is_green = p >= 3 and all(low[p] < low[j] for j in around)
        is_red = p >= 3 and all(high[p] > high[j] for j in around)
        end_up = up >= 3 and is_red and bool(green) and high[p] < green[-1][1]
        end_down = down >= 3 and is_green and bool(red) and low[p] > red[-1][1]
        up, down = (0 if end_up else up), (0 if end_down else down)
        if is_green:
            up = up + 1 if up and green and low[p] > green[-1][1] else 1
            green.append((p, low[p]))
        if is_red:
            down = down + 1 if down and red and high[p] < red[-1][1] else 1
            red.append((p, high[p]))
        if up >= 3 and close[i] < opened[i]:
            lows = [low[j] for j in range(green[-1][0], i) if close[j] > opened[j]]
            up = 0 if lows and close[i] < min(lows) else up
        if down >= 3 and close[i] > opened[i]:
            highs = [high[j] for j in range(red[-1][0], i) if close[j] < opened[j]]
            down = 0 if highs and close[i] > max(highs) else down
        weight = {True: 0.5, False: 0.8 if max(up, down) >= 4 else 1.0}[max(up, down) >= 6]
        streak[i] = 0 if up == down else (up if up > down else -down)
        trend[i] = 0 if (up >= 3) == (down >= 3) else (weight if up >= 3 else -weight)
        both[i] = up >= 3 and down >= 3
    same(measured["ball_streak"], streak, least=16_000)
    same(measured["ball_trend"], trend, least=16_000)
    same(measured["ball_compression"], both, least=16_000)
    assert {-1.0, -0.8, 0.0, 0.8, 1.0} <= set(trend)
