"""The schedule: what is due is made once, a day nobody traded is no failure, a failure is told."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters import timetable
from mia_kernel.adapters.channels import FileChannel, Outbox
from mia_kernel.adapters.papermill_report import Page
from mia_kernel.adapters.timetable import Due, Timetable
from mia_kernel.cli import schedule
from mia_kernel.cli.schedule import run_due
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.session import new_york_ns
from mia_kernel.settings import Settings, load

pytestmark = pytest.mark.unit

NOW = new_york_ns(20250613, 20 * 60)


class Evening:
    """A home with an outbox into a file."""

    def __init__(self, home: Path) -> None:
        self.file = home / "logs" / "alerts.jsonl"
        self.settings: Settings = load().settings
        self.made: list[Due] = []

    def run(self, make: Any = None) -> int:
        outbox = Outbox([FileChannel(self.file)])
        try:
            return run_due(self.settings, outbox, NOW, make=make)
        finally:
            outbox.close()

    def make(self, _: Settings, item: Due) -> Page:
        self.made.append(item)
        card = {
            "end_ts": NOW,
            "title": "ES · Friday 9 August 2019",
            "source": "a recorded day",
            "tag": "synthetic",
            "checks": {"replay": "proven", "journal": "proven"},
            "messages": [{"level": "info", "title": "The day", "text": "No trade.", "evidence": "n = 0"}],
        }
        return Page(Path("page.html"), Path("page.ipynb"), None, card)

    def told(self) -> list[dict[str, Any]]:
        return (
            [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]
            if self.file.is_file()
            else []
        )


@pytest.fixture
def evening(mia_home: Path) -> Evening:
    return Evening(mia_home)


def test_what_is_due_is_made_once_and_the_mentor_speaks(evening: Evening) -> None:
    assert evening.run(evening.make) == 0
    first = len(evening.made)
    assert {item.job for item in evening.made} == {"daily", "weekly"}
    assert evening.run(evening.make) == 0
    assert len(evening.made) == first
    assert evening.told()[0]["fields"] == {
        "evidence": "n = 0", "session": "ES · Friday 9 August 2019", "market": "a recorded day [SYNTHETIC]",
        "replay": "proven",
    }  # fmt: skip
    assert [m["title"] for m in evening.told()] == ["The day"] * sum(
        item.job == "daily" for item in evening.made
    )


def test_days_and_weeks_nobody_traded_are_no_failure_and_are_looked_at_again(evening: Evening) -> None:
    assert evening.run() == 0
    assert evening.told() == []
    rows = Timetable(evening.settings.data_folder / "schedule.sqlite").rows()
    assert {row.state for row in rows} == {"nothing"}
    assert evening.run(evening.make) == 0
    assert len(evening.made) == len(rows)


def test_a_failure_is_told_and_tried_again(evening: Evening) -> None:
    def broken(_: Settings, item: Due) -> Page:
        raise OutsideError(f"no room for {item.day}")

    failed = evening.run(broken)
    assert failed > 0
    assert all(m["level"] == "critical" for m in evening.told())
    assert len(evening.told()) == failed
    assert evening.run(evening.make) == 0
    assert len(evening.made) == failed


SECOND = 1_000_000_000


def closes_at(monkeypatch: pytest.MonkeyPatch, *closes: int) -> None:
    """Put an exchange calendar in the place of the real one: sessions that close at these times."""
    table = np.zeros(len(closes), [("close_ns", np.int64), ("trading_day", np.int64), ("weekday", np.int8)])
    table["close_ns"], table["trading_day"] = closes, [20250602 + i for i in range(len(closes))]
    table["weekday"] = range(len(closes))
    monkeypatch.setattr(timetable, "sessions", lambda: table)


def test_the_waiting_mode_makes_up_waits_for_the_close_and_ends_with_the_calendar(
    evening: Evening, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time_ns()
    closes_at(monkeypatch, now - 90 * SECOND, now - 60 * SECOND, now + 2 * SECOND)
    at: list[tuple[int, int]] = []

    def make(settings: Settings, item: Due) -> Page:
        at.append((item.day, time.time_ns()))
        return evening.make(settings, item)

    monkeypatch.setattr(schedule, "_make", make)
    outbox = Outbox([FileChannel(evening.file)])
    schedule._forever(evening.settings, outbox, 0.0)
    outbox.close()
    days = [(item.job, item.day) for item in evening.made]
    assert days == [("daily", 20250602), ("daily", 20250603), ("daily", 20250604), ("weekly", 20250604)]
    assert at[1][1] < now + 2 * SECOND <= at[2][1], "the past at once, the close when it came"
    said = capsys.readouterr()
    assert "next: " in said.out
    assert "update MIA" in said.err


@pytest.mark.skipif(os.name == "nt", reason="no polite interrupt there")
def test_a_failure_nobody_foresaw_is_told_too(
    evening: Evening,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    now = time.time_ns()
    closes_at(monkeypatch, now - 60 * SECOND)
    # A worker of a test run ignores Ctrl-C; here it must do what it does in a terminal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def broken(_: Settings, item: Due) -> Page:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        raise ZeroDivisionError(str(item.day))

    monkeypatch.setattr(schedule, "_make", broken)
    outbox = Outbox([FileChannel(evening.file)])
    schedule._forever(evening.settings, outbox, 0.0)
    outbox.close()
    assert "stopped" in capsys.readouterr().err
    (told,) = evening.told()
    assert told["level"] == "critical"
    assert "ZeroDivisionError: 20250602" in told["text"]
