"""The guardian's word for the desk: a slow answer is a word with its age, silence and a successor are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mia_kernel.adapters import desk_word
from mia_kernel.adapters.bus import GUARDIAN, Server, announce, load_keys, withdraw
from mia_kernel.adapters.desk_word import Word
from mia_kernel.adapters.messages import GuardianStatus
from mia_kernel.core.errors import OutsideError
from tests.integration.test_desk_server import status

pytestmark = [pytest.mark.unit, pytest.mark.safety]

LATE_S = 0.35


class Slow(threading.Thread):
    """A guardian on the real bus that takes `LATE_S` for every answer, or gives none."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.silent, self.over, self.ready = home, False, threading.Event(), threading.Event()

    def run(self) -> None:
        with Server(load_keys(self.home), ("control",)) as server:
            announce(self.home, GUARDIAN, {"control": server.ports["control"]}, "t")
            self.ready.set()
            waiting: list[tuple[float, str, bytes, bytes]] = []
            while not self.over.is_set():
                for name, peer, request, _ in server.poll(0.01):
                    waiting.append((time.monotonic() + LATE_S, name, peer, request))
                while waiting and waiting[0][0] <= time.monotonic():
                    _, name, peer, request = waiting.pop(0)
                    if not self.silent:
                        server.say(name, peer, request, status())
            withdraw(self.home, GUARDIAN)


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr(desk_word, "EVERY_S", 0.1)
    monkeypatch.setattr(desk_word, "SILENT_S", 1.5)
    guardian = Slow(tmp_path)
    guardian.start()
    assert guardian.ready.wait(10)
    yield guardian
    guardian.over.set()
    guardian.join(5)


def test_answers_slower_than_the_questions_are_all_taken_with_the_age_of_their_question(slow: Slow) -> None:
    word, found = Word(slow.home), list[tuple[GuardianStatus, float, float]]()
    ends = time.monotonic() + 20
    while len(found) < 8 and time.monotonic() < ends:
        found += [(said, asked, time.monotonic()) for said, asked in word.turn()]
    word.close()
    assert [asked for _, asked, _ in found] == sorted(asked for _, asked, _ in found)
    assert len(found) >= 8
    assert all(came - asked >= LATE_S for _, asked, came in found), "an answer is as old as its question"


def test_a_guardian_that_falls_silent_is_looked_for_anew(slow: Slow) -> None:
    word = Word(slow.home)
    while not word.turn():
        pass
    slow.silent = True
    began = time.monotonic()
    with pytest.raises(OutsideError, match="has not answered"):
        while True:
            word.turn()
    assert time.monotonic() - began < 10
    word.close()


def test_a_successor_ends_the_conversation(slow: Slow) -> None:
    word = Word(slow.home)
    announce(slow.home, GUARDIAN, {"control": 1}, "t")
    with pytest.raises(OutsideError, match="another guardian"):
        word.turn()
    word.close()


def test_where_no_guardian_is_announced_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="no guardian runs"):
        Word(tmp_path)
