"""The order socket on IBKR: what the guardian sends, and what the broker says, unembellished.

How it moves: instructions go out through the session's thread, each once. What comes back is taken from the
wire itself, never from the library's idea of it (it calls a live order cancelled after an error). Orders are
known by our ref and by permId, which outlives client ids and restarts; an answer to `query` is one snapshot
of positions, open orders of every client and today's executions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mia_kernel.adapters.bell import Bell
from mia_kernel.adapters.ibkr_hear import Hearing, Known
from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.ibkr_wire import NS, code_of, front, ticks, to_wire
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.venue import (
    CLOCK,
    HALTED,
    Cancel,
    Instruction,
    Link,
    Modify,
    Place,
    Top,
    Trouble,
    VenueEvent,
    WireOrder,
)

PRIMARY, SYMBOLS = "ES", ("ES", "MES")
READY_S = 30.0
HALT_TICK = 49


def open_socket(kind: str, host: str, port: int, *, client_id: int = 999, account: str = "") -> Broker:
    """Return the connected order socket of a gateway.

    Raises
    ------
    OutsideError
        If there is no session within half a minute.
    """
    broker = begin_socket(kind, host, port, client_id=client_id, account=account)
    broker.ready()
    return broker


def begin_socket(kind: str, host: str, port: int, *, client_id: int = 999, account: str = "") -> Broker:
    """Return the order socket of a gateway, which is connecting; `ready` waits for it.

    Parameters
    ----------
    kind : str
        `ibkr`, or `gateway` for the simulated one.
    client_id : int
        Wanted; one below is taken where it is in use.
    account : str
        Orders name it; empty where the login has a single one.
    """
    session = IbkrSession(Address(kind, host, port), range(client_id, max(client_id - 6, 0), -1))
    broker = Broker(session, account)
    session.start()
    return broker


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
        self._bell = Bell()
        self._contracts: dict[str, Any] = {}
        self._asked: dict[int, str] = {}
        self._tops: dict[str, list[Any]] = {}  # bid, ask, time: as a packet changes them
        self._shown: dict[str, tuple[Any, ...]] = {}  # the same when the packet is through
        self._equity: Decimal | None = None
        self._halted = False
        self.heard = Hearing(session, self._say)
        session.add(self)

    # -- what the guardian calls -------------------------------------------------------------------

    def ready(self, timeout_s: float = READY_S) -> None:
        """Wait for the first session; without one the socket is closed.

        Raises
        ------
        OutsideError
            If there is no session in time.
        """
        try:
            self.session.wait_ready(timeout_s)
        except OutsideError:
            self.close()
            raise

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
        self._bell.wait(timeout_s)

    @property
    def bell(self) -> int | None:
        """File descriptor that can be read when something has come; `wait` reads it."""
        return self._bell.fileno()

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
        self.session.call(lambda: self.heard.ask(query_id))

    def reports(self) -> list[VenueEvent]:
        """Hand over and forget what has come, in order."""
        out: list[VenueEvent] = []
        while self._events:
            out.append(self._events.popleft())
        return out

    def top_of_book(self, symbol: str) -> Top | None:
        """Return the newest quote; None before the first."""
        known = self._shown.get(symbol)
        if known is None or known[2] is None:
            return None
        return Top(known[0], known[1], max(0.0, (self.now_ns() - known[2]) / NS))

    def contract(self, symbol: str) -> str | None:
        """Return the code of the contract that orders in `symbol` go to; None before the broker told it."""
        known = self._contracts.get(symbol)
        return None if known is None else code_of(symbol, known.lastTradeDateOrContractMonth)

    def equity_usd(self) -> Decimal | None:
        """Return the account's net liquidation; None before the broker says it."""
        return self._equity

    def close(self) -> None:
        """End the session; orders stay where they are."""
        self.session.close()
        self._bell.close()

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
            known = Known(
                order_id=ids[order.ref], client_id=self.session.client_id, ref=order.ref, symbol=order.symbol,
                side=order.side, qty=order.qty, type=order.type.value, parent_id=parent,
            )  # fmt: skip
            self.heard.by_id[known.client_id, known.order_id] = known
            self._write(known, order, transmit=order is place.orders[-1])

    def _write(self, known: Known, order: WireOrder, *, transmit: bool) -> None:
        wire = to_wire(order, known.parent_id, self.account, transmit=transmit)
        known.type, known.limit, known.stop = wire.orderType, wire.lmtPrice, wire.auxPrice
        known.outside_rth = order.outside_rth
        self.session.client.placeOrder(known.order_id, self._contracts[order.symbol], wire)

    def _modify(self, order: WireOrder) -> None:
        known = self.heard.of_ref(order.ref)
        if known is None or known.client_id != self.session.client_id:
            self._say(Trouble(10147, "not an order of this client: it cannot be changed here", order.ref))
            return
        self._write(known, order, transmit=True)

    def _cancel(self, cancel: Cancel) -> None:
        known = self.heard.by_perm.get(cancel.perm_id) or self.heard.of_ref(cancel.ref)
        if known is None:
            self._say(Trouble(10147, "order to cancel is not known to this session", cancel.ref))
            return
        self.session.client.cancelOrder(known.order_id)

    def _id_of_ref(self, ref: str | None) -> int:
        known = self.heard.of_ref(ref)
        return 0 if known is None else known.order_id

    # -- the session -------------------------------------------------------------------------------

    def on_up(self, session: IbkrSession) -> None:
        """Ask for the contracts, the quotes and the account of a fresh connection."""
        self._asked.clear()
        for symbol in SYMBOLS:
            request = session.next_id()
            self._asked[request] = symbol
            session.client.reqContractDetails(request, front(symbol, session.clock.now_ns()))
        session.client.reqAccountUpdates(True, self.account or (session.accounts or ("",))[0])
        self.heard.fresh()

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
            self.heard.void()
        self._say(Link(up, reason, data_lost))

    def on_skew(self, seconds: float) -> None:
        """Tell a clock that is off; the guardian judges by how much."""
        if abs(seconds) > 0.25:
            self._say(Trouble(CLOCK, f"clock off by {seconds:+.2f} s against the gateway", value=seconds))

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
            self._bell.ring()

    def on_priceSizeTick(self, request: int, kind: int, price: float, size: float) -> None:
        """Keep best bid (1) and ask (2); a print shows that the quotes it met still stand."""
        top = self._tops.get(self._asked.get(request, ""))
        if top is None:
            return
        if kind in (1, 2):
            top[kind - 1] = ticks(price) if size > 0 else None
        elif top[2] is None:
            return
        top[2] = self.now_ns()

    def on_tickSize(self, request: int, kind: int, size: float) -> None:
        """A changed size, or a growing volume, shows that the quotes live: only changes are told."""
        top = self._tops.get(self._asked.get(request, ""))
        if top is not None and top[2] is not None:
            top[2] = self.now_ns()

    def on_tickGeneric(self, request: int, kind: int, value: float) -> None:
        """Tell a halt of the exchange (tick 49: 1 general, 2 volatility) and its end as an event."""
        if kind != HALT_TICK or self._asked.get(request) != PRIMARY or (value > 0) == self._halted:
            return
        self._halted = value > 0
        text = "the exchange has halted trading" if self._halted else "the exchange has ended its halt"
        self._say(Trouble(HALTED, text, value=float(self._halted)))

    def on_tcpDataProcessed(self) -> None:
        """A packet is through: its bid and ask belong together."""
        for symbol, top in self._tops.items():
            shown = tuple(top)
            if self._shown.get(symbol, ())[:2] != shown[:2]:
                self._bell.ring()  # a price that breaks a limit is looked at when it comes
            self._shown[symbol] = shown

    def on_updateAccountValue(self, key: str, value: str, currency: str, account: str) -> None:
        """Keep the net liquidation."""
        if key == "NetLiquidation" and currency in ("USD", "BASE", ""):
            self._equity = Decimal(value)

    def _say(self, event: VenueEvent) -> None:
        self._events.append(event)
        self._bell.ring()
