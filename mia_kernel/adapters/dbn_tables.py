"""DBN schemas that are no market event (definition, statistics, status) as tables, one per instrument.

They are rare records with many fields, so `databento-dbn` decodes them itself; every plain field becomes a
column, prices in points, and `ts_event` is ns UTC. A field whose value is "undefined" is null.
"""

from __future__ import annotations

from typing import Any

import databento_dbn
import pyarrow as pa

from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError

TABLES = ("definition", "statistics", "status")
"""Schemas that become tables of their name."""

_UNDEFINED = {2**63 - 1, 2**64 - 1, 2**31 - 1, 2**32 - 1}
_SKIPPED = {
    "hd",
    "record_size",
    "size_hint",
    "rtype",
    "publisher_id",
    "instrument_id",
    "ts_event",
    "ts_index",
}
_PLAIN = (int, float, str, bool)


def read_table(member: Member) -> dict[int, pa.Table]:
    """Return the records of a member as one table per instrument number.

    Raises
    ------
    FormatError
        If the stream is cut or damaged.
    """
    decoder = databento_dbn.DBNDecoder()
    try:
        decoder.write(member.data)
        records = [record for record in decoder.decode() if not isinstance(record, databento_dbn.Metadata)]
    except (databento_dbn.DBNError, ValueError, OverflowError) as error:
        raise FormatError("the DBN records are damaged", path=member.path, value=str(error)[:120],
                          rule="whole records", way_out="fetch the file again") from error  # fmt: skip
    if decoder.buffer():
        raise FormatError("a record is cut short", path=member.path, offset=len(member.data) - len(decoder.buffer()),
                          value=len(decoder.buffer()), rule="whole records",
                          way_out="fetch the file again; nothing was stored")  # fmt: skip
    try:
        groups: dict[int, list[dict[str, Any]]] = {}
        for record in records:
            groups.setdefault(int(record.instrument_id), []).append(_plain(record))
        return {number: _table(rows) for number, rows in groups.items()}
    except (databento_dbn.DBNError, ValueError, OverflowError, pa.ArrowException) as error:
        raise FormatError("a DBN record is damaged", path=member.path, value=str(error)[:120],
                          rule="values of its schema", way_out="fetch the file again") from error  # fmt: skip


def _plain(record: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"ts_event": int(record.ts_event)}
    for name in dir(record):
        if name.startswith("_") or name in _SKIPPED:
            continue
        value = getattr(record, name)
        if callable(value):
            continue
        if name.startswith("pretty_"):
            plain = name.removeprefix("pretty_")
            row[plain] = _value(value if isinstance(value, float) else getattr(record, plain))
        elif not hasattr(record, f"pretty_{name}"):
            row[name] = _value(value)
    return row


def _value(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return None if value in _UNDEFINED else value
    if isinstance(value, float):
        return None if value != value or abs(value) > 9e9 else value
    return value if isinstance(value, _PLAIN) else str(value)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    columns: dict[str, Any] = {}
    for name in rows[0]:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            values = [None if value is None else float(value) for value in values]
        elif len(kinds) > 1:
            values = [None if value is None else str(value) for value in values]
        if kinds:
            columns[name] = pa.array(values)
    return pa.table({"ts_event": pa.array([row["ts_event"] for row in rows], pa.int64()), **{
        name: column for name, column in columns.items() if name != "ts_event"}})  # fmt: skip
