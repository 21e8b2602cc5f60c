"""Keep the gateway's own time: that of its source, running at `speed` from the moment it opens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NS = 1_000_000_000


class SourceClock:
    """Event time as a straight line over a steady clock.

    Parameters
    ----------
    start_ns : int
        Event time (ns UTC) at the moment of creation.
    speed : float
        Event seconds per wall second, > 0.
    steady, wall_ns : callable
        Monotonic seconds and UTC ns; tests bring their own.
    """

    def __init__(
        self,
        start_ns: int,
        speed: float,
        *,
        steady: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.start_ns = start_ns
        self.speed = speed
        self._steady = steady
        self._wall_ns = wall_ns
        self._began = steady()

    def now_ns(self) -> int:
        """Return the event time, ns UTC."""
        return self.start_ns + int((self._steady() - self._began) * self.speed * NS)

    def offset_s(self) -> float:
        """Return event time minus wall time, in seconds; constant only at speed 1."""
        return (self.now_ns() - self._wall_ns()) / NS

    def wall_seconds(self, event_s: float) -> float:
        """Return how many wall seconds a span of event time lasts."""
        return event_s / self.speed


def stamp(ts_ns: int, zone: str) -> str:
    """Return `20190809 09:30:00 US/Eastern`, the way executions and the handshake write a time."""
    return f"{local(ts_ns, zone):%Y%m%d %H:%M:%S} {zone}"


def day_stamp(ts_ns: int, zone: str) -> str:
    """Return the date of an instant as yyyymmdd in a zone."""
    return f"{local(ts_ns, zone):%Y%m%d}"


def minute_stamp(ts_ns: int, zone: str) -> str:
    """Return the time of day as HH:MM in a zone."""
    return f"{local(ts_ns, zone):%H:%M}"


def local(ts_ns: int, zone: str) -> datetime:
    """Return an instant as local time, whole seconds."""
    return datetime.fromtimestamp(ts_ns // NS, UTC).astimezone(ZoneInfo(zone))
