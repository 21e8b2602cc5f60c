"""The order socket on IBKR: what the guardian sends, and what the broker says, unembellished.

How it moves: instructions go out through the session's thread, each once. What comes back is taken from the
wire itself, never from the library's idea of it (it calls a live order cancelled after an error). Orders are
known by our ref and by permId, which outlives client ids and restarts; an answer to `query` is one snapshot
of positions, open orders of every client and today's executions.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession, execution_filter
from mia_kernel.adapters.ibkr_wire import (
    NS,
    UNSET,
    front,
    known_symbol,
    rests_of,
    status_of,
    ticks,
    to_wire,
    type_of,
)
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.venue import (
    Cancel,
    Commission,
    Fill,
    Holding,
    Instruction,
    Link,
    Modify,
    Place,
    Snapshot,
    Top,
    Trouble,
    VenueEvent,
    VenueOrder,
    WireOrder,
)

PRIMARY, SYMBOLS = "ES", ("ES", "MES")
READY_S = 30.0
NOTICES = frozenset((161, 202, 399, 404, 434, 492, 10147, 10148, 10167, 10349, *range(2100, 2200)))
"""Codes about an order that do not say that a new one was refused."""

LINK_CODES = frozenset((326, 1100, 1101, 1102, 1300, *range(2100, 2170)))


def open_socket(kind: str, host: str, port: int, *, client_id: int = 999, account: str = "") -> Broker:
    """Return the connected order socket of a gateway.

    Parameters
    ----------
    kind : str
        `ibkr`, or `gateway` for the simulated one.
    client_id : int
        Wanted; one below is taken where it is in use.
    account : str
        Orders name it; empty where the login has a single one.

    Raises
    ------
    OutsideError
        If there is no session within half a minute.
    """
    session = IbkrSession(Address(kind, host, port), range(client_id, max(client_id - 6, 0), -1))
    broker = Broker(session, account)
    session.start()
    try:
        session.wait_ready(READY_S)
    except OutsideError:
        session.close()
        raise
    return broker


@dataclass
class _Known:
    """One order as far as the wire has told it."""

    order_id: int
    client_id: int
    ref: str
    symbol: str
    side: int
    qty: int
    type: str
    perm_id: int = 0
    parent_id: int = 0
    limit: float = UNSET
    stop: float = UNSET
    outside_rth: bool = False
    filled: int = 0
    word: str = ""
    why_held: str = ""
    reason: str = ""
    told: tuple[object, ...] = ()


@dataclass
class _Query:
    """A snapshot under way."""

    number: int
    request: int
    orders: set[int] = field(default_factory=set)
    fills: dict[str, Fill] = field(default_factory=dict)
    holdings: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=lambda: {"positions", "orders", "fills"})


class Broker:
    """An `OrderSocket` (core.venue) over a session, which it listens to.

    Parameters
    ----------
    session : IbkrSession
        Not yet started.
    account : str
    """

    def __init__(self, session: IbkrSession, account: str = "") -> None:
        self.session = session
        self.account = account
        self.name = session.name_for_people
        self._events: deque[VenueEvent] = deque()
        self._came = threading.Event()
        self._by_id: dict[tuple[int, int], _Known] = {}
        self._by_perm: dict[int, _Known] = {}
        self._early: dict[int, tuple[Any, ...]] = {}
        self._contracts: dict[str, Any] = {}
        self._asked: dict[int, str] = {}
        self._query: _Query | None = None
        self._fees: dict[str, Decimal] = {}
        self._tops: dict[str, list[Any]] = {}
        self._equity: Decimal | None = None
        session.add(self)

    # -- what the guardian calls -------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker itself is reached and the contracts are known."""
        return self.session.connected and PRIMARY in self._contracts

    @property
    def accounts(self) -> tuple[str, ...]:
        """Account ids as the broker reports them."""
        return self.session.accounts

    def now_ns(self) -> int:
        """Return the venue's time."""
        return self.session.clock.now_ns()

    def wait(self, timeout_s: float) -> None:
        """Return at once when an event has come, else after `timeout_s`."""
        self._came.wait(timeout_s)
        self._came.clear()

    def submit(self, instructions: Sequence[Instruction]) -> None:
        """Send, once.

        Raises
        ------
        OutsideError
            If the broker is not reached or an order cannot be written; then nothing was sent.
        """
        if not self.connected:
            raise OutsideError(f"{self.name}: not connected ({self.session.reason}); nothing was sent")
        self.session.now(lambda: self._send(instructions))

    def query(self, query_id: int) -> None:
        """Ask for a snapshot; a later question replaces an earlier one."""
        if not self.session.connected:
            raise OutsideError(f"{self.name}: not connected ({self.session.reason}); nothing was asked")
        self.session.call(lambda: self._ask(query_id))

    def reports(self) -> list[VenueEvent]:
        """Hand over and forget what has come, in order."""
        out: list[VenueEvent] = []
        while self._events:
            out.append(self._events.popleft())
        return out

    def top_of_book(self, symbol: str) -> Top | None:
        """Return the newest quote; None before the first."""
        known = self._tops.get(symbol)
        if known is None or known[2] is None:
            return None
        return Top(known[0], known[1], max(0.0, (self.now_ns() - known[2]) / NS))

    def equity_usd(self) -> Decimal | None:
        """Return the account's net liquidation; None before the broker says it."""
        return self._equity

    def close(self) -> None:
        """End the session; orders stay where they are."""
        self.session.close()

    # -- out, in the session's thread --------------------------------------------------------------

    def _send(self, instructions: Sequence[Instruction]) -> None:
        if not self.connected:
            raise OutsideError(f"{self.name}: not connected ({self.session.reason}); nothing was sent")
        for instruction in instructions:  # what cannot be written stops all of it before the first byte
            if isinstance(instruction, Place):
                unknown = [o.symbol for o in instruction.orders if o.symbol not in self._contracts]
                if unknown:
                    raise OutsideError(f"{self.name}: no contract of {unknown[0]} is known; nothing was sent")
        for instruction in instructions:
            if isinstance(instruction, Place):
                self._place(instruction)
            elif isinstance(instruction, Modify):
                self._modify(instruction.order)
            else:
                self._cancel(instruction)

    def _place(self, place: Place) -> None:
        ids = {order.ref: self.session.next_id() for order in place.orders}
        for order in place.orders:
            parent = ids.get(order.parent or "") or self._id_of_ref(order.parent)
            known = _Known(
                order_id=ids[order.ref], client_id=self.session.client_id, ref=order.ref, symbol=order.symbol,
                side=order.side, qty=order.qty, type=order.type.value, parent_id=parent,
            )  # fmt: skip
            self._by_id[known.client_id, known.order_id] = known
            self._write(known, order, transmit=order is place.orders[-1])

    def _write(self, known: _Known, order: WireOrder, *, transmit: bool) -> None:
        wire = to_wire(order, known.parent_id, self.account, transmit=transmit)
        known.type, known.limit, known.stop = wire.orderType, wire.lmtPrice, wire.auxPrice
        known.outside_rth = order.outside_rth
        self.session.client.placeOrder(known.order_id, self._contracts[order.symbol], wire)

    def _modify(self, order: WireOrder) -> None:
        known = self._of_ref(order.ref)
        if known is None or known.client_id != self.session.client_id:
            self._say(Trouble(10147, "not an order of this client: it cannot be changed here", order.ref))
            return
        self._write(known, order, transmit=True)

    def _cancel(self, cancel: Cancel) -> None:
        known = self._by_perm.get(cancel.perm_id) or self._of_ref(cancel.ref)
        if known is None:
            self._say(Trouble(10147, "order to cancel is not known to this session", cancel.ref))
            return
        self.session.client.cancelOrder(known.order_id)

    def _of_ref(self, ref: str | None) -> _Known | None:
        if not ref:
            return None
        found = [known for known in self._by_id.values() if known.ref == ref]
        return found[-1] if found else None

    def _id_of_ref(self, ref: str | None) -> int:
        known = self._of_ref(ref)
        return 0 if known is None else known.order_id

    def _ask(self, query_id: int) -> None:
        self._query = _Query(query_id, self.session.next_id())
        client = self.session.client
        client.reqPositions()
        client.reqAllOpenOrders()
        client.reqExecutions(self._query.request, execution_filter())

    # -- the session -------------------------------------------------------------------------------

    def on_up(self, session: IbkrSession) -> None:
        """Ask for the contracts, the quotes and the account of a fresh connection."""
        self._query = None
        self._asked.clear()
        for symbol in SYMBOLS:
            request = session.next_id()
            self._asked[request] = symbol
            session.client.reqContractDetails(request, front(symbol, session.clock.now_ns()))
        session.client.reqAccountUpdates(True, self.account or (session.accounts or ("",))[0])
        session.client.reqOpenOrders()

    def on_resubscribe(self, reason: str) -> None:
        """Ask for the quotes again where the data was lost."""
        if reason != "data_kept":
            for request in [r for r, symbol in self._asked.items() if symbol in self._tops]:
                self.session.client.cancelMktData(request)
                del self._asked[request]
            self._watch()

    def on_link(self, up: bool, reason: str, data_lost: bool) -> None:
        """Tell the guardian; what was asked is void."""
        if not up:
            self._query = None
        self._say(Link(up, reason, data_lost))

    def on_skew(self, seconds: float) -> None:
        """Tell a clock that is off; the guardian judges by how much."""
        if abs(seconds) > 0.25:
            self._say(Trouble(-2, f"clock off by {seconds:+.2f} s against the gateway"))

    def _watch(self) -> None:
        if PRIMARY in self._contracts:
            request = self.session.next_id()
            self._asked[request] = PRIMARY
            self._tops.setdefault(PRIMARY, [None, None, None])
            self.session.client.reqMktData(request, self._contracts[PRIMARY], "", False, False, [])

    # -- what the wire says ------------------------------------------------------------------------

    def on_contractDetails(self, request: int, details: Any) -> None:
        """Learn the contract of a symbol; of the first one the quotes are asked."""
        symbol = self._asked.pop(request, None)
        if symbol is None:
            return
        contract = details.contract
        contract.lastTradeDateOrContractMonth = contract.lastTradeDateOrContractMonth.split()[0]
        self._contracts[symbol] = contract
        if symbol == PRIMARY:
            self._watch()
            self._came.set()

    def on_priceSizeTick(self, request: int, kind: int, price: float, size: float) -> None:
        """Keep best bid (1) and ask (2)."""
        top = self._tops.get(self._asked.get(request, ""))
        if top is None or kind not in (1, 2):
            return
        top[kind - 1] = ticks(price) if size > 0 else None
        top[2] = self.now_ns()

    def on_tickSize(self, request: int, kind: int, size: float) -> None:
        """A changed size (0 bid, 3 ask) shows that the book lives."""
        top = self._tops.get(self._asked.get(request, ""))
        if top is not None and kind in (0, 3) and top[2] is not None:
            top[2] = self.now_ns()

    def on_updateAccountValue(self, key: str, value: str, currency: str, account: str) -> None:
        """Keep the net liquidation."""
        if key == "NetLiquidation" and currency in ("USD", "BASE", ""):
            self._equity = Decimal(value)

    def on_openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        """Take an order in full, of whatever client."""
        if order.whatIf:
            return
        known = self._by_perm.get(order.permId) or self._by_id.get((order.clientId, order_id))
        if known is None:
            known = _Known(order_id, order.clientId, order.orderRef, contract.symbol, 0, 0, "")
        if order.clientId == self.session.client_id:
            self.session.raise_id(order_id)
        known.order_id, known.client_id, known.ref = order_id, order.clientId, order.orderRef or known.ref
        known.symbol, known.side = contract.symbol, 1 if order.action == "BUY" else -1
        known.qty, known.type, known.parent_id = round(order.totalQuantity), order.orderType, order.parentId
        known.limit, known.stop, known.outside_rth = order.lmtPrice, order.auxPrice, order.outsideRth
        known.word = state.status or known.word
        if known.word == "Filled":
            known.filled = known.qty  # the status that says how much may come later, or not at all
        self._by_id[known.client_id, order_id] = known
        self._learn(known, order.permId)
        if self._query is not None:
            self._query.orders.add(known.perm_id)
        early = self._early.pop(known.perm_id, None)
        if early is not None:
            self.on_orderStatus(*early)
        self._tell(known)

    def on_orderStatus(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int,
        parent_id: int, last: float, client_id: int, why_held: str, cap: float = 0.0,
    ) -> None:  # fmt: skip
        """Take where an order stands."""
        known = self._by_perm.get(perm_id) or self._by_id.get((client_id, order_id))
        if known is None:
            self._early[perm_id] = (order_id, status, filled, remaining, average, perm_id, parent_id, last,
                                    client_id, why_held, cap)  # fmt: skip
            return
        self._learn(known, perm_id)
        known.word, known.why_held = status, why_held or ""
        known.filled = max(known.filled, round(filled))
        self._tell(known)

    def on_openOrderEnd(self) -> None:
        """The list of open orders is complete."""
        self._part("orders")

    def on_execDetails(self, request: int, contract: Any, execution: Any) -> None:
        """Take an execution, of now or of a query."""
        price = ticks(execution.price)
        if price is None or not known_symbol(contract.symbol):
            self._say(Trouble(-1, f"an execution in {contract.symbol} at {execution.price} is not accounted"))
            return
        fill = Fill(
            exec_id=execution.execId, perm_id=execution.permId, ref=execution.orderRef or "",
            symbol=contract.symbol, side=1 if execution.side == "BOT" else -1, qty=round(execution.shares),
            price_ticks=price, ts_event=round(execution.time.timestamp()) * NS,
            commission_usd=self._fees.get(execution.execId),
        )  # fmt: skip
        if self._query is not None and request == self._query.request:
            self._query.fills[fill.exec_id] = fill
        else:
            self._say(fill)

    def on_execDetailsEnd(self, request: int) -> None:
        """The list of executions is complete."""
        if self._query is not None and request == self._query.request:
            self._part("fills")

    def on_commissionReport(self, report: Any) -> None:
        """Take what an execution cost."""
        if not 0 <= report.commission < UNSET:
            return
        usd = Decimal(str(report.commission))
        if self._fees.get(report.execId) != usd:
            self._fees[report.execId] = usd
            self._say(Commission(report.execId, usd))

    def on_position(self, account: str, contract: Any, size: float, cost: float) -> None:
        """Take a position of a query."""
        if self._query is not None and contract.secType == "FUT" and known_symbol(contract.symbol):
            held = self._query.holdings
            held[contract.symbol] = held.get(contract.symbol, 0) + round(size)

    def on_positionEnd(self) -> None:
        """The list of positions is complete."""
        self._part("positions")

    def on_error(self, request: int, code: int, text: str, *_: Any) -> None:
        """Take a message about an order; a refusal of a new one ends it."""
        known = self._by_id.get((self.session.client_id, request)) if request > 0 else None
        if known is None:
            if code not in LINK_CODES:
                self._say(Trouble(code, text))
            return
        self._say(Trouble(code, text, known.ref))
        known.reason = f"{code} {text}"
        if not known.word and code not in NOTICES:
            known.word = "Inactive"
            self._tell(known)

    # -- together ----------------------------------------------------------------------------------

    def _learn(self, known: _Known, perm_id: int) -> None:
        if perm_id:
            known.perm_id = perm_id
            self._by_perm[perm_id] = known

    def _told(self, known: _Known) -> VenueOrder:
        status = status_of(known.word, known.filled, known.qty) if known.word else OrderStatus.SUBMITTED
        return VenueOrder(
            ref=known.ref, perm_id=known.perm_id, symbol=known.symbol, side=known.side, qty=known.qty,
            filled=known.filled, status=status, type=type_of(known.type), ts_event=self.now_ns(),
            limit_ticks=ticks(known.limit), stop_ticks=ticks(known.stop), rests=rests_of(known.word, known.why_held),
            outside_rth=known.outside_rth, reason=known.reason,
        )  # fmt: skip

    def _tell(self, known: _Known) -> None:
        told = (known.perm_id, known.qty, known.filled, known.word, known.why_held, known.limit, known.stop)
        if told != known.told:
            known.told = told
            self._say(self._told(known))

    def _part(self, name: str) -> None:
        query = self._query
        if query is None:
            return
        query.missing.discard(name)
        if query.missing:
            return
        self._query = None
        orders = tuple(
            told
            for perm_id in sorted(query.orders)
            if (told := self._told(self._by_perm[perm_id])).status in LIVE
        )
        self._say(
            Snapshot(
                query_id=query.number,
                holdings=tuple(Holding(symbol, qty) for symbol, qty in sorted(query.holdings.items()) if qty),
                orders=orders,
                fills=tuple(query.fills.values()),
                ts_event=self.now_ns(),
            )
        )

    def _say(self, event: VenueEvent) -> None:
        self._events.append(event)
        self._came.set()


LIVE = (OrderStatus.SUBMITTED, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCEL_PENDING)
