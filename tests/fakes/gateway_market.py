"""A small SYNTHETIC day for the simulated gateway, and a gateway that runs inside the test's loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import Recording
from mia_kernel.core.session import session_row, trading_day_of
from mia_kernel.gateway.control import Control
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway

SEED = 3
MINUTE_NS = 60_000_000_000


@lru_cache(maxsize=1)
def small_day() -> Recording:
    """A fifth of the rows of a synthetic session."""
    return synthetic_recording(SEED, warm_up=False, scale=0.2)


def rth_start(minutes: int = 5) -> int:
    """Some minutes after 09:30 New York of that day, ns UTC."""
    row = session_row(trading_day_of(int(small_day().events["ts_event"][0]) + MINUTE_NS))
    assert row is not None
    return int(row["rth_open_ns"]) + minutes * MINUTE_NS


@asynccontextmanager
async def running(
    params: GatewayParams | None = None, recording: Recording | None = None, start_ns: int | None = None
) -> AsyncIterator[tuple[Gateway, Control]]:
    """A gateway on ports of the system's choice; gone at the end of the block."""
    gateway = Gateway(recording or small_day(), start_ns or rth_start(), params or GatewayParams())
    control = Control(gateway)
    await gateway.open(0)
    await control.open(0)
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway, control
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await control.close()
        await gateway.close()
