"""Read the Cboe delayed-quotes JSON: one object per contract, the instant in UTC, 0 for an unknown volatility."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.adapters.cboe_csv import Asked, underlying_of
from mia_kernel.adapters.osi import PATTERN, pc, read_symbols
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.gamma.chain import Chain, make_chain

_FIELDS = {"bid": "bid", "ask": "ask", "volume": "volume", "iv": "iv", "delta": "delta", "gamma": "gamma",
           "oi": "open_interest"}  # fmt: skip


class _Option(msgspec.Struct):
    option: str
    bid: float | None = None
    ask: float | None = None
    iv: float | None = None
    open_interest: float | None = None
    volume: float | None = None
    delta: float | None = None
    gamma: float | None = None


class _Data(msgspec.Struct):
    options: list[_Option]
    current_price: float | None = None


class _Page(msgspec.Struct):
    data: _Data
    timestamp: str | None = None


def is_delayed_quotes(head: bytes) -> bool:
    """Tell whether bytes begin a delayed-quotes page."""
    return (
        head.lstrip()[:1] == b"{"
        and b'"data"' in head
        and (b'"options"' in head or b'"current_price"' in head)
    )


def read_delayed_quotes(data: bytes, path: str, asked: Asked) -> Chain:
    """Return the chain of a delayed-quotes page.

    Raises
    ------
    FormatError
        If it is no such page, or is cut short.
    DataError
        If time or spot is missing and `asked` does not say it.
    """
    try:
        page = msgspec.json.decode(data, type=_Page)
    except msgspec.DecodeError as error:
        raise FormatError(f"no delayed-quotes page: {error}", path=path,
                          rule="{timestamp, data: {current_price, options: [{option, bid, …}]}}",
                          way_out="fetch the file again") from None  # fmt: skip
    symbols = pa.array([row.option for row in page.data.options], pa.string())
    good = (
        np.asarray(pc.match_substring_regex(symbols, PATTERN), np.bool_)
        if len(symbols)
        else np.zeros(0, np.bool_)
    )
    if not good.any():
        raise DataError("the page holds no contract", path=path, field="data.options", value=len(symbols),
                        rule="OSI symbols like SPXW230609C04300000")  # fmt: skip
    rows = [row for row, use in zip(page.data.options, good, strict=True) if use]
    columns, roots = read_symbols(symbols.filter(pa.array(good)))
    for name, key in _FIELDS.items():
        columns[name] = _column(rows, key)
    return make_chain(
        columns, roots, as_of=_instant(page.timestamp, path, asked), spot=_spot(page.data.current_price, path, asked),
        underlying=underlying_of(roots), source=path, kind="cboe delayed quotes",
        unreadable_rows=int(np.count_nonzero(~good)),
    )  # fmt: skip


def _column(rows: list[_Option], key: str) -> NDArray[np.float64]:
    return np.array([np.nan if (value := getattr(row, key)) is None else value for row in rows], np.float64)


def _instant(stamp: str | None, path: str, asked: Asked) -> int:
    try:
        wall = datetime.fromisoformat((stamp or "").strip())
    except ValueError:
        if asked.at is not None:
            return asked.at
        raise DataError("the page tells no time", path=path, field="timestamp", value=stamp,
                        rule="2023-09-21 03:17:42, UTC", way_out="--at TIME") from None  # fmt: skip
    # The page's stamp is UTC although its trade times are New York's: seen against capture times.
    return int((wall if wall.tzinfo else wall.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


def _spot(price: float | None, path: str, asked: Asked) -> float:
    if asked.spot is not None:
        return asked.spot
    if price is None:
        raise DataError("the page tells no spot", path=path, field="data.current_price", rule="above 0",
                        way_out="--spot PRICE")  # fmt: skip
    return price
