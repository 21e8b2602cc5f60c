"""A first start: an hour of history, compiling beside it, and the compiled loop from the second reached."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mia_kernel.adapters.recorded import SESSIONS
from mia_kernel.adapters.recorded_feed import row_at
from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli import first
from mia_kernel.cli.first import Beside, Ending
from mia_kernel.core.compiled import Compiled

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
STEP_S = 60.0
WHOLE = 3_000
"""Fewer decisions than the night before the pace holds."""


def test_an_hour_before_the_pace_is_the_history_and_said_so() -> None:
    whole = open_recording("synthetic:")
    cut, at = first.with_an_hour(whole, row_at(whole.events, "10:00"))
    ts = cut.events["ts_recv"]
    assert np.array_equal(cut.events, whole.events[len(whole.events) - len(cut.events) :])
    assert 0 <= int(ts[at]) - int(ts[0]) - first.HISTORY_NS + 1_000_000_000 <= 1_000_000_000
    assert first.clock_of(int(ts[at])) == "10:00:00"
    assert first.clock_of(int(ts[0])) == "09:00:00"
    assert cut.source.name.startswith(whole.source.name)
    assert "plain Python, one hour of history" in cut.source.name
    assert cut.source.tag == "synthetic"


@dataclass
class Process:
    """Stands where a child process does."""

    code: int | None = None
    ended: bool = False

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.ended = True

    def wait(self) -> int:
        return 0


@dataclass
class Standing:
    """As much of a session as is looked at: its position, and who asked it to end."""

    position: int = 0
    seen: int = 9
    stopped_by: list[str] = field(default_factory=list)

    @property
    def run(self) -> Any:
        return type(
            "Run",
            (),
            {"seen": self.seen, "engine": type("E", (), {"rooms": type("R", (), {"account": self})})},
        )

    @property
    def loop(self) -> Any:
        return type("Loop", (), {"stop": self.stopped_by.append})


def test_the_session_ends_when_all_is_compiled_and_it_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first.compiled, "look", lambda: Compiled(False, ()))
    process, session = Process(), Standing()
    beside: Any = Beside(process)  # type: ignore[arg-type]
    beside.look(session, 5)
    assert session.stopped_by == []
    process.code, session.position = 0, 1
    beside.look(session, 5)
    assert session.stopped_by == [], "an open position is not left behind"
    session.position = 0
    beside.look(session, 5)
    assert session.stopped_by == [first.COMPILED]


@pytest.mark.parametrize(("code", "wanting", "why"), [(3, True, "code 3"), (0, True, first.NOT_KEPT)])
def test_where_compiling_fails_the_session_goes_on_and_says_so_once(
    code: int, wanting: bool, why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first.compiled, "look", lambda: Compiled(wanting, ()))
    session = Standing()
    beside: Any = Beside(Process(code))  # type: ignore[arg-type]
    beside.look(session, 5)
    beside.look(session, 5)
    assert session.stopped_by == []
    assert capsys.readouterr().err.count(f"compiling failed ({why})") == 1
    assert not beside.process.ended


def test_compiling_begins_with_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Beside] = []
    monkeypatch.setattr(Beside, "start", lambda self: begun.append(self))
    beside, session = Beside(), Standing(seen=5)
    beside.look(cast(Any, session), 5)
    assert begun == []
    session.seen = 6
    beside.look(cast(Any, session), 5)
    assert begun == [beside]


def test_compiling_is_ended_with_the_loop() -> None:
    process = Process()
    beside: Any = Beside(process)  # type: ignore[arg-type]
    beside.end()
    assert process.ended


def test_who_is_to_end_begins_no_other_session_and_ends_the_one_that_goes_on() -> None:
    session, before, after = Standing(), Process(), Process()
    ending = Ending(cast(Any, session.loop))
    ending.pass_on_to(cast(Any, before))
    assert not before.ended
    session.loop.stop(first.COMPILED)
    ending.stop("SIGTERM")
    assert ending.by_hand, "a session that ends because all is compiled hears it too"
    assert before.ended
    ending.pass_on_to(cast(Any, after))
    assert after.ended, "asked before it began"


PROGRAM = """
import subprocess, sys
import mia_kernel.adapters.synthetic
from mia_kernel.core.kernel import leave_plain
leave_plain()
from mia_kernel.cli import answered, first
first.HISTORY_NS //= 12
def start(self):
    self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"])
first.Beside.start = start
sys.exit(answered(first.first, ["--source", "synthetic:", "--speed", "10", "--from", "10:00"]))
"""


def decisions_in(journal: Path) -> int:
    """Return how many decisions a journal beside a running loop holds."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return int(db.execute("select count(*) from decision").fetchone()[0])


def until_it_decides(home: Path) -> None:
    """Wait for the journal of the second session to hold decisions of its whole history."""
    ends = time.monotonic() + STEP_S
    while time.monotonic() < ends:
        journals = sorted((home / "data" / "journal").glob("run-*.sqlite"))
        if len(journals) == 2 and decisions_in(journals[1]) > WHOLE:
            return
        time.sleep(0.2)
    raise AssertionError("the compiled loop does not decide")


@pytest.mark.timeout(240)
def test_a_first_start_goes_on_compiled_where_it_was_and_both_sessions_replay_the_same(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "MIA_HOME": str(tmp_path)}
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as loop:  # fmt: skip
        for line in loop.stdout or ():
            said.append(line.rstrip())
            if line.startswith("first   "):
                until_it_decides(tmp_path)
                loop.send_signal(signal.SIGTERM)  # `mia lab` ends: whoever goes on ends too, in order
    assert loop.returncode == 0, "\n".join(said)
    text = "\n".join(said)
    reached = re.search(r"goes on from 10:0(\d):(\d\d) New York", text)
    assert reached is not None, text
    assert 1 <= 60 * int(reached[1]) + int(reached[2]) <= 240
    counts = re.findall(r"^(?:first   )?parity (\d+)/(\d+)", text, re.MULTILINE)
    assert [equal == total for equal, total in counts] == [True, True], text
    assert int(counts[0][1]) >= 20
    assert int(counts[1][1]) > WHOLE, "the compiled session has the whole history"
    assert len(list((tmp_path / "data" / SESSIONS).iterdir())) == 2
