"""Venue, guardian and engine as processes of their own, started quickly and ended by their number."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mia_kernel.adapters import bus, limits_file
from mia_kernel.adapters.messages import Acknowledge, Arm, Confirm, GuardianStatus, Message, Refused, Status
from mia_kernel.core.errors import MiaError
from tests.fakes import venue_process
from tests.fakes.engine_process import run_engine
from tests.fakes.guarded import ACCOUNT, law_text

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.fakes.engine_process", "tests.fakes.venue_process"])

GENEROUS: dict[str, Any] = {
    "max_orders_per_hour": 256,
    "max_orders_per_second": 5,
    "max_trades_per_hour": 32,
    "max_trades_per_day": 10_000,
    "max_consecutive_losses": 10_000,
    "max_concurrent": 4,
    "daily_loss_usd": 4_000.0,
    "hard_daily_loss_usd": 9_000.0,
    "weekly_loss_usd": 14_000.0,
    "max_slippage_ticks": 400.0,
    "max_mean_slippage_ticks": 200.0,
    "duplicate_window_s": 0.0,
}


@contextmanager
def plain_python() -> Iterator[None]:
    """Let the server these processes are forked from run kernels as plain Python, as the guardian's own process does.

    Else the first beat of a guardian compiles what is not in the cache, for tens of seconds in which it is silent.
    """
    before = os.environ.get("NUMBA_DISABLE_JIT")
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    try:
        yield
    finally:
        del os.environ["NUMBA_DISABLE_JIT"]
        if before is not None:
            os.environ["NUMBA_DISABLE_JIT"] = before


class Stage:
    """The three processes around one MIA_HOME."""

    def __init__(self, home: Path, seed: int, *, speed: float = 1.0, **law: Any) -> None:
        self.home, self.seed = home, seed
        home.mkdir(parents=True, exist_ok=True)
        limits_file.CAPS["max_orders_per_hour"] = 256
        (home / limits_file.NAME).write_text(law_text(**law))
        limits_file.CAPS["max_orders_per_hour"] = 60
        self.port_file = home / "venue.port"
        self.venue = CONTEXT.Process(
            target=venue_process.run_venue, args=(str(self.port_file), seed, speed), daemon=True
        )
        with plain_python():
            self.venue.start()
        self.line: Connection = venue_process.connect(self.port_file)
        self.guardian: Any = None
        self.engine: Any = None
        self.engines = 0

    def start_guardian(self) -> float:
        """Start it; return the seconds until the venue has confirmed everything."""
        began = time.monotonic()
        self.guardian = CONTEXT.Process(
            target=venue_process.run_guardian, args=(str(self.home), str(self.port_file), 256), daemon=True
        )
        self.guardian.start()
        self.until(lambda s: s.reconciled, 30.0)
        return time.monotonic() - began

    def start_engine(self) -> None:
        self.engines += 1
        self.engine = CONTEXT.Process(
            target=run_engine, args=(str(self.home), self.seed * 1000 + self.engines), daemon=True
        )
        self.engine.start()

    def kill(self, process: Any, number: int = getattr(signal, "SIGKILL", signal.SIGTERM)) -> None:
        os.kill(process.pid, number)
        process.join(10)

    def ask(self, message: Message, timeout_s: float = 10.0) -> Any:
        """Ask the guardian; how fast it answers is measured elsewhere, here a slow disk must not end a campaign."""
        with bus.guardian(self.home) as client:
            return client.ask(message, timeout_s)

    def status(self) -> GuardianStatus | None:
        said = bus.find(self.home, bus.GUARDIAN)
        if said is None or self.guardian is None or said.pid != self.guardian.pid:
            return None
        try:
            return self.ask(Status(), 1.0)
        except MiaError:
            return None

    def until(self, true: Any, seconds: float) -> GuardianStatus:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and true(status):
                return status
            time.sleep(0.005)
        raise TimeoutError(f"not within {seconds} s; last status {self.status()}")

    def arm(self) -> None:
        """Arm as soon as nothing speaks against it; alerts are looked at."""
        deadline = time.monotonic() + 30.0
        while time.monotonic() < deadline:
            self.ask(Acknowledge(0))
            answer = self.ask(Arm("ARM PAPER", ACCOUNT))
            if not isinstance(answer, Refused) and not isinstance(self.ask(Confirm(answer.code)), Refused):
                return
            time.sleep(0.02)
        raise TimeoutError(f"cannot arm: {answer}")

    def ledger(self) -> dict[str, Any]:
        return venue_process.ask(self.line, "ledger")

    def set(self, name: str, value: Any) -> None:
        venue_process.ask(self.line, "set", (name, value))

    def close(self) -> None:
        for process in (self.engine, self.guardian, self.venue):
            if process is not None and process.is_alive():
                process.kill()
                process.join(5)
        self.line.close()
