"""`mia replay`: a recorded source through the whole engine, and what both commands share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mia_kernel import runtime
from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.window import with_window
from mia_kernel.cli.compiling import compile_once
from mia_kernel.cli.output import json_option, pairs, print_table, write_json
from mia_kernel.core.errors import InputError
from mia_kernel.settings import OF_THE_MACHINE, PROFILES, Settings, load


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name sources and settings, the same for both commands."""
    for option in reversed(
        (
            click.option(
                "--with", "extra", multiple=True, metavar="URI", help="a further source, merged by time"
            ),
            click.option(
                "--symbol", metavar="S", help="which contract or product, where a source holds several"
            ),
            click.option(
                "--tz", metavar="ZONE", help="zone of naive times, where the source does not say it"
            ),
            click.option(
                "--profile", type=click.Choice(PROFILES), help="which differences from the defaults"
            ),
            click.option("--weights", metavar="NAME|FILE", help="mia14, mia11, bars or a file of weights"),
            click.option(
                "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="one setting, dotted"
            ),
            click.option("--journal", type=click.Path(path_type=Path), help="where the record goes"),
        )
    ):
        function = option(function)
    return function


@click.command()
@click.argument("source")
@source_options
@click.option("--from", "start", metavar="T", help="ISO time; earlier events only warm the state up")
@click.option("--to", "end", metavar="T", help="ISO time; later events are left out")
@json_option
def replay(
    source: str,
    extra: tuple[str, ...],
    symbol: str | None,
    tz: str | None,
    profile: str | None,
    weights: str | None,
    assignments: tuple[str, ...],
    journal: Path | None,
    start: str | None,
    end: str | None,
    json_path: str | None,
) -> None:
    """Take the recorded SOURCE through the whole engine, as fast as possible.

    SOURCE is a file or folder (its format is found by content), replay:DAY of the catalog, or synthetic:SEED.
    The same source gives the same decision digest, however it is sliced.
    """
    settings = effective(profile, weights, assignments)
    compile_once(settings, source)
    recording = open_recording(source, extra, symbol=symbol, tz=tz, home=settings.home)
    run = runtime.Run(settings, with_window(recording, instant(start), instant(end)), journal)
    note_asked(run, source, extra, symbol=symbol, tz=tz, start=start, end=end)
    run.drive()
    show(run.close(), json_path)


def note_asked(
    run: runtime.Run, source: str, extra: tuple[str, ...], *, symbol: str | None, tz: str | None,
    start: str | None = None, end: str | None = None,
) -> None:  # fmt: skip
    """Write into the run's journal how its source was opened, so that a page can replay it as proof."""
    if run.journal is None:
        return
    settings = run.settings.model_dump(mode="json", exclude=set(OF_THE_MACHINE))
    asked = {
        "source": _lasting(source),
        "extra": [_lasting(uri) for uri in extra],
        "symbol": symbol,
        "tz": tz,
    }
    run.journal.append_record("asked", 0, asked | {"start": start, "end": end, "settings": settings})


def _lasting(uri: str) -> str:
    """Return a path that means the same in another folder; a URI as it is."""
    return str(Path(uri).resolve()) if Path(uri).exists() else uri


def instant(text: str | None) -> int | None:
    """Return an ISO time with offset in ns UTC, None for none.

    Raises
    ------
    InputError
        If it is no time or has no zone.
    """
    if text is None:
        return None
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        rule = "ISO 8601 with offset, for example 2019-08-09T09:45:00-05:00"
        raise InputError("not an instant", field="--from/--to", value=text, rule=rule)
    return int(when.timestamp()) * 1_000_000_000 + when.microsecond * 1_000


def effective(profile: str | None, weights: str | None, assignments: tuple[str, ...]) -> Settings:
    """Return the settings of this command line."""
    arguments: dict[str, Any] = dict(pairs(assignments))
    if weights is not None:
        arguments["confluence.weights"] = weights
    return load(profile, arguments=arguments).settings


def show(figures: Mapping[str, Any], json_path: str | None) -> None:
    """Write the summary as JSON, or print what a reader wants first."""
    if json_path:
        write_json(json_path, figures)
    if json_path == "-":
        return
    click.echo(f"{figures['source']} [{str(figures['source_tag']).upper()}] {figures['symbol']}")
    print_table(("", ""), [(name, value) for name, value in _lines(figures)])
    if figures["refusals"]:
        refused = sorted(figures["refusals"].items(), key=lambda item: -item[1])
        print_table(("gate", "refused"), refused)
    if figures["advice"]:
        click.echo(figures["advice"])
    click.echo(f"digest {figures['digest']}")


def _lines(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    performance = figures["performance"]
    rate = figures["events_per_second"]
    return [
        ("from", str(figures["first_event"])),
        ("to", str(figures["last_event"])),
        ("events", f"{figures['events']:,} ({figures['trades']:,} trades)"),
        ("speed", f"{figures['seconds']:.2f} s" + (f", {rate:,.0f} events/s" if rate else "")),
        ("decisions", f"{figures['decisions']:,} with {figures['weights']}"),
        ("coverage", _share(figures["coverage"])),
        ("signals", f"{figures['signals']:,}, denied {figures['denied']:,}"),
        ("round trips", f"{performance['n']} ({performance['wins']} won, {performance['losses']} lost)"),
        ("net", _usd(performance["net_usd"])),
        ("settings", str(figures["settings_id"])[:16]),
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} on average"


def _usd(value: float | None) -> str:
    return "–" if value is None else f"{value:+,.2f} USD"
