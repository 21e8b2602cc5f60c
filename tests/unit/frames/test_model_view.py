"""The filter's part of a frame: nobody judges, nothing was said yet, and what came of what was said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mia_kernel.core.decisions import Opinion
from mia_kernel.core.events import TRADE, WARM_UP, empty
from mia_kernel.frames.model import model_view, opinions
from mia_kernel.live.pulse import FeedAge, latency_view
from tests.fakes.guarded import bracket

pytestmark = pytest.mark.unit

SETTINGS = SimpleNamespace(
    risk=SimpleNamespace(gates=SimpleNamespace(ml_mode="advise")), ml=SimpleNamespace(expires_days=30.0)
)


def run_of(model: Any, signals: list[Any] = [], trips: list[Any] = []) -> Any:  # noqa: B006
    rooms = SimpleNamespace(model=model)
    return SimpleNamespace(
        engine=SimpleNamespace(rooms=rooms),
        settings=SETTINGS,
        table=SimpleNamespace(signals=[(i, s) for i, s in enumerate(signals)]),
        round_trips=trips,
    )


def judged(ts: int, probability: float | None, reason: str = "") -> Any:
    order = bracket(ts)
    said = Opinion("filter-v1", probability, probability, None if probability is None else 0.9, reason)
    return SimpleNamespace(
        ts_event=ts, opinion=said, intents=(order,), verdict=SimpleNamespace(allowed=probability is not None)
    )


def test_where_nobody_judges_there_is_no_model() -> None:
    assert model_view(run_of(None)) is None


def test_a_model_without_an_opinion_says_why_and_gives_no_number() -> None:
    seen = model_view(run_of(SimpleNamespace(model_id="filter-v1"), [judged(5, None, "expired")]))
    assert seen is not None
    assert (seen["probability"], seen["reason"], seen["asked"], seen["answered"]) == (None, "expired", 1, 0)
    assert seen["wins"] is None
    assert seen["trained_at"] is None


def test_what_was_expected_of_closed_trades_stands_beside_what_came() -> None:
    signals = [judged(1, 0.6), judged(2, 0.7), judged(3, None, "missing_features")]
    trips = [SimpleNamespace(bracket_id=bracket(1).bracket_id, net_cents=500)]
    run = run_of(SimpleNamespace(model_id="filter-v1"), signals, trips)
    seen = model_view(run)
    assert seen is not None
    assert (seen["closed"], seen["wins"], seen["expected_wins"]) == (1, 1, 0.6)
    assert (seen["asked"], seen["answered"], seen["reason"]) == (3, 2, "missing_features")
    drawn = opinions(run)
    assert drawn["ts"].tolist() == [1, 2, 3]
    assert np.isnan(drawn["probability"][2])
    assert drawn["allowed"].tolist() == [1, 1, 0]


def test_the_age_of_the_feed_is_unknown_until_a_row_has_two_times() -> None:
    feed = FeedAge()
    rows = empty(4)
    rows["kind"] = TRADE
    rows["ts_event"] = rows["ts_recv"] = 10**18
    feed.take(rows)
    assert feed.median_ms is None
    rows["ts_recv"] += 3_000_000
    rows["flags"][0] = WARM_UP
    rows["ts_recv"][0] += 10**12
    feed.take(rows)
    assert feed.median_ms == pytest.approx(3.0)


def test_latencies_fall_into_bins_that_add_up() -> None:
    assert latency_view([]) is None
    seen = latency_view([0.00005, 0.0015, 0.0015, 5.0])
    assert seen is not None
    assert sum(seen["counts"]) == seen["n"] == 4
    assert (seen["counts"][0], seen["counts"][-1]) == (1, 1)
    assert len(seen["counts"]) == len(seen["edges_ms"]) + 1
    assert seen["most_ms"] == pytest.approx(5000.0)
