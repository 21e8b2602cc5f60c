"""The session's clock: fixed once from whole seconds, measured ever after."""

from __future__ import annotations

import math
import random

import pytest

from mia_kernel.adapters.session_clock import SessionClock, simplest
from mia_kernel.core.errors import OutsideError

pytestmark = pytest.mark.unit

T0 = 1_565_357_400
"""2019-08-09 09:30 New York."""


class Steady:
    def __init__(self) -> None:
        self.seconds = 500.0

    def __call__(self) -> float:
        return self.seconds


def connected(speed: float, seed: int, *, latency: float = 0.004) -> tuple[SessionClock, Steady, float]:
    """A clock fixed on a gateway of this speed, and the gateway's true start."""
    rng = random.Random(seed)
    steady = Steady()
    start = T0 + rng.random()
    clock = SessionClock(shifted=True, steady=steady, wall_ns=lambda: 0)
    for _ in range(100):
        asked = steady.seconds
        steady.seconds += rng.random() * latency
        answer = math.floor(start + (steady.seconds - 500.0) * speed)
        steady.seconds += rng.random() * latency
        clock.sample(asked, steady.seconds, answer)
        if clock.narrow:
            break
        steady.seconds += 0.03
    clock.settle()
    return clock, steady, start


@pytest.mark.parametrize("speed", [1.0, 0.5, 1.5, 2.0, 5.0, 10.0, 20.0, 60.0, 100.0])
def test_offset_and_speed_are_found_from_whole_seconds(speed: float) -> None:
    for seed in range(20):
        clock, steady, start = connected(speed, seed)
        assert clock.speed == speed
        truth = start + (steady.seconds - 500.0) * speed
        assert abs(clock.now_ns() / 1e9 - truth) < 0.06 * max(speed, 1.0)


def test_a_clock_that_is_not_fixed_tells_no_time() -> None:
    clock = SessionClock(shifted=True)
    with pytest.raises(OutsideError, match="not told its time"):
        clock.now_ns()


def test_a_gateway_whose_clock_jumps_is_refused() -> None:
    clock = SessionClock(shifted=True, steady=lambda: 0.0, wall_ns=lambda: 0)
    for at, second in ((0.0, 100), (0.5, 200), (1.0, 100)):
        clock.sample(at, at + 0.001, second)
    with pytest.raises(OutsideError, match="evenly"):
        clock.settle()


@pytest.mark.safety
def test_drift_is_measured_and_never_corrected() -> None:
    clock, steady, start = connected(1.0, 4)
    steady.seconds += 3600.0
    now = steady.seconds
    true = start + (now - 500.0)
    assert clock.skew_s(now, now + 0.002, math.floor(true)) == 0.0
    before = clock.now_ns()
    assert clock.skew_s(now, now + 0.002, math.floor(true - 1.5)) > 0.4
    assert clock.skew_s(now, now + 0.002, math.floor(true + 1.5)) < -0.4
    assert clock.now_ns() == before


@pytest.mark.safety
def test_a_real_session_is_never_shifted() -> None:
    clock = SessionClock(shifted=False, steady=lambda: 7.0, wall_ns=lambda: T0 * 1_000_000_000)
    assert clock.now_ns() == T0 * 1_000_000_000
    assert clock.skew_s(7.0, 7.0, T0) == 0.0
    assert clock.skew_s(7.0, 7.0, T0 - 5) == pytest.approx(4.0)
    assert clock.skew_s(7.0, 7.0, T0 + 5) == pytest.approx(-5.0)


def test_the_simplest_number_of_a_range() -> None:
    assert simplest(0.95, 1.05) == 1
    assert simplest(19.7, 20.3) == 20
    assert simplest(0.47, 0.53) * 2 == 1
    assert simplest(1.45, 1.55) * 2 == 3
