"""VIX in the regimes against plain definitions, at every bar of ESH18 through the storm of February 2018."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import VIX
from tests.integration.test_plain_regimes import EXTREME, HIGH, NORMAL, TRANSITION, ratios
from tests.plain import Told, equal, phase_at, told
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

CONTRACT, DAILY = "sierra_es_5min_contracts/ESH18-CME.txt.gz", "vix/VIX_daily.csv"
FIRST, LAST = "2018-01-17T23:00", "2018-02-12T22:00"
LOW = 0
HOUR_NS, MINUTE_NS = 3_600_000_000_000, 60_000_000_000


@pytest.fixture(scope="module")
def storm() -> Told:
    whole = open_recording(shared_file(CONTRACT), [shared_file(DAILY)])
    first, last = (np.datetime64(text, "ns").astype(np.int64) for text in (FIRST, LAST))
    when = whole.events["ts_recv"]
    return told(replace(whole, events=whole.events[(when >= first) & (when <= last)]))


@pytest.fixture(scope="module")
def bars(storm: Told) -> pd.DataFrame:
    return storm.bars.set_index("end", drop=False)


@pytest.fixture(scope="module")
def found(storm: Told, bars: pd.DataFrame) -> pd.DataFrame:
    return storm.found.reindex(bars.index)


def in_force(storm: Told, bars: pd.DataFrame, side: Literal["left", "right"]) -> pd.Series:
    """Return the newest close of the index when a bar ends; after four days it says nothing any more.

    At 16:15 a bar closes before the index does (`left`), and a decision knows both (`right`).
    """
    rows = storm.run.recording.events
    rows = rows[rows["instrument"] == VIX]
    at = np.searchsorted(rows["ts_event"], bars["end"], side) - 1
    old = bars["end"] - rows["ts_event"][np.maximum(at, 0)] > 96 * HOUR_NS
    known = pd.Series(rows["px"][np.maximum(at, 0)] / 100, bars.index)
    return known.where((at >= 0) & ~old)


@pytest.fixture(scope="module")
def vix(storm: Told, bars: pd.DataFrame) -> pd.Series:
    return in_force(storm, bars, "left")


@pytest.fixture(scope="module")
def ratio(bars: pd.DataFrame) -> pd.Series:
    # A bar's phase is the one it lies in.
    phase = pd.Series(phase_at(bars["day"].to_numpy(), bars["start"].to_numpy()), bars.index)
    return ratios(bars, phase)


def test_the_index_in_force_and_stress(
    storm: Told, found: pd.DataFrame, bars: pd.DataFrame, ratio: pd.Series
) -> None:
    vix = in_force(storm, bars, "right")
    parts = pd.concat([((vix - 15) / 20).clip(0, 1), (ratio - 1).clip(0, 1)], axis=1)
    decided = found["session_phase"].notna()
    equal(found["vix_level"][decided], vix[decided], least=4_000)
    equal(found["market_stress_indicator"][decided], parts.mean(axis=1)[decided], least=4_000)
    assert vix.max() > 35
    assert vix.min() < 15


def test_trend_of_volatility(found: pd.DataFrame, bars: pd.DataFrame, vix: pd.Series) -> None:
    """Mean of the slope of VIX and ten times that of ATR, both in points per bar, over five bars."""
    x = np.arange(5) - 2
    index, points = (
        series.rolling(5).apply(lambda five: five @ x / (x @ x), raw=True)
        for series in (vix, bars["atr"] / 4)
    )
    expected = (index + 10 * points) / 2
    decided = found["session_phase"].notna() & bars["atr"].notna()
    equal(found["volatility_trend"][decided], expected[decided], least=4_000)
    assert expected.max() > 2
    assert expected.min() < -0.5


def test_regime_of_volatility(
    found: pd.DataFrame, bars: pd.DataFrame, vix: pd.Series, ratio: pd.Series
) -> None:
    conditions = [(vix > 35) | (ratio > 2), (vix > 25) | (ratio > 1.5), (vix < 15) & (ratio < 0.8)]
    raw = pd.Series(np.select(conditions, [EXTREME, HIGH, LOW], NORMAL), bars.index)
    raw = raw[vix.notna() | ratio.notna()]
    changed = raw.ne(raw.shift(1)) & raw.shift(1).notna()
    ends = pd.Series(raw.index, raw.index)
    fresh = ends - ends.where(changed).ffill() < 30 * MINUTE_NS
    expected = raw.where(~fresh, TRANSITION).reindex(bars.index)
    decided = found["session_phase"].notna()
    equal(found["volatility_regime"][decided], expected[decided], least=4_000)
    assert set(expected.dropna()) == {LOW, NORMAL, HIGH, EXTREME, TRANSITION}
