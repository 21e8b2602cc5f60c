"""The supervisor's view: what is unknown is said so, what is stale too, and what happened stays on the screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mia_kernel.adapters.messages import GuardianStatus, LimitUse
from mia_kernel.cli.standing import Standing, line, render

pytestmark = pytest.mark.unit

NONE = {"watched": True, "alerts": [], "channels": []}
FRAME: dict[str, Any] = {
    "stamp": "SIMULATED", "contract": "ESH24", "price": {"last": 4800.25},
    "decision": {"percent": 61.5, "grade": "WEAK", "coverage": 0.71, "why_not": "Refused: coverage"},
    "health": {"data_quality": 0.97, "latency": {"p99_ms": 3.2}, "rows_waiting": 4},
}  # fmt: skip


def status(**more: Any) -> GuardianStatus:
    given: dict[str, Any] = {
        "mode": "paper", "account": "DU1", "armed": True, "armed_until": None, "trading_state": "active",
        "position": -1.0, "working_orders": 2, "protective_stop": "resting at venue", "day_net_usd": -12.5,
        "limits": {"daily_loss": LimitUse(500.0, 12.5, "usd")}, "engine_heartbeat_age_s": 0.1, "stale": False,
        "last_reason": "armed in two steps", "build": "b", "ts": 1,
    }  # fmt: skip
    return GuardianStatus(**(given | more))


def drawn(*given: Any) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render(*given))
    return console.export_text()


def test_one_glance_tells_mode_state_position_money_and_price() -> None:
    seen = drawn(status(), "", FRAME, 0.1, NONE, ["10:00:00 engine ended"])
    for word in ("PAPER SIMULATED", "ARMED", "SHORT 1", "-12.50 USD", "ESH24 4800.25", "resting at venue"):
        assert word in seen
    for word in ("12.5 of 500 usd", "61.50 % WEAK", "decision 99 % 3.2 ms", "4 rows wait", "engine ended"):
        assert word in seen
    assert "STALE" not in seen


def test_without_the_guardians_word_nothing_is_known() -> None:
    seen = drawn(None, "no guardian runs", {}, float("inf"), NONE | {"watched": False}, [])
    assert "UNKNOWN" in seen
    assert "no guardian runs" in seen
    assert "no alert watch runs" in seen
    assert "ARMED" not in seen
    assert line(None, "no guardian runs").endswith("UNKNOWN: no guardian runs")


def test_an_old_frame_is_stale_and_a_waiting_alert_is_shown() -> None:
    waits = {"watched": True, "alerts": [{"waits": True, "title": "Feed silent", "text": "20 s"}]}
    seen = drawn(status(trading_state="halted", armed=False), "", FRAME, 7.0, waits, [])
    assert "STALE 7 s" in seen
    assert "HALTED" in seen
    assert "Feed silent: 20 s · waits to be seen" in seen


def test_where_there_is_no_terminal_it_says_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Standing(tmp_path) as view:
        view.look()
        view.look()
        view.tell("engine ended")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert "UNKNOWN" in said[0]
    assert said[1] == "engine ended"
