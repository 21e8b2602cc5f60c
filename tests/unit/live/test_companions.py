"""Processes beside the engine: started again with a wait, given up after a few, ended in order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mia_kernel.core.errors import OutsideError
from mia_kernel.live import companions
from mia_kernel.live.companions import MOST_RESTARTS, Child, Helpers, wait_guardian

pytestmark = [pytest.mark.unit, pytest.mark.safety]

SLEEPS = ["-c", "import time; time.sleep(60)"]
ENDS = ["-c", "print('no limits'); raise SystemExit(3)"]


def until(done: object, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_child_that_ends_is_started_again_and_told_how_often(tmp_path: Path) -> None:
    started: list[int] = []

    def argv(n: int) -> list[str]:
        started.append(n)
        return ENDS if n == 0 else SLEEPS

    child = Child("x", argv, tmp_path)
    child.start()
    until(lambda: child.code is not None)
    until(child.look)
    assert started == [0, 1]
    assert child.code is None
    assert child.end(5.0) is not None


def test_a_child_that_ends_again_and_again_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companions, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(companions, "LONGEST_WAIT_S", 0.002)
    child = Child("x", lambda _: ["-c", ""], tmp_path)
    child.start()
    with pytest.raises(OutsideError, match="ended 7 times in ten minutes"):
        until(lambda: child.look() and False, 60.0)
    assert child.started == MOST_RESTARTS + 1


def test_a_guardian_that_does_not_come_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = Child("guardian", lambda _: ENDS, tmp_path)
    child.start()
    with pytest.raises(OutsideError, match="no limits"):
        wait_guardian(child, 20.0)


def test_a_helper_that_ends_again_and_again_is_given_up_and_trading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companions, "FIRST_WAIT_S", 0.0)
    helpers = Helpers([Child("x", lambda _: ENDS, tmp_path)])
    helpers.start()
    told: list[str] = []
    until(lambda: told.extend(helpers.look()) or not helpers.children, 60.0)
    assert "it stays away" in told[-1]
    assert helpers.look() == []


def test_a_child_that_lived_for_a_while_is_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companions, "FIRST_WAIT_S", 60.0)
    monkeypatch.setattr(companions, "LONGEST_WAIT_S", 60.0)
    child = Child("x", lambda _: ENDS, tmp_path)
    child.start()
    until(lambda: child.code is not None)
    assert not child.look()  # it lived too short: it waits
    child._due = 0.0
    monkeypatch.setattr(companions, "STEADY_S", 0.0)
    assert child.look()
    child.end(5.0)
