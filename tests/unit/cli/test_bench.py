"""`mia bench` lists every promised figure, measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mia_kernel import cli
from mia_kernel.cli import figures, option_figures

pytestmark = pytest.mark.unit

PROMISED = {
    "replay_l2_events_per_s", "replay_full_engine_events_per_s", "live_event_to_state_us",
    "live_event_to_decision_us", "features_all_us", "battle_navale_us", "ml_inference_us", "ml_cache_hit_rate",
    "gex_recompute_ms", "gex_spot_tick_ms", "monitor_overhead_ms", "day_rerun_s", "startup_s", "rss_mb",
}  # fmt: skip


def test_every_promised_figure_has_a_place_that_measures_it() -> None:
    sources = [Path(part.__file__).read_text(encoding="utf-8") for part in (figures, option_figures)]
    assert [name for name in PROMISED if not any(f'"{name}"' in source for source in sources)] == []


def test_the_filter_is_measured(mia_home, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--only", "filter", "--json", "-"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"cpus", "python", "numba"} <= set(answer["machine"])
    found = {figure["name"]: figure["value"] for figure in answer["figures"]}
    assert found["ml_inference_us"] > 0
    assert found["ml_cache_hit_rate"] == 0.8


def test_latency_tells_median_and_percentile_and_nothing_where_nothing_was_seen() -> None:
    figure = figures._latency("x", np.arange(1.0, 102.0), "")
    assert (figure.p50, figure.p99, figure.n) == (51.0, 100.0, 101)
    assert figures._latency("x", np.zeros(0), "").value is None


def test_rate_is_the_median_pass_and_the_slowest() -> None:
    figure = figures._rate("x", 100, [1.0, 2.0, 4.0], "")
    assert (figure.value, figure.p99, figure.n) == (50.0, 25.0, 3)
