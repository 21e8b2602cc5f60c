"""`mia run --paper|--live`: the supervisor, and the engine's own process under it.

How it moves: the supervisor starts guardian, desk server, alert watch and engine, shows how things stand, and starts
again what may be started again: an engine resumes its session, a guardian comes up disarmed. Sessions follow the
exchange: each trading day is one session, with its own journal, parity check and backup; while the market is
closed the engine waits.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.ibkr_params import address_of, is_broker, permit
from mia_kernel.adapters.recorded import SESSIONS, closing_of, is_session
from mia_kernel.cli.output import pairs, stop
from mia_kernel.cli.replay import note_asked
from mia_kernel.cli.report import daily_page
from mia_kernel.cli.standing import Standing
from mia_kernel.cli.stopping import stopping
from mia_kernel.core.errors import InputError, MiaError
from mia_kernel.live.broker import BrokerSession, open_broker_session
from mia_kernel.live.calendar import wait_for_open, when_over
from mia_kernel.live.companions import (
    Child,
    Helpers,
    alerts_child,
    desk_child,
    guardian_child,
    running_guardian,
    wait_guardian,
)
from mia_kernel.live.housekeeping import daily_backup
from mia_kernel.live.loop import Timer
from mia_kernel.live.parity import note_parity
from mia_kernel.live.publish import Publisher
from mia_kernel.live.session import new_session_id
from mia_kernel.settings import Settings, load

log = logging.getLogger("mia.run")

LOOK_S = 0.1
OVER_LOOK_S = 1.0
END_S = 60.0
"""How long an ending engine may take to seal, replay and copy its session."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person has asked for, as the engine's process has to be told again."""

    mode: str
    source: str
    profile: str | None
    weights: str | None
    assignments: tuple[str, ...]
    history: tuple[str, ...] = ()

    @property
    def guarded(self) -> str:
        """Mode of the guardian: the production profile alone is real money."""
        return "production" if self.profile == "production" else "paper"

    def argv(self, session_id: str, *, resume: bool) -> list[str]:
        """Return the arguments of the engine's process."""
        argv = ["-m", "mia_kernel.cli.live", "--mode", self.mode, "--source", self.source]
        argv += ["--session", session_id, *(["--resume"] if resume else [])]
        for name, value in (("--profile", self.profile), ("--weights", self.weights)):
            argv += [name, value] if value else []
        for name, values in (("--set", self.assignments), ("--with", self.history)):
            for value in values:
                argv += [name, value]
        return argv


def check(wanted: Wanted, settings: Settings) -> None:
    """Refuse a source that is no broker, and a port that this profile may not use."""
    if not is_broker(wanted.source):
        raise InputError("no broker there, nothing was started", field="--source", value=wanted.source,
                         rule=f"--{wanted.mode} trades where its market data comes from: ibkr: or gateway:HOST:PORT",
                         way_out="--dry-run trades in simulation on any source")  # fmt: skip
    permit(address_of(wanted.source, settings.ibkr), settings.profile, settings.ibkr.accounts)


# -- the supervisor ------------------------------------------------------------------------------------


KEEPS = "the account keeps what it has, protective stops rest at the venue; `mia status` tells"


def supervise(wanted: Wanted, settings: Settings, *, resume: str | None, headless: bool) -> None:
    """Run guardian, desk server, alert watch and engine until somebody stops it."""
    check(wanted, settings)
    home, asked = settings.home, Asked()
    logs.start(home, "supervisor", logs.secret_values(settings.secrets))
    log.info("started", extra={"mode": wanted.mode, "source": wanted.source})
    guardian = guardian_child(home, wanted.guarded, str(address_of(wanted.source, settings.ibkr)))
    helpers = Helpers([desk_child(home), alerts_child(home)])
    mine = not running_guardian(home)
    engine = Days(wanted, settings, resume)
    with stopping(asked):
        try:
            if mine:
                guardian.start()
                wait_guardian(guardian)
            helpers.start()
            engine.begin()
            with Standing(home, headless=headless) as view:
                watch(asked, [guardian] if mine else [], helpers, engine, view)
        except KeyboardInterrupt:
            click.echo(f"left at once: {KEEPS}", err=True)
            click.echo(
                f"`mia run --resume` continues session {engine.session_id} if it was cut off", err=True
            )
            raise
        finally:
            # Every one is ended, the guardian last, also where a second Ctrl-C leaves at once.
            with contextlib.ExitStack() as ending:
                if mine:
                    ending.callback(guardian.end)
                ending.callback(helpers.end, 5.0)
                ending.callback(engine.child.end, END_S)
    click.echo(f"stopped: {KEEPS}")


def page_of(engine: Days, settings: Settings) -> None:
    """Write the daily page of a session that has ended whole."""
    if closing_of(settings.data_folder / SESSIONS / engine.session_id) is None:
        click.echo(f"session {engine.session_id} was cut off; `mia run --resume` continues it")
        return
    journal = settings.journals()[0]
    click.echo(f"journal {journal}")
    with suppress(InputError):  # a session without a decision has no page
        click.echo(f"report  {daily_page(journal, settings).html}")


class Asked:
    """What a signal has asked for."""

    def __init__(self) -> None:
        self.stopped_by: str | None = None

    def stop(self, reason: str) -> None:
        """Ask to end."""
        self.stopped_by = self.stopped_by or reason


class Days:
    """The engine's process, day after day; one that died resumes its session."""

    def __init__(self, wanted: Wanted, settings: Settings, resume: str | None) -> None:
        self.wanted, self.settings = wanted, settings
        self.session_id = resume or new_session_id()
        self._resume = resume is not None
        self.child = Child("engine", self._argv, settings.home)

    def _argv(self, started: int) -> Sequence[str]:
        folder = self.settings.data_folder / SESSIONS / self.session_id
        return self.wanted.argv(self.session_id, resume=self._resume or is_session(folder))

    def begin(self) -> None:
        """Start the process."""
        self.child.start()

    def look(self) -> str | None:
        """Start again what ended; return what to tell about it.

        Raises
        ------
        InputError
            If the engine refused its input: starting it again would change nothing.
        """
        code = self.child.code
        if code is None:
            return None
        folder = self.settings.data_folder / SESSIONS / self.session_id
        if code in (0, 1) and is_session(folder) and closing_of(folder) is not None:
            told = (
                f"session {self.session_id} is over: {(closing_of(folder) or {}).get('decisions')} decisions"
            )
            self.session_id, self._resume = new_session_id(), False
            self.child.starts.clear()
            self.child.start()
            return told
        if code == 2:
            raise InputError(
                "the engine refuses to run", path=str(self.child.log), rule=last_line(self.child.log)
            )
        return (
            f"engine ended with {code}: started again, resumes {self.session_id}"
            if self.child.look()
            else None
        )


def watch(asked: Asked, guardians: Sequence[Child], helpers: Helpers, engine: Days, view: Standing) -> None:
    """Look after the children until somebody asks to stop."""
    while asked.stopped_by is None:
        told = [f"{child.name} ended and was started again: disarmed" for child in guardians if child.look()]
        for text in (*told, *helpers.look(), engine.look()):
            if text:
                log.warning(text)
                view.tell(text)
        view.look()
        time.sleep(LOOK_S)


def last_line(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "no word"


# -- the engine's process ------------------------------------------------------------------------------


@click.command()
@click.option("--mode", type=click.Choice(("paper", "live")), required=True)
@click.option("--source", required=True, metavar="URI")
@click.option("--session", "session_id", required=True, metavar="ID")
@click.option("--resume", is_flag=True)
@click.option("--profile", metavar="P")
@click.option("--weights", metavar="NAME|FILE")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE")
@click.option("--with", "history", multiple=True, metavar="URI")
def command(
    mode: str,
    source: str,
    session_id: str,
    resume: bool,
    profile: str | None,
    weights: str | None,
    assignments: tuple[str, ...],
    history: tuple[str, ...],
) -> None:
    """Be the engine's process of one session; `mia run` starts it."""
    wanted = Wanted(mode, source, profile, weights, assignments, history)
    arguments: dict[str, Any] = dict(pairs(assignments))
    if weights is not None:
        arguments["confluence.weights"] = weights
    engine(wanted, load(profile, arguments=arguments).settings, session_id, resume=resume)


def engine(wanted: Wanted, settings: Settings, session_id: str, *, resume: bool) -> None:
    """Run one session to its end: the close of its trading day, a stop, or a failure that can be resumed."""
    check(wanted, settings)
    logs.start(settings.home, "engine", logs.secret_values(settings.secrets))
    log.info("started", extra={"session": session_id, "resume": resume, "source": wanted.source})
    path = journal_path(settings, session_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = Asked()
    with stopping(asked):
        session = open_broker_session(
            settings,
            wanted.source,
            wanted.guarded,
            path,
            session_id=session_id,
            resume=resume,
            history=wanted.history,
        )
        publisher = Publisher(settings.home, session.loop, mode=wanted.mode, run_id=session_id, guarded=True)
        with stopping(session.loop), publisher:
            try:
                if asked.stopped_by is None:
                    wait_for_open(session.feed.session.clock.now_ns, session.loop, click.echo)
                    over = when_over(session.feed.session.clock.now_ns)
                    session.loop.timers.append(Timer(OVER_LOOK_S, lambda: end_when(session, over)))
                    session.go()
            except BaseException:
                session.abandon()
                raise
    finish(session, settings, path)


def end_when(session: BrokerSession, over_ns: int) -> None:
    """End the session when its trading day is over."""
    if session.feed.session.clock.now_ns() >= over_ns:
        session.loop.stop("the trading day is over")


def finish(session: BrokerSession, settings: Settings, journal: Path) -> None:
    """Seal and check the record, close the journal, copy the data, write the daily page."""
    answer = session.close()
    note_asked(session.run, str(session.folder), (), symbol=None, tz=None)
    note_parity(session.run, answer)
    session.run.close()
    log.info(answer.sentence, extra={"session": session.folder.name, "stopped_by": session.loop.stopped_by})
    click.echo(answer.sentence)
    click.echo(f"session {session.folder}")
    click.echo(f"journal {journal}")
    click.echo(daily_backup(settings))
    if not answer.holds:
        stop(1)


def journal_path(settings: Settings, session_id: str) -> Path:
    """Return a new journal of a session: a resumed one decides its record again into a file of its own."""
    names: Any = (f"run-{session_id}{suffix}.sqlite" for suffix in ["", *(f"-r{n}" for n in range(1, 1000))])
    return next(path for name in names if not (path := settings.journal_folder / name).exists())


def main(argv: Sequence[str]) -> int:
    """Run the engine's process; return its exit code."""
    try:
        return int(command.main(list(argv), prog_name="mia engine", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return 2
    except MiaError as error:
        print(f"engine: {error}", file=sys.stderr, flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
