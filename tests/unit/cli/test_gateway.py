"""`mia gateway ctl` against a gateway in another thread: what it prints and how it ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from mia_kernel.cli import main
from tests.fakes.gateway_market import running

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def control_port() -> Iterator[int]:
    ports: list[int] = []
    up, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running() as (_, control):
            ports.append(control.port)
            up.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert up.wait(60)
    yield ports[0]
    stop.set()
    thread.join(10)


def ctl(port: int, *words: str) -> int:
    return main(["gateway", "ctl", "--control-port", str(port), *words])


def test_status_tells_clock_and_speed_and_ends_with_one_while_something_is_wrong(
    control_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(control_port, "status", "--json", "-") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["clock"]["speed"] == 1.0
    assert told["clock"]["offset_s"] < 0  # the source lies in the past
    assert told["source"]["tag"] == "synthetic"
    assert ctl(control_port, "drop-link") == 0
    assert ctl(control_port, "status") == 1
    assert "link_down" in capsys.readouterr().out
    assert ctl(control_port, "restore") == 0
    assert ctl(control_port, "status") == 0


@pytest.mark.parametrize(
    "words",
    [
        ("halt",), ("resume",), ("delay", "5"), ("delay", "0"), ("flap-farm", "--down-s", "0"), ("half-open",),
        ("reject-next", "201"), ("manual", "BUY", "1", "--limit", "1000"), ("reset-depth",),
        ("restart", "--down-s", "0", "--id-rollback", "--stale-326-s", "0"),
    ],
)  # fmt: skip
def test_every_verb_answers_with_one_line_of_json(
    control_port: int, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(control_port, *words) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_wrong_verbs_values_and_ports_say_so(control_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(control_port, "explode") == 2
    assert ctl(control_port, "reject-next", "7") == 2
    assert ctl(control_port, "correct", "5000.1") == 2
    assert ctl(1, "status") == 3
    assert "start one: mia gateway" in capsys.readouterr().err


def test_a_start_outside_the_source_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "--source", "nowhere.zip"]) in (2, 3)
    assert main(["gateway", "--speed", "0"]) == 2


def test_a_start_that_is_no_time_is_refused_before_the_source_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mia_kernel.cli.gateway.open_recording", lambda *_, **__: pytest.fail("it was read"))
    assert main(["gateway", "--source", "synthetic:3", "--from", "yesterday"]) == 2
    assert "not an instant" in capsys.readouterr().err
