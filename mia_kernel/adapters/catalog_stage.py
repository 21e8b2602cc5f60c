"""Rows and tables of one import as segments in the staging folder: bytes, hashes and the name they will have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mia_kernel.adapters.catalog_tables import table_bytes, table_content, table_days
from mia_kernel.adapters.columns import KINDS, to_table
from mia_kernel.adapters.parts import Part, contracts_traded
from mia_kernel.adapters.store import Segment, write_flushed
from mia_kernel.core.events import EventArray, SourceInfo

CONTINUOUS = "continuous"
CODES = {name: code for code, name in KINDS.items()}
"""Name of an event table to its kind of row."""


def content_hash(source: SourceInfo, day: int, table: pa.Table, code: int) -> str:
    """Return the hash of a table of rows (`to_table`) without their numbers, within product, contract and day."""
    digest = hashlib.sha256(f"{source.symbol} {source.contract} {day} {code}".encode())
    for name in table.column_names:
        if name != "seq":
            digest.update(np.ascontiguousarray(table.column(name).to_numpy()).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of one kind and day as the table that is stored, with its hash: made once, compared and written."""

    rows: EventArray
    table: pa.Table
    content: str


def pack(source: SourceInfo, day: int, kind: str, rows: EventArray) -> Packed:
    """Return rows (all of one kind) as their table and hash."""
    table = to_table(rows, CODES[kind])
    return Packed(rows, table, content_hash(source, day, table, CODES[kind]))


def stage(
    staging: Path, staged: dict[str, Path], source: SourceInfo, day: int, kind: str, packed: Packed, at: int
) -> Segment:
    """Write the rows of one kind and day to the staging folder and return their segment."""
    stamps = packed.rows["ts_event"]
    data = table_bytes(packed.table)
    span = (int(stamps.min()), int(stamps.max()))
    volume = contracts_traded(packed.rows)
    return _put(staging, staged, source, day, kind, data, packed.content, len(packed.rows), span, volume, at)


def stage_tables(
    staging: Path, staged: dict[str, Path], part: Part, at: int, known: frozenset[str]
) -> list[Segment]:
    """Stage the tables of a part that are not stored yet."""
    segments: list[Segment] = []
    for kind, table in part.tables.items():
        for day, rows in table_days(table):
            content = table_content(part.source, day, kind, rows)
            if content in known:
                continue
            stamps = rows.column("ts_event").to_numpy()
            span = (int(stamps.min()), int(stamps.max()))
            segments.append(
                _put(
                    staging,
                    staged,
                    part.source,
                    day,
                    kind,
                    table_bytes(rows),
                    content,
                    len(rows),
                    span,
                    0,
                    at,
                )
            )
    return segments


def _put(
    staging: Path, staged: dict[str, Path], source: SourceInfo, day: int, kind: str, data: bytes, content: str,
    rows: int, span: tuple[int, int], volume: int, at: int,
) -> Segment:  # fmt: skip
    contract = source.contract or CONTINUOUS
    file = f"symbol={source.symbol}/contract={contract}/day={day}/kind={kind}/{content[:24]}.parquet"
    path = staging / f"{len(staged)}.parquet"
    write_flushed(path, data)
    staged[file] = path
    return Segment(
        symbol=source.symbol,
        contract=contract,
        day=day,
        kind=kind,
        rows=rows,
        first_ts=span[0],
        last_ts=span[1],
        volume=volume,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=content,
        file=file,
        source=at,
    )
