"""The desk server over real sockets: who is let in, what a command becomes, what is said when nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mia_kernel.adapters import messages as say
from mia_kernel.adapters.alert_files import read_acks, write_state
from mia_kernel.adapters.bus import Server, announce, load_keys, withdraw
from mia_kernel.adapters.desk_guard import DeskGuard
from mia_kernel.adapters.desk_stream import ON_THEIR_WAY, Owed
from mia_kernel.adapters.http import DeskServer, message_of, private_socket
from mia_kernel.adapters.wire import encode
from mia_kernel.core.errors import InputError, OutsideError

pytestmark = [pytest.mark.integration, pytest.mark.safety]

TOKEN = "a-token-of-this-test"
OURS = {"X-MIA-Desk": "1"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def frame(seq: int) -> dict[str, Any]:
    nothing = {"ts": np.zeros(0, np.int64), "price": np.zeros(0), "side": np.zeros(0, np.int8)}
    return {
        "seq": seq, "mode": "dry-run", "source_name": "a test", "source_tag": "synthetic", "signals": [],
        "fills": nothing | {"role": [], "symbol": []}, "limits": [], "rows": seq, "price": {"last": 5000.25},
    }  # fmt: skip


def status(**more: Any) -> say.GuardianStatus:
    given: dict[str, Any] = {
        "mode": "paper", "account": "DU1", "armed": True, "armed_until": None, "trading_state": "active",
        "position": 0.0, "working_orders": 0, "protective_stop": "not needed", "day_net_usd": 0.0, "limits": {},
        "engine_heartbeat_age_s": 0.1, "stale": False, "last_reason": "", "build": "b", "ts": 1,
    }  # fmt: skip
    return say.GuardianStatus(**(given | more))


class Guardian(threading.Thread):
    """Answers control on the real bus and publishes frames; keeps what it was asked."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.heard, self.armed, self.over = home, [], True, threading.Event()
        self.silent = False
        self.ready = threading.Event()
        self.server: Server | None = None

    def run(self) -> None:
        with Server(load_keys(self.home), ("control",), publish=True) as server:
            self.server = server
            announce(self.home, "guardian", {"control": server.ports["control"]}, "t")
            announce(self.home, "engine", {"frames": server.ports["frames"]}, "t")
            self.ready.set()
            seq = 0
            while not self.over.is_set():
                for name, peer, request, message in server.poll(0.02):
                    self._hear(server, name, peer, request, message)
                seq += 1
                server.publish(encode(frame(seq)))
            withdraw(self.home, "guardian")
            withdraw(self.home, "engine")

    def _hear(self, server: Server, name: str, peer: bytes, request: bytes, message: Any) -> None:
        if not isinstance(message, say.Status):
            self.heard.append(message)
        if self.silent:
            return
        if isinstance(message, say.Disarm | say.Halt):
            self.armed = False
        answer: say.Message = status(armed=self.armed)
        if isinstance(message, say.Arm):
            answer = say.Refused("phrase", "not the phrase")
        server.say(name, peer, request, answer)


@pytest.fixture(scope="module")
def guardian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guardian]:
    one = Guardian(tmp_path_factory.mktemp("home"))
    one.start()
    assert one.ready.wait(10)
    yield one
    one.over.set()
    one.join(5)


@pytest.fixture(scope="module")
def url(guardian: Guardian) -> Iterator[str]:
    command = [sys.executable, "-m", "mia_kernel.adapters.http", "--home", str(guardian.home)]
    with subprocess.Popen(
        command, env={**os.environ, "MIA_DESK_TOKEN": TOKEN}, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        printed = server.stdout.readline().decode().strip()
        address, _, token = printed.partition("/?token=")
        assert token == TOKEN
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if httpx.get(f"{address}/state", headers=BEARER, timeout=30).json()["known"]:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
        server.terminate()
        server.wait(15)


def test_without_a_token_nothing_is_said(url: str) -> None:
    for path in ("/", "/state", "/metrics", "/static/console.js", "/events"):
        assert httpx.get(url + path, timeout=30).status_code == 401
    assert httpx.get(f"{url}/?token=wrong", timeout=30).status_code == 401
    assert httpx.post(f"{url}/command/disarm", headers=OURS, timeout=30).status_code == 401


PATHS = sorted({str(getattr(route, "path", "")) for route in DeskServer(Path(), None).routes})


@pytest.mark.parametrize("path", PATHS)
def test_every_route_refuses_who_has_no_business_here(path: str) -> None:
    """Every route × no token, wrong token, foreign host, foreign origin, and a change without our header."""
    app = DeskServer(Path(), TOKEN).app
    method = "POST" if path in ("/command/{name}", "/seen") else "GET"
    place = path.replace("{name}", "halt")
    strange: list[tuple[dict[str, str], set[int]]] = [
        ({}, {401}),
        ({"Authorization": "Bearer wrong"}, {401}),
        ({"Cookie": "mia_desk=wrong"}, {401}),
        (BEARER | {"Host": "evil.example"}, {403}),
        (BEARER | OURS | {"Origin": "https://evil.example"}, {403}),
    ]
    if method == "POST":
        strange.append((BEARER, {403}))
    if path == "/ws":
        return  # a socket is refused by the same rules: see the tests of the stream
    transport = httpx.ASGITransport(app=app)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
            return [(await client.request(method, place, headers=h)).status_code for h, _ in strange]

    assert all(status in allowed for status, (_, allowed) in zip(asyncio.run(ask()), strange, strict=True))


def test_wrong_tokens_are_cut_short_and_the_right_one_still_enters() -> None:
    app = DeskServer(Path(), TOKEN).app

    async def ask() -> list[int]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:1"
        ) as client:
            wrong = [
                (await client.get("/alerts", headers={"Authorization": f"Bearer {n}"})).status_code
                for n in range(6)
            ]
            return [*wrong, (await client.get("/alerts", headers=BEARER)).status_code]

    assert asyncio.run(ask()) == [401, 401, 401, 401, 429, 429, 200]


def test_commands_are_limited_in_number_and_length_but_for_disarm_and_halt() -> None:
    guard = DeskGuard(None, None)

    def ask(path: str, length: int = 2) -> tuple[int, str] | None:
        scope = {"type": "http", "method": "POST", "path": path}
        return guard._too_much(scope, {"content-length": str(length)})

    assert ask("/command/arm", 70_000) is not None
    assert [ask("/command/arm") for _ in range(10)] == [None] * 10
    refused = ask("/command/arm")
    assert refused is not None
    assert refused[0] == 429
    assert ask("/command/halt") is None
    assert ask("/mia/command/disarm") is None


def test_an_alert_is_seen_from_the_page(url: str, guardian: Guardian) -> None:
    write_state(guardian.home, [{"key": "data.silent", "title": "Feed silent", "waits": True}], [])
    found = httpx.get(f"{url}/alerts", headers=BEARER, timeout=30).json()
    assert found["watched"]
    assert found["alerts"][0]["key"] == "data.silent"
    for key, expected in (("nothing", 400), ("data.silent", 200)):
        answer = httpx.post(f"{url}/seen", headers=BEARER | OURS, json={"key": key}, timeout=30)
        assert answer.status_code == expected
    assert read_acks(guardian.home, 0) == ([("data.silent", "browser")], 1)


def test_the_printed_address_opens_the_page_once_and_leaves_a_strict_cookie(url: str) -> None:
    entered = httpx.get(f"{url}/?token={TOKEN}", timeout=30)
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = httpx.get(f"{url}/", cookies={"mia_desk": TOKEN}, timeout=30)
    assert "<main" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_another_host_name_is_refused_so_that_no_site_can_rebind_to_us(url: str) -> None:
    answer = httpx.get(f"{url}/state", headers=BEARER | {"Host": "evil.example"}, timeout=30)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, OURS | {"Origin": "https://evil.example"}, OURS | {"Origin": "null"}],
    ids=["bare", "foreign", "null"],
)
def test_a_command_of_another_origin_never_reaches_the_guardian(
    url: str, guardian: Guardian, headers: dict[str, str]
) -> None:
    before = len(guardian.heard)
    answer = httpx.post(f"{url}/command/halt", headers=BEARER | headers, timeout=30)
    assert answer.status_code == 403
    assert len(guardian.heard) == before


def test_disarm_reaches_the_guardian_once_and_its_word_comes_back(url: str, guardian: Guardian) -> None:
    guardian.armed = True
    before = len(guardian.heard)
    answer = httpx.post(f"{url}/command/disarm", headers=BEARER | OURS, json={"reason": "test"}, timeout=30)
    assert answer.json()["armed"] is False
    assert guardian.heard[before:] == [say.Disarm("test")]


def test_a_refusal_is_handed_on_as_it_is(url: str) -> None:
    body = {"phrase": "x", "account": "y"}
    answer = httpx.post(f"{url}/command/arm", headers=BEARER | OURS, json=body, timeout=30)
    assert answer.json()["kind"] == "Refused"
    assert answer.json()["reason"] == "not the phrase"


def test_a_command_without_an_answer_is_unknown_and_sent_once(url: str, guardian: Guardian) -> None:
    before = len(guardian.heard)
    guardian.silent = True
    try:
        answer = httpx.post(f"{url}/command/halt", headers=BEARER | OURS, timeout=30)
        assert answer.status_code == 502
        assert answer.json()["kind"] == "unknown"
        time.sleep(2.5)
        assert httpx.get(f"{url}/state", headers=BEARER, timeout=30).json()["known"] is False
    finally:
        guardian.silent = False
    assert guardian.heard[before:] == [say.Halt("browser")]


def test_a_page_gets_frames_and_the_guardians_word(url: str) -> None:
    with connect(url.replace("http", "ws") + "/ws", additional_headers=BEARER, open_timeout=30) as page:
        got = [page.recv(timeout=30) for _ in range(12)]
    frames = [message for message in got if isinstance(message, bytes)]
    words = [json.loads(message) for message in got if isinstance(message, str)]
    length = int.from_bytes(frames[-1][:4], "little")
    assert json.loads(frames[-1][4 : 4 + length])["price"]["last"] == 5000.25
    assert words[0]["kind"] == "status"


def seq_of(message: bytes) -> int:
    length = int.from_bytes(message[:4], "little")
    return int(json.loads(message[4 : 4 + length])["seq"])


def test_a_page_that_falls_behind_gets_the_newest_frame_next_and_none_of_those_it_missed(url: str) -> None:
    """Fifty frames a second; the page answers nothing for a second and a half, as one that is busy drawing."""
    with connect(url.replace("http", "ws") + "/ws", additional_headers=BEARER, open_timeout=30) as page:
        page.send("0")
        taken, seen = 0, []
        while len(seen) < 5:
            message = page.recv(timeout=30)
            taken += 1
            page.send(str(taken))
            seen += [seq_of(message)] if isinstance(message, bytes) else []
        time.sleep(1.5)
        waited = []
        with contextlib.suppress(TimeoutError):
            while True:
                waited.append(page.recv(timeout=0.3))
        assert len(waited) <= ON_THEIR_WAY
        taken += len(waited)
        page.send(str(taken))
        fresh = [page.recv(timeout=30) for _ in range(2)]
    missed = next(seq_of(message) for message in fresh if isinstance(message, bytes)) - seen[-1]
    assert missed > 30, "what it missed was sent after all"


def test_an_answer_that_is_no_number_is_none_and_a_page_without_answers_is_not_held_back() -> None:
    owed = Owed()
    owed.sent = 50
    owed.hear("ready")
    assert not owed.full
    owed.hear(str(50 - ON_THEIR_WAY + 1))
    assert not owed.full
    owed.hear(str(50 - ON_THEIR_WAY))
    assert owed.full
    owed.hear("9999")  # more than was sent: no credit for what is still to come
    owed.sent += ON_THEIR_WAY
    assert owed.full


@pytest.mark.parametrize(
    "headers", [{}, BEARER | {"Origin": "https://evil.example"}], ids=["no token", "foreign"]
)
def test_a_websocket_of_somebody_else_is_closed(url: str, headers: dict[str, str]) -> None:
    place = url.replace("http", "ws") + "/ws"
    with (
        pytest.raises((ConnectionClosed, InvalidStatus)),
        connect(place, additional_headers=headers, open_timeout=30) as page,
    ):
        page.recv(timeout=30)


def test_prometheus_reads_what_is_known_and_leaves_out_what_is_not(url: str) -> None:
    text = httpx.get(f"{url}/metrics", headers=BEARER, timeout=30).text
    assert "mia_price_points 5000.25" in text
    assert "mia_system_cpu_percent" in text
    assert "mia_coverage" not in text  # this frame has no decision


def test_only_files_of_the_views_are_served(url: str) -> None:
    assert httpx.get(f"{url}/static/console.js", headers=BEARER, timeout=30).status_code == 200
    for name in ("..%2f__init__.py", "nothing.js", "views.py"):
        assert httpx.get(f"{url}/static/{name}", headers=BEARER, timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("fly", b"{}"),
        ("arm", b"{}"),
        ("resume", b"{}"),
        ("halt", b"[1]"),
        ("halt", b"{"),
        ("disarm", b"x" * 5000),
    ],
)
def test_what_is_no_command_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(InputError):
        message_of(name, body)


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_the_private_socket_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "desk.sock"
    with private_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutsideError, match="no socket"):
        private_socket(tmp_path / "file")


BEHIND = """
import subprocess, sys, time
words = [sys.executable, "-m", "mia_kernel.adapters.http", "--home", sys.argv[1], "--socket", sys.argv[2]]
print(subprocess.Popen(words).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="behind JupyterLab it listens on a Unix socket")
def test_it_ends_with_the_jupyterlab_it_stands_behind(tmp_path: Path) -> None:
    where = tmp_path / "desk.sock"
    words = [sys.executable, "-c", BEHIND, str(tmp_path / "home"), str(where)]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) > 0
    until(where.exists, 60.0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not where.exists(), 20.0)  # the last thing it does


def until(done: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.05)
