"""`mia report`: a page made from journals, self-contained, opens anywhere; an index lies over all of them."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.jupyter_start import without_grammar
from mia_kernel.adapters.speech import speech
from mia_kernel.core.errors import InputError
from mia_kernel.settings import Settings, load

if TYPE_CHECKING:
    from mia_kernel.adapters.papermill_report import Page

NOTEBOOKS = {"daily": "09_daily_review", "weekly": "10_weekly", "postmortem": "11_postmortem"}
MODEL = "12_model_report"
RUNNER = "mia_kernel.adapters.papermill_report"
"""Loaded when a page is made: it brings Jupyter along, which costs seconds that a start must not pay."""


def page_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options every kind of page has."""
    for option in reversed(
        (
            click.option("--date", metavar="D", help="trading day (2019-08-09); default the newest journal"),
            click.option(
                "--out", type=click.Path(path_type=Path), help="folder; default below reports in MIA_HOME"
            ),
            click.option(
                "--pdf", is_flag=True, help="also print the page through a Chromium of this machine"
            ),
        )
    ):
        function = option(function)
    return function


journal_option = click.option("--journal", type=click.Path(path_type=Path), help="this journal instead")


@click.group()
def report() -> None:
    """Pages made from journals."""


@report.command()
@page_options
@journal_option
@click.option(
    "--statement", type=click.Path(path_type=Path), help="IBKR Flex statement (XML or CSV) to compare with"
)
def daily(
    date: str | None, journal: Path | None, out: Path | None, pdf: bool, statement: Path | None
) -> None:
    """Write the page of one day: verdict, picture, trades, what gates saved and cost, the mentor, integrity."""
    settings = load().settings
    show(daily_page(journal or journal_of(settings, date), settings, out=out, pdf=pdf, statement=statement))


@report.command()
@page_options
@click.option(
    "--journal", "journals", multiple=True, type=click.Path(path_type=Path), help="these journals instead"
)
def weekly(date: str | None, journals: tuple[Path, ...], out: Path | None, pdf: bool) -> None:
    """Write the page of a week: result by day, conduct, what the gates did, what the trades suggest."""
    show(weekly_page(load().settings, end=date, journals=journals, out=out, pdf=pdf))


@report.command()
@page_options
@journal_option
@click.option(
    "--trade",
    default="worst",
    show_default=True,
    metavar="N|worst|best|day",
    help="which round trip, or all of the day",
)
def postmortem(date: str | None, journal: Path | None, out: Path | None, pdf: bool, trade: str) -> None:
    """Write the page of one trade, from its decision to its exit, or of all trades of a day; other exits beside it."""
    settings = load().settings
    show(trade_page(journal or journal_of(settings, date), settings, trade=trade, out=out, pdf=pdf))


@report.command()
def index() -> None:
    """Write the index over all pages anew."""
    click.echo(_write_index(load().settings))


def show(page: Page) -> None:
    """Print where a page lies."""
    click.echo(page.html)
    if page.pdf:
        click.echo(page.pdf)


def _runner() -> Callable[..., Page]:
    without_grammar()
    return importlib.import_module(RUNNER).run_report


@report.command("model")
@click.argument("name", default="")
@click.option("--home", metavar="DIR", help="home of the model instead of MIA_HOME")
@click.option("--out", type=click.Path(path_type=Path), help="folder; default reports/model in MIA_HOME")
@click.option("--pdf", is_flag=True, help="also print the page through a Chromium of this machine")
def model_(name: str, home: str | None, out: Path | None, pdf: bool) -> None:
    """Write the edge report of a trained model: verdict per target, figures, pictures, provenance."""
    settings = load(arguments={"home": home} if home else None).settings
    target = (out or settings.reports_folder / "model") / f"{name.replace('/', '-') or 'newest'}.html"
    parameters = {"name": name, "home": str(settings.home)}
    run_report = _runner()
    page = run_report(MODEL, target.resolve(), parameters=parameters, title="MIA edge report", pdf=pdf)
    click.echo(page.html)
    if page.pdf:
        click.echo(page.pdf)


def daily_page(
    journal: Path,
    settings: Settings,
    *,
    out: Path | None = None,
    pdf: bool = False,
    statement: Path | None = None,
) -> Page:
    """Run the daily notebook over a journal and return where its page lies."""
    parameters = {"journal": str(journal.resolve())}
    if statement is not None:
        parameters["statement"] = str(statement.resolve())
    return _page("daily", journal.stem, parameters, settings, out, pdf)


def weekly_page(
    settings: Settings, *, end: str | None = None, journals: tuple[Path, ...] = (), out: Path | None = None,
    pdf: bool = False,
) -> Page:  # fmt: skip
    """Run the weekly notebook over a week's journals and return where its page lies."""
    if end is None and not journals:
        end = str(_last_day(journal_of(settings, None)))
    parameters = {"end": end or "", "journals": "|".join(str(path.resolve()) for path in journals)}
    return _page("weekly", f"week-{end or journals[-1].stem}", parameters, settings, out, pdf)


def trade_page(
    journal: Path, settings: Settings, *, trade: str = "worst", out: Path | None = None, pdf: bool = False
) -> Page:
    """Run the post-mortem notebook over a trade of a journal and return where its page lies."""
    parameters = {"journal": str(journal.resolve()), "trade": trade}
    return _page("postmortem", f"{journal.stem}-{trade}", parameters, settings, out, pdf)


def _page(
    kind: str, name: str, parameters: dict[str, str], settings: Settings, out: Path | None, pdf: bool
) -> Page:
    target = (out or settings.reports_folder / kind) / f"{name}.html"
    run_report = _runner()
    made = run_report(
        NOTEBOOKS[kind],
        target.resolve(),
        parameters=parameters,
        title=f"MIA {name}",
        pdf=pdf,
        language=settings.lang,
    )
    if out is None:
        _write_index(settings)
    return made


def _write_index(settings: Settings) -> Path:
    write_index = importlib.import_module("mia_kernel.adapters.archive").write_index
    return write_index(settings.reports_folder, speech(settings.lang), settings.lang)


def journal_of(settings: Settings, date: str | None) -> Path:
    """Return the newest journal, or the newest one whose run covers a trading day.

    Raises
    ------
    InputError
        If there is none, or `date` is not a date.
    """
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
    first, last = _span(path)
    return first is not None and last is not None and first <= day <= last


def _last_day(path: Path) -> dt.date | None:
    return _span(path)[1]


def _span(path: Path) -> tuple[dt.date | None, dt.date | None]:
    """Return the first and last day of a journal's run, None where it never closed."""
    with JournalReader(path) as reader:
        trailer = reader.trailer
    if not trailer or not trailer.get("first_event"):
        return None, None
    first, last = (dt.datetime.fromisoformat(trailer[name]).date() for name in ("first_event", "last_event"))
    return first, last
