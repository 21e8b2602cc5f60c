"""Tables of text: CSV, JSON and Parquet of any author, as named columns with the line each row came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mia_kernel.adapters.meter import Meter, MeteredBytes
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError

BLOCK = 1 << 24
"""Bytes of a text that are taken apart at once."""
_DELIMITERS = (",", ";", "\t", "|")
PARQUET_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError)
"""What pyarrow raises on a damaged Parquet file (a bent name is a UnicodeDecodeError, a ValueError)."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by lower-case name without blanks, all of one length.

    Attributes
    ----------
    path : str
        For messages.
    columns : dict
        Name to pyarrow array: text for CSV, typed for JSON and Parquet.
    first_line : int
        Line (CSV) or record number (JSON, Parquet: from 1) of row 0.
    unterminated : bool
        True where the last line has no line end, so it may be cut.
    """

    path: str
    columns: dict[str, Any]
    first_line: int
    unterminated: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def has(self, *names: str) -> str | None:
        """Return the first of `names` that is a column, else None."""
        return next((name for name in names if name in self.columns), None)

    def _column(self, name: str) -> Any:
        if name not in self.columns:
            raise FormatError("a column is missing", path=self.path, line=max(self.first_line - 1, 1), field=name,
                              value=None, rule=f"found: {', '.join(list(self.columns)[:12])}",
                              way_out="export the file again with its header")  # fmt: skip
        return self.columns[name]

    def text(self, name: str) -> Any:
        """Return a column as a pyarrow array of strings without blanks around them; FormatError if it is missing."""
        column = self._column(name)
        if not pa.types.is_string(column.type):
            column = pc.cast(column, pa.string())
        return pc.call_function("utf8_trim_whitespace", [column])

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64; null becomes NaN.

        Raises
        ------
        FormatError
            Naming the line of the first value that is no number, or the column where it is missing.
        """
        column = self._column(name)
        try:
            if pa.types.is_string(column.type):
                column = pc.call_function("utf8_trim_whitespace", [column])
            values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
            return np.asarray(values, np.float64)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            row, value = _first_not_number(column)
            raise FormatError("not a number", path=self.path, line=self.first_line + row, field=name, value=value,
                              rule="a decimal number", way_out="fix or remove the line") from error  # fmt: skip


def _first_not_number(column: Any) -> tuple[int, object]:
    for row, value in enumerate(column.to_pylist()):
        try:
            float(value)
        except (TypeError, ValueError):
            return row, value
    return 0, None


def column_name(text: str) -> str:
    """Return the form under which a column is found: `# of Trades` is `#oftrades`."""
    return text.strip().strip('"').replace(" ", "").replace("_", "").lower()


def header_of(data: bytes) -> tuple[list[str], str]:
    """Return the column names of the first line and its delimiter; no names if it is no text header."""
    line = data.lstrip(b"\xef\xbb\xbf")[:8192].split(b"\n", 1)[0]
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return [], ","
    delimiter = max(_DELIMITERS, key=text.count)
    return [column_name(name) for name in text.split(delimiter)], delimiter


def read_csv(member: Member, meter: Meter | None = None, names: list[str] | None = None) -> Table:
    """Return a CSV as a table of text columns; a meter is told how much is read.

    Parameters
    ----------
    member : Member
        Its first line names the columns.
    meter : Meter, optional
        Told how far the reading is.
    names : list of str, optional
        The columns of a file without such a line.

    Raises
    ------
    FormatError
        Where a line has another number of fields than the header, or the bytes are no UTF-8.
    """
    found, delimiter = header_of(member.data)
    headed = names is None
    names = found if names is None else names
    data = member.data.lstrip(b"\xef\xbb\xbf")
    if len(set(names)) != len(names):
        raise FormatError("a column stands twice", path=member.path, line=1, value=",".join(names))
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data) if meter is None else pa.PythonFile(MeteredBytes(data, meter), mode="r"),
            read_options=pa_csv.ReadOptions(
                column_names=names, skip_rows=int(headed), use_threads=False, block_size=BLOCK
            ),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _bad_line(member.path, data, delimiter, len(names), str(error)) from error
    if len(table) == 0:
        raise _bad_line(member.path, data, delimiter, len(names), "no row")
    columns = {name: table.column(name).combine_chunks() for name in names}
    return Table(member.path, columns, 1 + headed, unterminated=not data.endswith(b"\n"))


def _bad_line(path: str, data: bytes, delimiter: str, fields: int, reason: str) -> FormatError:
    rule = f"{fields} fields separated by {delimiter!r}"
    way_out = "fetch the file again, or remove the line; nothing was stored"
    for number, line in enumerate(data.splitlines(), start=1):
        if line and line.count(delimiter.encode()) != fields - 1:
            shown = line[:80].decode("utf-8", "replace")
            return FormatError("a line with the wrong number of fields", path=path, line=number, value=shown,
                               rule=rule, way_out=way_out)  # fmt: skip
    if len(data.splitlines()) < 2:
        return FormatError("a header and no row", path=path, line=1, rule=rule, way_out=way_out)
    return FormatError(
        "not readable as a table of text", path=path, value=reason[:120], rule=rule, way_out=way_out
    )


def read_json(member: Member, meter: Meter | None = None) -> Table:
    """Return a JSON list of flat objects, or JSON lines, as a table.

    Raises
    ------
    FormatError
        With the byte offset where the text stops being JSON, or the record that lacks a key.
    """
    try:
        if member.data.lstrip()[:1] == b"[":
            rows = msgspec.json.decode(member.data)
        else:
            rows = msgspec.json.Decoder().decode_lines(member.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError("not valid JSON", path=member.path, offset=_json_offset(member.data), value=str(error)[:120],
                          rule="a complete list of objects", way_out="fetch the file again") from error  # fmt: skip
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise FormatError(
            "no list of records", path=member.path, rule="[{...}, ...] with at least one record"
        )
    names = list(rows[0])
    columns: dict[str, Any] = {}
    for name in names:
        columns[column_name(name)] = _json_column(member.path, rows, name)
    return Table(member.path, columns, 1)


def _json_column(path: str, rows: list[dict[str, Any]], name: str) -> Any:
    try:
        return pa.array([row[name] for row in rows])
    except KeyError as error:
        record = next(i for i, row in enumerate(rows, start=1) if name not in row)
        raise FormatError("a record lacks a key", path=path, line=record, field=name, value=None,
                          rule="every record has the keys of the first") from error  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise FormatError("values of different types under one key", path=path, field=name, value=str(error)[:120],
                          rule="one type per key") from error  # fmt: skip


def _json_offset(data: bytes) -> int:
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return error.pos
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def read_parquet(member: Member, meter: Meter | None = None) -> Table:
    """Return a Parquet file as a table (index columns of pandas included)."""
    try:
        file = pq.ParquetFile(pa.BufferReader(member.data))
        groups = range(file.num_row_groups)
        pieces = [file.read_row_group(at) for at in (groups if meter is None else meter.over(groups))]
        table = pa.concat_tables(pieces) if pieces else file.read()
        columns = {column_name(n): table.column(n).combine_chunks() for n in table.column_names}
    except PARQUET_DAMAGE as error:
        raise FormatError("not a whole Parquet file", path=member.path, offset=len(member.data),
                          value=str(error)[:120], rule="PAR1 at both ends and a readable footer",
                          way_out="fetch the file again; nothing was stored") from error  # fmt: skip
    if len(table) == 0:
        raise FormatError("no row", path=member.path, rule="a source holds at least one record")
    return Table(member.path, columns, 1)


class Reader(Protocol):
    """How a member becomes a table."""

    def __call__(self, member: Member, meter: Meter | None = None) -> Table:
        """Return the table; a meter is told how much is read."""
        ...
