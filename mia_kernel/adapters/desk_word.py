"""Ask the guardian how things stand, over and over, and take its answers whenever they come.

How it moves: a question goes out twice a second, whether or not the last one was answered. On a crowded machine an
answer may take longer than that; it is still the newest word there is, and its age counts from its question. Only
where nothing at all is heard, or another guardian has been announced, is the connection made anew.
"""

from __future__ import annotations

import time
from pathlib import Path

from mia_kernel.adapters.bus import GUARDIAN, Client, expect, load_keys
from mia_kernel.adapters.messages import GuardianStatus, Status
from mia_kernel.core.errors import OutsideError

EVERY_S = 0.5
SILENT_S = 2.0
"""A guardian that has said nothing for so long is looked for anew."""


class Word:
    """One conversation with the guardian that is announced now.

    Raises
    ------
    OutsideError
        Where none is announced.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        said = expect(home, GUARDIAN)
        self._peer = (said.pid, said.ports["control"])
        self._client = Client(load_keys(home), said.ports["control"])
        self._asked: dict[bytes, float] = {}
        self._heard_at = time.monotonic()

    def turn(self) -> list[tuple[GuardianStatus, float]]:
        """Ask once and return what has been answered by then: a status and the monotonic time of its question.

        Takes up to `EVERY_S`, less where an answer comes.

        Raises
        ------
        OutsideError
            After `SILENT_S` without an answer, and where another guardian has been announced.
        """
        began = time.monotonic()
        newest = self._client.post(Status())
        self._asked[newest] = began
        found: list[tuple[GuardianStatus, float]] = []
        while newest in self._asked and (left := began + EVERY_S - time.monotonic()) > 0:
            for about, answer in self._client.collect(left):
                asked_at = self._asked.pop(about, None)
                if isinstance(answer, GuardianStatus) and asked_at is not None:
                    found.append((answer, asked_at))
        now = time.monotonic()
        self._asked = {about: at for about, at in self._asked.items() if now - at < SILENT_S}
        if found:
            self._heard_at = now
        elif now - self._heard_at >= SILENT_S:
            raise OutsideError(f"the guardian has not answered for {now - self._heard_at:.0f} s")
        said = expect(self._home, GUARDIAN)
        if (said.pid, said.ports["control"]) != self._peer:
            raise OutsideError("another guardian has started")
        return found

    def close(self) -> None:
        """Close; safe to repeat."""
        self._client.close()
