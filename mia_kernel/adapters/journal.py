"""The journal's writer: append-only, hash-chained, one writer per file.

How it moves: a live journal is opened under its own name (WAL, `synchronous=FULL`, grouped commits), a
replay's is written to `<name>.partial` without any syncing and gets its name only when it is complete, so a
reader never meets half a replay. A lock file holds a second writer off. Any number of readers
(`journal_reader`) may read while a live writer runs.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mia_kernel.adapters import journal_record as record
from mia_kernel.adapters.journal_reader import Head, JournalReader, verify
from mia_kernel.core.decisions import Decision
from mia_kernel.core.errors import CorruptError, InvariantError, OutsideError
from mia_kernel.core.orders import OrderReport, RoundTrip

__all__ = ["Head", "JournalReader", "JournalWriter", "verify"]

MEMORY = ":memory:"
GROUP_S = 0.25
"""A live writer commits at most this often; a crash loses at most this much of the decision record."""

ROOM = "way out: make room or get the rights on that disk, then run again"
BARS_PER_ROW = 4096
BATCH_ROWS = 512
"""Decision rows handed to SQLite in one call."""


class JournalWriter:
    """Write one process's journal.

    Parameters
    ----------
    path : str or Path
        The file, or `":memory:"` for a journal that lives as long as the writer.
    live : bool
        True: durable under its own name, continued if it exists. False: fast, named on `close`.

    Raises
    ------
    OutsideError
        If another writer holds the file, the disk is full or the folder cannot be written. What was there
        before is unchanged.
    CorruptError
        If an existing live journal does not verify.
    """

    def __init__(self, path: str | Path, *, live: bool) -> None:
        self.path = path if path == MEMORY else Path(path)
        self.live = live
        self.rows = 0
        self.counts: dict[str, int] = {}
        self._pending: list[record.Row] = []
        self._hash = record.GENESIS
        self._run_open = False
        self._lock: sqlite3.Connection | None = None
        self._file: str | Path = MEMORY
        if isinstance(self.path, Path):
            self._file = self.path if live else self.path.with_name(self.path.name + ".partial")
            with outside(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(self.path)
        self._db = sqlite3.connect(MEMORY)
        try:
            self._open()
        except BaseException:
            self._db.close()
            self._release()
            raise

    def _open(self) -> None:
        if not self.live and isinstance(self._file, Path):
            with outside(self.path):
                _remove(self._file)
        with outside(self.path):
            self._db.close()
            self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA journal_mode={'WAL' if self.live else 'OFF'}")
            self._db.execute(f"PRAGMA synchronous={'FULL' if self.live else 'OFF'}")
            # A crash before the first commit leaves a file without tables: that is a new journal.
            if self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                self._db.execute("BEGIN IMMEDIATE")
                for sql in record.SCHEMA.values():
                    self._db.execute(sql)
                self._db.execute("COMMIT")
            elif isinstance(self._file, Path):
                self._continue(self._file)
        self._committed = time.monotonic()

    def _continue(self, file: Path) -> None:
        found = verify(file)
        if not found.ok:
            raise CorruptError(
                f"{self.path}: row {found.first_bad} is not what was written ({found.reason}); "
                "way out: keep the file as evidence, move it away and restore the last backup"
            )
        self.rows, self._hash = found.head.seq, bytes.fromhex(found.head.hash)

    @property
    def head(self) -> Head:
        """Number and hash of the last row: publish it, and a cut tail can be proved."""
        return Head(self.rows, self._hash.hex())

    def open_run(self, header: Mapping[str, Any]) -> None:
        """Write the run's header: names, weights and fingerprints that its decision rows do not repeat."""
        missing = [key for key in record.REQUIRED_HEADER if key not in header]
        if missing:
            raise InvariantError(f"a run header needs {', '.join(missing)}")
        self._run_open = True
        self.counts = {}
        self._record(record.HEADER, int(header.get("ts_event") or 0), {"format": record.FORMAT, **header})
        self.commit()

    def append(self, decisions: Sequence[Decision]) -> None:
        """Chain decisions onto the journal."""
        if not self._run_open:
            raise InvariantError("the journal has no open run: call open_run before append")
        digest, seq, pending = self._hash, self.rows, self._pending
        for decision in decisions:
            seq += 1
            row = record.decision_row(seq, decision)
            digest = record.chain(digest, seq, record.decision_payload(row))
            pending.append((*row, digest))
        self._hash, self.rows = digest, seq
        self.counts["decision"] = self.counts.get("decision", 0) + len(decisions)
        if len(pending) >= BATCH_ROWS:
            self._flush()
        self._group()

    def append_reports(self, reports: Sequence[OrderReport]) -> None:
        """Chain what the venue said."""
        for report in reports:
            self._record(record.REPORT, report.ts_event, report)
        self._group()

    def append_round_trips(self, trips: Sequence[RoundTrip]) -> None:
        """Chain closed positions."""
        for trip in trips:
            self._record(record.ROUND_TRIP, trip.exit_ts, trip)
        self._group()

    def append_bars(self, bars: Any) -> None:
        """Chain closed bars (a structured array with a field `end`), so that a page can draw the day."""
        for at in range(0, len(bars), BARS_PER_ROW):
            part = bars[at : at + BARS_PER_ROW]
            self._record(record.BARS, int(part["end"][-1]), record.packed_array(part))
        self._group()

    def append_record(self, kind: str, ts_event: int, payload: Any) -> None:
        """Chain any other fact (a data verdict, an operator command) as JSON under a kind of its own."""
        self._record(kind, ts_event, payload)
        self._group()

    def append_records(self, rows: Iterable[tuple[str, int, Any]]) -> None:
        """Chain several such facts: kind, event time, payload each."""
        for kind, ts_event, payload in rows:
            self.append_record(kind, ts_event, payload)

    def commit(self) -> None:
        """Make everything so far readable by others; in a live journal also durable."""
        self._flush()
        with outside(self.path):
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        self._committed = time.monotonic()

    def close(self, trailer: Mapping[str, Any] | None = None) -> Head:
        """Write the trailer (None: the run did not end by itself), name the file, return the head."""
        if trailer is not None:
            body = {"counts": dict(self.counts), "rows": self.rows + 1, **trailer}
            self._record(record.TRAILER, int(trailer.get("ts_event") or 0), body)
        try:
            self.commit()
            if isinstance(self._file, Path):
                self._finish(self._file)
        except BaseException:
            self.abandon()
            raise
        self._run_open = False
        self._release()
        return self.head

    def abandon(self) -> None:
        """Give up: an unfinished replay leaves no file, a live journal keeps what was committed."""
        with suppress(sqlite3.Error):
            self._db.close()
        if not self.live and isinstance(self._file, Path):
            _remove(self._file)
        self._run_open = False
        self._release()

    def reader(self) -> JournalReader:
        """Return a reader on this writer's own connection (the only way to read a journal in memory)."""
        self.commit()
        return JournalReader(self.path, connection=self._db)

    def _finish(self, file: Path) -> None:
        with outside(self.path):
            if self.live:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                with suppress(sqlite3.OperationalError):  # a reader is open: the file then stays in WAL mode
                    self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.close()
            if not self.live:
                _sync(file)
                os.replace(file, self.path)

    def _record(self, kind: str, ts_event: int, payload: Any) -> None:
        self._flush()
        text = record.to_json(payload)
        seq = self.rows + 1
        digest = record.chain(self._hash, seq, record.record_payload(seq, kind, ts_event, text))
        with outside(self.path):
            self._begin()
            self._db.execute(record.INSERT_RECORD, (seq, kind, ts_event, text, digest))
        self._hash, self.rows = digest, seq
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _flush(self) -> None:
        if not self._pending:
            return
        with outside(self.path):
            self._begin()
            self._db.executemany(record.INSERT_DECISION, self._pending)
        self._pending.clear()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _group(self) -> None:
        if self.live and time.monotonic() - self._committed >= GROUP_S:
            self.commit()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            if not self.live:
                _remove(_lock_path(Path(self.path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()
        elif self._run_open:
            self.close(None)


@contextmanager
def outside(path: str | Path) -> Iterator[None]:
    """Turn what disk and SQLite say into our tree: damage is CorruptError, all else OutsideError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "malformed" in text or "not a database" in text:
            raise CorruptError(f"{path}: {text}; way out: restore the last backup of this journal") from error
        raise OutsideError(
            f"{path}: {text}; way out: free space or rights on that disk, then run again"
        ) from error
    except OSError as error:
        raise OutsideError(f"{path}: {error.strerror or error}; {ROOM}") from error


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _hold(path: Path) -> sqlite3.Connection:
    # An exclusive SQLite transaction is a lock that every system gives back when its process dies.
    with outside(path):
        lock = sqlite3.connect(_lock_path(path), isolation_level=None, timeout=0, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        raise OutsideError(
            f"{path}: another process writes this journal; way out: end it or choose another --journal"
        ) from error
    return lock


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
