"""Speak with one client: handshake, the start of its API, its messages in, ours out.

How it moves: greet → version → startApi → ready. Before it is ready only the handshake may be said. What is
written passes the faults: a delay, a half-open silence. A client that does not read is dropped rather than
let grow.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mia_kernel.gateway import messages
from mia_kernel.gateway.clock import stamp
from mia_kernel.gateway.faults import farm_notices
from mia_kernel.gateway.pacing import CLOSE, WARN, MessagePacing, RepeatPacing
from mia_kernel.gateway.params import MAX_SERVER_VERSION, MIN_SERVER_VERSION
from mia_kernel.gateway.wire import FrameDecoder, FrameError, fields_of, frame, message

if TYPE_CHECKING:
    from mia_kernel.gateway.server import Gateway
    from mia_kernel.gateway.subscriptions import Subscription

_GREETING = re.compile(rb"^v(\d{2,4})(?:\.\.(\d{2,4}))?(?: (.*))?\0?$")
_MOST_UNREAD_BYTES = 16 << 20
_START_API = "71"


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._pacing = MessagePacing(gateway.params.pacing)
        self.tick_pacing = RepeatPacing(gateway.params.pacing.tick_by_tick_same_s)
        self._queue_instead = False
        self._queue_free_s = 0.0
        self.version = 0
        self.client_id: int | None = None
        self.ready = False
        self.half_open = False
        self.market_data_type = 1
        self.subscriptions: dict[int, Subscription] = {}
        self.wants_positions = False
        self.wants_account = False
        self.auto_bind = False
        self.summaries: dict[int, tuple[str, ...]] = {}
        self.pnl: dict[int, int | None] = {}
        self.received = 0
        self.sent = 0

    # -- the socket --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._gateway.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what this client watched; its orders stay."""
        self._transport = None
        self._gateway.left(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a client that breaks the protocol is cut off."""
        if self.half_open:
            return
        try:
            payloads = self._decoder.feed(data)
            for payload in payloads:
                self._take(payload)
        except FrameError:
            self.close()

    def close(self, *, hard: bool = False) -> None:
        """End the connection; `hard` resets it and drops what is not sent yet."""
        if self._transport is not None:
            if hard:
                self._transport.abort()
            else:
                self._transport.close()

    @property
    def is_connected(self) -> bool:
        """Whether the socket is there."""
        return self._transport is not None

    # -- in ----------------------------------------------------------------------------------------

    def _take(self, payload: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if not self.version:
            self._greet(payload)
            return
        values = fields_of(payload)
        self.received += 1
        if not self.ready:
            if values[0] != _START_API or len(values) < 3 or not values[2].lstrip("-").isdigit():
                self.close()
                return
            self._start(int(values[2]))
            return
        now_s = time.monotonic()
        if self._queue_instead:
            wait_s = self._pacing.wait_s(now_s)
            if wait_s > 0 or now_s < self._queue_free_s:
                # A step apart: timers of one moment may fire in any order.
                self._queue_free_s = max(self._queue_free_s + 1e-6, now_s + wait_s)
                loop = asyncio.get_running_loop()
                loop.call_later(self._queue_free_s - now_s, self._gateway.handle, self, values)
                return
        else:
            verdict = self._pacing.message(now_s)
            if verdict == WARN:
                self.error(-1, 100, "Max rate of messages per second has been exceeded")
            elif verdict == CLOSE:
                self.error(-1, 100, "Max rate of messages per second has been exceeded")
                self.close()
                return
        self._gateway.handle(self, values)

    def _greet(self, payload: bytes) -> None:
        found = _GREETING.match(payload)
        if found is None:
            self.close()
            return
        low, high = int(found[1]), int(found[2] or found[1])
        version = min(high, MAX_SERVER_VERSION)
        if version < max(low, MIN_SERVER_VERSION):
            self.close()
            return
        self._queue_instead = b"+PACEAPI" in (found[3] or b"")
        self.version = version
        moment = stamp(self._gateway.clock.now_ns(), self._gateway.params.zone)
        # Alone in its segment: ibapi throws away what follows the answer to its greeting.
        self._write(frame(f"{version}\0{moment}\0".encode()))

    def _start(self, client_id: int) -> None:
        refusal = self._gateway.refuses(client_id)
        if refusal:
            self.error(-1, 326, refusal)
            self.close()
            return
        self.client_id, self.ready = client_id, True
        self._gateway.started(self)
        self.send([15, 1, self._gateway.params.account])
        self.send([9, 1, self._gateway.next_id(client_id)])
        for code, text in farm_notices(broken=self._gateway.faults.farm_down):
            self.error(-1, code, text)

    # -- out ---------------------------------------------------------------------------------------

    def send(self, values: Iterable[object]) -> None:
        """Write one message."""
        if self._transport is None or self.half_open:
            return
        data = message(values)
        self.sent += 1
        delay_ms = self._gateway.faults.delay_ms
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1e3, self._write, data)
        else:
            self._write(data)

    def error(self, request: int, code: int, text: str) -> None:
        """Write an error or notice."""
        self.send(messages.error(request, code, text, self.version))

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self.half_open:
            return
        if transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            self.close(hard=True)
            return
        transport.write(data)
