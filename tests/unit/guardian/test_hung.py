"""A guardian whose loop stands still is ended; one that was stopped from outside is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mia_kernel.guardian.hung import HUNG, Hung

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_a_loop_that_turns_is_left_alone_and_one_that_stands_is_ended_once() -> None:
    ended = threading.Event()
    hung = Hung(ended.set, still_s=4, tick_s=0.05)
    hung.start()
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        hung.turned()
        time.sleep(0.01)
    assert not ended.is_set()
    assert ended.wait(2.0)
    hung.stop()


def test_one_that_is_stopped_in_time_ends_nothing() -> None:
    ended = threading.Event()
    hung = Hung(ended.set, still_s=1, tick_s=0.05)
    hung.start()
    hung.stop()
    assert not ended.wait(0.3)


SCRIPT = """
import sys, time
from mia_kernel.guardian import hung
hung = hung.Hung(still_s=3, tick_s=0.1)
hung.start()
print("up", flush=True)
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    hung.turned()
    time.sleep(0.02)
print("stands", flush=True)
time.sleep(60)
"""


def _process(turns_s: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(turns_s)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_the_process_ends_with_the_stacks_of_its_threads() -> None:
    process = _process(0.2)
    _, said = process.communicate(timeout=20)
    assert process.returncode == HUNG
    assert "has stood still" in said
    assert "time.sleep" in said or "<string>" in said


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP")
def test_a_process_that_was_stopped_is_not_taken_for_one_that_hangs() -> None:
    process = _process(30.0)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.0)  # more than three times what a hanging loop is given
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(0.3)
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)
