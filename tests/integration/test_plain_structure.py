"""Pullbacks, headfakes and timeframes against plain loops over the bars of a real contract, at every bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mia_kernel.core.session import session_row
from mia_kernel.state.regime import M_DOWN_WEAK, M_UP_WEAK
from tests.integration.test_plain_flow import FRAMES, combined
from tests.plain import contract_run
from tests.plain_battle import governed, outcome

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    table = contract_run().frames["bars"].copy()
    table["delta"] = table["ask_volume"].astype(float) - table["bid_volume"]
    return table


@pytest.fixture(scope="module")
def found(bars: pd.DataFrame) -> pd.DataFrame:
    """Return measures and components at every bar; a refused row is a decision without a bar."""
    decisions = contract_run().decisions
    extra = [name for name in decisions.columns if name not in contract_run().measures.columns]
    return contract_run().measures.join(decisions[extra]).reindex(bars.index)


@pytest.fixture(scope="module")
def decided(bars: pd.DataFrame, found: pd.DataFrame) -> Any:
    """Return which bars were decided at."""
    return found["pattern_completeness"].notna().to_numpy() | found["atr_14"].notna().to_numpy()


def both(values: Any, expected: Any, where: Any, *, least: int, abs_: float = 1e-9) -> None:
    """Compare at the bars decided at; unknown must coincide."""
    values, expected = np.asarray(values, float)[where], np.asarray(expected, float)[where]
    assert np.isfinite(values).sum() >= least
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=abs_, equal_nan=True)


# -- headfakes -----------------------------------------------------------------------------------------


def traps(bars: pd.DataFrame, absorption: Any, side: int) -> Any:
    """Return the strength of the trap decided at each bar, signed against the break; 0 where none was."""
    reach, close = side * bars["high" if side > 0 else "low"].to_numpy(), side * bars["close"].to_numpy()
    edge = pd.Series(reach).shift(1).rolling(10).max().to_numpy()
    volume = bars["volume"].astype(float)
    loud = (volume > 1.5 * volume.shift(1).rolling(10).mean()).to_numpy()
    decided = np.zeros(len(bars))
    i = 10
    while i < len(bars):
        if reach[i] <= edge[i]:
            i += 1
            continue
        against = np.nan_to_num(-side * absorption[i])
        rating = 0.4 * loud[i] + 0.6 * np.clip(against / 0.3, 0, 1)
        back = [j for j in range(i, min(i + 3, len(bars))) if close[j] <= edge[i] - 2]
        if back and rating + 0.3 >= 0.7:
            decided[back[0]] = -side * min(rating + 0.3, 1)
        i = (back[0] if back else i + 2) + 1
    return decided


def test_headfakes(bars: pd.DataFrame, found: pd.DataFrame, decided: Any) -> None:
    """The newest trap of five bars; of two at one bar the stronger, of two alike none."""
    absorption = found["absorption_score"].to_numpy()
    up, down = (traps(bars, absorption, side) for side in (1, -1))
    newest = np.where(np.abs(up) > np.abs(down), up, np.where(np.abs(down) > np.abs(up), down, 0.0))
    last = np.maximum.accumulate(np.where((up != 0) | (down != 0), np.arange(len(bars)), -9))
    expected = np.where(np.arange(len(bars)) - last < 5, newest[last], 0.0)
    expected[:10] = np.nan
    both(found["headfake"], expected, decided, least=16_000)
    assert (newest > 0).sum() > 100
    assert (newest < 0).sum() > 100


# -- pullbacks -----------------------------------------------------------------------------------------


def pivots(bars: pd.DataFrame, side: int) -> Any:
    """Return at every bar the newest confirmed pivot of three bars either side (−1: none) and how many so far."""
    x = side * bars["low" if side > 0 else "high"].to_numpy()
    newest, count = np.full(len(x), -1), np.zeros(len(x), int)
    for i in range(1, len(x)):
        p = i - 3
        alone = p >= 3 and all(x[p] < x[j] for j in range(p - 3, i + 1) if j != p)
        newest[i], count[i] = (p, count[i - 1] + 1) if alone else (newest[i - 1], count[i - 1])
    return newest, count


def pulled(bars: dict[str, Any], i: int, p: int, e: int) -> tuple[float, ...]:
    """Return depth and the five factors of the pullback at bar i, of the leg that began at pivot p."""
    start = bars["low" if e > 0 else "high"][p]
    reach = e * bars["high" if e > 0 else "low"][p + 1 : i + 1]
    top = p + 1 + int(np.argmax(reach))
    leg = reach.max() - e * start
    if leg <= 0:
        return (0.0,) * 6
    close = bars["close"][i]
    depth = (reach.max() - e * close) / leg
    f_d = 0.0 if depth < 0.10 or depth > 0.786 else 0.3
    f_d = 0.7 if 0.30 <= depth <= 0.62 else f_d
    f_d = 1.0 if 0.382 <= depth <= 0.5 else f_d
    if f_d == 0 or top == i:
        return (depth, 0.0, 0.0, 0.0, 0.0, 0.0)
    there, back = slice(p + 1, top + 1), slice(top + 1, i + 1)
    fades = [x[back].mean() < x[there].mean() for x in (bars["volume"], np.abs(bars["delta"]))]
    f_t = min(1.0, (top - p) / (i - top))
    # A close that has given back less than the whole leg holds above the swing it began at.
    f_h = 1.0 if e * (close - start) > 0 else 0.0
    low, high = (bars["low"][i], bars["high"][i]) if e > 0 else (-bars["high"][i], -bars["low"][i])
    before = bars["low"][i - 1] if e > 0 else -bars["high"][i - 1]
    rejected = high > low and 3 * (e * close - low) >= 2 * (high - low) and low <= before
    return depth, f_d, (0.3, 0.6, 1.0)[sum(fades)], f_h, f_t, 1.0 if rejected else 0.6


PARTS = ("depth", "depth_factor", "effort_factor", "hold_factor", "time_factor", "rejection_factor")


def test_pullback_quality_and_its_factors(bars: pd.DataFrame, found: pd.DataFrame, decided: Any) -> None:
    """A rejection bar reaches as far as the bar before it and closes in the outer third of the trend's side."""
    regime = found["market_regime_code"].to_numpy()
    ball = found["ball_trend"].to_numpy()
    columns = {name: bars[name].to_numpy(float) for name in ("high", "low", "close", "volume", "delta")}
    of_side = {e: pivots(bars, e) for e in (1, -1)}
    side, value = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    parts = np.full((len(bars), 6), np.nan)
    for i in np.flatnonzero(decided):
        if min(of_side[1][1][i], of_side[-1][1][i]) < 2 or not regime[i] >= 0:
            continue
        e = int(np.sign(ball[i])) or (1 if regime[i] <= M_UP_WEAK else -1 if regime[i] <= M_DOWN_WEAK else 0)
        side[i], value[i] = e, 0.0
        if e:
            parts[i] = pulled(columns, i, of_side[e][0][i], e)
            value[i] = e * parts[i, 1:].prod()
    both(found["pullback_side"], side, decided, least=16_000)
    both(found["pullback_quality"], value, decided, least=16_000)
    for j, name in enumerate(PARTS):
        both(found[f"pullback_{name}"], parts[:, j], decided, least=4_000)
    assert (np.abs(value) > 0.1).sum() > 1_000


# -- timeframes ----------------------------------------------------------------------------------------


def test_the_confluence_of_timeframes(found: pd.DataFrame, decided: Any) -> None:
    s, k = (found[[f"mtf_{frame}_{part}" for frame in FRAMES]].to_numpy() for part in ("strength", "quality"))
    expected = [combined(*row) for row in zip(s, k, found["atr_percentile"], strict=True)]
    both(found["mtf_confluence"], expected, decided, least=4_000)


def test_five_minutes_from_pattern_outcome_and_base(
    bars: pd.DataFrame, found: pd.DataFrame, decided: Any
) -> None:
    strength = 0.4 * found["sierra_patterns"] + 0.6 * found["battle_outcome"]
    both(found["mtf_5m_strength"], strength, decided, least=16_000)
    loud = (bars["volume"] / (1.8 * bars["volume"].shift(1).rolling(10).mean())).clip(upper=1)
    mean = pd.concat([found["base_quality"], loud, found["pattern_completeness"]], axis=1).mean(axis=1)
    governed = found["base_quality"].notna()
    agrees = governed & (np.sign(found["golden_rule"]) == np.sign(strength))
    quality = (mean * np.where(agrees, 1.15, 1.0)).clip(0, 1).where(strength.notna())
    both(found["mtf_5m_quality"], quality, decided, least=16_000)
    assert agrees.sum() > 300


def resampled(bars: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """Return bars of `minutes` from 18:00 of every trading day, with ATR (Wilder) and relative volume."""
    rows = {day: session_row(int(day)) for day in bars["day"].unique()}
    anchor, closing = (
        bars["day"].map({day: int(row[name]) for day, row in rows.items() if row is not None})
        for name in ("anchor_ns", "close_ns")
    )
    width = minutes * 60 * 1_000_000_000
    slot = (bars["start"] - anchor) // width
    end = np.minimum(anchor + (slot + 1) * width, closing)
    first_to_last = {"open": "first", "high": "max", "low": "min", "close": "last", "end": "first"}
    summed = dict.fromkeys(("volume", "bid_volume", "ask_volume"), "sum")
    grouped = bars.assign(slot=slot, end=end).groupby(["day", "slot"], sort=False)
    table = grouped.agg(first_to_last | summed).reset_index()
    before = table["close"].shift(1).fillna(table["close"])
    span = np.maximum(table["high"], before) - np.minimum(table["low"], before)
    span.iloc[0] = table["high"].iloc[0] - table["low"].iloc[0]
    start = span.where(span.index >= 14)
    start.iloc[13] = span[:14].mean()
    table["atr"] = start.iloc[13:].ewm(alpha=1 / 14, adjust=False).mean().reindex(table.index)
    by_day = (
        table.pivot_table(index="day", columns="slot", values="volume").shift(1).rolling(20, min_periods=1)
    )
    at = pd.MultiIndex.from_frame(table[["day", "slot"]])
    mean, days = (x.stack().reindex(at).to_numpy() for x in (by_day.mean(), by_day.count()))
    recent = table["volume"].shift(1).rolling(20).mean()
    table["rvol"] = table["volume"] / np.where(days >= 5, mean, recent)
    return table


@pytest.mark.parametrize(("frame", "minutes", "ruled"), [("15m", 15, 8_000), ("1h", 60, 400), ("4h", 240, 0)])
def test_strength_of_the_slower_timeframes(
    bars: pd.DataFrame, found: pd.DataFrame, decided: Any, frame: str, minutes: int, ruled: int
) -> None:
    """The golden rule of that timeframe's own bars; it is forgotten as soon as the trading day changes."""
    table = resampled(bars, minutes)
    rule = governed(table, outcome(table, minutes))
    at = np.searchsorted(table["end"].to_numpy(), bars["end"].to_numpy(), "right") - 1
    new_day = (at < 0) | (table["day"].to_numpy()[at] != bars["day"].to_numpy())
    if minutes == 15:
        good = rule.quality > 0.6
        strength = np.where(good, rule.side * np.maximum(0.3, rule.side * rule.k), rule.k)
        without = np.full(len(table), np.nan)
    else:
        close = table["close"].astype(float)
        without = ((close - close.shift(20)) / (4 * table["atr"])).clip(-1, 1).to_numpy()
        strong = np.where(np.abs(rule.k) == 0.6, 0.7 * rule.side, without)
        strength = np.where(rule.broken, 0.0, strong)
    expected = np.where(at < 0, np.nan, np.where(new_day, without[at], strength[at]))
    both(found[f"mtf_{frame}_strength"], expected, decided, least=8_000)
    assert (np.isfinite(expected) & (expected != np.where(at < 0, np.nan, without[at]))).sum() >= ruled
