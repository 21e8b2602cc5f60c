"""Open a session: its folder, its head, its run, recorder and loop; and close it with the parity check."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.recorded import SESSIONS
from mia_kernel.adapters.recorded_feed import RecordingFeed
from mia_kernel.adapters.recorder import SessionAbout, SessionRecorder
from mia_kernel.core.events import Recording
from mia_kernel.live.collect import Collector
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.live.models import session_seat, watch_model
from mia_kernel.live.parity import Parity, parity
from mia_kernel.runtime import Run, Watcher
from mia_kernel.settings import OF_THE_MACHINE, Settings, settings_id

WATCH_S = 0.05


def new_session_id(now: dt.datetime | None = None) -> str:
    """Return the name of a session: when it started (UTC) and by which process."""
    return f"{now or dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"


def about_of(
    session_id: str, mode: str, uri: str, settings: Settings, recording: Recording, notes: Sequence[str] = ()
) -> SessionAbout:
    """Return the head of a session over a source."""
    calendar = recording.calendar
    return SessionAbout(
        session_id=session_id,
        mode=mode,
        uri=uri,
        source=recording.source,
        others=recording.others,
        declared=None if recording.declared is None else tuple(sorted(recording.declared)),
        calendar=None if calendar is None else tuple((int(r["ts"]), int(r["impact"])) for r in calendar),
        settings_id=settings_id(settings),
        settings=settings.model_dump(mode="json", exclude=set(OF_THE_MACHINE)),
        code_version=code_version(),
        started_at=dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"),
        notes=tuple(notes),
    )


@dataclass
class Session:
    """One session over a recorded source, recorded as it goes.

    `close` seals the record and returns how the replay of it compares.
    """

    settings: Settings
    run: Run
    loop: Loop
    collector: Collector
    folder: Path
    start: Callable[[], Any]

    def go(self) -> None:
        """Start the feed and take it to its end, or until `loop.stop`."""
        self.start()
        self.loop.turn()

    def close(self) -> Parity:
        """End the record and replay it."""
        closing = {"decisions": len(self.run.table), "stopped_by": self.loop.stopped_by}
        self.collector.close(closing | {"digest": self.run.digest.hexdigest()})
        answer, _ = parity(self.settings, self.folder, self.collector.digest)
        return answer


def status_of(loop: Loop) -> dict[str, float]:
    """Return what a loop says about itself for the `session` table: counts and seconds."""
    p99 = loop.latency.percentile(99)
    return {
        "rows": float(loop.run.seen),
        "rows_waiting": float(loop.inbox.waiting),
        "rows_waiting_most": float(loop.inbox.most),
        "books_replaced": float(loop.inbox.replaced),
        "event_to_decision_p99_s": float("nan") if p99 is None else p99,
        "longest_step_s": loop.longest_step_s,
        "longest_look_s": loop.longest_look_s,
    }


def dry_run(
    settings: Settings,
    recording: Recording,
    journal: Path,
    *,
    uri: str,
    speed: float,
    watcher: Watcher | None = None,
    timers: Sequence[Timer] = (),
    session_id: str | None = None,
    first: int = 0,
) -> Session:
    """Return a session over a recording with the simulated venue inside the engine's process.

    Parameters
    ----------
    watcher : callable, optional
        Looks at the run between slices; it cannot change what is decided.
    timers : sequence of Timer
        Heartbeat, frames.
    first : int
        Row at which the pace begins; those before it are taken at full speed.
    """
    name = session_id or new_session_id()
    folder = settings.data_folder / SESSIONS / name
    seat = session_seat(settings, recording)
    run = Run(settings, recording, journal, durable=speed != float("inf"), model=seat)
    recorder = SessionRecorder(folder, about_of(name, "dry-run", uri, settings, recording))
    if recording.objects:
        recorder.append(recording.events[:0], recording.objects)
    collector = Collector(run, recorder)
    inbox = Inbox()
    loop = Loop(run, inbox, collector, timers)
    collector.status = lambda: status_of(loop)
    watch_model(settings, loop)
    if watcher is not None:
        loop.timers.append(Timer(WATCH_S, lambda: watcher(run, run.seen)))
    feed = RecordingFeed(recording.events, inbox, speed, first)
    return Session(settings, run, loop, collector, folder, feed.start)


def abandon(session: Session) -> None:
    """Let a session go as it is after a failure: journal and record keep what was written."""
    session.loop.inbox.close()
    with suppress(Exception):
        session.collector.flush()
    session.collector.recorder.abandon()
    if session.run.journal is not None:
        session.run.journal.abandon()
