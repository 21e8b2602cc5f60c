"""A loop and a desk server for browser tests: the real engine over a recording, started here and ended here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S = 240
"""A first start compiles the kernels."""


@dataclass
class Loop:
    """A running loop."""

    home: Path
    process: subprocess.Popen[str]
    journal: Path

    def wait_ended(self, timeout_s: float) -> None:
        """Wait until the recording has ended and the journal is complete."""
        until = time.monotonic() + timeout_s
        while not self.journal.exists():
            assert self.process.poll() is None, "the loop ended"
            assert time.monotonic() < until, "the recording did not end"
            time.sleep(0.1)


@contextmanager
def loop(
    home: Path,
    source: str,
    *,
    start: float = 0.0,
    speed: float = 1.0,
    tz: str | None = None,
    mode: str = "paper",
) -> Iterator[Loop]:
    """Play a recording: frames on the bus, a guardian that keeps its word."""
    journal = home / "played.sqlite"
    words = ["--home", str(home), "--source", source, "--from", str(start), "--speed", str(speed)]
    words += ["--journal", str(journal), "--mode", mode, *(["--tz", tz] if tz else [])]
    with _process("tests.fakes.desk_loop", words, home) as process:
        _line(process, "ready")
        yield Loop(home, process, journal)


@contextmanager
def page_server(home: Path) -> Iterator[str]:
    """Serve the monitor page; the address with its token."""
    with _process("mia_kernel.adapters.http", ["--home", str(home)], home) as process:
        yield _line(process, "http")


@contextmanager
def _process(module: str, words: Sequence[str], home: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "MIA_HOME": str(home), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _line(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return line.strip()
    raise AssertionError(f"the process ended with {process.wait()} before it said {start!r}")


def until(page: Any, wanted: str, timeout_s: float = 30.0) -> None:
    """Wait until an expression in the page is true; polled from here, because the page forbids evaluation.

    `wanted` is JavaScript; Playwright's own protocol evaluates it, which no content policy stops.
    """
    end = time.monotonic() + timeout_s
    while not page.evaluate(wanted):
        assert time.monotonic() < end, f"not within {timeout_s:g} s: {wanted}"
        page.wait_for_timeout(50)
