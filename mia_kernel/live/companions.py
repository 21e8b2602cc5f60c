"""Start and watch the processes beside the engine: the guardian, the desk server, the alert watch, the engine itself.

How it moves: each is a child with a log of its own below `MIA_HOME/run`. One that ends by itself is started again:
at once if it had lived for a while, else with a growing wait, and never more than a few times in ten minutes; a
restarted guardian is disarmed, and nothing here can arm it. At the end the engine goes first, the guardian last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from mia_kernel.adapters.bus import GUARDIAN, find
from mia_kernel.adapters.peers import run_folder
from mia_kernel.core.errors import OutsideError

MOST_RESTARTS, RESTART_SPAN_S = 6, 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
STEADY_S = 30.0
"""One that lived so long before it ended is started again at once: nobody can send while it is away."""
END_S = 20.0
LOG_BYTES = 2_000_000
AHEAD = defaultdict(int, {GUARDIAN: -10, "engine": -5})
"""Niceness of the processes whose silence costs the arming."""


class Child:
    """One process of ours.

    Parameters
    ----------
    name : str
    argv : callable
        Gives the arguments after the interpreter; asked at every start (a restarted engine resumes).
    home : Path
    """

    def __init__(self, name: str, argv: Callable[[int], Sequence[str]], home: Path) -> None:
        self.name = name
        self.home = home
        self.log = run_folder(home) / f"{name}.log"
        self.starts: deque[float] = deque()
        self.started = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.niceness = 0 if sys.platform == "win32" else AHEAD[name]
        self._argv = argv
        self._due = 0.0

    def start(self) -> None:
        """Start the process; its output is added to the log."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            os.replace(self.log, self.log.with_suffix(".log.1"))
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *self._argv(self.started)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "MIA_HOME": str(self.home)},
                start_new_session=True,  # Ctrl-C is for the supervisor: it ends its children in order
            )
        with suppress(
            psutil.Error, OSError
        ):  # where the system allows it, trading goes before everything else
            if self.niceness:
                psutil.Process(self.process.pid).nice(self.niceness)
        self.started += 1
        self.starts.append(time.monotonic())

    @property
    def code(self) -> int | None:
        """Exit code, None while it runs."""
        return None if self.process is None else self.process.poll()

    def look(self) -> bool:
        """Start the process again if it has ended and its wait is over; return whether it was started.

        Raises
        ------
        OutsideError
            If it ends again and again.
        """
        if self.code is None:
            return False
        now = time.monotonic()
        if self._due == 0.0:
            while self.starts and now - self.starts[0] > RESTART_SPAN_S:
                self.starts.popleft()
            if len(self.starts) > MOST_RESTARTS:
                raise OutsideError(
                    f"{self.name} ended {len(self.starts)} times in ten minutes; see {self.log}"
                )
            steady = bool(self.starts) and now - self.starts[-1] >= STEADY_S
            wait = FIRST_WAIT_S * 2 ** max(len(self.starts) - 1, 0)
            self._due = now + (0.0 if steady else min(wait, LONGEST_WAIT_S))
        if now < self._due:
            return False
        self._due = 0.0
        self.start()
        return True

    def end(self, wait_s: float = END_S) -> int | None:
        """Ask the process to end, then end it; return its exit code. Whoever is interrupted meanwhile does not wait."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(wait_s)
            except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
                self.process.kill()
                self.process.wait(5.0)
                if isinstance(error, KeyboardInterrupt):
                    raise
        return self.process.returncode


def guardian_child(home: Path, mode: str, venue: str | None) -> Child:
    """Return the guardian of a home as a child, not yet started."""
    argv = ["-m", "mia_kernel.guardian", "--home", str(home), "--mode", mode]
    return Child(GUARDIAN, lambda _: [*argv, *(["--venue", venue] if venue else [])], home)


def desk_child(home: Path) -> Child:
    """Return the desk server of a home as a child: a private socket for the notebook, a port on Windows."""
    where = [] if sys.platform == "win32" else ["--socket", str(run_folder(home) / "desk.sock")]
    return Child("desk", lambda _: ["-m", "mia_kernel.adapters.http", "--home", str(home), *where], home)


def alerts_child(home: Path) -> Child:
    """Return the alert watch of a home as a child: it speaks, and disarms when nobody answers."""
    return Child("alerts", lambda _: ["-m", "mia_kernel", "alerts", "watch"], home)


class Helpers:
    """Children without which trading goes on: one that ends again and again is given up, and that is said.

    Parameters
    ----------
    children : sequence of Child
    """

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = list(children)

    def start(self) -> None:
        """Start every one."""
        for child in self.children:
            child.start()

    def look(self) -> list[str]:
        """Start again what ended; return what to tell."""
        told: list[str] = []
        for child in list(self.children):
            try:
                if child.look():
                    told.append(f"{child.name} ended and was started again")
            except OutsideError as error:
                self.children.remove(child)
                told.append(f"{error}; it stays away, trading goes on without it")
        return told

    def end(self, wait_s: float) -> None:
        """End every one."""
        for child in reversed(self.children):
            child.end(wait_s)


def running_guardian(home: Path) -> bool:
    """Return whether a guardian of this home runs already."""
    said = find(home, GUARDIAN)
    return said is not None and said.alive


def wait_guardian(child: Child, timeout_s: float = 60.0) -> None:
    """Wait until a started guardian has announced itself.

    Raises
    ------
    OutsideError
        If it ends, or says nothing in time; quotes the end of its log.
    """
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        said = find(child.home, GUARDIAN)
        if said is not None and child.process is not None and said.pid == child.process.pid:
            return
        if child.code is not None:
            break
        time.sleep(0.05)
    last = child.log.read_text(errors="replace").strip().splitlines()[-3:] if child.log.exists() else []
    raise OutsideError(f"the guardian did not come up: {' / '.join(last) or 'no word'}; see {child.log}")
