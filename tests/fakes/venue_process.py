"""The fake venue in a process of its own, so that it outlives whoever is killed; and a guardian on it.

python -m tests.fakes.venue_process venue PORTFILE SEED
python -m tests.fakes.venue_process guardian HOME PORTFILE
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from decimal import Decimal
from multiprocessing.connection import Client, Connection, Listener, wait
from pathlib import Path
from typing import Any

from mia_kernel.adapters import limits_file
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.venue import Instruction, Link, Modify, Place, Top, VenueEvent
from mia_kernel.guardian.book import Book
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.serve import Service, Signals
from tests.fakes.venue import CONTRACT, T0, Venue

KEY = b"fake venue"
BUILD = "test+1"


class VenueServer:
    """One venue, any number of clients; the market walks by itself, time is T0 plus what has passed."""

    def __init__(self, port_file: Path, seed: int, speed: float = 1.0) -> None:
        self.venue = Venue(seed=seed)
        self.speed = speed
        self.random = random.Random(seed)
        self.began = time.monotonic()
        self.mid = 18_000
        self.walking = True
        self.quoting = True
        self.boxes: dict[Connection, list[VenueEvent]] = {}
        self.listener = Listener(("127.0.0.1", 0), authkey=KEY)
        part = port_file.with_suffix(".part")
        part.write_text(json.dumps(self.listener.address[1]))
        os.replace(part, port_file)

    def run(self, seconds: float) -> None:
        listening: Any = self.listener._listener._socket  # type: ignore[attr-defined]
        next_quote = 0.0
        while time.monotonic() - self.began < seconds:
            self.venue.now = T0 + round((time.monotonic() - self.began) * 1e9 * self.speed)
            ready: Any
            for ready in wait([listening, *self.boxes], 0.002):
                if ready is listening:
                    self.boxes[self.listener.accept()] = []
                else:
                    self.serve(ready)
            if time.monotonic() >= next_quote and self.quoting:
                next_quote = time.monotonic() + 0.02
                self.mid += self.random.choice((-1, 0, 1)) if self.walking else 0
                self.venue.quote(self.mid, self.mid + 1)
            self.hand_out()

    def hand_out(self) -> None:
        said, self.venue.events = self.venue.events, []
        for box in self.boxes.values():
            box.extend(said)

    def serve(self, connection: Connection) -> None:
        try:
            name, argument = connection.recv()
            connection.send(getattr(self, f"do_{name}")(connection, argument))
        except (EOFError, OSError):
            self.boxes.pop(connection, None)

    def do_submit(self, connection: Connection, instructions: Sequence[Instruction]) -> None:
        self.venue.receive(instructions)

    def do_poll(self, connection: Connection, argument: None) -> Any:
        self.hand_out()
        said, self.boxes[connection] = self.boxes[connection], []
        tops = {s: (b, a, (self.venue.now - ts) / 1e9) for s, (b, a, ts) in self.venue.tops.items()}
        return said, tops, (self.venue.now, self.speed), self.venue.accounts, self.venue.equity

    def do_query(self, connection: Connection, query_id: int) -> None:
        self.hand_out()
        self.boxes[connection].append(self.venue.snapshot(query_id))

    def do_move(self, connection: Connection, mid: int) -> int:
        self.walking, self.mid = False, mid
        self.venue.quote(mid, mid + 1)
        return time.monotonic_ns()

    def do_set(self, connection: Connection, change: tuple[str, Any]) -> None:
        name, value = change
        setattr(self if hasattr(self, name) else self.venue, name, value)

    def do_ledger(self, connection: Connection, argument: None) -> Any:
        v = self.venue
        return {
            "positions": {s: q for s, q in v.positions.items() if q},
            "working": {r.order.ref: r.left for r in v.working() if r.ours},
            "stops": v.stops(),
            "refs_seen": dict(v.refs_seen),
            "net": v.net({"ES": self.mid, "MES": self.mid}),
            "mid": self.mid,
            "received": [(ts, type(i).__name__, _refs(i)) for ts, i in v.received[-200:]],
            "now": v.now,
            "speed": self.speed,
        }


def _refs(instruction: Instruction) -> list[str]:
    if isinstance(instruction, Place):
        return [order.ref for order in instruction.orders]
    return [instruction.order.ref if isinstance(instruction, Modify) else instruction.ref]


class RemoteSocket:
    """The order socket to a venue process."""

    name = "fake venue process"

    def __init__(self, port_file: Path) -> None:
        self.connection = connect(port_file)
        self._events: list[VenueEvent] = [Link(True, "connected")]
        self._tops: dict[str, tuple[int | None, int | None, float]] = {}
        self._at = time.monotonic()
        self._clock: tuple[int, float] = (T0, 1.0)
        self._accounts: tuple[str, ...] = ()
        self._equity: Decimal | None = None
        self.connected = True
        self.wait(0.0)

    @property
    def accounts(self) -> tuple[str, ...]:
        return self._accounts

    def now_ns(self) -> int:
        return self._clock[0] + round((time.monotonic() - self._at) * 1e9 * self._clock[1])

    def _ask(self, name: str, argument: Any) -> Any:
        try:
            self.connection.send((name, argument))
            return self.connection.recv()
        except (EOFError, OSError) as error:
            self.connected = False
            raise OutsideError(f"venue: {error}") from None

    bell = None  # it is asked again and again

    def wait(self, timeout_s: float) -> None:
        if self.connected:
            said, self._tops, self._clock, self._accounts, self._equity = self._ask("poll", None)
            self._at = time.monotonic()
            self._events += said

    def submit(self, instructions: Sequence[Instruction]) -> None:
        self._ask("submit", tuple(instructions))

    def query(self, query_id: int) -> None:
        self._ask("query", query_id)

    def reports(self) -> list[VenueEvent]:
        said, self._events = self._events, []
        return said

    def top_of_book(self, symbol: str) -> Top | None:
        top = self._tops.get(symbol)
        return None if top is None else Top(top[0], top[1], top[2] + time.monotonic() - self._at)

    def contract(self, symbol: str) -> str | None:
        return CONTRACT

    def equity_usd(self) -> Decimal | None:
        return self._equity

    def close(self) -> None:
        self.connection.close()


def connect(port_file: Path) -> Connection:
    until = time.monotonic() + 20
    while not port_file.exists():
        if time.monotonic() > until:
            raise TimeoutError(port_file)
        time.sleep(0.01)
    return Client(("127.0.0.1", json.loads(port_file.read_text())), authkey=KEY)


def ask(connection: Connection, name: str, argument: Any = None) -> Any:
    connection.send((name, argument))
    return connection.recv()


def run_venue(port_file: str, seed: int, speed: float = 1.0, seconds: float = 900.0) -> None:
    VenueServer(Path(port_file), seed, speed).run(seconds)


def run_guardian(home: str, port_file: str, orders_per_hour: int = 60) -> None:
    limits_file.CAPS["max_orders_per_hour"] = orders_per_hour
    file = limits_file.read(Path(home) / limits_file.NAME)
    book = Book(Path(home) / "data" / "journal" / "guardian")
    guardian = Guardian("paper", file, RemoteSocket(Path(port_file)), book, BUILD)
    signals = Signals()
    signals.listen()
    Service(guardian, Path(home), signals).run()
