"""The whole desk over a recorded session: the simulated gateway plays it, the real guardian and engine stand on it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_kernel.adapters import bus, limits_file
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.messages import GuardianStatus, Status
from mia_kernel.core.decisions import Decision
from mia_kernel.core.errors import MiaError
from mia_kernel.core.events import Recording
from tests.fakes.live_gateway import LiveGateway

ROOT = Path(__file__).parents[2]
ACCOUNT, PHRASE = "DU0000176", "ARM PAPER"
START_S = 240.0
"""A first start compiles the kernels."""


@dataclass
class RealDesk:
    """A running desk: its home, its venue, its processes by name."""

    home: Path
    gateway: LiveGateway
    processes: dict[str, subprocess.Popen[bytes]]

    def guardian(self) -> GuardianStatus | None:
        """What the guardian says, None where it does not."""
        try:
            with bus.guardian(self.home) as client:
                told = client.ask(Status(), 1.0)
        except MiaError:
            return None
        return told if isinstance(told, GuardianStatus) else None

    def decision(self, sequence: int, timeout_s: float = 5.0) -> Decision:
        """Read a decision from the engine's journal, which it writes in groups."""
        path = next((self.home / "data" / "journal").glob("run-*.sqlite"))
        until = time.monotonic() + timeout_s
        while True:
            with JournalReader(path) as reader:
                found = [d for d in reader.decisions() if d.sequence == sequence]
            if found:
                return found[0]
            assert time.monotonic() < until, f"decision {sequence} is not in {path.name}"
            time.sleep(0.1)

    def until(self, done: Callable[[], Any], seconds: float, what: str) -> None:
        """Wait until something is so; what the processes said belongs to the failure."""
        ends = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < ends, f"{what}\n{self.said()}"
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended\n{self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        """The end of every log."""
        logs = sorted((self.home / "run").glob("*.out"))
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def beats(self) -> bool:
        """Whether the guardian hears an engine and agrees with the venue."""
        told = self.guardian()
        age = None if told is None else told.engine_heartbeat_age_s
        return told is not None and told.reconciled and not told.stale and age is not None and age < 0.8


@contextmanager
def real_desk(home: Path, recording: Recording, start_ns: int, **params: Any) -> Iterator[RealDesk]:
    """Start gateway, guardian and engine over a recording; end them, the engine first."""
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "risk.toml").write_text(limits_file.default_text(ACCOUNT, dt.datetime.now(dt.UTC).date()))
    with LiveGateway(recording, start_ns, **params) as gateway:
        source = f"gateway:127.0.0.1:{gateway.port}"
        desk = RealDesk(home, gateway, {})
        try:
            _start(
                desk,
                "guardian",
                "mia_kernel.guardian",
                "--home",
                str(home),
                "--mode",
                "paper",
                "--venue",
                source,
            )
            desk.until(lambda: desk.guardian() is not None, 60.0, "no guardian")
            _start(
                desk,
                "engine",
                "mia_kernel.cli.live",
                "--mode",
                "paper",
                "--source",
                source,
                "--session",
                "seen",
            )
            desk.until(desk.beats, START_S, "no engine beats")
            yield desk
        finally:
            for process in reversed(desk.processes.values()):
                _end(process)


def _start(desk: RealDesk, name: str, module: str, *words: str) -> None:
    environment = {**os.environ, "MIA_HOME": str(desk.home), "PYTHONPATH": str(ROOT)}
    with (desk.home / "run" / f"{name}.out").open("ab") as out:
        desk.processes[name] = subprocess.Popen(
            [sys.executable, "-m", module, *words], env=environment, cwd=ROOT, stdout=out, stderr=out
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # its record is no part of these tests; a polite end would replay the session first
    process.wait()
