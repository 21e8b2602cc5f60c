"""How fast the simulated gateway answers and streams; prints its figures, gates them loosely."""

from __future__ import annotations

import asyncio
import time

import ib_insync as ii
import pytest

from mia_kernel.gateway.params import GatewayParams, PacingParams
from mia_kernel.gateway.wire import PREFIX, FrameDecoder, frame, message
from tests.fakes.gateway_market import running

pytestmark = pytest.mark.performance

FREE = PacingParams(messages_per_s=10**9, active_orders_per_side=10**9, depth_lines=9, tick_by_tick_lines=9)
ES = [710202503, "ES", "FUT", "", 0, "", "50", "CME", "", "USD", "", ""]
ORDERS, FILLS, CLIENTS, STREAM_S = 300, 100, 8, 3.0
STATUS_P50_MS, FILL_P50_MS, MESSAGES_PER_S = 20.0, 50.0, 2_000.0
TRIES = 3


def test_an_order_is_acknowledged_and_filled_in_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(TRIES):
        status, fill = asyncio.run(_latencies())
        with capsys.disabled():
            print(f"\norder to status ms {_both(status)}, market order to filled ms {_both(fill)}")
        if status[len(status) // 2] <= STATUS_P50_MS and fill[len(fill) // 2] <= FILL_P50_MS:
            return
    pytest.fail(f"three tries above {STATUS_P50_MS} or {FILL_P50_MS} ms in the median")


async def _latencies() -> tuple[list[float], list[float]]:
    async with running(GatewayParams(pacing=FREE, equity_usd=10**9)) as (gateway, _):
        ib = ii.IB()
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
        ib.client.MaxRequests = 0
        es = ii.Contract(conId=ES[0])
        await ib.qualifyContractsAsync(es)
        status = [
            await _once(ib, es, ii.LimitOrder("BUY", 1, 6300, outsideRth=True), "statusEvent")
            for _ in range(ORDERS)
        ]
        fill = [await _once(ib, es, ii.MarketOrder(side, 1, outsideRth=True), "filledEvent")
                for _ in range(FILLS // 2) for side in ("BUY", "SELL")]  # fmt: skip
        ib.disconnect()
    return sorted(status), sorted(fill)


async def _once(ib: ii.IB, es: ii.Contract, order: ii.Order, event: str) -> float:
    told = asyncio.Event()
    began = time.perf_counter()
    getattr(ib.placeOrder(es, order), event).connect(lambda *_: told.set())
    await asyncio.wait_for(told.wait(), 10)
    await asyncio.sleep(0.002)
    return (time.perf_counter() - began - 0.002) * 1e3


def test_many_clients_are_streamed_to(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(TRIES):
        rate, lag_s = asyncio.run(_stream())
        with capsys.disabled():
            print(
                f"\n{CLIENTS} clients, every tick, speed 100: {rate:,.0f} messages/s, lag {lag_s * 1e3:.0f} ms"
            )
        if rate >= MESSAGES_PER_S and lag_s < 1.0:
            return
    pytest.fail(f"three tries below {MESSAGES_PER_S:,.0f} messages/s or behind the market by a second")


async def _stream() -> tuple[float, float]:
    async with running(GatewayParams(speed=100, pacing=FREE)) as (gateway, _):
        counts = [0] * CLIENTS
        tasks = [asyncio.create_task(_watch(gateway.port, i, counts)) for i in range(CLIENTS)]
        await asyncio.sleep(1.0)
        before, began = sum(counts), time.perf_counter()
        await asyncio.sleep(STREAM_S)
        rate = (sum(counts) - before) / (time.perf_counter() - began)
        arrived = int(gateway.feed.events["ts_recv"][gateway.feed.at])
        lag_s = max(0.0, (gateway.clock.now_ns() - arrived) / 1e9 / gateway.clock.speed)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return rate, lag_s


async def _watch(port: int, number: int, counts: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFIX + frame(b"v157..176"))
    await reader.read(100)
    writer.write(message([71, 2, number + 1, ""]))
    decoder = FrameDecoder(prefix=b"", longest=1 << 24)
    while not any(p.startswith(b"9\0") for p in decoder.feed(await reader.read(1 << 16))):
        pass
    writer.write(message([10, 5, 1, *ES, 10, 0, ""]))
    writer.write(message([97, 2, *ES, "AllLast", 0, 0]))
    writer.write(message([97, 3, *ES, "BidAsk", 0, 0]))
    writer.write(message([1, 11, 4, *ES, 0, "233", 0, 0, ""]))
    try:
        while data := await reader.read(1 << 18):
            counts[number] += len(decoder.feed(data))
    finally:
        writer.close()


def _both(values: list[float]) -> str:
    return f"{values[len(values) // 2]:.2f} (p99 {values[int(len(values) * 0.99)]:.2f})"
