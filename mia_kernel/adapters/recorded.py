"""Recorded sessions: read back what the data collector wrote, list them, copy them with a check."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mia_kernel.adapters.columns import source_from_json, whole_rows
from mia_kernel.adapters.recorder import ABOUT, CLOSING, EVENTS, OBJECTS, VERSION, SessionAbout
from mia_kernel.adapters.store import MANIFESTS, Store, outside
from mia_kernel.adapters.tail import decode, read_tail
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.core.events import CALENDAR_DTYPE, Recording, SourceInfo, empty, merge_objects

SESSIONS = "sessions"


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One line of the list of sessions; `decisions` and `digest` are None while one runs or was killed."""

    session_id: str
    mode: str
    source: str
    tag: str
    started_at: str
    rows: int
    bytes: int
    decisions: int | None
    digest: str | None
    folder: str
    score: float | None
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionCopy:
    """A finished, verified copy of recorded sessions."""

    path: str
    sessions: int
    files: int
    bytes: int


def is_session(folder: Path) -> bool:
    """Return whether a folder is a recorded session."""
    return (folder / ABOUT).is_file()


def about_session(folder: Path) -> SessionAbout:
    """Return what stands in front of a session.

    Raises
    ------
    InputError
        If the folder is no session.
    CorruptError
        If its head cannot be read.
    """
    if not is_session(folder):
        raise InputError("not a recorded session", path=str(folder), way_out="`mia data sessions` lists them")
    try:
        value: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
        if value.pop("version") != VERSION:
            raise CorruptError(f"{folder}: a session of another version")
        value["source"] = source_from_json(value["source"])
        value["others"] = tuple(source_from_json(other) for other in value["others"])
        value["notes"] = tuple(value["notes"])
        for name in ("declared", "calendar"):
            value[name] = None if value[name] is None else tuple(value[name])
        return SessionAbout(**value)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{folder / ABOUT}: cannot be read ({error}); restore it from a backup") from error


def read_session(folder: Path) -> Recording:
    """Return the recording of a session, sealed and unsealed, in the order the engine took it.

    Raises
    ------
    CorruptError
        If a file does not match its hash, or one is missing.
    """
    about = about_session(folder)
    store = Store(folder)
    rows, objects, numbers = [], [], set[int]()
    for manifest in sorted(store.manifests(), key=lambda manifest: manifest.import_id):
        numbers.add(int(manifest.import_id))
        for segment in manifest.segments:
            if segment.kind not in (EVENTS, OBJECTS):
                continue
            table = pq.ParquetFile(pa.BufferReader(store.read(segment))).read()
            if segment.kind == EVENTS:
                rows.append(whole_rows(table))
            else:
                objects += [decode(text.encode()) for text in table.column("event").to_pylist()]
    for file in sorted(folder.glob("tail-*.bin")):
        if int(file.stem.split("-")[1]) not in numbers:
            tail = read_tail(file)
            rows.append(tail.rows)
            objects += tail.objects
    rows = [part for part in rows if len(part)]
    events = rows[0] if len(rows) == 1 else np.concatenate(rows) if rows else empty(0)
    calendar = (
        None if about.calendar is None else np.array([tuple(row) for row in about.calendar], CALENDAR_DTYPE)
    )
    return Recording(
        events=events,
        source=_replayed(about),
        objects=merge_objects([objects]),
        others=about.others,
        calendar=calendar,
        declared=None if about.declared is None else frozenset(about.declared),
    )


def _replayed(about: SessionAbout) -> SourceInfo:
    tag = "synthetic" if about.source.tag == "synthetic" else "replay"
    return replace(about.source, tag=tag)


def read_table(folder: Path, kind: str) -> pa.Table | None:
    """Return one of the five tables of a session, None where it holds no row."""
    store = Store(folder)
    parts = [
        pq.ParquetFile(pa.BufferReader(store.read(segment))).read()
        for manifest in sorted(store.manifests(), key=lambda manifest: manifest.import_id)
        for segment in manifest.segments
        if segment.kind == kind
    ]
    return pa.concat_tables(parts) if parts else None


def closing_of(folder: Path) -> dict[str, Any] | None:
    """Return what a session ended with, None where it was cut off."""
    path = folder / f"{CLOSING}.json"
    return json.loads(path.read_bytes()) if path.is_file() else None


def verdict_of(folder: Path) -> dict[str, Any] | None:
    """Return the verdict a session carries (`Verdict.to_json`): of its end, else of its last sealing, else None."""
    closing = closing_of(folder) or {}
    told = [m.sources[0].get("verdict") for m in Store(folder).manifests() if m.sources]
    return closing.get("verdict") or next((verdict for verdict in reversed(told) if verdict), None)


def list_sessions(data_folder: Path) -> list[SessionEntry]:
    """Return the recorded sessions, oldest first, each with the score and causes of its verdict."""
    return [_entry(folder) for folder in session_folders(data_folder)]


def session_folders(data_folder: Path) -> list[Path]:
    """Return the folders of the recorded sessions, oldest first."""
    return sorted(folder for folder in (data_folder / SESSIONS).glob("*") if is_session(folder))


def _entry(folder: Path) -> SessionEntry:
    about, closing = about_session(folder), closing_of(folder) or {}
    segments = [segment for manifest in Store(folder).manifests() for segment in manifest.segments]
    verdict = verdict_of(folder) or {}
    return SessionEntry(
        session_id=about.session_id,
        mode=about.mode,
        source=about.source.name,
        tag=about.source.tag,
        started_at=about.started_at,
        rows=sum(segment.rows for segment in segments if segment.kind == EVENTS),
        bytes=sum(segment.bytes for segment in segments),
        decisions=closing.get("decisions"),
        digest=closing.get("digest"),
        folder=str(folder),
        score=verdict.get("score"),
        causes=tuple(verdict.get("causes", ())),
    )


def verify_session(folder: Path) -> list[str]:
    """Read every file of a session against its hash; return what is wrong."""
    store = Store(folder)
    problems: list[str] = []
    try:
        manifests = store.manifests()
    except CorruptError as error:
        return [str(error)]
    for manifest in manifests:
        for segment in manifest.segments:
            try:
                store.read(segment)
            except CorruptError as error:
                problems.append(str(error))
    return problems


def backup_sessions(data_folder: Path, target: Path, only: str | None = None) -> SessionCopy:
    """Copy finished sessions, or `only` the one of that name, to `target/sessions`; read every copy back.

    A session already there is verified and kept. One that still runs, or was cut off and waits to be
    continued, is left for the next backup.

    Raises
    ------
    CorruptError
        If a session or its copy does not match its hashes.
    OutsideError
        If the disk refuses; a half copy never gets its name.
    """
    files = size = copied = 0
    for folder in session_folders(data_folder):
        if closing_of(folder) is None or only not in (None, folder.name):
            continue
        problems = verify_session(folder)
        if problems:
            raise CorruptError(f"the session itself is damaged: {problems[0]}")
        copy = target / SESSIONS / folder.name
        if not copy.exists():
            _copy(folder, copy)
        problems = verify_session(copy)
        if problems or _head_hash(copy) != _head_hash(folder):
            told = problems[0] if problems else "its head differs"
            raise CorruptError(f"{copy}: the copy does not match: {told}; remove it and back up again")
        copied += 1
        for file in copy.rglob("*"):
            if file.is_file():
                files, size = files + 1, size + file.stat().st_size
    return SessionCopy(str(target / SESSIONS), copied, files, size)


def _copy(folder: Path, copy: Path) -> None:
    part = copy.with_name(f"{copy.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        named = [segment.file for manifest in Store(folder).manifests() for segment in manifest.segments]
        named += [f"{MANIFESTS}/{file.name}" for file in (folder / MANIFESTS).glob("*.json")]
        for name in [*named, ABOUT, f"{CLOSING}.json"]:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, part / name)
        os.replace(part, copy)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise outside(error, copy) from error


def _head_hash(folder: Path) -> str:
    heads = [(folder / name).read_bytes() for name in (ABOUT, f"{CLOSING}.json")]
    return hashlib.sha256(b"\0".join(heads)).hexdigest()
