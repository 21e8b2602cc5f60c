"""What the library's decoder calls becomes a name with its arguments; listeners hear what they have a method for."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from mia_kernel.adapters.ibkr_ear import Ear, Listeners

pytestmark = pytest.mark.unit


def test_every_message_is_passed_on_by_its_name() -> None:
    heard: list[tuple[str, tuple[Any, ...]]] = []
    ear: Any = Ear(lambda name, args: heard.append((name, args)))
    ear.tickPrice(1, 2, 3.5, 0)
    ear.a_message_nobody_knows_yet()
    assert heard == [("tickPrice", (1, 2, 3.5, 0)), ("a_message_nobody_knows_yet", ())]


def test_what_the_library_asks_about_itself_is_no_message() -> None:
    ear = Ear(lambda name, args: None)
    with pytest.raises(AttributeError):
        ear.__deepcopy__  # noqa: B018
    assert ear.ib.TimezoneTWS is None
    assert ear.defaultTimezone is UTC


class One:
    def __init__(self, told: list[str]) -> None:
        self.told = told

    def on_up(self, name: str) -> None:
        self.told.append(f"one {name}")


class Two(One):
    def on_up(self, name: str) -> None:
        self.told.append(f"two {name}")

    def on_down(self) -> None:
        self.told.append("two is down")


def test_listeners_are_told_in_order_and_only_what_they_take() -> None:
    told: list[str] = []
    listeners = Listeners()
    listeners.add(One(told))
    listeners.tell("on_up", "a")
    listeners.add(Two(told))  # one that comes later is told from then on
    listeners.tell("on_up", "b")
    listeners.tell("on_down")
    listeners.tell("on_nothing", 1, 2)
    assert told == ["one a", "one b", "two b", "two is down"]


def test_an_error_of_a_listener_is_not_swallowed() -> None:
    listeners = Listeners()
    listeners.add(One([]))
    with pytest.raises(TypeError):
        listeners.tell("on_up")
