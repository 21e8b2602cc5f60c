"""The gates of speed on the heavy synthetic day. Each is tried up to three times: a burst of another process
is not our cost, a budget that is missed three times is."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli import figures
from mia_kernel.cli.figures import Bench, Figure
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.gates import SLACK
from tests.shared_data import shared_file

pytestmark = pytest.mark.performance

HEAVY_ROWS = 1_250_000
YEAR = ("ESH19", "ESM19", "ESU19", "ESZ19")
YEAR_S = 10.0
TRIES = 3

# figure -> (part that measures it, "at least" or "at most", bound, which number of the figure)
GATES: dict[str, tuple[str, str, float, str]] = {
    "replay_l2_events_per_s": ("state", "at least", 15e6, "p50"),
    "replay_full_engine_events_per_s": ("engine", "at least", HEAVY_ROWS / 0.8, "p50"),
    "live_event_to_state_us": ("live-state", "at most", 5.0, "p99"),
    "decision_us": ("decision", "at most", 100.0, "p50"),
    "features_all_us": ("measures", "at most", 60.0, "p50"),
    "day_rerun_s": ("engine", "at most", 0.5, "p50"),
    "zones_and_explanation_ms": ("on-demand", "at most", 1.0, "p50"),
    "battle_navale_us": ("measures", "at most", 200.0, "p99"),
    "monitor_overhead_ms": ("view", "at most", 50.0, "p99"),
    "startup_s": ("start", "at most", 2.0, "p50"),
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """The prepared day with the defaults, and every kernel compiled."""
    prepared = Bench(load().settings, passes=3)
    prepared.halfway.header()
    return prepared


@pytest.mark.parametrize("name", list(GATES))
def test_gate_is_kept(name: str, bench: Bench) -> None:
    part, direction, bound, which = GATES[name]
    seen: list[float] = []
    for _ in range(TRIES):
        value = _value(_measure(figures.PARTS[part], bench)[name], which)
        seen.append(value)
        if value >= bound / SLACK if direction == "at least" else value <= bound * SLACK:
            return
    pytest.fail(f"{name} {which}: {seen}, {direction} {bound:g}")


def _measure(part: Callable[[Bench], object], bench: Bench) -> dict[str, Figure]:
    if part is figures.live_decision:
        bench = Bench(
            bench.settings, passes=bench.passes
        )  # it moves on through the day: a fresh one each try
    return {figure.name: figure for figure in part(bench)}  # type: ignore[attr-defined]


def _value(figure: Figure, which: str) -> float:
    value = getattr(figure, which)
    assert value is not None
    return float(value)


def test_a_year_of_five_minute_bars_takes_ten_seconds() -> None:
    settings = load(arguments={"confluence.weights": "bars"}).settings
    recordings = [open_recording(shared_file(f"sierra_es_5min_contracts/{name}-CME.txt.gz")) for name in YEAR]
    seen: list[float] = []
    for _ in range(TRIES):
        began = time.perf_counter()
        rows = 0
        for recording in recordings:
            run = Run(settings, recording)
            run.drive()
            rows += len(run.table)
        seen.append(time.perf_counter() - began)
        assert rows > 55_000
        if seen[-1] <= YEAR_S * SLACK:
            return
    pytest.fail(f"{rows} decisions took {seen} s, at most {YEAR_S}")
