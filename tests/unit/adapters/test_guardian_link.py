"""The engine's link: what is refused is rejected, what is not answered is unknown, nothing is sent twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters import bus, guardian_link
from mia_kernel.adapters.guardian_link import GuardianLink, intent_id
from mia_kernel.adapters.messages import (
    Accepted,
    Heartbeat,
    Hello,
    Limits,
    Refused,
    Report,
    State,
    Submit,
    report_bytes,
)
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.orders import CancelEntry, OrderReport, OrderStatus, Role
from tests.fakes.guarded import bracket
from tests.fakes.venue import T0

pytestmark = [pytest.mark.unit, pytest.mark.safety]


class Scripted:
    """A guardian that answers as it is told, in a thread that owns its sockets."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.hello: Any = Limits("", "DU1", "reducing")
        self.submit: Any = Accepted("x")
        self.push: list[Any] = []
        self.heard: list[Any] = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._ready.wait(10)

    def _serve(self) -> None:
        with bus.Server(bus.load_keys(self.home), ("engine",)) as server:
            bus.announce(self.home, bus.GUARDIAN, server.ports, "b")
            self._ready.set()
            peer = b""
            while not self._stop.is_set():
                for name, peer, request, message in server.poll(0.01):
                    self.heard.append(message)
                    answer = {Hello: self.hello, Submit: self.submit}.get(type(message))
                    if answer is not None:
                        server.say(name, peer, request, answer)
                while peer and self.push:
                    server.say("engine", peer, b"", self.push.pop(0))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)


@pytest.fixture
def guardian(tmp_path: Path) -> Iterator[Scripted]:
    scripted = Scripted(tmp_path)
    yield scripted
    scripted.close()


@pytest.fixture
def link(guardian: Scripted) -> Iterator[GuardianLink]:
    link = GuardianLink(guardian.home, build="b", settings_id="s", mode="paper", run_id="r")
    yield link
    link.close()


def _reports(link: GuardianLink, seconds: float = 3.0) -> list[OrderReport]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if told := link.reports():
            return told
        link.wait(0.02)
    return []


def test_without_a_guardian_there_is_no_link(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="no guardian runs"):
        GuardianLink(tmp_path, build="b", settings_id="s", mode="paper", run_id="r")


def test_a_refused_greeting_names_its_reason(guardian: Scripted, link: GuardianLink) -> None:
    guardian.hello = Refused("build", "mixed builds cannot arm")
    with pytest.raises(InputError, match="mixed builds"):
        link.greet()


def test_a_refused_wish_is_a_rejection_of_its_entry(guardian: Scripted, link: GuardianLink) -> None:
    link.greet()
    guardian.submit = Refused("order_size", "too many")
    command = bracket(T0)
    link.submit((command,))
    (report,) = _reports(link)
    assert (report.role, report.status, report.reason) == (Role.ENTRY, OrderStatus.REJECTED, "order_size")
    assert link.refusals[0].code == "order_size"


def test_a_wish_without_an_answer_is_unknown_and_not_sent_again(
    guardian: Scripted, link: GuardianLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardian_link, "ANSWER_S", 0.3)
    link.greet()
    guardian.submit = None
    link.submit((bracket(T0),))
    (report,) = _reports(link)
    assert report.status is OrderStatus.UNKNOWN
    assert sum(isinstance(m, Submit) for m in guardian.heard) == 1


def test_reports_come_once_and_in_order(guardian: Scripted, link: GuardianLink) -> None:
    link.greet(reports_seen=4)
    base = OrderReport(1, 1, 4, "b-entry", "b", Role.ENTRY, "ES", 1, OrderStatus.WORKING, 1, 0)
    guardian.push = [Report(report_bytes(replace(base, seq=n))) for n in (3, 4, 5, 5, 6)]
    got: list[int] = []
    until = time.monotonic() + 3
    while len(got) < 2 and time.monotonic() < until:
        got += [r.seq for r in link.reports()]
        link.wait(0.02)
    assert got == [5, 6]


def test_state_and_heartbeat(guardian: Scripted, link: GuardianLink) -> None:
    link.greet()
    guardian.push = [State("active", True, "armed by hand")]
    until = time.monotonic() + 3
    while not link.armed and time.monotonic() < until:
        link.beat(7)
        link.wait(0.02)
    assert (link.trading_state, link.armed) == ("active", True)
    assert any(isinstance(m, Heartbeat) for m in guardian.heard)


def test_the_same_decision_makes_the_same_intent() -> None:
    assert intent_id(bracket(T0)) == intent_id(bracket(T0))
    assert intent_id(bracket(T0)) != intent_id(CancelEntry(T0, bracket(T0).bracket_id, "x"))


def test_a_wish_that_a_new_guardian_never_had_is_told_as_cancelled(
    guardian: Scripted, link: GuardianLink
) -> None:
    """Else its bracket would stay in the engine's book for ever, and take a place in it."""
    link.greet()
    link.entries = {command.bracket_id: command for command in (bracket(T0), bracket(T0 + 1))}
    known, lost = tuple(link.entries)
    guardian.hello, guardian.submit = Limits("", "DU1", "reducing", (known,)), Refused("gone", "is not open")
    fresh = GuardianLink(guardian.home, build="b", settings_id="s", mode="paper", run_id="r")
    try:
        fresh.greet(0)
        fresh.take_over(link)
        (report,) = _reports(fresh)
        assert (report.bracket_id, report.status, report.reason) == (
            lost, OrderStatus.CANCELLED, "never_arrived",
        )  # fmt: skip
        assert list(fresh.entries) == [known]
        asked = [m for m in guardian.heard if isinstance(m, Submit)]
        assert len(asked) == 1
    finally:
        fresh.close()


def test_a_wish_that_had_ended_before_is_not_told_again(guardian: Scripted, link: GuardianLink) -> None:
    link.greet(0)
    command = bracket(T0)
    link.submit((command,))
    ended = OrderReport(T0, T0, 1, command.entry.order_id, command.bracket_id, Role.ENTRY, "ES", 1,
                        OrderStatus.FILLED, 1, 1, 1, 18_000.0)  # fmt: skip
    guardian.push = [Report(report_bytes(ended))]
    assert [r.status for r in _reports(link)] == [OrderStatus.FILLED]
    assert link.entries == {}
    guardian.submit = Refused("gone", "is not open")
    link.submit((CancelEntry(T0 + 5, command.bracket_id, "late"),))
    assert _reports(link, 0.5) == []


def test_a_fresh_run_counts_from_the_guardian_s_last_report(guardian: Scripted, link: GuardianLink) -> None:
    guardian.hello = Limits("", "DU1", "reducing", (), 41)
    link.greet()
    assert link.reports_seen == 41
