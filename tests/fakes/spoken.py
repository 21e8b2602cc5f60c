"""Every kind of message MIA sends, made by the code that sends it, over invented facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mia_kernel.adapters.channels import Outbox
from mia_kernel.adapters.discord import Message, Sent
from mia_kernel.adapters.messages import AlertNote
from mia_kernel.adapters.papermill_report import Page
from mia_kernel.adapters.timetable import Due
from mia_kernel.analytics.adherence import rules
from mia_kernel.analytics.advice import Day, choose
from mia_kernel.analytics.lessons import lessons
from mia_kernel.analytics.mentor import advise
from mia_kernel.analytics.performance import performance
from mia_kernel.analytics.report import _message
from mia_kernel.analytics.say import plain
from mia_kernel.cli import alerts, schedule
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.session import new_york_ns
from mia_kernel.settings import load
from tests.fakes import journals
from tests.integration.test_desk_server import status

NOW = new_york_ns(20250613, 20 * 60)
S = 1_000_000_000


class Kept:
    """A channel that keeps what it was given."""

    name = "kept"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Sent:
        self.messages.append(message)
        return Sent(True, "delivered", 1)


@contextmanager
def kept() -> Iterator[tuple[Kept, Outbox]]:
    channel = Kept()
    outbox = Outbox([channel])
    yield channel, outbox
    outbox.close(10.0)


def watched() -> list[Message]:
    """Alerts of the watch: gamma, limits, data, the guardian's own, repeated, disarmed, and the disarm itself."""
    note = AlertNote(1, NOW, "warning", "no_answer", "no answer about e-17: asking the venue", False)
    facts: dict[str, Any] = {
        "total_gamma_usd": -81e9, "feed_age_s": 20.0, "data_quality": 0.61, "day_net_usd": -430.0,
        "limit.daily_loss": 0.92, "ml_drift": "spread 3.1 ticks where 1.0 was learned",
    }  # fmt: skip
    with kept() as (channel, outbox):
        watcher = alerts.Watcher(
            load().settings, outbox, lambda: alerts.Seen(facts, status(alerts=(note,), armed=True))
        )
        for second in (0, 30, 60):
            watcher.turn(NOW + second * S)
    return channel.messages


def scheduled(patch: pytest.MonkeyPatch) -> list[Message]:
    """Of the evening: the mentor's words of a day, a page that failed, a damaged record."""
    material = journals.material(60)
    day = Day(
        NOW, performance(material.trips, capital_cents=5_000_000), lessons(material.trips, material.table),
        rules(material.trips, material.table), [], (),
    )  # fmt: skip
    card = {
        "end_ts": NOW, "title": "ES · Friday 13 June 2025", "source": "invented trades", "tag": "synthetic",
        "checks": {"replay": "proven"},
        "messages": [_message(advice, plain) for advice in choose(advise(day), {}, NOW)],
    }  # fmt: skip

    def made(_: Any, item: Due) -> Page:
        if item.job == "weekly":
            raise OutsideError("the page cannot be written: no space left; way out: free some")
        return Page(Path("page.html"), Path("page.ipynb"), None, card)

    def bent(_: Path) -> Any:
        return dataclasses.make_dataclass("Answer", ["ok", "first_bad", "reason"])(False, 812, "hash differs")

    settings = load().settings
    settings.journal_folder.mkdir(parents=True, exist_ok=True)
    patch.setattr(type(settings), "journals", lambda _: [settings.journal_folder / "run-20250613.sqlite"])
    patch.setattr(schedule, "verify", bent)
    with kept() as (channel, outbox):
        schedule.run_due(settings, outbox, NOW, make=made)
    return channel.messages


def tested(patch: pytest.MonkeyPatch) -> list[Message]:
    """What `mia alerts test` says."""
    channel = Kept()
    patch.setattr(alerts, "channels_of", lambda _: [channel])
    done = CliRunner().invoke(alerts.test, [])
    assert done.exit_code == 0, done.output
    return channel.messages


def everything(patch: pytest.MonkeyPatch) -> list[Message]:
    """Return one of each kind, in the order in which a day brings them."""
    return [*tested(patch), *watched(), *scheduled(patch)]
