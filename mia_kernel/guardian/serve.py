"""Serve: the guardian's loop, with its two sockets, the HALT file and the signals.

One thread, one loop: hear the venue, look at the limits, answer people, hear the engine. It turns when one of
them says something, a price too, and every 20 ms otherwise. It is crash-only: an error that is not foreseen ends
the process with its trace, brackets stay at the broker, and the next start reconciles.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from mia_kernel.adapters.bus import GUARDIAN, Server, announce, load_keys, withdraw
from mia_kernel.adapters.messages import Hello, Limits, Message, Refused, State
from mia_kernel.core.orders import TradingState
from mia_kernel.guardian.core import Guardian
from mia_kernel.guardian.hung import Hung
from mia_kernel.guardian.intake import Intake
from mia_kernel.guardian.people import HALT_FILE, People
from mia_kernel.guardian.watch import Watch

BEAT_S = 0.002
"""Turn of a loop whose venue has no bell."""
LONGEST_BEAT_S = 0.02
"""Turn when nothing has rung: what only passing time shows (a stale quote, a silent engine) waits no longer."""
HALT_FILE_S = 0.05
PAGE = 200
"""Messages to the engine in one turn: one that was away for a day is told in pages, and the venue is heard between."""


class Signals:
    """What the system told this process: SIGUSR1 halts, SIGTERM and SIGINT end."""

    def __init__(self) -> None:
        self.halt = False
        self.stop = False

    def listen(self) -> None:
        """Take the signals of this process; only the main thread may."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        if sys.platform != "win32":
            signal.signal(signal.SIGUSR1, self._kill_switch)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.stop = True

    def _kill_switch(self, number: int, frame: FrameType | None) -> None:
        self.halt = True


class Service:
    """One guardian on its bus.

    Parameters
    ----------
    guardian : Guardian
    home : Path
    signals : Signals
    """

    def __init__(self, guardian: Guardian, home: Path, signals: Signals) -> None:
        self.g = guardian
        self.home = home
        self.signals = signals
        self.watch = Watch(guardian)
        self.people = People(guardian, self.watch, home)
        self.intake = Intake(guardian)
        self._engine: bytes | None = None
        self._server: Server | None = None
        self._waiting: deque[Message] = deque()  # for the engine, in order
        self.hung = Hung()
        self._next_file = 0.0

    def run(self, said: Callable[[str], None] = lambda text: None) -> None:
        """Serve until a signal ends it; entries are withdrawn, positions keep their protection."""
        with Server(load_keys(self.home), ("control", "engine")) as server:
            self._server = server
            self.g.push = self._push
            now = time.monotonic()
            self.g.start(now)
            announce(self.home, GUARDIAN, server.ports, self.g.build)
            bell = None if self.g.socket is None else self.g.socket.bell
            if bell is not None:
                server.watch(bell)
            said(f"guardian of {self.g.account}, {self.g.mode}: {self.g.last_reason}")
            self.hung.start()
            try:
                while not self.signals.stop:
                    self.beat(server)
                self._end()
            finally:
                self.hung.stop()
                withdraw(self.home, GUARDIAN)
                self.g.book.close()

    def beat(self, server: Server) -> None:
        """One turn of the loop."""
        self.hung.turned()
        socket = self.g.socket
        rings = socket is None or socket.bell is not None
        if socket is not None:
            socket.wait(0.0 if rings else BEAT_S)
        now = time.monotonic()
        self.g.step(now)
        self.watch.step(now)
        self._halt_file(now)
        if self.signals.halt:
            self.signals.halt = False
            self.g.halt("signal", now)
        for name, peer, request, message in server.poll(LONGEST_BEAT_S if rings else BEAT_S):
            now = time.monotonic()
            if name == "control":
                answer = self.people.answer(message, now)
                if answer is None:
                    answer = Refused("unexpected", f"{type(message).__name__} is not for the control channel")
                server.say(name, peer, request, answer)
            else:
                self._hear_engine(server, peer, request, message, now)
        self._pass_on(server)

    def _hear_engine(self, server: Server, peer: bytes, request: bytes, message: Any, now: float) -> None:
        if not isinstance(message, Hello) and peer != self._engine:
            server.say("engine", peer, request, Refused("no_hello", "this engine has not greeted"))
            return
        answers = self.intake.answer(message, now)
        if isinstance(message, Hello) and isinstance(answers[0], Limits):
            self._engine = peer
            self._waiting.clear()
        for answer in answers[:1]:
            server.say("engine", peer, request, answer)
        if isinstance(message, Hello) and peer == self._engine:
            self._waiting += answers[1:]
            self._push(State(self.g.state.value, self.g.armed, self.g.last_reason))

    def _push(self, message: Message) -> None:
        if self._engine is not None:
            self._waiting.append(message)
        if self._server is not None:
            self._pass_on(self._server)

    def _pass_on(self, server: Server) -> None:
        """Hand the engine what waits for it, in order; what its box does not take stays for the next turn."""
        for _ in range(PAGE):
            if not self._waiting or self._engine is None:
                return
            if not server.say("engine", self._engine, b"", self._waiting[0]):
                return
            self._waiting.popleft()

    def _halt_file(self, now: float) -> None:
        if now < self._next_file:
            return
        self._next_file = now + HALT_FILE_S
        if self.g.state is not TradingState.HALTED and (self.home / HALT_FILE).exists():
            self.g.halt(f"the file {HALT_FILE} is there", now)

    def _end(self) -> None:
        now = time.monotonic()
        self.g.disarm("the guardian ends", now)
        self.g.save()
        if self.g.socket is not None:
            self.g.socket.wait(0.2)
            self.g.hear(self.g.socket.reports(), time.monotonic())
            self.g.socket.close()
