"""`mia alerts`: watch the running system, speak through the channels, disarm when nobody answers a critical alert."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from mia_kernel.adapters import bus, logs, wire
from mia_kernel.adapters.alert_files import read_acks, read_state, write_ack, write_state
from mia_kernel.adapters.channels import (
    Channel,
    DiscordChannel,
    FileChannel,
    Outbox,
    TerminalChannel,
    desktop_channel,
)
from mia_kernel.adapters.discord import DiscordWebhook, Message
from mia_kernel.adapters.messages import Acknowledge, Disarm, GuardianStatus, LimitUse, Status
from mia_kernel.analytics.alerts import Alert, AlertBook, Firing, Level, as_record, firings
from mia_kernel.cli.output import json_option, print_table, write_json
from mia_kernel.cli.stopping import stopping
from mia_kernel.core.errors import DataError, InputError, OutsideError
from mia_kernel.settings import Settings, load

EVERY_S = 1.0
LEAST = "minimum_balance"
LOSS_LIMITS = ("daily_loss", "hard_daily_loss", "weekly_loss", "drawdown", "consecutive_losses", LEAST)
"""The limits a person is called for; `LEAST` is reached from above."""


@click.group()
def alerts() -> None:
    """What needs a person's attention, and who has seen it."""


@alerts.command()
@click.option(
    "--for", "for_s", type=float, metavar="S", help="stop after so many seconds (default: until Ctrl-C)"
)
def watch(for_s: float | None) -> None:
    """Watch guardian and engine once a second and speak; an unseen critical alert disarms after a minute."""
    settings = load().settings
    logs.start(settings.home, "alerts-watch", logs.secret_values(settings.secrets))
    outbox = Outbox(channels_of(settings))
    watcher = Watcher(settings, outbox)
    asked = Ends(None if for_s is None else time.monotonic() + for_s)
    try:
        with stopping(asked):
            while asked.wait(EVERY_S):
                watcher.turn(time.time_ns())
    finally:
        watcher.close()
        for state in outbox.close():
            if state.failed or state.lost:
                click.echo(
                    f"{state.name}: {state.failed} failed ({state.last_failure}), {state.lost} lost", err=True
                )


@alerts.command("ls")
@json_option
def ls(json_path: str | None) -> None:
    """List the alerts of the running watch, those that wait for somebody first."""
    found = read_state(load().settings.home)
    if json_path:
        write_json(json_path, {"alerts": found})
    if json_path != "-":
        rows = [
            (
                "WAITS" if a["waits"] else "",
                a["level"],
                a["key"],
                a["text"],
                a["count"],
                a["acknowledged_by"] or "",
            )
            for a in found
        ]
        print_table(("", "level", "key", "what", "times", "seen by"), rows)


@alerts.command()
@click.argument("key")
@click.option("--by", default="", help="who has seen it; default the user of this machine")
def ack(key: str, by: str) -> None:
    """Say that alert KEY (or `all`) was seen; without it a critical one disarms."""
    home = load().settings.home
    if key != "all" and key not in {alert["key"] for alert in read_state(home)}:
        raise InputError("no such alert", field="KEY", value=key, way_out="`mia alerts ls` names them")
    who = by or os.environ.get("USER") or os.environ.get("USERNAME") or "somebody"
    write_ack(home, key, who)
    click.echo(f"{key}: seen by {who}")


@alerts.command()
def test() -> None:
    """Send one message through every channel and tell what became of it."""
    outbox = Outbox(channels_of(load().settings))
    outbox.send(Message("admin", "warning", "Test", "This is a test of the channels of MIA.", time.time_ns()))
    states = outbox.close(30.0)
    print_table(
        ("channel", "delivered", "failed", "why"),
        [(s.name, s.delivered, s.failed, s.last_failure) for s in states],
    )
    if any(s.failed for s in states):
        raise OutsideError("a channel did not deliver; way out: correct its address or leave it out")


class Ends:
    """When a watch is over: after its time, on Ctrl-C or on a polite kill."""

    def __init__(self, at: float | None) -> None:
        self._at = at
        self._asked = threading.Event()

    def stop(self, reason: str) -> None:
        """Ask to end."""
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Wait one turn; return whether there is to be another."""
        return not self._asked.wait(seconds) and (self._at is None or time.monotonic() < self._at)


def channels_of(settings: Settings) -> list[Channel]:
    """Return the channels these settings have: file and terminal always, desktop and Discord where they are."""
    found: list[Channel] = [FileChannel(settings.home / "logs" / "alerts.jsonl"), TerminalChannel()]
    desktop = desktop_channel()
    if desktop is not None:
        found.append(desktop)
    if settings.secrets.discord_webhook is not None:
        found.append(DiscordChannel(DiscordWebhook(settings.secrets.discord_webhook)))
    return found


@dataclass
class Seen:
    """What one look found: facts for the rules, and what the guardian itself reports."""

    facts: dict[str, Any]
    status: GuardianStatus | None


class Watcher:
    """The watch: looks once a turn, lets the book decide, speaks, and disarms through the guardian.

    Parameters
    ----------
    settings : Settings
    outbox : Outbox
    look : callable, optional
        Returns what is known now; default asks the bus.
    """

    def __init__(self, settings: Settings, outbox: Outbox, look: Callable[[], Seen] | None = None) -> None:
        self.settings = settings
        self.outbox = outbox
        self.book = AlertBook(settings.alerts)
        self._look = look or self._ask
        self._viewer: bus.Viewer | None = None
        self._viewed: int | None = None
        self._frame: Mapping[str, Any] = {}
        self._acks_read = 0
        self.disarms: list[str] = []

    def turn(self, now_ns: int) -> None:
        """Look once, take acknowledgements, speak, disarm if nobody answered, write the state down."""
        seen = self._look()
        self._acknowledged(seen.status)
        outcome = self.book.observe(
            [*firings(seen.facts, self.settings.alerts), *guardian_firings(seen.status)], now_ns
        )
        for alert, why in outcome.notices:
            self.outbox.send(message_of(alert, why))
        if outcome.disarm is not None:
            self._disarm(outcome.disarm)
        self._write()

    def close(self) -> None:
        """Let go of the bus."""
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None

    def _ask(self) -> Seen:
        home = self.settings.home
        free = shutil.disk_usage(home)
        facts: dict[str, Any] = {
            "disk_free_share": free.free / free.total,
            "guardian": "absent",
            "engine": "absent",
        }
        status: GuardianStatus | None = None
        try:
            with bus.guardian(home) as client:
                answer = client.ask(Status())
            status = answer if isinstance(answer, GuardianStatus) else None
        except OutsideError:
            pass  # absent is a fact of its own
        if status is not None:
            facts |= guardian_facts(status)
        facts |= self._engine_facts()
        return Seen(facts, status)

    def _engine_facts(self) -> dict[str, Any]:
        home = self.settings.home
        said = bus.find(home, bus.ENGINE)
        if said is None or not said.alive:
            self.close()
            return {}
        if self._viewer is None or self._viewed != said.pid:
            self.close()
            self._viewer, self._viewed = bus.Viewer(bus.load_keys(home), said.ports["frames"]), said.pid
        newest = self._viewer.frame(0.2)
        if newest is not None:
            try:
                self._frame = wire.decode(newest)
            except DataError:
                return {"engine": "present"}
        return {"engine": "present", **frame_facts(self._frame)}

    def _acknowledged(self, status: GuardianStatus | None) -> None:
        found, self._acks_read = read_acks(self.settings.home, self._acks_read)
        for key, who in found:
            self.book.acknowledge(key, who)
            self._tell_guardian(key, status)

    def _tell_guardian(self, key: str, status: GuardianStatus | None) -> None:
        notes = [
            n
            for n in (status.alerts if status else ())
            if key in ("all", f"guardian.{n.code}") and not n.acknowledged
        ]
        for note in notes:
            try:
                with bus.guardian(self.settings.home) as client:
                    client.ask(Acknowledge(note.alert_id))
            except OutsideError:
                return  # it counts the minute by itself

    def _disarm(self, reason: str) -> None:
        self.disarms.append(reason)
        try:
            with bus.guardian(self.settings.home) as client:
                client.ask(Disarm(reason))
            said = "disarmed"
        except OutsideError as error:
            # Without a guardian nothing can be sent, so nothing is left to disarm; it is said all the same.
            said = f"no guardian to disarm: {error}"
        self.outbox.send(Message("alerts", "critical", "Disarm", f"{reason}; {said}", time.time_ns()))

    def _write(self) -> None:
        found = [as_record(alert) | {"waits": alert.waits} for alert in self.book.alerts]
        channels = [
            {"name": s.name, "failed": s.failed, "lost": s.lost, "why": s.last_failure}
            for s in self.outbox.states
        ]
        write_state(self.settings.home, found, channels)


def guardian_facts(status: GuardianStatus) -> dict[str, Any]:
    """Return what the rules may know from the guardian."""
    facts: dict[str, Any] = {
        "guardian": "present",
        "mode": status.mode,
        "armed": status.armed,
        "trading_state": status.trading_state,
        "position": status.position,
        "protective_stop": status.protective_stop,
        "protective_stop_note": status.protective_stop_note,
        "day_net_usd": status.day_net_usd,
        "engine_heartbeat_age_s": status.engine_heartbeat_age_s,
        "last_reason": status.last_reason,
    }
    return facts | {f"limit.{name}": share for name, share in used_shares(status.limits).items()}


def used_shares(limits: Mapping[str, LimitUse]) -> dict[str, float]:
    """Return how much of each limit on losses is used; 1 and more is reached.

    The others are left out: a full position, the time to a close or a wide spread refuse entries by themselves and
    are no danger that somebody must answer to.
    """
    shares = {}
    for name in LOSS_LIMITS:
        use = limits.get(name)
        if use is None or not use.limit or use.used is None:
            continue
        if name != LEAST:
            shares[name] = use.used / use.limit
        elif use.used > 0:
            shares[name] = use.limit / use.used
    return shares


def guardian_firings(status: GuardianStatus | None) -> list[Firing]:
    """Return the guardian's own alerts that nobody has acknowledged, under keys of their own."""
    if status is None:
        return []
    levels: dict[str, Level] = {"info": "info", "warning": "warning", "critical": "critical"}
    return [
        Firing(
            f"guardian.{n.code}",
            levels.get(n.level, "critical"),
            "guardian",
            n.code.replace("_", " "),
            n.text,
        )
        for n in status.alerts
        if not n.acknowledged
    ]


def frame_facts(frame: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rules may know from an engine's frame."""
    health = frame.get("health") or {}
    facts = {name: health.get(name) for name in ("data_quality", "total_gamma_usd")}
    ml = frame.get("ml") or {}
    return facts | {"ml_why": ml.get("why"), "ml_drift": "; ".join(ml.get("drift") or ()) or None}


def message_of(alert: Alert, why: str) -> Message:
    """Return an alert as a message: what, how often, and what follows where nobody answers."""
    follows = ""
    if alert.waits:
        follows = (
            " Entries are disarmed."
            if why == "disarmed"
            else " Acknowledge it, or entries are disarmed within a minute."
        )
    title = alert.title if why == "new" else f"{alert.title} ({why})"
    return Message("alerts", alert.level, title, alert.text + follows, alert.last_ns,
                   {"key": alert.key, "times": str(alert.count), "source": alert.source})  # fmt: skip
