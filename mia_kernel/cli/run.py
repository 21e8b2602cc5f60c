"""`mia run`: the trading loop over a source, watched, journalled, with a daily report at the end."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import math
from pathlib import Path

import click
import numpy as np

from mia_kernel import runtime
from mia_kernel.adapters.pace import paced
from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli.output import json_option
from mia_kernel.cli.replay import compile_once, effective, show, source_options
from mia_kernel.cli.report import daily_page
from mia_kernel.cli.terminal import TerminalView
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import WARM_UP

LIVE_IS_PAPER = """\
==============================================================================
  --live means IBKR PAPER trading: real market data, simulated money.
  Real money is never started with it.
=============================================================================="""


@click.command()
@click.option(
    "--dry-run", "mode", flag_value="dry-run", default="dry-run", help="simulated fills (the default)"
)
@click.option("--paper", "mode", flag_value="paper", help="IBKR paper account")
@click.option("--live", "mode", flag_value="live", help="the same as --paper: IBKR PAPER trading")
@click.option(
    "--source", default="synthetic:", show_default=True, metavar="URI", help="where the market comes from"
)
@click.option("--speed", default="1", show_default=True, metavar="N|max", help="event seconds per second")
@click.option("--headless", is_flag=True, help="no terminal view")
@source_options
@json_option
def run(
    mode: str,
    source: str,
    speed: str,
    headless: bool,
    extra: tuple[str, ...],
    symbol: str | None,
    tz: str | None,
    profile: str | None,
    weights: str | None,
    assignments: tuple[str, ...],
    journal: Path | None,
    json_path: str | None,
) -> None:
    """Run the trading loop over a source, with a terminal view, a journal and a daily report at the end.

    Ends with the source or on Ctrl-C. Summary and decision digest are those of `mia replay`.
    """
    refuse_brokers(mode)
    pace = speed_of(speed)
    settings = effective(profile, weights, assignments)
    recording = open_recording(source, extra, symbol=symbol, tz=tz, home=settings.home)
    path = journal or settings.journal_folder / f"run-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    compile_once(settings)
    loop = runtime.Run(settings, recording, path)
    stopped = drive(loop, pace, headless=headless or json_path == "-")
    figures = loop.close()
    show(figures, json_path)
    click.echo(f"journal {path}", err=json_path == "-")
    page = daily_page(path, settings)
    click.echo(f"report  {page.html}", err=json_path == "-")
    if stopped:
        click.echo("stopped by hand: the summary covers what was seen", err=True)


def refuse_brokers(mode: str) -> None:
    """Say loudly that --live is paper; refuse what needs a broker, which this version does not have."""
    if mode == "live":
        click.echo(LIVE_IS_PAPER, err=True)
    if mode != "dry-run":
        raise InputError(
            "this version has no broker connection, nothing was started",
            field="mode",
            value=mode,
            rule="paper and live need a source ibkr: or gateway:, which come later",
            way_out="--dry-run trades in simulation on any source",
        )


def speed_of(text: str) -> float:
    """Return event seconds per wall second; `max` is infinity."""
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0.0 < speed < math.inf:
        raise InputError("not a speed", field="--speed", value=text, rule="a number above 0, or max")
    return speed


def drive(loop: runtime.Run, speed: float, *, headless: bool) -> bool:
    """Take the loop through its source at a speed; return whether it was stopped by hand."""
    events = loop.recording.events
    warm = int(np.count_nonzero(events["flags"] & WARM_UP))
    slices = itertools.chain([(0, warm)] if warm else [], paced(events["ts_recv"], warm, speed))
    full_speed = math.isinf(speed)
    try:
        with contextlib.nullcontext() if headless else TerminalView() as view:
            loop.drive(view, slices=None if full_speed else slices)
    except KeyboardInterrupt:
        return True
    return False
