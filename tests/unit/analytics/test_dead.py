"""Trap: a component that is constant for more than one session is dead, and health says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.analytics import health
from mia_kernel.analytics.distribution import Part, dead
from mia_kernel.cli.doctor import examine
from mia_kernel.core.decisions import OK
from tests.fakes import journals

pytestmark = pytest.mark.unit

NS, HOUR = 10**9, 3_600
MONDAY = 1_565_010_000 * NS  # 5 August 2019, 09:00 in New York
NAMES = ("moves", "stands", "unknown", "data_quality", "late")


def run(day: int, *, stands: float = 0.25, names: tuple[str, ...] = NAMES) -> Part:
    """Return ten hourly decisions of a day; `late` is known on the second day only."""
    ts = MONDAY + (day * 24 + np.arange(10) / 2) * HOUR * NS
    values = np.full((10, len(names)), 0.0)
    values[:, 0], values[:, 1], values[:, 3] = np.linspace(-1, 1, 10), stands, 1.0
    status = np.full(values.shape, OK, np.int8)
    status[:, 2] = OK + 1
    status[:, 4] = OK if day else OK + 1
    return names, ts.astype(np.int64), values, status


def test_what_stands_still_for_two_sessions_is_dead() -> None:
    assert dead([run(0), run(1)]) == (["stands"], 2)
    assert dead([run(1), run(0)]) == (["stands"], 2)


def test_one_session_says_nothing_and_an_older_one_does_not_count() -> None:
    assert dead([]) == ([], 0)
    assert dead([run(0)]) == ([], 1)
    assert dead([run(0, stands=0.1), run(1), run(2)]) == (["late", "stands"], 2)


def test_what_was_different_on_another_day_lives() -> None:
    assert dead([run(0, stands=0.1), run(1, stands=0.2)]) == ([], 2)


def test_the_finding_names_it() -> None:
    assert health.components([], 0).level == health.components([], 2).level == "green"
    told = health.components(["stands"], 2)
    assert (told.level, told.text) == ("amber", "dead over 2 sessions: stands")
    assert told.remedy


def test_the_doctor_finds_it_in_the_newest_journals(mia_home: Path) -> None:
    """Two sessions in one journal; the first component is overwritten with a value that never changes."""
    folder = mia_home / "data" / "journal"
    folder.mkdir(parents=True)
    writer = JournalWriter(folder / "run-1.sqlite", live=False)
    writer.open_run(journals.header())
    found = journals.decisions(4000)
    for decision in found:
        decision.vector.values[0] = 0.5
    writer.append(found)
    writer.close({"digest": "d" * 64})
    (told,) = [finding for finding in examine() if finding.name == "components"]
    assert (told.level, told.text) == ("amber", f"dead over 2 sessions: {journals.NAMES[0]}")
