"""The data collector: every session as raw events and five tables, sealed into checked, immutable files.

How it moves: what the engine is about to take is first appended to a tail file (`tail`), so a killed process
loses nothing it has decided on. About once a minute the tail is sealed in a thread of its own: rows and objects
become Parquet segments of the session's store (one writer, a hash per file), the tables of the same time
beside them, and the tail is removed. `recorded` reads a session back, sealed or not.

Tables: `standard` (components, score; closed bars in `bars`), `microstructure` (book and flow measures at
every decision), `options` (views of the chain), `session` (state of feed and loop), `post_trade` (what the
venue said, closed positions). Nothing is thinned. The verdict of the rows so far (`running`, the checks of a file)
stands with every sealing and with the closing: a session carries it, however it ended.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.catalog_days import new_york_dates
from mia_kernel.adapters.catalog_stage import CONTINUOUS
from mia_kernel.adapters.columns import source_to_json, whole_rows, whole_table
from mia_kernel.adapters.quality import QualityParams
from mia_kernel.adapters.running import RunningChecks
from mia_kernel.adapters.store import Manifest, Segment, Store, outside, write_flushed
from mia_kernel.adapters.tail import TailWriter, encode, read_tail
from mia_kernel.core.errors import CorruptError, MiaError
from mia_kernel.core.events import EventArray, SourceInfo

VERSION = 1
ABOUT, EVENTS, OBJECTS, CLOSING = "session.json", "events", "objects", "closing"
TABLES = ("standard", "bars", "microstructure", "options", "session", "post_trade")
SEAL_ROWS = 500_000
SEAL_S = 60.0


@dataclass(frozen=True, slots=True)
class SessionAbout:
    """What stands once in front of a recorded session."""

    session_id: str
    mode: str
    uri: str
    source: SourceInfo
    others: tuple[SourceInfo, ...]
    declared: tuple[str, ...] | None
    calendar: tuple[tuple[int, int], ...] | None
    settings_id: str
    settings: Mapping[str, Any]
    code_version: str
    started_at: str
    notes: tuple[str, ...] = field(default=())
    guardian_reports: int | None = None
    """Number of the last report the guardian had told when the session began; the first is 1."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        value = {name: getattr(self, name) for name in self.__slots__}
        value["source"] = source_to_json(self.source)
        value["others"] = [source_to_json(other) for other in self.others]
        return {"version": VERSION, **value}


def tail_path(folder: Path, number: int) -> Path:
    """Return where the tail of a number lies."""
    return folder / f"tail-{number:08d}.bin"


class SessionRecorder:
    """Write one session's folder. Holds it for one writer until closed.

    Parameters
    ----------
    folder : Path
        `MIA_HOME/data/sessions/<session id>`; an interrupted session is continued.
    about : SessionAbout

    Raises
    ------
    OutsideError
        If another process writes there or the disk refuses.
    """

    def __init__(self, folder: Path, about: SessionAbout) -> None:
        self.folder = folder
        self.about = about
        self.rows = 0
        self._store = Store(folder)
        self._held = ExitStack()
        self._staging = self._held.enter_context(self._store.writing())
        self._tables: dict[str, list[dict[str, Any]]] = {}
        self._sealing: threading.Thread | None = None
        self._failure: BaseException | None = None
        path = folder / ABOUT
        if not path.exists():
            write_flushed(path, json.dumps(about.to_json(), indent=1).encode())
        self._checks = RunningChecks(
            QualityParams.model_validate(about.settings.get("quality", {})), sampled=about.source.carries.bars
        )
        earlier = sorted(self._store.manifests(), key=lambda manifest: manifest.import_id)
        # Rows of an interrupted session are judged with the first sealing, in its thread.
        self._unjudged = [s for m in earlier for s in m.segments if s.kind == EVENTS]
        numbers = [int(manifest.import_id.split("-")[0]) for manifest in earlier]
        numbers += [int(file.stem.split("-")[1]) for file in folder.glob("tail-*.bin")]
        self._number = max(numbers, default=0) + 1
        self._tail = TailWriter(tail_path(folder, self._number))
        for file in sorted(folder.glob("tail-*.bin"))[:-1]:
            self._seal_tail(int(file.stem.split("-")[1]), {})

    # -- while the session runs ------------------------------------------------------------------------

    def append(self, rows: EventArray, objects: Sequence[Any] = ()) -> None:
        """Record what the engine is about to take.

        Raises
        ------
        OutsideError
            If the disk refuses, now or in the last sealing: the session must stop trading.
        """
        self._raise_failure()
        self._tail.append(rows, objects)
        self.rows += len(rows)
        if self._tail.rows >= SEAL_ROWS:
            self.seal()

    def sync(self) -> None:
        """Put the record on the disk: done before every command leaves."""
        self._tail.sync()

    def add_table(self, kind: str, columns: Mapping[str, Any]) -> None:
        """Add rows to one of `TABLES`; they are written with the next sealing."""
        if kind not in TABLES:
            raise ValueError(f"no table {kind!r}; the session holds {', '.join(TABLES)}")
        self._tables.setdefault(kind, []).append(dict(columns))

    def seal(self, *, wait: bool = False) -> None:
        """Turn what was recorded so far into checked files, in the background."""
        if self._sealing is not None:
            if not wait and self._sealing.is_alive():
                return  # the disk is slower than the market: the tail simply grows until the next time
            self._sealing.join()
        self._raise_failure()
        number, self._number = self._number, self._number + 1
        full, self._tail = self._tail, TailWriter(tail_path(self.folder, self._number))
        tables, self._tables = self._tables, {}
        self._sealing = threading.Thread(
            target=self._try_seal, args=(number, tables, full), name="mia-seal", daemon=True
        )
        self._sealing.start()
        if wait:
            self._sealing.join()
            self._raise_failure()

    def close(self, closing: Mapping[str, Any]) -> None:
        """Seal the rest, write what the session ended with, let the folder go."""
        try:
            self.seal(wait=True)
            self._tail.close()
            self._tail.path.unlink()
            self._judge(None)
            told = {**closing, "verdict": self._checks.verdict().to_json()}
            write_flushed(self.folder / f"{CLOSING}.json", json.dumps(told, indent=1).encode())
        except OSError as error:
            raise outside(error, self.folder) from error
        finally:
            self._held.close()

    def abandon(self) -> None:
        """Let the folder go as it is: what was appended can be read and continued."""
        if self._sealing is not None:
            self._sealing.join()
        self._tail.close()
        self._held.close()

    # -- sealing ---------------------------------------------------------------------------------------

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _try_seal(self, number: int, tables: Mapping[str, list[dict[str, Any]]], full: TailWriter) -> None:
        """Flush, pack and publish in this thread: a slow disk must not silence the engine's beat."""
        try:
            full.close()
            self._seal_tail(number, tables)
        except (OSError, MiaError) as error:
            self._failure = outside(error, self.folder) if isinstance(error, OSError) else error

    def _seal_tail(self, number: int, tables: Mapping[str, list[dict[str, Any]]]) -> None:
        path = tail_path(self.folder, number)
        tail = read_tail(path)
        if number < self._number - 1 and tail.torn_bytes:
            pass  # a killed writer's last frame: the engine had not taken it
        elif tail.torn_bytes:
            raise CorruptError(
                f"{path}: {tail.torn_bytes} bytes after the last whole frame; what was written changed"
            )
        packed = {kind: pa.concat_tables([pa.table(part) for part in rows]) for kind, rows in tables.items()}
        parts = {kind: table for kind, table in packed.items() if len(table)}
        if len(tail.rows):
            parts[EVENTS] = whole_table(tail.rows)
        if tail.objects:
            parts[OBJECTS] = _objects_table(tail.objects)
        self._judge(tail.rows)
        if parts:
            stamps = tail.rows["ts_event"] if len(tail.rows) else np.array([0, 0], np.int64)
            segments: list[Segment] = []
            staged: dict[str, Path] = {}
            for kind, table in parts.items():
                segments.append(self._stage(number, kind, table, stamps, staged))
            manifest = Manifest(
                import_id=f"{number:08d}",
                name=self.about.session_id,
                imported_at=datetime.now(UTC).isoformat(timespec="microseconds"),
                segments=tuple(segments),
                sources=({"torn_bytes": tail.torn_bytes, "verdict": self._checks.verdict().to_json()},),
            )
            self._store.publish(manifest, staged)
        path.unlink()

    def _judge(self, rows: EventArray | None) -> None:
        earlier, self._unjudged = self._unjudged, []
        for segment in earlier:
            self._checks.add(whole_rows(pq.ParquetFile(pa.BufferReader(self._store.read(segment))).read()))
        if rows is not None and len(rows):
            self._checks.add(rows)

    def _stage(
        self, number: int, kind: str, table: pa.Table, stamps: Any, staged: dict[str, Path]
    ) -> Segment:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", compression_level=3)
        data = buffer.getvalue()
        source = self.about.source
        contract = source.contract or CONTINUOUS
        day = int(new_york_dates(np.asarray(stamps[:1], np.int64))[0])
        file = f"symbol={source.symbol}/contract={contract}/day={day}/kind={kind}/{number:08d}.parquet"
        path = self._staging / f"{number:08d}-{kind}.parquet"
        write_flushed(path, data)
        staged[file] = path
        digest = hashlib.sha256(data).hexdigest()
        return Segment(
            symbol=source.symbol,
            contract=contract,
            day=day,
            kind=kind,
            rows=len(table),
            first_ts=int(stamps.min()),
            last_ts=int(stamps.max()),
            volume=0,
            bytes=len(data),
            sha256=digest,
            content=digest,
            file=file,
            source=0,
        )


def _objects_table(objects: Sequence[Any]) -> pa.Table:
    return pa.table(
        {
            "ts_recv": pa.array([event.ts_recv for event in objects], pa.int64()),
            "seq": pa.array([event.seq for event in objects], pa.int64()),
            "event": pa.array([encode(event).decode() for event in objects], pa.string()),
        }
    )
