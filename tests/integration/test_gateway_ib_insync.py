"""ib_insync, unchanged, against the simulated gateway: connect, watch, trade, reconcile."""

# The client's types are loose: an optional contract, a union of ticks, a date that is a datetime.
# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import ib_insync as ii
import pytest

from mia_kernel.gateway.control import Control
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway
from tests.fakes.gateway_market import running

pytestmark = [pytest.mark.integration, pytest.mark.safety]

FEE_USD = 2.25
POINT_USD = 50


@asynccontextmanager
async def connected(gateway: Gateway, client_id: int = 7) -> AsyncIterator[ii.IB]:
    ib = ii.IB()
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id, timeout=5)
    try:
        yield ib
    finally:
        ib.disconnect()


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the loop run until something holds; fail when it does not."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def es_of(ib: ii.IB) -> ii.Contract:
    front = ii.ContFuture("ES", "CME")
    await ib.qualifyContractsAsync(front)
    contract = ii.Contract(conId=front.conId)
    await ib.qualifyContractsAsync(contract)
    return contract


def play(
    scene: Callable[[Gateway, Control, ii.IB], Awaitable[None]], params: GatewayParams | None = None
) -> None:
    async def whole() -> None:
        async with running(params) as (gateway, control), connected(gateway) as ib:
            await scene(gateway, control, ib)

    asyncio.run(asyncio.wait_for(whole(), 30))


async def quoted(ib: ii.IB, contract: ii.Contract) -> ii.Ticker:
    ticker = ib.reqMktData(contract, "233")
    await until(lambda: ticker.bid > 0 and ticker.ask > 0 and ticker.last > 0)
    return ticker


def test_a_client_is_ready_and_told_the_clock_of_the_source() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        assert ib.client.serverVersion() == 176
        assert ib.managedAccounts() == [gateway.params.account]
        said = (await ib.reqCurrentTimeAsync()).timestamp()
        assert abs(said - gateway.clock.now_ns() / 1e9) <= 1.1

    play(scene)


def test_contract_details_by_month_continuous_and_index() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        months = await ib.reqContractDetailsAsync(ii.Future("NQ", exchange="CME"))
        assert len(months) >= 6
        assert {d.contract.multiplier for d in months} == {"20"}
        assert {d.minTick for d in months} == {0.25}
        es = await es_of(ib)
        assert (es.secType, es.multiplier, es.tradingClass) == ("FUT", "50", "ES")
        one = await ib.reqContractDetailsAsync(ii.Future("ES", es.lastTradeDateOrContractMonth[:6], "CME"))
        assert [d.contract.conId for d in one] == [es.conId]
        vix = await ib.reqContractDetailsAsync(ii.Index("VIX", "CBOE"))
        assert [d.contract.conId for d in vix] == [13455763]
        assert await ib.reqContractDetailsAsync(ii.Future("ES", "199001", "CME")) == []

    play(scene)


def test_level_one_depth_and_ticks_agree_with_the_market() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        ticker = await quoted(ib, es)
        depth = ib.reqMktDepth(es, numRows=5)
        prints = ib.reqTickByTickData(es, "AllLast")
        await until(lambda: len(depth.domBids) == 5 and len(depth.domAsks) == 5)
        assert ticker.bid < ticker.ask
        bids, asks = [level.price for level in depth.domBids], [level.price for level in depth.domAsks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        await until(lambda: prints.tickByTicks, 20)
        assert prints.tickByTicks[0].size >= 1

    play(scene, GatewayParams(speed=20))


def test_a_bracket_fills_with_commission_position_and_account() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        ticker = await quoted(ib, es)
        orders = ib.bracketOrder("BUY", 2, ticker.ask + 5, ticker.ask + 50, ticker.ask - 50, outsideRth=True)
        parent, target, stop = (ib.placeOrder(es, order) for order in orders)
        await until(lambda: parent.isDone() and target.orderStatus.status == "Submitted")
        assert parent.orderStatus.status == "Filled"
        assert stop.orderStatus.status == "PreSubmitted"
        await until(lambda: all(f.commissionReport.commission for f in parent.fills))
        assert sum(f.execution.shares for f in parent.fills) == 2
        assert sum(f.commissionReport.commission for f in parent.fills) == pytest.approx(2 * FEE_USD)
        bought = parent.orderStatus.avgFillPrice
        (position,) = ib.positions()
        assert position.position == 2
        assert position.avgCost == pytest.approx(bought * POINT_USD + FEE_USD)

        close = ib.placeOrder(es, ii.MarketOrder("SELL", 2, outsideRth=True))
        ib.cancelOrder(orders.stopLoss)
        ib.cancelOrder(orders.takeProfit)
        await until(lambda: close.isDone() and target.isDone() and stop.isDone())
        await until(lambda: all(f.commissionReport.commission for f in close.fills))
        sold = close.orderStatus.avgFillPrice
        expected = (sold - bought) * 2 * POINT_USD - 4 * FEE_USD
        realized = sum(f.commissionReport.realizedPNL for f in close.fills)
        assert realized == pytest.approx(expected)
        assert ib.positions() == []
        await until(lambda: _value(ib, "RealizedPnL") == pytest.approx(expected))
        done = await ib.reqCompletedOrdersAsync(False)
        assert sorted(t.orderStatus.status for t in done) == ["Cancelled", "Cancelled", "Filled", "Filled"]
        assert len(await ib.reqExecutionsAsync()) == len(parent.fills) + len(close.fills)

    play(scene)


def _value(ib: ii.IB, tag: str) -> float:
    return next(float(v.value) for v in ib.accountValues() if v.tag == tag and v.currency == "USD")


def test_a_used_client_id_is_refused_and_the_orders_outlive_their_client() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        ticker = await quoted(ib, es)
        resting = ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid - 100, outsideRth=True))
        await until(lambda: resting.orderStatus.status == "Submitted")
        second, errors = ii.IB(), []
        second.errorEvent += lambda request, code, *rest: errors.append(code)
        with pytest.raises((ConnectionError, TimeoutError)):
            await second.connectAsync("127.0.0.1", gateway.port, clientId=7, timeout=2)
        assert 326 in errors
        ib.disconnect()
        await until(lambda: not gateway.sessions)
        async with connected(gateway, 7) as again:
            assert [t.order.permId for t in again.openTrades()] == [resting.order.permId]
            assert again.client.getReqId() > resting.order.orderId

    play(scene)


def test_an_order_off_the_tick_of_too_much_margin_or_unknown_is_refused() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        ticker = await quoted(ib, es)
        codes: list[int] = []
        ib.errorEvent += lambda request, code, *rest: codes.append(code)
        ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid + 0.1))
        ib.placeOrder(es, ii.MarketOrder("BUY", 50))
        ib.placeOrder(es, ii.Order(action="BUY", totalQuantity=1, orderType="REL"))
        ib.client.cancelOrder(4711)
        await until(lambda: len(codes) == 4)
        assert sorted(codes) == [110, 201, 387, 10147]
        assert gateway.venue.orders == {}

    play(scene)


def test_what_if_tells_margins_and_places_nothing() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        state = await ib.whatIfOrderAsync(es, ii.MarketOrder("BUY", 2))
        product = gateway.params.products["ES"]
        assert float(state.initMarginChange) == 2 * product.initial_margin_usd
        assert float(state.maintMarginChange) == 2 * product.maintenance_margin_usd
        assert state.commission == pytest.approx(2 * FEE_USD)
        assert gateway.venue.orders == {}

    play(scene)


def test_history_ends_at_the_gateways_now() -> None:
    async def scene(gateway: Gateway, control: Control, ib: ii.IB) -> None:
        es = await es_of(ib)
        bars = await ib.reqHistoricalDataAsync(es, "", "1800 S", "1 min", "TRADES", False, 2)
        assert 25 <= len(bars) <= 31
        assert all(bar.low <= bar.open <= bar.high and bar.low <= bar.close <= bar.high for bar in bars)
        assert bars[-1].date.timestamp() <= gateway.clock.now_ns() / 1e9
        daily = await ib.reqHistoricalDataAsync(es, "", "1 D", "1 day", "TRADES", False, 1)
        assert len(daily) == 1
        ticks = await ib.reqHistoricalTicksAsync(es, "", await ib.reqCurrentTimeAsync(), 50, "TRADES", False)
        assert len(ticks) == 50

    play(scene)
