"""Warm a broker session up: what is stored of the time before it fills the state, without a single entry.

How it moves: rows of the named sources, or of the newest finished session of the same contract, that lie before
the session's own time are flagged WARM_UP and taken first. They are recorded with the session: its replay meets
them too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.recorded import about_session, closing_of, read_session, session_folders
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import PRIMARY, WARM_UP, EventArray, Recording
from mia_kernel.live.collect import Collector
from mia_kernel.runtime import Run

BEFORE_NS = 1_000_000
STRIDE = 8_192
"""Rows between two beats: a second of silence disarms."""


def stored(
    settings_home: Path, data_folder: Path, uris: Sequence[str], contract: str | None
) -> Recording | None:
    """Return what a session can be warmed up with, None where nothing is stored.

    Raises
    ------
    InputError
        If a named source is none, or of another contract than the session.
    """
    if uris:
        sources = importlib.import_module(
            "mia_kernel.adapters.sources"
        )  # only here: readers take long to load
        found: Recording = sources.open_recording(uris[0], uris[1:], home=settings_home)
        known = found.source.contract
        if known is not None and contract is not None and known != contract:
            raise InputError("another contract than the session trades", path=found.source.name, field="contract",
                             value=known, rule=contract, way_out="a source of the same contract, or none")  # fmt: skip
        return found
    for folder in reversed(session_folders(data_folder)):
        if closing_of(folder) is not None and about_session(folder).source.contract == contract:
            return read_session(folder)
    return None


def before(history: Recording, now_ns: int) -> EventArray:
    """Return the rows that lie before `now_ns`, flagged as warm-up; none if the traded one is not among them."""
    stop = int(np.searchsorted(history.events["ts_recv"], now_ns - BEFORE_NS, side="left"))
    rows = history.events[:stop].copy()
    if not bool((rows["instrument"] == PRIMARY).any()):
        return rows[:0]
    rows["flags"] |= WARM_UP
    rows["seq"] = np.arange(len(rows))
    return rows


def warm(run: Run, collector: Collector, inbox: Inbox, rows: EventArray, beat: Callable[[], None]) -> None:
    """Take warm-up rows through recorder and engine; what comes live follows them."""
    for at in range(0, len(rows), STRIDE):
        part = rows[at : at + STRIDE]
        collector.before(part, ())
        run.take(part)
        beat()
    if len(rows):
        inbox.resume_at(int(rows["ts_recv"][-1]), int(rows["seq"][-1]))
