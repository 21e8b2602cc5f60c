"""Follow the exchange's calendar: wait while it is closed, know when the trading day is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mia_kernel.core.errors import OutsideError
from mia_kernel.core.session import is_open, session_at, sessions_between

NS = 1_000_000_000
AFTER_CLOSE_NS = 60 * NS
"""A day is kept open this long after its close, for what comes late."""

WEEK_NS = 8 * 86_400 * NS
LOOK_S = 0.2


def next_open(now_ns: int) -> int:
    """Return the next instant at which the exchange opens, or now if it is open.

    Raises
    ------
    OutsideError
        If the calendar knows no session within eight days.
    """
    if is_open(now_ns):
        return now_ns
    row = session_at(now_ns)
    if row is not None and now_ns < int(row["close_ns"]):  # a pause inside the session
        return now_ns
    opens = sessions_between(now_ns, now_ns + WEEK_NS)["open_ns"]
    later = opens[opens >= now_ns]
    if len(later) == 0:
        raise OutsideError("the calendar knows no session within eight days; way out: a newer MIA")
    return int(later.min())


def when_over(now_ns: Callable[[], int]) -> int:
    """Return when the trading day that runs now, or opens next, is over."""
    row = session_at(max(now_ns(), next_open(now_ns())))
    if row is None:
        raise OutsideError("the calendar does not know this day; nothing may be traded on it")
    return int(row["close_ns"]) + AFTER_CLOSE_NS


def wait_for_open(now_ns: Callable[[], int], loop: Any, say: Callable[[str], None]) -> None:
    """Wait until the exchange opens, looking at the loop's timers so that the engine's beat goes on."""
    opens = next_open(now_ns())
    if opens > now_ns():
        say(f"the exchange is closed; it opens in {(opens - now_ns()) / 3600 / NS:.1f} h")
    while now_ns() < opens and loop.stopped_by is None:
        loop.look()
        time.sleep(LOOK_S)
