"""Read the quote table of the Cboe page (`quotedata.csv`): two contracts a row, header names twice.

How it moves: the name line gives the spot, the date line the instant, both wherever they stand before the first
row that holds two OSI symbols; the symbols give root, expiry, right and strike, so the expiry column and its
language do not matter. Columns are read by position: the header repeats its names, or is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from mia_kernel.adapters.chain_dates import read_date_line
from mia_kernel.adapters.osi import PATTERN, pc, read_symbols
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.gamma.chain import Chain, make_chain

_FIELDS = ("bid", "ask", "volume", "iv", "delta", "gamma", "oi")
_CALL_AT, _PUT_AT, _WIDTH = 1, 12, 22
_BID_AFTER_SYMBOL = 3
_WIDE_ROW = re.compile(rb"(?m)^[^\n]*?[A-Z]{1,6}\d{6}C\d{8}\"?,[^\n]*?[A-Z]{1,6}\d{6}P\d{8}\"?,")
_LAST = re.compile(r"Last:\s*([\d,]*\.?\d+)")
_DATE = re.compile(r"Date:(.*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of a chain."""

    at: int | None = None
    """Instant of the snapshot (ns UTC), where the file does not tell a readable one."""
    spot: float | None = None
    """Price of the underlying, over what the file says."""

    def __post_init__(self) -> None:
        if self.spot is not None and not 0 < self.spot < float("inf"):
            raise InputError("not a price", field="spot", value=self.spot, rule="above 0, and finite")


def is_quote_table(head: bytes) -> bool:
    """Tell whether bytes hold a row of a quote table."""
    return _WIDE_ROW.search(head) is not None


def read_quote_table(data: bytes, path: str, asked: Asked) -> Chain:
    """Return the chain of a quote table.

    Raises
    ------
    FormatError
        If no row holds a call and a put symbol, or the rows are no table.
    DataError
        If spot or date cannot be read and `asked` does not say it.
    """
    first = _WIDE_ROW.search(data)
    if first is None:
        raise FormatError("no row with a call and a put symbol", path=path, offset=0, value=data[:48],
                          rule="OSI symbols like SPXW230609C04300000")  # fmt: skip
    head = data[: first.start()].decode("utf-8", "replace")
    table, bad = _rows(data[first.start() :], path)
    sides = [_side(table, at) for at in (_CALL_AT, _PUT_AT)]
    columns = {name: np.concatenate([side[0][name] for side in sides]) for name in sides[0][0]}
    roots = np.concatenate([side[1] for side in sides])
    as_of, notes = _instant(head, path, np.unique(columns["expiry"]).tolist(), asked)
    return make_chain(
        columns, roots, as_of=as_of, spot=asked.spot or _spot(head, path), underlying=underlying_of(roots),
        source=path, kind="cboe quote table", notes=notes, unreadable_rows=bad,
    )  # fmt: skip


def underlying_of(roots: NDArray[np.str_]) -> str:
    """Return the underlying of root symbols: SPX for SPX and SPXW, the root itself where it is alone."""
    names = sorted({str(name) for name in np.unique(roots)}, key=len)
    return names[0].removesuffix("W").removesuffix("P") if names[0] in ("SPXW", "NDXP", "RUTW") else names[0]


def _rows(body: bytes, path: str) -> tuple[pa.Table, int]:
    """Return the rows as text columns; rows that are not two contracts are counted and left out."""
    cut: list[int] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        cut.append(row.expected_columns)
        return "skip"

    names = [f"f{i}" for i in range(_WIDTH)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body),
            # One thread: ten thousand rows gain nothing from more, and each would bring its own memory.
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=skip),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise FormatError(f"the rows are no table: {error}", path=path, rule=f"{_WIDTH} columns") from None
    both = [
        pc.fill_null(pc.match_substring_regex(table.column(at), PATTERN), False) for at in (_CALL_AT, _PUT_AT)
    ]
    kept = table.filter(pc.and_(*both))
    return kept, len(cut) + len(table) - len(kept)


def _side(table: pa.Table, at: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.str_]]:
    columns, roots = read_symbols(table.column(at))
    for i, name in enumerate(_FIELDS):
        columns[name] = numbers(table.column(at + _BID_AFTER_SYMBOL + i))
    return columns, roots


def numbers(texts: Any) -> NDArray[np.float64]:
    """Return text as numbers, thousands marks taken off; what is no number is unknown (NaN)."""
    plain = pc.replace_substring(pc.utf8_trim_whitespace(texts), ",", "")
    good = pc.match_substring_regex(plain, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return np.asarray(pc.cast(pc.if_else(good, plain, None), pa.float64()).to_numpy(), np.float64)


def _spot(head: str, path: str) -> float:
    found = _LAST.search(head)
    if found is None:
        raise DataError("the name line holds no last price", path=path, field="Last", rule="Last: 4500.53",
                        way_out="--spot PRICE")  # fmt: skip
    text = found[1]
    # "Last: 4500.5298,Change: …": a comma there ends the field unless three digits and a point follow it.
    if not re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.split(",")[0]
    return float(text)


def _instant(head: str, path: str, expiries: list[int], asked: Asked) -> tuple[int, tuple[str, ...]]:
    line = _DATE.search(head)
    try:
        if line is None:
            raise DataError("no date line", path=path, field="Date", rule="Date: May 26, 2023 at 5:01 PM EDT",
                            way_out="--at TIME")  # fmt: skip
        return read_date_line(re.split(r",?\s*\"?,?\s*Bid:", line[1])[0], path, expiries)
    except DataError as error:
        if asked.at is None:
            raise
        return asked.at, (f"the instant was given by the user: {error.message}",)
