"""Write what a recorded session holds as one flat file: its raw events or one of its tables."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from mia_kernel.adapters.columns import whole_table
from mia_kernel.adapters.recorded import read_session, read_table, session_folders
from mia_kernel.core.errors import InputError, OutsideError

EVENTS = "events"
TABLES = ("standard", "bars", "microstructure", "session", "post_trade", "options")


def session_named(data_folder: Path, name: str) -> Path:
    """Return the folder of a session by its id, or of the newest for `last`.

    Raises
    ------
    InputError
        If there is none.
    """
    found = {folder.name: folder for folder in session_folders(data_folder)}
    if name == "last" and found:
        return found[max(found)]
    if name not in found:
        raise InputError(
            "no such session", field="--session", value=name, way_out="`mia data sessions` lists them"
        )
    return found[name]


def export_session(folder: Path, file: Path, table: str) -> int:
    """Write the raw events of a session (nested depth: Parquet only) or one of its tables; return the rows.

    Raises
    ------
    InputError
        If the suffix is none of ours, or the session holds no row of that table.
    OutsideError
        If the disk refuses; a half file never gets its name.
    """
    if file.suffix not in (".parquet", ".csv") or (file.suffix == ".csv" and table == EVENTS):
        raise InputError("unknown export", field="file", value=f"{file.name} of {table}",
                         rule=".parquet, or .csv of a flat table")  # fmt: skip
    found = whole_table(read_session(folder).events) if table == EVENTS else read_table(folder, table)
    if found is None or found.num_rows == 0:
        raise InputError(
            "nothing to export", field="--table", value=table, rule="a table this session has rows of"
        )
    _write(found, file)
    return found.num_rows


def _write(table: pa.Table, file: Path) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            pq.write_table(table, part, compression="zstd")
        else:
            pa_csv.write_csv(table, part)
        os.replace(part, file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutsideError(
            f"{file}: {error.strerror or error}; free space or choose another place"
        ) from error
