"""What a command hands over: one JSON object to a file or to standard output, tables to the terminal."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import click

from mia_kernel.core.errors import InputError, OutsideError

PIPE_WIDTH = 160

json_option = click.option(
    "--json", "json_path", metavar="PATH", help="write one JSON object there; - for standard output"
)
"""`--json PATH|-`, the same for every command."""


def write_json(target: str, value: Any) -> None:
    """Write `value` as one JSON object to a file, or to standard output for "-".

    Unknown (None, NaN) becomes null; paths, dates and enumerations become text.

    Raises
    ------
    OutsideError
        If the file cannot be written.
    """
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    if target == "-":
        sys.stdout.write(text + "\n")
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutsideError(f"{target}: cannot be written: {error.strerror}") from None


def plain(value: Any) -> Any:
    """Return `value` as what JSON knows; NaN and infinities are unknown and become None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, dt.date):
        return value.isoformat()
    as_list = getattr(value, "tolist", None)
    if as_list is not None:  # numpy scalars and arrays
        return plain(as_list())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table that fits the terminal; None is shown as a dash."""
    from rich.console import Console  # late: `--json -` and short commands do without
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    # Into a file or a pipe the lines may be wide: nobody wraps them there.
    console = Console(highlight=False)
    Console(highlight=False, width=None if console.is_terminal else PIPE_WIDTH).print(table)


def pairs(assignments: Sequence[str]) -> dict[str, str]:
    """Return `key=value` texts as a mapping.

    Raises
    ------
    InputError
        If one of them has no `=`.
    """
    result: dict[str, str] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise InputError("not a key=value", field="--set", value=text, way_out="--set room.name=value")
        result[key.strip()] = value.strip()
    return result


def stop(code: int) -> NoReturn:
    """End the command with an exit code other than 0."""
    raise click.exceptions.Exit(code)
