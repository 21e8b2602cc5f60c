"""A guardian that comes back as another build is not traded with, and the reason is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mia_kernel.core.errors import InputError
from mia_kernel.live import relink

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def test_a_guardian_of_another_build_means_no_entries_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SimpleNamespace(pid=1, started_at=1, alive=True)
    monkeypatch.setattr(relink, "find", lambda home, name: known)
    beats: list[int] = []
    old: Any = SimpleNamespace(
        build="a", settings_id="s", mode="paper", reports_seen=0, beat=beats.append, state_reason="armed",
        trading_state="active",
    )  # fmt: skip
    link = relink.Relink(tmp_path, old, "run-1")
    assert (link.trading_state, link.state_reason) == ("active", "armed")

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise InputError(
            "the guardian refuses this engine: engine is a, guardian is b: mixed builds cannot arm"
        )

    monkeypatch.setattr(relink, "GuardianLink", refused)
    known.pid = 2
    monkeypatch.setattr(relink, "LOOK_S", 0.0)
    link._next = 0.0
    link.beat(1)
    assert beats == []
    assert link.trading_state == "reducing"
    assert "mixed builds cannot arm" in link.state_reason
    assert "start it again" in link.state_reason
