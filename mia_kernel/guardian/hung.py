"""End a guardian that hangs: a loop that has not turned for ten seconds is ended with the stacks of all its threads.

Whoever hangs cannot send, hear the kill switch or withdraw an entry, and looks alive to those who only ask whether its
process exists. Ended, it is started again by its supervisor within a second, disarmed, and reconciles; what is open
rests at the venue. The seconds are counted by this thread's own waits, so that a process that was stopped, or a machine
that slept, is not taken for one that hangs.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import Final

STILL_S: Final = 10
TICK_S: Final = 1.0
HUNG: Final = 3
"""Exit code: something outside was in the way."""


def _end() -> None:
    print(f"the guardian's loop has stood still for {STILL_S} s: it is ended; its threads:", file=sys.stderr)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.flush()
    os._exit(HUNG)  # nothing may run any more: what hangs could also hang an orderly end


class Hung(threading.Thread):
    """Watches one loop.

    Parameters
    ----------
    end : callable
        Called in this thread once the loop has stood still; does not return in a real guardian.
    still_s : int
        Waits of a second without a turn.
    """

    def __init__(
        self, end: Callable[[], None] = _end, *, still_s: int = STILL_S, tick_s: float = TICK_S
    ) -> None:
        super().__init__(name="mia-hung", daemon=True)
        self._end, self._still_s, self._tick_s = end, still_s, tick_s
        self._turns = 0
        self._over = threading.Event()

    def turned(self) -> None:
        """Say that the loop has turned."""
        self._turns += 1

    def stop(self) -> None:
        """Watch no longer; safe to repeat."""
        self._over.set()
        if self.is_alive():
            self.join(5.0)

    def run(self) -> None:
        """Count seconds without a turn."""
        seen, still = self._turns, 0
        while not self._over.wait(self._tick_s):
            still = still + 1 if self._turns == seen else 0
            seen = self._turns
            if still >= self._still_s:
                self._end()
                return
