"""Carry messages between our processes: ZeroMQ on loopback, encrypted and known to each other by key.

How it moves: the guardian binds a ROUTER for control and one for the engine, the engine a PUB for frames,
all on ports the system gives; what was bound is announced in `MIA_HOME/run/<name>.json`. Peers prove
themselves with CURVE keys of `MIA_HOME/run/bus.keys` (0600); an unknown key never gets a byte through.
Nothing here blocks longer than it was told to. A question without an answer is *unknown*, never "no", and
is never asked again by itself.

A socket belongs to the thread that made it. Without `zmq.has("curve")` the bus refuses to start.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq
from zmq.auth.thread import ThreadAuthenticator

from mia_kernel.adapters.messages import MOST_BYTES, Message, pack, unpack
from mia_kernel.adapters.peers import Announcement, Keys, announce, expect, find, load_keys, withdraw
from mia_kernel.core.errors import DataError, OutsideError

__all__ = [
    "DESK",
    "ENGINE",
    "GUARDIAN",
    "Announcement",
    "Client",
    "Keys",
    "Server",
    "Viewer",
    "announce",
    "expect",
    "find",
    "guardian",
    "load_keys",
    "withdraw",
]

LOOPBACK = "127.0.0.1"
GUARDIAN, ENGINE, DESK = "guardian", "engine", "desk"
FRAME = b"frame"
FRAMES_WAITING = 8
"""Frames kept for a slow viewer; more are dropped for that viewer only."""
REQUESTS_WAITING = 1000
ASK_S = 2.0


class Server:
    """Bind encrypted sockets and answer. One context and one authenticator of its own.

    Parameters
    ----------
    keys : Keys
    routers : tuple of str
        Names of request sockets; each gets a port of its own in `ports`.
    publish : bool
        Whether to bind a PUB socket for frames (port `frames`).
    """

    def __init__(self, keys: Keys, routers: tuple[str, ...], *, publish: bool = False) -> None:
        self._context = zmq.Context()
        self._guard = ThreadAuthenticator(self._context)
        self._guard.start()
        self._guard.configure_curve_callback("*", credentials_provider=_Known(keys.client_public))
        self._keys = keys
        self._sockets: dict[str, Any] = {}
        self.ports: dict[str, int] = {}
        self.refused = 0
        self._poller = zmq.Poller()
        try:
            for name in routers:
                self._bind(name, zmq.ROUTER)
                self._poller.register(self._sockets[name], zmq.POLLIN)
            if publish:
                self._bind("frames", zmq.PUB)
        except BaseException:
            self.close()
            raise

    def _bind(self, name: str, kind: int) -> None:
        socket = self._context.socket(kind)
        self._sockets[name] = socket
        socket.linger = 0
        socket.sndhwm = FRAMES_WAITING if kind == zmq.PUB else REQUESTS_WAITING
        socket.rcvhwm = REQUESTS_WAITING
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.MAXMSGSIZE, 2 * MOST_BYTES)
        socket.curve_server = True
        socket.curve_publickey = self._keys.server_public.encode()
        socket.curve_secretkey = self._keys.server_secret.encode()
        self.ports[name] = socket.bind_to_random_port(f"tcp://{LOOPBACK}")

    def watch(self, descriptor: int) -> None:
        """Let `poll` return as well when this file descriptor can be read."""
        self._poller.register(descriptor, zmq.POLLIN)

    def poll(self, timeout_s: float) -> Iterator[tuple[str, bytes, bytes, Any]]:
        """Yield (socket name, peer, request id, message) of what has come, waiting at most `timeout_s`.

        What is no message of this protocol is counted in `refused` and dropped.
        """
        ready = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        for name, socket in self._sockets.items():
            if socket not in ready:
                continue
            for _ in range(REQUESTS_WAITING):
                try:
                    parts = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                message = self._read(parts)
                if message is not None:
                    yield name, parts[0], parts[1], message

    def _read(self, parts: list[bytes]) -> Any | None:
        if len(parts) != 3:
            self.refused += 1
            return None
        try:
            return unpack(parts[2])
        except DataError:
            self.refused += 1
            return None

    def say(self, name: str, peer: bytes, request: bytes, message: Message) -> bool:
        """Answer a request (or push, with an empty request id); False if the peer's box is full."""
        try:
            self._sockets[name].send_multipart([peer, request, pack(message)], zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def publish(self, payload: bytes, topic: bytes = FRAME) -> None:
        """Hand a frame to whoever looks; never waits, a slow viewer loses frames."""
        with contextlib.suppress(zmq.Again):
            self._sockets["frames"].send_multipart([topic, payload], zmq.NOBLOCK)

    def close(self) -> None:
        """Close everything; safe to repeat."""
        for socket in self._sockets.values():
            socket.close(0)
        self._sockets.clear()
        if not self._context.closed:
            self._guard.stop()
            self._context.destroy(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Known:
    """Let in whoever proves the one client key of this MIA_HOME."""

    def __init__(self, client_public: str) -> None:
        self._key = client_public.encode()

    def callback(self, domain: str, key: bytes) -> bool:
        return secrets.compare_digest(key, self._key)


class Client:
    """Connect to one socket of a server: ask, send, and take what is pushed.

    Parameters
    ----------
    keys : Keys
    port : int
    """

    def __init__(self, keys: Keys, port: int) -> None:
        self._context = zmq.Context()
        self._socket: Any = _connect(self._context, zmq.DEALER, keys, port)
        self._pushed: list[Any] = []

    def ask(self, message: Message, timeout_s: float = ASK_S) -> Any:
        """Send a question and return its answer.

        Raises
        ------
        OutsideError
            If no answer came in time. The question may still have been heard: the outcome is unknown.
        DataError
            If the other side could not read the question: it would drop it without a word. Nothing was sent.
        """
        unpack(pack(message))
        request = secrets.token_bytes(8)
        self._send(request, message)
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            got = self._receive(left)
            self._pushed += [said for about, said in got if not about]
            for about, answer in got:
                if about == request:
                    return answer
        raise OutsideError(
            f"no answer to {type(message).__name__} within {timeout_s:g} s; its outcome is unknown; "
            "way out: `mia status`"
        )

    def post(self, message: Message) -> bytes:
        """Send a question without waiting; return its number, by which `collect` knows the answer."""
        request = secrets.token_bytes(8)
        self._send(request, message)
        return request

    def collect(self, timeout_s: float) -> list[tuple[bytes, Any]]:
        """Return (number, message) of answers and, with an empty number, of what was pushed."""
        waiting, self._pushed = [(b"", said) for said in self._pushed], []
        return waiting + self._receive(0.0 if waiting else timeout_s)

    def send(self, message: Message) -> None:
        """Send without expecting an answer; raises OutsideError if nothing more fits on the way."""
        self._send(b"", message)

    def pushed(self, timeout_s: float = 0.0) -> list[Any]:
        """Return what the server pushed since the last call, waiting at most `timeout_s` for the first."""
        if not self._pushed:
            self._pushed += [said for about, said in self._receive(timeout_s) if not about]
        taken, self._pushed = self._pushed, []
        return taken

    def _send(self, request: bytes, message: Message) -> None:
        try:
            self._socket.send_multipart([request, pack(message)], zmq.NOBLOCK)
        except zmq.Again:
            raise OutsideError("nothing more fits on the way; way out: restart the other side") from None

    def _receive(self, timeout_s: float) -> list[tuple[bytes, Any]]:
        got: list[tuple[bytes, Any]] = []
        if not self._socket.poll(max(0, round(timeout_s * 1000))):
            return got
        with contextlib.suppress(zmq.Again):
            while len(got) < REQUESTS_WAITING:
                about, data = self._socket.recv_multipart(zmq.NOBLOCK)
                got.append((about, unpack(data)))
        return got

    def close(self) -> None:
        """Close; safe to repeat."""
        self._context.destroy(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Viewer:
    """Subscribe to the frames of an engine; only the newest matters, so few are kept."""

    def __init__(self, keys: Keys, port: int) -> None:
        self._context = zmq.Context()
        self._socket: Any = _connect(self._context, zmq.SUB, keys, port)
        self._socket.setsockopt(zmq.SUBSCRIBE, FRAME)

    def frame(self, timeout_s: float) -> bytes | None:
        """Return the newest frame that has come, waiting at most `timeout_s`; None where none came."""
        newest: bytes | None = None
        if self._socket.poll(max(0, round(timeout_s * 1000))):
            with contextlib.suppress(zmq.Again):
                while True:
                    newest = self._socket.recv_multipart(zmq.NOBLOCK)[1]
        return newest

    def close(self) -> None:
        """Close; safe to repeat."""
        self._context.destroy(0)


def _connect(context: Any, kind: int, keys: Keys, port: int) -> Any:
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = REQUESTS_WAITING
    socket.rcvhwm = FRAMES_WAITING if kind == zmq.SUB else REQUESTS_WAITING
    socket.curve_serverkey = keys.server_public.encode()
    socket.curve_publickey = keys.client_public.encode()
    socket.curve_secretkey = keys.client_secret.encode()
    socket.connect(f"tcp://{LOOPBACK}:{port}")
    return socket


def guardian(home: Path) -> Client:
    """Return a client of the guardian's control socket; OutsideError where no guardian runs."""
    said = expect(home, GUARDIAN)
    return Client(load_keys(home), said.ports["control"])
