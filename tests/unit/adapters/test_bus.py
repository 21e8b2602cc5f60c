"""The bus: known peers talk, strangers do not, nothing blocks, nothing is guessed."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from mia_kernel.adapters import bus, messages
from mia_kernel.core.errors import DataError, OutsideError, SettingsError
from mia_kernel.core.orders import (
    CancelEntry,
    ClosePosition,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    PlaceBracket,
    ReplaceStop,
    Role,
)

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def _bracket() -> PlaceBracket:
    def order(role: Role, side: int, kind: OrderType, limit: int | None, stop: int | None) -> Order:
        return Order(f"b1-{role.value}", "b1", role, "ES", side, 2, kind, 5, limit, stop, 9, 22_600.5)

    return PlaceBracket(
        5,
        "b1",
        order(Role.ENTRY, 1, OrderType.LIMIT, 22_600, None),
        order(Role.STOP, -1, OrderType.STOP, None, 22_592),
        order(Role.TARGET, -1, OrderType.LIMIT, 22_616, None),
        3,
        0.31,
        23_400,
    )


def _answering(server: bus.Server, seconds: float = 3.0) -> threading.Thread:
    def serve() -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, peer, request, message in server.poll(0.05):
                if isinstance(message, messages.Status):
                    server.say(name, peer, request, messages.Refused("test", "answered"))
                    server.say(name, peer, b"", messages.State("reducing", False, "pushed"))
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_question_is_answered_and_pushes_wait(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    with (
        bus.Server(keys, ("control", "engine")) as server,
        bus.Client(keys, server.ports["control"]) as client,
    ):
        thread = _answering(server)
        assert client.ask(messages.Status()) == messages.Refused("test", "answered")
        thread.join()
        assert client.pushed(1.0) == [messages.State("reducing", False, "pushed")]
        assert client.pushed() == []


def test_no_answer_is_unknown_and_comes_in_time(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    with bus.Server(keys, ("control",)) as server, bus.Client(keys, server.ports["control"]) as client:
        began = time.monotonic()
        with pytest.raises(OutsideError, match="unknown"):
            client.ask(messages.Halt("test"), timeout_s=0.2)
        assert time.monotonic() - began < 0.5


def test_a_stranger_gets_nothing_through(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    public, secret = (text.decode() for text in zmq.curve_keypair())
    stranger = bus.Keys(keys.server_public, keys.server_secret, public, secret)
    with bus.Server(keys, ("control",)) as server, bus.Client(stranger, server.ports["control"]) as client:
        client.send(messages.Halt("stranger"))
        assert list(server.poll(0.4)) == []
        with zmq.Context() as plain, plain.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(f"tcp://127.0.0.1:{server.ports['control']}")
            socket.send_multipart([b"", messages.pack(messages.Halt("plain"))])
            assert list(server.poll(0.4)) == []


def test_keys_are_private_and_made_once(tmp_path: Path) -> None:
    made = bus.load_keys(tmp_path)
    path = tmp_path / "run" / "bus.keys"
    assert bus.load_keys(tmp_path) == made
    assert made.server_secret not in repr(made)
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        with pytest.raises(SettingsError, match="0600"):
            bus.load_keys(tmp_path)
        path.chmod(0o600)
    path.write_text('{"server_public": "x"}')
    with pytest.raises(SettingsError, match="not a key file"):
        bus.load_keys(tmp_path)


def test_frames_reach_a_viewer_newest_first_and_never_block(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    with bus.Server(keys, (), publish=True) as server:
        viewer = bus.Viewer(keys, server.ports["frames"])
        got, until = None, time.monotonic() + 3.0
        while got is None and time.monotonic() < until:
            server.publish(b"one")
            got = viewer.frame(0.05)
        assert got == b"one"
        began = time.monotonic()
        for _ in range(5_000):
            server.publish(b"x" * 20_000)
        assert time.monotonic() - began < 2.0
        viewer.close()


def test_announcements_say_where_and_are_taken_back(tmp_path: Path) -> None:
    assert bus.find(tmp_path, bus.GUARDIAN) is None
    with pytest.raises(OutsideError, match="no guardian runs"):
        bus.expect(tmp_path, bus.GUARDIAN)
    said = bus.announce(tmp_path, bus.GUARDIAN, {"control": 5}, "b")
    assert bus.expect(tmp_path, bus.GUARDIAN) == said
    assert said.pid == os.getpid()
    bus.withdraw(tmp_path, bus.GUARDIAN)
    assert bus.find(tmp_path, bus.GUARDIAN) is None
    (tmp_path / "run" / "guardian.json").write_text("{}")
    with pytest.raises(SettingsError, match="not an announcement"):
        bus.find(tmp_path, bus.GUARDIAN)


def test_commands_and_reports_come_back_as_they_went() -> None:
    commands = (
        _bracket(),
        ReplaceStop(6, "b1", 22_595, "trail"),
        CancelEntry(7, "b1", "x"),
        ClosePosition(8, "b1", "y"),
    )
    assert messages.commands_of(messages.command_bytes(commands)) == commands
    report = OrderReport(
        1, 2, 3, "b1-entry", "b1", Role.ENTRY, "ES", 1, OrderStatus.FILLED, 2, 2, 2, 22_600.0, 450, "x.01"
    )
    assert messages.report_of(messages.report_bytes(report)) == report


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "Launch"}),
        msgspec.msgpack.encode({"type": "Arm", "phrase": 1, "account": "x"}),
        msgspec.msgpack.encode({"type": "Halt", "reason": "x", "and": 1}),
        msgspec.msgpack.encode({"type": "Halt", "reason": "x" * 501}),
        b"\x91" * 60_000,
        b"x" * (messages.MOST_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused(bad: bytes) -> None:
    with pytest.raises(DataError):
        messages.unpack(bad)


@given(st.binary(max_size=200))
def test_random_bytes_never_do_more_than_be_refused(data: bytes) -> None:
    for read in (messages.unpack, messages.commands_of, messages.report_of):
        try:
            read(data)
        except DataError:
            continue


def test_garbage_on_the_wire_is_counted_and_the_server_goes_on(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    with bus.Server(keys, ("control",)) as server, bus.Client(keys, server.ports["control"]) as client:
        client._socket.send_multipart([b"id", b"\xc1garbage"])
        client._socket.send_multipart([b"lonely"])
        client.send(messages.Status())
        until, got = time.monotonic() + 2.0, []
        while not got and time.monotonic() < until:
            got += list(server.poll(0.1))
        assert [m for *_, m in got] == [messages.Status()]
        assert server.refused == 2


@pytest.mark.parametrize("kind", [messages.Halt, messages.Disarm])
def test_what_closes_is_heard_whatever_its_reason(kind: type, tmp_path: Path) -> None:
    """A reason of 3,000 characters was dropped by the other side without a word, and with it the kill switch."""
    message = kind("why " * 750)
    assert messages.unpack(messages.pack(message)) == message
    assert message.reason == ("why " * 750)[: messages.MOST_TEXT]


def test_a_question_the_other_side_could_not_read_is_refused_here(tmp_path: Path) -> None:
    keys = bus.load_keys(tmp_path)
    with bus.Server(keys, ("control",)) as server, bus.Client(keys, server.ports["control"]) as client:
        with pytest.raises(DataError):
            client.ask(messages.Resume("x" * 501), 0.2)
        assert list(server.poll(0.2)) == []
        assert server.refused == 0
