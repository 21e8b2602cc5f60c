"""R16: the live loop for a long time at 5,000 rows a second: memory, files, queue, latency, drift.

The short form runs for some seconds; `--long` for ten minutes, and for as many as SOAK_SECONDS says (six hours:
21600). Figures are printed.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from mia_kernel.adapters.inbox import CAPACITY_ROWS, Inbox
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import EventArray, Recording
from mia_kernel.live import collect
from mia_kernel.live.loop import Timer
from mia_kernel.live.session import Session, dry_run
from mia_kernel.rehearsal import warm_up
from mia_kernel.settings import Settings

pytestmark = [pytest.mark.performance, pytest.mark.integration]

ROWS_PER_S, PUTS_PER_S = 5_000, 50
HOUR = 3_600_000_000_000


class Steady(threading.Thread):
    """Hand out the same hours again and again, each time a week later, at a steady rate: no night lies between them."""

    def __init__(self, rows: EventArray, inbox: Inbox) -> None:
        super().__init__(daemon=True)
        self.rows, self.inbox = rows, inbox

    def run(self) -> None:
        """Put rows until nobody reads any more; a late one is made up for at once."""
        began, put, week, share = time.monotonic(), 0, 0, ROWS_PER_S // PUTS_PER_S
        while True:
            part = self.rows.copy()
            for name in ("ts_event", "ts_recv"):
                part[name] += week * 7 * 24 * HOUR
            part["seq"] = np.arange(week * len(part), (week + 1) * len(part))
            for at in range(0, len(part), share):
                time.sleep(max(began + put / ROWS_PER_S - time.monotonic(), 0.0))
                put += len(part[at : at + share])
                if not self.inbox.put(part[at : at + share]):
                    return
            week += 1


def soak(home: Path, seconds: float, *, seal_s: float) -> dict[str, float]:
    """Run the hours from 15 h of a SYNTHETIC day at `ROWS_PER_S` rows a second; return what was measured."""
    settings = Settings(home=home)
    warm_up(settings)
    whole = synthetic_recording(11, warm_up=False)
    ts = whole.events["ts_recv"]
    rows = whole.events[np.searchsorted(ts, int(ts[0]) + 15 * HOUR) :]
    session = dry_run(
        settings, Recording(rows, whole.source, others=whole.others), home / "j.sqlite",
        uri="synthetic:11", speed=1.0,
    )  # fmt: skip
    session.start = Steady(rows, session.loop.inbox).start
    process, seen = psutil.Process(), []
    session.loop.timers.append(
        Timer(seconds / 20, lambda: seen.append((process.memory_info().rss, process.num_fds())))
    )
    threading.Timer(seconds, lambda: session.loop.stop("soaked")).start()
    before, collect.SEAL_S = collect.SEAL_S, seal_s
    began = time.monotonic()
    try:
        session.go()
    finally:
        collect.SEAL_S = before
    took = time.monotonic() - began
    return figures(session, took, seen)


def figures(session: Session, took: float, seen: list[tuple[int, int]]) -> dict[str, float]:
    half = len(seen) // 2
    rss = np.array([row[0] for row in seen], float)
    files = [row[1] for row in seen]
    session.run.close()
    answer = session.close()
    p50, p99 = session.loop.latency.percentile(50), session.loop.latency.percentile(99)
    assert p50 is not None
    assert p99 is not None
    return {
        "rows_per_s": session.run.seen / took,
        "decisions": float(len(session.run.table)),
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
        "most_waiting": float(session.loop.inbox.most),
        "rss_mb": float(rss[-1] / 1e6),
        "rss_growth_mb": float((rss[-1] - rss[half]) / 1e6),
        "fds_first": float(files[half]),
        "fds_last": float(files[-1]),
        "drift": float(answer.total - answer.equal),
    }


def test_some_seconds_at_five_thousand_rows_a_second(tmp_path: Path) -> None:
    got = soak(tmp_path, 12.0, seal_s=2.0)
    print({name: round(value, 3) for name, value in got.items()})
    assert got["drift"] == 0
    assert got["decisions"] > 50
    assert got["most_waiting"] <= CAPACITY_ROWS
    assert abs(got["fds_last"] - got["fds_first"]) <= 2  # a segment may be in the writing
    assert got["rows_per_s"] > 0.5 * ROWS_PER_S


@pytest.mark.long
def test_ten_minutes_or_six_hours(tmp_path: Path) -> None:
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    got = soak(tmp_path, seconds, seal_s=60.0)
    print({name: round(value, 3) for name, value in got.items()})
    assert got["drift"] == 0
    assert got["rows_per_s"] > 0.9 * ROWS_PER_S
    assert got["p99_ms"] < 20.0
    assert got["most_waiting"] <= CAPACITY_ROWS
    assert abs(got["fds_last"] - got["fds_first"]) <= 2
