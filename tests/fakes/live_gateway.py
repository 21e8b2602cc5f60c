"""A simulated gateway in a thread of the test, with its control verbs callable from outside."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import Recording
from mia_kernel.gateway.control import Control
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway

NS = 1_000_000_000


def morning(seed: int = 3, scale: float = 0.2) -> tuple[Recording, int]:
    """A SYNTHETIC session and the instant one hour after its cash open."""
    whole = synthetic_recording(seed, warm_up=False, scale=scale)
    start = int(whole.events["ts_recv"][0]) + round(16.5 * 3600 * NS)
    return whole, start


class LiveGateway:
    """Runs until closed. `do("drop_link", data_lost=True)` calls a verb in its thread."""

    def __init__(self, recording: Recording, start_ns: int, **params: Any) -> None:
        self.gateway: Any = None
        self.control: Any = None
        self._params = GatewayParams(**{"port": 0, "control_port": 0, **params})
        self._recording, self._start_ns = recording, start_ns
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60.0)

    @property
    def port(self) -> int:
        return self.gateway.port

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self.gateway = Gateway(self._recording, self._start_ns, self._params)
        self.control = Control(self.gateway)
        await self.gateway.open()
        await self.control.open(0)
        self._task = asyncio.ensure_future(self.gateway.run())
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.control.close()
        await self.gateway.close()

    def do(self, verb: str, **arguments: Any) -> Any:
        return self.inside(lambda: self.control.verbs[verb](**arguments))

    def inside(self, work: Callable[[], Any]) -> Any:
        async def done() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(10.0)

    def position(self, symbol: str = "ES") -> int:
        positions = self.gateway.account.positions
        return int(
            self.inside(lambda: sum(p.quantity for p in positions.values() if p.listing.symbol == symbol))
        )

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10.0)

    def __enter__(self) -> LiveGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def near(recording: Recording, ts_ns: int) -> int:
    """Best bid in ticks of the traded contract just before an instant."""
    rows = recording.events
    books = rows[(rows["kind"] == 3) & (rows["instrument"] == 0)]
    at = int(np.searchsorted(books["ts_recv"], ts_ns)) - 1
    return int(books["bid"][at])
