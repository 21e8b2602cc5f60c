"""The alert watch beside a real guardian: a silence disarms it, an answer does not, Discord hears both."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from mia_kernel.adapters.channels import DiscordChannel, FileChannel, Outbox
from mia_kernel.adapters.discord import DiscordWebhook
from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.cli.alerts import Seen, Watcher
from mia_kernel.settings import load
from tests.fakes.guarded import BUILD
from tests.fakes.processes import GENEROUS, Stage
from tests.unit.adapters.test_discord import FakeDiscord

pytestmark = [pytest.mark.integration, pytest.mark.safety]

SILENT = {"feed_age_s": 20.0}
"""A critical fact the engine's frames would not show here: the rest of what the watch sees is real."""


class Heart(threading.Thread):
    """An engine that only beats."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.gone = home, threading.Event()

    def run(self) -> None:
        link = GuardianLink(self.home, build=BUILD, settings_id="s", mode="paper", run_id="r")
        link.greet()
        while not self.gone.wait(0.1):
            link.beat(0)
            link.reports()
        link.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path / "home", 3, **GENEROUS)
    found.start_guardian()
    heart = Heart(found.home)
    heart.start()
    found.until(lambda s: s.engine_heartbeat_age_s is not None and s.engine_heartbeat_age_s < 0.5, 20.0)
    found.arm()
    yield found
    heart.gone.set()
    heart.join()
    found.close()


@pytest.fixture
def discord() -> Iterator[FakeDiscord]:
    made = FakeDiscord([(429, {"Retry-After": "0.05"}, {"retry_after": 0.05})])
    yield made
    made.close()


class Real(Watcher):
    """The watch as it runs, with one fact added."""

    def _ask(self) -> Seen:
        seen = super()._ask()
        return replace(seen, facts={**seen.facts, **SILENT})


def watcher_of(stage: Stage, discord: FakeDiscord) -> tuple[Watcher, Outbox]:
    settings = load(arguments={"home": str(stage.home)}).settings
    channel = DiscordChannel(DiscordWebhook(SecretStr(discord.address)))
    outbox = Outbox([FileChannel(stage.home / "logs" / "alerts.jsonl"), channel])
    return Real(settings, outbox), outbox


def test_a_critical_alert_nobody_answers_for_a_minute_disarms_the_guardian(
    stage: Stage, discord: FakeDiscord
) -> None:
    watcher, outbox = watcher_of(stage, discord)
    now = time.time_ns()
    watcher.turn(now)
    watcher.turn(now + 59 * 10**9)
    told = stage.status()
    assert told is not None
    assert told.armed, "a minute has not passed"
    watcher.turn(now + 61 * 10**9)
    told = stage.until(lambda s: not s.armed, 2.0)
    assert "nobody acknowledged within 60 s" in told.last_reason
    assert len(watcher.disarms) == 1
    watcher.close()
    outbox.close(10.0)
    titles = [body["embeds"][0]["title"] for body in discord.bodies]
    assert any("Disarm" in title for title in titles)
    assert all(body["allowed_mentions"] == {"parse": []} for body in discord.bodies)


def test_an_answer_keeps_it_armed_and_a_dead_discord_holds_nobody(stage: Stage, discord: FakeDiscord) -> None:
    discord.close()
    watcher, outbox = watcher_of(stage, discord)
    now = time.time_ns()
    began = time.monotonic()
    watcher.turn(now)
    for alert in watcher.book.alerts:
        watcher.book.acknowledge(alert.key, "ana")
    watcher.turn(now + 61 * 10**9)
    assert time.monotonic() - began < 5.0
    told = stage.status()
    assert told is not None
    assert told.armed, told.last_reason
    watcher.close()
    outbox.close(1.0)
