"""A snapshot is complete when its own list of open orders has ended, whatever other lists were asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mia_kernel.adapters.ibkr_hear import Hearing
from mia_kernel.core.venue import Snapshot

pytestmark = [pytest.mark.unit, pytest.mark.safety]


class Wire:
    """A session that only counts what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.client = self
        self.client_id = 999
        self.clock = SimpleNamespace(now_ns=lambda: 1)

    def add(self, listener: Any) -> None:
        self.listener = listener

    def next_id(self) -> int:
        return 7

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.asked.append(name)


def test_the_end_of_another_list_completes_no_snapshot() -> None:
    wire, said = Wire(), []
    hearing = Hearing(wire, said.append)  # type: ignore[arg-type]
    hearing.fresh()
    hearing.ask(1)
    hearing.on_positionEnd()
    hearing.on_execDetailsEnd(7)
    hearing.on_openOrderEnd()  # of this client's orders, asked for at the connection
    assert said == []
    hearing.on_openOrderEnd()
    assert [e.query_id for e in said if isinstance(e, Snapshot)] == [1]


def test_one_list_is_asked_for_at_a_time_and_a_lost_one_holds_nothing_up() -> None:
    wire, said = Wire(), []
    hearing = Hearing(wire, said.append)  # type: ignore[arg-type]
    for _ in range(5):
        hearing.on_probe()
    assert wire.asked.count("reqAllOpenOrders") == 1
    hearing.void()
    hearing.on_probe()
    assert wire.asked.count("reqAllOpenOrders") == 2
    hearing.ask(1)  # the answer to the look before is lost, and this one's too
    hearing.ask(2)
    hearing.on_positionEnd()
    hearing.on_execDetailsEnd(7)
    hearing.on_openOrderEnd()
    assert [e.query_id for e in said if isinstance(e, Snapshot)] == [2]
