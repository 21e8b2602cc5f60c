"""Speak into a Discord channel through its webhook: embeds, its rate limits kept, nobody mentioned.

How it moves: a message is one POST with `allowed_mentions` empty, so no text from outside can call anybody. The answer
says how much of the bucket is left; when it is empty, or a 429 comes, we wait as long as it says. A message may be
sent again after a failure (it is no order); after a few tries it is given up and the failure is told. The address is a
secret: it stands in no message, log or error of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

TRIES = 4
TIMEOUT_S = 10.0
LONGEST_WAIT_S = 60.0
COLOURS = {
    "info": 0x8B93A1,
    "success": 0x2FBF8F,
    "warning": 0xE8B84A,
    "critical": 0xFF3B5C,
    "emergency": 0xFF3B5C,
}
TOPICS = ("trades", "alerts", "performance", "signals", "admin", "logs", "backtest")

# Discord's limits of an embed (its API reference, "Embed Limits").
TITLE, DESCRIPTION, FIELDS, FIELD_NAME, FIELD_VALUE, FOOTER, TOTAL = 256, 4096, 25, 256, 1024, 2048, 6000


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `fields` are short names and values shown side by side."""

    topic: str
    level: str
    title: str
    text: str
    ts: int
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: delivered or why not, after how many tries."""

    ok: bool
    reason: str
    tries: int


class DiscordWebhook:
    """One webhook.

    Parameters
    ----------
    address : SecretStr
        The webhook's URL.
    wait : callable
        Sleeps; a test counts instead.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(
        self,
        address: SecretStr,
        *,
        wait: Callable[[float], Any] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._wait = wait
        self._clock = clock
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)
        self._free_at = 0.0

    def send(self, message: Message) -> Sent:
        """Send one message, keeping to the rate limit; never raises for what the other side does."""
        payload = payload_of(message)
        reason = "not tried"
        for attempt in range(1, TRIES + 1):
            self._rest()
            try:
                answer = self._client.post(self._address.get_secret_value(), json=payload)
            except httpx.HTTPError as error:
                # The error's text may hold the address: only its kind is told.
                reason = f"no answer ({type(error).__name__})"
                self._free_at = self._clock() + 2.0 ** (attempt - 1)
                continue
            self._note(answer)
            if answer.is_success:
                return Sent(True, "delivered", attempt)
            reason = f"HTTP {answer.status_code}"
            if answer.status_code == 429:
                self._free_at = self._clock() + min(_retry_after(answer), LONGEST_WAIT_S)
            elif answer.status_code >= 500:
                self._free_at = self._clock() + 2.0 ** (attempt - 1)
            else:
                return Sent(False, reason + ": the webhook refuses it", attempt)
        return Sent(False, reason, TRIES)

    def close(self) -> None:
        """Close the connection; safe to repeat."""
        self._client.close()

    def _rest(self) -> None:
        left = self._free_at - self._clock()
        if left > 0:
            self._wait(min(left, LONGEST_WAIT_S))

    def _note(self, answer: httpx.Response) -> None:
        """Remember an empty bucket until it refills."""
        if answer.headers.get("X-RateLimit-Remaining") == "0":
            try:
                after = float(answer.headers.get("X-RateLimit-Reset-After", "1"))
            except ValueError:
                after = 1.0
            self._free_at = self._clock() + max(0.0, after)


def payload_of(message: Message) -> dict[str, Any]:
    """Return the body of the POST: one embed within Discord's limits, mentions off."""
    footer = _cut(f"MIA · {message.topic}", FOOTER)
    title = _cut(message.title, TITLE)
    left = TOTAL - len(title) - len(footer)
    text = _cut(message.text, min(DESCRIPTION, left))
    left -= len(text)
    fields: list[dict[str, Any]] = []
    for name, value in list(message.fields.items())[:FIELDS]:
        named, said = _cut(name, FIELD_NAME), _cut(value, FIELD_VALUE)
        if len(named) + len(said) > left:
            break
        left -= len(named) + len(said)
        fields.append({"name": named or "–", "value": said or "–", "inline": len(said) <= 24})
    embed = {
        "title": title,
        "description": text,
        "color": COLOURS.get(message.level, COLOURS["info"]),
        "timestamp": datetime.fromtimestamp(message.ts / 1e9, UTC).isoformat(timespec="milliseconds"),
        "footer": {"text": footer},
        "fields": fields,
    }
    return {"username": "MIA", "embeds": [embed], "allowed_mentions": {"parse": []}}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def _retry_after(answer: httpx.Response) -> float:
    for value in (_from_body(answer), answer.headers.get("Retry-After")):
        try:
            if value is not None:
                return max(0.0, float(value))
        except (TypeError, ValueError):
            continue
    return 5.0


def _from_body(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("retry_after") if isinstance(body, dict) else None
