"""Answer what was: bars, ticks and the first moment of one market, from the rows that have arrived.

How it moves: prints (or recorded bars) and quotes of a market are columns made once; a request cuts them at
the gateway's time, so nothing later than now is ever told. A bar carries the time of its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core import events as ev
from mia_kernel.core.session import open_mask, session_row, sessions_between, trading_day_of, trading_days_of
from mia_kernel.gateway.clock import NS, local
from mia_kernel.gateway.contracts import ZONE
from mia_kernel.gateway.market import Feed, Market

BAR_SECONDS = {
    "1 secs": 1, "1 sec": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30, "1 min": 60, "2 mins": 120,
    "3 mins": 180, "5 mins": 300, "10 mins": 600, "15 mins": 900, "20 mins": 1200, "30 mins": 1800, "1 hour": 3600,
    "2 hours": 7200, "3 hours": 10_800, "4 hours": 14_400, "8 hours": 28_800, "1 day": 86_400,
}  # fmt: skip
DAY = 86_400
SHOWN = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK")
_SPANS = {"S": NS, "D": None, "W": 7 * DAY * NS, "M": 30 * DAY * NS, "Y": 365 * DAY * NS}


@dataclass(frozen=True, slots=True)
class HistoryBar:
    """One bar in points; `volume`, `average` and `count` are −1 where the data has none (quotes)."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    average: float
    count: int


@dataclass(frozen=True, slots=True)
class _Columns:
    ts: NDArray[np.int64]
    first: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    last: NDArray[np.float64]
    size: NDArray[np.int64]


_LONGEST_NS = 20 * 365 * DAY * NS


class RequestError(ValueError):
    """A request for history that cannot be read (error 321)."""


class History:
    """What one feed remembers."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._columns: dict[tuple[str, str], _Columns] = {}

    def bars(
        self, market: Market, what: str, seconds: int, start_ns: int, end_ns: int, *, rth: bool
    ) -> list[HistoryBar]:
        """Return the bars that begin in [start, end), the last one as far as it is known by `end`."""
        c = self._of(market, what)
        low, high = np.searchsorted(c.ts, (start_ns, end_ns))
        if high <= low:
            return []
        cut = _Columns(c.ts[low:high], c.first[low:high], c.high[low:high], c.low[low:high], c.last[low:high],
                       c.size[low:high])  # fmt: skip
        keys = _starts(cut.ts, seconds)
        keep = _kept(cut.ts, rth)
        if not keep.any():
            return []
        cut = _Columns(*(getattr(cut, name)[keep] for name in ("ts", "first", "high", "low", "last", "size")))
        return _grouped(cut, keys[keep], market.tick, what)

    def ticks(
        self, market: Market, what: str, start_ns: int | None, end_ns: int | None, count: int, now_ns: int
    ) -> list[tuple[float, ...]]:
        """Return up to `count` (second, price, size) or (second, bid, ask, bid size, ask size), ascending."""
        place = self._feed.place_of(market.symbol)
        rows = self._feed.events[: self._feed.at]
        kinds = (ev.TRADE,) if what == "TRADES" else (ev.QUOTE, ev.BOOK)
        own = rows[(rows["instrument"] == place) & np.isin(rows["kind"], kinds)]
        if what != "TRADES" and len(own):
            top = np.column_stack((own["bid"], own["ask"], own["b"][:, 0], own["a"][:, 0]))
            own = own[np.r_[True, (top[1:] != top[:-1]).any(axis=1)]]
        ts = own["ts_event"]
        low = 0 if start_ns is None else int(np.searchsorted(ts, start_ns))
        high = int(np.searchsorted(ts, min(end_ns or now_ns, now_ns), side="right"))
        own = own[low : min(high, low + count)] if start_ns is not None else own[max(0, high - count) : high]
        tick = market.tick
        if what == "TRADES":
            return [(int(r["ts_event"]) // NS, int(r["px"]) * tick, int(r["sz"])) for r in own]
        if what == "MIDPOINT":
            return [(int(r["ts_event"]) // NS, (int(r["bid"]) + int(r["ask"])) / 2 * tick, 0) for r in own]
        return [(int(r["ts_event"]) // NS, int(r["bid"]) * tick, int(r["ask"]) * tick, int(r["b"][0]), int(r["a"][0]))
                for r in own]  # fmt: skip

    def head_ns(self, market: Market, what: str) -> int | None:
        """Return the time of the first row of a market, None where it has none."""
        c = self._of(market, what)
        return int(c.ts[0]) if len(c.ts) else None

    def _of(self, market: Market, what: str) -> _Columns:
        key = (market.symbol, "TRADES" if what == "TRADES" else what)
        if key not in self._columns:
            self._columns[key] = self._made(market, what)
        return self._columns[key]

    def _made(self, market: Market, what: str) -> _Columns:
        place = self._feed.place_of(market.symbol)
        rows = self._feed.events[self._feed.events["instrument"] == place]
        if what == "TRADES":
            return _prints(rows)
        rows = rows[
            ((rows["kind"] == ev.QUOTE) | (rows["kind"] == ev.BOOK)) & (rows["bid"] > 0) & (rows["ask"] > 0)
        ]
        bid, ask = rows["bid"].astype(np.float64), rows["ask"].astype(np.float64)
        none = np.zeros(len(rows), np.int64)
        ts = np.ascontiguousarray(rows["ts_event"])
        if what == "BID_ASK":  # open: average bid, close: average ask, in the words of the wire
            return _Columns(ts, bid, ask, bid, ask, none)
        price = {"BID": bid, "ASK": ask, "MIDPOINT": (bid + ask) / 2}[what]
        return _Columns(ts, price, price, price, price, none)


def _prints(rows: NDArray[np.void]) -> _Columns:
    trades = rows[(rows["kind"] == ev.TRADE) & (rows["sz"] > 0)]
    if len(trades):
        px = trades["px"].astype(np.float64)
        return _Columns(
            np.ascontiguousarray(trades["ts_event"]), px, px, px, px, trades["sz"].astype(np.int64)
        )
    bars = rows[rows["kind"] == ev.BAR]
    b = bars["b"]
    begins = bars["ts_event"] - b[:, ev.BAR_SECONDS].astype(np.int64) * NS
    return _Columns(begins, b[:, ev.BAR_OPEN].astype(np.float64), b[:, ev.BAR_HIGH].astype(np.float64),
                    b[:, ev.BAR_LOW].astype(np.float64), bars["px"].astype(np.float64),
                    bars["sz"].astype(np.int64))  # fmt: skip


def _starts(ts: NDArray[np.int64], seconds: int) -> NDArray[np.int64]:
    """Return the start of each row's bar: whole steps of UTC below a day, the trading day for daily bars."""
    if seconds < DAY:
        return ts - ts % (seconds * NS)
    return trading_days_of(ts).astype(np.int64)


def _kept(ts: NDArray[np.int64], rth: bool) -> NDArray[np.bool_]:
    keep = open_mask(ts)
    if not rth:
        return keep
    inside = np.zeros(len(ts), np.bool_)
    for row in sessions_between(int(ts[0]), int(ts[-1]) + 1):
        inside |= (ts >= row["rth_open_ns"]) & (ts < row["rth_close_ns"])
    return keep & inside


def _grouped(c: _Columns, keys: NDArray[np.int64], tick: float, what: str) -> list[HistoryBar]:
    at = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    ends = np.r_[at[1:], len(keys)] - 1
    highs, lows = np.maximum.reduceat(c.high, at) * tick, np.minimum.reduceat(c.low, at) * tick
    volumes, values = np.add.reduceat(c.size, at), np.add.reduceat(c.last * c.size, at) * tick
    counts = ends - at + 1
    quotes = what != "TRADES"
    opens, closes = c.first[at] * tick, c.last[ends] * tick
    if what == "BID_ASK":
        opens, closes = (
            np.add.reduceat(c.first, at) / counts * tick,
            np.add.reduceat(c.last, at) / counts * tick,
        )
    bars: list[HistoryBar] = []
    for i, k in enumerate(at):
        volume = -1 if quotes else int(volumes[i])
        average = float(values[i] / volumes[i]) if volume > 0 else -1.0
        bars.append(HistoryBar(int(keys[k]), float(opens[i]), float(highs[i]), float(lows[i]), float(closes[i]),
                               volume, average, -1 if quotes else int(counts[i])))  # fmt: skip
    return bars


def parse_end(text: str, now_ns: int, zone: str) -> int:
    """Return the end of a request in ns: empty is now; `yyyymmdd hh:mm:ss [zone]`, `yyyymmdd-hh:mm:ss` UTC."""
    if not text.strip():
        return now_ns
    utc = "-" in text and "/" not in text
    words = text.replace("-", " ", 1).split() if utc else text.split(maxsplit=2)
    try:
        where = ZoneInfo("UTC" if utc else (words[2] if len(words) > 2 else zone))
        clock = words[1] if len(words) > 1 else "00:00:00"
        moment = datetime.strptime(f"{words[0]} {clock} +0000", "%Y%m%d %H:%M:%S %z").replace(tzinfo=where)
    except (ValueError, IndexError, OSError, KeyError):
        raise RequestError(f"end {text!r}; yyyymmdd hh:mm:ss zone") from None
    return int(moment.timestamp()) * NS


def parse_span(text: str, end_ns: int) -> int:
    """Return the start of a duration such as `1800 S`, `1 D`, `2 W` before `end_ns`.

    Days are trading days: `1 D` begins at the open of the session the end lies in.
    """
    words = text.split()
    if len(words) != 2 or not words[0].isdigit() or words[1] not in _SPANS or int(words[0]) < 1:
        raise RequestError(f"duration {text!r}; a number and one of S D W M Y")
    count, span = int(words[0]), _SPANS[words[1]]
    if count * (span or DAY * NS) > _LONGEST_NS:
        raise RequestError(f"duration {text!r}; at most 20 years")
    if span is not None:
        return end_ns - count * span
    day = trading_day_of(end_ns - 1)
    row = session_row(day)
    while row is not None and count > 1:
        row = session_row(int(row["previous_day"]))
        count -= 1
    return end_ns - count * DAY * NS if row is None else int(row["open_ns"])


def bar_stamp(bar: HistoryBar, seconds: int, format_date: int) -> str:
    """Return a bar's time as asked: epoch seconds, local text, or the date for daily bars."""
    if seconds >= DAY:
        return str(bar.start_ns)
    if format_date == 2:
        return str(bar.start_ns // NS)
    return f"{local(bar.start_ns, ZONE):%Y%m%d %H:%M:%S} {ZONE}"
