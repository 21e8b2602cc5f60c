"""A loopback TCP proxy that misbehaves: drops, goes half-open, delays, slows, splits, adds garbage to what passes.

`FaultProxy(target_port)` stands between a client and the gateway. Both directions can be told apart: `UP` is
from the client to the gateway. `drop` may wait for a number of bytes, so that a connection dies inside a
message. Every connection made while a fault is set suffers it too. `hold` and `strand` reorder across connections:
what a client had sent on a connection it lost arrives when its next one has long asked and been answered.
`ProxyThread` is one in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

UP, DOWN = "up", "down"
_CHUNK = 1 << 16
_SLOW_CHUNK = 50


@dataclass(eq=False)
class _Link:
    """One proxied connection."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[str, int] = field(default_factory=lambda: {UP: 0, DOWN: 0})
    held: bytearray = field(default_factory=bytearray)
    stranded: bool = False


class FaultProxy:
    """What passes, and what is wrong with it."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.silent = {UP: False, DOWN: False}
        self.delay_s = {UP: 0.0, DOWN: 0.0}
        self.split: int | None = None
        self.refusing = False
        self.bytes_per_s: float | None = None
        self.garbage = b""
        self._drop_after: dict[str, int | None] = {UP: None, DOWN: None}
        self._holding = False

    async def open(self) -> None:
        """Listen on a port of the system's choice."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- faults ------------------------------------------------------------------------------------

    def drop(self, *, after_bytes: int | None = None, direction: str = UP) -> None:
        """Reset every connection: at once, or once so many more bytes have passed in a direction."""
        if after_bytes is not None:
            self._drop_after[direction] = after_bytes
            return
        for link in tuple(self._links):
            for writer in (link.client, link.server):
                writer.transport.abort()

    def half_open(self, *, up: bool = True, down: bool = True) -> None:
        """Swallow what is sent, and leave the connections open."""
        self.silent = {UP: up, DOWN: down}

    def hold(self) -> None:
        """Keep what the clients send from now on, until `strand`."""
        self._holding = True

    def holds(self, text: bytes) -> bool:
        """Whether this has been kept."""
        return any(text in link.held for link in self._links)

    def strand(self, seconds: float) -> None:
        """Reset the clients; what they had sent arrives after so long on their old connections, which then end."""
        self._holding = False
        for link in tuple(self._links):
            link.stranded = True
            link.client.transport.abort()
            self._keep(asyncio.create_task(self._deliver(link, seconds)))

    def heal(self) -> None:
        """Let everything pass again, unhurt."""
        self.silent = {UP: False, DOWN: False}
        self.delay_s = {UP: 0.0, DOWN: 0.0}
        self.split, self.refusing = None, False
        self.bytes_per_s, self.garbage = None, b""
        self._drop_after = {UP: None, DOWN: None}

    # -- what passes -------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        link = _Link(writer, far_writer)
        self._links.add(link)
        self._keep(asyncio.create_task(self._pump(link, reader, far_writer, UP)))
        self._keep(asyncio.create_task(self._pump(link, far_reader, writer, DOWN)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, link: _Link, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(ConnectionError, OSError):
            link.server.write(bytes(link.held))
            await link.server.drain()
            await asyncio.sleep(0.3)
        link.server.transport.abort()

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str
    ) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await source.read(_CHUNK):
                if self.delay_s[way]:
                    await asyncio.sleep(self.delay_s[way])
                if self.silent[way]:
                    continue
                if way == UP and self._holding:
                    link.held += data
                    continue
                if way == DOWN and self.garbage:
                    data, self.garbage = self.garbage + data, b""
                data, dying = self._cut(way, data)
                for piece in self._pieces(data):
                    sink.write(piece)
                    await sink.drain()
                    if self.bytes_per_s is not None:
                        await asyncio.sleep(len(piece) / self.bytes_per_s)
                    elif self.split is not None:
                        await asyncio.sleep(0)
                link.passed[way] += len(data)
                if dying:
                    self.drop()
                    break
        self._links.discard(link)
        if not link.stranded:
            sink.close()

    def _cut(self, way: str, data: bytes) -> tuple[bytes, bool]:
        left = self._drop_after[way]
        if left is None:
            return data, False
        if len(data) < left:
            self._drop_after[way] = left - len(data)
            return data, False
        self._drop_after[way] = None
        return data[:left], True

    def _pieces(self, data: bytes) -> list[bytes]:
        size = self.split or (_SLOW_CHUNK if self.bytes_per_s is not None else len(data))
        return [data[at : at + size] for at in range(0, len(data), size)] if data else []


@asynccontextmanager
async def proxied(target_port: int) -> AsyncIterator[FaultProxy]:
    """A proxy in front of a port; gone at the end of the block."""
    proxy = FaultProxy(target_port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()


class ProxyThread:
    """A fault proxy in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.proxy = FaultProxy(port)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.proxy.open(), self.loop).result(5.0)

    def do(self, work: Callable[[FaultProxy], Any]) -> None:
        """Let the proxy do something in its own thread, and wait until it has."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (work(self.proxy), done.set()))
        assert done.wait(5.0)

    def close(self) -> None:
        """End proxy and thread."""
        asyncio.run_coroutine_threadsafe(self.proxy.close(), self.loop).result(5.0)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5.0)
        self.loop.close()
