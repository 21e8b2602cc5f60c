"""`mia doctor` tries the client ids at the gateway: free, in use, or nobody answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mia_kernel.adapters.ibkr_broker import open_socket
from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_probe import try_ids
from mia_kernel.cli.doctor_services import services
from mia_kernel.settings import load
from tests.fakes.live_gateway import LiveGateway, morning

pytestmark = [pytest.mark.integration, pytest.mark.safety]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    with LiveGateway(*morning(scale=0.02)) as running:
        yield running


def lights(port: int) -> dict[str, tuple[str, str]]:
    settings = load(arguments={"ibkr.port": port, "ibkr.spare_ids": 2}).settings
    return {f.name: (f.level, f.text) for f in services(settings)}


def test_free_ids_are_green_and_one_that_somebody_has_is_amber(gateway: LiveGateway, mia_home: Path) -> None:
    level, text = lights(gateway.port)["client ids"]
    assert level == "green"
    assert text == "999 free, 998 free, 997 free, 996 free"
    other = open_socket("gateway", "127.0.0.1", gateway.port)
    try:
        level, text = lights(gateway.port)["client ids"]
        assert (level, "999 in use" in text, "998 free" in text) == ("amber", True, True)
        assert other.connected  # being tried costs nobody his session
    finally:
        other.close()


def test_a_port_that_takes_calls_and_says_nothing_is_red(mia_home: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        found = lights(port)
    assert found["gateway"][0] == "green"
    assert found["client ids"][0] == "red"
    assert "greets nobody" in found["client ids"][1]


def test_a_port_for_real_money_is_not_greeted(mia_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = threading.Event()
    monkeypatch.setattr("mia_kernel.adapters.ibkr_probe.IbkrSession.start", lambda self: called.set())
    monkeypatch.setattr("socket.create_connection", lambda *_: _Shut())
    level, text = lights(4001)["client ids"]
    assert level == "amber"
    assert "a port for real money" in text
    assert not called.is_set()


def test_every_id_is_told_within_its_time(gateway: LiveGateway) -> None:
    words = try_ids(Address("gateway", "127.0.0.1", gateway.port), (7, 8, 9))
    assert words == dict.fromkeys((7, 8, 9), "free")


class _Shut:
    def close(self) -> None:
        return
