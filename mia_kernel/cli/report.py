"""`mia report`: a page made from a journal, self-contained, opens anywhere."""

from __future__ import annotations

import datetime as dt
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.core.errors import InputError
from mia_kernel.settings import Settings, load

if TYPE_CHECKING:
    from mia_kernel.adapters.papermill_report import Page

DAILY = "09_daily_review"
RUNNER = "mia_kernel.adapters.papermill_report"
"""Loaded when a page is made: it brings Jupyter along, which costs seconds that a start must not pay."""


@click.group()
def report() -> None:
    """Pages made from journals."""


@report.command()
@click.option("--date", metavar="D", help="trading day (2019-08-09); default the newest journal")
@click.option("--journal", type=click.Path(path_type=Path), help="this journal instead")
@click.option("--out", type=click.Path(path_type=Path), help="folder; default reports/daily in MIA_HOME")
@click.option("--pdf", is_flag=True, help="also print the page through a Chromium of this machine")
def daily(date: str | None, journal: Path | None, out: Path | None, pdf: bool) -> None:
    """Write the page of one day: verdict, figures, round trips, refusals, pictures, provenance."""
    settings = load().settings
    page = daily_page(journal or _journal_of(settings, date), settings, out=out, pdf=pdf)
    click.echo(page.html)
    if page.pdf:
        click.echo(page.pdf)


def daily_page(journal: Path, settings: Settings, *, out: Path | None = None, pdf: bool = False) -> Page:
    """Run the daily notebook over a journal and return where its page lies."""
    target = (out or settings.reports_folder / "daily") / f"{journal.stem}.html"
    parameters = {"journal": str(journal.resolve())}
    run_report = importlib.import_module(RUNNER).run_report
    return run_report(DAILY, target.resolve(), parameters=parameters, title=f"MIA {journal.stem}", pdf=pdf)


def _journal_of(settings: Settings, date: str | None) -> Path:
    """Return the newest journal, or the newest one whose run covers a trading day."""
    journals = settings.journals()
    if not journals:
        folder = str(settings.journal_folder)
        raise InputError(
            "no journal there", path=folder, way_out="`mia run` or `mia replay --journal PATH` make one"
        )
    if date is None:
        return journals[0]
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        raise InputError("not a date", field="--date", value=date, rule="YYYY-MM-DD") from None
    for path in journals:
        if _covers(path, day):
            return path
    raise InputError(
        "no journal of that day", field="--date", value=date, way_out="`mia run`, or name one: --journal"
    )


def _covers(path: Path, day: dt.date) -> bool:
    with JournalReader(path) as reader:
        trailer = reader.trailer
    if not trailer or not trailer.get("first_event"):
        return False
    first, last = (dt.datetime.fromisoformat(trailer[name]).date() for name in ("first_event", "last_event"))
    return first <= day <= last
