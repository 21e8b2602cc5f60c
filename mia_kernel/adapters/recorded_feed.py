"""Feed a recording to the inbox at a speed, from a thread of its own: dry-run on synthetic and stored days."""

from __future__ import annotations

import threading

import numpy as np

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.pace import paced
from mia_kernel.core.events import WARM_UP, EventArray

CHUNK = 1 << 15


class RecordingFeed(threading.Thread):
    """Hand out rows no sooner than their time; the warm-up in front of them at full speed.

    Parameters
    ----------
    events : EventArray
        Rows in order of arrival.
    inbox : Inbox
        Without a stamp of its own: the rows keep theirs. It is ended when the rows are.
    speed : float
        Event seconds per wall second; infinity for as fast as the engine takes them.
    """

    def __init__(self, events: EventArray, inbox: Inbox, speed: float) -> None:
        super().__init__(name="mia-feed", daemon=True)
        self.events = events
        self.inbox = inbox
        self.speed = speed

    def run(self) -> None:
        """Put rows until the recording ends or nobody reads any more."""
        warm = int(np.count_nonzero(self.events["flags"] & WARM_UP))
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
