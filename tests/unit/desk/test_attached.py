"""Attaching to a loop from a notebook: at once, in words, and only what a loop really says."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import mia_kernel as mia
from mia_kernel import frames
from mia_kernel.adapters.bus import Server, announce, load_keys
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.desk.words import Words
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.property.strategies import small_market

pytestmark = pytest.mark.unit


def test_without_a_loop_it_says_what_to_type(tmp_path: Path) -> None:
    desk = mia.attach(tmp_path)
    assert not desk.running
    assert "mia run --dry-run" in repr(desk)
    for ask in (desk.frame, desk.status, desk.why, desk.follow):
        with pytest.raises(OutsideError, match="mia run"):
            ask()


def test_a_loop_that_sends_nothing_is_said_to_be_silent(tmp_path: Path) -> None:
    with Server(load_keys(tmp_path), (), publish=True) as server:
        announce(tmp_path, "engine", {"frames": server.ports["frames"]}, "t")
        with pytest.raises(OutsideError, match="sent no frame"):
            mia.attach(tmp_path).frame(0.2)


def test_a_frame_of_the_loop_is_the_frame_that_was_sent(tmp_path: Path) -> None:
    run = Run(load().settings, small_market(1))
    run.drive()
    payload = frames.encode(frames.build(run, seq=5))
    with Server(load_keys(tmp_path), (), publish=True) as server:
        announce(tmp_path, "engine", {"frames": server.ports["frames"]}, "t")
        over = threading.Event()
        sender = threading.Thread(target=_send_until, args=(server, payload, over), daemon=True)
        sender.start()
        try:
            got = mia.attach(tmp_path).frame(10.0)
        finally:
            over.set()
            sender.join()
        assert got["seq"] == 5
        assert got["money"]["equity_usd"] == run.engine.rooms.account.equity_cents / 100


def _send_until(server: Server, payload: bytes, over: threading.Event) -> None:
    while not over.wait(0.02):
        server.publish(payload)


@pytest.mark.parametrize("line", ["fly", "arm one", "confirm 1 2", "status now"])
def test_a_magic_that_is_none_is_refused_with_the_words_there_are(line: str) -> None:
    with pytest.raises(InputError):
        Words().say(line)


def test_a_code_without_an_arming_confirms_nothing() -> None:
    with pytest.raises(InputError, match="nothing to confirm"):
        Words().say("confirm 123456")
