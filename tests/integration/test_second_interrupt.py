"""Ctrl-C twice, on real processes: the first one ends in order, the second leaves at once and says what stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mia_kernel.adapters import journal_reader
from mia_kernel.adapters.bus import ENGINE, find
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording

pytestmark = [pytest.mark.integration, pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")]

START_S, AT_ONCE_S = 180.0, 60.0
"""Generous for a busy machine: in order takes as long as a replay and a page, at once an interpreter's end."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def go(*words: str) -> subprocess.Popen[bytes]:
        home.mkdir(exist_ok=True)
        with (home / "said").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "mia_kernel", *words],
                env={**os.environ, "MIA_HOME": str(home)},
                stdout=out,
                stderr=out,
                start_new_session=True,
                # A terminal's Ctrl-C: what runs these tests in the background may have let its children ignore it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        started.append(process)
        return process

    yield go
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def said(home: Path) -> str:
    return (home / "said").read_text("utf-8", "replace")


def until(done: Callable[[], object], process: subprocess.Popen[bytes], home: Path) -> None:
    ends = time.monotonic() + START_S
    while not done():
        assert process.poll() is None, said(home)
        assert time.monotonic() < ends, said(home)
        time.sleep(0.05)


def test_a_run_left_at_once_keeps_its_journal_and_says_where(
    tmp_path: Path, home: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    day = tmp_path / "day.parquet"
    write_recording(day, synthetic_recording(3, warm_up=False, scale=0.02))
    process = start("run", "--dry-run", "--headless", "--source", str(day), "--from", "15:30")
    until(lambda: find(home, ENGINE) is not None, process, home)
    os.killpg(process.pid, signal.SIGINT)
    until(lambda: "ending" in said(home), process, home)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(AT_ONCE_S) == 1, said(home)
    left = re.search(r"left at once: what was seen stays in (\S+)\s+and (\S+);", said(home))
    assert left is not None, said(home)
    assert journal_reader.verify(Path(left[1])).ok
    assert Path(left[2]).is_dir()
    assert "report  " not in said(home)


def test_the_monitor_ends_at_the_first_and_leaves_nobody(
    home: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = start("monitor")
    until(lambda: "http" in said(home), process, home)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    process.wait(AT_ONCE_S)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert "Traceback" not in said(home)
