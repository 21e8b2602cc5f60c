"""A helper ends with the process that started it, however that one ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import psutil
import pytest

from mia_kernel.adapters.parent import end_with_parent

pytestmark = pytest.mark.unit

HELPER = """
import sys, time
from mia_kernel.adapters.parent import end_with_parent
end_with_parent(int(sys.argv[1]), look_s=0.05)
print(1, flush=True)
time.sleep(60)
"""
STARTER = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {HELPER!r}, str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_helper_ends_with_a_parent_that_was_killed(end: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        helper = psutil.Process(int(starter.stdout.readline()))
        assert helper.is_running()
        starter.send_signal(end)
        starter.wait()
    helper.wait(10.0)
    assert not helper.is_running()


def test_a_parent_that_is_gone_already_ends_the_helper() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended = threading.Event()
    end_with_parent(gone.pid, ended.set, 0.01)
    assert ended.wait(5.0)
