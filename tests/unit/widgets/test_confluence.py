"""The pictures of the confluence page: the waterfall ends at the score, unknown adds nothing and says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mia_kernel as mia
import widgets
from mia_kernel.desk import Moment, Run

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run() -> Run:
    return mia.day("synthetic:7").replay()


@pytest.fixture(scope="module")
def now(run: Run) -> Moment:
    return run.at(run.decisions["score"].abs().idxmax().isoformat())


def test_the_waterfall_ends_at_the_score(now: Moment) -> None:
    trace = widgets.waterfall(now.contributions, stamp="SYNTHETIC").data[0]
    assert sum(trace.x) == pytest.approx(now.score, abs=1e-12)
    assert trace.text[-1] == f"{now.score:+.3f}"
    said = dict(zip(trace.y, trace.text, strict=True))
    assert said["gamma levels"] == "absent"
    assert said["session context"] == "not ready"


def test_zones_hold_their_levels_and_lie_about_the_price(now: Moment) -> None:
    zones, levels = now.zones, now.levels
    price = now.market.price_ticks * 0.25
    assert (zones["low"] < zones["centre"]).all()
    assert (zones["centre"] < zones["high"]).all()
    assert zones["score"].between(0, 1).all()
    assert ((zones["bias"] == "support") == (zones["high"] < price)).all()
    assert ((zones["bias"] == "resistance") == (zones["low"] > price)).all()
    named = set(", ".join(zones["levels"]).split(", "))
    assert named <= set(levels["name"])


def test_the_zone_map_shows_only_what_is_near(now: Moment) -> None:
    bars = now.bars["5m"].tail(100)
    assert bars["high"].max() < 10_000
    figure = widgets.zone_map(bars, now.zones, stamp="SYNTHETIC")
    assert 0 < len(figure.layout.shapes) <= len(now.zones)
    low, high = figure.layout.yaxis.range
    assert low < bars["low"].min() < bars["high"].max() < high


def test_history_is_coloured_by_side_and_an_empty_map_is_no_error(run: Run) -> None:
    d = run.decisions.iloc[::500]
    figure = widgets.history(d.index.as_unit("ns").asi8, d["score"], d["percent"], d["coverage"])
    assert len(figure.data[0].x) == len(d)
    assert len(set(figure.data[0].marker.color)) > 1
    assert len(widgets.zone_map(pd.DataFrame(), pd.DataFrame()).data) == 0
    assert np.isfinite(figure.data[1].y).all()
