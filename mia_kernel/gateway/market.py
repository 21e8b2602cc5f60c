"""Let the source's market happen: quotes, book, prints and day figures, as their time comes.

How it moves: `Feed.advance(now)` applies every row that has arrived by then, one by one, and tells each
market's listeners (the matching, tick-by-tick subscriptions) before the next row. Prices are integer ticks;
sizes stand on the grid as in `core/events`: `bids[i]` rests i ticks below the bid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core import events as ev
from mia_kernel.core.events import DEPTH, EventArray, Recording
from mia_kernel.core.instrument import instrument
from mia_kernel.core.session import session_at

_BATCH = 20_000


class Listener(Protocol):
    """Who wants to know of every event of one market."""

    def on_trade(self, market: Market, ts: int, px: int, size: int, side: int) -> None:
        """Take one print; `side` +1 buyer, −1 seller, 0 unknown."""

    def on_quote(self, market: Market, ts: int) -> None:
        """Take a change of the best prices, their sizes or the book."""

    def on_bar(self, market: Market, ts: int, bar: Bar) -> None:
        """Take a finished bar of a source that has no prints."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A recorded bar, in ticks; it is known at its end."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    seconds: int


@dataclass(slots=True, eq=False)
class Market:
    """What is known of one instrument now; 0 prices and None are unknown."""

    symbol: str
    tick: float
    bid: int = 0
    ask: int = 0
    bids: list[int] = field(default_factory=list)
    asks: list[int] = field(default_factory=list)
    levels: int = 0
    last: int | None = None
    last_size: int = 0
    last_ts: int = 0
    last_side: int = 0
    open: int | None = None
    high: int | None = None
    low: int | None = None
    close: int | None = None
    volume: int = 0
    value: float = 0.0
    prints: int = 0
    halted: int = 0
    quote_seq: int = 0
    trade_seq: int = 0
    listeners: list[Listener] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)
    infers: bool = False

    def price(self, ticks: float | None) -> float:
        """Return points; −1, the wire's "no price", where unknown."""
        return -1.0 if not ticks else ticks * self.tick

    def mark(self) -> float | None:
        """Return the price positions are valued at, in points: last print, else mid, else None."""
        if self.last is not None:
            return self.last * self.tick
        if self.bid and self.ask:
            return (self.bid + self.ask) / 2 * self.tick
        return None

    @property
    def has_quote(self) -> bool:
        """Whether both sides are quoted."""
        return self.bid != 0 and self.ask != 0

    def take_quote(self, bid: int, ask: int, bids: list[int], asks: list[int], levels: int) -> None:
        """Take new best prices and sizes; what our orders took of the old book is forgotten."""
        if levels == 1 and self.levels > 1:
            bids = _shifted(self.bids, self.bid - bid, bids[0])
            asks = _shifted(self.asks, ask - self.ask, asks[0])
            levels = self.levels
        self.bid, self.ask, self.bids, self.asks, self.levels = bid, ask, bids, asks, levels
        self.quote_seq += 1
        if self.taken:
            self.taken.clear()

    def take_trade(self, ts: int, px: int, size: int, side: int) -> None:
        """Take a print into last price and day figures."""
        self.last, self.last_size, self.last_ts, self.last_side = px, size, ts, side
        self._day(px, px, px)
        self.volume += size
        self.value += float(px) * size
        self.prints += 1
        self.trade_seq += 1

    def take_bar(self, ts: int, bar: Bar) -> None:
        """Take a finished bar the same way."""
        self.last, self.last_size, self.last_ts, self.last_side = bar.close, bar.volume, ts, 0
        self._day(bar.open, bar.high, bar.low)
        self.volume += bar.volume
        self.value += float(bar.close) * bar.volume
        self.prints += 1
        self.trade_seq += 1

    def infer_quote(self, px: int, size: int, side: int) -> None:
        """Take a print for the touch it met: a buyer's for the ask, a seller's for the bid, one tick wide.

        A print of no known side that lies inside the present market leaves it where it is.
        """
        if side == 0 and self.bid <= px <= self.ask and self.has_quote:
            side = 1 if px == self.ask else -1
        ask = px if side > 0 or (side == 0 and px > self.ask) else px + 1
        self.take_quote(ask - 1, ask, [size], [size], 1)

    def _day(self, first: int, high: int, low: int) -> None:
        if self.open is None:
            self.open = first
        self.high = high if self.high is None else max(self.high, high)
        self.low = low if self.low is None else min(self.low, low)

    def take_day(self, rows: EventArray) -> None:
        """Take the prints or bars of the day so far at once."""
        if len(rows) == 0:
            return
        bars = rows["kind"] == ev.BAR
        opens = np.where(bars, rows["b"][:, ev.BAR_OPEN], rows["px"])
        self._day(int(opens[0]), int(np.where(bars, rows["b"][:, ev.BAR_HIGH], rows["px"]).max()),
                  int(np.where(bars, rows["b"][:, ev.BAR_LOW], rows["px"]).min()))  # fmt: skip
        last = rows[-1]
        self.last, self.last_size = int(last["px"]), int(last["sz"])
        self.last_ts, self.last_side = int(last["ts_event"]), int(last["side"])
        self.volume += int(rows["sz"].sum())
        self.value += float((rows["px"].astype(np.float64) * rows["sz"]).sum())
        self.prints += len(rows)
        self.trade_seq += len(rows)

    def new_session(self) -> None:
        """Begin a trading day: the last price becomes the earlier close."""
        self.close = self.last
        self.open = self.high = self.low = None
        self.volume, self.value, self.prints = 0, 0.0, 0


def _shifted(sizes: list[int], by: int, best: int) -> list[int]:
    """Return level sizes after the best price moved away (`by` > 0) or nearer, the new best on top."""
    if by > 0:
        moved = sizes[by:]
    else:
        moved = [0] * -by + sizes
    moved = (moved + [0] * DEPTH)[:DEPTH]
    moved[0] = best
    return moved


class Feed:
    """The rows of a recording, handed out as the clock reaches their arrival.

    Parameters
    ----------
    recording : Recording
    start_ns : int
        Rows that arrived before only fill the state.
    """

    def __init__(self, recording: Recording, start_ns: int) -> None:
        self.recording = recording
        self.events: EventArray = recording.events
        self._arrivals: NDArray[np.int64] = np.ascontiguousarray(self.events["ts_recv"])
        self.markets: dict[str, Market] = {}
        self._by_place: list[Market | None] = [None, None, None]
        for place, symbol in enumerate(places(recording)):
            if symbol is not None:
                market = Market(symbol, float(instrument(symbol).tick_size))
                self.markets[symbol] = self._by_place[place] = market
        self.at = int(np.searchsorted(self._arrivals, start_ns, side="left"))
        self._until = 0
        self._prime(start_ns)

    def infer_quotes(self) -> list[str]:
        """Let markets that have prints and no quotes make theirs from them; return which do."""
        quoted = np.isin(self.events["kind"], (ev.QUOTE, ev.BOOK))
        printed = self.events["kind"] == ev.TRADE
        for place, market in enumerate(self._by_place):
            own = self.events["instrument"] == place
            if market is not None and market.symbol != "VIX":
                market.infers = bool((own & printed).any()) and not bool((own & quoted).any())
        return [market.symbol for market in self.markets.values() if market.infers]

    @property
    def ended(self) -> bool:
        """Whether every row has been handed out."""
        return self.at >= len(self._arrivals)

    @property
    def last_ns(self) -> int:
        """Arrival of the last row."""
        return int(self._arrivals[-1])

    def place_of(self, symbol: str) -> int:
        """Return the position of a market in the rows; −1 where it has none of its own."""
        return next((i for i, market in enumerate(self._by_place) if market and market.symbol == symbol), -1)

    def future_at(self, ts_ns: int) -> float | None:
        """Return the traded future's price at an instant of the recording, now where it lies outside; points."""
        rows = self.events[(self.events["instrument"] == ev.PRIMARY) & (self.events["ts_event"] <= ts_ns)]
        prints = np.flatnonzero((rows["kind"] == ev.TRADE) | (rows["kind"] == ev.BAR))
        market = self._by_place[ev.PRIMARY]
        if market is None:
            return None
        return int(rows["px"][prints[-1]]) * market.tick if len(prints) else market.mark()

    def _prime(self, start_ns: int) -> None:
        """Bring every market to where it stood at the start, with its figures of the day so far."""
        row = session_at(start_ns)
        opened = 0 if row is None else int(row["open_ns"])
        self._until = start_ns if row is None else int(row["close_ns"])
        earlier = self.events[: self.at]
        for place, market in enumerate(self._by_place):
            if market is None:
                continue
            own = earlier[earlier["instrument"] == place]
            quotes = np.flatnonzero((own["kind"] == ev.QUOTE) | (own["kind"] == ev.BOOK))
            told = own[(own["kind"] == ev.TRADE) | (own["kind"] == ev.BAR)]
            before = told[told["ts_event"] < opened]
            if len(before):
                market.last = int(before["px"][-1])
                market.new_session()
            market.take_day(told[told["ts_event"] >= opened])
            if len(quotes):
                self._apply(market, own[int(quotes[-1])])

    def _apply(self, market: Market, row: Any) -> None:
        kind, ts = int(row["kind"]), int(row["ts_event"])
        if kind == ev.TRADE:
            market.take_trade(ts, int(row["px"]), int(row["sz"]), int(row["side"]))
        elif kind == ev.BAR:
            market.take_bar(ts, bar_of(row))
        elif row["bid"] and row["ask"]:
            levels = 1 if kind == ev.QUOTE else DEPTH
            market.take_quote(int(row["bid"]), int(row["ask"]), row["b"][:levels].tolist(),
                              row["a"][:levels].tolist(), levels)  # fmt: skip

    def advance(self, now_ns: int, *, silent: bool = False) -> bool:
        """Apply what has arrived by `now_ns`; return whether more is already due.

        Parameters
        ----------
        silent : bool
            Nothing happens at the venue (a halt): the rows are passed over.
        """
        due = int(np.searchsorted(self._arrivals, now_ns, side="right"))
        stop = min(due, self.at + _BATCH)
        if stop > self.at:
            rows = self.events[self.at : stop]
            self.at = stop
            if not silent:
                self._walk(rows)
        return stop < due

    def _walk(self, rows: EventArray) -> None:
        kinds, places_, stamps = rows["kind"].tolist(), rows["instrument"].tolist(), rows["ts_event"].tolist()
        prices, sizes, sides = rows["px"].tolist(), rows["sz"].tolist(), rows["side"].tolist()
        for at, kind in enumerate(kinds):
            market, ts = self._by_place[places_[at]], stamps[at]
            if market is None:
                continue
            if ts >= self._until:
                self._next_session(ts)
            if kind == ev.TRADE:
                if sizes[at] > 0:
                    market.take_trade(ts, prices[at], sizes[at], sides[at])
                    if market.infers:
                        market.infer_quote(prices[at], sizes[at], sides[at])
                    for listener in market.listeners:
                        listener.on_trade(market, ts, prices[at], sizes[at], sides[at])
            elif kind in (ev.QUOTE, ev.BOOK):
                self._apply(market, rows[at])
                for listener in market.listeners:
                    listener.on_quote(market, ts)
            elif kind == ev.BAR:
                bar = bar_of(rows[at])
                market.take_bar(ts, bar)
                for listener in market.listeners:
                    listener.on_bar(market, ts, bar)

    def _next_session(self, ts: int) -> None:
        row = session_at(ts)
        if row is None:
            self._until = ts + 1
            return
        self._until = int(row["close_ns"])
        for market in self.markets.values():
            market.new_session()


def bar_of(row: Any) -> Bar:
    """Return the bar a BAR row holds."""
    b = row["b"]
    return Bar(int(b[ev.BAR_OPEN]), int(b[ev.BAR_HIGH]), int(b[ev.BAR_LOW]), int(row["px"]), int(row["sz"]),
               int(b[ev.BAR_SECONDS]))  # fmt: skip


def places(recording: Recording) -> tuple[str | None, str | None, str | None]:
    """Return the market of each instrument position; a micro's prices are those of its big contract."""
    found: list[str | None] = [recording.source.symbol, None, None]
    for info in recording.others:
        found[ev.VIX if info.symbol == "VIX" else ev.SECOND] = info.symbol
    big = {"MES": "ES", "MNQ": "NQ"}
    return (big.get(found[0] or "", found[0]), big.get(found[1] or "", found[1]), found[2])
