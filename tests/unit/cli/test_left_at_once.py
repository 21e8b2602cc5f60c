"""A second Ctrl-C in `mia run --live`: every child is ended, the guardian last, and what stays at the venue is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mia_kernel.cli import live
from mia_kernel.settings import Settings

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_what_stays_is_said_and_the_guardian_ends_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[str] = []

    def child(name: str) -> Any:
        return SimpleNamespace(
            start=lambda: None, begin=lambda: None, end=lambda *_: ended.append(name), session_id="s1"
        )

    def leave(*_: Any) -> None:
        raise KeyboardInterrupt

    engine = SimpleNamespace(begin=lambda: None, session_id="s1", child=child("engine"))
    for name, fake in {
        "check": lambda *_: None,
        "guardian_child": lambda *_: child("guardian"),
        "desk_child": lambda *_: None,
        "alerts_child": lambda *_: None,
        "Helpers": lambda *_: child("helpers"),
        "Days": lambda *_: engine,
        "running_guardian": lambda *_: False,
        "wait_guardian": lambda *_: None,
        "watch": leave,
    }.items():
        monkeypatch.setattr(live, name, fake)
    wanted: Any = SimpleNamespace(mode="paper", source="gateway:127.0.0.1:1", guarded="paper")
    with pytest.raises(KeyboardInterrupt):
        live.supervise(wanted, Settings(home=tmp_path), resume=None, headless=True)
    assert ended == ["engine", "helpers", "guardian"]
    said = capsys.readouterr().err
    assert "protective stops rest at the venue" in said
    assert "`mia run --resume` continues session s1" in said
