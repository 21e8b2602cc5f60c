"""A bell wakes who waits, whoever rings and however often, and is silent again once heard."""

from __future__ import annotations

import threading
import time

import pytest

from mia_kernel.adapters.bell import Bell

pytestmark = pytest.mark.unit


def waited(bell: Bell, timeout_s: float) -> float:
    began = time.monotonic()
    bell.wait(timeout_s)
    return time.monotonic() - began


def test_it_wakes_across_threads_and_forgets_what_was_heard() -> None:
    bell = Bell()
    threading.Timer(0.05, bell.ring).start()
    assert waited(bell, 5.0) < 2.0
    assert waited(bell, 0.02) >= 0.015
    bell.close()


def test_ringing_never_blocks_and_a_closed_bell_is_no_error() -> None:
    bell = Bell()
    for _ in range(100_000):
        bell.ring()
    assert waited(bell, 1.0) < 0.5
    assert waited(bell, 0.02) >= 0.015  # all of them were taken
    bell.close()
    bell.ring()
    bell.wait(0.0)
