"""Market data of IBKR as event rows: level 1, depth, tick by tick, five-second bars.

How it moves: messages of the wire become rows of the inbox in the order they came. Depth changes level by
level; a book row is made once per packet, when the whole of it was applied, and before every print. Prints
come tick by tick, stamped by the exchange in whole seconds: the arrival is taken, held inside that second.
Where tick-by-tick is refused, prints come from the level-1 volume string, and the source says so; five-second
bars count what was traded, so that missing prints show. Nothing is filled in: a side that is gone is gone. A number
that cannot be (no number, unset, below zero, off the grid) is counted and dropped; where it was a row of the depth, the
rows behind it are no longer known: the depth is left, and asked for again a little later.

Level 1 makes quote rows only while there is no depth: it is a snapshot every 250 ms and would contradict it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mia_kernel.adapters.ibkr_depth import DELETE, Depth
from mia_kernel.adapters.ibkr_numbers import Counts
from mia_kernel.adapters.ibkr_params import IbkrParams
from mia_kernel.adapters.ibkr_session import IbkrSession, contract_of
from mia_kernel.adapters.ibkr_wire import NS, UNSET, future
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.contract import Contract, calendar_front
from mia_kernel.core.events import (
    PRIMARY,
    QUOTE,
    SECOND,
    SIDE_TICK_RULE,
    TIMER,
    TRADE,
    VIX,
    EventArray,
    empty,
)
from mia_kernel.core.session import trading_day_of

QUIET_S = 0.25
"""After so long without a row a TIMER row says that time passes; it is recorded and replayed."""

RESET = 317
TICK_REFUSED = frozenset((10189, 10190))
DEPTH_REFUSED = frozenset((309, 10092, 354, 10089, 10090))
DATA_REFUSED = frozenset((200, 354, 10089, 10090, 10091, 10168, 10197))
VOLUME_STRING = 48
_BAR_S = 5
DEPTH_AGAIN_S = 5.0
"""So long a depth that told an impossible row is left alone: a feed that goes on so must not use up the pace."""


@dataclass
class _Line:
    """One subscription: a request number, what it is, of which instrument."""

    what: str
    place: int


class IbkrFeed:
    """Listens to a session and fills an inbox.

    Parameters
    ----------
    session : IbkrSession
        Not yet started; of the data client id.
    inbox : Inbox
        With the session's clock as its stamp.
    params : IbkrParams
    contract : Contract, optional
        The ES contract of the session; default the calendar's front when the first connection stands.
    """

    def __init__(
        self, session: IbkrSession, inbox: Inbox, params: IbkrParams, contract: Contract | None = None
    ) -> None:
        self.session = session
        self.inbox = inbox
        self.params = params
        self.contract = contract
        self.counts = Counts()
        self.depth_live = False
        self.tick_by_tick = {PRIMARY: True, SECOND: True}
        self.refused: dict[int, str] = {}
        """Instruments beside the traded one that the broker gives no data of, and what it said."""
        self._lines: dict[int, _Line] = {}
        self._contracts: dict[int, Any] = {}
        self._depth = Depth()
        self._quote = [0, 0, 0, 0]
        self._last_row_ns = 0
        self._depth_again_ns: int | None = None
        session.add(self)

    # -- what the loop calls -----------------------------------------------------------------------

    def tick(self) -> None:
        """Say that time passes where nothing else did; called by a timer of the loop."""
        now = self.session.clock.now_ns()
        if now - self._last_row_ns >= QUIET_S * NS * self.session.clock.speed:
            row = empty(1)
            row["kind"], row["ts_event"] = TIMER, now
            self._give(row, now)
        if self._depth_again_ns is not None and now >= self._depth_again_ns and PRIMARY in self._contracts:
            self._ask_depth()

    # -- the session -------------------------------------------------------------------------------

    def on_up(self, session: IbkrSession) -> None:
        """Ask for the contracts of a fresh connection; each is subscribed once it is known."""
        self._lines.clear()
        self._contracts.clear()
        self._forget_book()
        day = trading_day_of(session.clock.now_ns())
        self.contract = self.contract or calendar_front("ES", day)
        wanted = {PRIMARY: future("ES", self.contract.code)}
        if self.params.second:
            wanted[SECOND] = future("NQ", calendar_front("NQ", day).code)
        if self.params.vix:
            wanted[VIX] = contract_of("IND", symbol="VIX", exchange="CBOE", currency="USD")
        for place, contract in wanted.items():
            self._ask(
                "contract", place, lambda request, c=contract: session.client.reqContractDetails(request, c)
            )

    def on_resubscribe(self, reason: str) -> None:
        """Subscribe anew where data was lost (1101) or a farm came back; 1102 has kept everything."""
        if reason == "data_kept":
            return
        self.counts.resubscribed += 1
        self._cancel_all()
        self._forget_book()
        for place in tuple(self._contracts):
            self._subscribe(place)

    def on_down(self, reason: str) -> None:
        """A book that nobody updates any more is no book."""
        self._depth_again_ns = None
        self._forget_book()

    def _ask(self, what: str, place: int, send: Any) -> None:
        request = self.session.next_id()
        self._lines[request] = _Line(what, place)
        send(request)

    def _subscribe(self, place: int) -> None:
        client, contract = self.session.client, self._contracts[place]
        generic = "233" if place in self.tick_by_tick and not self.tick_by_tick[place] else ""
        self._ask("level1", place, lambda r: client.reqMktData(r, contract, generic, False, False, []))
        if place == VIX:
            return
        if self.tick_by_tick[place]:
            self._ask("ticks", place, lambda r: client.reqTickByTickData(r, contract, "AllLast", 0, False))
        if place == PRIMARY:
            self._ask_depth()
            self._ask(
                "bars", place, lambda r: client.reqRealTimeBars(r, contract, _BAR_S, "TRADES", False, [])
            )

    def _ask_depth(self) -> None:
        self._depth_again_ns = None
        contract, rows = self._contracts[PRIMARY], self.params.depth_rows
        self._ask("depth", PRIMARY, lambda r: self.session.client.reqMktDepth(r, contract, rows, False, []))

    def _leave_depth(self, request: int) -> None:
        """Forget a book that can no longer be known, and ask for it again later."""
        self.counts.depth_left += 1
        self.session.client.cancelMktDepth(request, False)
        del self._lines[request]
        self._forget_book()
        wait = DEPTH_AGAIN_S * NS * self.session.clock.speed
        self._depth_again_ns = self.session.clock.now_ns() + round(wait)

    def _cancel_all(self) -> None:
        client = self.session.client
        for request, line in self._lines.items():
            if line.what == "level1":
                client.cancelMktData(request)
            elif line.what == "ticks":
                client.cancelTickByTickData(request)
            elif line.what == "depth":
                client.cancelMktDepth(request, False)
            elif line.what == "bars":
                client.cancelRealTimeBars(request)
        self._lines.clear()

    def _line(self, request: int, what: str) -> _Line | None:
        line = self._lines.get(request)
        return line if line is not None and line.what == what else None

    # -- what the wire says ------------------------------------------------------------------------

    def on_contractDetails(self, request: int, details: Any) -> None:
        """Learn a contract and subscribe it."""
        line = self._line(request, "contract")
        if line is None:
            return
        del self._lines[request]
        contract = details.contract
        contract.lastTradeDateOrContractMonth = contract.lastTradeDateOrContractMonth.split(" ")[0]
        self._contracts[line.place] = contract
        self._subscribe(line.place)

    def on_error(self, request: int, code: int, text: str, *_: Any) -> None:
        """Clear a reset book; go on without what is refused."""
        line = self._lines.get(request)
        if line is None:
            return
        if line.place != PRIMARY and line.what in ("contract", "level1") and code in DATA_REFUSED:
            self.refused[line.place] = f"{code} {text}"
        elif code == RESET and line.what == "depth":
            self.counts.resets += 1
            self._forget_book()
        elif line.what == "ticks" and code in TICK_REFUSED:
            self.tick_by_tick[line.place] = False
            del self._lines[request]
            self._resubscribe_level1(line.place)
        elif line.what == "depth" and code in DEPTH_REFUSED:
            self._forget_book()
            del self._lines[request]

    def _resubscribe_level1(self, place: int) -> None:
        for request, line in tuple(self._lines.items()):
            if line.what == "level1" and line.place == place:
                self.session.client.cancelMktData(request)
                del self._lines[request]
        client, contract = self.session.client, self._contracts[place]
        self._ask("level1", place, lambda r: client.reqMktData(r, contract, "233", False, False, []))

    def on_updateMktDepth(
        self, request: int, at: int, operation: int, side: int, price: float, size: float
    ) -> None:
        """Apply one change of a level."""
        if self._line(request, "depth") is None:
            return
        ticks = self.counts.ticks(price, PRIMARY) if operation != DELETE else 0
        contracts = self.counts.size(size) if operation != DELETE else 0
        if ticks is None or contracts is None:
            self._leave_depth(request)
        elif not self._depth.change(at, operation, side, ticks, contracts):
            self.counts.unknown_level += 1

    def on_updateMktDepthL2(
        self,
        request: int,
        at: int,
        maker: str,
        operation: int,
        side: int,
        price: float,
        size: float,
        smart: bool = False,
    ) -> None:
        """Apply one change of a level, told with its exchange."""
        self.on_updateMktDepth(request, at, operation, side, price, size)

    def on_tcpDataProcessed(self) -> None:
        """A packet is through: the book is whole again."""
        if self._depth.dirty:
            self._give_book()

    def on_tickByTickAllLast(
        self, request: int, kind: int, time: int, price: float, size: float, *_: Any
    ) -> None:
        """Take a print, stamped in whole seconds by the exchange."""
        line = self._line(request, "ticks")
        if line is not None:
            now = self.session.clock.now_ns()
            told = self.counts.instant(time * NS, now, self.session.clock.speed)
            if told is not None:
                self._print(line.place, price, size, min(max(now, told), told + NS - 1), now)

    def on_tickString(self, request: int, kind: int, value: str) -> None:
        """Take a print from the volume string, where tick by tick was refused."""
        line = self._line(request, "level1")
        if line is None or kind != VOLUME_STRING or self.tick_by_tick.get(line.place, True):
            return
        price, size, ms = (value.split(";") + ["", ""])[:3]
        if not (price and size and ms):
            return
        try:
            numbers = float(price), float(size), int(ms)
        except ValueError:
            self.counts.impossible += 1
            return
        now = self.session.clock.now_ns()
        told = self.counts.instant(numbers[2] * 1_000_000, now, self.session.clock.speed)
        if told is not None:
            self._print(line.place, numbers[0], numbers[1], told, now)

    def on_priceSizeTick(self, request: int, kind: int, price: float, size: float) -> None:
        """Take a best price (1 bid, 2 ask), or the last value of the VIX (4)."""
        line = self._line(request, "level1")
        if line is None:
            return
        if line.place == VIX:
            if kind == 4 and price > 0:
                now = self.session.clock.now_ns()
                self._print(VIX, price, 0, now, now)
        elif line.place == PRIMARY and kind in (1, 2):
            there = 0 < price < UNSET and size > 0  # else: this side has no quote
            ticks = self.counts.ticks(price, PRIMARY) if there else 0
            contracts = self.counts.size(size) if there else 0
            if ticks is not None and contracts is not None:
                self._quote[kind - 1], self._quote[kind + 1] = ticks, contracts
                self._give_quote()

    def on_tickSize(self, request: int, kind: int, size: float) -> None:
        """Take a best size (0 bid, 3 ask)."""
        line = self._line(request, "level1")
        if line is not None and line.place == PRIMARY and kind in (0, 3):
            contracts = self.counts.size(size)
            if contracts is not None:
                self._quote[2 if kind == 0 else 3] = contracts
                self._give_quote()

    def on_realtimeBar(
        self, request: int, time: int, o: float, h: float, low: float, c: float, volume: float, *_: Any
    ) -> None:
        """Count what the bars say was traded."""
        contracts = self.counts.size(volume) if self._line(request, "bars") is not None else None
        self.counts.bar_volume += contracts or 0

    # -- rows --------------------------------------------------------------------------------------

    def _print(self, place: int, price: float, size: float, ts_event: int, now: int) -> None:
        ticks, contracts = self.counts.ticks(price, place), self.counts.size(size)
        if ticks is None or contracts is None:
            return
        if self._depth.dirty:
            self._give_book()
        row = empty(1)
        row["kind"], row["instrument"], row["px"], row["sz"] = TRADE, place, ticks, contracts
        row["ts_event"] = ts_event
        row["flags"] = 0 if place == VIX else SIDE_TICK_RULE
        if place == PRIMARY:
            self.counts.prints += 1
            self.counts.printed_volume += contracts
        self._give(row, now)

    def _give_book(self) -> None:
        now = self.session.clock.now_ns()
        row = self._depth.row(now)
        if row is None:
            self.counts.crossed += 1
            return
        self.counts.books += 1
        self.depth_live = True
        self._give(row, now)

    def _give_quote(self) -> None:
        bid, ask, bid_size, ask_size = self._quote
        if self.depth_live or not (bid and ask) or bid >= ask:
            return
        now = self.session.clock.now_ns()
        row = empty(1)
        row["kind"], row["bid"], row["ask"], row["ts_event"] = QUOTE, bid, ask, now
        row["b"][0, 0], row["a"][0, 0] = bid_size, ask_size
        self._give(row, now)

    def _give(self, row: EventArray, now: int) -> None:
        self._last_row_ns = now
        self.inbox.offer(row)

    def _forget_book(self) -> None:
        self._depth.forget()
        self.depth_live = False
        self._quote = [0, 0, 0, 0]
