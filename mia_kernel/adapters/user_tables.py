"""Tables the user keeps himself: levels of others, and the calendar of economic events.

Levels: `ts, symbol, type, price[, strength]`; a row is known from `ts` on. Events: `ts, impact, name`.
Both are given with `--with FILE` and recognised by their header. `ts` is ISO 8601 with offset. A wrong row
refuses the file: a level that is not where somebody thinks it is would be traded.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.stamps import iso_instant
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.events import CALENDAR_DTYPE, IMPACTS, ImportedLevel, Recording, merge_objects
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.state.levels import IMPORTED_KINDS

LEVEL_COLUMNS = ("ts", "symbol", "type", "price")
EVENT_COLUMNS = ("ts", "impact", "name")
EVENTS_FILE = "events.csv"
"""The calendar that live engine and guardian read, in MIA_HOME."""
_HEAD_BYTES = 400


def kind_of(path: Path) -> str | None:
    """Return "levels" or "events" by the header of a file, None if it is neither."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        first = file.read(_HEAD_BYTES).split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    names = tuple(name.strip().lower() for name in first.split(","))
    if names[:4] == LEVEL_COLUMNS:
        return "levels"
    return "events" if names[:3] == EVENT_COLUMNS else None


def lay_beside(recording: Recording, path: Path, kind: str) -> Recording:
    """Return the recording with the table of a file beside its rows."""
    if kind == "levels":
        found = read_levels(path, recording.source.symbol)
        return replace(recording, objects=merge_objects([recording.objects, found]))
    calendar = read_events(path)
    if recording.calendar is not None:
        calendar = np.sort(np.concatenate([recording.calendar, calendar]), order="ts")
    return replace(recording, calendar=calendar)


def read_levels(path: Path, symbol: str) -> list[ImportedLevel]:
    """Return the levels of a file that are for `symbol` (MES reads those of ES), in order of time.

    Raises
    ------
    DataError
        With line, field, value and rule, for the first row that is wrong.
    """
    product = symbol.removeprefix("M")
    out: list[ImportedLevel] = []
    for line, row in _rows(path, LEVEL_COLUMNS):
        kind = row["type"].strip().lower()
        if kind not in IMPORTED_KINDS:
            raise _wrong(path, line, "type", row["type"], "one of " + ", ".join(IMPORTED_KINDS))
        price = _number(path, line, "price", row["price"]) / TICK_POINTS
        if not 0 < price < 2**29:
            raise _wrong(path, line, "price", row["price"], "above 0, in points of the future")
        given = (row.get("strength") or "").strip()
        strength = _number(path, line, "strength", given) if given else 1.0
        if not 0 < strength <= 1:
            raise _wrong(path, line, "strength", given, "above 0 and at most 1")
        ts = _instant(path, line, row["ts"])
        if row["symbol"].strip().upper().removeprefix("M") == product:
            out.append(ImportedLevel(ts, ts, line, kind, price, strength, str(path)))
    if not out:
        raise DataError("no level for the traded product", path=str(path), field="symbol", value=symbol,
                        rule=f"rows with symbol {product}", way_out="leave the file out")  # fmt: skip
    return sorted(out, key=lambda level: (level.ts_recv, level.seq))


def read_events(path: Path) -> NDArray[Any]:
    """Return the events of a file by time, CALENDAR_DTYPE.

    Raises
    ------
    DataError
        With line, field, value and rule, for the first row that is wrong; an empty calendar is refused.
    """
    found: list[tuple[int, int]] = []
    for line, row in _rows(path, EVENT_COLUMNS):
        impact = row["impact"].strip().lower()
        if impact not in IMPACTS:
            raise _wrong(path, line, "impact", row["impact"], "one of " + ", ".join(IMPACTS))
        found.append((_instant(path, line, row["ts"]), IMPACTS.index(impact)))
    if not found:
        raise DataError("the calendar holds no event", path=str(path), rule="one row per event",
                        way_out="leave the file out")  # fmt: skip
    return np.sort(np.array(found, CALENDAR_DTYPE), order="ts")


def home_events(home: Path) -> NDArray[Any] | None:
    """Return the calendar in MIA_HOME (`events.csv`), None where there is none; raises as `read_events`."""
    path = home / EVENTS_FILE
    return read_events(path) if path.exists() else None


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8 text", path=str(path), offset=error.start,
                          way_out="save the table as UTF-8") from None  # fmt: skip
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    rows: list[tuple[int, dict[str, str]]] = []
    for row in reader:
        short = [name for name in columns if row.get(name) is None]
        if short:
            raise _wrong(
                path, reader.line_num, short[0], "", "a value in every column: " + ", ".join(columns)
            )
        rows.append((reader.line_num, row))
    return rows


def _instant(path: Path, line: int, text: str) -> int:
    ts = iso_instant(text.strip())
    if ts is None:
        raise _wrong(path, line, "ts", text, "ISO 8601 with offset, for example 2026-06-15T08:30:00-04:00")
    return ts


def _number(path: Path, line: int, field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise _wrong(path, line, field, text, "a number")
    return value


def _wrong(path: Path, line: int, field: str, value: str, rule: str) -> DataError:
    return DataError("a row that cannot be right", path=str(path), line=line, field=field, value=value,
                     rule=rule, way_out="mend the row; nothing of the file was taken")  # fmt: skip
