"""Keep what must survive, and write before anything leaves.

One journal per trading day (`data/journal/guardian/guardian-<day>.sqlite`), hash-chained, committed and
flushed before every send. A `state` record holds everything; `send`, `venue` and `supposed` records after it
are replayed on top at a restart, in the order they were taken, so a kill at any moment loses nothing that left
or was heard and journalled. What was heard and not yet journalled is asked of the venue again.

Where the disk is full, what reduces exposure is written into a file whose room was taken at the start
(`guardian.emergency`), so that a flatten never waits for space.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mia_kernel.adapters.journal import JournalWriter, outside
from mia_kernel.adapters.journal_reader import records_since
from mia_kernel.core.errors import CorruptError, OutsideError
from mia_kernel.core.orders import OrderReport, PlaceBracket
from mia_kernel.core.venue import (
    Cancel,
    Commission,
    Fill,
    Holding,
    Instruction,
    Link,
    Modify,
    Place,
    Snapshot,
    Trouble,
    VenueEvent,
    VenueOrder,
)
from mia_kernel.execution.truth import TruthState
from mia_kernel.risk.law import Figures

STATE, SEND, VENUE, SUPPOSED, EVENT, HALTED = "state", "send", "venue", "supposed", "guardian", "halted"
TOLD = "told"
SPARE, SPARE_BYTES = "guardian.emergency", 262_144
AGAIN_S = 1.0
_INSTRUCTIONS: dict[str, Any] = {c.__name__: c for c in (Place, Modify, Cancel)}
_EVENTS: dict[str, Any] = {
    c.__name__: c for c in (VenueOrder, Fill, Commission, Trouble, Link, Holding, Snapshot)
}


@dataclass(slots=True)
class Kept:
    """Everything of the guardian that outlives a restart; arming does not."""

    truth: TruthState = field(default_factory=TruthState)
    figures: Figures = field(default_factory=Figures)
    memory: bytes = b""
    intents: list[str] = field(default_factory=list[str])
    base_usd: str = ""
    halt_reason: str = ""
    drill_ts: int | None = None
    queries: int = 0
    reports: list[OrderReport] = field(default_factory=list[OrderReport])


@dataclass(frozen=True, slots=True)
class Sent:
    """One `send` record: what left, for which wish."""

    intent_id: str
    why: str
    reference_ticks: float | None
    instructions: tuple[Instruction, ...]
    bracket: PlaceBracket | None


@dataclass(frozen=True, slots=True)
class Halted:
    """A kill switch that was pulled while the journal could not be written: the memory of the limits, and why."""

    memory: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Supposed:
    """What silence or a refused send means: refs whose outcome is unknown, cancellations that never left."""

    unknown: tuple[str, ...] = ()
    not_cancelled: tuple[tuple[str, int], ...] = ()  # ref, perm_id


@dataclass(frozen=True, slots=True)
class Compared:
    """A snapshot as it was compared: when it had been asked for, and the marks in ticks by symbol."""

    snapshot: Snapshot
    asked_ts: int
    marks: dict[str, int]


@dataclass(frozen=True, slots=True)
class Past:
    """What the newest journal holds: a state and what happened after it, in order."""

    kept: Kept
    since: tuple[tuple[str, int, Any], ...]


class Book:
    """The guardian's journals.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: JournalWriter | None = None
        self._spare: Spare | None = None
        self._failed_at = 0.0
        self._heard: list[tuple[str, int, Any]] = []
        self.day = 0

    @property
    def open(self) -> bool:
        """Whether a journal is open for writing."""
        return self._writer is not None

    def wall_ns(self) -> int:
        """Return the wall clock, for a guardian without a venue."""
        return time.time_ns()

    def past(self) -> Past:
        """Return what the newest journal holds, and what had to be written beside it.

        Raises
        ------
        CorruptError
            If it does not verify: nothing may be armed on a broken memory.
        """
        spare = read_spare(self.folder / SPARE)
        for path in sorted(self.folder.glob("guardian-*.sqlite"), reverse=True):
            if rows := records_since(path, STATE):
                return self._read(path, [*rows, *spare])
        return Past(Kept(), ())

    def _read(self, path: Path, rows: list[tuple[str, int, dict[str, Any]]]) -> Past:
        try:
            kept = msgspec.convert(rows[0][2], Kept, strict=False)
            since: list[tuple[str, int, Any]] = []
            for kind, ts, payload in rows[1:]:
                if kind == SEND:
                    since.append((kind, ts, _sent_of(payload)))
                elif kind == VENUE:
                    since.append((kind, ts, _event_of(payload)))
                elif kind == SUPPOSED:
                    since.append((kind, ts, msgspec.convert(payload, Supposed, strict=False)))
                elif kind == HALTED:
                    since.append((kind, ts, msgspec.convert(payload, Halted, strict=False)))
        except (msgspec.MsgspecError, KeyError) as error:
            raise CorruptError(
                f"{path}: the guardian's state cannot be read ({error}); "
                "way out: keep the file as evidence and follow docs/runbook.md"
            ) from None
        return Past(kept, tuple(since))

    def turn_to(self, day: int, kept: Kept, ts: int) -> None:
        """Open the journal of a trading day and begin it with the state, unless it is open."""
        if self._writer is not None and day == self.day:
            return
        self.close()
        self._writer = JournalWriter(self.folder / f"guardian-{day}.sqlite", live=True)
        self.day = day
        self.state(kept, ts)
        if self._spare is None:
            self._spare = Spare(self.folder / SPARE)
        self._spare.clear()

    def state(self, kept: Kept, ts: int) -> None:
        """Write everything down, durably."""
        self._write([(STATE, msgspec.to_builtins(kept))], ts)
        if self._spare is not None and self._spare.used:
            self._spare.clear()

    def before_send(self, sent: Sent, ts: int) -> None:
        """Write down what is about to leave. Returns only when the record is durable.

        Raises
        ------
        OutsideError
            If the disk refuses: then nothing may leave.
        """
        self._write([(SEND, _send_payload(sent))], ts)

    def heard(self, event: VenueEvent | Compared | Supposed, ts: int) -> None:
        """Take down what the venue said, or is taken to mean: durable with the next record, or by `settle`."""
        if isinstance(event, Supposed):
            self._heard.append((SUPPOSED, ts, msgspec.to_builtins(event)))
        elif isinstance(event, Compared):
            said = {"event": [Snapshot.__name__, event.snapshot]}
            self._heard.append((VENUE, ts, {**said, "asked_ts": event.asked_ts, "marks": event.marks}))
        else:
            self._heard.append((VENUE, ts, {"event": [type(event).__name__, event]}))

    def told(self, reports: Sequence[OrderReport], ts: int) -> None:
        """Take down what the engine is about to be told, durable with what it was made of."""
        self._heard += [(TOLD, ts, msgspec.to_builtins(report)) for report in reports]

    def told_since(self, number: int) -> list[OrderReport]:
        """Return the reports above a number, from as many journals as it takes; the first may be later.

        Raises
        ------
        CorruptError
            If a journal does not verify.
        """
        found: list[OrderReport] = []
        for path in sorted(self.folder.glob("guardian-*.sqlite"), reverse=True):
            rows = [payload for kind, _, payload in records_since(path, None) if kind == TOLD]
            found = [*msgspec.convert(rows, list[OrderReport], strict=False), *found]
            if found and found[0].seq <= number + 1:
                break
        return [report for report in found if report.seq > number]

    @property
    def unsettled(self) -> bool:
        """Whether something was heard that is not durable yet."""
        return bool(self._heard)

    def settle(self) -> None:
        """Make durable what was heard and is not yet."""
        if self._heard:
            self._write([], 0)

    def note(self, ts: int, what: str, **facts: Any) -> None:
        """Write down an act of a person or of a limit."""
        self._write([(EVENT, {"what": what, **facts})], ts)

    def emergency(self, sent: Sent, ts: int) -> bool:
        """Write down what reduces exposure into the room kept for it; False if even that fails."""
        if self._spare is None:
            return False
        line = msgspec.json.encode([SEND, ts, msgspec.to_builtins(_send_payload(sent))])
        return self._spare.append(line)

    def emergency_halt(self, halted: Halted, ts: int) -> bool:
        """Write down in the same room that trading is halted; False if even that fails."""
        return self._spare is not None and self._spare.append(msgspec.json.encode([HALTED, ts, halted]))

    def _write(self, rows: list[tuple[str, Any]], ts: int) -> None:
        """Append what was heard and `rows`, and commit.

        After a failure the file is opened anew, whose chain is checked, once a second.
        """
        heard, self._heard = self._heard, []
        if self._writer is None:
            if not self.day:
                return
            if time.monotonic() - self._failed_at < AGAIN_S:
                raise OutsideError(f"{self.folder}: the journal could not be written a moment ago")
            self._reopen()
        writer = self._writer
        if writer is None:
            return
        try:
            for kind, at, payload in (*heard, *((kind, ts, payload) for kind, payload in rows)):
                writer.append_record(kind, at, payload)
            writer.commit()
        except OutsideError:
            self._failed_at = time.monotonic()
            writer.abandon()
            self._writer = None
            raise

    def _reopen(self) -> None:
        try:
            self._writer = JournalWriter(self.folder / f"guardian-{self.day}.sqlite", live=True)
        except OutsideError:
            self._failed_at = time.monotonic()
            raise

    def close(self) -> None:
        """Close the open journal; its chain stays as it is."""
        with suppress(OutsideError):  # the venue tells it again
            self.settle()
        if self._writer is not None:
            self._writer.close(None)
            self._writer = None


class Spare:
    """A file whose room is taken at the start, so that a few lines can be made durable on a full disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        with outside(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.stat().st_size < SPARE_BYTES:
                path.write_bytes(bytes(SPARE_BYTES))

    @property
    def used(self) -> bool:
        """Whether it holds lines."""
        return self._at > 0

    def clear(self) -> None:
        """Forget what it holds: the journal has it now."""
        with outside(self.path), self.path.open("r+b") as stream:
            stream.write(bytes(SPARE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        self._at = 0

    def append(self, line: bytes) -> bool:
        """Write a line durably; False if it does not fit or the disk refuses even this."""
        if self._at + len(line) + 1 > SPARE_BYTES:
            return False
        row = line + b"\n"
        try:
            with self.path.open("r+b", buffering=0) as stream:
                stream.seek(self._at)
                wrote = stream.write(row)
                if wrote != len(row):  # half a line would end the next start
                    stream.seek(self._at)
                    stream.write(bytes(wrote or 0))
                os.fsync(stream.fileno())
        except OSError:
            return False
        if wrote != len(row):
            return False
        self._at += len(line) + 1
        return True


def read_spare(path: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """Return the lines of a spare file that was not cleared."""
    if not path.exists():
        return []
    out: list[tuple[str, int, dict[str, Any]]] = []
    for line in path.read_bytes().split(b"\0", 1)[0].splitlines():
        try:
            kind, ts, payload = msgspec.json.decode(line, type=tuple[str, int, dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptError(
                f"{path}: {error}; way out: keep the file as evidence and follow docs/runbook.md"
            ) from None
        out.append((kind, ts, payload))
    return out


def _send_payload(sent: Sent) -> dict[str, Any]:
    return {
        "intent_id": sent.intent_id,
        "why": sent.why,
        "reference_ticks": sent.reference_ticks,
        "instructions": [[type(i).__name__, i] for i in sent.instructions],
        "bracket": sent.bracket,
    }


def _sent_of(payload: dict[str, Any]) -> Sent:
    return Sent(
        payload["intent_id"],
        payload["why"],
        payload["reference_ticks"],
        tuple(msgspec.convert(body, _INSTRUCTIONS[name]) for name, body in payload["instructions"]),
        msgspec.convert(payload["bracket"], PlaceBracket) if payload["bracket"] else None,
    )


def _event_of(payload: dict[str, Any]) -> VenueEvent | Compared:
    name, body = payload["event"]
    event = msgspec.convert(body, _EVENTS[name], strict=False)
    if "asked_ts" not in payload:
        return event
    return Compared(event, payload["asked_ts"], msgspec.convert(payload["marks"], dict[str, int]))
