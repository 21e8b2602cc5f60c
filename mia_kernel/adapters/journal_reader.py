"""The journal's reader: verify the chain, rebuild decisions, hand out tables.

Any number of readers may be open while a writer runs; each opens the file read-only. Nothing here writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mia_kernel.adapters import journal_record as record
from mia_kernel.core.decisions import CONTEXT_NAMES, Decision, FeatureVector, Score, decision_of
from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from mia_kernel.core.orders import OrderReport, RoundTrip


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the last row of a journal."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Answer of `verify`: `complete` = the last run was closed, `first_bad` = the first wrong row."""

    ok: bool
    rows: int
    head: Head
    complete: bool
    first_bad: int | None
    reason: str


def verify(path: str | Path, *, head: Head | None = None) -> Verification:
    """Recompute the chain of a journal from its stored columns.

    Parameters
    ----------
    path : str or Path
    head : Head, optional
        The last published head. With it a cut tail is found too.

    Returns
    -------
    Verification
        `ok` False with the first bad row, never an exception for damage inside the file.
    """
    try:
        with closing(_connect(path)) as db:
            return _walk(db, head)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return Verification(
            False, 0, Head(0, record.GENESIS.hex()), False, 1, f"the file is unreadable: {error}"
        )


def _walk(db: sqlite3.Connection, head: Head | None) -> Verification:
    seq, digest, kind, known = 0, record.GENESIS, "", head is None

    def bad(reason: str) -> Verification:
        return Verification(False, seq, Head(seq, digest.hex()), False, seq + 1, reason)

    try:
        schema = dict(db.execute("SELECT name, sql FROM sqlite_schema"))
        if schema != record.SCHEMA:
            return bad("the table definitions were changed")
        for row, payload in _stored(db):
            if row[0] != seq + 1:
                return bad(
                    f"row {seq + 1} is missing" if row[0] > seq + 1 else f"row {row[0]} is stored twice"
                )
            following = record.chain(digest, row[0], payload)
            if following != row[-1]:
                return bad("its bytes do not match its hash")
            seq, digest, kind = row[0], following, row[1] if isinstance(row[1], str) else "decision"
            known = known or (head is not None and (seq, digest.hex()) == (head.seq, head.hash))
    except (sqlite3.Error, UnicodeDecodeError, ValueError, TypeError, AttributeError) as error:
        # A damaged page shows as SQLite's own complaint, damaged text or a value of another type.
        return bad(f"it cannot be read: {error}")
    except record.PackError as error:
        return bad(f"a value left its range: {error}")
    if not known:
        return bad(
            f"the published head (row {head.seq if head else 0}) is not in the file: rows were cut off"
        )
    return Verification(True, seq, Head(seq, digest.hex()), kind == record.TRAILER, None, "")


def _stored(db: sqlite3.Connection) -> Iterator[tuple[record.Row, bytes]]:
    """Yield rows of both tables in one numbering, each with the payload its hash must cover."""
    records, decisions = iter(db.execute(record.SELECT_RECORD)), iter(db.execute(record.SELECT_DECISION))
    left, right = next(records, None), next(decisions, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            yield left, record.record_payload(*left[:4])  # type: ignore[misc]
            left = next(records, None)
        else:
            yield right, record.decision_payload(right[:21])
            right = next(decisions, None)


def records_since(path: str | Path, kind: str | None) -> list[tuple[str, int, dict[str, Any]]]:
    """Return (kind, ts_event, payload) of every record from the last of `kind` on; empty where there is none.

    None returns all records.

    Raises
    ------
    CorruptError
        If the journal does not verify.
    """
    found = verify(path)
    if not found.ok:
        raise CorruptError(
            f"{path}: row {found.first_bad} is not what was written ({found.reason}); "
            "way out: keep the file as evidence, move it away and restore the last backup"
        )
    db = _connect(path)
    try:
        sql = (
            "SELECT kind, ts_event, payload FROM record "
            "WHERE :kind IS NULL OR seq >= (SELECT max(seq) FROM record WHERE kind = :kind) ORDER BY seq"
        )
        return [(row[0], row[1], json.loads(row[2])) for row in db.execute(sql, {"kind": kind})]
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise CorruptError(f"{path}: {error}; way out: restore the last backup of this journal") from error
    finally:
        db.close()


class JournalReader:
    """Read one run of a journal.

    Parameters
    ----------
    path : str or Path
    run : int, default -1
        Which run of the file, in order of opening; the last by default.
    connection : sqlite3.Connection, optional
        A writer's own connection, for a journal in memory.

    Raises
    ------
    InputError
        If the file does not exist, holds no run or was written in another format.
    CorruptError
        If a row that is read does not decode; the message names it. `verify` checks all rows.
    """

    def __init__(
        self, path: str | Path, *, run: int = -1, connection: sqlite3.Connection | None = None
    ) -> None:
        self.path = path
        self._own = connection is None
        self._db = _connect(path) if connection is None else connection
        rows = self._rows("SELECT seq, payload FROM record WHERE kind = 'header' ORDER BY seq")
        if not rows:
            raise InputError(
                "the journal holds no run", path=str(path), way_out="run `mia replay` or `mia run` first"
            )
        if not -len(rows) <= run < len(rows):
            raise InputError(
                "no such run", path=str(path), field="run", value=run, rule=f"0 to {len(rows) - 1}"
            )
        at = run % len(rows)
        self._first = rows[at][0]
        self._last = rows[at + 1][0] - 1 if at + 1 < len(rows) else 2**62
        self.header: dict[str, Any] = self._json(*rows[at])
        if self.header.get("format") != record.FORMAT:
            raise InputError(
                "a journal of another version", path=str(path), field="format", value=self.header.get("format"),
                rule=record.FORMAT, way_out="read it with the MIA that wrote it",
            )  # fmt: skip
        self.names: tuple[str, ...] = tuple(self.header["names"])
        self.gate_codes: tuple[str, ...] = tuple(self.header["gate_codes"])
        self.context_names: tuple[str, ...] = tuple(self.header.get("context_names", CONTEXT_NAMES))

    @property
    def trailer(self) -> dict[str, Any] | None:
        """The closing record of the run, None while it runs or if it never ended by itself."""
        found = self.records(record.TRAILER)
        return found[-1] if found else None

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the JSON payloads of one kind, oldest first."""
        sql = "SELECT seq, payload FROM record WHERE kind = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        return [self._json(*row) for row in self._rows(sql, (kind, self._first, self._last))]

    def round_trips(self) -> list[RoundTrip]:
        """Return the closed positions of the run."""
        return [msgspec.convert(x, RoundTrip) for x in self.records(record.ROUND_TRIP)]

    def reports(self) -> list[OrderReport]:
        """Return everything the venue said."""
        return [msgspec.convert(x, OrderReport) for x in self.records(record.REPORT)]

    def bars(self) -> Any:
        """Return the closed bars of the run as a structured array, None where none were stored."""
        parts = self.records(record.BARS)
        try:
            return np.concatenate([record.unpacked_array(part) for part in parts]) if parts else None
        except (ValueError, KeyError, record.zlib.error) as error:
            raise CorruptError(f"{self.path}: stored bars do not decode: {error}") from error

    def decisions(self, start_ts: int | None = None, stop_ts: int | None = None) -> Iterator[Decision]:
        """Yield the decisions with `start_ts` ≤ ts_event < `stop_ts`, exactly as they were written."""
        low, high = -(2**62) if start_ts is None else start_ts, 2**62 if stop_ts is None else stop_ts
        sql = (
            "SELECT * FROM decision WHERE seq BETWEEN ? AND ? AND ts_event >= ? AND ts_event < ? ORDER BY seq"
        )
        for row in self._rows(sql, (self._first, self._last, low, high)):
            yield self._decision(row)

    def opined(self, model_id: str) -> list[int]:
        """Return when a model gave an opinion on a signal, ns UTC."""
        sql = (
            "SELECT ts_event FROM decision WHERE seq BETWEEN ? AND ? AND instr(detail, ?) > 0 "
            "AND json_extract(detail, '$.opinion.model_id') = ? "
            "AND json_extract(detail, '$.opinion.probability') IS NOT NULL ORDER BY seq"
        )
        return [row[0] for row in self._rows(sql, (self._first, self._last, model_id, model_id))]

    def tail(self, count: int = 10) -> list[Decision]:
        """Return the last `count` decisions, oldest first."""
        sql = "SELECT * FROM decision WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?"
        return [self._decision(row) for row in reversed(self._rows(sql, (self._first, self._last, count)))]

    def columns(self, start_ts: int = -(2**62)) -> dict[str, Any]:
        """Return the run's decisions from an instant on (default all) as arrays.

        Returns
        -------
        dict
            One array of length n per fixed column; `value`, `quality`, `contribution`, `weight` of shape
            (n, n_names), `status` int8 of the same shape, `gate_outcome` (int8), `gate_required`,
            `gate_actual` of shape (n, n_gates), `context` of shape (n, n_context), `detail` a list of dict.
            Unknown is NaN.
        """
        rows = self._rows(
            "SELECT * FROM decision WHERE seq BETWEEN ? AND ? AND ts_event >= ? ORDER BY seq",
            (self._first, self._last, start_ts),
        )
        fixed = list(zip(*[row[1:11] for row in rows], strict=True)) or [()] * 10
        out: dict[str, Any] = {}
        for name, column in zip(FIXED_NAMES, fixed, strict=True):
            out[name] = np.array(column, np.float64 if name in REAL_NAMES else np.int64)
        widths = [len(self.names)] * 5 + [len(self.gate_codes)] * 3 + [len(self.context_names)]
        for at, (name, width) in enumerate(zip(BLOB_NAMES, widths, strict=True), start=11):
            dtype = np.int8 if name in ("status", "gate_outcome") else np.float64
            joined = np.frombuffer(b"".join(row[at] for row in rows), dtype)
            if len(joined) != len(rows) * width:
                joined = self._ragged(rows, at, width, dtype)
            out[name] = joined.reshape(len(rows), width)
        out["detail"] = [self._json(row[0], row[20]) for row in rows]
        return out

    def _ragged(self, rows: list[record.Row], at: int, width: int, dtype: type) -> Any:
        # Only the context may be missing from a row; its absence is NaN.
        missing = np.full(width, np.nan).astype(dtype)
        for row in rows:
            if len(row[at]) not in (0, width * np.dtype(dtype).itemsize):
                raise CorruptError(
                    f"{self.path}: row {row[0]} holds {len(row[at])} bytes where {width} values belong"
                )
        return np.concatenate([np.frombuffer(row[at], dtype) if row[at] else missing for row in rows])

    def _decision(self, row: record.Row) -> Decision:
        try:
            blobs = [_array(blob, i in (2, 5)) for i, blob in enumerate(row[11:20])]
            value, quality, status, contribution, weight, outcome, required, actual, context = blobs
            detail = self._json(row[0], row[20])
            reals = [float("nan") if x is None else x for x in row[5:9]]
            return decision_of(
                sequence=row[1],
                event_sequence=row[2],
                price_ticks=row[4],
                vector=FeatureVector(self.names, value, quality, status, row[3]),
                score=Score(*reals, grade=row[9], side=row[10], contributions=contribution, weights=weight),
                signal=record.signal_of(detail),
                gate_outcome=outcome,
                gate_required=required,
                gate_actual=actual,
                verdict=record.verdict_of(detail),
                intents=record.intents_of(detail),
                fills=record.fills_of(detail),
                context=context if len(context) else None,
                opinion=record.opinion_of(detail),
            )
        except (ValueError, TypeError, KeyError, OverflowError, msgspec.ValidationError) as error:
            raise CorruptError(f"{self.path}: row {row[0]} does not decode: {error}") from error

    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[record.Row]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            found = verify(self.path) if self._own else None
            where = f" (first bad row {found.first_bad})" if found and not found.ok else ""
            raise CorruptError(
                f"{self.path}: {error}{where}; way out: restore the last backup of this journal"
            ) from error

    def _json(self, seq: int, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise CorruptError(f"{self.path}: row {seq} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise CorruptError(f"{self.path}: row {seq} is not a JSON object")
        return value

    def close(self) -> None:
        """Close the file."""
        if self._own:
            self._db.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


FIXED_NAMES = (
    "sequence",
    "event_sequence",
    "ts_event",
    "price_ticks",
    "total",
    "percent",
    "coverage",
    "quality_total",
    "grade",
    "side",
)
REAL_NAMES = frozenset(("total", "percent", "coverage", "quality_total"))
BLOB_NAMES = (
    "value",
    "quality",
    "status",
    "contribution",
    "weight",
    "gate_outcome",
    "gate_required",
    "gate_actual",
    "context",
)


def _array(blob: bytes, small: bool) -> Any:
    return np.frombuffer(blob, np.int8 if small else np.float64)


def _connect(path: str | Path) -> sqlite3.Connection:
    path = Path(path)
    if not path.exists():
        raise InputError(
            "no such journal",
            path=str(path),
            way_out="see `mia journal` or the summary of a run for its path",
        )
    try:
        return sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise OutsideError(f"{path}: {error}; way out: check the rights of that file") from error
