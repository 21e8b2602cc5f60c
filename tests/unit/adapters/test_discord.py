"""Discord, against a local server that behaves like it: buckets, 429, failures, and nothing that mentions anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from mia_kernel.adapters.channels import DiscordChannel, Outbox
from mia_kernel.adapters.discord import TOTAL, DiscordWebhook, Message, payload_of

pytestmark = [pytest.mark.unit, pytest.mark.safety]


class FakeDiscord:
    """Answers POSTs from a script of (status, headers, body), then 204 for ever."""

    def __init__(self, script: list[tuple[int, dict[str, str], dict[str, Any]]]) -> None:
        self.script = list(script)
        self.bodies: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                status, headers, answer = outer.script.pop(0) if outer.script else (204, {}, {})
                payload = json.dumps(answer).encode() if status != 204 else b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/api/webhooks/1/secret-token-value"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Iterator[FakeDiscord]:
    made = FakeDiscord(getattr(request, "param", []))
    yield made
    made.close()


class Clock:
    """Counts instead of sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def wait(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def hook(fake: FakeDiscord, clock: Clock) -> DiscordWebhook:
    return DiscordWebhook(SecretStr(fake.address), wait=clock.wait, clock=lambda: clock.now)


def message(text: str = "used to 92%", **more: Any) -> Message:
    return Message("alerts", "warning", "Limit daily loss", text, 1_772_029_800_000_000_000, **more)


def test_a_message_is_one_embed_with_mentions_off(fake: FakeDiscord) -> None:
    sent = hook(fake, Clock()).send(message("@everyone <@123> look", fields={"key": "risk.day"}))
    assert sent.ok
    body = fake.bodies[0]
    assert body["allowed_mentions"] == {"parse": []}
    embed = body["embeds"][0]
    assert embed["title"] == "Limit daily loss"
    assert embed["timestamp"].startswith("2026-02-25T14:30:00")
    assert embed["fields"] == [{"name": "key", "value": "risk.day", "inline": True}]
    assert "content" not in body


@pytest.mark.parametrize(
    "fake", [[(429, {"Retry-After": "1"}, {"retry_after": 0.35, "global": False})]], indirect=True
)
def test_a_429_waits_as_long_as_it_says_and_delivers(fake: FakeDiscord) -> None:
    clock = Clock()
    sent = hook(fake, clock).send(message())
    assert (sent.ok, sent.tries) == (True, 2)
    assert clock.slept == [pytest.approx(0.35)]
    assert len(fake.bodies) == 2


@pytest.mark.parametrize(
    "fake", [[(204, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}, {})]], indirect=True
)
def test_an_empty_bucket_is_waited_for_before_the_next_message(fake: FakeDiscord) -> None:
    clock = Clock()
    webhook = hook(fake, clock)
    webhook.send(message())
    assert clock.slept == []
    webhook.send(message())
    assert clock.slept == [pytest.approx(1.5)]


@pytest.mark.parametrize("fake", [[(500, {}, {})] * 9], indirect=True)
def test_a_server_that_fails_is_given_up_after_a_few_tries(fake: FakeDiscord) -> None:
    sent = hook(fake, Clock()).send(message())
    assert (sent.ok, sent.tries, sent.reason) == (False, 4, "HTTP 500")


@pytest.mark.parametrize("fake", [[(404, {}, {"message": "Unknown Webhook"})] * 3], indirect=True)
def test_a_refusal_is_not_repeated(fake: FakeDiscord) -> None:
    sent = hook(fake, Clock()).send(message())
    assert (sent.ok, sent.tries) == (False, 1)
    assert len(fake.bodies) == 1


def test_no_answer_tells_no_address() -> None:
    webhook = DiscordWebhook(
        SecretStr("http://127.0.0.1:9/api/webhooks/1/secret-token-value"), wait=lambda _: None
    )
    sent = webhook.send(message())
    assert not sent.ok
    assert "secret-token-value" not in sent.reason
    assert "secret-token-value" not in repr(webhook.__dict__)


def test_long_and_hostile_texts_stay_within_discords_limits() -> None:
    fields = {f"name {i} " + "n" * 300: "v" * 2000 for i in range(40)}
    embed = payload_of(message("x" * 10_000 + "\u202e<script>", fields=fields))["embeds"][0]
    size = len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"])
    size += sum(len(f["name"]) + len(f["value"]) for f in embed["fields"])
    assert size <= TOTAL
    assert len(embed["description"]) <= 4096
    assert all(len(f["name"]) <= 256 and len(f["value"]) <= 1024 for f in embed["fields"])
    many = payload_of(message("short", fields={f"n{i}": "1" for i in range(40)}))["embeds"][0]
    assert len(many["fields"]) == 25
    assert len(payload_of(replace(message(), title="t" * 300))["embeds"][0]["title"]) == 256


def test_a_dead_channel_never_holds_the_sender() -> None:
    blocked = threading.Event()

    class Hanging:
        name = "hanging"

        def send(self, _: Message):  # type: ignore[no-untyped-def]
            blocked.wait(20)
            raise OSError("gone")

    outbox = Outbox([Hanging()])  # type: ignore[list-item]
    for _ in range(500):
        outbox.send(message())
    state = outbox.states[0]
    assert state.lost >= 500 - 64 - 1
    blocked.set()
    assert outbox.close(5.0)[0].failed >= 1


def test_the_outbox_delivers_through_the_webhook(fake: FakeDiscord) -> None:
    outbox = Outbox([DiscordChannel(hook(fake, Clock()))])
    outbox.send(message())
    assert outbox.close(10.0)[0].delivered == 1
    assert len(fake.bodies) == 1
