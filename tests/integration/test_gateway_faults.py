"""The gateway misbehaving on command, and the wire misbehaving under it: what a client sees, what the venue keeps."""

# The client's types are loose: an optional contract, a union of ticks.
# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import ib_insync as ii
import pytest

from mia_kernel.gateway.control import Control
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.server import Gateway
from tests.fakes.fault_proxy import DOWN, UP, FaultProxy, proxied
from tests.fakes.gateway_market import running

pytestmark = [pytest.mark.integration, pytest.mark.safety]

Scene = Callable[[Gateway, Control, FaultProxy, ii.IB], Awaitable[None]]


def play(scene: Scene, params: GatewayParams | None = None) -> None:
    async def whole() -> None:
        async with (
            running(params) as (gateway, control),
            proxied(gateway.port) as proxy,
            client(proxy.port) as ib,
        ):
            await scene(gateway, control, proxy, ib)

    asyncio.run(asyncio.wait_for(whole(), 30))


@asynccontextmanager
async def client(port: int, client_id: int = 7, timeout: float = 5) -> AsyncIterator[ii.IB]:
    ib = ii.IB()
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=timeout)
    try:
        yield ib
    finally:
        ib.disconnect()


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def es_and_ticker(ib: ii.IB) -> tuple[ii.Contract, ii.Ticker]:
    front = ii.ContFuture("ES", "CME")
    await ib.qualifyContractsAsync(front)
    es = ii.Contract(conId=front.conId)
    await ib.qualifyContractsAsync(es)
    ticker = ib.reqMktData(es)
    await until(lambda: ticker.bid > 0 and ticker.ask > 0)
    return es, ticker


def told(ib: ii.IB) -> list[int]:
    codes: list[int] = []
    ib.errorEvent += lambda request, code, *rest: codes.append(code)
    return codes


@pytest.mark.parametrize("split", [1, 7])
def test_messages_cut_into_pieces_arrive_whole(split: int) -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        proxy.split = split
        es, _ = await es_and_ticker(ib)
        trade = ib.placeOrder(es, ii.MarketOrder("BUY", 1, outsideRth=True))
        await until(trade.isDone)
        assert trade.orderStatus.status == "Filled"

    play(scene)


@pytest.mark.parametrize("after", [1, 40, 100, 150])
def test_an_order_cut_inside_its_message_never_half_exists(after: int) -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        await asyncio.sleep(0.05)
        gone = asyncio.Event()
        ib.disconnectedEvent += gone.set
        proxy.drop(after_bytes=after, direction=UP)
        order = ii.LimitOrder("BUY", 1, ticker.bid - 100, outsideRth=True)
        ib.placeOrder(es, order)
        await asyncio.wait_for(gone.wait(), 5)
        await until(lambda: not gateway.sessions)
        whole = list(gateway.venue.orders.values())
        assert [o.order_id for o in whole] in ([], [order.orderId])
        async with client(proxy.port) as again:
            assert [t.order.permId for t in again.openTrades()] == [o.perm_id for o in whole]

    play(scene)


def test_an_answer_lost_on_the_way_leaves_the_truth_at_the_venue() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, _ = await es_and_ticker(ib)
        proxy.half_open(up=False, down=True)
        trade = ib.placeOrder(es, ii.MarketOrder("BUY", 1, outsideRth=True))
        await until(lambda: gateway.venue.executions)
        await asyncio.sleep(0.1)
        assert trade.orderStatus.status == "PendingSubmit"
        proxy.drop()
        await until(lambda: not ib.isConnected())
        proxy.heal()
        async with client(proxy.port) as again:
            assert [f.execution.permId for f in again.fills()] == [gateway.venue.executions[0].perm_id]
            assert [p.position for p in again.positions()] == [1]

    play(scene)


def test_half_open_connections_go_silent_and_their_id_is_free_again() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        await es_and_ticker(ib)
        assert control.half_open()["silent_connections"] == 1
        seen = ib.client._numMsgRecv
        await asyncio.sleep(0.4)
        assert ib.isConnected()
        assert ib.client._numMsgRecv == seen
        async with client(gateway.port) as again:
            assert again.isConnected()

    play(scene, GatewayParams(speed=20))


def test_a_lost_link_holds_orders_back_and_delivers_fills_late() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        codes = told(ib)
        resting = ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid - 50, outsideRth=True))
        await until(lambda: resting.orderStatus.status == "Submitted")
        control.drop_link()
        await until(lambda: 1100 in codes)
        dark = ib.placeOrder(es, ii.MarketOrder("BUY", 1, outsideRth=True))
        order = gateway.venue.by_key[7, resting.order.orderId]
        gateway.venue.on_trade(
            gateway.feed.markets["ES"], gateway.clock.now_ns(), (order.limit or 0) - 1, 5, -1
        )
        assert order.status() == "Filled"
        await asyncio.sleep(0.1)
        assert resting.orderStatus.status == "Submitted"
        assert dark.orderStatus.status == "PendingSubmit"
        answer = control.restore()
        assert answer["code"] == 1102
        assert answer["parked_requests"] == 1
        await until(lambda: resting.isDone() and dark.isDone())
        assert 1102 in codes
        await until(lambda: [p.position for p in ib.positions()] == [2])

    play(scene)


def test_lost_data_must_be_asked_for_again() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        codes = told(ib)
        control.drop_link(data_lost=True)
        control.restore()
        await until(lambda: 1101 in codes)
        ticker.bid = 0
        await asyncio.sleep(0.3)
        assert ticker.bid == 0
        again = ib.client.getReqId()
        ib.wrapper.startTicker(again, es, "mktData")
        ib.client.reqMktData(again, es, "", False, False, [])
        await until(lambda: ticker.bid > 0)

    play(scene, GatewayParams(speed=20))


def test_a_restart_resets_refuses_then_takes_clients_back_with_older_ids() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        resting = ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid - 50, tif="GTC", outsideRth=True))
        held = ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid - 50, transmit=False))
        await until(lambda: resting.orderStatus.status == "Submitted" and len(gateway.venue.orders) == 2)
        own = ib.client._reqIdSeq
        control.restart(down_s=0.2, id_rollback=True, stale_326_s=1.0)
        await until(lambda: not ib.isConnected())
        refused, taken = 0, 0
        for _ in range(60):
            probe = ii.IB()
            codes = told(probe)
            with suppress(ConnectionError, TimeoutError):
                await probe.connectAsync("127.0.0.1", gateway.port, clientId=7, timeout=1)
            taken += 326 in codes
            if probe.isConnected():
                break
            refused += 1
            await asyncio.sleep(0.05)
        assert refused >= 2
        assert taken >= 1
        assert [t.order.permId for t in probe.openTrades()] == [resting.order.permId]
        assert held.order.orderId not in {o.order_id for o in gateway.venue.alive()}
        assert (
            gateway.next_id(7) < resting.order.orderId + 1 < own
        )  # an open order raises the library's own count
        probe.disconnect()

    play(scene)


def test_a_halt_stops_prints_and_fills_and_orders_outlive_it() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        control.halt()
        await until(lambda: ticker.halted == 1)
        trade = ib.placeOrder(es, ii.MarketOrder("BUY", 1, outsideRth=True))
        await until(lambda: trade.orderStatus.status == "Submitted")
        prints = gateway.feed.markets["ES"].trade_seq
        await asyncio.sleep(0.3)
        assert gateway.feed.markets["ES"].trade_seq == prints
        assert trade.orderStatus.filled == 0
        control.resume()
        await until(trade.isDone)
        assert trade.orderStatus.status == "Filled"

    play(scene, GatewayParams(speed=20))


def test_delay_reject_and_reset_do_what_they_say() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, ticker = await es_and_ticker(ib)
        codes = told(ib)
        control.delay(150)
        began = asyncio.get_running_loop().time()
        await ib.reqCurrentTimeAsync()
        assert asyncio.get_running_loop().time() - began >= 0.15
        control.delay(0)
        control.reject_next(201)
        refused = ib.placeOrder(es, ii.LimitOrder("BUY", 1, ticker.bid - 50, outsideRth=True))
        await until(refused.isDone)
        depth = ib.reqMktDepth(es, numRows=5)
        await until(lambda: len(depth.domBids) == 5)
        control.reset_depth()
        await until(lambda: 317 in codes)
        assert codes[:1] == [201]

    play(scene)


def test_an_order_by_hand_and_a_correction_reach_who_may_see_them() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        await es_and_ticker(ib)
        async with client(gateway.port, 0) as zero:
            zero.client.reqAutoOpenOrders(True)
            await zero.reqCurrentTimeAsync()
            control.manual("BUY", 1)
            await until(lambda: [p.position for p in ib.positions()] == [1])
            await until(lambda: [f.execution.side for f in zero.fills()] == ["BOT"])
            assert ib.fills() == []
            assert [f.execution.clientId for f in await ib.reqExecutionsAsync()] == [0]
            before = ib.positions()[0].avgCost
            control.correct(zero.fills()[0].execution.price - 1)
            await until(lambda: ib.positions()[0].avgCost == pytest.approx(before - 50))

    play(scene)


def test_too_many_messages_are_told_then_cut_off() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        codes = told(ib)
        ib.client.MaxRequests = 0
        for _ in range(60):
            ib.client.reqCurrentTime()
        await until(lambda: 100 in codes)
        assert ib.isConnected()
        for _ in range(300):
            ib.client.reqCurrentTime()
        await until(lambda: not ib.isConnected())

    play(scene)


def test_with_paceapi_the_gateway_queues_instead() -> None:
    async def scene() -> None:
        async with running() as (gateway, _):
            ib = ii.IB()
            ib.client.setConnectOptions("+PACEAPI")
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=7, timeout=5)
            codes = told(ib)
            ib.client.MaxRequests = 0
            for number in range(70):
                ib.client.reqIds(number)
            before = gateway.messages_in
            await until(lambda: gateway.messages_in >= before + 20, 5)
            assert 100 not in codes
            assert ib.isConnected()
            ib.disconnect()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_delayed_wire_changes_nothing_but_the_time() -> None:
    async def scene(gateway: Gateway, control: Control, proxy: FaultProxy, ib: ii.IB) -> None:
        es, _ = await es_and_ticker(ib)
        proxy.delay_s = {UP: 0.05, DOWN: 0.05}
        trade = ib.placeOrder(es, ii.MarketOrder("BUY", 1, outsideRth=True))
        await until(lambda: trade.isDone() and trade.fills)
        assert trade.fills[0].execution.shares == 1

    play(scene)
