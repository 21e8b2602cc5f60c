"""Say what became of imported files: a table of verdicts, what was refused or passed over, and the way out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from mia_kernel.adapters.importing import ImportResult
from mia_kernel.adapters.sierra_config import FILE_NAME
from mia_kernel.cli.output import print_table

_WORDS = {
    "stored": "stored",
    "known": "known before",
    "options": "of options, passed over",
    "aside": "no market data, passed over",
    "refused": "refused",
}
_WANTED = {"tz": ("zone", "--tz ZONE"), "symbol": ("symbol", "--symbol S")}


def print_imported(results: Sequence[ImportResult]) -> None:
    """Print the verdict of every series, every refusal with its reason, and what to do next."""
    rows = [
        (
            Path(result.path).name,
            result.status,
            part.contract or part.symbol,
            f"{part.rows:,}",
            part.verdict.grade
            if part.verdict.score is None
            else f"{part.verdict.grade} {part.verdict.score:.3f}",
            "; ".join(part.verdict.causes),
        )
        for result in results
        for part in result.parts
    ]
    if rows:
        print_table(("file", "status", "series", "rows", "verdict", "causes"), rows)
    for result in results:
        if result.status == "known":
            click.echo(f"{Path(result.path).name}: known, nothing stored again")
        elif result.status in ("options", "aside"):
            click.echo(f"passed over: {result.error}")
        elif result.error is not None:
            click.echo(f"refused: {result.error}", err=True)
    _print_sum(results)
    for line in ways_out(results):
        click.echo(line, err=True)


def _print_sum(results: Sequence[ImportResult]) -> None:
    """Say in one line what became of everything, and where to look next."""
    by_status = Counter(result.status for result in results)
    told = ", ".join(f"{by_status[status]} {word}" for status, word in _WORDS.items() if by_status[status])
    rows = sum(result.rows for result in results)
    click.echo(f"{len(results)} sources: {told}; {rows:,} rows stored")
    if len(results) > 1 and rows:
        click.echo("see it: mia data health, or notebook 01_data_quality")


def ways_out(results: Sequence[ImportResult]) -> list[str]:
    """Return how files that lack only a word come in: one command a folder, and the lines that name it for good."""
    lacking = [result for result in results if result.asks in _WANTED]
    if len(results) < 2 or not lacking:
        return []
    lines: list[str] = []
    for asks in sorted({str(result.asks) for result in lacking}):
        word, option = _WANTED[asks]
        mine = [Path(result.path) for result in lacking if result.asks == asks]
        lines.append(f"{len(mine)} of them lack only their {word}; it is taken from you, never guessed:")
        for folder in dict.fromkeys(file.parent for file in mine):
            files = " ".join(shlex.quote(str(file)) for file in mine if file.parent == folder)
            lines.append(f"  mia import {files} {option}")
        lines.append(f"or name it once in a {FILE_NAME} beside them or above, and import the folder again:")
        lines += ["  [[files]]", f'  match = "{mine[0].parent.name}/*"', f'  {word} = "{word.upper()}"']
    return lines
