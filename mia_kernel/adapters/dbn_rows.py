"""DBN records of one instrument as event rows: order book, price levels, trades and bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.bookrows import by_record
from mia_kernel.adapters.dbn_book import OTHER, Book, action_codes, replay_book
from mia_kernel.adapters.parts import Ask, Part, ticks_per_point
from mia_kernel.adapters.quality import Findings, judge_sides, prevailing
from mia_kernel.adapters.rawbars import RawBars, bar_rows
from mia_kernel.adapters.rawtrades import RawTrades, check_trades
from mia_kernel.adapters.running_repeats import note_frozen
from mia_kernel.adapters.silence import stale_term
from mia_kernel.core import events as ev
from mia_kernel.core.events import DEPTH, Aggressor, Carries, EventArray, SourceInfo
from mia_kernel.core.session import open_mask

IntArray = NDArray[np.int64]

_UNDEFINED = 2**63 - 1
_LAST, _SNAPSHOT = 0x80, 0x20
_EARLY_NS, _LATE_NS = 60 * 10**9, 3600 * 10**9  # a receipt further from its event is no clock of this feed
_SECONDS = {"ohlcv-1s": 1, "ohlcv-1m": 60, "ohlcv-1h": 3600, "ohlcv-1d": 86_400}


def _grid(price: NDArray[Any], root: str) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return prices in ticks (-1 where undefined or not positive) and whether each is a tick."""
    tick = 1_000_000_000 // ticks_per_point(root)
    defined = (price != _UNDEFINED) & (price > 0)
    safe = np.where(defined, price, 0)
    return np.where(defined, safe // tick, -1).astype(np.int64), defined & (safe % tick == 0)


def _stamps(records: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Return exchange stamps and arrival (never running backwards) in ns UTC."""
    event, received, snapshot, sane = _clocks(records)
    arrival = np.maximum.accumulate(np.where(sane, received, event))
    # A snapshot tells old orders anew: it is known when it is sent.
    return np.where(snapshot, arrival, event), arrival


def _clocks(records: NDArray[Any]) -> tuple[IntArray, IntArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return exchange and receive stamps, which records are of a snapshot, and whose receipt can be believed."""
    received = records["ts_recv"].astype(np.int64)
    event = records["ts_event"].astype(np.int64)
    snapshot = (records["flags"] & _SNAPSHOT) != 0
    delay = received - event
    return event, received, snapshot, snapshot | ((delay > -_EARLY_NS) & (delay < _LATE_NS))


def _order_of_arrival(records: NDArray[Any], findings: Findings) -> None:
    event, received, _, sane = _clocks(records)
    bad = int((~sane).sum())
    findings.repair(
        "bad_receive_stamp", bad, f"{bad} impossible receive stamps; the exchange's taken instead"
    )
    back = int((np.diff(np.where(sane, received, event)) < 0).sum())
    findings.repair(
        "received_backwards", back, f"{back} receive stamps ran backwards; arrival is their running maximum"
    )


def _info(path: str, root: str, contract: str | None, schema: str, carries: Carries) -> SourceInfo:
    return SourceInfo(
        tag="imported",
        adapter="databento",
        name=path,
        symbol=root,
        contract=contract,
        zone="UTC",
        clock_resolution_ns=1,
        adjustment="contract" if contract is not None else "unknown",
        carries=carries,
        notes=(f"DBN schema {schema}",),
    )


def _side(letters: NDArray[Any]) -> NDArray[np.int8]:
    return (letters == b"B").astype(np.int8) - (letters == b"A").astype(np.int8)


def _trades(
    path: str, stream: NDArray[Any], at: IntArray, root: str, findings: Findings
) -> tuple[EventArray, IntArray]:
    """Return the trade rows of the records at `at` of a whole stream, and the record of each."""
    records = stream[at]
    ticks, on_grid = _grid(records["price"], root)
    raw = RawTrades(
        ts=records["ts_event"].astype(np.int64),
        ticks=ticks,
        on_grid=on_grid,
        size=records["size"].astype(np.int64),
        side=_side(records["side"]),
        where=lambda i: f"{path} trade {i + 1} (sequence {int(records['sequence'][i])})",
    )
    check_trades(raw, findings)
    kept = np.flatnonzero(findings.keep)
    rows = ev.empty(len(kept))
    event, arrival = _stamps(stream)  # of the whole stream: arrival is one clock for trades and book
    rows["ts_event"], rows["ts_recv"] = event[at[kept]], arrival[at[kept]]
    rows["kind"] = ev.TRADE
    rows["px"], rows["sz"] = ticks[kept], records["size"][kept]
    rows["side"] = raw.side[kept] if raw.side is not None else 0
    rows["flags"] = np.where(rows["side"] != 0, ev.SIDE_FEED, 0)
    return rows, at[kept]


def trade_part(
    path: str, records: NDArray[Any], root: str, contract: str | None, schema: str, ask: Ask
) -> Part:
    """Return the part of a `trades` stream."""
    findings = Findings(path, len(records), ask.quality)
    _order_of_arrival(records, findings)
    rows, _ = _trades(path, records, np.arange(len(records)), root, findings)
    rows["seq"] = np.arange(len(rows))
    aggressor = judge_sides(rows, None, None, findings)
    info = _info(path, root, contract, schema, Carries(trades=True, aggressor=aggressor))
    return Part(rows, info, findings.verdict(), path)


def book_part(
    path: str, records: NDArray[Any], root: str, contract: str | None, schema: str, ask: Ask
) -> Part:
    """Return the part of an `mbo` stream: BOOK rows of the replayed order book, and the trades between."""
    is_trade = records["action"] == b"T"
    findings = Findings(path, int(is_trade.sum()), ask.quality)
    findings.counts["records"] = len(records)
    _order_of_arrival(records, findings)
    trades, trade_record = _trades(path, records, np.flatnonzero(is_trade), root, findings)
    ask.meter.reach(1, 4)
    event, _ = _stamps(records)
    closed = ~open_mask(event)
    book = _replay(records, root, closed, findings)
    if len(book.record) == 0 and len(trades) == 0:
        book = _replay(records, root, np.zeros(len(records), np.bool_), findings, only_last=True)
    ask.meter.reach(2, 4)
    _judge_book(book, findings)
    stale_term(findings, np.maximum.accumulate(event[~closed & ((records["flags"] & _LAST) != 0)]))
    views = _book_rows(records, book)
    ask.meter.reach(3, 4)
    rows = by_record(views, book.record, trades, trade_record)
    aggressor = judge_sides(rows, *prevailing(rows), findings)
    info = _info(
        path, root, contract, schema, Carries(book=True, trades=len(trades) > 0, aggressor=aggressor)
    )
    return Part(rows, info, findings.verdict(), path)


def _replay(
    records: NDArray[Any],
    root: str,
    closed: NDArray[np.bool_],
    findings: Findings,
    *,
    only_last: bool = False,
) -> Book:
    ticks, on_grid = _grid(records["price"], root)
    actions = action_codes(records["action"])
    off = (actions != OTHER) & (ticks >= 0) & ~on_grid
    findings.aside(
        "off_grid_orders", int(off.sum()), f"{int(off.sum())} orders whose price is no tick were left out"
    )
    actions = np.where(off, OTHER, actions).astype(np.int8)
    last = (records["flags"] & _LAST) != 0
    if only_last:
        # A file that holds nothing but the snapshot of a closed market: one row, its end.
        last = np.arange(len(records)) == len(records) - 1
    sides = np.where(records["side"] == b"B", 0, np.where(records["side"] == b"A", 1, -1)).astype(np.int8)
    return replay_book(
        records["order_id"], actions, sides, ticks, records["size"].astype(np.int64), last, closed
    )


def _judge_book(book: Book, findings: Findings) -> None:
    counts = book.counts
    open_events = max(counts["events"] - counts["closed"], 1)
    findings.counts["book_events"] = counts["events"]
    findings.note("closed_book_events", counts["closed"],
                  f"{counts['closed']} book events before the open were applied and not given out, "
                  f"{counts['crossed_auction']} of them an auction book that is rightly crossed")  # fmt: skip
    findings.aside(
        "crossed", counts["crossed"], f"{counts['crossed']} book events crossed or locked in open hours"
    )
    findings.note(
        "unknown_orders",
        counts["unknown_orders"],
        "changes of orders never added; a change is taken as an add",
    )
    findings.term("crossed", counts["crossed"] / open_events)


def _book_rows(records: NDArray[Any], book: Book) -> EventArray:
    rows = ev.empty(len(book.record))
    event, arrival = _stamps(records)
    rows["ts_event"], rows["ts_recv"] = event[book.record], arrival[book.record]
    rows["kind"] = ev.BOOK
    rows["bid"], rows["ask"], rows["b"], rows["a"] = book.bid, book.ask, book.bid_sizes, book.ask_sizes
    rows["flags"] = np.where((records["flags"][book.record] & _SNAPSHOT) != 0, ev.SNAPSHOT, 0)
    return rows


def level_part(
    path: str, records: NDArray[Any], root: str, contract: str | None, schema: str, ask: Ask
) -> Part:
    """Return the part of an `mbp-1`, `tbbo`, `bbo-*` or `mbp-10` stream: quotes or books, and the trades between."""
    if schema.startswith("bbo"):
        # `ts_event` is the last trade's; the sample itself is taken at the end of its interval.
        records = records.copy()
        records["ts_event"] = records["ts_recv"]
        records["action"] = b"N"
    is_trade = records["action"] == b"T"
    findings = Findings(path, int(is_trade.sum()), ask.quality)
    findings.counts["records"] = len(records)
    _order_of_arrival(records, findings)
    trades, trade_record = _trades(path, records, np.flatnonzero(is_trade), root, findings)
    views = _level_rows(records, root, findings)
    shown, record = _usable_views(records, views, findings, sampled=schema.startswith("bbo"))
    rows = by_record(views[shown], record, trades, trade_record, views_first=True)
    aggressor = judge_sides(rows, *prevailing(rows), findings)
    deep = records["levels"].shape[1] > 1
    carries = Carries(book=deep, quotes=not deep, trades=len(trades) > 0, aggressor=aggressor)
    return Part(rows, _info(path, root, contract, schema, carries), findings.verdict(), path)


def _level_rows(records: NDArray[Any], root: str, findings: Findings) -> EventArray:
    levels = records["levels"]
    rows = ev.empty(len(records))
    event, arrival = _stamps(records)
    rows["ts_event"], rows["ts_recv"] = event, arrival
    rows["kind"] = ev.BOOK if levels.shape[1] > 1 else ev.QUOTE
    off = np.zeros(len(records), np.bool_)
    for name, sizes, away in (("bid", "b", 1), ("ask", "a", -1)):
        ticks, on_grid = _grid(levels[f"{name}_px"], root)
        off |= ((ticks >= 0) & ~on_grid).any(axis=1)
        best = ticks[:, 0]
        rows[name] = np.where(best > 0, best, 0)
        for k in range(levels.shape[1]):
            distance = away * (best - ticks[:, k])
            fits = (best > 0) & (ticks[:, k] > 0) & (distance >= 0) & (distance < DEPTH)
            at = np.flatnonzero(fits)
            rows[sizes][at, distance[at]] = levels[f"{name}_sz"][at, k]
    findings.aside(
        "off_grid_levels",
        int(off.sum()),
        f"{int(off.sum())} books with a price that is no tick were left out",
    )
    rows["flags"] = np.where((records["flags"] & _SNAPSHOT) != 0, ev.SNAPSHOT, 0)
    rows["order_count"] = off  # borrowed for the filter below, cleared there
    return rows


def _usable_views(
    records: NDArray[Any], views: EventArray, findings: Findings, *, sampled: bool
) -> tuple[IntArray, IntArray]:
    off = views["order_count"] != 0
    views["order_count"] = 0
    closed = ~open_mask(views["ts_event"])
    crossed = (views["bid"] > 0) & (views["ask"] > 0) & (views["bid"] >= views["ask"])
    bad = crossed & ~closed
    findings.note("closed_book_events", int(closed.sum()), "book events in closed hours, not given out")
    findings.aside("crossed", int(bad.sum()), f"{int(bad.sum())} books crossed or locked in open hours")
    findings.term("crossed", float(bad.mean()))
    stale_term(findings, np.maximum.accumulate(views["ts_event"][~closed]))
    if not sampled:
        note_frozen(findings, views[~closed])
    # A sampled quote is whole by itself; its flags are those of the update it was taken from.
    final = ((records["flags"] & _LAST) != 0) | sampled
    usable = np.flatnonzero(~off & ~closed & ~crossed & (final | (records["action"] == b"T")))
    if len(usable) > 1:
        mine = views[usable]
        same = (mine["bid"][1:] == mine["bid"][:-1]) & (mine["ask"][1:] == mine["ask"][:-1])
        same &= (mine["b"][1:] == mine["b"][:-1]).all(axis=1) & (mine["a"][1:] == mine["a"][:-1]).all(axis=1)
        usable = usable[np.r_[True, ~same]]
    return usable.astype(np.int64), usable.astype(np.int64)


def ohlcv_part(
    path: str, records: NDArray[Any], root: str, contract: str | None, schema: str, ask: Ask
) -> Part:
    """Return the part of an `ohlcv` stream: bars, stamped at their start in the file, at their end here."""
    findings = Findings(path, len(records), ask.quality)
    points = {name: _points(records[name]) for name in ("open", "high", "low", "close")}
    raw = RawBars(
        start=records["ts_event"].astype(np.int64),
        **points,
        volume=records["volume"].astype(np.float64),
        trades=None,
        bid_volume=None,
        ask_volume=None,
        lines=np.arange(1, len(records) + 1),
        member=np.zeros(len(records), np.int64),
        members=(path,),
    )
    seconds = _SECONDS[schema]
    rows = bar_rows(raw, root, findings, seconds)
    side: Aggressor = "none"
    carries = Carries(aggressor=side, bars=True, bar_seconds=seconds)
    return Part(rows.events, _info(path, root, contract, schema, carries), findings.verdict(), path)


def _points(price: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(price == _UNDEFINED, np.nan, price / 1e9)
