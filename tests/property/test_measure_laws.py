"""The laws of every measure: later data changes nothing, a mirror is mirrored, nothing is written by reading."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.core.decisions import OK, ByteArray, FloatArray
from mia_kernel.core.events import EventArray, Recording, mirror
from mia_kernel.features.spec import Given
from mia_kernel.measures.shelf import MEASURES, NAMES, Reading, Shelf
from tests.property.strategies import SEEDS, small_market
from tests.property.test_state_laws import decision_points, fresh

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

# Log returns and percent of a price mirror to their size only: nearly, and by as much as the two prices differ.
PRICE_DRIFT = 0.15
NEARLY = {
    "es_nq_beta_60": 0.02, "es_nq_divergence": 0.15, "es_nq_corr_30": 0.02, "es_nq_corr_60": 0.02,
    "es_nq_corr_120": 0.02, "overnight_gap_percent": 0.05, "realized_volatility": 0.01,
    "bid_ask_spread_bps": 0.05, "large_orders_alignment": 0.02, "smart_confidence": 0.003, "seasonal_bias": 0.01,
}  # fmt: skip
SWAPPED = {
    "aggressive_buy_ratio": "aggressive_sell_ratio",
    "aggressive_sell_ratio": "aggressive_buy_ratio",
    "market_allows_buy": "market_allows_sell",
    "market_allows_sell": "market_allows_buy",
    "call_wall": "put_wall",
    "put_wall": "call_wall",
}


def readings(recording: Recording, events: EventArray, points: list[int]) -> list[Reading]:
    market = fresh(recording)
    shelf = Shelf(Given(recording.source.carries, second=True, vix=True))
    taken, at = [], 0
    for ts in points:
        at = market.apply(events, at, len(events), min(ts, market.session_until))
        market.advance(ts)
        before = market.to_bytes()
        taken.append(shelf.read(market, ts))
        assert market.to_bytes() == before, "reading wrote into the state"
    return taken


@pytest.mark.parametrize("seed", SEEDS)
def test_later_data_never_changes_an_earlier_measure(seed: int) -> None:
    recording = small_market(seed)
    events, points = recording.events, decision_points(recording.events, 60)
    whole = readings(recording, events, points)
    for share in (0.3, 0.7):
        kept = points[: int(len(points) * share)]
        stop = int(np.searchsorted(np.maximum.accumulate(events["ts_event"]), kept[-1], side="right"))
        for early, late in zip(readings(recording, events[:stop], kept), whole, strict=False):
            assert np.array_equal(early.values, late.values, equal_nan=True)
            assert np.array_equal(early.status, late.status)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mirrored_market_has_mirrored_measures(seed: int) -> None:
    recording = small_market(seed)
    rows = recording.events
    primary = rows["px"][(rows["instrument"] == 0) & (rows["px"] > 0)]
    centre = round(float(np.median(primary)) / 200) * 200
    points = decision_points(rows, 60)
    straight = readings(recording, rows, points)
    reflected = readings(recording, mirror(rows, centre), points)
    assert len(straight) == len(reflected)
    assert_mirrored(straight, reflected)


def assert_mirrored(straight: list[Reading], reflected: list[Reading]) -> None:
    values, status = stacked(straight)
    others, other_status = stacked(reflected)
    for i, measure in enumerate(MEASURES):
        j = NAMES.index(SWAPPED.get(measure.name, measure.name))
        assert np.array_equal(status[:, i], other_status[:, j]), measure.name
        if measure.mirror == "price" or measure.name in ("es_nq_lead_lag", "es_nq_diverges"):
            continue  # the largest of nearly equal correlations, and a step of a number held only nearly
        kept = (status[:, i] == OK) & ((measure.mirror != "ratio") | (values[:, i] != 0.0))
        value, said = values[kept, i], others[kept, j]
        expected = {
            "odd": -value,
            "even": value,
            "share": 1.0 - value,
            "ratio": 1.0 / np.where(value, value, 1.0),
        }
        near, drift = (NEARLY[measure.name], PRICE_DRIFT) if measure.name in NEARLY else (1e-9, 1e-9)
        far = ~np.isclose(said, expected[measure.mirror], atol=near, rtol=drift)
        assert not far.any(), (
            measure.name,
            straight[int(np.flatnonzero(kept)[far][0])].ts_event,
            value[far],
            said[far],
        )


def stacked(readings: list[Reading]) -> tuple[FloatArray, ByteArray]:
    return np.array([one.values for one in readings]), np.array([one.status for one in readings])


def test_most_measures_are_known_on_a_full_feed() -> None:
    recording = small_market(SEEDS[0])
    last = readings(recording, recording.events, decision_points(recording.events, 20))[-1]
    known = {name for name, status in zip(NAMES, last.status, strict=True) if status == OK}
    for name in ("atr_14", "ofi_10s", "kyle_lambda", "gamma_phase", "battle_score", "latency_p99_us"):
        assert name in known, name
