"""The gateway over recorded days: a Friday trades whenever it is played."""

from __future__ import annotations

import asyncio
from pathlib import Path

import ib_insync as ii
import pytest

from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.session import new_york_ns
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway
from tests.fakes.gateway_market import running
from tests.shared_data import SHARED, needs_shared_data, shared_file

pytestmark = [pytest.mark.integration, needs_shared_data]

FRIDAY = 20190809


def _timesales() -> Path:
    assert SHARED is not None
    return sorted((SHARED / "es_ticks_cme_timesales").glob("*.zip"))[0]


def test_a_recorded_friday_of_prints_without_quotes_trades_a_round_trip() -> None:
    async def scene() -> None:
        recording = open_recording(_timesales())
        start = new_york_ns(FRIDAY, 9 * 60 + 35)
        async with running(GatewayParams(speed=20), recording, start) as (gateway, _):
            ib = ii.IB()
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=7, timeout=5)
            front = ii.ContFuture("ES", "CME")
            await ib.qualifyContractsAsync(front)
            assert front.localSymbol == "ESU9"
            es = ii.Contract(conId=front.conId)
            await ib.qualifyContractsAsync(es)
            ticker = ib.reqMktData(es)
            bought, sold = (
                ib.placeOrder(es, ii.MarketOrder(side, 3, outsideRth=True)) for side in ("BUY", "SELL")
            )
            async with asyncio.timeout(20):
                while not (bought.isDone() and sold.isDone()):
                    await asyncio.sleep(0.02)
            assert all(f.execution.time.strftime("%Y%m%d") == str(FRIDAY) for f in ib.fills())
            assert ticker.low <= bought.orderStatus.avgFillPrice <= ticker.high
            assert ib.positions() == []
            bars = await ib.reqHistoricalDataAsync(es, "", "1 D", "1 hour", "TRADES", False, 2)
            assert len(bars) >= 15
            ib.disconnect()

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_recorded_chain_moves_with_a_recorded_future() -> None:
    recording = open_recording(_timesales())
    chain = read_chain(shared_file("options/spx_20230609_1340ET_intraday.csv"))
    gateway = Gateway(recording, new_york_ns(FRIDAY, 10 * 60), GatewayParams(), chain)
    assert gateway.options is not None
    assert gateway.options.source.endswith("spx_20230609_1340ET_intraday.csv")
    assert len(gateway.listings.option_rows("SPX")) == 4
