"""Two checks of what a feed says twice, on rows that come in slices: a book that stands still, rows sent again.

`Frozen` finds the book that an exporter goes on writing although nothing moves (domain §4: identical for over a minute
of the day session). `Repeats` finds rows of a reload: behind the newest stamp, and equal to one that came before. Both
carry what the next slice needs, so that the answer does not depend on how the rows were cut.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.stamps import NS
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import sessions, trading_days_of

FROZEN_SECONDS = 60.0
WINDOW = 65_536
"""Rows that are remembered: a reload that begins further back is told as disorder alone."""
_SAID = ("ts_event", "kind", "px", "sz", "side", "bid", "ask", "b", "a")


def keys(rows: EventArray, names: tuple[str, ...]) -> NDArray[Any]:
    """Return one opaque value per row that is equal where these fields are."""
    columns = [np.ascontiguousarray(rows[name]).reshape(len(rows), -1) for name in names]
    parts = [column.view(np.uint8).reshape(len(rows), -1) for column in columns]
    packed = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return packed.view(np.dtype((np.void, packed.shape[1]))).ravel()


def in_day_session(ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which instants (ns UTC, in open hours) lie between the day session's open and close."""
    table = sessions()
    row = table[np.minimum(np.searchsorted(table["trading_day"], trading_days_of(ts)), len(table) - 1)]
    return (ts >= row["rth_open_ns"]) & (ts < row["rth_close_ns"])


def note_frozen(findings: Findings, books: EventArray) -> None:
    """Tell where a file's book stays the same for over a minute of the day session although it keeps coming.

    Parameters
    ----------
    findings : Findings
        Its stale term is raised to the frozen share of the covered time.
    books : EventArray of shape (n,)
        QUOTE and BOOK rows in open hours, in order of arrival, before unchanged ones are left out.
    """
    count, seconds, covered = 0, 0, 0
    for kind in np.unique(books["kind"]).tolist():
        rows = books[books["kind"] == kind]
        ts, day = np.maximum.accumulate(rows["ts_event"]), trading_days_of(rows["ts_event"])
        other = np.r_[True, day[1:] != day[:-1], True]
        ends = np.flatnonzero(other)
        covered = max(covered, int((ts[ends[1:] - 1] - ts[ends[:-1]]).sum()) // NS)
        inside = in_day_session(ts)
        rows, ts, day = rows[inside], ts[inside], day[inside]
        if len(rows) == 0:
            continue
        key = keys(rows, ("bid", "ask", "b", "a"))
        edge = np.flatnonzero(np.r_[True, (key[1:] != key[:-1]) | (day[1:] != day[:-1])])
        lasted = ts[np.r_[edge[1:] - 1, len(ts) - 1]] - ts[edge]
        stood = lasted[lasted > FROZEN_SECONDS * NS] // NS
        count, seconds = count + len(stood), max(seconds, int(stood.sum()))
    if count:
        findings.note("frozen_book", count, frozen_words(count, seconds))
        findings.term("stale", max(findings.terms.get("stale", 0.0), seconds / max(covered, 1)))


def frozen_words(count: int, seconds: int) -> str:
    """Return what is said of a book that stood still, of a file and of a feed alike."""
    return (
        f"{count} times the same book for over {FROZEN_SECONDS:g} s of the day session while it kept coming, "
        f"{seconds} s in all"
    )


@dataclass
class Frozen:
    """Stretches of one kind of row in which the book stays the same although it keeps coming."""

    seconds: int = 0
    count: int = 0
    key: bytes = b""
    since: int = 0
    newest: int = 0

    def add(self, books: EventArray) -> None:
        """Take book or quote rows of the day session, in order of arrival."""
        if len(books) == 0:
            return
        ts, day = books["ts_event"], trading_days_of(books["ts_event"])
        key = keys(books, ("bid", "ask", "b", "a"))
        edge = np.flatnonzero(np.r_[True, (key[1:] != key[:-1]) | (day[1:] != day[:-1])])
        for first, last in zip(edge.tolist(), [*(edge[1:] - 1).tolist(), len(books) - 1], strict=True):
            name = int(day[first]).to_bytes(4, "little") + key[first].tobytes()
            if name != self.key:
                self._close()
                self.key, self.since = name, int(ts[first])
                self.newest = self.since
            self.newest = max(self.newest, int(ts[last]))

    def _close(self) -> None:
        lasted = self.newest - self.since
        if lasted > FROZEN_SECONDS * NS:
            self.count, self.seconds = self.count + 1, self.seconds + lasted // NS
        self.since = self.newest

    def told(self) -> tuple[int, int]:
        """Return (stretches, seconds), the one that lasts among them."""
        lasted = self.newest - self.since
        open_now = lasted > FROZEN_SECONDS * NS
        return self.count + open_now, self.seconds + (lasted // NS if open_now else 0)


@dataclass
class Repeats:
    """Rows that came again: stamped before the newest and equal to one of the last `WINDOW` rows."""

    held: deque[NDArray[Any]] = field(default_factory=deque)
    total: int = 0

    def add(self, rows: EventArray, late: NDArray[np.bool_]) -> int:
        """Take the next rows and which of them are stamped before the newest; return how many came again."""
        mine = keys(rows, _SAID)
        found = 0
        if late.any():
            everything = np.concatenate([*self.held, mine])
            _, group = np.unique(everything, return_inverse=True)
            order = np.argsort(group, kind="stable")
            before = np.full(len(order), -WINDOW - 1)
            same = group[order[1:]] == group[order[:-1]]
            before[order[1:][same]] = order[:-1][same]
            at = len(everything) - len(mine) + np.flatnonzero(late)
            found = int((at - before[at] <= WINDOW).sum())
        self.held.append(mine)
        self.total += len(mine)
        while self.total - len(self.held[0]) >= WINDOW:
            self.total -= len(self.held.popleft())
        return found
