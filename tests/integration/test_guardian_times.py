"""R6, R12, R13 on real processes: how long it takes from a breach to flat, and every way to the kill switch."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mia_kernel import cli
from mia_kernel.adapters.http import DeskServer
from mia_kernel.adapters.messages import Acknowledge, Disarm, Halt, Resume
from mia_kernel.desk.attached import Desk
from tests.fakes import venue_process
from tests.fakes.processes import GENEROUS, Stage
from tests.fakes.quiet_engine import Engine, close_links

pytestmark = [pytest.mark.integration, pytest.mark.safety, pytest.mark.performance]
MID = 18_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    law = {**GENEROUS, "max_orders_per_second": 5}
    stage = Stage(tmp_path_factory.mktemp("times") / "home", 11, **law)
    stage.start_guardian()
    yield stage
    stage.close()


@pytest.fixture(autouse=True)
def _links_closed() -> Iterator[None]:
    yield
    close_links()


def _calm(stage: Stage) -> None:
    stage.set("frozen", False)
    stage.set("quoting", True)
    venue_process.ask(stage.line, "move", MID)


def _held(stage: Stage) -> int:
    return sum(abs(q) for q in stage.ledger()["positions"].values())


def _fresh(stage: Stage) -> Engine:
    _calm(stage)
    engine = Engine(stage)
    status = stage.status()
    if status is not None and status.trading_state == "halted":
        (stage.home / "HALT").unlink(missing_ok=True)
        engine.until(lambda: _flat(stage), 10.0)
        stage.ask(Acknowledge(0))
        stage.ask(Resume("next test"))
    time.sleep(1.05)  # the order rate is per second
    engine.arm()
    return engine


def _flat(stage: Stage) -> bool:
    status = stage.status()
    return bool(status and status.position == 0 and status.working_orders == 0 and status.reconciled)


def _in_position(stage: Stage) -> Engine:
    engine = _fresh(stage)
    engine.enter(qty=1, entry=MID + 1, stop=8, target=60)
    engine.until(lambda: _held(stage) == 1)
    return engine


def test_stale_quotes_disarm_within_a_quarter_second(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = _fresh(stage)
    stage.set("quoting", False)
    stopped = time.monotonic()
    engine.until(lambda: not engine.link.armed, 6.0)
    late = time.monotonic() - stopped - 3.0
    with capsys.disabled():
        print(f"\nR6: disarmed {1000 * late:.0f} ms after the book was stale (3 s in RTH)")
    assert -0.1 <= late <= 0.25


def _over_http(stage: Stage) -> int:
    """Pull the switch as `curl` on the desk server would."""
    app = DeskServer(stage.home, "a-token").app
    headers = {"Authorization": "Bearer a-token", "X-MIA-Desk": "1"}

    async def post() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
            return (await client.post("/command/halt", headers=headers, json={"reason": "test"})).status_code

    return asyncio.run(post())


SWITCHES: dict[str, Callable[[Stage], object]] = {
    "bus": lambda stage: stage.ask(Halt("test")),
    "file": lambda stage: (stage.home / "HALT").touch(),
    "signal": lambda stage: os.kill(stage.guardian.pid, signal.SIGUSR1),
    "http": _over_http,
    "notebook": lambda stage: Desk(stage.home).halt("test"),
    "cli": lambda stage: cli.main(["halt", "--reason", "test"]),
}


@pytest.mark.parametrize("way", SWITCHES)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGUSR1")
def test_each_kill_switch_works_alone_with_the_engine_hung(
    stage: Stage, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIA_HOME", str(stage.home))
    _in_position(stage)  # and from here on the engine says nothing
    pulled = time.monotonic()
    SWITCHES[way](stage)
    while _held(stage) or stage.ledger()["working"]:
        assert time.monotonic() - pulled < 3.0, stage.ledger()
    took = time.monotonic() - pulled
    with capsys.disabled():
        print(f"\nR13: {way}: cancelled and flat after {1000 * took:.0f} ms")
    assert took < (6.0 if way == "cli" else 1.0)  # the command itself takes its time to load
    status = stage.until(lambda s: s.trading_state == "halted", 2.0)
    assert status.trading_state == "halted"
    (stage.home / "HALT").unlink(missing_ok=True)


def test_disarming_is_one_action(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    engine = _fresh(stage)
    engine.enter(qty=1, entry=MID - 9)
    engine.until(lambda: stage.ledger()["working"])
    began = time.monotonic()
    stage.ask(Disarm("test"))
    engine.until(lambda: not stage.ledger()["working"])
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\nS: disarm to entries withdrawn {1000 * took:.0f} ms")
    assert took < 0.5


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.long)])
def test_from_the_breaching_tick_to_flat(
    tmp_path: Path, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[tuple[float, float]] = []
    for number in range(times):
        stage = Stage(tmp_path / f"h{number}", number)
        try:
            stage.start_guardian()
            measured.append(_breach(stage))
        finally:
            stage.close()
    commands, flats = sorted(c for c, _ in measured), sorted(f for _, f in measured)
    with capsys.disabled():
        print(
            f"\nR12: breach to flatten command {1000 * commands[len(commands) // 2]:.0f} ms median, "
            f"{1000 * commands[-1]:.0f} ms worst; flat at the venue {1000 * flats[-1]:.0f} ms worst of {times}"
        )
    assert commands[len(commands) // 2] <= 0.1
    assert flats[-1] <= 1.0


def _said(stage: Stage) -> tuple[object, ...]:
    """Return what the guardian says of itself, and the last orders the venue received."""
    status = stage.status()
    told = None if status is None else (status.last_reason, status.reconciled, status.alerts[-4:])
    return told, stage.ledger()["received"][-4:]


def _breach(stage: Stage) -> tuple[float, float]:
    """Run the market through stop and daily limit; return seconds to the command and to flat at the venue."""
    engine = _in_position(stage)
    stage.set("frozen", True)
    before = len(stage.ledger()["received"])
    began = time.monotonic()
    venue_process.ask(stage.line, "move", MID - 42)
    while len(stage.ledger()["received"]) == before:
        assert time.monotonic() - began < 2.0, _said(stage)
    command = time.monotonic() - began
    sent = stage.ledger()["received"][before:]
    assert any(name == "Place" and refs[0].endswith("-exit") for _, name, refs in sent), sent
    stage.set("frozen", False)
    while _held(stage):
        assert time.monotonic() - began < 3.0, stage.status()
    flat = time.monotonic() - began
    engine.until(lambda: _flat(stage))
    status = stage.status()
    assert status is not None
    assert status.halt_code == "daily_loss"
    return command, flat
