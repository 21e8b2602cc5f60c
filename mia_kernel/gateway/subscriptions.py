"""Keep what a client watches and send what changed: level 1, depth, tick by tick, five-second bars.

How it moves: the server calls `flush(now)` of every subscription after each step of the feed. Level 1 is
conflated (250 ms of event time); depth is told as differences at every step, level by level, an insert
before any update of a position; tick-by-tick hears every single event as a listener of its market.
"""

from __future__ import annotations

from typing import Protocol

from mia_kernel.gateway.clock import NS
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.market import Bar, Market
from mia_kernel.gateway.session import Session

BID, ASK = (1, 0), (2, 3)
LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE, OPEN = 4, 5, 6, 7, 8, 9, 14
LAST_STAMP, RT_VOLUME, HALTED = 45, 48, 49
INSERT, UPDATE, DELETE = 0, 1, 2
INFERRED_HOLDS_NS, INFERRED_EVERY_NS = 60 * NS, NS
"""A market inferred from prints is told again once a second for a minute after its last print: between prints a real
book goes on changing. In the CME session of 9 August 2019 prints pause for 8 s at most in RTH and for 51 s outside."""
_NO_PRICE = -1.0


class Subscription(Protocol):
    """Something a client watches until it cancels."""

    kind: str

    def flush(self, now_ns: int) -> None:
        """Send what changed since the last time."""

    def stop(self) -> None:
        """Let go of the market."""


class LevelOne:
    """Best prices, last print and day figures of one contract."""

    kind = "level_one"

    def __init__(self, session: Session, request: int, listing: Listing, market: Market, generic: str,
                 conflation_ns: int) -> None:  # fmt: skip
        self._session, self._request, self._market = session, request, market
        self.listing = listing
        self._generic = {word.strip().split(":")[0] for word in generic.split(",") if word.strip()}
        self._conflation_ns = conflation_ns
        self._due_ns = self._quoted_ns = 0
        self._sent: dict[int, object] = {}
        self._trade_seq = -1
        session.send([81, request, listing.tick, "9c0001", 3])
        session.send([58, 1, request, 1])

    def flush(self, now_ns: int) -> None:
        """Send what changed, at most once per conflation span."""
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + self._conflation_ns
        m = self._market
        if self.listing.sec_type != "IND":
            self._quotes(now_ns)
        if m.trade_seq != self._trade_seq and m.last is not None:
            self._trade_seq = m.trade_seq
            self._last()
        for kind, ticks in ((HIGH, m.high), (LOW, m.low), (CLOSE, m.close), (OPEN, m.open)):
            if ticks is not None and self._sent.get(kind) != ticks:
                self._sent[kind] = ticks
                self._session.send([1, 6, self._request, kind, m.price(ticks), 0, 0])
        if self._sent.get(HALTED) != m.halted:
            self._sent[HALTED] = m.halted
            self._session.send([45, 6, self._request, HALTED, m.halted])

    def _quotes(self, now_ns: int) -> None:
        m = self._market
        stands = m.infers and not m.halted and now_ns - m.last_ts < INFERRED_HOLDS_NS
        if stands and now_ns - self._quoted_ns >= INFERRED_EVERY_NS:
            self._sent.pop(BID[1], None)
            self._sent.pop(ASK[1], None)
        told = (self._side(BID, m.price(m.bid), m.bids), self._side(ASK, m.price(m.ask), m.asks))
        if any(told):
            self._quoted_ns = now_ns

    def _side(self, kinds: tuple[int, int], price: float, sizes: list[int]) -> bool:
        size = sizes[0] if sizes and price != _NO_PRICE else 0
        if self._sent.get(kinds[0]) != price:
            if price == _NO_PRICE and kinds[0] not in self._sent:
                return False  # never quoted: nothing to take back
            self._sent[kinds[0]], self._sent[kinds[1]] = price, size
            self._session.send([1, 6, self._request, kinds[0], price, size, 1])
            self._session.send([2, 6, self._request, kinds[1], size])
        elif self._sent.get(kinds[1]) != size:
            self._sent[kinds[1]] = size
            self._session.send([2, 6, self._request, kinds[1], size])
        else:
            return False
        return True

    def _last(self) -> None:
        m, send, request = self._market, self._session.send, self._request
        price = m.price(m.last)
        send([46, 6, request, LAST_STAMP, m.last_ts // NS])
        send([1, 6, request, LAST, price, m.last_size, 0])
        if self.listing.sec_type == "IND":
            return
        send([2, 6, request, LAST_SIZE, m.last_size])
        send([2, 6, request, VOLUME, m.volume])
        if "233" in self._generic:
            average = m.value / m.volume * m.tick if m.volume else price
            send([46, 6, request, RT_VOLUME,
                  f"{price};{m.last_size};{m.last_ts // 1_000_000};{m.volume};{average};true"])  # fmt: skip

    def resend(self) -> None:
        """Tell everything again at the next flush."""
        self._sent.clear()
        self._trade_seq, self._due_ns = -1, 0

    def stop(self) -> None:
        """Nothing is held."""


class Depth:
    """The book of one contract, `rows` levels a side."""

    kind = "depth"

    def __init__(self, session: Session, request: int, listing: Listing, market: Market, rows: int,
                 smart: bool) -> None:  # fmt: skip
        self._session, self._request, self._market, self._rows, self._smart = (
            session,
            request,
            market,
            rows,
            smart,
        )
        self.listing = listing
        self._seq = -1
        self._told: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])

    def flush(self, now_ns: int) -> None:
        """Send the levels that changed."""
        m = self._market
        if m.quote_seq == self._seq or not m.has_quote:
            return
        self._seq = m.quote_seq
        for side, best, step, sizes in ((1, m.bid, -1, m.bids), (0, m.ask, 1, m.asks)):
            levels = [((best + step * i) * m.tick, size) for i, size in enumerate(sizes) if size > 0][
                : self._rows
            ]
            self._tell(side, levels)

    def _tell(self, side: int, levels: list[tuple[float, int]]) -> None:
        told = self._told[side]
        for at in range(max(len(told), len(levels))):
            if at >= len(levels):
                self._row(len(levels), DELETE, side, told[at][0], 0)
            elif at >= len(told):
                self._row(at, INSERT, side, *levels[at])
            elif told[at] != levels[at]:
                self._row(at, UPDATE, side, *levels[at])
        told[:] = levels

    def _row(self, at: int, op: int, side: int, price: float, size: int) -> None:
        if self._smart:
            self._session.send([13, 1, self._request, at, "CME", op, side, price, size, 1])
        else:
            self._session.send([12, 1, self._request, at, op, side, price, size])

    def reset(self) -> None:
        """Say 317 and begin again with inserts."""
        self._session.error(self._request, 317, "Market depth data has been RESET. Please empty deep book contents "
                                                "before applying any new entries.")  # fmt: skip
        self._told[0].clear()
        self._told[1].clear()
        self._seq = -1

    def stop(self) -> None:
        """Nothing is held."""


TICK_KINDS = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


class TickByTick:
    """Every print, or every change of the best prices, of one contract."""

    kind = "tick_by_tick"

    def __init__(self, session: Session, request: int, listing: Listing, market: Market, kind: str) -> None:
        self._session, self._request, self._market = session, request, market
        self.listing = listing
        self._kind = TICK_KINDS[kind]
        self._told: tuple[object, ...] = ()
        self.muted = False
        market.listeners.append(self)
        self.on_quote(market, market.last_ts)

    def on_trade(self, market: Market, ts: int, px: int, size: int, side: int) -> None:
        """Send a print."""
        if self._kind <= 2 and not self.muted:
            self._session.send([99, self._request, self._kind, ts // NS, px * market.tick, size, 0,
                                self.listing.exchange, ""])  # fmt: skip

    def on_quote(self, market: Market, ts: int) -> None:
        """Send new best prices or sizes; the midpoint only where it moved."""
        if self._kind <= 2 or self.muted or not market.has_quote:
            return
        bid, ask = market.bid * market.tick, market.ask * market.tick
        said = (bid, ask, market.bids[0], market.asks[0]) if self._kind == 3 else ((bid + ask) / 2,)
        if said == self._told:
            return
        self._told = said
        self._session.send(
            [99, self._request, self._kind, ts // NS, *said, *((0,) if self._kind == 3 else ())]
        )

    def on_bar(self, market: Market, ts: int, bar: Bar) -> None:
        """A bar is no tick."""

    def flush(self, now_ns: int) -> None:
        """Every event went out at once."""

    def stop(self) -> None:
        """Let go of the market."""
        self._market.listeners.remove(self)
