"""The clock of a broker session: the wall clock, or a straight line through what a simulated gateway answers.

The time request is answered in whole seconds. Each answer says that the gateway's clock was in [s, s + 1) at
some moment between asking and hearing; lines through all of these form a small region, from which the
simplest speed (1 before 0.98, 20 before 19.87) and the middle offset are taken once, at connect, and kept.
Later answers only measure drift. `ibkr:` sessions are never shifted: their clock is this machine's, and the
same measure tells how far it is off.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from fractions import Fraction

from mia_kernel.core.errors import OutsideError

NS = 1_000_000_000
ALARM_S, DISARM_S = 0.25, 1.0
NARROW, ROOM = 1.1, 0.5
"""Two edges of a second, each seen within 30 ms, leave the speed less room than this; a fast one needs longer."""
Sample = tuple[float, float, int]
"""Monotonic seconds of asking and hearing, and the answer in whole seconds."""


class SessionClock:
    """Event time of a session.

    Parameters
    ----------
    shifted : bool
        True for a simulated gateway: offset and speed are fixed from its answers. False: wall time.
    steady, wall_ns : callable
        Monotonic seconds and UTC ns; tests bring their own.
    """

    def __init__(
        self,
        *,
        shifted: bool,
        steady: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.shifted = shifted
        self.speed = 1.0
        self.settled = not shifted
        self._steady = steady
        self._wall_ns = wall_ns
        self._began = steady()
        self._offset_ns = wall_ns()
        self._samples: list[Sample] = []

    def now_ns(self) -> int:
        """Return the session's time, ns UTC.

        Raises
        ------
        OutsideError
            If a shifted clock is not yet fixed: there is no time to tell.
        """
        if not self.shifted:
            return self._wall_ns()
        if not self.settled:
            raise OutsideError("the gateway has not told its time yet; way out: wait until it is connected")
        return self._offset_ns + int((self._steady() - self._began) * self.speed * NS)

    def sample(self, asked: float, heard: float, seconds: int) -> None:
        """Take one answer while the clock is not fixed."""
        self._samples.append((asked - self._began, heard - self._began, seconds))

    @property
    def narrow(self) -> bool:
        """Whether the samples leave so little room for the speed that more would change nothing."""
        slowest, fastest = speeds(self._samples)
        return slowest <= fastest <= min(NARROW * slowest, slowest + ROOM)

    def settle(self) -> None:
        """Fix offset and speed from the samples.

        Raises
        ------
        OutsideError
            If no line passes through the answers: the gateway's clock does not run evenly.
        """
        slowest, fastest = speeds(self._samples)
        if not self._samples or slowest > fastest:
            raise OutsideError("the gateway's clock does not run evenly; way out: restart it, connect again")
        self.speed = float(simplest(slowest, fastest))
        low = max(s - self.speed * heard for _, heard, s in self._samples)
        high = min(s + 1 - self.speed * asked for asked, _, s in self._samples)
        self._offset_ns = int((low + high) / 2 * NS)
        self.settled = True

    def skew_s(self, asked: float, heard: float, seconds: int) -> float:
        """Return by how many wall seconds this clock is surely off an answer: 0 where it may be right.

        Positive: this clock is ahead.
        """
        if self.shifted:
            at_ask, at_hear = (
                (self._offset_ns / NS) + (t - self._began) * self.speed for t in (asked, heard)
            )
        else:
            now, here = self._wall_ns() / NS, self._steady()
            at_ask, at_hear = now - (here - asked), now - (here - heard)
        if at_ask > seconds + 1:
            return (at_ask - seconds - 1) / self.speed
        if at_hear < seconds:
            return (at_hear - seconds) / self.speed
        return 0.0


def speeds(samples: list[Sample]) -> tuple[float, float]:
    """Return the slowest and the fastest line that meets every answer (slowest > fastest: none does)."""
    slowest, fastest = 1e-6, math.inf
    for _, heard_i, s_i in samples:
        for asked_j, _, s_j in samples:
            if heard_i > asked_j:  # at heard_i at least s_i, at asked_j less than s_j + 1
                slowest = max(slowest, (s_i - s_j - 1) / (heard_i - asked_j))
            elif asked_j > heard_i:
                fastest = min(fastest, (s_j + 1 - s_i) / (asked_j - heard_i))
    return slowest, fastest


def simplest(low: float, high: float) -> Fraction:
    """Return the fraction of the smallest denominator, then numerator, in [low, high]; 0 < low ≤ high."""
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = math.floor(low)
    return below + 1 / simplest(1 / (high - below), 1 / (low - below))
