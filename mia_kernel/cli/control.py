"""`mia status | arm | disarm | halt | resume | drill`: talk to the guardian, which answers while the engine hangs."""

from __future__ import annotations

import importlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from mia_kernel.adapters import bus
from mia_kernel.adapters.messages import (
    Acknowledge,
    AlertNote,
    Arm,
    Challenge,
    Confirm,
    Disarm,
    GuardianStatus,
    Halt,
    Message,
    Refused,
    Resume,
    Reveal,
    Status,
)
from mia_kernel.cli.output import json_option, print_table, stop, write_json
from mia_kernel.core.errors import OutsideError

HALT_FILE = "HALT"
CHANNEL = "terminal"
FLAT_S = 10.0
"""How long `halt` watches the account become flat before it says that it is not."""

reason_option = click.option("--reason", metavar="TEXT", help="why; it is written down")


@click.command()
@click.option("--seen", is_flag=True, help="mark every critical alert as seen")
@click.option("--code", is_flag=True, help="show the code of an arming begun in the browser")
@json_option
def status(seen: bool, code: bool, json_path: str | None) -> None:
    """Print how things stand at the guardian; exit code 1 where it is halted, stale or not connected."""
    home = home_folder()
    if code:
        challenge = ask(home, Reveal(CHANNEL))
        click.echo(f"code {challenge.code}, valid {challenge.expires_s:.0f} s, allows {challenge.allows}")
        return
    now = ask(home, Acknowledge(0) if seen else Status())
    show(now, json_path)
    if now.trading_state == "halted" or now.stale or (now.mode != "dry-run" and not now.connected):
        stop(1)


@click.command()
@click.option("--phrase", metavar="TEXT", help="the phrase of the mode, else it is asked for")
@click.option("--account", metavar="ID", help="the account id, else it is asked for")
@json_option
def arm(phrase: str | None, account: str | None, json_path: str | None) -> None:
    """Allow entries: phrase and account, then the guardian's one-time code."""
    home = home_folder()
    now = ask(home, Status())
    if phrase is None:
        click.echo(f"mode {now.mode}, account {now.account}, venue {now.venue}")
        phrase = click.prompt(f"type {now.phrase}", type=str)
    if account is None:
        account = click.prompt("account id", type=str)
    challenge = ask(home, Arm(str(phrase), str(account), CHANNEL))
    code = challenge.code
    if not code:
        click.echo(
            f"allows {challenge.allows}; the code is shown in the browser for {challenge.expires_s:.0f} s"
        )
        code = click.prompt("code", type=str)
    show(ask(home, Confirm(str(code).strip(), CHANNEL)), json_path)


@click.command()
@reason_option
@json_option
def disarm(reason: str | None, json_path: str | None) -> None:
    """Allow only what reduces exposure: entries are withdrawn, positions keep their protection."""
    show(ask(home_folder(), Disarm(reason or "by hand")), json_path)


@click.command()
@reason_option
@json_option
def halt(reason: str | None, json_path: str | None) -> None:
    """Cancel everything, flatten, verify, lock. Acts at once; without an answer it leaves the file HALT."""
    home = home_folder()
    try:
        now = ask(home, Halt(reason or "by hand"))
        until = time.monotonic() + FLAT_S
        while not _flat(now) and time.monotonic() < until:
            time.sleep(0.1)
            now = ask(home, Status())
    except OutsideError as error:
        (home / HALT_FILE).touch()
        raise OutsideError(
            f"{error}; the file {home / HALT_FILE} is written: a guardian that lives halts on it, "
            "one that does not leaves your brackets at the broker; look there now"
        ) from None
    show(now, json_path)
    if not _flat(now):
        click.echo("NOT FLAT YET: the guardian goes on; look at `mia status` and at the broker")
        stop(1)


@click.command()
@reason_option
@json_option
def resume(reason: str | None, json_path: str | None) -> None:
    """Lift a halt that needs a human; disarmed afterwards. The reason is asked for."""
    home = home_folder()
    now = ask(home, Status())
    if reason is None:
        click.echo(f"halted by {now.halt_code or 'nothing'}: {now.last_reason}")
        reason = click.prompt("reason to resume", type=str)
    show(ask(home, Resume(str(reason))), json_path)


def home_folder() -> Path:
    """Return MIA_HOME. A kill switch must not wait for the whole engine to be imported with the settings."""
    if given := os.environ.get("MIA_HOME"):
        return Path(given).expanduser().absolute()
    return importlib.import_module("mia_kernel.settings").load().settings.home


def ask(home: Path, message: Message) -> Any:
    """Ask the guardian; a refusal ends the command with exit code 1 and its reason.

    Raises
    ------
    OutsideError
        If no guardian runs, or it does not answer in time.
    """
    client = bus.guardian(home)
    try:
        answer = client.ask(message)
    finally:
        client.close()
    if isinstance(answer, Refused):
        click.echo(f"refused ({answer.code}): {answer.reason}", err=True)
        stop(1)
    if not isinstance(answer, GuardianStatus | Challenge):
        raise OutsideError(f"the guardian answered {type(answer).__name__}; way out: restart it")
    return answer


def show(now: GuardianStatus, json_path: str | None) -> None:
    """Write the status as JSON, or print what a person wants first."""
    if json_path:
        write_json(json_path, msgspec.to_builtins(now))
    if json_path == "-":
        return
    simulated = " · SIMULATED" if now.mode == "dry-run" else ""
    armed = "ARMED" if now.armed else "disarmed"
    click.echo(f"{now.mode.upper()} {now.account} · {now.trading_state.upper()} · {armed}{simulated}")
    print_table(("", ""), _lines(now))
    used = sorted(now.limits.items(), key=lambda item: _share(item[1].limit, item[1].used), reverse=True)
    rows = [
        (name, use.used, use.limit, use.unit, use.level)
        for name, use in used
        if use.level != "normal" and name != "trading_state"  # the headline says it: disarmed is no emergency
    ]
    if rows:
        print_table(("limit", "used", "limit", "unit", "level"), rows)
    for line in alert_lines(now.alerts):
        click.echo(line)


def alert_lines(alerts: Sequence[AlertNote], most: int = 5) -> list[str]:
    """Return the newest alerts a line each, oldest first; the same one raised again is counted, not repeated."""
    told = [(a.level, a.code, a.text, a.acknowledged) for a in alerts]
    times = Counter(told)
    newest = [*dict.fromkeys(reversed(told))][:most]
    return [
        f"{level} {code}: {text}"
        + (f" ({n} times)" if (n := times[level, code, text, seen]) > 1 else "")
        + ("" if seen else " (not seen: `mia status --seen`)")
        for level, code, text, seen in reversed(newest)
    ]


def _lines(now: GuardianStatus) -> list[tuple[str, object]]:
    quote = (
        None
        if now.bid is None or now.ask is None
        else f"{now.bid:.2f} / {now.ask:.2f}, {now.book_age_s} s old"
    )
    beat = None if now.engine_heartbeat_age_s is None else f"{now.engine_heartbeat_age_s:.2f} s ago"
    drill = None if now.drill_ts is None else f"{(now.ts - now.drill_ts) / 86_400e9:.1f} days ago"
    return [
        ("reason", now.last_reason),
        ("venue", f"{now.venue}, {'connected' if now.connected else 'NOT CONNECTED'}"),
        ("confirmed equal", "yes" if now.reconciled else "no"),
        ("position (ES)", now.position),
        ("working orders", now.working_orders),
        ("protective stop", f"{now.protective_stop} ({now.protective_stop_note})"),
        ("day net (USD)", now.day_net_usd),
        ("week net (USD)", now.week_net_usd),
        ("quote", quote),
        ("engine", beat),
        ("last drill", drill),
        ("build", now.build),
    ]


def _share(limit: float | None, used: float | None) -> float:
    return 0.0 if not limit or used is None else abs(used / limit)


def _flat(now: GuardianStatus) -> bool:
    if now.mode == "dry-run":
        return True
    return now.position == 0.0 and now.working_orders == 0 and now.reconciled
