"""Serve the desk: frames and commands for browsers, the monitor page, figures for Prometheus.

How it moves: a browser opens one WebSocket and answers what comes; each new frame goes to it once, the newest wins, and
a slow page loses frames instead of queueing them. Commands are posted and passed on to the guardian, whose answer goes
back as it is. If it dies nothing else does: it holds no state that matters, and a page without it says UNKNOWN.

    python -m mia_kernel.adapters.http [--port N | --socket PATH]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path
from types import FrameType

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from mia_kernel.adapters import logs
from mia_kernel.adapters.alert_files import standing, write_ack
from mia_kernel.adapters.bus import DESK, announce, withdraw
from mia_kernel.adapters.desk_guard import DeskGuard
from mia_kernel.adapters.desk_link import DeskLink
from mia_kernel.adapters.desk_metrics import Machine, Metrics
from mia_kernel.adapters.desk_stream import Fresh, stream
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.messages import (
    Acknowledge,
    Arm,
    Confirm,
    Disarm,
    Drill,
    Halt,
    Message,
    Resume,
    pack,
    unpack,
)
from mia_kernel.core.errors import DataError, InputError, MiaError, OutsideError

log = logging.getLogger("mia.desk")

LOOPBACK = "127.0.0.1"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
MOST_BODY = 4096
EVENTS_SHOWN = 200


class DeskServer:
    """The routes over one link.

    Parameters
    ----------
    home : Path
        MIA_HOME whose loop is shown.
    token : str, optional
        What TCP clients must prove; None behind a private socket.
    """

    def __init__(self, home: Path, token: str | None) -> None:
        self._fresh = Fresh()
        self.link = DeskLink(home, self._fresh.ring)
        self.machine = Machine(self.link)
        self.metrics = Metrics(self.link, self.machine)
        self.routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/state", self._state),
            Route("/events", self._events),
            Route("/system", self._system),
            Route("/alerts", self._alerts),
            Route("/seen", self._seen, methods=["POST"]),
            Route("/metrics", self._metrics),
            Route("/command/{name}", self._command, methods=["POST"]),
            WebSocketRoute("/ws", self._stream),
        ]
        app = Starlette(routes=self.routes, lifespan=self._life)
        self.app = DeskGuard(app, token)

    @contextlib.asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        self._fresh.bind()
        self.link.start()
        yield
        await run_in_threadpool(self.link.close)

    # -- pages -------------------------------------------------------------------------------------

    async def _page(self, _: Request) -> Response:
        return _file("monitor.html")

    async def _static(self, request: Request) -> Response:
        return _file(request.path_params["name"])

    async def _state(self, _: Request) -> Response:
        return JSONResponse(self.link.standing())

    async def _events(self, _: Request) -> Response:
        return JSONResponse(self.link.chronicle.last(EVENTS_SHOWN))

    async def _system(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.machine.read))

    async def _alerts(self, _: Request) -> Response:
        return JSONResponse(standing(self.link.home))

    async def _seen(self, request: Request) -> Response:
        """Write down that a person has seen an alert; the watch reads it within a second."""
        key = seen_key(await request.body())
        if key not in {alert["key"] for alert in standing(self.link.home)["alerts"]}:
            return JSONResponse({"kind": "error", "text": "no such alert"}, 400)
        await run_in_threadpool(write_ack, self.link.home, key, "browser")
        return JSONResponse({"kind": "seen", "key": key})

    async def _metrics(self, _: Request) -> Response:
        text = await run_in_threadpool(self.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4")

    # -- frames ------------------------------------------------------------------------------------

    async def _stream(self, page: WebSocket) -> None:
        await stream(page, self.link, self._fresh)

    # -- commands ----------------------------------------------------------------------------------

    async def _command(self, request: Request) -> Response:
        body = await request.body()
        try:
            message = message_of(request.path_params["name"], body)
            answer = await run_in_threadpool(self.link.command, message)
        except InputError as error:
            return JSONResponse({"kind": "error", "text": str(error)}, 400)
        except (OutsideError, MiaError) as error:
            return JSONResponse({"kind": "unknown", "text": str(error)}, 502)
        # A refusal is an answer too: a browser would log any other status as a failure of the page.
        return JSONResponse({"kind": type(answer).__name__, **msgspec.to_builtins(answer)})


def message_of(name: str, body: bytes) -> Message:
    """Return the message to the guardian that a posted command stands for.

    Raises
    ------
    InputError
        If there is no such command or a field of it is missing.
    """
    if len(body) > MOST_BODY:
        raise InputError(
            "the command is too long", field="body", value=len(body), rule=f"≤ {MOST_BODY} bytes"
        )
    try:
        given = json.loads(body or b"{}")
        text = {key: str(value) for key, value in given.items()}
        "".join(text.values()).encode()  # half a character is not passed on
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError("the command is no JSON object", rule=str(error)) from None
    makers = {
        "arm": lambda: Arm(text["phrase"], text["account"], "browser"),
        "confirm": lambda: Confirm(text["code"], "browser"),
        "disarm": lambda: Disarm(text.get("reason", "browser")),
        "halt": lambda: Halt(text.get("reason", "browser")),
        "resume": lambda: Resume(text["reason"]),
        "drill": Drill,
        "acknowledge": lambda: Acknowledge(int(text["alert_id"])),
    }
    if name not in makers:
        raise InputError("no such command", field="name", value=name, rule=", ".join(makers))
    try:
        message = makers[name]()
        unpack(pack(message))
        return message
    except (KeyError, ValueError, OverflowError, DataError) as error:
        raise InputError("a field of the command is missing or wrong", field=str(error)) from None


def seen_key(body: bytes) -> str:
    """Return the key of the alert a page says was seen, empty where it says none."""
    try:
        given = json.loads(body[:MOST_BODY])
    except (ValueError, RecursionError):
        return ""
    return str(given.get("key", "")) if isinstance(given, dict) else ""


def _file(name: str) -> Response:
    """Return a file of the views' own folder; nothing else can be named."""
    folder = resources.files("widgets") / "static"
    kind = TYPES.get(Path(name).suffix)
    known = {entry.name for entry in folder.iterdir()}
    if kind is None or name not in known:
        return Response("no such file\n", 404, media_type="text/plain")
    return Response((folder / name).read_bytes(), media_type=kind)


# -- starting ------------------------------------------------------------------------------------------


def private_socket(path: Path) -> socket.socket:
    """Bind a Unix socket that only its owner can open.

    Raises
    ------
    OutsideError
        If it cannot be bound, or something that is no socket lies there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise OutsideError(f"{path} is no socket; way out: move it away")
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise OutsideError(f"{path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    return bound


def loopback_socket(port: int) -> socket.socket:
    """Bind a loopback port (0: one the system gives); OutsideError if it is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise OutsideError(f"port {port}: {error.strerror or error}; way out: another --port") from error
    return bound


class Orderly(uvicorn.Server):
    """A server that ends in order with the first signal, and when the process it serves is gone."""

    def __init__(self, config: uvicorn.Config, parent: int | None) -> None:
        super().__init__(config)
        self._parent = parent

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order, within the second given to open pages; an impatient second Ctrl-C must not cut that short."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Look after the parent, ten times a second."""
        self.should_exit = self.should_exit or (self._parent is not None and os.getppid() != self._parent)
        return await super().on_tick(counter)


def _leave(number: int, frame: FrameType | None) -> None:
    """Let an end that comes before the server listens be announced."""
    raise SystemExit(0)


def serve(home: Path, bound: socket.socket, token: str | None, parent: int | None = None) -> None:
    """Serve until the process is told to stop, or the process `parent` is gone."""
    logs.start(home, "desk", [*logs.environment_secrets(), token or ""])
    log.info("serving", extra={"where": str(bound.getsockname())})
    desk = DeskServer(home, token)
    config = uvicorn.Config(
        desk.app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=MOST_BODY,
        timeout_graceful_shutdown=1,
    )
    announce(home, DESK, {}, code_version())
    try:
        Orderly(config, parent).run(sockets=[bound])
    finally:
        withdraw(home, DESK)
        log.info("ended")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the desk server; the address with its token is printed once."""
    parser = argparse.ArgumentParser(prog="mia monitor", description="frames, monitor page, metrics")
    parser.add_argument("--home", type=Path, required=True, help="MIA_HOME whose loop is shown")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, default=0, help="loopback port (default: one the system gives)")
    where.add_argument("--socket", type=Path, help="private Unix socket instead of a port")
    given = parser.parse_args(argv)
    parent = os.getppid()
    if given.socket is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        bound = private_socket(given.socket)
        try:
            serve(given.home, bound, None, parent)
        finally:
            given.socket.unlink(missing_ok=True)
        return 0
    token = os.environ.get("MIA_DESK_TOKEN") or secrets.token_urlsafe(24)
    bound = loopback_socket(given.port)
    bound.listen()  # whoever reads the address may connect at once: he waits, and is not refused
    print(f"http://{LOOPBACK}:{bound.getsockname()[1]}/?token={token}", flush=True)
    serve(given.home, bound, token)
    return 0


if __name__ == "__main__":
    sys.exit(main())
