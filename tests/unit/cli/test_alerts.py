"""The watch: what it sees becomes messages, a silence becomes a disarm, a person stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mia_kernel.adapters.channels import FileChannel, Outbox
from mia_kernel.adapters.messages import LimitUse
from mia_kernel.analytics.alerts import NS
from mia_kernel.cli import main
from mia_kernel.cli.alerts import Seen, Watcher, ack, ls, read_state, used_shares
from mia_kernel.settings import load

pytestmark = [pytest.mark.unit, pytest.mark.safety]


def at(seconds: float) -> int:
    return 10**18 + round(seconds * NS)


class Scene:
    """What the watch sees, set by hand."""

    def __init__(self, home: Path) -> None:
        self.facts: dict[str, Any] = {}
        self.file = home / "logs" / "alerts.jsonl"
        self.outbox = Outbox([FileChannel(self.file)])
        self.watcher = Watcher(load().settings, self.outbox, lambda: Seen(self.facts, None))

    def messages(self) -> list[dict[str, Any]]:
        self.outbox.close(5.0)
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]


@pytest.fixture
def scene(mia_home: Path) -> Scene:
    return Scene(mia_home)


def test_an_unseen_critical_alert_is_told_repeated_and_disarms(scene: Scene) -> None:
    scene.facts = {"feed_age_s": 20.0}
    for second in (0, 30, 60, 61):
        scene.watcher.turn(at(second))
    assert len(scene.watcher.disarms) == 1
    titles = [m["title"] for m in scene.messages()]
    assert titles == ["Feed silent", "Feed silent (repeated)", "Feed silent (disarmed)", "Disarm"]


def test_an_acknowledgement_from_the_terminal_stops_the_clock(scene: Scene, mia_home: Path) -> None:
    scene.facts = {"feed_age_s": 20.0}
    scene.watcher.turn(at(0))
    done = CliRunner().invoke(ack, ["data.silent", "--by", "ana"])
    assert done.exit_code == 0, done.output
    for second in (1, 30, 60, 90):
        scene.watcher.turn(at(second))
    assert scene.watcher.disarms == []
    assert read_state(mia_home)[0]["acknowledged_by"] == "ana"
    shown = CliRunner().invoke(ls, [])
    assert "data.silent" in shown.output
    scene.outbox.close()


def test_an_alert_that_does_not_exist_cannot_be_seen(mia_home: Path) -> None:
    assert main(["alerts", "ack", "nothing"]) == 2


def test_total_gamma_is_announced_once(scene: Scene) -> None:
    scene.facts = {"total_gamma_usd": -81e9}
    for second in range(20):
        scene.watcher.turn(at(second))
    found = scene.messages()
    assert [m["title"] for m in found] == ["Total gamma"]
    assert "-81.0 bn" in found[0]["text"]


def test_losses_call_a_person_and_what_refuses_entries_by_itself_does_not() -> None:
    shares = used_shares({
        "daily_loss": LimitUse(-500.0, -480.0, "usd", "danger"),
        "weekly_loss": LimitUse(-1000.0, 900.0, "usd"),
        "minimum_balance": LimitUse(1000.0, 50_000.0, "usd"),  # fifty times what is asked for: all is well
        "drawdown": LimitUse(5.0, None, "percent"),
        "close_buffer": LimitUse(10.0, 240.0, "minutes"),
        "max_position": LimitUse(1.0, 1.0, "contracts", "emergency"),
        "spread_limit": LimitUse(2.0, 2.0, "ticks", "danger"),
    })  # fmt: skip
    assert shares == {"daily_loss": 0.96, "weekly_loss": -0.9, "minimum_balance": 0.02}
    assert (
        used_shares({"minimum_balance": LimitUse(1000.0, 950.0, "usd", "emergency")})["minimum_balance"] > 1
    )
