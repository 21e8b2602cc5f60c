"""Trades in CSV of any author: `;` or `,`, decimal point or comma, padded fields, with or without a quote.

The side is a word (`BID`/`ASK`, `B`/`S`, `buy`/`sell`): at the bid was sold, at the ask bought. It counts
only if it is not one and the same on every line and agrees with the quote where the quote can tell. Quotes
of such files are late snapshots, so none is given out; where over 5 % of the prices lie outside of them
that is said. A CSV whose book stands in JSON maps (`DOM_BID`, `DOM_ASK`) is read with its books.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mia_kernel.adapters.bars import table_stamps
from mia_kernel.adapters.bookrows import book_rows, by_record, usable
from mia_kernel.adapters.parts import Ask, Part, resolve_symbol, to_ticks
from mia_kernel.adapters.quality import Findings, judge_sides
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.stamps import resolve_zone, to_utc
from mia_kernel.adapters.table import Table, header_of, read_csv
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError
from mia_kernel.core.events import Carries, EventArray, SourceInfo

IntArray = NDArray[np.int64]

_PRICES, _SIZES, _SIDES = (
    ("price", "precio", "px"),
    ("volume", "size", "volumen", "qty"),
    ("lado", "side", "aggressor"),
)
_SIDE_WORDS = {"ask": 1, "buy": 1, "b": 1, "bid": -1, "sell": -1, "s": -1, "a": -1}
_MS_NS = 1_000_000
_LATE_QUOTES = 0.05


def is_tick_csv(member: Member) -> bool:
    """Return whether a member is a table of trades with a side."""
    names = set(header_of(member.data)[0])
    return "timestamp" in names and bool(names & set(_PRICES)) and bool(names & set(_SIDES))


def read_tick_csv(members: list[Member], ask: Ask) -> list[Part]:
    """Return the trades of each member, with its books where it has them."""
    return [_part(member, ask) for member in members]


def _decimals(table: Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers, with a decimal comma where it has one."""
    column = table.columns[name]
    if pa.types.is_string(column.type):
        text = pc.call_function("replace_substring", [column], pc.ReplaceSubstringOptions(",", "."))
        table = Table(table.path, {**table.columns, name: text}, table.first_line, table.unterminated)
    return table.numbers(name)


def _part(member: Member, ask: Ask) -> Part:
    names = header_of(member.data)[0]
    maps = "dombid" in names and "domask" in names
    table, books = _with_maps(member) if maps else (read_csv(member, ask.meter), None)
    root, contract = resolve_symbol(member.path, ask)
    local, told = table_stamps(table)
    zone, how = ("UTC", "from the file") if told else resolve_zone(local, ask.tz, path=member.path)
    ts = to_utc(local, zone, path=member.path)
    findings = Findings(member.path, len(table), ask.quality)
    scale = multiplier_of(ask, member.path)
    price = _decimals(table, _column(table, _PRICES)) * scale
    check_scale(price, root, member.path, scale)
    ticks, bad = to_ticks(price, root)
    cut = np.zeros(len(table), np.bool_)
    cut[-1] = table.unterminated and not maps
    findings.quarantine(
        "unterminated", cut, lambda i: f"line {table.first_line + i} has no line end", refusing=False
    )
    size = np.nan_to_num(_decimals(table, _column(table, _SIZES)), nan=-1.0)
    raw = RawTrades(ts, ticks, ~bad, np.clip(size, -1, 2**31).astype(np.int64), _side(table),
                    lambda i: f"{member.path}:{table.first_line + i}")  # fmt: skip
    trades = trade_rows(raw, findings, resolution_ns=_MS_NS)
    bid, offer = _quotes(table, root, scale, findings)
    aggressor = judge_sides(trades, bid, offer, findings)
    rows = trades if books is None else _joined(trades, _map_rows(ts, *books, root, scale), findings)
    info = SourceInfo(
        tag="imported", adapter="tick-csv", name=member.path, symbol=root, contract=contract, zone=zone,
        clock_resolution_ns=_MS_NS, adjustment="contract" if contract else "unknown",
        carries=Carries(book=books is not None, trades=True, aggressor=aggressor), notes=(f"zone {zone} {how}",),
    )  # fmt: skip
    return Part(rows, info, findings.verdict(), member.path)


def _column(table: Table, names: tuple[str, ...]) -> str:
    found = table.has(*names)
    if found is None:
        raise FormatError("a column is missing", path=table.path, line=1, value=list(table.columns),
                          rule=f"one of {', '.join(names)}")  # fmt: skip
    return found


def _side(table: Table) -> NDArray[np.int8]:
    encoded = table.text(_column(table, _SIDES)).dictionary_encode()
    values = []
    for text in encoded.dictionary.to_pylist():
        word = str(text).lower()
        if word not in _SIDE_WORDS and word not in ("", "n", "none", "unknown"):
            row = int(np.flatnonzero(encoded.indices.to_numpy(zero_copy_only=False) == len(values))[0])
            raise FormatError("not a side", path=table.path, line=table.first_line + row, field="side", value=text,
                              rule=", ".join(_SIDE_WORDS))  # fmt: skip
        values.append(_SIDE_WORDS.get(word, 0))
    return np.array(values, np.int8)[encoded.indices.to_numpy(zero_copy_only=False)]


def _quotes(
    table: Table, root: str, scale: float, findings: Findings
) -> tuple[IntArray | None, IntArray | None]:
    """Return bid and ask of the kept rows; None where the file has none. Says so where they are late."""
    if table.has("bid") is None or table.has("ask") is None:
        return None, None
    bid, _ = to_ticks(_decimals(table, "bid") * scale, root)
    offer, _ = to_ticks(_decimals(table, "ask") * scale, root)
    price, _ = to_ticks(_decimals(table, _column(table, _PRICES)) * scale, root)
    quoted = (bid > 0) & (offer > bid)
    outside = quoted & ((price < bid) | (price > offer))
    share = float(outside.sum() / max(quoted.sum(), 1))
    findings.counts["inside_spread"] = int((quoted & (price > bid) & (price < offer)).sum())
    if share > _LATE_QUOTES:
        findings.note("late_quotes", int(outside.sum()), (
            f"{share:.1%} of the prices lie outside the quote on their line: late, not given out"))  # fmt: skip
    return bid[findings.keep], offer[findings.keep]


Maps = tuple[IntArray, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _with_maps(member: Member) -> tuple[Table, Maps]:
    """Return the plain columns of a CSV with unquoted JSON maps, and the maps as (line, prices, sizes) a side."""
    lines = member.data.decode("utf-8-sig", "strict").splitlines()
    names = header_of(member.data)[0]
    plain = [name for name in names if name not in ("dombid", "domask")]
    cells: list[list[str]] = []
    sides: dict[str, list[tuple[list[float], list[float]]]] = {"bid": [], "ask": []}
    for number, line in enumerate(lines[1:], start=2):
        match = re.fullmatch(r"([^{]*),(\{[^{}]*\}),(\{[^{}]*\})", line)
        fields = match[1].split(",") if match else []
        if match is None or len(fields) != len(plain):
            raise FormatError("a line breaks the layout", path=member.path, line=number, value=line[:80],
                              rule=f"{len(plain)} fields and two JSON maps")  # fmt: skip
        cells.append(fields)
        for name, text in (("bid", match[2]), ("ask", match[3])):
            sides[name].append(_levels(text, member.path, number))
    if not cells:
        raise FormatError("a header and no row", path=member.path, line=1, rule="at least one trade")
    columns = {name: pa.array([row[k] for row in cells], pa.string()) for k, name in enumerate(plain)}
    bid, ask = (_padded(sides[name]) for name in ("bid", "ask"))
    return Table(member.path, columns, 2), (np.arange(len(cells)), *bid, *ask)


def _levels(text: str, path: str, line: int) -> tuple[list[float], list[float]]:
    try:
        levels = msgspec.json.decode(text, type=dict[str, float])
        return [float(price) for price in levels], list(levels.values())
    except (msgspec.DecodeError, ValueError) as error:
        raise FormatError(
            "not a map of prices", path=path, line=line, value=text[:60], rule='{"price": size, …}'
        ) from error


def _padded(levels: list[tuple[list[float], list[float]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    widest = max((len(prices) for prices, _ in levels), default=0)
    price, size = np.zeros((len(levels), widest)), np.zeros((len(levels), widest))
    for i, (prices, sizes) in enumerate(levels):
        price[i, : len(prices)], size[i, : len(sizes)] = prices, sizes
    return price, size


def _map_rows(
    ts: IntArray, _at: IntArray, bid: Any, bid_size: Any, offer: Any, offer_size: Any, root: str, scale: float
) -> EventArray:
    def ticks(points: NDArray[np.float64]) -> IntArray:
        found, bad = to_ticks(points * scale, root)
        return np.where(bad, 0, found)

    return book_rows(ts, ticks(bid), bid_size.astype(np.int64), ticks(offer), offer_size.astype(np.int64))


def _joined(trades: EventArray, books: EventArray, findings: Findings) -> EventArray:
    """Return trades and books in file order; a book tells the state after the trades of its line."""
    shown = usable(books, findings)
    rows = by_record(books[shown], shown, trades, np.flatnonzero(findings.keep))
    rows["ts_recv"] = np.maximum.accumulate(rows["ts_recv"])
    return rows
