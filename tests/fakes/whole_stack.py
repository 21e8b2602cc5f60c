"""The whole stack as processes: gateway, guardian, engine; what each says, and whether they agree."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mia_kernel.adapters import bus, limits_file
from mia_kernel.adapters.messages import (
    Acknowledge,
    Arm,
    Challenge,
    Confirm,
    GuardianStatus,
    Refused,
    Status,
)
from mia_kernel.core.errors import OutsideError

ACCOUNT = "DU0000176"
GATES = """
[limits.gates]
min_coverage = 0.05
min_data_quality = 0.5
require_battle_navale = false
ball_gate = "off"
min_reward_risk = 1.0
min_reward_risk_after_fees = 0.3
"""
WIDE = {
    "max_consecutive_losses": 50, "max_rvol": 1000.0, "max_drawdown_percent": 20.0, "daily_loss_usd": 5000.0,
    "hard_daily_loss_usd": 10_000.0, "weekly_loss_usd": 15_000.0, "max_trades_per_hour": 32,
    "slippage_pause_minutes": 0.0,  # a stop that slips at the open would end the scenario for half an hour
}  # fmt: skip
"""So that an entry comes within minutes; nothing about the strategy is shown by it."""

SETTINGS = (
    "confluence.coverage_floor=0.05",
    "strategy.entry_rule=confluence_entry",
    "confluence.grade_scale=launch",
)
TENTHS = {"ES": 10, "MES": 1}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class World:
    """Processes of one test, and what each of them says."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.control = home, free_port(), free_port()
        self.env = {**os.environ, "MIA_HOME": str(home)}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.times: dict[str, float] = {}
        self.disarmed: list[str] = []

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "mia_kernel", *arguments], env=self.env, stdout=out, stderr=out
            )
        self.processes.append(process)
        return process

    def said(self) -> str:
        files = [*self.home.glob("*.out"), *(self.home / "run").glob("*.log")]
        return "\n".join(f"== {file.name}\n" + file.read_text(errors="replace")[-1500:] for file in files)

    def until(self, done: Callable[[], Any], seconds: float, what: str) -> float:
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < seconds, f"{what}\n{self.said()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def ctl(self, verb: str, **arguments: Any) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.control), 5.0) as line:
            line.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            return json.loads(line.makefile().readline())

    def guardian(self) -> GuardianStatus | None:
        try:
            with bus.guardian(self.home) as client:
                return client.ask(Status(), 1.0)
        except OutsideError:
            return None

    def beating(self) -> bool:
        if not (self.home / "run" / "engine.json").exists() or not alive(self.engine_pid()):
            return False  # it greets, then warms up: the loop turns once it is announced
        told = self.guardian()
        age = None if told is None else told.engine_heartbeat_age_s
        return told is not None and told.reconciled and age is not None and age < 0.5

    def arm(self) -> None:
        """Arm as a person would: again while it is refused because something is not ready yet."""
        self.until(self.beating, 90.0, "no engine beats")
        self.until(self._armed_now, 30.0, "arming is refused")

    def _armed_now(self) -> bool:
        with bus.guardian(self.home) as client:
            client.ask(Acknowledge(0), 2.0)  # what `mia status --seen` says: an alert waits for eyes
            answer = client.ask(Arm("ARM PAPER", ACCOUNT), 2.0)
            if isinstance(answer, Challenge):
                answer = client.ask(Confirm(answer.code), 2.0)
            if isinstance(answer, Refused):
                self.disarmed.append(f"refused: {answer.reason}")
            return isinstance(answer, GuardianStatus) and answer.armed

    def trade(self, more: int, seconds: float) -> float:
        """Wait for so many executions more, armed; return how long it took; what disarms meanwhile is kept and told."""
        wanted = self.executions() + more

        def done() -> bool:
            told = self.guardian()
            if told is not None and not told.armed:
                self.disarmed.append(told.last_reason)
                assert told.trading_state != "halted", told.last_reason
                self.arm()
            return self.executions() >= wanted

        return self.until(done, seconds, "nothing was filled")

    def executions(self) -> int:
        return int(self.ctl("status")["orders"]["executions"])

    def unarmed(self) -> bool:
        told = self.guardian()
        return told is not None and not told.armed

    def venue_tenths(self) -> int:
        held = self.ctl("status")["positions"]
        return sum(
            TENTHS["MES" if symbol.startswith("MES") else "ES"] * int(quantity(p))
            for symbol, p in held.items()
        )

    def agree(self) -> bool:
        """Whether guardian and venue tell the same position, orders and money."""
        told, there = self.guardian(), self.ctl("status")
        if told is None or told.position is None or told.day_net_usd is None or not told.reconciled:
            return False
        money = told.day_net_usd + (told.open_usd or 0.0)
        return (
            round(10 * told.position) == self.venue_tenths()
            and told.working_orders == there["orders"]["living"]
            and (self.venue_tenths() != 0 or abs(money - (there["equity_usd"] - 50_000.0)) < 0.01)
        )

    def engine_pid(self) -> int:
        return int(json.loads((self.home / "run" / "engine.json").read_text())["pid"])

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(90.0)
            except subprocess.TimeoutExpired:
                process.kill()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def quantity(held: Any) -> float:
    return float(held["quantity"] if isinstance(held, dict) else held)


def limits(home: Path) -> None:
    text = limits_file.default_text(ACCOUNT, dt.datetime.now(dt.UTC).date())
    for name, value in WIDE.items():
        text, found = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    (home / "risk.toml").write_text(text + GATES)
