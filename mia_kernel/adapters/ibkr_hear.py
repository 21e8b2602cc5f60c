"""What the wire says about orders, executions and positions, joined to our words.

How it moves: every message updates what is known of its order and, if that changed something, is told on as
an event. Nothing is concluded from an error about an order that is alive: only the venue ends an order. While
a query runs, what belongs to it is kept apart and told as one snapshot when all three lists have ended. Once a
second the open orders of every client are asked for besides: nobody pushes an order that was typed in by hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mia_kernel.adapters.ibkr_session import IbkrSession, execution_filter
from mia_kernel.adapters.ibkr_wire import NS, UNSET, known_symbol, rests_of, status_of, ticks, type_of
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.venue import Commission, Fill, Holding, Snapshot, Trouble, VenueEvent, VenueOrder

LIVE = (OrderStatus.SUBMITTED, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCEL_PENDING)
NOTICES = frozenset((161, 202, 399, 404, 434, 492, 10147, 10148, 10167, 10349, *range(2100, 2200)))
"""Codes about an order that do not say that a new one was refused."""

LINK_CODES = frozenset((326, 1100, 1101, 1102, 1300, *range(2100, 2170)))


@dataclass
class Known:
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


Held = tuple[str, int]
"""Account and contract number, by which a position is told anew when it changes."""


@dataclass
class Query:
    """A snapshot under way."""

    number: int
    request: int
    orders: set[int] = field(default_factory=set)
    fills: dict[str, Fill] = field(default_factory=dict)
    holdings: dict[Held, tuple[str, int]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=lambda: {"positions", "orders", "fills"})


class Hearing:
    """The orders of one account as the wire has told them.

    Parameters
    ----------
    session : IbkrSession
        Not yet started.
    say : callable
        Takes every event, in the session's thread.
    """

    def __init__(self, session: IbkrSession, say: Callable[[VenueEvent], None]) -> None:
        self.session = session
        self.say = say
        self.by_id: dict[tuple[int, int], Known] = {}
        self.by_perm: dict[int, Known] = {}
        self.query: Query | None = None
        # lists of open orders asked for and not ended: of which query, 0 of none
        self._lists: deque[int] = deque()
        self._early: dict[int, tuple[Any, ...]] = {}
        self._fees: dict[str, Decimal] = {}
        self._holdings: dict[Held, tuple[str, int]] = {}
        session.add(self)

    def of_ref(self, ref: str | None) -> Known | None:
        """Return the newest order of a ref."""
        if not ref:
            return None
        found = [known for known in self.by_id.values() if known.ref == ref]
        return found[-1] if found else None

    def ask(self, query_id: int) -> None:
        """Ask for positions, open orders of every client and today's executions."""
        if self.query is not None:
            self._lists.clear()  # one that never ended must not put off all later ones
        self.query = Query(query_id, self.session.next_id())
        client = self.session.client
        client.reqPositions()
        self._lists.append(query_id)
        client.reqAllOpenOrders()
        client.reqExecutions(self.query.request, execution_filter())

    def fresh(self) -> None:
        """Begin on a fresh connection: ask for the orders of this client, which binds them to it."""
        self.void()
        self._lists.append(0)
        self.session.client.reqOpenOrders()

    def void(self) -> None:
        """Forget what was asked: the link was lost."""
        self.query = None
        self._lists.clear()

    def on_probe(self) -> None:
        """Look whether somebody has placed an order elsewhere; one message a second of the fifty allowed."""
        if self.query is None and not self._lists:
            self._lists.append(0)
            self.session.client.reqAllOpenOrders()

    def on_openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        """Take an order in full, of whatever client."""
        if order.whatIf:
            return
        known = self.by_perm.get(order.permId) or self.by_id.get((order.clientId, order_id))
        if known is None:
            known = Known(order_id, order.clientId, order.orderRef, contract.symbol, 0, 0, "")
        if order.clientId == self.session.client_id:
            self.session.raise_id(order_id)
        known.order_id, known.client_id, known.ref = order_id, order.clientId, order.orderRef or known.ref
        known.symbol, known.side = contract.symbol, 1 if order.action == "BUY" else -1
        known.qty, known.type, known.parent_id = round(order.totalQuantity), order.orderType, order.parentId
        known.limit, known.stop, known.outside_rth = order.lmtPrice, order.auxPrice, order.outsideRth
        known.word = state.status or known.word
        if known.word == "Filled":
            known.filled = known.qty  # the status that says how much may come later, or not at all
        self.by_id[known.client_id, order_id] = known
        self._learn(known, order.permId)
        if self.query is not None:
            self.query.orders.add(known.perm_id)
        early = self._early.pop(known.perm_id, None)
        if early is not None:
            self.on_orderStatus(*early)
        self._tell(known)

    def on_orderStatus(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int,
        parent_id: int, last: float, client_id: int, why_held: str, cap: float = 0.0,
    ) -> None:  # fmt: skip
        """Take where an order stands."""
        known = self.by_perm.get(perm_id) or self.by_id.get((client_id, order_id))
        if known is None:
            self._early[perm_id] = (order_id, status, filled, remaining, average, perm_id, parent_id, last,
                                    client_id, why_held, cap)  # fmt: skip
            return
        self._learn(known, perm_id)
        known.word, known.why_held = status, why_held or ""
        known.filled = max(known.filled, round(filled))
        self._tell(known)

    def on_openOrderEnd(self) -> None:
        """A list of open orders is complete: it is the query's only if no other one was asked for before it."""
        number = self._lists.popleft() if self._lists else 0
        if self.query is not None and number == self.query.number:
            self._part("orders")

    def on_execDetails(self, request: int, contract: Any, execution: Any) -> None:
        """Take an execution, of now or of a query."""
        price = ticks(execution.price)
        if price is None or not known_symbol(contract.symbol):
            self.say(Trouble(-1, f"an execution in {contract.symbol} at {execution.price} is not accounted"))
            return
        fill = Fill(
            exec_id=execution.execId, perm_id=execution.permId, ref=execution.orderRef or "",
            symbol=contract.symbol, side=1 if execution.side == "BOT" else -1, qty=round(execution.shares),
            price_ticks=price, ts_event=self._within(round(execution.time.timestamp())),
            commission_usd=self._fees.get(execution.execId),
        )  # fmt: skip
        if self.query is not None and request == self.query.request:
            self.query.fills[fill.exec_id] = fill
        else:
            self.say(fill)

    def _within(self, second: int) -> int:
        """Return now, held inside the whole second in which the venue says that something was."""
        return min(max(self.session.clock.now_ns(), second * NS), second * NS + NS - 1)

    def on_execDetailsEnd(self, request: int) -> None:
        """The list of executions is complete."""
        if self.query is not None and request == self.query.request:
            self._part("fills")

    def on_commissionReport(self, report: Any) -> None:
        """Take what an execution cost."""
        if not 0 <= report.commission < UNSET:
            return
        usd = Decimal(str(report.commission))
        if self._fees.get(report.execId) != usd:
            self._fees[report.execId] = usd
            self.say(Commission(report.execId, usd))

    def on_position(self, account: str, contract: Any, size: float, cost: float) -> None:
        """Take a position: of a query, or pushed because it changed, by whoever's hand."""
        if contract.secType != "FUT" or not known_symbol(contract.symbol):
            return
        key, row = (account, contract.conId), (contract.symbol, round(size))
        if self.query is not None and "positions" in self.query.missing:
            self.query.holdings[key] = row
            return
        self._holdings[key] = row
        self.say(Holding(contract.symbol, _totals(self._holdings).get(contract.symbol, 0)))

    def on_positionEnd(self) -> None:
        """The list of positions is complete."""
        if self.query is not None and "positions" in self.query.missing:
            self._holdings = dict(self.query.holdings)
        self._part("positions")

    def on_error(self, request: int, code: int, text: str, *_: Any) -> None:
        """Take a message about an order; a refusal of a new one ends it."""
        known = self.by_id.get((self.session.client_id, request)) if request > 0 else None
        if known is None:
            if code not in LINK_CODES:
                self.say(Trouble(code, text))
            return
        self.say(Trouble(code, text, known.ref))
        known.reason = f"{code} {text}"
        if not known.word and code not in NOTICES:
            known.word = "Inactive"
            self._tell(known)

    # -- together ----------------------------------------------------------------------------------

    def _learn(self, known: Known, perm_id: int) -> None:
        if perm_id:
            known.perm_id = perm_id
            self.by_perm[perm_id] = known

    def _told(self, known: Known) -> VenueOrder:
        status = status_of(known.word, known.filled, known.qty) if known.word else OrderStatus.SUBMITTED
        return VenueOrder(
            ref=known.ref, perm_id=known.perm_id, symbol=known.symbol, side=known.side, qty=known.qty,
            filled=known.filled, status=status, type=type_of(known.type), ts_event=self.session.clock.now_ns(),
            limit_ticks=ticks(known.limit), stop_ticks=ticks(known.stop), rests=rests_of(known.word, known.why_held),
            outside_rth=known.outside_rth, reason=known.reason,
        )  # fmt: skip

    def _tell(self, known: Known) -> None:
        told = (known.perm_id, known.qty, known.filled, known.word, known.why_held, known.limit, known.stop)
        if told != known.told:
            known.told = told
            self.say(self._told(known))

    def _part(self, name: str) -> None:
        query = self.query
        if query is None:
            return
        query.missing.discard(name)
        if query.missing:
            return
        self.query = None
        orders = tuple(
            told
            for perm_id in sorted(query.orders)
            if (told := self._told(self.by_perm[perm_id])).status in LIVE
        )
        self.say(
            Snapshot(
                query_id=query.number,
                holdings=tuple(
                    Holding(symbol, qty) for symbol, qty in sorted(_totals(self._holdings).items()) if qty
                ),
                orders=orders,
                fills=tuple(query.fills.values()),
                ts_event=self.session.clock.now_ns(),
            )
        )


def _totals(holdings: dict[Held, tuple[str, int]]) -> dict[str, int]:
    """Return signed contracts by symbol over accounts and months."""
    out: dict[str, int] = {}
    for symbol, qty in holdings.values():
        out[symbol] = out.get(symbol, 0) + qty
    return out
