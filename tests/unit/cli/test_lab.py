"""`mia lab`: what it starts it ends, what runs already it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mia_kernel.adapters.bus import announce
from mia_kernel.cli import lab

pytestmark = pytest.mark.unit


def test_what_runs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "guardian", {"control": 1}, "t")
    announce(tmp_path, "engine", {"frames": 2}, "t")
    monkeypatch.setattr(lab, "_start", lambda *_: pytest.fail("something was started"))
    with lab.dry_run_loop(tmp_path, "synthetic:", "1"):
        pass


def test_what_was_started_is_ended_in_reverse_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Process:
        def __init__(self, name: str) -> None:
            self.name = name

        def poll(self) -> None:
            return None

        def terminate(self) -> None:
            told.append(f"end {self.name}")

        def wait(self, seconds: float | None = None) -> int:
            return 0

    def start(words: list[str], log: Path, home: Path) -> Process:
        told.append(f"start {words[0]}")
        return Process(words[0])

    monkeypatch.setattr(lab, "_start", start)
    monkeypatch.setattr(lab, "_wait_for", lambda *_: None)
    with pytest.raises(SystemExit), lab.dry_run_loop(tmp_path, "synthetic:", "1"):
        lab._end_in_order(15, None)
    assert told == ["start guardian", "start run", "end run", "end guardian"]


def test_jupyter_is_loopback_only_and_has_the_desk_server_behind_it(tmp_path: Path) -> None:
    command = lab.jupyter_command(tmp_path, 0, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--no-browser" in command
    proxied = next(word for word in command if word.startswith("--ServerProxy.servers="))
    assert "mia_kernel.adapters.http" in proxied
    assert str(tmp_path) in proxied
    if os.name == "posix":
        assert "unix_socket" in proxied
