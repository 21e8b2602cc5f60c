"""Read long option tables: one contract a row under a header, as Cboe DataShop delivers them.

How it moves: the header names the columns; a contract is told by root, expiration, strike and type, or by its OSI
symbol. End-of-day tables with calcs hold quotes and greeks of 15:45 (15 minutes before an early close), interval
tables the time of each row, in New York. A table of several instants is read at the one asked for. Zeros of unknown
(implied volatility, underlying price) stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from mia_kernel.adapters.cboe_csv import Asked, numbers, underlying_of
from mia_kernel.adapters.osi import PATTERN, pc, read_symbols
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.session import NEW_YORK, cash_close_minute, new_york_ns
from mia_kernel.gamma.chain import CALL, PUT, Chain, make_chain

_HEADER = re.compile(rb'\A(?:\xef\xbb\xbf)?"?[A-Za-z_][^\n]*')
_SYMBOL = ("option_symbol", "contract_symbol", "option", "osi", "symbol")
_PARTS = ("root", "expiration", "strike", "option_type")
_FIELDS = {
    "bid": ("bid_1545", "bid", "bid_eod"),
    "ask": ("ask_1545", "ask", "ask_eod"),
    "iv": ("implied_volatility_1545", "implied_volatility", "iv"),
    "delta": ("delta_1545", "delta"),
    "gamma": ("gamma_1545", "gamma"),
    "oi": ("open_interest", "oi"),
    "volume": ("trade_volume", "volume"),
}
_SPOT = ("active_underlying_price_1545", "active_underlying_price", "underlying_price", "implied_underlying_price_1545",
         "implied_underlying_price")  # fmt: skip
_WHEN = ("quote_datetime", "quote_date")
_EARLY_MINUTES = 15
_LAST_MINUTE = 960


def is_contract_table(head: bytes) -> bool:
    """Tell whether bytes begin with the header of a long option table."""
    found = _HEADER.match(head)
    if found is None:
        return False
    names = _names(found[0].decode("utf-8", "replace"))
    told = set(_PARTS) <= names or bool(names & set(_SYMBOL[:3]))
    return told and bool(names & set(_FIELDS["oi"])) and bool(names & set(_FIELDS["bid"]))


def _names(line: str) -> set[str]:
    return {_plain(name) for name in line.lstrip("\ufeff").split(",")}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().strip('"').lower()).strip("_")


def read_contract_table(data: bytes, path: str, asked: Asked) -> Chain:
    """Return the chain of a long table.

    Raises
    ------
    FormatError
        If the rows are no table or name no contract.
    DataError
        If it holds several underlyings, or several instants and none is asked for, or no spot or time is known.
    """
    table = _table(data, path)
    rows = len(table)
    as_of, table, notes = _instant(table, path, asked)
    columns, roots, good = _contracts(table, path)
    kept = table.filter(pa.array(good))
    for name, candidates in _FIELDS.items():
        column = _first(kept, candidates)
        columns[name] = np.full(len(kept), np.nan) if column is None else numbers(column)
    spot = asked.spot or _spot(kept)
    if spot is None:
        raise DataError("the table holds no price of the underlying", path=path, field=_SPOT[0],
                        way_out="--spot PRICE")  # fmt: skip
    return make_chain(
        columns, roots, as_of=as_of, spot=spot, underlying=_underlying(kept, roots, path), source=path,
        kind="cboe long table", notes=(*notes, *_other_times(rows, len(table))), unreadable_rows=len(table) - len(kept),
    )  # fmt: skip


def _table(data: bytes, path: str) -> pa.Table:
    try:
        read = pa_csv.read_csv(
            BytesIO(data),
            convert_options=pa_csv.ConvertOptions(column_types=None, strings_can_be_null=True),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=lambda _: "skip"),
        )
    except pa.ArrowInvalid as error:
        raise FormatError(f"the rows are no table: {error}", path=path, rule="one contract a row") from None
    names = [_plain(name) for name in read.column_names]
    if len(set(names)) != len(names):
        raise FormatError("a column name stands twice", path=path, value=", ".join(sorted(names)))
    try:
        texts = [pc.cast(column, pa.string()) for column in read.columns]
    except pa.ArrowInvalid as error:
        raise FormatError(f"the rows are no text: {error}", path=path, rule="UTF-8") from None
    return pa.table(dict(zip(names, texts, strict=True)))


def _first(table: pa.Table, candidates: Sequence[str]) -> Any:
    return next((table.column(name) for name in candidates if name in table.column_names), None)


def _instant(table: pa.Table, path: str, asked: Asked) -> tuple[int, pa.Table, tuple[str, ...]]:
    """Return the instant of the snapshot and its rows."""
    when = _first(table, _WHEN)
    if when is None:
        if asked.at is None:
            raise DataError(
                "the table holds no time", path=path, field=" or ".join(_WHEN), way_out="--at TIME"
            )
        return asked.at, table, ("the instant was given by the user: the table holds none",)
    early = any(name.endswith("_1545") for name in table.column_names)
    stamps = {text: _stamp(text, path, early=early) for text in pc.unique(when).to_pylist()}
    if asked.at is not None:
        texts = [text for text, ts in stamps.items() if ts == asked.at]
    else:
        texts = list(stamps)
    if len(texts) != 1:
        raise DataError(f"the table holds {len(stamps)} instants", path=path, field="at", value=asked.at,
                        rule="one of " + ", ".join(sorted(map(str, stamps))[:5]), way_out="--at TIME")  # fmt: skip
    return stamps[texts[0]], table.filter(pc.equal(when, texts[0])), ()


def _stamp(text: str | None, path: str, *, early: bool) -> int:
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        raise DataError(
            "not a date", path=path, field="quote_date", value=text, rule="YYYY-MM-DD[ HH:MM:SS]"
        ) from None
    if len(str(text)) > 10:
        return int(when.replace(tzinfo=NEW_YORK).timestamp()) * 1_000_000_000
    day = when.year * 10_000 + when.month * 100 + when.day
    close = cash_close_minute(day) or _LAST_MINUTE
    return new_york_ns(day, close - (_EARLY_MINUTES if early else 0))


def _contracts(
    table: pa.Table, path: str
) -> tuple[dict[str, NDArray[Any]], NDArray[np.str_], NDArray[np.bool_]]:
    """Return expiry, right and strike, the roots, and which rows hold a contract."""
    if set(_PARTS) <= set(table.column_names):
        return _from_parts(table, path)
    symbols = _first(table, _SYMBOL)
    good = np.asarray(pc.fill_null(pc.match_substring_regex(symbols, PATTERN), False), np.bool_)
    if not good.any():
        raise FormatError("no row names a contract", path=path, rule="OSI symbols like SPXW230609C04300000")
    columns, roots = read_symbols(symbols.filter(pa.array(good)))
    return columns, roots, good


def _from_parts(
    table: pa.Table, path: str
) -> tuple[dict[str, NDArray[Any]], NDArray[np.str_], NDArray[np.bool_]]:
    kind = pc.utf8_upper(pc.utf8_slice_codeunits(table.column("option_type"), start=0, stop=1))
    strike = numbers(table.column("strike"))
    days = pc.replace_substring(
        pc.utf8_slice_codeunits(table.column("expiration"), start=0, stop=10), "-", ""
    )
    expiry = numbers(days)
    known = np.asarray(pc.fill_null(pc.is_in(kind, value_set=pa.array(["C", "P"])), False), np.bool_)
    good = known & (strike > 0) & (expiry > 19_700_101) & (expiry < 22_000_101)
    good &= np.asarray(pc.is_valid(table.column("root")), np.bool_)
    if not good.any():
        raise FormatError("no row names a contract", path=path, rule=", ".join(_PARTS))
    roots = np.array(table.column("root").filter(pa.array(good)).to_pylist(), np.str_)
    calls = np.asarray(pc.fill_null(pc.equal(kind, "C"), False), np.bool_)[good]
    columns: dict[str, NDArray[Any]] = {
        "expiry": expiry[good].astype(np.int32),
        "strike": strike[good],
        "right": np.where(calls, CALL, PUT).astype(np.int8),
    }
    return columns, np.char.lstrip(roots, "^"), good


def _spot(table: pa.Table) -> float | None:
    for name in _SPOT:
        if name in table.column_names:
            values = numbers(table.column(name))
            values = values[values > 0]
            if len(values):
                return float(np.median(values))
    sides = [_first(table, (f"underlying_{side}_1545", f"underlying_{side}")) for side in ("bid", "ask")]
    if any(side is None for side in sides):
        return None
    bid, ask = numbers(sides[0]), numbers(sides[1])
    middle = (0.5 * (bid + ask))[(bid > 0) & (ask > 0)]
    return float(np.median(middle)) if len(middle) else None


def _underlying(table: pa.Table, roots: NDArray[np.str_], path: str) -> str:
    if "underlying_symbol" not in table.column_names:
        return underlying_of(roots)
    named = sorted(
        {str(name).lstrip("^") for name in pc.unique(table.column("underlying_symbol")).to_pylist()}
    )
    if len(named) != 1:
        raise DataError("the table holds several underlyings", path=path, field="underlying_symbol",
                        value=", ".join(named[:5]), rule="one", way_out="cut the table to one")  # fmt: skip
    return named[0]


def _other_times(rows: int, kept: int) -> tuple[str, ...]:
    return () if rows == kept else (f"{rows - kept:,} rows of other instants left out",)
