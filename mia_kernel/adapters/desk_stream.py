"""Send frames and the guardian's word to one browser page, no faster than it takes them.

How it moves: a page answers with how many messages it has drawn. Between here and its script lie a proxy and the
browser's own queue, and neither loses anything: without an answer a page that is slow for a minute would show the
market, and whether entries are allowed, of a minute ago as if it were now. So only a few messages are on their way at a
time; what comes meanwhile is passed over, and the next one is the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from starlette.websockets import WebSocket, WebSocketDisconnect

from mia_kernel.adapters.desk_link import DeskLink

STATUS_S = 0.5
ON_THEIR_WAY = 2
"""Messages a page may still have to draw: two frames, or a frame and a status."""


class Fresh:
    """Wake everybody who waits when something has come; from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def bind(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Something has come."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        """Wait until something comes, at most `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)


class Owed:
    """Count what was sent to one page and what it says it has drawn.

    A page that never answers (one saved by an older version) is not held back.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._taken: int | None = None
        self._room = asyncio.Event()

    @property
    def full(self) -> bool:
        """Return whether nothing more may be sent before an answer comes."""
        return self._taken is not None and self.sent - self._taken >= ON_THEIR_WAY

    def hear(self, answer: str) -> None:
        """Take an answer: how many messages the page has taken so far; anything else is no answer."""
        if answer.isascii() and answer.isdigit():
            self._taken = min(int(answer), self.sent)
            self._room.set()

    async def room(self, timeout_s: float) -> None:
        """Wait for the next answer, at most `timeout_s`."""
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), timeout_s)


async def stream(page: WebSocket, link: DeskLink, fresh: Fresh) -> None:
    """Send the newest frame and, twice a second, the guardian's word to a page until it is gone."""
    await page.accept()
    owed = Owed()
    reader = asyncio.create_task(_hear(page, owed))
    shown, said = 0, 0.0
    loop = asyncio.get_running_loop()
    try:
        while not reader.done():
            if owed.full:
                await owed.room(STATUS_S)
                continue
            if loop.time() - said >= STATUS_S:
                said = loop.time()
                owed.sent += 1
                await page.send_text(json.dumps(link.standing()))
            packed, number = link.packed, link.frames
            if packed is not None and number != shown:
                shown = number
                owed.sent += 1
                await page.send_bytes(packed)
            await fresh.wait(STATUS_S)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page went away while something was on its way to it
    finally:
        reader.cancel()


async def _hear(page: WebSocket, owed: Owed) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            owed.hear(await page.receive_text())
