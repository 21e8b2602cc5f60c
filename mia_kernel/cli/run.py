"""`mia run`: the trading loop over a source, watched, journalled, with a daily report at the end."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import math
from pathlib import Path
from typing import Any

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.recorded import closing_of, session_folders
from mia_kernel.adapters.recorded_feed import row_at
from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli.compiling import compile_once
from mia_kernel.cli.live import Wanted, check, supervise
from mia_kernel.cli.output import json_option, stop
from mia_kernel.cli.replay import effective, note_asked, show, source_options
from mia_kernel.cli.report import daily_page
from mia_kernel.cli.stopping import stopping
from mia_kernel.cli.terminal import TerminalView
from mia_kernel.core.errors import InputError
from mia_kernel.live.housekeeping import backup_of
from mia_kernel.live.parity import Parity, note_parity
from mia_kernel.live.publish import Publisher
from mia_kernel.live.session import Session, abandon, dry_run
from mia_kernel.settings import Settings

log = logging.getLogger("mia.run")

LIVE_IS_PAPER = """\
==============================================================================
  --live means IBKR PAPER trading: real market data, simulated money.
  Real money is never started with it.
=============================================================================="""

ENDS = """\
ending  the record is sealed and replayed for the parity check, then the page of the day is written
        Ctrl-C again leaves at once"""
LEFT = """\
left at once: what was seen stays in {journal}
              and {session}; `mia report daily` writes the page later"""


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
@click.option(
    "--from", "start", metavar="HH:MM", help="New York time at which the pace begins; before it at full speed"
)
@click.option("--headless", is_flag=True, help="no terminal view")
@click.option("--resume", is_flag=True, help="paper: continue the session that was cut off")
@source_options
@json_option
def run(
    mode: str,
    source: str,
    speed: str,
    start: str | None,
    headless: bool,
    resume: bool,
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
    pace = speed_of(speed)
    settings = effective(profile, weights, assignments)
    if mode != "dry-run" and start is not None:
        raise InputError("a live market cannot be fast-forwarded", field="--from", value=start,
                         rule="--from goes with --dry-run")  # fmt: skip
    if mode != "dry-run":
        with_broker(Wanted(mode, source, profile, weights, assignments, extra), settings, resume, headless)
        return
    compile_once(settings, source)
    recording = open_recording(source, extra, symbol=symbol, tz=tz, home=settings.home)
    path = journal or new_journal(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    logs.start(settings.home, "run", logs.secret_values(settings.secrets))
    log.info("dry-run started", extra={"source": source, "speed": speed, "journal": str(path)})
    first = 0 if start is None else row_at(recording.events, start)
    quiet = headless or json_path == "-"
    with contextlib.nullcontext() if quiet else TerminalView() as view:
        session = dry_run(settings, recording, path, uri=source, speed=pace, watcher=view, first=first)
        note_asked(session.run, source, extra, symbol=symbol, tz=tz)
        publisher = Publisher(settings.home, session.loop, mode=mode, run_id=session.folder.name)
        with stopping(session.loop), publisher:
            taken_to_its_end(session)
    try:
        holds = told(session, path, settings, json_path)
    except KeyboardInterrupt:
        click.echo(LEFT.format(journal=path, session=session.folder), err=True)
        raise
    if not holds:
        stop(1)


def new_journal(settings: Settings) -> Path:
    """Return where the journal of a run that begins now lies."""
    return settings.journal_folder / f"run-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.sqlite"


def told(session: Session, path: Path, settings: Settings, json_path: str | None) -> bool:
    """Close a session, say what it was and write the page of the day; return whether it replays the same."""
    aside = json_path == "-"
    if session.loop.stopped_by:
        click.echo(ENDS, err=True)
    figures, answer = closed(session)
    log.info(answer.sentence, extra={"session": str(session.folder), "stopped_by": session.loop.stopped_by})
    figures |= {"session": str(session.folder), "parity": parity_json(answer)}
    show(figures, json_path)
    click.echo(answer.sentence, err=aside)
    click.echo(f"journal {path}", err=aside)
    click.echo(f"session {session.folder}", err=aside)
    click.echo(backup_of(settings, session.folder.name), err=aside)
    page = daily_page(path, settings)
    click.echo(f"report  {page.html}", err=aside)
    if session.loop.stopped_by:
        click.echo("stopped by hand: the summary covers what was seen", err=True)
    return answer.holds


def with_broker(wanted: Wanted, settings: Settings, resume: bool, headless: bool) -> None:
    """Say loudly that --live is paper, then supervise guardian, engine and desk server."""
    if wanted.mode == "live":
        click.echo(LIVE_IS_PAPER, err=True)
    check(wanted, settings)
    compile_once(settings)
    supervise(wanted, settings, resume=cut_off(settings) if resume else None, headless=headless)


def cut_off(settings: Settings) -> str:
    """Return the newest session that was cut off.

    Raises
    ------
    InputError
        If every session has ended.
    """
    open_ = [folder for folder in session_folders(settings.data_folder) if closing_of(folder) is None]
    if not open_:
        raise InputError("no session was cut off", field="--resume", way_out="start without --resume")
    return open_[-1].name


def taken_to_its_end(session: Session) -> None:
    """Drive a session; where that fails leave journal and record as they were written."""
    try:
        session.go()
    except BaseException:
        abandon(session)
        raise


def closed(session: Session) -> tuple[dict[str, Any], Parity]:
    """Seal and replay the record, write the answer into the journal and close it; return summary and answer."""
    try:
        answer = session.close()
        note_parity(session.run, answer)
    finally:  # a record that cannot be sealed or replayed must not cost the journal its end
        figures = dict(session.run.close())
    return figures, answer


def parity_json(answer: Parity) -> dict[str, Any]:
    """Return the parity check as JSON values."""
    return {
        "equal": answer.equal,
        "total": answer.total,
        "holds": answer.holds,
        "first_difference": answer.first_difference,
        "replay_digest": answer.replay_digest,
    }


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
