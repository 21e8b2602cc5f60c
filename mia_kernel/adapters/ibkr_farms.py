"""Tell from the broker's words about its farms when streams are to be asked for again: once per break.

How it moves: a break is told farm by farm (2103 data, 2105 history, 2157 definitions, each with a name) and so is
its end. Streams are asked for when the last broken farm is back; where one stays broken, `LATEST_S` after the first
came back. A farm that only fell asleep (2107, 2108, 2119) broke nothing.
"""

from __future__ import annotations

BROKEN = frozenset((2103, 2105, 2157))
OK = frozenset((2104, 2106, 2158))
"""Each one above the word of its break."""
LATEST_S = 1.0


class Farms:
    """The farms that are broken now, and whether a recovery still waits for the others."""

    def __init__(self) -> None:
        self._broken: set[tuple[int, str]] = set()
        self._back_since: float | None = None

    def clear(self) -> None:
        """Forget everything: a fresh connection asks for its streams anyway."""
        self._broken.clear()
        self._back_since = None

    def hear(self, code: int, text: str, now: float) -> bool:
        """Take a message; return whether streams are to be asked for again now (`now` in monotonic s)."""
        _, named, name = text.rpartition(":")
        name = name.strip() if named else ""
        if code in BROKEN:
            self._broken.add((code + 1, name))
        elif code in OK and (code, name) in self._broken:
            self._broken.discard((code, name))
            self._back_since = self._back_since or now
        return self.due(now)

    def due(self, now: float) -> bool:
        """Return once whether a recovery is complete, or has waited for the other farms long enough."""
        since = self._back_since
        if since is None or (self._broken and now - since < LATEST_S):
            return False
        self._back_since = None
        return True
