"""Tables beside the events: definitions, statistics, open interest, study values, in the catalog's segments.

They partition by product, contract, day and kind like the events and are told apart by their kind, which is none
of the event kinds. `mia.sql` shows each as a view; a replay never reads them.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.stamps import DAY_NS, NEW_YORK, to_local
from mia_kernel.core.events import SourceInfo


def table_days(table: pa.Table) -> list[tuple[int, pa.Table]]:
    """Return the rows of each New York calendar date (yyyymmdd); `ts_event` is ns UTC."""
    if len(table) == 0:
        return []
    ts = table.column("ts_event").to_numpy()
    day = to_local(ts.astype(np.int64), NEW_YORK) // DAY_NS
    dates = [int(str(np.datetime64(int(number), "D")).replace("-", "")) for number in np.unique(day)]
    return [
        (date, table.filter(pa.array(day == number)))
        for date, number in zip(dates, np.unique(day), strict=True)
    ]


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet. Stamps and numbers of rows are stored by their steps: smaller and faster."""
    wide = [field.name for field in table.schema if pa.types.is_int64(field.type)]
    narrow = [name for name in table.column_names if name not in wide]
    steps = dict.fromkeys(wide, "DELTA_BINARY_PACKED")
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3, use_dictionary=narrow or False,  # pyright: ignore[reportArgumentType]  # names of columns are allowed
                   column_encoding=steps or None)  # fmt: skip
    return buffer.getvalue()


def table_content(source: SourceInfo, day: int, kind: str, table: pa.Table) -> str:
    """Return the hash of a table's values within product, contract, day and kind."""
    digest = hashlib.sha256(f"{source.symbol} {source.contract} {day} {kind}".encode())
    for name in table.column_names:
        digest.update(f"{name} {table.schema.field(name).type}".encode())
        digest.update(repr(table.column(name).to_pylist()).encode())
    return digest.hexdigest()
