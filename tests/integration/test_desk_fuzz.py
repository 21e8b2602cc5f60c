"""S2: hostile requests to every route of the desk server: never a 5xx, never an answer that is not what was promised.

The application itself, before a guardian that answers on the real bus; half of the requests go past the door, so that
its rate limit does not keep what lies behind it from being tried. 500 requests by default, 20,000 with `--long`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from mia_kernel.adapters import desk_link
from mia_kernel.adapters.http import DeskServer
from tests.integration.test_desk_server import BEARER, OURS, TOKEN, Guardian

pytestmark = [pytest.mark.integration, pytest.mark.safety]

PROMISED = {200, 303, 307, 400, 401, 403, 404, 405, 411, 413, 421, 429}
COMMANDS = (
    "arm",
    "confirm",
    "disarm",
    "halt",
    "resume",
    "drill",
    "acknowledge",
    "nothing",
    "..",
    "%00",
    "a/b",
    "🎲",
)
FIELDS = ("phrase", "account", "code", "reason", "alert_id", "key", "__class__", "")
HOSTILE: tuple[Any, ...] = (
    "", "ARM PAPER", "DU1", "\ud800", "\x00", "\u202eabc", "<script>alert(1)</script>", "a" * 3_000, "'; DROP", "0",
    0, -1, 1, 2**31, 2**63, 2**64, 10**40, -(10**40), 1.5, float("nan"), float("inf"), True, None, [], {}, [[]],
    {"a": {"b": None}}, "٣", "1e5", " 7 ", "0x10",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {}, BEARER, {**BEARER, **OURS}, {**BEARER, **OURS}, {**BEARER, **OURS, "Origin": "https://evil.example"},
    {**OURS, "Host": "evil.example"}, {"Authorization": "Bearer x"}, {"Authorization": "Basic \xff"},
    {**BEARER, **OURS, "Content-Type": "text/plain"}, {**BEARER, **OURS, "Content-Encoding": "gzip"},
)  # fmt: skip


def body(chance: random.Random) -> bytes:
    pick = chance.random()
    if pick < 0.15:
        return chance.randbytes(chance.choice((0, 1, 7, 300, 4_095, 4_097, 70_000)))
    if pick < 0.25:
        whole = chance.choice(HOSTILE)
    elif pick < 0.3:
        return b"[" * chance.choice((10, 3_000)) + b"1" * chance.choice((0, 5_000))
    else:
        whole = {chance.choice(FIELDS): chance.choice(HOSTILE) for _ in range(chance.randint(0, 5))}
    return json.dumps(whole).encode()


def request(chance: random.Random, paths: list[str]) -> httpx.Request:
    path = chance.choice(paths).replace("{name}", chance.choice(COMMANDS))
    if chance.random() < 0.1:
        path += chance.choice(
            ("?token=" + TOKEN, "?token=x", "?a=%ff&a=1", "/", "//", "/../../etc/passwd", "%2e%2e")
        )
    method = chance.choice(
        ("GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW")
    )
    headers = {"Host": "127.0.0.1", **chance.choice(HEADERS)}
    raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
    return httpx.Request(method, "http://127.0.0.1" + path, headers=raw, content=body(chance))


def sound(answer: httpx.Response) -> bool:
    """Whether an answer is of the kind it says: JSON that can be read by anybody (no NaN), text in UTF-8."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/json") and answer.content:

        def no_constant(name: str) -> None:
            raise ValueError(name)

        json.loads(answer.content, parse_constant=no_constant)
    answer.content.decode("utf-8")
    return True


async def attack(home: Path, seed: int, count: int) -> Counter[int]:
    chance, seen = random.Random(seed), Counter[int]()
    desk = DeskServer(home, TOKEN)
    paths = [route.path for route in desk.routes if isinstance(route, Route)] + ["/command/{name}"] * 6
    starlette = desk.app._app
    async with starlette.router.lifespan_context(starlette):
        doors = [httpx.ASGITransport(desk.app), httpx.ASGITransport(starlette)]
        for number in range(count):
            asked = request(chance, paths)
            door = chance.choice(doors)
            answer = await door.handle_async_request(asked)
            await answer.aread()
            said = (
                number,
                asked.method,
                str(asked.url),
                asked.content[:200],
                answer.status_code,
                answer.content[:300],
            )
            assert answer.status_code in PROMISED, said
            assert sound(answer), said
            if door is doors[0]:
                assert answer.headers.get("location", "./").startswith(("./", "http://127.0.0.1/")), said
            seen[answer.status_code] += 1
    return seen


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.long)])
def test_no_request_breaks_the_desk_server(
    tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_link, "COMMAND_S", 30.0)  # how fast a guardian answers is not tried here
    one = Guardian(tmp_path)
    one.start()
    assert one.ready.wait(10)
    try:
        seen = asyncio.run(attack(tmp_path, 8, count))
    finally:
        one.over.set()
        one.join(5)
    assert seen[200] > count // 20, "hardly anything was let through: nothing is shown"
    assert len(one.heard) > count // 100, "hardly a command reached the guardian"
    with capsys.disabled():
        print(
            f"\nS2: {count} requests, {len(one.heard)} commands reached the guardian, answers {dict(seen)}, no 5xx"
        )
