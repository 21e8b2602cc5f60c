"""Compile every kernel once, on a handful of SYNTHETIC rows, before anything is timed or traded.

Where this environment has no kernels yet, a second process compiles what a decision asks (measures, score, gates,
digest, venue) while this one compiles what a row does to the state; each then finds the other's part on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from mia_kernel.adapters.handful import handful
from mia_kernel.adapters.parent import end_with_parent
from mia_kernel.core import compiled
from mia_kernel.measures.shelf import Shelf
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings

__all__ = ["warm_up"]


def warm_up(settings: Settings) -> Run:
    """Compile every kernel and return the run that did it.

    Takes one to two minutes the first time in an environment and nothing afterwards: kernels are cached. What
    fails to compile in the second process fails here too, and is raised here.
    """
    with ExitStack() as beside:
        if compiled.look().cold and (os.cpu_count() or 1) > 1:
            beside.enter_context(_second_process())
        run = Run(settings, handful())
        run.drive()
    return run


def _second_process() -> subprocess.Popen[bytes]:
    """Start this module as a process; leaving its context waits for it."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", __name__, str(os.getpid())]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL)


def _decide_first() -> None:
    """Compile what a decision asks: on an empty state, so that nothing of the state itself is compiled here."""
    run = Run(Settings(), handful())
    ts = int(run.recording.events["ts_event"][-1])
    run.rehearse_decision(ts)
    Shelf(run.given).read(run.engine.rooms.market, ts)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    _decide_first()
