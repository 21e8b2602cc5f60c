"""What `mia bench` measures, each figure a function of one prepared day; nothing here changes a decision.

The day is the heavy synthetic one: 1,000,000 five-level book updates and 250,000 trades. Kernels are warm
before anything is timed. A rate is the median of whole passes; a latency is told as median and 99th
percentile of single calls.
"""

from __future__ import annotations

import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import heavy_day, synthetic_recording
from mia_kernel.analytics.explain import RunFacts, why, why_not
from mia_kernel.cli.option_figures import option_figures
from mia_kernel.cli.terminal import frame_of, render
from mia_kernel.confluence.zones import levels_of, zones
from mia_kernel.core.events import Carries, EventArray, Recording, SourceInfo
from mia_kernel.core.kernel import kernel
from mia_kernel.measures.shelf import MEASURES, Shelf
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings
from mia_kernel.state import battle
from mia_kernel.state.memory import MarketState

SEED = 7
TIMEFRAMES = 5
DECISION_STEPS = "venue, state, vector, score, gates, digest, journal row in memory"
CARRIES = Carries(book=True, quotes=True, trades=True, aggressor="feed")
SOURCE = SourceInfo(
    tag="synthetic",
    adapter="synthetic",
    name=f"SYNTHETIC heavy day, seed {SEED}",
    symbol="ES",
    zone="UTC",
    adjustment="contract",
    carries=CARRIES,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; `value` is the median, None where this version has nothing to measure."""

    name: str
    value: float | None
    unit: str
    n: int = 0
    p50: float | None = None
    p99: float | None = None
    note: str = ""


class Bench:
    """The prepared day and what was already run over it."""

    def __init__(self, settings: Settings, passes: int = 5) -> None:
        self.settings = settings
        self.passes = passes

    @cached_property
    def events(self) -> EventArray:
        """The heavy day, made once."""
        return heavy_day(SEED)

    def new_run(self, events: EventArray | None = None, settings: Settings | None = None) -> Run:
        """Return a run over the day that keeps its journal in memory."""
        recording = Recording(events=self.events if events is None else events, source=SOURCE)
        return Run(settings or self.settings, recording, ":memory:")

    @cached_property
    def whole_day(self) -> Run:
        """A run that has seen all of the day."""
        run = self.new_run()
        run.drive()
        return run

    @cached_property
    def halfway(self) -> Run:
        """A run that has seen 60 % of the day: every window is full, the session is open."""
        run = self.new_run()
        run.feed(0, int(len(self.events) * 0.6))
        return run


def machine() -> dict[str, Any]:
    """Return what a reader must know beside the figures."""
    return {
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "numba": metadata.version("numba"),
    }


def state_kernels(bench: Bench) -> Iterator[Figure]:
    """Yield the rate of every state kernel over the day, in one slice per session."""
    _all_state(bench)
    seconds = [_timed(lambda: _all_state(bench)) for _ in range(bench.passes)]
    yield _rate("replay_l2_events_per_s", len(bench.events), seconds, "every state kernel on")


def full_engine(bench: Bench) -> Iterator[Figure]:
    """Yield the rate of the whole engine over the day, and the time of a what-if with other weights."""
    bench.new_run(bench.events[:50_000]).drive()
    runs = [bench.new_run() for _ in range(max(2, bench.passes - 2))]
    seconds = [_timed(run.drive) for run in runs]
    note = f"{len(runs[0].table):,} decisions, simulated venue, journal in memory"
    yield _rate("replay_full_engine_events_per_s", len(bench.events), seconds, note)
    other = bench.settings.model_copy(
        update={"confluence": bench.settings.confluence.model_copy(update={"weights": "mia11"})}
    )
    again = [
        _timed(Run(other, Recording(bench.events, SOURCE)).drive) for _ in range(max(2, bench.passes - 2))
    ]
    note = "the same day under mia11, as a what-if: nothing is stored"
    yield Figure(
        "day_rerun_s", statistics.median(again), "s", len(again), statistics.median(again), max(again), note
    )


def live_state(bench: Bench, count: int = 100_000) -> Iterator[Figure]:
    """Yield the time of one event into the state, event by event."""
    market = _market_at(bench, start := int(len(bench.events) * 0.6))
    events, until = bench.events, market.session_until
    apply, clock = market.apply, time.perf_counter_ns
    taken = np.zeros(count)
    for i in range(count):
        began = clock()
        apply(events, start + i, start + i + 1, until)
        taken[i] = clock() - began
    yield _latency("live_event_to_state_us", taken / 1e3, "slices of one event")


def live_decision(bench: Bench, count: int = 60_000) -> Iterator[Figure]:
    """Yield the time from a row's arrival to the decision it causes, digest and journal row included.

    Rows arrive one by one here, so a decision meets caches that hundreds of other calls have emptied.
    """
    run = bench.halfway
    start, clock = run.seen, time.perf_counter_ns
    taken: list[int] = []
    for i in range(start, start + count):
        before = len(run.table)
        began = clock()
        run.feed(i, i + 1)
        spent = clock() - began
        if len(run.table) > before:
            taken.append(spent)
    note = f"rows one by one: {DECISION_STEPS}"
    yield _latency("live_event_to_decision_us", np.array(taken, float) / 1e3, note)


def decision(bench: Bench, count: int = 1_000) -> Iterator[Figure]:
    """Yield the time of the whole decision in a replay: the row that causes it, after a slice of all before it."""
    day, run = bench.whole_day, bench.new_run()
    causes = day.table.column("event_sequence")[200 : 200 + count].tolist()
    clock, at, taken = time.perf_counter_ns, 0, np.zeros(count)
    for k, row in enumerate(causes):
        run.feed(at, row)
        began = clock()
        run.feed(row, row + 1)
        taken[k] = clock() - began
        at = row + 1
    yield _latency("decision_us", taken / 1e3, f"slices up to each decision: {DECISION_STEPS}")


def measures(bench: Bench, count: int = 2_000) -> Iterator[Figure]:
    """Yield the time of the vector with its score, and of Battle Navale on all timeframes."""
    rooms = bench.halfway.engine.rooms
    market, ts = rooms.market, int(bench.events["ts_event"][bench.halfway.seen - 1])

    def vector_and_score() -> None:
        rooms.scorer.score(rooms.features.snapshot(market, ts), market)

    note = f"{len(rooms.features.names)} components and the score"
    yield _latency("features_all_us", _calls(vector_and_score, count), note)
    copy = market.array.copy()
    taken = _calls(lambda: _all_timeframes(copy), count)
    yield _latency("battle_navale_us", taken, "a bar close on all five timeframes")
    shelf = Shelf(bench.halfway.given)
    taken = _calls(lambda: shelf.read(market, ts), count)
    yield _latency("measures_all_us", taken, f"{len(MEASURES)} measures by name, on demand")


def on_demand(bench: Bench, count: int = 200) -> Iterator[Figure]:
    """Yield the time of what is only made when somebody looks: zones of levels, and the explanation."""
    run, market = bench.halfway, bench.halfway.engine.rooms.market
    facts, decision = RunFacts.from_header(run.header()), run.last
    assert decision is not None

    def look() -> None:
        zones(levels_of(market, decision.ts_event), market.price_ticks)
        why(decision, facts)
        why_not(decision, facts)

    taken = _calls(look, count) / 1e3
    yield _latency("zones_and_explanation_ms", taken, "zones, why and why_not of one decision", unit="ms")


def view(bench: Bench, count: int = 40) -> Iterator[Figure]:
    """Yield the time of one refresh of the terminal view."""
    run = bench.halfway
    facts = RunFacts.from_header(run.header())
    console = Console(file=io.StringIO(), width=140, height=40, force_terminal=True)

    def refresh() -> None:
        console.print(render(frame_of(run, run.seen, facts, seconds=1.0)))

    yield _latency(
        "monitor_overhead_ms", _calls(refresh, count) / 1e3, "one picture of the terminal view", "ms"
    )


def start_up(bench: Bench) -> Iterator[Figure]:
    """Yield the time a warm `mia replay` needs beside its engine, and the memory of this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thin.parquet"
        write_recording(path, synthetic_recording(SEED, warm_up=False, scale=0.01))
        command = [
            sys.executable,
            "-m",
            "mia_kernel",
            "replay",
            str(path),
            "--json",
            str(path.with_suffix(".json")),
        ]
        environment = {**os.environ, "MIA_BOOTSTRAP": "off", "MIA_HOME": folder}
        environment.pop(
            "PYTHONDONTWRITEBYTECODE", None
        )  # a warm start has its bytecode, as an installation has
        seconds: list[float] = []
        for _ in range(4):
            began = time.perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            seconds.append(time.perf_counter() - began - _engine_seconds(path.with_suffix(".json")))
    warm = seconds[1:]  # the first one may still have filled the kernels' cache
    yield Figure(
        "startup_s", statistics.median(warm), "s", len(warm), statistics.median(warm), max(warm),
        "whole command of a thin recording less its engine's seconds",
    )  # fmt: skip
    yield _once(
        "rss_mb", "MB", psutil.Process().memory_info().rss / 1e6, "this process after all of the above"
    )


def options(_: Bench) -> Iterator[Figure]:
    """Yield the times of gamma: a book repriced, its flip, a new spot, a chain to levels."""
    for name, taken, unit, note in option_figures():
        yield _latency(name, taken, note, unit)


def learned(_: Bench) -> Iterator[Figure]:
    """Yield the time of one row through the filter, and how often its cache answers."""
    from mia_kernel.cli.filter_figures import AGAIN, filter_figures  # late: it loads the training libraries

    taken, share, note = filter_figures()
    yield _latency("ml_inference_us", taken, note + ", no cache", "µs")
    yield _once("ml_cache_hit_rate", "share", share, f"each row asked {1 + AGAIN} times within a second")


PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "state": state_kernels,
    "engine": full_engine,
    "live-state": live_state,
    "live-decision": live_decision,
    "decision": decision,
    "measures": measures,
    "on-demand": on_demand,
    "view": view,
    "options": options,
    "filter": learned,
    "start": start_up,
}


@kernel
def _all_timeframes(st: Any) -> None:
    for k in range(TIMEFRAMES):
        battle.on_bar_close(st[0], k)


def _market_at(bench: Bench, stop: int) -> MarketState:
    market = MarketState(bench.settings.state, CARRIES, equity_cents=5_000_000)
    at = 0
    while at < stop:
        ts = market.clock_with(int(bench.events["ts_event"][at]))
        if market.needs_session(ts):
            market.enter_session_at(ts)
        at = market.apply(bench.events, at, stop, market.session_until)
    return market


def _all_state(bench: Bench) -> None:
    _market_at(bench, len(bench.events))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _calls(work: Callable[[], object], count: int) -> Any:
    """Return the microseconds of each call, after a few that warm up."""
    for _ in range(5):
        work()
    return np.array([_timed(work) for _ in range(count)]) * 1e6


def _rate(name: str, events: int, seconds: list[float], note: str) -> Figure:
    middle = events / statistics.median(seconds)
    return Figure(
        name, middle, "events/s", len(seconds), middle, events / max(seconds), f"{note}; p99 = slowest"
    )


def _latency(name: str, taken: Any, note: str, unit: str = "µs") -> Figure:
    if len(taken) == 0:
        return Figure(name, None, unit, note=f"nothing was measured: {note}")
    p50, p99 = (float(np.percentile(taken, q)) for q in (50, 99))
    return Figure(name, p50, unit, len(taken), p50, p99, note)


def _once(name: str, unit: str, value: float, note: str) -> Figure:
    return Figure(name, value, unit, 1, value, None, note)


def _engine_seconds(path: Path) -> float:
    return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
