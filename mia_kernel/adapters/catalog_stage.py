"""Rows and tables of one import as segments in the staging folder: bytes, hashes and the name they will have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mia_kernel.adapters.catalog_tables import table_bytes, table_content, table_days
from mia_kernel.adapters.columns import KINDS, to_table
from mia_kernel.adapters.parts import Part, contracts_traded
from mia_kernel.adapters.store import Segment, write_flushed
from mia_kernel.core.events import EventArray, SourceInfo

CONTINUOUS = "continuous"
CODES = {name: code for code, name in KINDS.items()}
"""Name of an event table to its kind of row."""


def content_hash(source: SourceInfo, day: int, rows: EventArray, code: int) -> str:
    """Return the hash of rows without their numbers, within product, contract and day."""
    digest = hashlib.sha256(f"{source.symbol} {source.contract} {day} {code}".encode())
    table = to_table(rows, code)
    for name in table.column_names:
        if name != "seq":
            digest.update(np.ascontiguousarray(table.column(name).to_numpy()).tobytes())
    return digest.hexdigest()


def stage(
    staging: Path, staged: dict[str, Path], source: SourceInfo, day: int, kind: str, rows: EventArray, at: int
) -> Segment:
    """Write the rows of one kind and day to the staging folder and return their segment."""
    stamps = rows["ts_event"]
    content = content_hash(source, day, rows, CODES[kind])
    data = table_bytes(to_table(rows, CODES[kind]))
    span = (int(stamps.min()), int(stamps.max()))
    return _put(
        staging, staged, source, day, kind, data, content, len(rows), span, contracts_traded(rows), at
    )


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
