"""The engine's laws: the same rows give the same digest, however sliced, restored or extended."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.window import with_window
from mia_kernel.core.digest import DecisionDigest
from mia_kernel.core.events import Recording
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings, load
from tests.property.strategies import SEEDS, cuts, small_market
from tests.shared_data import SHARED

pytestmark = pytest.mark.integration

CME = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"
LAW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def effective(**arguments: Any) -> Settings:
    return load(arguments={key.replace("__", "."): value for key, value in arguments.items()}).settings


def digest_of(recording: Recording, config: Settings, edges: list[int] | None = None) -> str:
    run = Run(config, recording)
    n = len(recording.events)
    points = [0, *(edges or []), n]
    run.drive(slices=list(pairwise(points)))
    return run.digest.hexdigest()


@pytest.fixture(scope="module")
def loose() -> Settings:
    """Settings under which the thin test market reaches decisions with trades."""
    return effective(
        confluence__weights="bars", confluence__coverage_floor=0.2, risk__gates__min_coverage=0.2
    )


@LAW
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_slicing_never_changes_the_digest(seed: int, data: Any) -> None:
    recording = small_market(seed)
    config = effective(confluence__weights="bars")
    edges = data.draw(cuts(len(recording.events)))
    assert digest_of(recording, config, edges) == digest_of(recording, config)


@pytest.mark.parametrize("seed", SEEDS)
def test_later_rows_never_change_an_earlier_decision(seed: int, loose: Settings) -> None:
    recording = small_market(seed)
    whole = Run(loose, recording)
    whole.drive()
    stop = len(recording.events) // 2
    early = Run(loose, replace(recording, events=recording.events[:stop]))
    early.feed(0, stop)
    taken = len(early.table)
    assert taken > 50
    for column in ("ts_event", "values", "quality", "status", "weights", "heads", "grade", "gate_outcome"):
        assert np.array_equal(
            early.table.column(column), whole.table.column(column)[:taken], equal_nan=True
        ), column


def test_contributions_add_up_to_the_score_at_every_decision(loose: Settings) -> None:
    run = Run(loose, small_market(1))
    run.drive()
    total = run.table.column("contributions").sum(axis=1)
    assert np.abs(total - run.table.column("heads")[:, 0]).max() < 1e-9


def test_warm_up_takes_no_decision_and_changes_the_state(loose: Settings) -> None:
    recording = small_market(2)
    middle = int(recording.events["ts_recv"][len(recording.events) // 2])
    warmed = with_window(recording, middle, None)
    run = Run(loose, warmed)
    run.drive()
    assert int(run.table.column("ts_event")[0]) >= middle
    assert run.engine.rooms.market.events_seen > len(recording.events) // 2


def test_digest_of_the_run_is_that_of_its_decisions(loose: Settings) -> None:
    seen: list[Any] = []

    class Watched(Run):
        def _take(self, decisions: tuple[Any, ...]) -> None:
            seen.extend(decisions)
            super()._take(decisions)

    run = Watched(loose, small_market(3))
    run.drive()
    again = DecisionDigest(run.engine.rooms.features.names, run.engine.rooms.gate.codes)
    for decision in seen:
        again.update(decision)
    assert again.hexdigest() == run.digest.hexdigest()


@pytest.mark.skipif(SHARED is None, reason="needs ../shared/data: the recorded ES session")
def test_recorded_session_ends_without_a_trade_under_mia14_and_says_why() -> None:
    from mia_kernel.adapters.sources import open_recording

    assert SHARED is not None
    recording = open_recording(SHARED / CME)
    run = Run(effective(), recording)
    run.drive()
    figures = run.summary()
    assert figures["events"] == figures["trades"] == 325_253
    assert figures["performance"]["n"] == 0
    assert figures["coverage_max"] < 0.60
    assert "--weights bars" in figures["advice"]
    assert digest_of(recording, effective(), [1, 1000, 100_000, 100_001, 300_000]) == figures["digest"]


@pytest.mark.skipif(SHARED is None, reason="needs ../shared/data: the recorded ES session")
def test_recorded_session_trades_with_the_research_weights() -> None:
    from mia_kernel.adapters.sources import open_recording

    assert SHARED is not None
    config = effective(confluence__weights="bars")
    recording = open_recording(SHARED / CME)
    run = Run(config, recording)
    run.drive()
    assert len(run.round_trips) > 0
    assert run.engine.rooms.account.position == 0
    assert (
        sum(trip.net_cents for trip in run.round_trips) == run.engine.rooms.account.equity_cents - 5_000_000
    )
    assert digest_of(recording, config, [12_345, 54_321, 200_000]) == run.digest.hexdigest()
