"""One trading morning, as ib_insync or ib_async sees it: `python asyncio_scene.py LIBRARY PORT CONTROL_PORT`."""

# The clients' types are loose, and which of the two is installed is known only when it runs.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import sys
from collections.abc import Callable
from typing import Any

from checks import Checks, ctl  # beside this script, outside any package

POINT_USD, FEE_USD = 50, 2.25
lib: Any = importlib.import_module(sys.argv[1])
PORT, CONTROL = int(sys.argv[2]), int(sys.argv[3])
checks = Checks()


async def until(true: Callable[[], object], seconds: float = 5.0) -> bool:
    for _ in range(int(seconds * 100)):
        if true():
            return True
        await asyncio.sleep(0.01)
    return False


async def connect(client_id: int) -> Any:
    ib = lib.IB()
    ib.RaiseRequestErrors = False
    await ib.connectAsync("127.0.0.1", PORT, clientId=client_id, timeout=5)
    return ib


async def contracts(ib: Any) -> Any:
    for symbol, multiplier in (("ES", "50"), ("MES", "5"), ("NQ", "20"), ("MNQ", "2")):
        found = await ib.reqContractDetailsAsync(lib.Future(symbol, exchange="CME"))
        checks.that(f"{symbol} is listed by month", len(found) >= 6, len(found))
        checks.equal(f"{symbol} multiplier", {d.contract.multiplier for d in found}, {multiplier})
        checks.equal(f"{symbol} tick", {d.minTick for d in found}, {0.25})
        checks.that(f"{symbol} hours", all("-" in d.tradingHours for d in found))
    for symbol, con_id in (("SPX", 416904), ("VIX", 13455763)):
        found = await ib.reqContractDetailsAsync(lib.Index(symbol, "CBOE"))
        checks.equal(f"{symbol} index", [d.contract.conId for d in found], [con_id])
    front = lib.ContFuture("ES", "CME")
    await ib.qualifyContractsAsync(front)
    es = lib.Contract(conId=front.conId)
    await ib.qualifyContractsAsync(es)
    checks.equal("the continuous future names the front month", (es.secType, es.symbol), ("FUT", "ES"))
    checks.equal(
        "a hole has no definition", await ib.reqContractDetailsAsync(lib.Future("ES", "199001", "CME")), []
    )
    return es


async def data(ib: Any, es: Any) -> Any:
    ticker = ib.reqMktData(es, "233")
    ok = await until(lambda: ticker.bid > 0 and ticker.ask > 0 and ticker.last > 0)
    checks.that("level 1 has both sides and a last", ok, ticker)
    checks.that("day figures", ticker.low <= ticker.last <= ticker.high and ticker.volume > 0, ticker)
    checks.that("not halted", ticker.halted == 0, ticker.halted)
    depth = ib.reqMktDepth(es, numRows=5)
    checks.that("five levels a side", await until(lambda: len(depth.domBids) == len(depth.domAsks) == 5))
    bids, asks = [r.price for r in depth.domBids], [r.price for r in depth.domAsks]
    checks.that(
        "the book is ordered", bids == sorted(bids, reverse=True) and asks == sorted(asks), (bids, asks)
    )
    nq = lib.ContFuture("NQ", "CME")
    await ib.qualifyContractsAsync(nq)
    nq = lib.Contract(conId=nq.conId)
    await ib.qualifyContractsAsync(nq)
    second = ib.reqMktData(nq)
    checks.that("the second market has a last", await until(lambda: second.last > 0), second)
    vix = lib.Index("VIX", "CBOE")
    await ib.qualifyContractsAsync(vix)
    fear = ib.reqMktData(vix)
    checks.that(
        "the index has a last and no bid", await until(lambda: fear.last > 0) and not fear.bid > 0, fear
    )
    last = ib.reqTickByTickData(es, "AllLast")
    checks.that("tick by tick: prints", await until(lambda: last.tickByTicks, 20))
    ib.cancelTickByTickData(es, "AllLast")
    both = ib.reqTickByTickData(es, "BidAsk")
    checks.that("tick by tick: best prices", await until(lambda: both.tickByTicks, 20))
    return ticker


async def options(ib: Any) -> None:
    spx = lib.Index("SPX", "CBOE")
    await ib.qualifyContractsAsync(spx)
    index = ib.reqMktData(spx)
    checks.that("SPX has a last", await until(lambda: index.last > 0), index)
    rows = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", spx.conId)
    checks.equal("classes and exchanges", {(r.tradingClass, r.exchange) for r in rows},
                 {(c, e) for c in ("SPX", "SPXW") for e in ("CBOE", "SMART")})  # fmt: skip
    weekly = next(r for r in rows if r.tradingClass == "SPXW")
    strike = min(weekly.strikes, key=lambda k: abs(k - index.last))
    pair = [lib.Option("SPX", weekly.expirations[1], strike, r, "SMART", tradingClass="SPXW") for r in "CP"]
    await ib.qualifyContractsAsync(*pair)
    checks.that(
        "options qualify", all(o.conId for o in pair) and pair[0].localSymbol.startswith("SPXW"), pair
    )
    call, put = (ib.reqMktData(o, "100,101,106") for o in pair)
    checks.that("greeks of both", await until(lambda: call.modelGreeks and put.modelGreeks), (call, put))
    checks.that("quotes around the model", call.bid - 1 <= call.modelGreeks.optPrice <= call.ask + 1, call)
    checks.that("delta of a call less that of its put is near 1",
                abs(call.modelGreeks.delta - put.modelGreeks.delta - 1) < 0.02, (call, put))  # fmt: skip
    checks.that(
        "open interest of each side",
        await until(lambda: call.callOpenInterest > 0 and put.putOpenInterest > 0),
    )
    hole = lib.Option("SPX", weekly.expirations[0], 12345, "C", "SMART")
    checks.equal("a strike that does not exist", await ib.reqContractDetailsAsync(hole), [])


async def history(ib: Any, es: Any) -> None:
    bars = await ib.reqHistoricalDataAsync(es, "", "1800 S", "1 min", "TRADES", False, 2)
    checks.that("half an hour of minutes", 25 <= len(bars) <= 31, len(bars))
    checks.that(
        "bars hold together", all(b.low <= b.open <= b.high and b.low <= b.close <= b.high for b in bars)
    )
    middle = await ib.reqHistoricalDataAsync(es, "", "600 S", "1 min", "MIDPOINT", False, 1)
    checks.that("midpoints", 8 <= len(middle) <= 11, len(middle))
    daily = await ib.reqHistoricalDataAsync(es, "", "1 D", "1 day", "TRADES", False, 1)
    checks.equal("one daily bar", len(daily), 1)
    growing = await ib.reqHistoricalDataAsync(es, "", "600 S", "1 min", "TRADES", False, 2, True)
    before = growing[-1].volume if growing else 0
    grown = await until(lambda: growing and (growing[-1].volume != before or len(growing) > 11), 20)
    checks.that("kept up to date", grown)
    ib.cancelHistoricalData(growing)
    five = ib.reqRealTimeBars(es, 5, "TRADES", False)
    checks.that("five-second bars", await until(lambda: len(five) >= 2, 20), len(five))
    steps = {(b.time - a.time).total_seconds() for a, b in itertools.pairwise(five)}
    checks.equal("five seconds apart", steps, {5.0})
    ib.cancelRealTimeBars(five)
    head = await ib.reqHeadTimeStampAsync(es, "TRADES", False, 1)
    checks.that("a first moment", head, head)
    now = await ib.reqCurrentTimeAsync()
    for what in ("TRADES", "BID_ASK", "MIDPOINT"):
        ticks = await ib.reqHistoricalTicksAsync(es, "", now, 20, what, False)
        checks.equal(f"twenty ticks of {what}", len(ticks), 20)


async def trading(ib: Any, es: Any, ticker: Any) -> None:
    price = ticker.ask
    state = await ib.whatIfOrderAsync(es, lib.MarketOrder("BUY", 1))
    checks.that("what-if tells a margin", float(state.initMarginChange) > 0, state)
    parent, target, stop = (
        ib.placeOrder(es, o)
        for o in ib.bracketOrder("BUY", 2, price + 5, price + 50, price - 50, outsideRth=True)
    )
    filled = await until(lambda: parent.isDone() and target.orderStatus.status == "Submitted")
    checks.that("the entry fills, the exits come alive", filled, (parent.orderStatus, target.orderStatus))
    checks.equal("a resting stop is presubmitted", stop.orderStatus.status, "PreSubmitted")
    await until(lambda: all(f.commissionReport.commission for f in parent.fills))
    checks.near("commission", sum(f.commissionReport.commission for f in parent.fills), 2 * FEE_USD)
    bought = parent.orderStatus.avgFillPrice
    (position,) = ib.positions()
    checks.near("average cost", position.avgCost, bought * POINT_USD + FEE_USD)
    permanent = stop.order.permId
    stop.order.auxPrice = price - 40
    ib.placeOrder(es, stop.order)
    await until(lambda: stop.log[-1].message == "Modify" or True)
    await asyncio.sleep(0.2)
    (seen,) = [t for t in await ib.reqAllOpenOrdersAsync() if t.order.permId == permanent]
    checks.near("a changed stop", seen.order.auxPrice, price - 40)
    close = ib.placeOrder(es, lib.MarketOrder("SELL", 2, outsideRth=True))
    ib.cancelOrder(target.order)
    ib.cancelOrder(stop.order)
    checks.that("all done", await until(lambda: close.isDone() and target.isDone() and stop.isDone()))
    await until(lambda: all(f.commissionReport.commission for f in close.fills))
    expected = (close.orderStatus.avgFillPrice - bought) * 2 * POINT_USD - 4 * FEE_USD
    checks.near(
        "realized net of both commissions", sum(f.commissionReport.realizedPNL for f in close.fills), expected
    )
    checks.equal("flat", ib.positions(), [])
    fills = await ib.reqExecutionsAsync()
    checks.equal("executions told again", len(fills), len(parent.fills) + len(close.fills))
    done = sorted(t.orderStatus.status for t in await ib.reqCompletedOrdersAsync(False))
    checks.equal("completed orders", done, ["Cancelled", "Cancelled", "Filled", "Filled"])


async def kinds(ib: Any, es: Any, ticker: Any) -> None:
    low, high = ticker.bid - 100, ticker.ask + 100
    wanted = {
        "LMT": lib.LimitOrder("BUY", 1, low),
        "STP": lib.StopOrder("BUY", 1, high),
        "STP LMT": lib.StopLimitOrder("BUY", 1, high + 1, high),
        "TRAIL": lib.Order(action="SELL", totalQuantity=1, orderType="TRAIL", auxPrice=50.0),
        "TRAIL LIMIT": lib.Order(action="SELL", totalQuantity=1, orderType="TRAIL LIMIT", auxPrice=50.0,
                                 trailStopPrice=low, lmtPriceOffset=1.0),
        "MIT": lib.Order(action="BUY", totalQuantity=1, orderType="MIT", auxPrice=low),
        "LIT": lib.Order(action="BUY", totalQuantity=1, orderType="LIT", auxPrice=low, lmtPrice=low),
    }  # fmt: skip
    for order in wanted.values():
        order.outsideRth, order.tif = True, "GTC"
    trades = {name: ib.placeOrder(es, order) for name, order in wanted.items()}
    for name, trade in trades.items():
        status = "Submitted" if name == "LMT" else "PreSubmitted"
        checks.that(
            f"{name} rests",
            await until(lambda t=trade, s=status: t.orderStatus.status == s),
            trade.orderStatus,
        )
    seen = {t.order.orderType: t.order for t in await ib.reqAllOpenOrdersAsync()}
    checks.equal("client 7 sees all kinds", set(seen), set(wanted))
    other = await connect(8)  # the libraries update only some fields of an order they placed themselves
    shown = {t.order.orderType: t.order for t in await other.reqAllOpenOrdersAsync()}
    checks.equal("so does client 8", set(shown), set(wanted))
    checks.that(
        "the trail is told", 0 < shown["TRAIL"].trailStopPrice < ticker.bid, shown["TRAIL"].trailStopPrice
    )
    other.disconnect()
    ib.reqGlobalCancel()
    checks.that("global cancel", await until(lambda: all(t.isDone() for t in trades.values())))
    pair = [lib.LimitOrder("BUY", 1, low - i, ocaGroup="either", ocaType=1, outsideRth=True) for i in (0, 1)]
    resting, other = (ib.placeOrder(es, o) for o in pair)
    await until(lambda: other.orderStatus.status == "Submitted")
    resting.order.lmtPrice = ticker.ask + 5
    ib.placeOrder(es, resting.order)
    oca = await until(
        lambda: resting.orderStatus.status == "Filled" and other.orderStatus.status == "Cancelled"
    )
    checks.that("one cancels other", oca, (resting.orderStatus, other.orderStatus))
    flat = ib.placeOrder(es, lib.MarketOrder("SELL", 1, outsideRth=True))
    await until(flat.isDone)


async def account(ib: Any, es: Any) -> None:
    names = {v.tag for v in ib.accountValues()}
    checks.that(
        "account values", {"NetLiquidation", "AvailableFunds", "InitMarginReq", "RealizedPnL"} <= names
    )
    rows = await ib.accountSummaryAsync()
    checks.that("account summary", "NetLiquidation" in {r.tag for r in rows})
    name = ib.managedAccounts()[0]
    pnl, single = ib.reqPnL(name), ib.reqPnLSingle(name, "", es.conId)
    told = await until(lambda: pnl.realizedPnL == pnl.realizedPnL and single.position == 0)
    checks.that("profit and loss, whole and single", told, (pnl, single))


async def faults(ib: Any, es: Any, ticker: Any) -> None:
    codes: list[int] = []
    ib.errorEvent += lambda request, code, *rest: codes.append(code)
    ib.placeOrder(es, lib.LimitOrder("BUY", 1, ticker.bid + 0.1))
    ctl(CONTROL, "reject-next", code=201)
    await asyncio.sleep(0.2)
    checks.that("off the tick", 110 in codes, codes)
    ib.placeOrder(es, lib.LimitOrder("BUY", 1, ticker.bid - 100))
    checks.that("refused on command", await until(lambda: 201 in codes), codes)
    ib.client.cancelOrder(4711) if sys.argv[1] == "ib_insync" else ib.client.cancelOrder(4711, "")
    checks.that("no such order", await until(lambda: 10147 in codes), codes)
    ctl(CONTROL, "drop-link")
    checks.that("link lost", await until(lambda: 1100 in codes), codes)
    waiting = ib.placeOrder(es, lib.LimitOrder("BUY", 1, ticker.bid - 100, outsideRth=True))
    await asyncio.sleep(0.2)
    checks.equal("an order into the dark is unknown", waiting.orderStatus.status, "PendingSubmit")
    ctl(CONTROL, "restore")
    checks.that("link back", await until(lambda: 1102 in codes), codes)
    checks.that("then it is known", await until(lambda: waiting.orderStatus.status == "Submitted"))
    ctl(CONTROL, "flap-farm", down_s=0.1)
    checks.that(
        "farms flap", await until(lambda: {2103, 2105} <= set(codes) and codes.count(2104) >= 2), codes
    )
    ctl(CONTROL, "halt")
    checks.that("halted", await until(lambda: ticker.halted == 1), ticker.halted)
    ctl(CONTROL, "resume")
    checks.that("resumed", await until(lambda: ticker.halted == 0), ticker.halted)
    codes.clear()
    second = lib.IB()
    second.errorEvent += lambda request, code, *rest: codes.append(code)
    with contextlib.suppress(ConnectionError, TimeoutError):
        await second.connectAsync("127.0.0.1", PORT, clientId=7, timeout=1)
    checks.that("a taken client id", 326 in codes, codes)


async def restart(ib: Any) -> None:
    # ib_insync lets an order refused with 110 stand as PendingSubmit; it has no permanent id.
    permanent = [t.order.permId for t in ib.openTrades() if t.order.permId]
    own = ib.client._reqIdSeq
    gone: list[int] = []
    ib.disconnectedEvent += lambda: gone.append(1)
    ctl(CONTROL, "restart", down_s=0.3, id_rollback=True, stale_326_s=0.3)
    checks.that("the socket goes", await until(lambda: gone))
    again = None
    for _ in range(40):
        try:
            again = await connect(7)
            break
        except (OSError, TimeoutError):
            await asyncio.sleep(0.1)
    checks.that("it comes back", again is not None)
    if again is None:
        return
    checks.equal("orders outlive the restart", [t.order.permId for t in again.openTrades()], permanent)
    checks.that(
        "ids rolled back", ctl(CONTROL, "status")["faults"] is not None and again.client._reqIdSeq <= own
    )
    for trade in again.openTrades():
        again.cancelOrder(trade.order)
    checks.that("and can be cancelled", await until(lambda: not again.openTrades()))
    again.disconnect()


async def main() -> None:
    ib = await connect(7)
    checks.equal("server version", ib.client.serverVersion(), 176)
    es = await contracts(ib)
    ticker = await data(ib, es)
    await options(ib)
    await trading(ib, es, ticker)
    await kinds(ib, es, ticker)
    await account(ib, es)
    await history(ib, es)
    await faults(ib, es, ticker)
    await restart(ib)
    ib.disconnect()


asyncio.run(asyncio.wait_for(main(), 150))
checks.print()
