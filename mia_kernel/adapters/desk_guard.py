"""Let in only whom the desk server is for: a token or a private socket, this host, this origin, no framing.

How it moves: over TCP every request proves the token (a bearer header, or a cookie that `/?token=…` sets once) and
names a loopback host, so that a page of another site that resolves to 127.0.0.1 is not let in. A request that
changes something must carry `X-MIA-Desk`, which another origin cannot add without asking, and an `Origin` of the
host it came to. Behind the 0600 socket the file's rights are the token: Jupyter's login stands before it.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

COOKIE = "mia_desk"
OURS = "x-mia-desk"
MOST_BODY = 65_536
BAD_TOKENS, BAD_SPAN_S = 5, 60.0
COMMANDS_PER_S = 10
ALWAYS = ("/command/disarm", "/command/halt")
"""What no limit of requests may hold up."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class DeskGuard:
    """ASGI middleware around the desk server.

    Parameters
    ----------
    app : ASGI application
    token : str, optional
        What TCP clients must prove; None behind a private socket.
    """

    def __init__(self, app: Any, token: str | None) -> None:
        self._app, self._token = app, token
        self._bad: deque[float] = deque(maxlen=BAD_TOKENS)
        self._sent: deque[float] = deque(maxlen=COMMANDS_PER_S)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer refused requests here, pass on the others with the safe headers added."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        said = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, said)
        if refusal is None and scope["type"] == "http" and self._enters(scope):
            await _answer(send, 303, b"", ((b"location", b"./"), (b"set-cookie", self._cookie())))
        elif refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            await _answer(send, refusal[0], refusal[1].encode() + b"\n", ((b"content-type", b"text/plain"),))

    def _refusal(self, scope: Any, said: Mapping[str, str]) -> tuple[int, str] | None:
        host = said.get("host", "")
        if self._token is not None:
            if _name(host) not in LOOPBACK:
                return 403, f"host {host!r} is not this machine's loopback"
            if not self._proves(scope, said):
                return self._stranger(scope, said)
        origin = said.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, f"origin {origin!r} is not {host!r}"
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and OURS not in said:
            return 403, f"a command needs the header {OURS}"
        if scope["type"] == "websocket" and origin is None and self._token is None:
            return 403, "a websocket names its origin"
        return self._too_much(scope, said)

    def _stranger(self, scope: Any, said: Mapping[str, str]) -> tuple[int, str]:
        """Refuse who has no token; after five wrong ones within a minute say no more than that.

        The right token still enters: a lock that a stranger can close must not stand between a person and HALT.
        """
        now = time.monotonic()
        if any(self._given(scope, said)):
            self._bad.append(now)
        if len(self._bad) == BAD_TOKENS and now - self._bad[0] < BAD_SPAN_S:
            return 429, "too many wrong tokens"
        return 401, "no token: open the address that `mia monitor` printed"

    def _too_much(self, scope: Any, said: Mapping[str, str]) -> tuple[int, str] | None:
        """Refuse a body that is too long, and more than ten commands a second; DISARM and HALT always pass."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return None
        length = said.get("content-length", "")
        if not length.isdigit():
            return 411, "a command says how long it is"
        if int(length) > MOST_BODY:
            return 413, f"a body has at most {MOST_BODY} bytes"
        now = time.monotonic()
        if scope["path"].endswith(ALWAYS):
            return None
        if len(self._sent) == COMMANDS_PER_S and now - self._sent[0] < 1.0:
            return 429, f"more than {COMMANDS_PER_S} commands a second"
        self._sent.append(now)
        return None

    def _given(self, scope: Any, said: Mapping[str, str]) -> list[str]:
        given = [said.get("authorization", "").removeprefix("Bearer "), _cookie_value(said.get("cookie", ""))]
        if scope["type"] == "http" and scope["method"] == "GET":
            given += _query(scope).get("token", [])
        return given

    def _proves(self, scope: Any, said: Mapping[str, str]) -> bool:
        token = self._token or ""
        return any(secrets.compare_digest(text.encode(), token.encode()) for text in self._given(scope, said))

    def _enters(self, scope: Any) -> bool:
        return self._token is not None and scope["method"] == "GET" and "token" in _query(scope)

    def _cookie(self) -> bytes:
        return f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/".encode()


def _name(host: str) -> str:
    return host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0] or host


def _query(scope: Any) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"))


def _cookie_value(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _with_headers(send: Any) -> Any:
    async def add(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *HEADERS]}
        await send(message)

    return add


async def _answer(send: Any, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": body})
