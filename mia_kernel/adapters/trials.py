"""Keep every trial that was ever made: append-only, hash-chained, any number of processes.

How it moves: whoever tries other weights, parameters or models appends one row before looking at the verdict;
the row carries the hash of the row before it. The more was tried, the less the best result proves, so
the verdict is deflated by what stands here (`analytics/deflated.py`). SQLite serialises writers; triggers
refuse to change or delete a row, and what goes round them is found by `verify`.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_kernel.core.errors import CorruptError, InputError, OutsideError

FILE_NAME = "trials.sqlite"
GENESIS = bytes(32)
WAIT_S = 5.0
"""How long a writer waits for another one; an append takes a millisecond."""

TABLE = (
    "CREATE TABLE trial (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, scope TEXT NOT NULL, "
    "what TEXT NOT NULL, sharpe REAL, n INTEGER NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL) STRICT"
)
SCHEMA = {
    "trial": TABLE,
    "trial_kept": "CREATE TRIGGER trial_kept BEFORE DELETE ON trial "
    "BEGIN SELECT RAISE(ABORT, 'a trial is never deleted'); END",
    "trial_fixed": "CREATE TRIGGER trial_fixed BEFORE UPDATE ON trial "
    "BEGIN SELECT RAISE(ABORT, 'a trial is never changed'); END",
}
COLUMNS = "seq, at_ns, kind, scope, what, sharpe, n, detail, hash"


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: what was tried on which data, its Sharpe ratio per observation (None: unknown) over n of them."""

    seq: int
    at_ns: int
    kind: str
    scope: str
    what: str
    sharpe: float | None
    n: int
    detail: Mapping[str, Any]


class TrialLog:
    """The trials of one home.

    Parameters
    ----------
    path : str or Path
        The file, by convention `MIA_HOME/data/trials.sqlite`; made on the first append.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def append(
        self,
        kind: str,
        what: str | Mapping[str, Any],
        sharpe: float | None,
        n: int,
        *,
        scope: str = "",
        detail: Mapping[str, Any] | None = None,
        at_ns: int | None = None,
    ) -> Trial:
        """Add one trial and return it with its number.

        Parameters
        ----------
        kind : str
            Who tried: `what-if`, `model`, `search` and the like.
        what : str or mapping
            What was tried; the same text on the same scope is the same trial, however often it is repeated.
        sharpe : float or None
            Per observation, not annualised; None or NaN where it is unknown.
        n : int
            Observations (trades or days) behind it.
        scope : str
            The data it was tried on, for example a sha-256 of it.
        detail : mapping, optional
            Anything else worth keeping, as JSON.
        at_ns : int, optional
            When, ns UTC; default now.

        Raises
        ------
        InputError
            If `kind` is empty or `n` negative.
        OutsideError
            If the disk refuses or another process holds the log.
        CorruptError
            If the file is not a trial log.
        """
        if not kind or n < 0:
            raise InputError("not a trial", field="kind, n", value=f"{kind!r}, {n}", rule="a kind and n ≥ 0")
        text = what if isinstance(what, str) else _json(what)
        known = None if sharpe is None or not math.isfinite(sharpe) else float(sharpe) + 0.0
        at = time.time_ns() if at_ns is None else at_ns
        with self._writing() as db:
            last = db.execute("SELECT seq, hash FROM trial ORDER BY seq DESC LIMIT 1").fetchone()
            seq, before = (last[0] + 1, last[1]) if last else (1, GENESIS)
            row = (seq, at, kind, scope, text, known, n, _json(detail or {}))
            db.execute("INSERT INTO trial VALUES (?,?,?,?,?,?,?,?,?)", (*row, _chain(before, row)))
        return _trial(row)

    def rows(self, kind: str | None = None, *, scope: str | None = None) -> list[Trial]:
        """Return the trials, oldest first; empty where none was made yet."""
        if not self.path.is_file():
            return []
        asked = "(:kind IS NULL OR kind = :kind) AND (:scope IS NULL OR scope = :scope)"
        sql = f"SELECT {COLUMNS} FROM trial WHERE {asked} ORDER BY seq"
        with _outside(self.path), closing(self._connect()) as db:
            return [_trial(row) for row in db.execute(sql, {"kind": kind, "scope": scope})]

    def distinct(self, kind: str | None = None, *, scope: str | None = None) -> list[Trial]:
        """Return each different trial once, its first run: looking again at a result tries nothing new."""
        first: dict[tuple[str, str, str], Trial] = {}
        for trial in self.rows(kind, scope=scope):
            first.setdefault((trial.kind, trial.scope, trial.what), trial)
        return list(first.values())

    def count(self, kind: str | None = None, *, scope: str | None = None) -> int:
        """Return how many different trials were made."""
        return len(self.distinct(kind, scope=scope))

    def sharpes(self, kind: str | None = None, *, scope: str | None = None) -> list[float]:
        """Return the known Sharpe ratios per observation of the different trials."""
        return [t.sharpe for t in self.distinct(kind, scope=scope) if t.sharpe is not None]

    def verify(self) -> tuple[int, str]:
        """Recompute the chain; return (rows, hash of the last) or raise.

        Raises
        ------
        CorruptError
            Naming the first row that is not what was written.
        """
        if not self.path.is_file():
            return 0, GENESIS.hex()
        with _outside(self.path), closing(self._connect()) as db:
            if dict(db.execute("SELECT name, sql FROM sqlite_schema")) != SCHEMA:
                raise self._damaged(0, "its table or its guards were changed")
            seq, before = 0, GENESIS
            for row in db.execute(f"SELECT {COLUMNS} FROM trial ORDER BY seq"):
                if row[0] != seq + 1:
                    raise self._damaged(seq + 1, "it is missing")
                if _chain(before, row[:8]) != row[8]:
                    raise self._damaged(row[0], "its bytes do not match its hash")
                seq, before = row[0], row[8]
        return seq, before.hex()

    def _damaged(self, row: int, reason: str) -> CorruptError:
        return CorruptError(
            f"{self.path}: trial {row}: {reason}; way out: keep the file as evidence and restore a backup"
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _outside(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db:
                db.execute("PRAGMA synchronous=FULL")
                db.execute("BEGIN IMMEDIATE")
                if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                    for sql in SCHEMA.values():
                        db.execute(sql)
                yield db
                db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None, timeout=WAIT_S)


@contextmanager
def _outside(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "malformed" in text or "not a database" in text or "no such table" in text:
            raise CorruptError(f"{path}: {text}; way out: restore a backup of the trial log") from error
        raise OutsideError(f"{path}: {text}; way out: free space or rights there, then try again") from error
    except OSError as error:
        raise OutsideError(f"{path}: {error.strerror or error}; way out: choose another MIA_HOME") from error


def _chain(before: bytes, row: tuple[Any, ...]) -> bytes:
    # Canonical JSON of all columns: lengths are delimited by the quoting, so nothing moves between columns.
    return hashlib.sha256(before + json.dumps(row, separators=(",", ":")).encode()).digest()


def _trial(row: tuple[Any, ...]) -> Trial:
    return Trial(*row[:7], detail=json.loads(row[7]))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
