"""Hold components to the laws of the house on a recorded day, a user's own in a notebook cell like ours.

Each law takes the day through the engine again in another way and compares what the component said at every
decision. A component that looks ahead, hides memory outside itself, rolls dice, reads a clock or leans to one
side is caught here before it is weighed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from mia_kernel.core.decisions import ABSENT, OK, FloatArray
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import PRIMARY, ContractChange, Recording, mirror
from mia_kernel.features.spec import registry
from mia_kernel.runtime import Run as Pass
from mia_kernel.settings import Settings

Verdict = Literal["holds", "broken", "silent", "not checked"]
"""`silent`: never known or always the same on this day, so that the day proves nothing about it."""

LAWS = ("alive", "repeat", "prefix", "slicing", "snapshot-restore", "mirror")

CUTS = (0.31, 0.67)
"""Where the day is cut for the prefix and the snapshot law (share of rows)."""
SLICES = 7
ROUND_TICKS = 200
"""The mirror's centre is a multiple of it, so that round numbers stay round numbers."""

NEARLY = {"es_nq_correlation": 0.03, "smart_money": 0.01}
"""Declared exceptions of the mirror law: log returns, and distances in percent of a price that mirrors elsewhere."""
EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Finding:
    """What one law says of one component: `compared` decisions, and the first that breaks it."""

    component: str
    law: str
    verdict: Verdict
    compared: int
    says: str


class LawBook:
    """The laws over one recording.

    Parameters
    ----------
    settings : Settings
    recording : Recording
    """

    def __init__(self, settings: Settings, recording: Recording) -> None:
        self.settings = settings
        self.recording = recording

    def check(self, names: Sequence[str] = (), laws: Sequence[str] = LAWS) -> list[Finding]:
        """Return one finding per component and law; every component without `names`."""
        return [finding for name in names or tuple(registry()) for finding in self._of(name, laws)]

    def _of(self, name: str, laws: Sequence[str]) -> Iterator[Finding]:
        if bool(np.all(self._said(self.whole, name, "status") == ABSENT)):
            yield Finding(name, "alive", "not checked", 0, "absent: the source does not carry what it needs")
            return
        for law in laws:
            if law == "alive":
                yield self._alive(name)
            elif law == "mirror":
                yield self._mirrored(name)
            else:
                yield self._same(law, name)

    # -- the day, taken in other ways -------------------------------------------------------------------

    @cached_property
    def whole(self) -> Pass:
        return self._drive(self.recording)

    @cached_property
    def again(self) -> Pass:
        return self._drive(self.recording)

    @cached_property
    def early(self) -> list[Pass]:
        """The day cut short; the decision that waits for its last rows is not taken."""
        runs: list[Pass] = []
        for cut in self._cuts():
            run = self._start(replace(self.recording, events=self.recording.events[:cut]))
            run.feed(0, cut)
            runs.append(run)
        return runs

    @cached_property
    def sliced(self) -> Pass:
        n = len(self.recording.events)
        edges = sorted({0, n, *(int(n * (i / SLICES) ** 2) for i in range(1, SLICES))})
        run = self._start(self.recording)
        run.drive(slices=list(pairwise(edges)))
        return run

    @cached_property
    def restored(self) -> list[tuple[Pass, int]]:
        """Runs that took over the bytes of another halfway, with the decisions taken before."""
        runs: list[tuple[Pass, int]] = []
        for cut in self._cuts():
            first, later = self._start(self.recording), self._start(self.recording)
            first.feed(0, cut)
            later.skip_objects(cut)
            later.engine.restore(first.engine.to_bytes())
            later.venue.restore(first.venue.to_bytes())
            later.feed(cut, len(self.recording.events))
            later.finish()
            runs.append((later, len(first.table)))
        return runs

    @cached_property
    def reflected(self) -> Pass:
        rows = self.recording.events
        prices = rows["px"][(rows["instrument"] == PRIMARY) & (rows["px"] > 0)]
        centre = round(float(np.median(prices)) / ROUND_TICKS) * ROUND_TICKS
        return self._drive(replace(self.recording, events=mirror(rows, centre)))

    def _start(self, recording: Recording) -> Pass:
        return Pass(self.settings, recording)

    def _drive(self, recording: Recording) -> Pass:
        run = self._start(recording)
        run.drive()
        return run

    def _cuts(self) -> list[int]:
        return [max(1, int(len(self.recording.events) * share)) for share in CUTS]

    # -- the comparisons --------------------------------------------------------------------------------

    def _alive(self, name: str) -> Finding:
        values, status = self._said(self.whole, name, "values"), self._said(self.whole, name, "status")
        known = values[status == OK]
        distinct = len(np.unique(known))
        verdict: Verdict = "holds" if distinct > 1 else "silent"
        return Finding(name, "alive", verdict, len(values), f"{len(known)} known, {distinct} distinct")

    def _runs(self, law: str) -> list[tuple[Pass, int]]:
        """Return the other passes of a law, each with the number of decisions before its first."""
        if law == "snapshot-restore":
            return self.restored
        others = {
            "repeat": lambda: [self.again],
            "prefix": lambda: self.early,
            "slicing": lambda: [self.sliced],
        }
        return [(run, 0) for run in others[law]()]

    def _same(self, law: str, name: str) -> Finding:
        compared = 0
        try:
            taken = self._runs(law)
        except InvariantError as error:
            return Finding(name, law, "broken", 0, str(error))
        for run, start in taken:
            here, there = self._answers(self.whole, name)[start:], self._answers(run, name)
            n = min(len(here), len(there))
            compared += n
            wrong = ~np.all((here[:n] == there[:n]) | (np.isnan(here[:n]) & np.isnan(there[:n])), axis=1)
            if wrong.any():
                return self._broken(name, law, compared, wrong, here, there, start)
        return Finding(name, law, "holds", compared, "same value, quality and status")

    def _mirrored(self, name: str) -> Finding:
        if not all(isinstance(event, ContractChange) for event in self.recording.objects):
            return Finding(
                name, "mirror", "not checked", 0, "levels or chains beside the rows have no mirror"
            )
        near, signed = NEARLY.get(name, EXACT), registry()[name].signed
        here, there = self._answers(self.whole, name), self._answers(self.reflected, name)
        expected = here * np.array([-1.0 if signed else 1.0, 1.0, 1.0])
        wrong = ~np.all((np.abs(expected - there) <= near) | (np.isnan(expected) & np.isnan(there)), axis=1)
        if wrong.any():
            return self._broken(name, "mirror", len(here), wrong, expected, there, 0)
        sign = "value negated" if signed else "same value"
        return Finding(name, "mirror", "holds", len(here), f"{sign} within {near:g}")

    def _broken(
        self, name: str, law: str, n: int, wrong: FloatArray, here: FloatArray, there: FloatArray, start: int
    ) -> Finding:
        at = int(np.flatnonzero(wrong)[0])
        when = np.datetime64(int(self.whole.table.column("ts_event")[start + at]), "ns")
        count = int(wrong.sum())
        says = f"{count} differ, first at {when}Z: {here[at, 0]:.6g} expected, {there[at, 0]:.6g} said"
        return Finding(name, law, "broken", n, says)

    def _answers(self, run: Pass, name: str) -> FloatArray:
        """Return value, quality and status at every decision as columns."""
        return np.column_stack(
            [self._said(run, name, column).astype(float) for column in ("values", "quality", "status")]
        )

    def _said(self, run: Pass, name: str, column: str) -> FloatArray:
        return run.table.column(column)[:, run.engine.rooms.features.names.index(name)]
