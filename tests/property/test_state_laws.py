"""The laws of everything that is remembered and measured: slicing, prefix, snapshot-restore, mirror."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mia_kernel.core.decisions import OK, FeatureVector
from mia_kernel.core.events import EventArray, Recording, mirror
from mia_kernel.features.spec import Given, registry
from mia_kernel.features.vector import FeatureSet
from mia_kernel.state.market import StateParams
from mia_kernel.state.memory import MarketState
from tests.property.strategies import SEEDS, cuts, small_market

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

QUARTER = 15 * 10**9

# Declared exceptions of the mirror law: log returns, and distances in percent of a price that mirrors elsewhere.
NEARLY = {"es_nq_correlation": 0.03, "smart_money": 0.01}
LAW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fresh(recording: Recording) -> MarketState:
    market = MarketState(StateParams(), recording.source.carries, equity_cents=5_000_000)
    market.enter_session_at(int(recording.events["ts_event"][0]))
    return market


def fill(market: MarketState, events: EventArray, start: int, stop: int) -> None:
    at = start
    while at < stop:
        at = market.apply(events, at, stop, market.session_until)


@LAW
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_slicing_never_changes_a_byte(seed: int, data: Any) -> None:
    recording = small_market(seed)
    n = len(recording.events)
    whole, sliced = fresh(recording), fresh(recording)
    fill(whole, recording.events, 0, n)
    edges = [0, *data.draw(cuts(n)), n]
    for start, stop in pairwise(edges):
        fill(sliced, recording.events, start, stop)
    assert whole.to_bytes() == sliced.to_bytes()


@LAW
@given(seed=st.sampled_from(SEEDS), share=st.floats(0.05, 0.95))
def test_restored_state_goes_on_to_the_same_bytes(seed: int, share: float) -> None:
    recording = small_market(seed)
    n = len(recording.events)
    cut = int(n * share)
    first, second = fresh(recording), fresh(recording)
    fill(first, recording.events, 0, cut)
    saved = first.to_bytes()
    second.restore(saved)
    assert second.to_bytes() == saved
    fill(first, recording.events, cut, n)
    fill(second, recording.events, cut, n)
    assert first.to_bytes() == second.to_bytes()


def vectors(recording: Recording, events: EventArray, points: list[int]) -> list[FeatureVector]:
    """Return the vectors at decision points, the way the engine takes them."""
    market = fresh(recording)
    features = FeatureSet(Given(recording.source.carries, second=True, vix=True))
    taken, at = [], 0
    for ts in points:
        at = market.apply(events, at, len(events), min(ts, market.session_until))
        market.advance(ts)
        before = market.to_bytes()
        taken.append(features.snapshot(market, ts))
        assert market.to_bytes() == before, "a component wrote into the state"
    return taken


def decision_points(events: EventArray, count: int) -> list[int]:
    first, last = int(events["ts_event"][0]), int(events["ts_event"].max())
    grid = np.linspace(first, last, count + 1)[1:]
    return sorted({int(ts // QUARTER * QUARTER) for ts in grid})


@pytest.mark.parametrize("seed", SEEDS)
def test_later_data_never_changes_an_earlier_value(seed: int) -> None:
    recording = small_market(seed)
    events = recording.events
    points = decision_points(events, 60)
    whole = vectors(recording, events, points)
    for share in (0.25, 0.5, 0.8):
        kept = points[: int(len(points) * share)]
        stop = int(np.searchsorted(np.maximum.accumulate(events["ts_event"]), kept[-1], side="right"))
        for early, late in zip(vectors(recording, events[:stop], kept), whole, strict=False):
            assert np.array_equal(early.values, late.values, equal_nan=True)
            assert np.array_equal(early.quality, late.quality, equal_nan=True)
            assert np.array_equal(early.status, late.status)


@pytest.mark.parametrize("seed", SEEDS)
def test_mirrored_market_gives_mirrored_values(seed: int) -> None:
    recording = small_market(seed)
    rows = recording.events
    primary = rows["px"][(rows["instrument"] == 0) & (rows["px"] > 0)]
    centre = round(float(np.median(primary)) / 200) * 200  # round numbers must stay round numbers
    points = decision_points(recording.events, 80)
    straight = vectors(recording, recording.events, points)
    reflected = vectors(recording, mirror(recording.events, centre), points)
    specs = registry()
    for one, other in zip(straight, reflected, strict=True):
        assert np.array_equal(one.status, other.status)
        for i, name in enumerate(one.names):
            if one.status[i] != OK:
                continue
            near = NEARLY.get(name, 1e-9)
            expected = -one.values[i] if specs[name].signed else one.values[i]
            assert other.values[i] == pytest.approx(expected, abs=near), (name, one.ts_event)
            assert other.quality[i] == pytest.approx(one.quality[i], abs=near), (name, one.ts_event)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_stay_in_range_and_are_never_lost_once_warm(seed: int) -> None:
    recording = small_market(seed)
    taken = vectors(recording, recording.events, decision_points(recording.events, 120))
    lasting = (
        "volume_confirmation",
        "sierra_patterns",
        "delta_divergence",
        "volatility_regime",
        "market_regime",
    )
    for name in lasting:
        at = taken[0].names.index(name)
        known = [vector.status[at] == OK for vector in taken]
        assert any(known), name
        assert all(known[known.index(True) :]), name


@pytest.mark.parametrize("seed", SEEDS)
def test_state_keeps_its_invariants(seed: int) -> None:
    recording = small_market(seed)
    market = fresh(recording)
    fill(market, recording.events, 0, len(recording.events))
    s = market.array[0]
    trades = recording.events[(recording.events["kind"] == 1) & (recording.events["instrument"] == 0)]
    applied = int(s["profile"]["anchor"][0]["volume"])
    assert s["book"]["bid"] < s["book"]["ask"]
    assert (s["book"]["b"] >= 0).all()
    assert (s["book"]["a"] >= 0).all()
    assert applied == int(trades["sz"].sum())
    assert int(s["profile"]["anchor"][0]["volume_at"].sum()) == applied
    assert int(s["flow"]["cvd"]) == int((trades["sz"] * trades["side"]).sum())
    assert int(s["flow"]["buy"] + s["flow"]["sell"] + s["flow"]["unknown"]) == applied
