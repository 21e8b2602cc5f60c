"""A guardian over a real order socket to a simulated gateway, in the test's own thread; the gateway's book judges."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from mia_kernel.adapters import limits_file
from mia_kernel.adapters.ibkr_broker import Broker
from mia_kernel.adapters.messages import Acknowledge, Arm, Challenge, Confirm, Heartbeat
from mia_kernel.guardian.book import Book
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.intake import Intake
from mia_kernel.guardian.people import People
from mia_kernel.guardian.watch import Watch
from tests.fakes.guarded import ACCOUNT, BUILD, Guarded
from tests.fakes.live_gateway import LiveGateway
from tests.fakes.processes import GENEROUS


class Wired(Guarded):
    """A guardian over a real order socket; time is the machine's."""

    def __init__(self, home: Path, broker: Broker) -> None:
        self.broker = broker
        super().__init__(home, **GENEROUS)

    def start(self) -> None:
        self.socket = self.broker  # type: ignore[assignment]
        self.now = time.monotonic()
        self.g = Guardian(
            self.mode, limits_file.parse(self.text), self.broker, Book(self.home / "journal"), BUILD
        )
        self.watch = Watch(self.g)
        self.people = People(self.g, self.watch, self.home)
        self.intake = Intake(self.g)
        self.g.push = self.pushed.append
        self.g.start(self.now)

    def step(self, dt_s: float = 0.01) -> None:
        self.broker.wait(dt_s)
        self.now = time.monotonic()
        self.g.step(self.now)
        self.intake.answer(Heartbeat(1, self.broker.now_ns()), self.now)
        self.watch.step(self.now)

    def until(self, true: Any, seconds: float, what: str) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, (what, self.g.last_reason, self.broker.session.reason)
            self.step()
        return time.monotonic() - began

    def armed_again(self) -> bool:
        self.ask(Acknowledge(0))
        self.hello()
        answer = self.ask(Arm(self.g.arming.phrase, ACCOUNT))
        if isinstance(answer, Challenge):
            answer = self.ask(Confirm(answer.code))
        self.step()
        return self.g.armed


def book_of(gateway: LiveGateway) -> dict[str, Any]:
    """Return what the gateway holds, and how often each of our refs ever came."""

    def look() -> dict[str, Any]:
        venue = gateway.gateway.venue
        refs = Counter(
            o.terms.order_ref for o in venue.orders.values() if o.terms.order_ref.startswith("mia-")
        )
        living = {
            o.terms.order_ref: o.remaining
            for o in venue.living.values()
            if o.terms.order_ref.startswith("mia-")
        }
        held = {k.symbol: int(p.quantity) for k, p in gateway.gateway.account.positions.items() if p.quantity}
        return {"refs": refs, "living": living, "held": held}

    return gateway.inside(look)
