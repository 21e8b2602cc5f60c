"""Runs whose every decision is written down: a change of one value is a readable line in a diff.

The synthetic day is told in full; of a real day only counts and the digest, since its prices are not ours
to publish. After a wanted change run `GOLDEN=write python -m mia_kernel test tests/golden` and say in
the commit why the numbers moved.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.analytics.summary import iso
from mia_kernel.core.decisions import GRADE_NAMES, OK, Decision
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.shared_data import shared_file

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent
EVERY = 240  # decisions: an hour of them
CME = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"


def test_a_synthetic_day_is_decided_as_written_down() -> None:
    run = Run(load().settings, synthetic_recording(7), journal=":memory:")
    kept: list[Decision] = []
    _drive(run, kept)
    assert run.round_trips, "the golden day trades"
    _compare("synthetic_day.txt", [*_lines(kept), *_trips(run), *_counts(run)])


@pytest.mark.parametrize("weights", ["mia14", "bars"])
def test_a_real_day_is_decided_as_written_down(weights: str) -> None:
    settings = load(arguments={"confluence.weights": weights}).settings
    run = Run(settings, open_recording(shared_file(CME)))
    _drive(run, [])
    _compare(f"cme_day_{weights}.txt", _counts(run))


def _drive(run: Run, kept: list[Decision]) -> None:
    total, seen = len(run.recording.events), -1
    for start in range(0, total, 500):
        run.feed(start, min(start + 500, total))
        last = run.last
        if last is not None and last.sequence // EVERY != seen:
            seen = last.sequence // EVERY
            kept.append(last)
    run.finish()


def _lines(decisions: list[Decision]) -> list[str]:
    lines: list[str] = []
    for decision in decisions:
        vector, score = decision.vector, decision.score
        lines.append(
            f"{iso(decision.ts_event)} {decision.price_ticks * TICK_POINTS:.2f} side {score.side:+d} "
            f"{score.percent:.6f} % {GRADE_NAMES[score.grade]} coverage {score.coverage:.6f}"
        )
        lines += [
            f"    {vector.names[i]:<22}{vector.values[i]:+.6f} weight {score.weights[i]:.6f}"
            for i in np.flatnonzero(vector.status == OK)
        ]
    return lines


def _trips(run: Run) -> list[str]:
    return [
        f"{iso(trip.entry_ts)} {trip.side:+d} {trip.qty} {trip.symbol} {trip.entry_ticks * TICK_POINTS:.2f} to "
        f"{iso(trip.exit_ts)} {trip.exit_ticks * TICK_POINTS:.2f} {trip.exit_reason} {trip.net_cents / 100:+.2f} USD"
        for trip in run.round_trips
    ]


def _counts(run: Run) -> list[str]:
    refused = [f"refused {code} {count}" for code, count in sorted(run.table.refusals().items())]
    return [
        f"events {len(run.recording.events)}",
        f"decisions {len(run.table)}",
        f"signals {len(run.table.signals)}",
        f"denied {run.table.denied}",
        f"round trips {len(run.round_trips)}",
        f"net {sum(trip.net_cents for trip in run.round_trips) / 100:+.2f} USD",
        *refused,
        f"digest {run.digest.hexdigest()}",
    ]


def _compare(name: str, lines: list[str]) -> None:
    path = HERE / name
    text = "\n".join(lines) + "\n"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{name} differs: GOLDEN=write shows the change as a diff"
