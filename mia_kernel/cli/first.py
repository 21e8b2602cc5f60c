"""The loop of a first start: it runs at once in plain Python while what it needs is compiled beside it.

How it moves: `mia lab` asks for it (`cli/plain`), and it happens where kernels have to be compiled. The SYNTHETIC
market is made, an hour of it is the history, and a session begins as every dry-run does: same engine, same record, same
guardian. Another process compiles meanwhile and gives way to everything else. When it is done and no position is open,
the session ends and `mia run` goes on from the second reached, compiled and with the whole history. Plain Python
decides the same bits as what is compiled (`tests/property/test_plain_engine.py`).
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.recorded_feed import row_at
from mia_kernel.adapters.sources import open_recording
from mia_kernel.cli.replay import effective, note_asked
from mia_kernel.cli.run import closed, new_journal, speed_of, taken_to_its_end, told
from mia_kernel.cli.stopping import stopping
from mia_kernel.core import compiled
from mia_kernel.core.events import Recording
from mia_kernel.core.session_table import NEW_YORK
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.live.publish import Publisher
from mia_kernel.live.session import Session, dry_run

log = logging.getLogger("mia.first")

HISTORY_NS = 3_600_000_000_000
"""What a first session has seen before its pace begins: plain Python takes eight seconds for an hour of the day."""
LOOK_S = 0.5
GIVES_WAY = 15
"""How far the compiling steps back (`nice`) behind the loop, JupyterLab and the screen."""
COMPILED = "compiled"
NAMED = "{name}; plain Python, one hour of history, while the engine compiles"
STAYS = "compiling failed ({why}): this session goes on in plain Python; more in MIA_HOME/run/loop.log"
NOT_KEPT = "nothing of it is on disk"
GOES_ON = (
    "compiled: a new session goes on from {clock} New York, with the whole history and an account of its own"
)


@dataclass
class Beside:
    """The process that compiles, and what the loop is told of it."""

    process: subprocess.Popen[bytes] | None = None
    failed: bool = False

    def start(self) -> None:
        """Start compiling; its words go where this process's go."""
        command = [sys.executable, "-m", "mia_kernel.cli.compiling", str(GIVES_WAY), str(os.getpid())]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def look(self, session: Session, at: int) -> None:
        """Start compiling at row `at`; ask the session to end once that is done and it is flat; say where it failed.

        Before its pace begins the processors belong to the history, to JupyterLab and to the page.
        """
        if self.process is None:
            if session.run.seen > at:
                self.start()
            return
        code = self.process.poll()
        if code is None or self.failed:
            return
        why = f"code {code}" if code else NOT_KEPT if compiled.look().wanting else ""
        if why:
            self.failed = True
            log.error("compiling failed", extra={"why": why})
            click.echo(STAYS.format(why=why), err=True)
        elif session.run.engine.rooms.account.position == 0:
            session.loop.stop(COMPILED)

    def end(self) -> None:
        """Stop compiling; what lies on disk stays."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def with_an_hour(recording: Recording, first: int) -> tuple[Recording, int]:
    """Return the rows from an hour before row `first` on, named as what they are, and where `first` lies in them."""
    ts = recording.events["ts_recv"]
    begins = int(ts.searchsorted(int(ts[first]) - HISTORY_NS))
    source = replace(recording.source, name=NAMED.format(name=recording.source.name))
    return replace(recording, events=recording.events[begins:].copy(), source=source), first - begins


def clock_of(ts_ns: int) -> str:
    """Return the New York time of day of an instant, to the second."""
    return f"{dt.datetime.fromtimestamp(ts_ns // 1_000_000_000, NEW_YORK):%H:%M:%S}"


@dataclass
class Ending:
    """Hears that this process is to end, whichever of the two sessions runs."""

    loop: Loop
    by_hand: bool = False
    going_on: subprocess.Popen[bytes] | None = None

    def stop(self, reason: str) -> None:
        """End the session that runs; no other one begins after it."""
        self.by_hand = True
        self.loop.stop(reason)
        if self.going_on is not None:
            self.going_on.terminate()

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """Let `process` be ended too, at once where that was asked before it began."""
        self.going_on = process
        if self.by_hand:
            process.terminate()


@click.command()
@click.option("--source", required=True)
@click.option("--speed", required=True)
@click.option("--from", "start", required=True)
@click.option("--weights")
def first(source: str, speed: str, start: str, weights: str | None) -> int:
    """Run a first session in plain Python, then `mia run` with the same words from where it ended."""
    beside = Beside()
    session, path = opened(source, speed, start, weights, beside)
    home, name, ending = session.settings.home, session.folder.name, Ending(session.loop)
    with stopping(ending):
        try:
            with Publisher(home, session.loop, mode="dry-run", run_id=name):
                taken_to_its_end(session)
        finally:
            beside.end()
        if session.loop.stopped_by == COMPILED and not ending.by_hand:
            return handed_over(session, ending, ["--source", source, "--speed", speed], weights)
    return 0 if told(session, path, session.settings, None) else 1


def opened(source: str, speed: str, start: str, weights: str | None, beside: Beside) -> tuple[Session, Path]:
    """Return a session over an hour of history and all that follows, and where its journal lies."""
    settings = effective(None, weights, ())
    whole = open_recording(source, (), home=settings.home)
    recording, at = with_an_hour(whole, row_at(whole.events, start))
    path = new_journal(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    logs.start(settings.home, "run", logs.secret_values(settings.secrets))
    log.info("first start in plain Python", extra={"source": source, "journal": str(path)})
    timers = [Timer(LOOK_S, lambda: beside.look(session, at))]
    session = dry_run(settings, recording, path, uri=source, speed=speed_of(speed), timers=timers, first=at)
    begins = dt.datetime.fromtimestamp(int(recording.events["ts_event"][0]) / 1e9, dt.UTC)
    note_asked(session.run, source, (), symbol=None, tz=None, start=begins.isoformat())
    return session, path


def handed_over(session: Session, ending: Ending, words: list[str], weights: str | None) -> int:
    """Start the compiled loop at the second reached, close the plain session meanwhile, and stay until it has ended."""
    clock = clock_of(int(session.run.engine.rooms.market.array["clock"]["ts"][0]))
    click.echo(GOES_ON.format(clock=clock), err=True)
    words = [*words, "--from", clock, *(["--weights", weights] if weights else [])]
    command = [sys.executable, "-m", "mia_kernel.cli.plain", str(os.getpid()), *words]
    going_on = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ending.pass_on_to(going_on)
    try:
        if hasattr(os, "nice"):
            os.nice(GIVES_WAY)
        _, answer = closed(session)
        log.info(answer.sentence, extra={"session": str(session.folder)})
        click.echo(f"first   {answer.sentence}")
    finally:
        code = going_on.wait()
    return code if code >= 0 else 128 - code
