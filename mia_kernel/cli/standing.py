"""The supervisor's terminal view: how the desk stands, from the guardian's word, the newest frame and the alert watch.

How it moves: the supervisor calls `look` between its own looks; twice a second the view asks the guardian, takes the
newest frame and draws. Without a fresh word the state is UNKNOWN, never the last one. Where the output is no
terminal it says one line every five seconds. What happens is told through `tell`, so that it stays on the screen.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mia_kernel.adapters import bus, wire
from mia_kernel.adapters.alert_files import standing as alerts_of
from mia_kernel.adapters.messages import GuardianStatus, Status
from mia_kernel.cli.terminal import ALARM, BUY, CAUTION, MUTED, SELL
from mia_kernel.core.errors import DataError, OutsideError

LOOK_S, LINE_S, ASK_S = 0.5, 5.0, 1.0
STALE_S = 2.0
TOLD = 6
SIMULATED = "SIMULATED"


class Standing:
    """A context that shows the desk of a home until it is left.

    Parameters
    ----------
    home : Path
    headless : bool
        Say what happens, show nothing.
    """

    def __init__(self, home: Path, *, headless: bool = False, console: Console | None = None) -> None:
        self.home, self.headless = home, headless
        self.console = console or Console()
        self._live: Live | None = None
        self._told: deque[str] = deque(maxlen=TOLD)
        self._due = 0.0
        self._viewer: bus.Viewer | None = None
        self._pid: int | None = None
        self._frame: Mapping[str, Any] = {}
        self._frame_at = float("-inf")

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.headless:
            self._live = Live(Text(" starting", MUTED), console=self.console, auto_refresh=False, screen=True)
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            for text in self._told:
                click.echo(text)
        if self._viewer is not None:
            self._viewer.close()

    def tell(self, text: str) -> None:
        """Say something that happened."""
        self._told.append(f"{dt.datetime.now(dt.UTC).astimezone():%H:%M:%S} {text}")
        if self._live is None:
            click.echo(text)

    def look(self) -> None:
        """Draw, if the last picture is old enough."""
        now = time.monotonic()
        if self.headless or now < self._due:
            return
        self._due = now + (LOOK_S if self._live else LINE_S)
        status, why = word_of(self.home)
        if self._live is None:
            click.echo(line(status, why))
            return
        self._take()
        age = now - self._frame_at
        self._live.update(
            render(status, why, self._frame, age, alerts_of(self.home), list(self._told)), refresh=True
        )

    def _take(self) -> None:
        said = bus.find(self.home, bus.ENGINE)
        if said is None or not said.alive:
            return
        if self._viewer is None or self._pid != said.pid:
            if self._viewer is not None:
                self._viewer.close()
            self._viewer, self._pid = bus.Viewer(bus.load_keys(self.home), said.ports["frames"]), said.pid
        payload = self._viewer.frame(0.0)
        if payload is None:
            return
        try:
            self._frame, self._frame_at = wire.decode(payload), time.monotonic()
        except DataError as error:
            self.tell(f"a frame cannot be read: {error}")


def word_of(home: Path) -> tuple[GuardianStatus | None, str]:
    """Return the guardian's word, or None and why there is none."""
    try:
        with bus.guardian(home) as client:
            told = client.ask(Status(), ASK_S)
    except OutsideError as error:
        return None, str(error)
    return (told, "") if isinstance(told, GuardianStatus) else (None, f"it answered {type(told).__name__}")


def line(told: GuardianStatus | None, why: str) -> str:
    """Return how things stand in one line."""
    now = dt.datetime.now(dt.UTC).astimezone()
    if told is None:
        return f"{now:%H:%M:%S} UNKNOWN: {why}"
    position = "unknown" if told.position is None else f"{told.position:+g}"
    money = "unknown" if told.day_net_usd is None else f"{told.day_net_usd:+.2f} USD"
    beat = (
        "no engine"
        if told.engine_heartbeat_age_s is None
        else f"engine {told.engine_heartbeat_age_s:.1f} s ago"
    )
    armed = "ARMED" if told.armed else "disarmed"
    return (
        f"{now:%H:%M:%S} {told.mode.upper()} {told.account} {armed} {told.trading_state} · position {position}, "
        f"stop {told.protective_stop}, {told.working_orders} orders, day {money} · {beat} · {told.last_reason}"
    )


def render(
    told: GuardianStatus | None,
    why: str,
    frame: Mapping[str, Any],
    age_s: float,
    alerts: Mapping[str, Any],
    events: list[str],
) -> RenderableType:
    """Return the whole screen."""
    parts: list[RenderableType] = [strip(told, frame, age_s), account(told, why), mind(frame, age_s)]
    found = [alert for alert in alerts["alerts"] if alert.get("waits")]
    watch = "" if alerts["watched"] else "no alert watch runs"
    words = Text("\n").join(
        [Text(f"{a['title']}: {a['text']} · waits to be seen", ALARM) for a in found]
        or [Text(watch or "no alert waits", CAUTION if watch else MUTED)]
    )
    parts.append(Panel(words, title="alerts", title_align="left", border_style=MUTED))
    parts.append(
        Panel(Text("\n".join(events) or "—"), title="events", title_align="left", border_style=MUTED)
    )
    parts.append(Text(" Ctrl-C ends; the account keeps what it has", MUTED))
    return Group(*parts)


def strip(told: GuardianStatus | None, frame: Mapping[str, Any], age_s: float) -> RenderableType:
    """Return the line that must be readable from two metres: mode, state, price, position, money."""
    stamp = frame.get("stamp") or ""
    if told is None:
        words = [Text(" UNKNOWN ", f"bold white on {ALARM}")]
    else:
        state = "HALTED" if told.trading_state == "halted" else "ARMED" if told.armed else "DISARMED"
        colour = {"HALTED": f"bold white on {ALARM}", "ARMED": f"bold black on {CAUTION}"}.get(state, "bold")
        held = told.position
        side = (
            "POSITION —"
            if held is None
            else "FLAT"
            if not held
            else f"{'LONG' if held > 0 else 'SHORT'} {abs(held):g}"
        )
        money = "— USD" if told.day_net_usd is None else f"{told.day_net_usd:+,.2f} USD"
        words = [
            Text(
                f" {told.mode.upper()} {stamp} ".replace("  ", " "),
                f"bold black on {CAUTION}" if stamp else "bold",
            ),
            Text(f" {state} ", colour),
            Text(f" {side} ", f"bold {MUTED if not held else BUY if held > 0 else SELL}"),
            Text(f" day {money} "),
        ]
    price = (frame.get("price") or {}).get("last")
    stale = age_s > STALE_S
    shown = (
        "no frame"
        if not frame
        else f"{frame.get('contract') or frame.get('symbol')} {price:.2f}"
        if price
        else "—"
    )
    words.append(Text(f" {shown} ", f"strike {MUTED}" if stale and frame else "bold"))
    if stale and frame:
        words.append(Text(f" STALE {age_s:.0f} s ", f"bold {ALARM}"))
    return Panel(Text("").join(words), border_style=MUTED, padding=(0, 0))


def account(told: GuardianStatus | None, why: str) -> RenderableType:
    """Return orders, protection and limits as the guardian has them."""
    if told is None:
        return Panel(Text(why, ALARM), title="guardian", title_align="left", border_style=ALARM)
    safe = told.protective_stop in ("resting at venue", "not needed")
    doubt = CAUTION if told.protective_stop in ("held by broker", "unconfirmed") else ALARM
    beat = told.engine_heartbeat_age_s
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("account", MUTED), Text(f"{told.account} at {told.venue or 'no venue'}"))
    grid.add_row(Text("protective stop", MUTED), Text(told.protective_stop, "" if safe else f"bold {doubt}"))
    grid.add_row(Text("working orders", MUTED), Text(str(told.working_orders)))
    grid.add_row(
        Text("engine", MUTED),
        Text("none" if beat is None else f"heard {beat:.1f} s ago", "" if beat else ALARM),
    )
    for name, use in told.limits.items():
        if use.limit and use.used is not None:
            share = use.used / use.limit
            text = f"{use.used:g} of {use.limit:g} {use.unit}"
            grid.add_row(Text(name.replace("_", " "), MUTED), Text(text, ALARM if share >= 0.9 else ""))
    body = Group(grid, Text(told.last_reason, MUTED))
    return Panel(body, title="guardian", title_align="left", border_style=MUTED)


def mind(frame: Mapping[str, Any], age_s: float) -> RenderableType:
    """Return the last decision and the health of the loop."""
    decision, health = frame.get("decision"), frame.get("health") or {}
    spent = health.get("latency") or {}
    if decision is None:
        head = Text("no decision yet" if frame else "no frame of an engine yet", MUTED)
    else:
        head = Text(
            f"{decision['percent']:.2f} % {decision['grade'].replace('_', ' ')}, coverage {decision['coverage']:.2f}\n"
        )
        head.append(decision["why_not"], MUTED)
    p99 = spent.get("p99_ms")
    quality = health.get("data_quality")
    words = [
        f"data {quality:.2f}" if quality is not None else "data —",
        f"decision 99 % {p99:.1f} ms" if p99 is not None else "decision —",
        f"{health.get('rows_waiting', 0)} rows wait",
        f"frame {age_s:.1f} s old" if frame else "",
    ]
    body = Group(head, Text(" · ".join(word for word in words if word), MUTED))
    return Panel(body, title="engine", title_align="left", border_style=MUTED)
