"""Watch the model of a session: seat a new champion, unseat one that is too slow, say that it drifts.

How it moves: `start` names who judges from the first row on. A timer of the loop looks: an answer that took
longer than the limit switches the model off at once; every five minutes the list of steps is read again. Both
enter as recorded events, so the replay of the session does the same at the same row. What the model saw and how
its trades ended is appended to a file beside it, so that drift is measured over sessions, not within one; an
alarm is only said: a person decides. Source: domain §17.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.seat import Seat, present
from mia_kernel.analytics.drift_watch import DriftWatch
from mia_kernel.assembly import given_of
from mia_kernel.core.decisions import Opinion
from mia_kernel.core.errors import CorruptError, MiaError
from mia_kernel.core.events import Recording
from mia_kernel.core.model_event import NOBODY, ModelChange
from mia_kernel.live.loop import Loop, Timer
from mia_kernel.ml.inputs import EIGHT
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings

SLOWEST_S = 0.200
"""An answer that takes longer switches the model off."""
RELOAD_S = 300.0
LOOK_S = 0.5
REPORT, SEEN = "report.json", "seen-{}.jsonl"

Say = Callable[[str, str, str], None]
"""Told (model id, role, reason): who judges from here on."""


class ModelWatch:
    """Decides who sits in the seat of one session, and watches what it sees.

    Parameters
    ----------
    settings : Settings
    run : Run
        Its seat is watched, its closed trades are counted.
    seat : Seat
    say : callable
        Lets a change enter the session as an event (`Loop.change_model`).
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, settings: Settings, run: Run, seat: Seat, say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._run, self._seat, self._say, self._clock = settings, run, seat, say, clock
        self._registry = ModelRegistry(models_folder(settings.home) / settings.ml.model)
        self._named: tuple[str, str] = (NOBODY, "off")
        self._slow: set[str] = set()
        self._due = 0.0
        self._lines: list[str] = []
        self._trips = 0
        self._drift: DriftWatch | None = None
        self.failure = ""
        seat.heard = self._heard

    def start(self) -> None:
        """Name who judges from the first row on, nobody included."""
        self._due = self._clock() + RELOAD_S
        self._named = self._present() or (NOBODY, "off")
        self._begin_drift()
        self._say(*self._named, "start")

    def look(self) -> None:
        """Switch off what is too slow; keep what was seen; when it is time, seat whom the registry names now."""
        if self._seat.longest_s > SLOWEST_S and self._named[0] != NOBODY:
            self._slow.add(self._named[0])
            self._name((NOBODY, "off"), "too_slow")
        self._keep()
        if self._clock() >= self._due:
            self._due = self._clock() + RELOAD_S
            now = self._present()
            if now is not None and now[0] not in self._slow:
                self._name(now, "reload" if now[0] != NOBODY else "retired")

    def end(self) -> None:
        """Keep what was seen since the last look: the session is over."""
        self._keep()

    # -- who judges --------------------------------------------------------------------------------

    def _name(self, who: tuple[str, str], reason: str) -> None:
        if who != self._named:
            self._keep()
            self._named = who
            self._begin_drift()
            self._say(*who, reason)

    def _present(self) -> tuple[str, str] | None:
        """Return who should judge, None where the registry cannot be read: then nothing changes."""
        try:
            found = present(
                models_folder(self._settings.home), self._settings.ml, self._settings.risk.gates.ml_mode
            )
        except CorruptError as error:
            self.failure = str(error)
            return None
        self.failure = ""
        return found

    # -- what it sees ------------------------------------------------------------------------------

    def _version(self) -> str:
        return self._named[0].rsplit("-", 2)[1]

    def _begin_drift(self) -> None:
        """Take up what this version has seen in earlier sessions."""
        self._drift, self._seat.drift, self._trips = None, (), len(self._run.round_trips)
        if self._named[0] == NOBODY:
            return
        try:
            reference = json.loads(self._registry.read(self._version(), REPORT)).get("reference")
        except (MiaError, ValueError):
            return  # its seat says that it is damaged
        if reference is not None:
            self._drift = DriftWatch(reference)
            for row in self._before():
                self._take(row)
            self._seat.drift = tuple(self._drift.alarms())

    def _before(self) -> list[dict[str, Any]]:
        path = self._registry.folder / SEEN.format(self._version())
        if not path.is_file():
            return []
        rows: list[dict[str, Any]] = []
        for line in path.read_text("utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break  # the last line of a session that was killed
        return rows

    def _heard(self, ts: int, row: Any, said: Opinion) -> None:
        half = len(row) // 2
        values = [None if row[half + j] else round(float(row[j]), 6) for j in range(len(EIGHT))]
        self._lines.append(json.dumps({"ts": ts, "row": values, "p": said.probability}))

    def _keep(self) -> None:
        """Write down what was seen since the last look, and say what has moved."""
        fresh = self._run.round_trips[self._trips :]
        self._trips += len(fresh)
        if self._named[1] == "champion":
            self._lines += [json.dumps({"ts": t.exit_ts, "won": t.net_cents > 0}) for t in fresh]
        if not self._lines or self._named[0] == NOBODY:
            self._lines.clear()
            return
        lines, self._lines = self._lines, []
        try:
            self._registry.append_line(SEEN.format(self._version()), "\n".join(lines))
        except MiaError as error:
            self.failure = str(error)  # a full disk must not end a session; drift then forgets a session
        if self._drift is not None:
            for line in lines:
                self._take(json.loads(line))
            self._seat.drift = tuple(self._drift.alarms())

    def _take(self, row: dict[str, Any]) -> None:
        assert self._drift is not None
        if "row" in row:
            self._drift.see([np.nan if value is None else value for value in row["row"]])
        elif "won" in row:
            self._drift.ended(bool(row["won"]))


def session_seat(settings: Settings, recording: Recording) -> Seat:
    """Return an empty seat for a session: whoever judges in it comes by an event."""
    mode = settings.risk.gates.ml_mode
    return Seat(models_folder(settings.home), settings.ml, mode, given_of(recording), by_events=True)


def watch_model(settings: Settings, loop: Loop) -> ModelWatch | None:
    """Put a watch over the model of a loop's run and name who judges from the first row on.

    None where a recorded session says who judged, or a model was put there by hand.
    """
    seat, recorded = loop.run.engine.rooms.model, loop.run.recording.objects
    if not isinstance(seat, Seat) or any(isinstance(event, ModelChange) for event in recorded):
        return None
    watch = ModelWatch(settings, loop.run, seat, loop.change_model)
    watch.start()
    loop.timers.append(Timer(LOOK_S, watch.look))
    loop.ends.append(watch.end)
    return watch
