"""The console where no proxy is: frames and the guardian's word come through the kernel, and nothing can be armed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import widgets
from mia_kernel.core.errors import OutsideError

pytestmark = [pytest.mark.unit, pytest.mark.safety]


class Desk:
    """What `mia.attach()` returns, as far as the console uses it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.silent = False

    def follow(self, view: Any) -> Callable[[], None]:
        if self.silent:
            raise OutsideError("no loop runs")
        self.heard.append("follow")
        return lambda: self.heard.append("leave")

    def status(self) -> dict[str, Any]:
        if self.silent:
            raise OutsideError("no guardian")
        return {"mode": "paper", "armed": False}

    def disarm(self, reason: str) -> dict[str, Any]:
        self.heard.append(f"disarm {reason}")
        return self.status()

    def halt(self, reason: str) -> dict[str, Any]:
        self.heard.append(f"halt {reason}")
        return self.status()

    def arm(self, *_: str) -> None:
        raise AssertionError("never through the kernel")


def say(console: widgets.Console, content: dict[str, Any]) -> None:
    console._heard(console, content, [])


def test_frames_bring_the_guardians_word_with_them_numbered_so_that_it_ages() -> None:
    desk = Desk()
    console = widgets.Console(desk)
    say(console, {"frames": True})
    console.update({"seq": 1})
    assert console.status["guardian"] == {"mode": "paper", "armed": False}
    first = console.status["number"]
    console.update({"seq": 2})
    assert console.status["number"] == first, "asked at most twice a second"
    console._asked = 0.0
    desk.silent = True
    console.update({"seq": 3})
    assert console.status["guardian"] is None
    assert console.status["why"] == "no guardian"
    assert console.status["number"] > first


def test_asked_again_it_is_fed_once_and_left_when_the_line_is_back() -> None:
    desk = Desk()
    console = widgets.Console(desk)
    for wanted in (True, True, False):
        say(console, {"frames": wanted})
    assert desk.heard == ["follow", "leave", "follow", "leave"]


def test_disarm_and_halt_pass_and_arming_does_not_exist_here() -> None:
    desk = Desk()
    console = widgets.Console(desk)
    for command in ("disarm", "halt", "arm", "confirm", "resume"):
        say(console, {"command": command})
    assert desk.heard == ["disarm through the kernel", "halt through the kernel"]
    assert console.status["guardian"] is not None


def test_without_a_loop_it_says_so_and_raises_nothing() -> None:
    desk = Desk()
    desk.silent = True
    console = widgets.Console(desk)
    say(console, {"frames": True})
    assert console.status["why"] == "no loop runs"
    say(console, {"command": "halt"})
    assert console.status["why"] == "halt: no guardian"
    say(widgets.Console(), {"command": "halt"})
