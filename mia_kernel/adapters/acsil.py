"""Exports of an ACSIL study of Sierra Chart, cleaned to CSV: quotes, books, forming bars, VIX; UTC.

Real exporters skip the best level: "level 1" of the book is the second one. Where the quotes beside it show
that (over 99 % of comparable rows one tick behind on both sides) the best comes from the quote and every level
keeps its own price. A book without quotes whose spread shows the hole is refused. Updates of forming bars are no
bars: they are kept as a table. Prices are multiplied as `sierra.toml` says. The raw JSON lines are in `acsil_lines`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mia_kernel.adapters.acsil_lines import is_acsil_lines, read_lines
from mia_kernel.adapters.bars import table_stamps
from mia_kernel.adapters.bookrows import best_prices, book_rows, by_record, usable
from mia_kernel.adapters.clocks import fine_lag
from mia_kernel.adapters.parts import Ask, Part, resolve_symbol, to_ticks
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.table import Table, header_of, read_csv
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.events import Carries, EventArray, SourceInfo

IntArray = NDArray[np.int64]

_MS_NS = 1_000_000
_OFF_BY_ONE = 0.99
_OLDEST_QUOTE_NS = 5_000 * _MS_NS


def is_acsil(member: Member) -> bool:
    """Return whether a member is such an export."""
    return is_acsil_lines(member) or header_of(member.data)[0][:1] == ["tsutc"]


def read_acsil(members: list[Member], ask: Ask) -> list[Part]:
    """Return the parts of the members; quotes and book of one day are one part."""
    lines = [member for member in members if is_acsil_lines(member)]
    parts = read_lines(lines, ask) if lines else []
    tables = [(member, read_csv(member)) for member in members if not is_acsil_lines(member)]
    market = {_kind(table): table for _, table in tables if _kind(table) in ("quotes", "dom")}
    if market:
        parts.append(_market(market, ask))
    for _, table in tables:
        kind = _kind(table)
        if kind not in ("quotes", "dom"):
            parts.append(_vix(table, ask) if kind == "vix" else _forming(table, ask))
    return parts


def _kind(table: Table) -> str:
    names = set(table.columns)
    if {"bid", "ask", "bidsize", "asksize"} <= names:
        return "quotes"
    if {"bid1px", "bid1sz", "ask1px", "ask1sz"} <= names:
        return "dom"
    if "vix" in names:
        return "vix"
    if {"open", "high", "low", "close", "volume"} <= names:
        return "forming"
    raise FormatError("columns of no known export", path=table.path, line=1, value=list(names)[:8],
                      rule="quotes, dom, bars or vix with ts_utc")  # fmt: skip


def _time(table: Table) -> IntArray:
    renamed = Table(table.path, {"ts": table.columns["tsutc"]}, table.first_line)
    stamps, zone = table_stamps(renamed)
    if zone is None:
        raise FormatError("a time without offset", path=table.path, line=table.first_line, field="ts_utc",
                          value=str(table.columns["tsutc"][0]), rule="ISO 8601 with Z")  # fmt: skip
    return stamps


def _info(table: Table, root: str, contract: str | None, carries: Carries, *notes: str) -> SourceInfo:
    return SourceInfo(
        tag="imported", adapter="acsil", name=table.path, symbol=root, contract=contract, zone="UTC",
        clock_resolution_ns=_MS_NS, adjustment="contract" if contract else "unknown", carries=carries, notes=notes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Quotes:
    ts: IntArray
    rows: EventArray


def _market(tables: dict[str, Table], ask: Ask) -> Part:
    """Return quotes and books of one day as one part."""
    first = tables.get("quotes", tables.get("dom"))
    assert first is not None
    root, contract = resolve_symbol(first.path, ask)
    total = sum(len(table) for table in tables.values())
    findings = Findings(first.path, total, ask.quality)
    scale = multiplier_of(ask, first.path)
    quotes = _quote_rows(tables["quotes"], root, scale, findings) if "quotes" in tables else None
    pieces: list[EventArray] = []
    if quotes is not None:
        findings.counts["quotes"] = len(tables["quotes"])
        pieces.append(quotes.rows)
    if "dom" in tables:
        findings.counts["dom"] = len(tables["dom"])
        pieces.append(_dom_rows(tables["dom"], root, scale, quotes, findings))
    rows = pieces[0] if len(pieces) == 1 else _by_time(pieces[0], pieces[1])
    rows = rows[usable(rows, findings)]
    rows["seq"] = np.arange(len(rows))
    carries = Carries(book="dom" in tables, quotes=quotes is not None)
    return Part(rows, _info(first, root, contract, carries), findings.verdict(), first.path)


def _by_time(first: EventArray, second: EventArray) -> EventArray:
    return by_record(first, first["ts_recv"], second, second["ts_recv"], views_first=True)


def _sorted(rows: EventArray, findings: Findings, what: str) -> EventArray:
    late = np.diff(rows["ts_event"]) < 0
    findings.repair(
        "out_of_order", int(late.sum()), f"{int(late.sum())} {what} stood behind a later one; sorted"
    )
    return rows[np.argsort(rows["ts_event"], kind="stable")]


def _quote_rows(table: Table, root: str, scale: float, findings: Findings) -> _Quotes:
    ts = _time(table)
    check_scale(table.numbers("bid") * scale, root, table.path, scale)
    rows = ev.empty(len(ts))
    rows["ts_event"] = rows["ts_recv"] = ts
    rows["kind"] = ev.QUOTE
    bad = np.zeros(len(ts), np.bool_)
    for name, sizes in (("bid", "b"), ("ask", "a")):
        rows[name], off = to_ticks(table.numbers(name) * scale, root)
        size = np.nan_to_num(table.numbers(f"{name}size"), nan=-1.0)
        bad |= off | (size < 0) | (size > 2**31 - 1)
        rows[sizes][:, 0] = np.where(bad, 0, size)
    findings.aside(
        "off_grid", int(bad.sum()), f"{int(bad.sum())} quotes off the grid or with an impossible size"
    )
    rows = _sorted(rows[~bad], findings, "quotes")
    return _Quotes(rows["ts_event"].astype(np.int64), rows)


def _dom_rows(
    table: Table, root: str, scale: float, quotes: _Quotes | None, findings: Findings
) -> EventArray:
    ts = _time(table)
    check_scale(_or_nan(table, "bid1px") * scale, root, table.path, scale)
    order = np.argsort(ts, kind="stable")
    levels = max(int(m[1]) for m in (re.fullmatch(r"bid(\d+)px", name) for name in table.columns) if m)
    sides: dict[str, tuple[IntArray, IntArray]] = {}
    for name in ("bid", "ask"):
        price = np.column_stack(
            [to_ticks(_or_nan(table, f"{name}{k}px") * scale, root)[0] for k in range(1, levels + 1)]
        )
        size = np.column_stack([np.nan_to_num(_or_nan(table, f"{name}{k}sz")) for k in range(1, levels + 1)])
        sides[name] = price[order], size.astype(np.int64)[order]
    ts = ts[order]
    (bid, bid_size), (offer, offer_size) = sides["bid"], sides["ask"]
    if quotes is None:
        _refuse_hole(table, bid, offer)
        return book_rows(ts, bid, bid_size, offer, offer_size)
    return _completed(ts, sides, quotes, findings)


def _or_nan(table: Table, name: str) -> NDArray[np.float64]:
    """Return a column of levels; a book of fewer levels leaves its cells empty."""
    text = table.text(name)
    filled = pc.call_function("if_else", [pc.call_function("equal", [text, ""]), pa.scalar("nan"), text])
    return Table(table.path, {name: filled}, table.first_line).numbers(name)


def _refuse_hole(table: Table, bid: IntArray, offer: IntArray) -> None:
    best_bid, best_ask = best_prices(bid, offer)
    spread = (best_ask - best_bid)[(best_bid > 0) & (best_ask > 0)]
    if len(spread) and float((spread >= 3).mean()) > _OFF_BY_ONE:
        raise DataError("the book seems to lack its best level, and no quotes stand beside it", path=table.path,
                        field="spread", value=f"{int(np.median(spread))} ticks in {len(spread)} rows",
                        rule="over 99 % of books 3 ticks wide or more: the exporter skipped the best bid and ask",
                        way_out="put the quotes of the same day beside it")  # fmt: skip


def _completed(
    ts: IntArray, sides: dict[str, tuple[IntArray, IntArray]], quotes: _Quotes, findings: Findings
) -> EventArray:
    """Return the books with the best level from the quote where the file skips it; as they are where it does not."""
    (bid, bid_size), (offer, offer_size) = sides["bid"], sides["ask"]
    best_bid, best_ask = best_prices(bid, offer)
    moved = _on_one_clock(ts, best_bid + best_ask, quotes, findings)
    found = _matching_quotes(moved, best_bid + 1, best_ask - 1, quotes)
    level = _matching_quotes(moved, best_bid, best_ask, quotes) >= 0
    # Comparable is a book for which a quote of its time lies at its best prices, or one tick inside both.
    near, behind = level | (found >= 0), (found >= 0) & ~level
    findings.counts["dom_comparable"], findings.counts["dom_one_behind"] = int(near.sum()), int(behind.sum())
    if not near.any() or behind.sum() <= _OFF_BY_ONE * near.sum():
        return book_rows(moved, bid, bid_size, offer, offer_size)
    ts = moved
    fits = found >= 0
    findings.repair("dom_offset", int(fits.sum()), (
        f"level 1 of the book is a tick behind the quote in {int(behind.sum())} of {int(near.sum())} comparable rows: "
        "the exporter skips the best level; it is taken from the quote and level k is level k+1"))  # fmt: skip
    findings.aside("no_quote_for_book", int((~fits).sum()), (
        f"{int((~fits).sum())} books without a quote of their time and price to complete them"))  # fmt: skip
    first = quotes.rows[found[fits]]
    return book_rows(
        ts[fits],
        np.column_stack([first["bid"], bid[fits]]), np.column_stack([first["b"][:, 0], bid_size[fits]]),
        np.column_stack([first["ask"], offer[fits]]), np.column_stack([first["a"][:, 0], offer_size[fits]]),
    )  # fmt: skip


def _on_one_clock(ts: IntArray, mid: IntArray, quotes: _Quotes, findings: Findings) -> IntArray:
    """Return the books' stamps on the quotes' clock; the earlier of the two streams is moved later, never sooner."""
    reference = quotes.rows["bid"].astype(np.int64) + quotes.rows["ask"]
    lag, share, share_at_zero = fine_lag(ts, mid, quotes.ts, reference)
    if lag > 0:
        findings.repair("two_clocks", len(ts), (
            f"books are stamped {lag / 1e9:.1f} s before the quotes they belong to (mids equal in {share:.0%}, "
            f"unmoved {share_at_zero:.0%}); moved later by that, so that nothing is known early"))  # fmt: skip
    elif lag < 0:
        findings.note(
            "two_clocks", len(ts), f"books are stamped {-lag / 1e9:.1f} s after the quotes; left so"
        )
    return ts + max(lag, 0)


def _matching_quotes(ts: IntArray, bid: IntArray, offer: IntArray, quotes: _Quotes) -> IntArray:
    """Return for each book the newest quote of its very prices, at most a few seconds old; -1 where there is none."""
    by_price: dict[tuple[int, int], list[int]] = {}
    pairs = zip(quotes.rows["bid"].tolist(), quotes.rows["ask"].tolist(), strict=True)
    for at, pair in enumerate(pairs):
        by_price.setdefault(pair, []).append(at)
    grouped = {pair: np.array(found) for pair, found in by_price.items()}
    out = np.full(len(ts), -1, np.int64)
    for i, pair in enumerate(zip(bid.tolist(), offer.tolist(), strict=True)):
        mine = grouped.get(pair)
        if mine is None:
            continue
        k = int(np.searchsorted(quotes.ts[mine], ts[i], side="right")) - 1
        if k >= 0 and ts[i] - quotes.ts[mine[k]] <= _OLDEST_QUOTE_NS:
            out[i] = mine[k]
    return out


def _forming(table: Table, ask: Ask) -> Part:
    root, contract = resolve_symbol(table.path, ask)
    ts = _time(table)
    scale = multiplier_of(ask, table.path)
    columns = {name: table.numbers(name) * scale for name in ("open", "high", "low", "close")}
    columns["volume"] = table.numbers("volume")
    check_scale(columns["close"], root, table.path, scale)
    wrong = (columns["high"] < np.maximum(columns["open"], columns["close"])) | (
        columns["low"] > np.minimum(columns["open"], columns["close"])
    )
    findings = Findings(table.path, len(ts), ask.quality)
    findings.quarantine("ohlc_order", wrong, lambda i: f"line {table.first_line + i} (rule: L <= O, C <= H)")
    shrinks = int((np.diff(columns["volume"]) < 0).sum())
    findings.note(
        "forming", len(ts), f"{len(ts)} updates of bars under construction, no bar is taken from them"
    )
    findings.note("interleaved", shrinks, (
        f"the volume falls {shrinks} times: a new bar, or bars of several charts in one file"))  # fmt: skip
    content = {name: pa.array(values[findings.keep]) for name, values in columns.items()}
    kept = pa.table({"ts_event": pa.array(ts[findings.keep]), **content})
    info = _info(table, root, contract, Carries(), "updates of forming bars: a table, no events")
    return Part(ev.empty(0), info, findings.verdict(), table.path, {"bar_updates": kept})


def _vix(table: Table, ask: Ask) -> Part:
    if ask.root not in (None, "VIX", "ES"):
        raise InputError(
            "the file holds another symbol", path=table.path, field="symbol", value=ask.symbol, rule="VIX"
        )
    ts = _time(table)
    ticks, bad = to_ticks(table.numbers("vix"), "VIX")
    findings = Findings(table.path, len(ts), ask.quality)
    findings.quarantine(
        "off_grid", bad, lambda i: f"line {table.first_line + i} (rule: positive, two decimals)"
    )
    findings.quarantine(
        "out_of_order", np.r_[False, np.diff(ts) < 0], lambda i: f"line {table.first_line + i}"
    )
    rows = ev.empty(int(findings.keep.sum()))
    rows["ts_event"] = rows["ts_recv"] = ts[findings.keep]
    rows["seq"] = np.arange(len(rows))
    rows["kind"] = ev.TRADE
    rows["px"] = ticks[findings.keep]
    rows["instrument"] = ev.VIX
    info = _info(table, "VIX", None, Carries(trades=True), "changes of the index, as the exporter saw them")
    return Part(rows, info, findings.verdict(), table.path)
