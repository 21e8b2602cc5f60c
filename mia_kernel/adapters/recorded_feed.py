"""Feed a recording to the inbox at a speed, from a thread of its own: dry-run on synthetic and stored days."""

from __future__ import annotations

import datetime as dt
import threading

import numpy as np

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.pace import paced
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import WARM_UP, EventArray
from mia_kernel.core.session_table import NEW_YORK

CHUNK = 1 << 15
NS = 1_000_000_000


def row_at(events: EventArray, clock: str) -> int:
    """Return the first row at or after a New York time of day, counted from the first row behind the warm-up.

    Raises
    ------
    InputError
        If that is no time of day, or the rows end before it.
    """
    try:
        wanted = dt.time.fromisoformat(clock)
    except ValueError:
        raise InputError("not a time of day", field="--from", value=clock, rule="HH:MM, New York") from None
    warm = int(np.count_nonzero(events["flags"] & WARM_UP))
    if warm == len(events):
        raise InputError("the source holds nothing to pace", field="--from", value=clock)
    begins, ends = (
        dt.datetime.fromtimestamp(int(events["ts_recv"][at]) / 1e9, NEW_YORK) for at in (warm, -1)
    )
    when = begins.replace(hour=wanted.hour, minute=wanted.minute, second=wanted.second, microsecond=0)
    if when < begins:
        when += dt.timedelta(days=1)
    row = int(np.searchsorted(events["ts_recv"], int(when.timestamp()) * NS, side="left"))
    if row >= len(events):
        rule = f"the source runs from {begins:%a %H:%M} to {ends:%a %H:%M} New York"
        raise InputError("the source ends before that time", field="--from", value=clock, rule=rule)
    return max(row, warm)


class RecordingFeed(threading.Thread):
    """Hand out rows no sooner than their time; what lies before the pace begins at full speed.

    Parameters
    ----------
    events : EventArray
        Rows in order of arrival.
    inbox : Inbox
        Without a stamp of its own: the rows keep theirs. It is ended when the rows are.
    speed : float
        Event seconds per wall second; infinity for as fast as the engine takes them.
    first : int
        Row at which the pace begins; those before it come at full speed.
    """

    def __init__(self, events: EventArray, inbox: Inbox, speed: float, first: int = 0) -> None:
        super().__init__(name="mia-feed", daemon=True)
        self.events = events
        self.inbox = inbox
        self.speed = speed
        self.first = first

    def run(self) -> None:
        """Put rows until the recording ends or nobody reads any more."""
        warm = max(int(np.count_nonzero(self.events["flags"] & WARM_UP)), self.first)
        try:
            if self._put(0, warm):
                for start, stop in paced(self.events["ts_recv"], warm, self.speed):
                    if not self._put(start, stop):
                        return
            self.inbox.end()
        except BaseException as error:
            self.inbox.end(error)  # the loop must not wait for a feed that is gone
            raise

    def _put(self, start: int, stop: int) -> bool:
        return all(
            self.inbox.put(self.events[at : min(at + CHUNK, stop)]) for at in range(start, stop, CHUNK)
        )
