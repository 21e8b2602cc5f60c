"""One trading morning, as the clients of IB itself see it: `python threads_scene.py VERSION PORT CONTROL_PORT`.

Runs in an environment with `ibapi` 9.81 (talks version 157) or `nautilus-ibapi` 10.46 (agrees on 176).
"""

# Only one of several packages named `ibapi` is installed where this runs.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from checks import Checks, ctl  # beside this script, outside any package
from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

EXPECTED_VERSION, PORT, CONTROL = (int(word) for word in sys.argv[1:4])
POINT_USD, FEE_USD = 50, 2.25
checks = Checks()


class App(EWrapper, EClient):
    """Keeps every callback with its arguments."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, self)
        self.got: dict[str, list[tuple[Any, ...]]] = defaultdict(list)

    def codes(self) -> list[int]:
        return [args[1] if isinstance(args[2], str) else args[2] for args in self.got["error"]]

    def of(self, name: str, request: int) -> list[tuple[Any, ...]]:
        return [args for args in self.got[name] if args[0] == request]

    def statuses(self, order_id: int) -> list[str]:
        return [args[1] for args in self.of("orderStatus", order_id)]


def _recorder(name: str) -> Callable[..., None]:
    def record(self: App, *args: Any, **named: Any) -> None:
        self.got[name].append((*args, *named.values()))

    return record


for _name, _function in inspect.getmembers(EWrapper, inspect.isfunction):
    if not _name.startswith("_") and "ProtoBuf" not in _name:
        setattr(App, _name, _recorder(_name))


def until(true: Callable[[], object], seconds: float = 5.0) -> bool:
    for _ in range(int(seconds * 100)):
        if true():
            return True
        time.sleep(0.01)
    return False


def connect(client_id: int) -> App:
    app = App()
    app.connect("127.0.0.1", PORT, client_id)
    threading.Thread(target=app.run, daemon=True).start()
    until(lambda: app.got["nextValidId"] or 326 in app.codes())
    return app


def future(symbol: str = "ES", month: str = "", con_id: int = 0) -> Contract:
    c = Contract()
    c.symbol, c.secType, c.exchange, c.currency = symbol, "FUT", "CME", "USD"
    c.lastTradeDateOrContractMonth, c.conId = month, con_id
    return c


def order(action: str, quantity: int, kind: str, **fields: Any) -> Order:
    o = Order()
    o.action, o.totalQuantity, o.orderType, o.outsideRth = action, quantity, kind, True
    for name in ("eTradeOnly", "firmQuoteOnly"):
        if hasattr(o, name):
            setattr(o, name, False)
    for name, value in fields.items():
        setattr(o, name, value)
    return o


def cancel(app: App, order_id: int) -> None:
    if EXPECTED_VERSION < 169:
        app.cancelOrder(order_id)
        return
    from ibapi.order_cancel import OrderCancel

    app.cancelOrder(order_id, OrderCancel())


def cancel_all(app: App) -> None:
    if EXPECTED_VERSION < 169:
        app.reqGlobalCancel()
        return
    from ibapi.order_cancel import OrderCancel

    app.reqGlobalCancel(OrderCancel())


def contracts(app: App) -> Contract:
    app.reqContractDetails(1, future())
    checks.that("contract details end", until(lambda: app.of("contractDetailsEnd", 1)))
    months = [args[1] for args in app.of("contractDetails", 1)]
    checks.that("ES by month", len(months) >= 6, len(months))
    checks.equal("tick", {d.minTick for d in months}, {0.25})
    checks.equal("multiplier", {d.contract.multiplier for d in months}, {"50"})
    checks.that("hours", all("-" in d.tradingHours for d in months))
    front = future()
    front.secType = "CONTFUT"
    app.reqContractDetails(2, front)
    until(lambda: app.of("contractDetailsEnd", 2))
    found = [args[1].contract for args in app.of("contractDetails", 2)]
    checks.equal("one continuous future", len(found), 1)
    index = Contract()
    index.symbol, index.secType, index.exchange, index.currency = "VIX", "IND", "CBOE", "USD"
    app.reqContractDetails(3, index)
    until(lambda: app.of("contractDetailsEnd", 3))
    checks.equal("the index", [a[1].contract.conId for a in app.of("contractDetails", 3)], [13455763])
    app.reqContractDetails(4, future(month="199001"))
    checks.that("a hole has no definition", until(lambda: 200 in app.codes()), app.codes())
    return future(con_id=found[0].conId)


def data(app: App, es: Contract) -> float:
    app.reqMktData(10, es, "233", False, False, [])
    prices: dict[int, float] = {}

    def quoted() -> bool:
        prices.update({args[1]: args[2] for args in app.of("tickPrice", 10)})
        return {1, 2, 4} <= set(prices)

    checks.that("level 1", until(quoted), prices)
    checks.that("not crossed", prices[1] < prices[2], prices)
    checks.that("sizes", until(lambda: {0, 3, 5, 8} <= {a[1] for a in app.of("tickSize", 10)}))
    checks.that("market data type", app.of("marketDataType", 10))
    checks.that("parameters", app.of("tickReqParams", 10))
    app.reqMktDepth(11, es, 5, False, [])
    until(lambda: len(app.of("updateMktDepth", 11)) >= 10)
    first = app.of("updateMktDepth", 11)[:10]
    checks.equal("the book begins with inserts", {a[2] for a in first}, {0})
    checks.equal(
        "five levels a side", sorted((a[3], a[1]) for a in first), [(s, p) for s in (0, 1) for p in range(5)]
    )
    app.reqTickByTickData(12, es, "AllLast", 0, False)
    checks.that("prints", until(lambda: app.of("tickByTickAllLast", 12), 20))
    app.cancelTickByTickData(12)
    app.reqTickByTickData(13, es, "BidAsk", 0, False)
    checks.that("best prices", until(lambda: app.of("tickByTickBidAsk", 13), 20))
    app.reqTickByTickData(14, es, "MidPoint", 0, False)
    checks.that("midpoints", until(lambda: app.of("tickByTickMidPoint", 14), 20))
    app.reqRealTimeBars(15, es, 5, "TRADES", False, [])
    checks.that("five-second bars", until(lambda: len(app.of("realtimeBar", 15)) >= 2, 20))
    return prices[2]


def history(app: App, es: Contract) -> None:
    app.reqHistoricalData(20, es, "", "1800 S", "1 min", "TRADES", 0, 2, False, [])
    checks.that("history ends", until(lambda: app.of("historicalDataEnd", 20)))
    checks.that(
        "half an hour", 25 <= len(app.of("historicalData", 20)) <= 31, len(app.of("historicalData", 20))
    )
    app.reqHistoricalData(21, es, "", "600 S", "1 min", "TRADES", 0, 2, True, [])
    checks.that("kept up to date", until(lambda: app.of("historicalDataUpdate", 21), 20))
    app.cancelHistoricalData(21)
    app.reqHeadTimeStamp(22, es, "TRADES", 0, 1)
    checks.that("a first moment", until(lambda: app.of("headTimestamp", 22)))
    app.reqCurrentTime()
    until(lambda: app.got["currentTime"])
    now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(app.got["currentTime"][0][0]))
    for request, what, name in ((23, "TRADES", "historicalTicksLast"), (24, "BID_ASK", "historicalTicksBidAsk"),
                                (25, "MIDPOINT", "historicalTicks")):  # fmt: skip
        app.reqHistoricalTicks(request, es, "", now, 20, what, 0, False, [])
        ok = until(lambda n=name, r=request: app.of(n, r) and len(app.of(n, r)[0][1]) == 20)
        checks.that(f"twenty ticks of {what}", ok)


def trading(app: App, es: Contract, ask: float) -> int:
    first = app.got["nextValidId"][0][0]
    app.placeOrder(first, es, order("BUY", 1, "MKT", whatIf=True))
    checks.that("what-if", until(lambda: app.of("openOrder", first)))
    checks.that("with a margin", float(app.of("openOrder", first)[0][3].initMarginChange) > 0)
    parent, target, stop = first + 1, first + 2, first + 3
    app.placeOrder(parent, es, order("BUY", 2, "LMT", lmtPrice=ask + 5, transmit=False))
    app.placeOrder(target, es, order("SELL", 2, "LMT", lmtPrice=ask + 50, parentId=parent, transmit=False))
    time.sleep(0.2)
    checks.equal("nothing is said before it is transmitted", app.statuses(parent) + app.statuses(target), [])
    app.placeOrder(stop, es, order("SELL", 2, "STP", auxPrice=ask - 50, parentId=parent))
    checks.that("the entry fills", until(lambda: "Filled" in app.statuses(parent)), app.statuses(parent))
    checks.that(
        "the target comes alive", until(lambda: "Submitted" in app.statuses(target)), app.statuses(target)
    )
    checks.equal("the stop waits", set(app.statuses(stop)), {"PreSubmitted"})
    reports = "commissionReport" if app.got["commissionReport"] else "commissionAndFeesReport"
    fees = [
        getattr(a[0], "commission", None) or getattr(a[0], "commissionAndFees", 0) for a in app.got[reports]
    ]
    checks.near("commission", sum(fees), 2 * FEE_USD)
    app.placeOrder(stop, es, order("SELL", 2, "STP", auxPrice=ask - 40, parentId=parent))
    changed = until(lambda: any(a[2].auxPrice == ask - 40 for a in app.of("openOrder", stop)))
    checks.that("a changed stop", changed)
    app.placeOrder(stop, es, order("SELL", 2, "STP", auxPrice=ask - 40.1, parentId=parent))
    checks.that("a change off the tick", until(lambda: 110 in app.codes()), app.codes())
    app.reqPositions()
    until(lambda: app.got["positionEnd"])
    fills = app.of("execDetails", -1)
    bought = sum(a[2].price * float(a[2].shares) for a in fills) / 2
    (_, _, held, cost) = app.got["position"][-1]
    checks.equal("position", float(held), 2.0)
    checks.near("average cost", cost, bought * POINT_USD + FEE_USD)
    cancel(app, target)
    cancel(app, stop)
    checks.that("cancelled", until(lambda: app.codes().count(202) >= 2), app.codes())
    app.placeOrder(first + 4, es, order("SELL", 2, "MKT"))
    checks.that("closed", until(lambda: "Filled" in app.statuses(first + 4)))
    sold = [a[2] for a in app.of("execDetails", -1)][len(fills) :]
    expected = (sum(e.price * float(e.shares) for e in sold) / 2 - bought) * 2 * POINT_USD - 4 * FEE_USD
    until(lambda: len(app.got[reports]) == len(fills) + len(sold))
    realized = [a[0].realizedPNL for a in app.got[reports][len(fills) :]]
    checks.near("realized net of both commissions", sum(realized), expected)
    return first + 5


def lists(app: App, es: Contract, ask: float, number: int) -> int:
    app.placeOrder(number, es, order("BUY", 1, "LMT", lmtPrice=ask - 100, tif="GTC"))
    app.placeOrder(number + 1, es, order("SELL", 1, "TRAIL", auxPrice=50, tif="GTC"))
    app.placeOrder(number + 2, es, order("BUY", 1, "MIT", auxPrice=ask - 100))
    app.placeOrder(number + 3, es, order("BUY", 1, "STP LMT", auxPrice=ask + 100, lmtPrice=ask + 101))
    until(lambda: app.statuses(number + 3))
    app.reqAllOpenOrders()
    checks.that("open orders end", until(lambda: app.got["openOrderEnd"]))
    checks.equal("four rest", {a[0] for a in app.got["openOrder"]} >= set(range(number, number + 4)), True)
    app.reqExecutions(30, ExecutionFilter())
    checks.that("executions end", until(lambda: app.of("execDetailsEnd", 30)))
    checks.that("executions told again", len(app.of("execDetails", 30)) == len(app.of("execDetails", -1)))
    app.reqCompletedOrders(False)
    checks.that("completed orders end", until(lambda: app.got["completedOrdersEnd"]))
    checks.equal("completed orders", len(app.got["completedOrder"]), 4)
    cancel_all(app)
    gone = until(lambda: all("Cancelled" in app.statuses(number + i) for i in range(4)))
    checks.that("global cancel", gone)
    return number + 4


def account(app: App, es: Contract) -> None:
    app.reqAccountUpdates(True, "")
    checks.that("account download ends", until(lambda: app.got["accountDownloadEnd"]))
    checks.that("values", {"NetLiquidation", "RealizedPnL"} <= {a[0] for a in app.got["updateAccountValue"]})
    app.reqAccountSummary(40, "All", "NetLiquidation,BuyingPower")
    until(lambda: app.of("accountSummaryEnd", 40))
    checks.equal("summary", {a[2] for a in app.of("accountSummary", 40)}, {"NetLiquidation", "BuyingPower"})
    name = app.got["managedAccounts"][0][0]
    app.reqPnL(41, name, "")
    app.reqPnLSingle(42, name, "", es.conId)
    checks.that("profit and loss", until(lambda: app.of("pnl", 41) and app.of("pnlSingle", 42)))


def faults(app: App, es: Contract, ask: float, number: int) -> None:
    cancel(app, 4711)
    checks.that("no such order", until(lambda: 10147 in app.codes()), app.codes())
    ctl(CONTROL, "reject-next", code=201)
    app.placeOrder(number, es, order("BUY", 1, "LMT", lmtPrice=ask - 100))
    checks.that("refused on command", until(lambda: 201 in app.codes()), app.codes())
    ctl(CONTROL, "drop-link", data_lost=True)
    checks.that("link lost", until(lambda: 1100 in app.codes()))
    app.placeOrder(number + 1, es, order("BUY", 1, "LMT", lmtPrice=ask - 100, tif="GTC"))
    time.sleep(0.2)
    checks.equal("an order into the dark is unknown", app.statuses(number + 1), [])
    ctl(CONTROL, "restore")
    checks.that("data lost", until(lambda: 1101 in app.codes()))
    checks.that("then it is known", until(lambda: "Submitted" in app.statuses(number + 1)))
    before = len(app.of("tickPrice", 10))
    time.sleep(0.3)
    checks.equal("the stream is gone", len(app.of("tickPrice", 10)), before)
    app.reqMktData(10, es, "", False, False, [])
    checks.that("and comes when asked again", until(lambda: len(app.of("tickPrice", 10)) > before))
    second = connect(app.clientId)
    checks.that("a taken client id", 326 in second.codes(), second.codes())
    second.disconnect()


def main() -> None:
    app = connect(7)
    checks.equal("server version", app.serverVersion(), EXPECTED_VERSION)
    es = contracts(app)
    ask = data(app, es)
    number = trading(app, es, ask)
    number = lists(app, es, ask, number)
    account(app, es)
    history(app, es)
    faults(app, es, ask, number)
    app.disconnect()


main()
checks.print()
