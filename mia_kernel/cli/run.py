"""`mia run`: the trading loop over a source, watched, journalled, with a daily report at the end."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli.output import json_option, stop
from mia_kernel.cli.replay import compile_once, effective, show, source_options
from mia_kernel.cli.report import daily_page
from mia_kernel.cli.terminal import TerminalView
from mia_kernel.core.errors import InputError
from mia_kernel.live.loop import Loop
from mia_kernel.live.parity import Parity
from mia_kernel.live.session import Session, abandon, dry_run

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
    quiet = headless or json_path == "-"
    with contextlib.nullcontext() if quiet else TerminalView() as view:
        session = dry_run(settings, recording, path, uri=source, speed=pace, watcher=view)
        with stopping(session.loop):
            taken_to_its_end(session)
    figures = dict(session.run.close())
    answer = session.close()
    figures |= {"session": str(session.folder), "parity": parity_json(answer)}
    show(figures, json_path)
    click.echo(answer.sentence, err=json_path == "-")
    click.echo(f"journal {path}", err=json_path == "-")
    click.echo(f"session {session.folder}", err=json_path == "-")
    page = daily_page(path, settings)
    click.echo(f"report  {page.html}", err=json_path == "-")
    if session.loop.stopped_by:
        click.echo("stopped by hand: the summary covers what was seen", err=True)
    if not answer.holds:
        stop(1)


def taken_to_its_end(session: Session) -> None:
    """Drive a session; where that fails leave journal and record as they were written."""
    try:
        session.go()
    except BaseException:
        abandon(session)
        raise


@contextlib.contextmanager
def stopping(loop: Loop) -> Iterator[None]:
    """End the loop cleanly on Ctrl-C or a polite kill; a second Ctrl-C does not wait."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        loop.stop(signal.Signals(number).name)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parity_json(answer: Parity) -> dict[str, Any]:
    """Return the parity check as JSON values."""
    return {
        "equal": answer.equal,
        "total": answer.total,
        "holds": answer.holds,
        "first_difference": answer.first_difference,
        "replay_digest": answer.replay_digest,
    }


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
