"""`mia drill`: rehearse against the simulated gateway, with a guardian of its own in a folder of its own.

A bracket is traded while the link drops, goes half-open, loses its data, the gateway restarts with older
order ids and the guardian is killed; after each, position and orders must equal the venue's, and at the end
the money to the cent. Nothing of the running system is touched. `--running` presses the fire drill of the
guardian that runs now instead.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mia_kernel.adapters import bus
from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.adapters.limits_file import NAME, default_text
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.messages import (
    Acknowledge,
    Arm,
    Confirm,
    Drill,
    GuardianStatus,
    Halt,
    Refused,
    Status,
)
from mia_kernel.cli import control
from mia_kernel.cli.gateway import ask as ask_gateway
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.core.errors import MiaError, OutsideError
from mia_kernel.core.orders import Order, OrderType, PlaceBracket, Role
from mia_kernel.gateway.params import GatewayParams

START_S, RECOVER_S, FAULT_S = 180.0, 60.0, 30.0
EQUITY_USD = 50_000
TICK = 0.25
STOP_TICKS, TARGET_TICKS = 40, 400


@dataclass(slots=True)
class Row:
    """One fault: seconds until it was noticed, until all was confirmed equal again, and what was compared."""

    fault: str
    detected_s: float | None
    recovered_s: float
    position: float
    orders: int
    agrees: bool
    unprotected_s: float


@click.command()
@click.option("--running", is_flag=True, help="press the fire drill of the running guardian instead")
@click.option("--source", default="synthetic:7", show_default=True, metavar="URI", help="whose market it is")
@json_option
def drill(running: bool, source: str, json_path: str | None) -> None:
    """Rehearse losing link, gateway and guardian; exit code 1 where anything differs afterwards."""
    if running:
        control.show(control.ask(control.home_folder(), Drill()), json_path)
        return
    with tempfile.TemporaryDirectory(prefix="mia-drill-") as folder:
        stage = Stage(Path(folder), source)
        try:
            answer = rehearse(stage)
        finally:
            stage.close()
    if json_path:
        write_json(json_path, answer)
    if json_path != "-":
        rows = [
            (r.fault, _s(r.detected_s), _s(r.recovered_s), f"{r.position:+g}", r.orders, _s(r.unprotected_s),
             "yes" if r.agrees else "NO")
            for r in answer["faults"]
        ]  # fmt: skip
        print_table(
            ("fault", "noticed", "confirmed equal", "position", "orders", "unprotected", "agrees"), rows
        )
        click.echo(f"kill switch: flat at the venue after {_s(answer['flat_s'])}")
        click.echo(
            f"money: here {answer['net_usd']:+.2f} USD, at the venue {answer['venue_net_usd']:+.2f} USD"
        )
    if not answer["ok"]:
        stop(1)


class Stage:
    """Gateway, guardian and a quiet engine around one temporary MIA_HOME."""

    def __init__(self, home: Path, source: str) -> None:
        self.home = home
        self.port, self.control = _free_ports()
        self.account = GatewayParams().account
        (home / NAME).write_text(default_text(self.account, dt.datetime.now(dt.UTC).date()))
        words = ["gateway", "--port", str(self.port), "--control-port", str(self.control)]
        words += ["--source", source, "--equity", str(EQUITY_USD)]
        self.gateway = self._start("gateway", [sys.executable, "-m", "mia_kernel", *words])
        self.guardian: subprocess.Popen[bytes] | None = None
        self.link: GuardianLink | None = None
        self.wishes = 0

    def _start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "MIA_HOME": str(self.home)}
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(words, env=environment, stdout=log, stderr=log)

    def start_guardian(self) -> None:
        words = [sys.executable, "-m", "mia_kernel.guardian", "--home", str(self.home), "--mode", "paper"]
        self.guardian = self._start("guardian", [*words, "--venue", f"gateway:127.0.0.1:{self.port}"])
        self.until(lambda: self.status() is not None, START_S)

    def greet(self) -> None:
        """Let the engine of this drill greet; it beats whenever something is waited for."""
        if self.link is not None:
            self.link.close()
        self.link = GuardianLink(
            self.home,
            build=code_version(),
            settings_id="drill",
            mode="paper",
            run_id=f"drill-{time.time_ns()}",
        )
        self.link.greet(0)

    def status(self) -> GuardianStatus | None:
        """Return the guardian's status, None while none of ours answers."""
        try:
            said = bus.find(self.home, bus.GUARDIAN)
            if said is None or self.guardian is None or said.pid != self.guardian.pid:
                return None
            return self.ask(Status())
        except MiaError:
            return None

    def ask(self, message: Any) -> Any:
        with bus.guardian(self.home) as client:
            return client.ask(message, 1.0)

    def until(self, true: Callable[[], Any], seconds: float) -> float:
        """Wait until `true`, beating; return the seconds it took.

        Raises
        ------
        OutsideError
            If it does not become true in time.
        """
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                log = (
                    (self.home / "guardian.log").read_text() if (self.home / "guardian.log").exists() else ""
                )
                raise OutsideError(
                    f"not within {seconds:g} s; last status {self.status()}; guardian said: {log}"
                )
            self.beat()
            time.sleep(0.01)
        return time.monotonic() - began

    def beat(self) -> None:
        if self.link is not None:
            self.link.beat(0)
            self.link.wait(0.0)
            self.link.reports()

    def venue(self, verb: str = "status", **arguments: Any) -> dict[str, Any]:
        return ask_gateway(self.control, verb, **arguments)

    def arm(self) -> None:
        def tried() -> bool:
            self.ask(Acknowledge(0))
            answer = self.ask(Arm("ARM PAPER", self.account))
            return not isinstance(answer, Refused) and not isinstance(self.ask(Confirm(answer.code)), Refused)

        self.until(tried, RECOVER_S)
        self.until(lambda: self.link is not None and self.link.armed, 5.0)

    def enter(self) -> None:
        """Buy one MES at market with its bracket, unless something is open."""
        status = self.status()
        if status is None or status.position or status.ask is None or self.link is None:
            return
        entry = round(status.ask / TICK) + 2
        self.wishes += 1
        self.link.submit((_bracket(status.ts + self.wishes, entry),))
        self.until(lambda: (s := self.status()) and s.position and s.protective_stop != "absent", 20.0)

    def agrees(self) -> bool:
        """Whether position and number of working orders equal the venue's."""
        status, venue = self.status(), self.venue()
        if status is None or not status.reconciled or not status.connected:
            return False
        held = sum(q * (0.1 if name.startswith("MES") else 1.0) for name, q in venue["positions"].items())
        return (
            abs((status.position or 0.0) - held) < 1e-9 and status.working_orders == venue["orders"]["living"]
        )

    def close(self) -> None:
        """End the two processes this drill started."""
        if self.link is not None:
            self.link.close()
        for process in (self.guardian, self.gateway):
            if process is not None:
                process.kill()
                process.wait(10)


FAULTS: dict[str, tuple[Callable[[Stage], object], Callable[[Stage], object]]] = {
    "link lost, data kept": (lambda s: s.venue("drop-link", data_lost=False), lambda s: s.venue("restore")),
    "link lost, data lost": (lambda s: s.venue("drop-link", data_lost=True), lambda s: s.venue("restore")),
    "half-open connection": (lambda s: s.venue("half-open"), lambda s: None),
    "gateway restart, ids fall back": (
        lambda s: s.venue("restart", down_s=1.0, id_rollback=True, stale_326_s=2.0),
        lambda s: None,
    ),
}


def rehearse(stage: Stage) -> dict[str, Any]:
    """Take the stage through every fault; return what was measured."""
    stage.until(lambda: _answers(stage), START_S)
    stage.start_guardian()
    stage.greet()
    stage.arm()
    rows = [_fault(stage, name, *how) for name, how in FAULTS.items()]
    rows += [_silent(stage), _killed(stage)]
    stage.enter()
    began = time.monotonic()
    stage.ask(Halt("drill"))
    stage.until(lambda: not stage.venue()["positions"] and not stage.venue()["orders"]["living"], 10.0)
    flat = time.monotonic() - began
    stage.until(stage.agrees, RECOVER_S)
    status, venue = stage.status(), stage.venue()
    net = None if status is None else status.day_net_usd
    theirs = round(venue["equity_usd"] - EQUITY_USD, 2)
    same = net is not None and abs(net - theirs) < 0.005
    return {
        "ok": same and all(row.agrees for row in rows),
        "faults": rows,
        "flat_s": flat,
        "net_usd": net,
        "venue_net_usd": theirs,
        "executions": venue["orders"]["executions"],
    }


def _fault(stage: Stage, name: str, do: Callable[[Stage], object], heal: Callable[[Stage], object]) -> Row:
    stage.enter()
    began = time.monotonic()
    do(stage)
    detected = stage.until(lambda: (s := stage.status()) and not s.armed, FAULT_S)
    time.sleep(0.5)
    healed = time.monotonic()
    heal(stage)
    return _after(stage, name, detected, healed if heal is not None else began)


def _silent(stage: Stage) -> Row:
    """Say nothing for a second and a half, as a hung engine does."""
    stage.enter()
    began = time.monotonic()
    while (status := stage.status()) is not None and status.armed:
        if time.monotonic() - began > FAULT_S:
            raise OutsideError("a silent engine was not noticed")
        time.sleep(0.01)
    detected = time.monotonic() - began
    return _after(stage, "engine silent", detected, time.monotonic())


def _killed(stage: Stage) -> Row:
    stage.enter()
    if stage.guardian is None:
        raise OutsideError("no guardian was started")
    stage.guardian.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    stage.guardian.wait(10)
    began = time.monotonic()
    stage.start_guardian()
    stage.greet()
    return _after(stage, "guardian killed", None, began)


def _after(stage: Stage, name: str, detected: float | None, since: float) -> Row:
    """Wait until all is equal again, arm again, and say how long it took."""
    stage.until(stage.agrees, RECOVER_S)
    recovered = time.monotonic() - since
    bare = 0.0
    while (status := stage.status()) is not None and status.protective_stop == "absent":
        bare = time.monotonic() - since
        if bare > 5.0:
            break
        stage.beat()
    status, agrees = stage.status(), stage.agrees()
    stage.arm()
    position = 0.0 if status is None or status.position is None else status.position
    orders = 0 if status is None or status.working_orders is None else status.working_orders
    return Row(name, detected, recovered, position, orders, agrees and bare <= 1.0, bare)


def _answers(stage: Stage) -> bool:
    if stage.gateway.poll() is not None:
        raise OutsideError(f"the gateway ended: {(stage.home / 'gateway.log').read_text()}")
    try:
        return bool(stage.venue())
    except MiaError:
        return False


def _bracket(ts: int, entry: int) -> PlaceBracket:
    name = f"mia-{ts}"

    def order(role: Role, side: int, kind: OrderType, limit: int | None, stop_ticks: int | None) -> Order:
        return Order(
            f"{name}-{role.value}", name, role, "MES", side, 1, kind, ts, limit, stop_ticks,
            ts + 20_000_000_000 if role is Role.ENTRY else None,
        )  # fmt: skip

    return PlaceBracket(
        ts,
        name,
        order(Role.ENTRY, 1, OrderType.LIMIT, entry, None),
        order(Role.STOP, -1, OrderType.STOP, None, entry - STOP_TICKS),
        order(Role.TARGET, -1, OrderType.LIMIT, entry + TARGET_TICKS, None),
        grade=1,
        confluence_percent=0.0,
        risk_cents=STOP_TICKS * 125,
    )


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _s(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f} s"
