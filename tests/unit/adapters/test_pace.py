"""Slices come no sooner than their time, whatever the consumer does."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.pace import REFRESH_S, paced

pytestmark = pytest.mark.unit

SECOND = 1_000_000_000


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert 0.0 <= seconds <= REFRESH_S
        self.seconds += max(seconds, 1e-6)


def test_rows_come_at_their_time_and_once() -> None:
    clock = FakeClock()
    arrivals = np.array([5, 5, 6, 8], np.int64) * SECOND
    seen: list[tuple[int, float]] = []
    for start, stop in paced(arrivals, 0, 2.0, now=clock.now, sleep=clock.sleep):
        seen += [(row, clock.seconds) for row in range(start, stop)]
    assert [row for row, _ in seen] == [0, 1, 2, 3]
    # at speed 2 one event second lasts half a second of the wall
    for (_, at), due in zip(seen, (0.0, 0.0, 0.5, 1.5), strict=True):
        assert at - 100.0 == pytest.approx(due, abs=REFRESH_S / 10)


def test_a_quiet_market_still_gives_looks() -> None:
    clock = FakeClock()
    arrivals = np.array([0, 1], np.int64) * SECOND
    looks = list(paced(arrivals, 0, 1.0, now=clock.now, sleep=clock.sleep))
    assert sum(start == stop for start, stop in looks) >= 8


def test_a_slow_consumer_gets_longer_slices() -> None:
    clock = FakeClock()
    arrivals = np.arange(100, dtype=np.int64) * SECOND // 10
    slices = []
    for start, stop in paced(arrivals, 0, 1.0, now=clock.now, sleep=clock.sleep):
        slices.append((start, stop))
        clock.seconds += 5.0
    assert len(slices) <= 4
    assert slices[-1][1] == 100


def test_full_speed_and_empty_sources() -> None:
    arrivals = np.arange(3, dtype=np.int64)
    assert list(paced(arrivals, 1, float("inf"))) == [(1, 3)]
    assert list(paced(arrivals, 3, float("inf"))) == []
    assert list(paced(arrivals[:0], 0, 1.0)) == []
