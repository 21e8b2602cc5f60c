"""The whole of it: gateway, guardian, engine as processes; brackets trade while things break.

One scenario in its long form: warm up, arm, trade, lose the link, restart the gateway with ids rolled back, kill
the engine; each time position, orders and money of venue, guardian and engine must be the same again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters import bus, limits_file
from mia_kernel.adapters.messages import Arm, Challenge, Confirm, GuardianStatus, Status
from mia_kernel.adapters.recorded import closing_of, read_session, session_folders
from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import OrderReport

pytestmark = [pytest.mark.integration, pytest.mark.safety, pytest.mark.long]

ACCOUNT, SPEED = "DU0000176", 3.0
START = "2025-03-14T13:40:00+00:00"
LOOSE = """
[limits.gates]
min_coverage = 0.05
require_battle_navale = false
ball_gate = "off"
"""
"""So that a SYNTHETIC market trades within minutes; nothing about the strategy is shown by it."""

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
        self.until(self.beating, 90.0, "no engine beats")
        with bus.guardian(self.home) as client:
            challenge = client.ask(Arm("ARM PAPER", ACCOUNT), 2.0)
            assert isinstance(challenge, Challenge), challenge
            assert client.ask(Confirm(challenge.code), 2.0).armed

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

    def fills(self) -> int:
        folders = session_folders(self.home / "data")
        objects = read_session(folders[-1]).objects if folders else ()
        return sum(isinstance(e, OrderReport) and e.last_qty > 0 for e in objects)

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


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    here = World(tmp_path)
    yield here
    here.close()


def test_brackets_trade_while_link_gateway_and_engine_break(world: World) -> None:
    recording = synthetic_recording(3, scale=0.3)
    day = world.home / "day.parquet"
    write_recording(day, recording)
    text = limits_file.default_text(ACCOUNT, dt.datetime.now(dt.UTC).date())
    (world.home / "risk.toml").write_text(text + LOOSE)
    world.start("gateway", "gateway", "--port", str(world.port), "--control-port", str(world.control), "--source",
                str(day), "--from", START, "--speed", str(SPEED))  # fmt: skip
    world.until(lambda: "control" in (world.home / "gateway.out").read_text(), 60.0, "no gateway")
    sets = [word for one in SETTINGS for word in ("--set", one)]
    run = world.start("run", "run", "--live", "--source", f"gateway:127.0.0.1:{world.port}", "--with", str(day),
                      *sets)  # fmt: skip
    world.until(world.beating, 240.0, "no engine")

    world.arm()
    world.until(lambda: world.fills() >= 1, 240.0, "no fill")
    world.until(world.agree, 20.0, "venue and guardian differ after the first fill")

    world.ctl("drop-link", data_lost=True)
    world.until(
        lambda: (t := world.guardian()) is not None and not t.armed, 10.0, "still armed without a link"
    )
    time.sleep(2.0)
    world.ctl("restore")
    world.times["link restored to reconciled"] = world.until(
        world.agree, 15.0, "differ after the link came back"
    )

    world.arm()
    world.ctl("restart", down_s=1.0, id_rollback=True, stale_326_s=2.0)
    world.until(lambda: (t := world.guardian()) is not None and not t.armed, 10.0, "still armed in a restart")
    world.times["gateway restart to reconciled"] = world.until(world.agree, 45.0, "differ after the restart")

    world.arm()
    before = world.fills()
    os.kill(world.engine_pid(), signal.SIGKILL)
    time.sleep(1.5)
    world.times["engine killed to beating"] = world.until(
        world.beating, 120.0, "the engine did not come back"
    )
    world.until(world.agree, 20.0, "differ after the engine came back")
    assert world.fills() >= before

    world.arm()
    world.until(lambda: world.fills() > before, 300.0, "nothing traded after the restart")
    world.until(world.agree, 20.0, "differ at the end")

    run.send_signal(signal.SIGTERM)
    assert run.wait(150.0) == 0, world.said()
    folder = session_folders(world.home / "data")[-1]
    closing = closing_of(folder)
    assert closing is not None, world.said()
    log = (world.home / "run" / "engine.log").read_text()
    assert f"parity {closing['decisions']}/{closing['decisions']}" in log, log
    reports = [e for e in read_session(folder).objects if isinstance(e, OrderReport) and e.last_qty > 0]
    assert len({e.exec_id for e in reports}) == len(reports)  # no fill twice
    there = world.ctl("status")
    signed = sum(TENTHS[e.symbol] * e.side * e.last_qty for e in reports)
    assert signed == world.venue_tenths()
    print(
        {name: round(seconds, 2) for name, seconds in world.times.items()},
        there["orders"],
        there["realized_usd"],
    )
