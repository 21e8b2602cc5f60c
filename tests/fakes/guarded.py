"""A guardian with everything around it in one process and one thread; time moves when the test says so."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from mia_kernel.adapters import limits_file
from mia_kernel.adapters.messages import (
    PROTOCOL,
    Arm,
    Challenge,
    Confirm,
    GuardianStatus,
    Heartbeat,
    Hello,
    Message,
    Refused,
    Report,
    Submit,
    command_bytes,
    report_of,
)
from mia_kernel.core.orders import Command, Order, OrderReport, OrderType, PlaceBracket, Role
from mia_kernel.guardian.book import Book
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.intake import Intake
from mia_kernel.guardian.people import People
from mia_kernel.guardian.watch import Watch
from tests.fakes.venue import T0, Socket, Venue

ACCOUNT = "DU1234567"
BUILD = "test+1"
BID, ASK = 18_000, 18_001


def law_text(**changes: object) -> str:
    text = limits_file.default_text(ACCOUNT, dt.date(2023, 11, 1))
    for name, value in changes.items():
        lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in text.splitlines()]
        text = "\n".join(lines) + "\n"
    return text


def bracket(
    ts: int = T0,
    side: int = 1,
    qty: int = 1,
    entry: int = ASK,
    stop: int = 8,
    target: int = 16,
    symbol: str = "ES",
    good_for_s: int = 30,
) -> PlaceBracket:
    name = f"mia-{ts}"

    def order(role: Role, way: int, kind: OrderType, limit: int | None, stop_ticks: int | None) -> Order:
        return Order(
            f"{name}-{role.value}", name, role, symbol, way, qty, kind, ts, limit, stop_ticks,
            ts + good_for_s * 1_000_000_000 if role is Role.ENTRY else None,
            float(entry) if role is Role.ENTRY else None,
        )  # fmt: skip

    return PlaceBracket(
        ts,
        name,
        order(Role.ENTRY, side, OrderType.LIMIT, entry, None),
        order(Role.STOP, -side, OrderType.STOP, None, entry - side * stop),
        order(Role.TARGET, -side, OrderType.LIMIT, entry + side * target, None),
        3,
        0.3,
        11_700 * qty,
    )


class Guarded:
    """Guardian, venue, and the hands that use them."""

    def __init__(self, home: Path, venue: Venue | None = None, *, mode: str = "paper", **law: object) -> None:
        self.home = home
        self.venue = venue or Venue()
        self.mode = mode
        home.mkdir(parents=True, exist_ok=True)
        self.text = law_text(**law)
        (home / limits_file.NAME).write_text(self.text)
        self.now = 1_000.0
        self.pushed: list[Message] = []
        self.beating = True
        self.quoting = True
        self.start()

    def start(self) -> None:
        self.socket = Socket(self.venue)
        file = limits_file.parse(self.text)
        self.g = Guardian(self.mode, file, self.socket, Book(self.home / "journal"), BUILD)
        self.watch = Watch(self.g)
        self.people = People(self.g, self.watch, self.home)
        self.intake = Intake(self.g)
        self.g.push = self.pushed.append
        if "ES" not in self.venue.tops:
            self.venue.quote(BID, ASK)
        self.g.start(self.now)
        self.step()

    def restart(self) -> None:
        """Kill the guardian without a word and start another one."""
        self.g.book.close()
        self.start()

    def step(self, dt_s: float = 0.01) -> None:
        self.now += dt_s
        self.venue.advance(dt_s)
        if self.quoting:
            for symbol, (bid, ask, _) in list(self.venue.tops.items()):
                self.venue.quote(bid, ask, symbol)
        self.g.step(self.now)
        if self.beating:
            self.intake.answer(Heartbeat(1, self.venue.now), self.now)
        self.watch.step(self.now)

    def run(self, seconds: float, dt_s: float = 0.01) -> None:
        for _ in range(round(seconds / dt_s)):
            self.step(dt_s)

    def hello(
        self, build: str = BUILD, run_id: str = "run-1", seen: int | None = None
    ) -> tuple[Message, ...]:
        return self.intake.answer(Hello(build, PROTOCOL, "s", self.mode, run_id, seen), self.now)

    def ask(self, message: Any) -> Any:
        return self.people.answer(message, self.now)

    def arm(self) -> GuardianStatus:
        self.hello()
        answer = self.ask(Arm(self.g.arming.phrase, ACCOUNT))
        assert isinstance(answer, Challenge), answer
        confirmed = self.ask(Confirm(answer.code))
        assert isinstance(confirmed, GuardianStatus), confirmed
        return confirmed

    def submit(self, command: Command, intent: str | None = None) -> Message:
        name = intent or f"{command.bracket_id}:{type(command).__name__}:{command.ts_event}"
        return self.intake.answer(Submit(name, command_bytes((command,))), self.now)[0]

    def enter(self, **wish: Any) -> str:
        wish.setdefault("ts", self.venue.now)
        command = bracket(**wish)
        answer = self.submit(command)
        assert not isinstance(answer, Refused), answer
        return command.bracket_id

    def status(self) -> GuardianStatus:
        return self.people.status(self.now)

    def reports(self) -> list[OrderReport]:
        return [report_of(m.payload) for m in self.pushed if isinstance(m, Report)]

    def agrees(self) -> None:
        """Position, orders and money here equal the venue's."""
        held = {s: q for s, q in self.venue.positions.items() if q}
        assert {s: q for s, q in self.g.truth.state.positions.items() if q} == held
        ours = {r.order.ref: r.left for r in self.g.truth.live_orders() if not r.external}
        assert ours == {r.order.ref: r.left for r in self.venue.working() if r.ours}
        marks = {"ES": BID, "MES": BID}
        assert self.g.truth.net_usd(marks) == self.venue.net(marks)
