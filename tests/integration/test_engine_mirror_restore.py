"""Two more laws of the engine, on synthetic and on recorded markets: a mirrored market is decided mirrored,
and a run that was stored and restored goes on to the same decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import Recording, mirror
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings, load
from tests.property.strategies import SEEDS, small_market
from tests.shared_data import shared_file

pytestmark = pytest.mark.integration

CME = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
BARS = "sierra_es_5min_contracts"
LAW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MIRRORED = ("side", "grade", "gate_outcome", "status")


def loose() -> Settings:
    """Settings under which the thin test market reaches decisions with trades."""
    return load(
        arguments={
            "confluence.weights": "bars",
            "confluence.coverage_floor": 0.2,
            "risk.gates.min_coverage": 0.2,
        }
    ).settings


def driven(recording: Recording, config: Settings) -> Run:
    run = Run(config, recording)
    run.drive()
    return run


def restored_halfway(recording: Recording, config: Settings, cut: int) -> tuple[Run, Run]:
    """A run that went through, and one that took over its bytes after `cut` rows."""
    whole, later = Run(config, recording), Run(config, recording)
    whole.feed(0, cut)
    later.engine.restore(whole.engine.to_bytes())
    later.venue.restore(whole.venue.to_bytes())
    assert later.engine.to_bytes() == whole.engine.to_bytes()
    seen = len(whole.table)
    for run in (whole, later):
        run.feed(cut, len(recording.events))
        run.finish()
    for name in ("ts_event", "sequence", "values", "heads", "gate_outcome", "gate_actual"):
        assert np.array_equal(
            whole.table.column(name)[seen:], later.table.column(name), equal_nan=name != "ts_event"
        ), name
    return whole, later


@LAW
@given(seed=st.sampled_from(SEEDS), share=st.floats(0.1, 0.9))
def test_a_restored_run_goes_on_to_the_same_decisions(seed: int, share: float) -> None:
    recording = small_market(seed)
    whole, later = restored_halfway(recording, loose(), int(len(recording.events) * share))
    assert whole.engine.to_bytes() == later.engine.to_bytes()


@pytest.mark.parametrize("cut", [100_000, 210_007])
def test_a_recorded_session_restored_on_the_way_ends_the_same(cut: int) -> None:
    config = load(arguments={"confluence.weights": "bars"}).settings
    whole, later = restored_halfway(open_recording(shared_file(CME)), config, cut)
    assert whole.engine.to_bytes() == later.engine.to_bytes()
    assert [trip.id for trip in whole.round_trips][-len(later.round_trips) :] == [
        trip.id for trip in later.round_trips
    ]


def mirrored_pair(recording: Recording, config: Settings) -> tuple[Run, Run]:
    rows = recording.events
    primary = rows["px"][(rows["instrument"] == 0) & (rows["px"] > 0)]
    centre = round(float(np.median(primary)) / 200) * 200  # round numbers must stay round numbers
    return driven(recording, config), driven(replace(recording, events=mirror(rows, centre)), config)


def assert_mirrored(one: Run, other: Run, near: float) -> None:
    totals = one.table.column("heads")[:, 0], other.table.column("heads")[:, 0]
    assert np.abs(totals[0] + totals[1]).max() < near
    assert np.array_equal(one.table.column("grade"), other.table.column("grade"))
    assert np.array_equal(one.table.column("gate_outcome"), other.table.column("gate_outcome"))
    assert money(one, 1) == money(other, -1)


def money(run: Run, sign: int) -> list[Any]:
    return [
        (
            trip.entry_ts,
            sign * trip.side,
            trip.qty,
            trip.symbol,
            trip.exit_ts,
            trip.exit_reason,
            trip.net_cents,
        )
        for trip in run.round_trips
    ]


def test_a_mirrored_recorded_session_is_decided_and_traded_mirrored() -> None:
    config = load(arguments={"confluence.weights": "bars"}).settings
    one, other = mirrored_pair(open_recording(shared_file(CME)), config)
    assert len(one.round_trips) > 0
    assert_mirrored(one, other, 1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mirrored_synthetic_market_is_decided_mirrored(seed: int) -> None:
    one, other = mirrored_pair(small_market(seed), loose())
    assert_mirrored(one, other, 1e-9)
