"""Every kind of message goes to Discord as one embed, mentions off, once, through a 429 on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from mia_kernel.adapters.channels import DiscordChannel, Outbox
from mia_kernel.adapters.discord import COLOURS, TOTAL, DiscordWebhook
from tests.fakes import spoken
from tests.unit.adapters.test_discord import Clock, FakeDiscord

pytestmark = [pytest.mark.unit, pytest.mark.safety]

KINDS = (
    "Test", "Feed silent", "Feed silent (repeated)", "Feed silent (disarmed)", "Disarm", "Total gamma",
    "Result of the day", "Limit daily loss", "Data quality", "The filter drifts", "no answer", "The day",
    "The weekly page failed", "A record is damaged",
)  # fmt: skip
REFUSED = (1, 3, 4)
"""Posts that the server of `discord` answers with 429."""
SLOW = (429, {"Retry-After": "1"}, {"retry_after": 0.25, "global": False})


@pytest.fixture
def discord() -> Iterator[FakeDiscord]:
    server = FakeDiscord([(204, {}, {}), SLOW, (204, {}, {}), SLOW, SLOW])
    yield server
    server.close()


def test_every_kind_arrives_once_with_mentions_off(
    discord: FakeDiscord, mia_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = spoken.everything(monkeypatch)
    assert set(KINDS) <= {message.title for message in messages}
    clock = Clock()
    outbox = Outbox(
        [DiscordChannel(DiscordWebhook(SecretStr(discord.address), wait=clock.wait, clock=lambda: clock.now))]
    )
    for message in messages:
        outbox.send(message)
    (state,) = outbox.close(20.0)
    assert (state.delivered, state.failed, state.lost) == (len(messages), 0, 0)
    assert clock.slept == [pytest.approx(0.25)] * 3
    assert len(discord.bodies) == len(messages) + 3
    arrived = []
    for body in discord.bodies:
        (embed,) = body["embeds"]
        assert body["allowed_mentions"] == {"parse": []}
        assert "content" not in body
        size = sum(len(embed[part]) for part in ("title", "description")) + len(embed["footer"]["text"])
        assert size + sum(len(f["name"]) + len(f["value"]) for f in embed["fields"]) <= TOTAL
        assert embed["color"] in COLOURS.values()
        arrived.append(embed)
    arrived = [embed for place, embed in enumerate(arrived) if place not in REFUSED]
    assert [embed["title"] for embed in arrived] == [message.title for message in messages]
    graver = next(embed for embed in arrived if embed["title"] == "Feed silent")
    assert graver["color"] == COLOURS["critical"]
    assert "disarmed within a minute" in graver["description"]
