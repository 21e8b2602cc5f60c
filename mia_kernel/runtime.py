"""Wire: a source at one end, a venue at the other, the engine between, and a record of everything.

How it moves: `Run` has its rooms furnished (`assembly`); `Run.drive` cuts the
rows where an order changes, steps the engine, lets the venue live through what was consumed, hands it the
commands and takes its reports, each at its own event time. Replay, dry-run, what-if and bench are this one
loop: they differ in the source, the pace and who watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.seat import change_model
from mia_kernel.analytics.chains_told import ChainsTold
from mia_kernel.analytics.halts import note_state
from mia_kernel.analytics.lookback import look_back
from mia_kernel.analytics.summary import summary
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.assembly import build, given_of, simulated_venue
from mia_kernel.core import events as ev
from mia_kernel.core.decisions import CONTEXT_NAMES, Decision
from mia_kernel.core.digest import DecisionDigest
from mia_kernel.core.events import (
    ContractChange,
    EventArray,
    ImportedLevel,
    OptionView,
    Recording,
    StateChange,
)
from mia_kernel.core.model_event import ModelChange
from mia_kernel.core.orders import OrderReport, RoundTrip
from mia_kernel.core.ports import Model, Venue
from mia_kernel.engine import Step
from mia_kernel.execution.silent import SilentVenue
from mia_kernel.features.spec import Given
from mia_kernel.risk.follow import follow
from mia_kernel.settings import Settings, settings_id
from mia_kernel.state.bars import BAR_RING
from mia_kernel.state.memory import MarketState

NO_MODEL = "none"
SLICE = 1 << 16
"""Rows between two looks at a watcher; how rows are grouped changes nothing that is decided."""

Watcher = Callable[["Run", int], None]
"""Called with the run and the index of the first row not yet consumed."""


class Run:
    """One pass of a recording through the engine, with its record.

    Parameters
    ----------
    settings : Settings
    recording : Recording
    journal : Path or str, optional
        Where the run is written; without one nothing is stored (what-ifs, tests).
    venue : Venue, optional
        Where commands go; default the simulated venue, or for a session that traded through a broker the
        one that stays silent: there the reports lie in the record.
    model : Model, optional
        Who judges signals instead of the champion.
    durable : bool
        Write the journal under its own name from the first row on, for readers beside a running loop.
    """

    def __init__(
        self,
        settings: Settings,
        recording: Recording,
        journal: Path | str | None = None,
        *,
        venue: Venue | None = None,
        durable: bool = False,
        model: Model | None = None,
    ) -> None:
        self.settings = settings
        self.recording = recording
        through_broker = recording.declared is not None and "broker" in recording.declared
        self.engine = build(settings, recording, simulated=not through_broker, model=model)
        self.venue = venue or (SilentVenue() if through_broker else simulated_venue(settings, recording))
        rooms = self.engine.rooms
        self.digest = DecisionDigest(rooms.features.names, rooms.gate.codes)
        self.table = DecisionTable(rooms.features.names, rooms.gate.codes, rooms.gate.levels)
        self.round_trips: list[RoundTrip] = []
        self.reports: list[OrderReport] = []
        self.bars: list[Any] = []
        self.chains = ChainsTold()
        self.last: Decision | None = None
        self.seconds = 0.0
        self.seen = 0
        self._bars_seen = 0
        self._objects = list(recording.objects)
        self.journal = None if journal is None else JournalWriter(journal, live=durable)
        if self.journal is not None:
            self.journal.open_run(self.header())

    # -- the loop --------------------------------------------------------------------------------------

    def drive(
        self, watcher: Watcher | None = None, *, slices: Iterable[tuple[int, int]] | None = None
    ) -> None:
        """Take the whole recording through the engine.

        Parameters
        ----------
        watcher : callable, optional
            Looks at the run after each slice; it may draw or wait, it cannot change what is decided.
        slices : iterable of (start, stop), optional
            Rows as they become due, in order and without a gap; default large slices at full speed.
        """
        began = time.perf_counter()
        total = len(self.recording.events)
        for start, stop in slices or ((at, min(at + SLICE, total)) for at in range(0, total, SLICE)):
            self.feed(start, stop)
            if watcher is not None:
                watcher(self, stop)
        self.finish()
        self.seconds += time.perf_counter() - began

    def finish(self) -> None:
        """Decide the pending point: the end of a source is an event. What came before that point comes first."""
        pending = self.engine.pending_ts
        while self._objects and pending is not None and self._objects[0].ts_recv <= pending:
            self._hand_over(self._objects.pop(0))
        self._take(self.engine.finish().decisions)

    def settle(self, ts: int) -> None:
        """Take the pending decision if event time `ts` has reached it (a look at an instant, no more rows)."""
        pending = self.engine.pending_ts
        if pending is not None and pending <= ts:
            self.finish()

    def feed(self, start: int, stop: int) -> None:
        """Take rows [start, stop) of the recording through engine and venue, with the objects between them."""
        self.seen = stop
        self._walk(self.recording.events, start, stop)

    def take(self, rows: EventArray, objects: Sequence[Any] = ()) -> None:
        """Take what a feed hands over: rows in order of arrival, and object events of the same order.

        Objects later than the last row are handed over at once: nothing that comes after them came before.
        """
        if objects:
            self._objects = sorted([*self._objects, *objects], key=lambda event: (event.ts_recv, event.seq))
        self.seen += len(rows)
        self._walk(rows, 0, len(rows))
        last = max((event.ts_recv for event in objects), default=-1)
        while self._objects and self._objects[0].ts_recv <= last:
            self._hand_over(self._objects.pop(0))

    def rehearse_decision(self, ts: int) -> None:
        """Take one decision on the state as it stands, and let the venue look at all rows (`rehearsal`)."""
        events = self.recording.events
        self._take((self.engine.decide_at(ts),))
        self.venue.scan(events, 0, len(events))
        self.venue.advance(events, 0, len(events))
        self.engine.rooms.account.mark(events, 0, len(events))

    def _walk(self, events: EventArray, at: int, stop: int) -> None:
        while at < stop:
            cut = self._cut_at_ring(events, at, self._cut_at_object(events, at, stop))
            touch = self.venue.scan(events, at, cut)
            step = self.engine.step(events, at, touch)
            self.venue.advance(events, at, step.consumed)
            self._collect_bars()
            self._take(step.decisions)
            self._deliver()
            self._submit(step)
            at = step.consumed

    def _cut_at_object(self, events: EventArray, at: int, stop: int) -> int:
        """Hand over the object events due before row `at`; return where the next one cuts the slice."""
        while self._objects:
            event = self._objects[0]
            if event.ts_recv > int(events["ts_recv"][at]):
                return at + int(np.searchsorted(events["ts_recv"][at:stop], event.ts_recv, side="left"))
            self._hand_over(self._objects.pop(0))
        return stop

    def _hand_over(self, event: Any) -> None:
        self._decide_before(event.ts_recv)
        if isinstance(event, ContractChange):
            self.engine.change_contract(event)
        elif isinstance(event, OptionView | ImportedLevel):
            self.engine.take(event)
            if isinstance(event, OptionView):
                self.chains.add(event, None if self.journal is None else self.journal.append_record)
        elif isinstance(event, OrderReport):
            self._believe([event])
        elif isinstance(event, StateChange):
            follow(self.engine.rooms.gate, event)
            note_state(event, None if self.journal is None else self.journal.append_record)
        elif isinstance(event, ModelChange):
            change_model(self.engine.rooms.model, event)

    def skip_objects(self, before_row: int) -> None:
        """Drop the object events that a run restored at `before_row` has already taken."""
        ts = int(self.recording.events["ts_recv"][before_row])
        self._objects = [event for event in self._objects if event.ts_recv > ts]

    def watch(self, observer: Callable[[MarketState, int], None] | None) -> None:
        """Let somebody look at the state at every decision, before anything else happens to it."""
        self.engine.observer = observer

    @property
    def given(self) -> Given:
        """What this run can give to components and measures."""
        return given_of(self.recording)

    def _decide_before(self, ts: int) -> None:
        """Take a decision that was due before `ts`: what comes at `ts` must not be known to it."""
        pending = self.engine.pending_ts
        if pending is not None and pending < ts:
            step = self.engine.finish()
            self._take(step.decisions)
            self._deliver()
            self._submit(step)

    def _submit(self, step: Step) -> None:
        if step.commands:
            self.venue.submit(step.commands)
            self._deliver()

    def _cut_at_ring(self, events: EventArray, at: int, stop: int) -> int:
        """Return where to look again, so that no closed bar leaves the ring before it was collected."""
        market = self.engine.rooms.market
        reach = (BAR_RING - 2) * int(market.array["tf"][0, market.base_tf]["seconds"]) * 1_000_000_000
        received = events["ts_recv"]
        return at + int(np.searchsorted(received[at:stop], int(received[at]) + reach, side="right"))

    def _take(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            self.digest.update(decision)
            self.table.append(decision)
        if decisions:
            self.last = decisions[-1]
            if self.journal is not None:
                self.journal.append(decisions)

    def _deliver(self) -> None:
        """Give the venue's reports to the engine."""
        reports = self.venue.reports()
        if reports:
            self._believe(reports)

    def _believe(self, reports: list[OrderReport]) -> None:
        """Take what the venue said; keep fills and closed positions."""
        trips = [trip for trip in map(self.engine.report, reports) if trip is not None]
        self.reports += reports
        self.round_trips += trips
        if self.journal is not None:
            self.journal.append_reports(reports)
            self.journal.append_round_trips(trips)

    def _collect_bars(self) -> None:
        """Keep the closed bars of the finest timeframe before the ring forgets them."""
        market = self.engine.rooms.market
        ring = market.array["tf"][0, market.base_tf]
        closed = int(ring["n"])
        if closed > self._bars_seen:
            fresh = np.arange(max(closed - BAR_RING, self._bars_seen), closed) % BAR_RING
            self.bars.extend(ring["ring"][fresh])  # a copy of all at once; its rows are views
        self._bars_seen = closed

    # -- the record ------------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """Return what stands once in front of all decision rows."""
        rooms = self.engine.rooms
        return {
            "settings_id": settings_id(self.settings),
            "code_version": code_version(),
            "model_id": NO_MODEL if rooms.model is None else rooms.model.model_id,
            "source": asdict(self.recording.source),
            "others": [asdict(other) for other in self.recording.others],
            "symbol": self.recording.source.symbol,
            "names": list(rooms.features.names),
            "weights": rooms.scorer.static_weights,
            "weights_name": rooms.scorer.set.name,
            "weights_raw_sum": rooms.scorer.set.raw_sum,
            "gate_codes": list(rooms.gate.codes),
            "gate_levels": [int(level) for level in rooms.gate.levels],
            "gate_units": list(rooms.gate.units),
            "coverage_floor": self.settings.confluence.coverage_floor,
            "context_names": list(CONTEXT_NAMES),
            "equity_usd": self.settings.risk.equity_usd,
        }

    def close(self) -> Mapping[str, Any]:
        """Finish the journal and return the summary of `mia replay --json`."""
        figures = self.summary()
        if self.journal is not None:
            if self.bars:
                self.journal.append_bars(np.array(self.bars))
            self.journal.append_records(look_back(self).records())
            self.journal.close(figures)
        return figures

    def summary(self) -> dict[str, Any]:
        """Return the keys of `mia replay --json`."""
        rooms = self.engine.rooms
        return summary(
            header=self.header(),
            events=self._measured_rows(),
            table=self.table,
            trips=self.round_trips,
            digest=self.digest.hexdigest(),
            seconds=self.seconds,
            weights=rooms.scorer.static_weights,
            capital_cents=round(self.settings.risk.equity_usd * 100),
            coverage_floor=self.settings.confluence.coverage_floor,
        )

    def _measured_rows(self) -> EventArray:
        """Return the rows taken so far without the warm-up in front of them."""
        rows = self.recording.events[: self.seen]
        return rows[int(np.count_nonzero(rows["flags"] & ev.WARM_UP)) :]
