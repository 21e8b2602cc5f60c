"""What a resumed engine asks the guardian for: all that was told after the last report it heard, or since it began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters.messages import Limits
from mia_kernel.core.events import Carries, Recording, SourceInfo, empty
from mia_kernel.live import broker
from mia_kernel.live.follow import numbered
from mia_kernel.settings import Settings
from tests.fakes.guarded import Guarded
from tests.unit.live.test_follow import report

pytestmark = [pytest.mark.unit, pytest.mark.safety]

HEAD = SourceInfo("live", "ibkr", "x", "ES", carries=Carries(book=True, trades=True))


@pytest.mark.parametrize(
    ("heard", "begun", "asked"), [((), 0, 0), ((), 41, 41), ((42, 43), 41, 43), (None, 0, None)]
)
def test_a_resumed_engine_asks_from_where_it_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    heard: tuple[int, ...] | None,
    begun: int,
    asked: int | None,
) -> None:
    greeted: list[int | None] = []

    class Link:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def greet(self, reports_seen: int | None) -> Limits:
            greeted.append(reports_seen)
            return Limits("", "DU0000176", "reducing")

    monkeypatch.setattr(broker, "GuardianLink", Link)
    past = None if heard is None else Recording(empty(0), HEAD, tuple(numbered(report(n)) for n in heard))
    broker.greet(Settings(home=tmp_path), "paper", "s", past, begun)
    assert greeted == [asked]


def test_an_engine_killed_before_its_first_report_is_welcome_again(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "home")
    assert isinstance(guarded.hello()[0], Limits)
    assert isinstance(guarded.hello(seen=broker.NOTHING_HEARD)[0], Limits)
