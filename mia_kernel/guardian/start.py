"""Start a guardian: read the limits, reach the venue, verify the memory, serve.

The venue is reached while the rest is still being loaded: measuring the clock of a gateway takes one to two
seconds of waiting, and until a restarted guardian has confirmed everything nobody can send.
"""

from __future__ import annotations

import datetime as dt
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_kernel.adapters import logs
from mia_kernel.adapters.ibkr_params import REAL_PORTS
from mia_kernel.adapters.limits_file import NAME, LimitsFile, read, write_default
from mia_kernel.adapters.machine import code_version
from mia_kernel.core.errors import InputError, MiaError, SettingsError

if TYPE_CHECKING:
    from mia_kernel.guardian.core import Guardian

log = logging.getLogger("mia.guardian")
MODES = ("dry-run", "paper", "production")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", type=click.Path(path_type=Path), required=True, help="MIA_HOME")
@click.option("--mode", type=click.Choice(MODES), default="dry-run", show_default=True)
@click.option("--venue", metavar="URI", help="ibkr:HOST:PORT or gateway:HOST:PORT")
@click.option("--write-limits", metavar="ACCOUNT", help="write risk.toml with every default, then end")
def command(home: Path, mode: str, venue: str | None, write_limits: str | None) -> None:
    """Hold the order socket, the hard limits and the arming."""
    home = home.expanduser().absolute()
    if write_limits is not None:
        write_default(home / NAME, write_limits, dt.datetime.now(dt.UTC).date())
        click.echo(f"wrote {home / NAME}: go through it, then start the guardian")
        return
    guardian = make(home, mode, venue)
    serve = importlib.import_module("mia_kernel.guardian.serve")
    signals = serve.Signals()
    signals.listen()
    logs.start(home, "guardian", logs.environment_secrets())
    log.info("started", extra={"mode": mode, "venue": venue})

    def say(text: str) -> None:
        click.echo(text, err=True)
        log.info(text)

    serve.Service(guardian, home, signals).run(say)
    log.info("ended")


def make(home: Path, mode: str, venue: str | None) -> Guardian:
    """Return the guardian of a home, not yet started.

    Raises
    ------
    InputError
        If a mode with a broker has no venue, no limits, or a port of the other kind of account.
    CorruptError
        If its journal does not verify.
    """
    file: LimitsFile | None = None
    if mode != "dry-run" or (home / NAME).exists():
        file = read(home / NAME)
    socket = None
    if mode != "dry-run":
        if file is None or venue is None:
            raise InputError(
                "no venue", field="--venue", rule=f"{mode} needs ibkr:HOST:PORT or gateway:HOST:PORT"
            )
        socket = connect(venue, mode, file)
    try:
        guardian = remember(home, mode, file, socket)
        if socket is not None:
            socket.ready()
    except MiaError:
        if socket is not None:
            socket.close()
        raise
    return guardian


def remember(home: Path, mode: str, file: LimitsFile | None, socket: Any) -> Guardian:
    """Return a guardian with its memory, loaded late: the venue is being reached meanwhile."""
    tables = importlib.import_module("mia_kernel.adapters.user_tables")
    book = importlib.import_module("mia_kernel.guardian.book")
    core = importlib.import_module("mia_kernel.guardian.core")
    journals = book.Book(home / "data" / "journal" / "guardian")
    return core.Guardian(mode, file, socket, journals, code_version(), tables.home_events(home))


def connect(venue: str, mode: str, file: LimitsFile) -> Any:
    """Return the order socket of a venue, not yet ready; a port for real money is refused outside production."""
    kind, _, place = venue.partition(":")
    host, _, port = place.rpartition(":")
    if kind not in ("ibkr", "gateway") or not host or not port.isdigit():
        raise InputError(
            "not a venue", field="--venue", value=venue, rule="ibkr:HOST:PORT or gateway:HOST:PORT"
        )
    if mode != "production" and int(port) in REAL_PORTS:
        raise SettingsError(
            "a port for real money",
            field="--venue",
            value=venue,
            rule=f"{mode} uses 7497 or 4002",
            way_out="production needs its profile, the allow-list and arming",
        )
    # Late on purpose: only a guardian with a broker loads the broker's library.
    broker = importlib.import_module("mia_kernel.adapters.ibkr_broker")
    return broker.begin_socket(
        kind, host, int(port), client_id=file.law.guardian.client_id, account=file.law.account
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one guardian; return its exit code."""
    try:
        command.main(None if arguments is None else list(arguments), standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except MiaError as error:
        print(f"guardian: {error}", file=sys.stderr)
        return error.exit_code
    return 0
