"""Keep the link to the guardian: a restarted guardian is greeted again, a missing one means no entries.

How it moves: once a second the announcement is looked at. Another guardian than the one greeted is greeted with
the number of the last report heard, so that nothing it has told meanwhile is lost. While there is none, the
trading state is `reducing`: the engine proposes nothing, and what is open rests at the venue.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from mia_kernel.adapters.bus import GUARDIAN, find
from mia_kernel.adapters.guardian_link import GuardianLink
from mia_kernel.core.errors import InputError, OutsideError
from mia_kernel.core.orders import Command, OrderReport, TradingState

LOOK_S = 1.0
GONE = "the guardian is gone: nothing can be sent"


class Relink:
    """A guardian's link (`live.follow.Link`) that outlives the guardian.

    Parameters
    ----------
    home : Path
    link : GuardianLink
        Has greeted.
    run_id : str
    """

    def __init__(self, home: Path, link: GuardianLink, run_id: str) -> None:
        self.home = home
        self.run_id = run_id
        self.lost = False
        self._why = GONE
        self._link = link
        self._known = self._started()
        self._next = time.monotonic() + LOOK_S

    @property
    def trading_state(self) -> str:
        """What may be traded; reducing while there is no guardian."""
        return TradingState.REDUCING.value if self.lost else self._link.trading_state

    @property
    def state_reason(self) -> str:
        """Why."""
        return self._why if self.lost else self._link.state_reason

    def beat(self, ts_event: int) -> None:
        """Say that the engine lives; look after the guardian once a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK_S
            self._look()
        if not self.lost:
            try:
                self._link.beat(ts_event)
            except OutsideError:
                self.lost = True

    def submit(self, commands: Sequence[Command]) -> None:
        """Hand commands over. Without a guardian they go nowhere, and the outcome of each is told as unknown."""
        self._link.submit(commands)

    def reports(self) -> list[OrderReport]:
        """Hand over what has come."""
        return self._link.reports()

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    def _started(self) -> tuple[int, int] | None:
        said = find(self.home, GUARDIAN)
        return None if said is None or not said.alive else (said.pid, said.started_at)

    def _look(self) -> None:
        there = self._started()
        if there is None:
            self.lost, self._why = True, GONE
            return
        if there == self._known and not self.lost:
            return
        old = self._link
        try:
            fresh = GuardianLink(
                self.home, build=old.build, settings_id=old.settings_id, mode=old.mode, run_id=self.run_id
            )
            fresh.greet(old.reports_seen)
            fresh.take_over(old)
        except OutsideError:
            self.lost, self._why = True, GONE
            return
        except InputError as error:  # another build, protocol or mode: it stays, and holds what rests
            self.lost, self._why = True, f"{error}; way out: end this run and start it again"
            return
        old.close()
        self._link, self._known, self.lost = fresh, there, False
