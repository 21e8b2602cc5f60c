"""MIA's own Parquet: one recording in one file, with its sources and object events in the footer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.columns import (
    not_whole,
    object_from_json,
    object_to_json,
    source_from_json,
    source_to_json,
    whole_rows,
    whole_table,
)
from mia_kernel.adapters.table import PARQUET_DAMAGE
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import CorruptError, FormatError, OutsideError
from mia_kernel.core.events import EventArray, Recording

_KEY = b"mia.recording"
_VERSION = 1


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording to one Parquet file, whole or not at all.

    Raises
    ------
    OutsideError
        If the disk refuses; an older file of that name is then untouched.
    """
    about = {
        "version": _VERSION,
        "source": source_to_json(recording.source),
        "others": [source_to_json(source) for source in recording.others],
        "objects": [object_to_json(event) for event in recording.objects],
        "rows": len(recording.events),
    }
    table = whole_table(recording.events).replace_schema_metadata({_KEY: json.dumps(about).encode()})
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, part, compression="zstd")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutsideError(
            f"{path}: cannot be written: {error}; free space or choose another place"
        ) from error


def is_recording(data: bytes) -> bool:
    """Return whether the bytes are a Parquet file written by `write_recording`."""
    return data[:4] == b"PAR1" and _KEY in data


def read_recording(member: Member) -> Recording:
    """Return the recording of a file written by `write_recording`.

    Raises
    ------
    FormatError
        If the file is cut or of a newer version.
    CorruptError
        If it holds another number of rows than its footer says, or rows out of merge order.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(member.data)).read()
        about: dict[str, Any] = json.loads((table.schema.metadata or {})[_KEY])
        version = about["version"]
    except PARQUET_DAMAGE as error:
        raise _damaged(member, str(error)) from error
    if version != _VERSION:
        raise FormatError("a recording of another version", path=member.path, field="version",
                          value=version, rule=f"version {_VERSION}")  # fmt: skip
    other = not_whole(table)
    if other is not None:
        raise _damaged(member, f"column {other!r} is missing, has gaps or is of another type")
    rows = whole_rows(table)
    try:
        return _recording(member, about, rows)
    except (KeyError, TypeError) as error:
        raise _damaged(member, f"the footer does not decode: {error}") from error


def _damaged(member: Member, what: str) -> FormatError:
    return FormatError("not a whole MIA recording", path=member.path, offset=len(member.data),
                       value=what[:120], way_out="fetch or export the file again")  # fmt: skip


def _recording(member: Member, about: dict[str, Any], rows: EventArray) -> Recording:
    if len(rows) != about["rows"] or bool((np.diff(rows["ts_recv"]) < 0).any()):
        raise CorruptError(
            f"{member.path}: {len(rows)} rows, the footer says {about['rows']}, in order of arrival"
        )
    return Recording(
        events=rows,
        source=source_from_json(about["source"]),
        objects=tuple(object_from_json(value) for value in about["objects"]),
        others=tuple(source_from_json(value) for value in about["others"]),
    )
