"""Session figures and both regimes against their plain definitions, at every decision of a real contract.

Each is written from the words of the definition over the whole column of bars; the product sees one bar at
a time. Both must agree in what is known and in its value.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.plain import Whole, contract_run, equal

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

HALF_DAYS = (20170116, 20170220)  # Martin Luther King and Presidents' Day: trading ends at 13:00
OPENS, CLOSES, HALF_CLOSES = 9.5, 16.0, 13.0
STARTS = (3.0, 8.0, 9.5, 10.5, 12.0, 13.5, 15.0, 16.0)  # of London and the phases after it, New York
POST, CLOSED = 8, 9
NORMAL, HIGH, EXTREME, TRANSITION = 1, 2, 3, 4
STRONG, WEAK, RANGE, BETWEEN, UNCLEAR = range(5)


@pytest.fixture(scope="module")
def run() -> Whole:
    return contract_run()


@pytest.fixture(scope="module")
def bars(run: Whole) -> pd.DataFrame:
    table = run.frames["bars"].copy()
    table["ended"] = table.index.hour + table.index.minute / 60
    table["started"] = (table["ended"] - 1 / 12) % 24
    table["closes"] = np.where(table["day"].isin(HALF_DAYS), HALF_CLOSES, CLOSES)
    return table


@pytest.fixture(scope="module")
def measured(run: Whole, bars: pd.DataFrame) -> pd.DataFrame:
    names = ["volatility_regime", "market_regime", "volatility_regime_code", "market_regime_code"]
    # A refused row is a decision without a bar.
    return run.measures.join(run.decisions[names]).reindex(bars.index)


def phases(hour: pd.Series, day: pd.Series) -> pd.Series:
    """Return the phase an hour of New York lies in; a half day ends with an hour of power."""
    found = pd.Series(np.searchsorted(STARTS, np.round(hour, 6), side="right"), hour.index)
    found[hour >= 18 - 1e-6] = 0
    half = day.isin(HALF_DAYS)
    found[half & (hour >= HALF_CLOSES - 1 - 1e-6) & (hour < HALF_CLOSES - 1e-6)] = POST - 1
    return found


def test_the_gap_is_the_open_against_the_close_before(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    cash = bars[(bars["started"] > OPENS - 1e-6) & (bars["started"] < bars["closes"] - 1e-6)]
    ends = cash.groupby("day").agg(first=("open", "first"), last=("close", "last"))
    gap = 100 * (ends["first"] / ends["last"].shift(1) - 1)
    within = (bars["ended"] > OPENS + 1e-6) & (bars["ended"] < bars["closes"] - 1e-6)
    expected = bars["day"].map(gap).where(within)
    equal(measured["overnight_gap_percent"], expected, least=4_500)
    assert gap.abs().max() > 0.5


def test_rank_of_the_range_so_far(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    by_day = bars.groupby("day")
    span = by_day["high"].cummax() - by_day["low"].cummin()
    table = pd.DataFrame({"day": bars["day"], "ended": bars["ended"].round(6), "span": span})
    spans = table.pivot(index="day", columns="ended", values="span")
    ranks = np.full(spans.shape, np.nan)
    for i in range(20, len(spans)):
        # The sixty sessions before; half of the equal ones are below.
        before, now = spans.iloc[max(i - 60, 0) : i].to_numpy(), spans.iloc[i].to_numpy()
        known = np.isfinite(before).sum(axis=0)
        below = (before < now).sum(axis=0) + 0.5 * (before == now).sum(axis=0)
        ranks[i] = np.where((known >= 20) & np.isfinite(now), below / np.maximum(known, 1), np.nan)
    ranked = pd.DataFrame(ranks, spans.index, spans.columns).stack()
    expected = ranked.reindex(pd.MultiIndex.from_frame(table[["day", "ended"]])).to_numpy()
    equal(measured["session_range_percentile"], expected, least=11_000)


def test_returns_of_a_weekday_s_phase(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    """A phase counts from the bar on that begins another; under 30 of a kind no mean is told."""
    phase = phases(bars["started"], bars["day"]).to_numpy()
    day = pd.to_datetime(bars["day"].astype(str)).dt.day_of_week.to_numpy()
    at = phases(bars["ended"], bars["day"]).to_numpy()
    session = bars["day"].to_numpy()
    runs: dict[tuple[int, int], int] = {}
    expected = np.zeros(len(bars))
    for i in range(len(bars)):
        if i and (phase[i] != phase[i - 1] or session[i] != session[i - 1]):
            key = day[i - 1], phase[i - 1]
            runs[key] = runs.get(key, 0) + 1
        expected[i] = runs.get((day[i], at[i]), 0)
    trading = measured["session_phase"] < CLOSED
    equal(measured["seasonal_n"][trading], expected[trading], least=16_000)
    assert (measured["seasonal_n"][~trading] == 0).all()
    assert expected.max() < 30
    assert measured[["seasonal_bias", "seasonal_half_width"]].isna().all(axis=None)


def ratios(bars: pd.DataFrame, phase: pd.Series) -> pd.Series:
    """Return ATR over its mean in the same phase of 20 days, or over the last 50 where days are under 5."""
    table = pd.DataFrame({"day": bars["day"], "phase": phase, "atr": bars["atr"]}).dropna()
    sums = table.pivot_table(index="day", columns="phase", values="atr", aggfunc=["sum", "count"])
    sums = sums.reindex(bars["day"].unique())
    past = sums.fillna(0).shift(1).rolling(20, min_periods=1).sum()
    days = sums["count"].notna().astype(float).shift(1).rolling(20, min_periods=1).sum()
    mean = (past["sum"] / past["count"]).where(days >= 5).stack()
    rows = pd.MultiIndex.from_arrays([bars["day"], phase])
    of_phase = pd.Series(mean.reindex(rows).to_numpy(), bars.index)
    known = bars["atr"].dropna()
    of_fifty = known.shift(1).rolling(50).mean().reindex(bars.index)
    return bars["atr"] / of_phase.fillna(of_fifty)


@pytest.fixture(scope="module")
def ratio(bars: pd.DataFrame, measured: pd.DataFrame) -> pd.Series:
    at_end, trading = phases(bars["ended"], bars["day"]), measured["session_phase"] < CLOSED
    assert (at_end[trading] == measured["session_phase"][trading]).all()
    return ratios(bars, phases(bars["started"], bars["day"]))  # a bar's phase is the one it lies in


def test_atr_ratio_and_stress(ratio: pd.Series, measured: pd.DataFrame) -> None:
    equal(measured["atr_ratio"], ratio, least=16_500)
    # No VIX and no spread are known here.
    equal(measured["market_stress_indicator"], (ratio - 1).clip(0, 1), least=16_500)
    assert (ratio > 2).sum() > 20


def test_rank_of_atr_within_twenty_days(bars: pd.DataFrame, measured: pd.DataFrame) -> None:
    values = bars["atr"].dropna().to_numpy(np.float32)
    expected = np.full(len(bars), np.nan)
    first = len(bars) - len(values)
    for i in range(276, len(values)):
        past = values[max(i - 20 * 276, 0) : i]
        expected[first + i] = ((past < values[i]).sum() + 0.5 * (past == values[i]).sum()) / len(past)
    equal(measured["atr_percentile"], expected, least=16_000)


def test_volatility_regime(bars: pd.DataFrame, ratio: pd.Series, measured: pd.DataFrame) -> None:
    raw = pd.Series(np.select([ratio > 2, ratio > 1.5], [EXTREME, HIGH], NORMAL), bars.index)[ratio.notna()]
    changed = raw.ne(raw.shift(1)) & raw.shift(1).notna()
    since = pd.Series(raw.index, raw.index).where(changed).ffill()
    fresh = (pd.Series(raw.index, raw.index) - since) < pd.Timedelta(minutes=30)
    expected = raw.where(~fresh, TRANSITION).reindex(bars.index)
    equal(measured["volatility_regime"], expected, least=16_500)
    equal(measured["volatility_regime_code"], expected, least=16_500)
    assert set(expected.dropna()) == {NORMAL, HIGH, EXTREME, TRANSITION}


class Market(NamedTuple):
    """Strength, sign, kind and side of a trend, and whether the market is choppy, bar by bar."""

    strength: Any
    sign: Any
    kind: Any
    side: Any
    choppy: Any


@pytest.fixture(scope="module")
def market(bars: pd.DataFrame) -> Market:
    high, low, close = (bars[name].to_numpy(np.int64) for name in ("high", "low", "close"))
    vwap, atr, day = (bars[name].to_numpy() for name in ("vwap", "atr", "day"))
    ends = bars["end"].to_numpy() / 6e10
    swings = pivots(high, 1) + pivots(low, -1)
    count = len(bars)
    strength, sign, kind, side, choppy = (np.full(count, np.nan) for _ in range(5))
    over = np.sign(close - vwap)
    rising, falling, compared = (np.zeros(count) for _ in range(3))
    for at, better in swings:
        # Known three bars later, and looked at until it lies thirty bars back.
        window = slice(at + 3, at + 30)
        compared[window] += 1
        rising[window] += better > 0
        falling[window] += better < 0
    for i in range(49, count):
        up, down = rising[i], falling[i]
        slope = (vwap[i] - vwap[i - 10]) / 10 if day[i] == day[i - 10] else 0.0
        momentum = np.clip((close[i] - close[i - 10]) / (3 * atr[i]), -1, 1)
        dow = max(up, down) / compared[i] if compared[i] else 0.0
        strength[i] = 0.40 * dow + 0.35 * min(abs(slope) / 2, 1) + 0.25 * abs(momentum)
        sign[i] = np.sign(up - down + slope + momentum)
        sides = over[i - 29 : i + 1]
        choppy[i] = (np.diff(sides[sides != 0]) != 0).sum() >= 4
        lacks = [
            sum((strength[i] < 0.50, points < 2, e * slope < 0.2)) for e, points in ((1, up), (-1, down))
        ]
        e = 1 if lacks[0] == 0 and up > down else (-1 if lacks[1] == 0 and down > up else 0)
        side[i] = e
        if e:
            hard = strength[i] >= 0.70 and max(up, down) >= 4 and e * slope > 0.5
            kind[i] = STRONG if hard else WEAK
            continue
        sixty = slice(i - 59, i + 1)
        of_range = lacking(high[sixty], low[sixty], close[sixty], ends[sixty]) if i >= 59 else 4
        kind[i] = RANGE if of_range == 0 else (BETWEEN if min(*lacks, of_range) <= 1 else UNCLEAR)
    return Market(strength, sign, kind, side, choppy)


def pivots(price: Any, e: int) -> list[tuple[int, int]]:
    """Return (bar, change against the one before) of each swing high (e = 1) or low, strict by three bars."""
    windows = np.lib.stride_tricks.sliding_window_view(e * price, 7)
    at = np.flatnonzero(windows[:, 3] > np.delete(windows, 3, axis=1).max(axis=1)) + 3
    return [(int(now), int(price[now] - price[before])) for before, now in pairwise(at)]


def lacking(high: Any, low: Any, close: Any, ends: Any) -> int:
    """Return how many of the four conditions of a range are missing; 4 where its edges cross."""
    top, tops, top_held, top_span = edge(high, close, ends)
    bottom, bottoms, bottom_held, bottom_span = edge(-low, -close, ends)
    width = top + bottom
    if width <= 0:
        return 4
    wide = not 12 <= width <= 50
    loose = top_held < 0.75 * tops or bottom_held < 0.75 * bottoms
    return sum((wide, min(tops, bottoms) < 3, min(top_span, bottom_span) < 20, loose))


def edge(extremes: Any, close: Any, ends: Any) -> tuple[int, int, int, float]:
    """Return (price, tests, respected, minutes from first to last) of the most tested price on top."""
    ordered = np.sort(extremes)
    prices = np.arange(ordered[51], ordered[56] + 1)  # of 60: from the 85th to the 95th in a hundred
    tests = np.abs(extremes[:, None] - prices) <= 1.5
    counts = tests.sum(axis=0)
    best = np.flatnonzero(counts == counts.max())[-1]  # the outer one of equals
    of_best = tests[:, best]
    when = ends[of_best]
    held = (close[of_best] <= prices[best] + 1.5).sum()
    return prices[best], counts[best], held, when[-1] - when[0]


def test_strength_and_sign_of_the_trend(bars: pd.DataFrame, measured: pd.DataFrame, market: Market) -> None:
    equal(measured["trend_strength"], market.strength, least=16_900)
    equal(measured["trend_sign"], market.sign, least=16_900)
    equal(measured["market_regime"], market.sign * market.strength, least=16_900)
    equal(measured["choppy"], market.choppy, least=16_900)
    assert {0.0, 1.0} <= set(market.choppy[np.isfinite(market.choppy)])


def test_kind_of_market_and_what_it_allows(measured: pd.DataFrame, market: Market) -> None:
    kind, side = market.kind, market.side
    equal(measured["market_kind"], kind, least=16_900)
    assert set(kind[np.isfinite(kind)]) == {STRONG, WEAK, RANGE, BETWEEN, UNCLEAR}
    known = np.isfinite(kind)
    both = (kind == RANGE) | (kind == BETWEEN)
    for name, e in (("market_allows_buy", 1), ("market_allows_sell", -1)):
        equal(measured[name], np.where(known, both | (side == e), np.nan), least=16_900)
    size = np.full(len(kind), np.nan)
    for code, multiplier in ((STRONG, 1.3), (WEAK, 1.0), (RANGE, 0.9), (BETWEEN, 0.5), (UNCLEAR, 0.0)):
        size[kind == code] = multiplier
    equal(measured["market_size_multiplier"], size, least=16_900)
