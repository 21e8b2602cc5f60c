"""The laws of every component and every measure, on recorded markets: a session, an hour of orders, years of bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.decisions import OK
from mia_kernel.core.events import PRIMARY, Recording, mirror
from mia_kernel.desk.laws import LAWS, LawBook
from mia_kernel.measures.shelf import NAMES, Reading, Shelf
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.property.test_measure_laws import assert_mirrored
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

SETTINGS = load(arguments={"confluence.weights": "bars"}).settings
CONTRACT = "sierra_es_5min_contracts/{}-CME.txt.gz"
SESSION = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
HOUR = "dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
ES_MINUTES = "es_nq_1min_2026/ES_1min_2026-06-15_2026-06-22.csv"
NQ_MINUTES = "es_nq_1min_2026/NQ_1min_2026-06-15_2026-06-22.csv"
WHOLE = {"session": (SESSION,), "book hour": (HOUR,), "with NQ": (ES_MINUTES, NQ_MINUTES)}
BARS = {name: (CONTRACT.format(name),) for name in ("ESH17", "ESM17", "ESU17", "ESZ17")}
YEAR = {
    "a year with NQ": (
        "es_nq_5min_tradingview/ES1_5m_20241202_20251205.parquet",
        "es_nq_5min_tradingview/NQ1_5m_20241202_20251205.parquet",
    )
}
VIX = {"with VIX": (CONTRACT.format("ESH18"), "vix/VIX_daily.csv")}
EVERY = {**WHOLE, **BARS, **VIX, **YEAR}
SHORT = (*WHOLE, "ESH17", *VIX)
KEPT = [
    pytest.param(name, marks=[] if name in SHORT else pytest.mark.long) for name in EVERY if name not in YEAR
]

# Measures that no file at hand can make speak, each for the reason said; one that speaks must leave this table.
SILENT = {
    "options": {
        "total_gamma_exposure", "dealer_gamma_position", "gamma_flip_level", "call_wall", "put_wall",
        "term_structure_slope", "vol_skew_25_delta", "put_call_ratio", "put_call_volume_ratio",
        "unusual_options_activity", "gamma_pin",
    },
    "quotes at a fill: files with a book hold none": {
        "slippage_ticks", "fill_quality", "market_impact", "bid_ask_spread",
    },
    "ticks of ES and NQ of one day": {"es_nq_hayashi_yoshida"},
    "a book and 20 days before it: spread, relative volume and the rank of ATR together": {"session_quality"},
    "an unusual spread: the one hour of orders has none": {"spread_anomaly_detected", "wide_spread_share"},
    "an economic calendar": {"economic_events_today", "high_impact_event_today", "high_impact_minutes"},
}  # fmt: skip


class Taken(NamedTuple):
    """The readings of a run, and the run."""

    run: Run
    readings: list[Reading]


@cache
def recorded(name: str) -> Recording:
    first, *others = EVERY[name]
    return open_recording(shared_file(first), [shared_file(other) for other in others])


def measured(recording: Recording, rows: int | None = None) -> Taken:
    run, taken = Run(SETTINGS, recording), []
    shelf = Shelf(run.given)
    run.watch(lambda market, ts: taken.append(shelf.read(market, ts)))
    if rows is None:
        run.drive()
    else:
        run.feed(0, rows)  # the decision that waits for its last rows is not taken
    return Taken(run, taken)


def reflected(recording: Recording) -> Recording:
    rows = recording.events
    prices = rows["px"][(rows["instrument"] == PRIMARY) & (rows["px"] > 0)]
    return replace(recording, events=mirror(rows, round(float(np.median(prices)) / 200) * 200))


@pytest.mark.parametrize("name", KEPT)
def test_every_component_keeps_the_laws(name: str) -> None:
    laws = LAWS if name in WHOLE or name == "ESH17" else ("prefix", "mirror")
    broken = [
        finding
        for finding in LawBook(SETTINGS, recorded(name)).check(laws=laws)
        if finding.verdict == "broken"
    ]
    assert not broken


@pytest.mark.parametrize("name", KEPT)
def test_every_measure_keeps_prefix_and_mirror(name: str) -> None:
    recording = recorded(name)
    straight = measured(recording).readings
    early = measured(recording, int(len(recording.events) * 0.6)).readings
    assert len(early) > 100
    for one, other in zip(straight, early, strict=False):
        assert np.array_equal(one.values, other.values, equal_nan=True)
        assert np.array_equal(one.status, other.status)
    assert_mirrored(straight, measured(reflected(recording)).readings)


def test_no_measure_is_dead_unnoticed() -> None:
    moving = {name for source in (*WHOLE, *VIX, *YEAR) for name in moved(measured(recorded(source)).readings)}
    named = set().union(*SILENT.values())
    assert set(NAMES) - moving == named


def moved(readings: list[Reading]) -> Iterator[str]:
    """Yield the measures that were known and took at least two values."""
    values = np.array([reading.values for reading in readings])
    status = np.array([reading.status for reading in readings])
    for i, name in enumerate(NAMES):
        if len(np.unique(values[status[:, i] == OK, i])) > 1:
            yield name
