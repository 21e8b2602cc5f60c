"""Event rows as Parquet columns and back, and what is known of a source as JSON and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.core import events as ev
from mia_kernel.core.events import DEPTH, Carries, ContractChange, EventArray, SourceInfo

KINDS = {ev.TRADE: "trades", ev.QUOTE: "quotes", ev.BOOK: "book", ev.BAR: "bars", ev.TIMER: "timers"}
"""Kind of row to the name of its table."""

_COMMON = ("ts_event", "ts_recv", "seq", "flags")
_BAR_COLUMNS = {
    "open": ev.BAR_OPEN,
    "high": ev.BAR_HIGH,
    "low": ev.BAR_LOW,
    "bid_volume": ev.BAR_BID_VOLUME,
    "ask_volume": ev.BAR_ASK_VOLUME,
    "trades": ev.BAR_TRADES,
    "seconds": ev.BAR_SECONDS,
}
_PLAIN = {
    ev.TRADE: ("px", "sz", "side", "order_count"),
    ev.QUOTE: ("bid", "ask"),
    ev.BOOK: ("bid", "ask"),
    ev.BAR: ("px", "sz"),
    ev.TIMER: (),
}
_LEVELS = {ev.QUOTE: 1, ev.BOOK: DEPTH}


def _values(table: pa.Table, name: str) -> NDArray[Any]:
    """Return a column without nulls, uncopied; `to_numpy` would load pandas, most of a second of a start."""
    return np.from_dlpack(table.column(name).combine_chunks())


def to_table(events: EventArray, kind: int) -> pa.Table:
    """Return the rows of one kind as a table; prices in ticks, stamps in ns UTC."""
    at = events["kind"] == kind
    rows = events if bool(at.all()) else events[at]
    columns: dict[str, Any] = {name: rows[name] for name in (*_COMMON, *_PLAIN[kind])}
    if kind == ev.TRADE and bool(rows["bid"].any() | rows["ask"].any()):
        # Some sources tell the quote at each trade without its sizes; it stands on the trade's own row.
        columns |= {"bid": rows["bid"], "ask": rows["ask"]}
    for i in range(_LEVELS.get(kind, 0)):
        columns[f"b{i}"], columns[f"a{i}"] = rows["b"][:, i], rows["a"][:, i]
    if kind == ev.BAR:
        columns |= {name: rows["b"][:, at] for name, at in _BAR_COLUMNS.items()}
    return pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()})


def from_table(table: pa.Table, kind: int) -> EventArray:
    """Return a table written by `to_table` as rows."""
    rows = ev.empty(len(table))
    rows["kind"] = kind
    told = ("bid", "ask") if kind == ev.TRADE and "bid" in table.column_names else ()
    for name in (*_COMMON, *_PLAIN[kind], *told):
        rows[name] = _values(table, name)
    for i in range(_LEVELS.get(kind, 0)):
        rows["b"][:, i] = _values(table, f"b{i}")
        rows["a"][:, i] = _values(table, f"a{i}")
    if kind == ev.BAR:
        for name, at in _BAR_COLUMNS.items():
            rows["b"][:, at] = _values(table, name)
    return rows


def whole_table(events: EventArray) -> pa.Table:
    """Return rows of every kind and instrument as one table."""
    plain = [name for name in ev.EVENT_DTYPE.names or () if name not in ("b", "a")]
    columns = {name: pa.array(np.ascontiguousarray(events[name])) for name in plain}
    for i in range(DEPTH):
        columns[f"b{i}"] = pa.array(np.ascontiguousarray(events["b"][:, i]))
        columns[f"a{i}"] = pa.array(np.ascontiguousarray(events["a"][:, i]))
    return pa.table(columns)


def not_whole(table: pa.Table) -> str | None:
    """Return the first column that `whole_table` writes and a table has not, or with nulls or as another type."""
    for field in whole_table(ev.empty(0)).schema:
        at = table.schema.get_field_index(field.name)
        if at < 0 or table.schema.field(at).type != field.type or table.column(at).null_count:
            return field.name
    return None


def whole_rows(table: pa.Table) -> EventArray:
    """Return a table written by `whole_table` as rows."""
    rows = ev.empty(len(table))
    for name in ev.EVENT_DTYPE.names or ():
        if name not in ("b", "a"):
            rows[name] = _values(table, name)
    for i in range(DEPTH):
        rows["b"][:, i] = _values(table, f"b{i}")
        rows["a"][:, i] = _values(table, f"a{i}")
    return rows


def source_to_json(source: SourceInfo) -> dict[str, Any]:
    """Return what is known of a source as plain JSON values."""
    return asdict(source)


def source_from_json(value: dict[str, Any]) -> SourceInfo:
    """Return the source of `source_to_json`."""
    carries = Carries(**value["carries"])
    return SourceInfo(**{**value, "carries": carries, "notes": tuple(value["notes"])})


def object_to_json(event: object) -> dict[str, Any]:
    """Return an object event as plain JSON values."""
    if not isinstance(event, ContractChange):
        raise TypeError(f"no stored form for {type(event).__name__}")
    return asdict(event)


def object_from_json(value: dict[str, Any]) -> ContractChange:
    """Return the object event of `object_to_json`."""
    return ContractChange(**value)
