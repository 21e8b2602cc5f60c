"""`mia journal`: check the hash chain, look at the last rows, hand them to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from mia_kernel.adapters import journal_tables
from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.journal_reader import verify as verify_chain
from mia_kernel.cli.output import json_option, stop, write_json
from mia_kernel.core.errors import InputError
from mia_kernel.settings import load

path_argument = click.argument("path", required=False, type=click.Path(path_type=Path))


@click.group()
def journal() -> None:
    """The record of every decision. PATH is a journal; without it, the newest one in MIA_HOME."""


@journal.command()
@path_argument
@json_option
def verify(path: Path | None, json_path: str | None) -> None:
    """Recompute the hash chain; exit code 1 where a record does not match its hash."""
    path = path or newest()
    answer = verify_chain(path)
    if json_path:
        write_json(json_path, {"path": path, "answer": answer})
    elif answer.ok:
        state = "complete" if answer.complete else "still open, or ended without closing"
        click.echo(f"{path}: {answer.rows} rows verified, {state}, head {answer.head.hash[:16]}")
    else:
        click.echo(f"{path}: row {answer.first_bad} of {answer.rows} is wrong: {answer.reason}")
    if not answer.ok:
        stop(1)


@journal.command()
@path_argument
@click.option("-n", "--count", default=10, show_default=True, help="how many decisions")
def tail(path: Path | None, count: int) -> None:
    """Print the last decisions as JSON lines."""
    with JournalReader(path or newest()) as reader:
        for line in journal_tables.tail_lines(reader, count):
            click.echo(line)


@journal.command()
@path_argument
@click.option("-o", "--out", type=click.Path(path_type=Path), help="target: .parquet or .jsonl")
def export(path: Path | None, out: Path | None) -> None:
    """Write all decisions as Parquet or JSON lines."""
    path = path or newest()
    with JournalReader(path) as reader:
        click.echo(journal_tables.export(reader, out or Path.cwd() / f"{path.stem}.parquet"))


def newest() -> Path:
    """Return the newest journal in MIA_HOME.

    Raises
    ------
    InputError
        If there is none.
    """
    settings = load().settings
    found = settings.journals()
    if not found:
        folder = str(settings.journal_folder)
        raise InputError("no journal there", path=folder, way_out="name one, or make one with `mia replay`")
    return found[0]
