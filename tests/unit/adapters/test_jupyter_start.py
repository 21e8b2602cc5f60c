"""What a page waits for begins while the browser loads: its kernel, and the desk server behind the proxy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.request import OpenerDirector

import pytest

from mia_kernel.adapters import jupyter_start
from mia_kernel.adapters.jupyter_start import begin

pytestmark = pytest.mark.unit

TOKEN = "abc"


class Jupyter(ThreadingHTTPServer):
    """Answers like JupyterLab's server and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.refused = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/lab/workspaces/mia?token={TOKEN}"


class Handler(BaseHTTPRequestHandler):
    server: Jupyter

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        self.server.asked.append((self.command, self.path, body))
        good = self.headers["Authorization"] == f"token {TOKEN}" and self.path != self.server.refused
        self.send_response(200 if good else 403)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def jupyter() -> Iterator[Jupyter]:
    server = Jupyter()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_kernel_and_desk_server_are_asked_for_with_the_token(jupyter: Jupyter) -> None:
    assert begin(jupyter.address, "08_live_desk.ipynb", "/mia/state")
    (how, where, body), desk = jupyter.asked
    assert (how, where) == ("POST", "/api/sessions")
    assert (body["path"], body["type"]) == ("08_live_desk.ipynb", "notebook")
    assert desk == ("GET", "/mia/state", None)


def test_what_does_not_start_is_left_to_the_page(jupyter: Jupyter) -> None:
    jupyter.refused = "/api/sessions"
    assert not begin(jupyter.address, "08_live_desk.ipynb", "/mia/state")
    assert [where for _, where, _ in jupyter.asked] == ["/api/sessions", "/mia/state"]


def test_an_address_that_is_told_before_anybody_listens_is_asked_again(
    jupyter: Jupyter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupyterLab prints its address first, and the kernel used to begin only when the browser asked, seconds later."""
    monkeypatch.setattr(jupyter_start, "AGAIN_S", 0.01)
    refusals = iter([ConnectionRefusedError(111, "Connection refused"), URLError("refused")])
    opens = OpenerDirector.open

    def refuse_first(self: OpenerDirector, *asked: Any, **more: Any) -> Any:
        refusal = next(refusals, None)
        if refusal is not None:
            raise refusal
        return opens(self, *asked, **more)

    monkeypatch.setattr(OpenerDirector, "open", refuse_first)
    assert begin(jupyter.address, "08_live_desk.ipynb", "/mia/state")
    assert [where for _, where, _ in jupyter.asked] == ["/api/sessions", "/mia/state"]


def test_a_server_that_is_gone_is_asked_no_more() -> None:
    alive, began = iter([True, False]), time.monotonic()
    assert not begin(f"http://127.0.0.1:9/lab?token={TOKEN}", "x.ipynb", "/mia/state", lambda: next(alive))
    assert next(alive, None) is None
    assert time.monotonic() - began < 5.0
