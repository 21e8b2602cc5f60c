"""Sierra Chart's trade text with the order book: `;` separated, one line per trade, 40 levels a side.

`TradeType` 1 was sold at the bid, 2 bought at the ask. The fraction of the time is a whole number of
microseconds without leading zeros (`.5000`, `.6000`, `.47000` follow each other: 5, 6 and 47 ms), and its last
three digits only count the trades of one millisecond. The quote stands at the trade; the DOM columns lag it,
so a level lies at its own price (`AskDOMPrice` + i ticks) and only the best prices and sizes are the quote's.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.bookrows import book_rows, by_record, usable
from mia_kernel.adapters.parts import Ask, Part, resolve_symbol, to_ticks
from mia_kernel.adapters.quality import Findings, judge_sides
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.stamps import DAY_NS, NS, parse_date, resolve_zone, to_utc
from mia_kernel.adapters.table import Table, read_csv
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError
from mia_kernel.core.events import Carries, EventArray, SourceInfo

IntArray = NDArray[np.int64]

_TIME = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$")
_SIDES = {1: -1, 2: 1}
_MS_NS = 1_000_000


def is_sierra_dom(names: list[str]) -> bool:
    """Return whether column names are those of the trade text with a book."""
    return {"depthsequence", "tradetype", "price", "volume", "askprice", "bidprice"} <= set(names)


def read_sierra_dom(members: list[Member], ask: Ask) -> list[Part]:
    """Return the trades of each member and the book before each of them."""
    return [_part(read_csv(member), ask) for member in members]


def fraction_ns(digits: str) -> int:
    """Return the ns of a fraction that is microseconds without leading zeros."""
    return int(digits or 0) * 1_000


def _stamps(table: Table) -> IntArray:
    out = np.zeros(len(table), np.int64)
    dates, times = table.text("date").to_pylist(), table.text("time").to_pylist()
    days: dict[str, int | None] = {text: parse_date(text) for text in set(dates)}
    for i, (date, time) in enumerate(zip(dates, times, strict=True)):
        match, day = _TIME.match(time), days[date]
        if match is None or day is None:
            raise FormatError("not a time", path=table.path, line=table.first_line + i, field="Date;Time",
                              value=f"{date};{time}", rule="YYYY-MM-DD;HH:MM:SS.fraction")  # fmt: skip
        seconds = (int(match[1]) * 60 + int(match[2])) * 60 + int(match[3])
        out[i] = day * DAY_NS + seconds * NS + fraction_ns(match[4] or "")
    return out


def _part(table: Table, ask: Ask) -> Part:
    root, contract = resolve_symbol(table.path, ask)
    local = _stamps(table)
    zone, how = resolve_zone(local, ask.tz, path=table.path)
    ts = to_utc(local, zone, path=table.path)
    findings = Findings(table.path, len(table), ask.quality)
    scale = multiplier_of(ask, table.path)
    price = table.numbers("price") * scale
    check_scale(price, root, table.path, scale)
    ticks, bad = to_ticks(price, root)
    kinds = table.numbers("tradetype")
    side = np.select([kinds == kind for kind in _SIDES], list(_SIDES.values()), 0).astype(np.int8)
    again = np.r_[False, np.diff(table.numbers("sequence")) == 0]
    findings.drop("duplicates", again, f"{int(again.sum())} lines repeat a sequence number")
    size = np.nan_to_num(table.numbers("volume"), nan=-1.0)
    raw = RawTrades(ts, ticks, ~bad, np.clip(size, -1, 2**31).astype(np.int64), side,
                    lambda i: f"{table.path}:{table.first_line + i}")  # fmt: skip
    trades = trade_rows(raw, findings, resolution_ns=_MS_NS)
    bid, _ = to_ticks(table.numbers("bidprice") * scale, root)
    offer, _ = to_ticks(table.numbers("askprice") * scale, root)
    aggressor = judge_sides(trades, bid[findings.keep], offer[findings.keep], findings)
    books = _books(table, ts, bid, offer, root, scale, findings)
    kept = np.flatnonzero(findings.keep)
    shown = usable(books, findings)
    rows = by_record(books[shown], shown, trades, kept, views_first=True)
    rows["ts_recv"] = np.maximum.accumulate(rows["ts_recv"])
    info = SourceInfo(
        tag="imported", adapter="sierra-dom", name=table.path, symbol=root, contract=contract, zone=zone,
        clock_resolution_ns=_MS_NS, adjustment="contract" if contract else "unknown",
        carries=Carries(book=True, trades=True, aggressor=aggressor),
        notes=(f"zone {zone} {how}", "levels behind the best lag the quote and lie at their own prices"),
    )  # fmt: skip
    return Part(rows, info, findings.verdict(), table.path)


def _books(
    table: Table, ts: IntArray, bid: IntArray, offer: IntArray, root: str, scale: float, findings: Findings
) -> EventArray:
    """Return the book before each trade: the quote, and behind it the levels at their own prices."""
    dom_bid, _ = to_ticks(table.numbers("biddomprice") * scale, root)
    dom_ask, _ = to_ticks(table.numbers("askdomprice") * scale, root)
    same = (dom_ask == offer) & (dom_bid == bid)
    lagging = int((~same).sum())
    findings.note("dom_lags_quote", lagging, (
        f"in {lagging} of {len(ts)} rows the DOM columns start elsewhere than the quote; "
        "levels lie at their own price"))  # fmt: skip
    columns: dict[str, Any] = {}
    for name, best, anchor, step in (("bid", bid, dom_bid, -1), ("ask", offer, dom_ask, 1)):
        count = sum(1 for column in table.columns if re.fullmatch(rf"{name}dom\d+", column))
        sizes = np.column_stack([np.nan_to_num(table.numbers(f"{name}dom{k}")) for k in range(count)]).astype(
            np.int64
        )
        prices = anchor[:, None] + step * np.arange(count)
        behind = step * (prices - best[:, None]) > 0  # the best itself comes from the quote
        first = np.nan_to_num(table.numbers(f"{name}size")).astype(np.int64)
        columns[name] = np.column_stack([best, np.where(behind, prices, 0)])
        columns[f"{name}_size"] = np.column_stack([first, sizes])
    return book_rows(ts, columns["bid"], columns["bid_size"], columns["ask"], columns["ask_size"])
