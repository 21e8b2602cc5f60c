"""Know what is due when, by the exchange's calendar, and do each thing once, whoever asks.

How it moves: every trading day's page is due some time after its session closed (early closes included), the week's
page after its last session. What was claimed is a row of a small database with the job and the day as its key, so two
schedulers cannot make the same page twice; a claim whose maker died is taken over. Time comes in with every call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mia_kernel.core.errors import CorruptError, OutsideError
from mia_kernel.core.session import sessions

MINUTE_NS = 60_000_000_000
STALE_NS = 45 * MINUTE_NS
"""A claim older than this without an end belonged to a process that died."""

CATCH_UP_DAYS = 7
TRIES = 3
TABLE = (
    "CREATE TABLE IF NOT EXISTS done (job TEXT NOT NULL, day INTEGER NOT NULL, state TEXT NOT NULL, "
    "at_ns INTEGER NOT NULL, tries INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (job, day)) STRICT"
)
State = Literal["running", "done", "failed", "nothing"]


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that is due: the job, the trading day it is about (yyyymmdd), and since when."""

    job: str
    day: int
    due_ns: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job: `running`, `done`, `failed` or `nothing` (no journal of that day), and why."""

    job: str
    day: int
    state: State
    at_ns: int
    tries: int
    note: str


def due(now_ns: int, *, after_close_min: float, catch_up_days: int = CATCH_UP_DAYS) -> list[Due]:
    """Return what has become due in the last days, oldest first: daily pages, and weekly ones behind them."""
    table = sessions()
    closes = table["close_ns"] + round(after_close_min * MINUTE_NS)
    stop = int(np.searchsorted(closes, now_ns, side="right"))
    found: list[Due] = []
    for i in range(max(0, stop - catch_up_days), stop):
        day, at = int(table["trading_day"][i]), int(closes[i])
        found.append(Due("daily", day, at))
        if i + 1 == len(table) or table["weekday"][i + 1] <= table["weekday"][i]:
            found.append(Due("weekly", day, at))
    return found


def next_due_ns(now_ns: int, *, after_close_min: float) -> int | None:
    """Return when the next session's page is due, None beyond the calendar."""
    closes = sessions()["close_ns"] + round(after_close_min * MINUTE_NS)
    at = int(np.searchsorted(closes, now_ns, side="right"))
    return int(closes[at]) if at < len(closes) else None


class Timetable:
    """What was done.

    Parameters
    ----------
    path : Path
        The database, by convention `MIA_HOME/data/schedule.sqlite`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, item: Due, now_ns: int) -> bool:
        """Return True if the item is ours to do now: nobody did it, does it, or failed it TRIES times."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute(
                "SELECT state, at_ns, tries FROM done WHERE job = ? AND day = ?", (item.job, item.day)
            ).fetchone()
            free = row is None
            # A day without a journal is looked at again: it may be replayed later.
            tries = 0 if row is None or row[0] == "nothing" else int(row[2])
            if row is not None:
                dead = row[0] == "running" and now_ns - row[1] > STALE_NS
                free = (dead or row[0] in ("failed", "nothing")) and tries < TRIES
            if free:
                db.execute(
                    "INSERT OR REPLACE INTO done VALUES (?,?,?,?,?,?)",
                    (item.job, item.day, "running", now_ns, tries + 1, ""),
                )
            db.execute("COMMIT")
        return free

    def finish(self, item: Due, state: State, note: str, now_ns: int) -> None:
        """Write down how an item ended."""
        with self._open() as db:
            db.execute(
                "UPDATE done SET state = ?, note = ?, at_ns = ? WHERE job = ? AND day = ?",
                (state, note[:500], now_ns, item.job, item.day),
            )

    def rows(self, most: int = 50) -> list[Done]:
        """Return what was done last, newest first."""
        if not self.path.is_file():
            return []
        with self._open() as db:
            found = db.execute(
                "SELECT job, day, state, at_ns, tries, note FROM done ORDER BY day DESC, job LIMIT ?", (most,)
            )
            return [Done(*row) for row in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, isolation_level=None, timeout=10.0)) as db:
                db.execute(TABLE)
                yield db
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise CorruptError(
                    f"{self.path}: {error}; way out: move it away, what is due is made again"
                ) from error
            raise OutsideError(f"{self.path}: {error}; way out: free space or rights there") from error
        except OSError as error:
            raise OutsideError(
                f"{self.path}: {error.strerror or error}; way out: choose another MIA_HOME"
            ) from error
