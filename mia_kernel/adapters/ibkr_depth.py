"""Keep a book that the wire tells level by level, by position, and say it as a row.

How it moves: each message inserts, replaces or removes one position of one side. Nothing is filled in: a side that
is gone is gone.
"""

from __future__ import annotations

from mia_kernel.core.events import BOOK, DEPTH, EventArray, empty

INSERT, UPDATE, DELETE = range(3)
ASK_SIDE, BID_SIDE = 0, 1


class Depth:
    """Both sides, best first; `dirty` says that something changed since the last row."""

    def __init__(self) -> None:
        self._sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.dirty = False

    def change(self, at: int, operation: int, side: int, ticks: int, contracts: int) -> bool:
        """Apply one message; return whether there is such a position."""
        if side not in (ASK_SIDE, BID_SIDE) or at < 0:
            return False
        levels = self._sides[side]
        if operation == DELETE and at < len(levels):
            del levels[at]
        elif operation == INSERT and at <= len(levels):
            levels.insert(at, (ticks, contracts))
        elif operation == UPDATE and at < len(levels):
            levels[at] = (ticks, contracts)
        else:
            return False
        self.dirty = True
        return True

    def forget(self) -> None:
        """Know nothing."""
        for side in self._sides:
            side.clear()
        self.dirty = False

    def row(self, now: int) -> EventArray | None:
        """Return the book as a row at `now` (ns UTC); None where it is crossed or locked.

        That is in the middle of a change that spans packets: the next one tells.
        """
        self.dirty = False
        bids, asks = self._sides[BID_SIDE], self._sides[ASK_SIDE]
        if bids and asks and bids[0][0] >= asks[0][0]:
            return None
        row = empty(1)
        row["kind"], row["ts_event"] = BOOK, now
        for levels, best, sizes, way in ((bids, "bid", "b", -1), (asks, "ask", "a", 1)):
            for ticks, contracts in levels:
                if 0 <= way * (ticks - levels[0][0]) < DEPTH:
                    row[sizes][0, way * (ticks - levels[0][0])] = contracts
            if levels:
                row[best] = levels[0][0]
        return row
