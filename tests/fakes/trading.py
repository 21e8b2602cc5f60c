"""A whole small trading day without market state: venue, order book of ours and account in one hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mia_kernel.core.events import EventArray, merge
from mia_kernel.core.orders import Command, OrderReport, PlaceBracket, ReplaceStop, RoundTrip
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.execution.oms import ExecutionParams, Oms
from mia_kernel.execution.simulate import SimulatedVenue, SimulatorParams
from mia_kernel.state.account import ACCOUNT_DTYPE, Account, init
from mia_kernel.state.costs import CostParams

EQUITY_CENTS = 5_000_000


class Desk:
    """Drives rows and commands through venue, oms and account the way the runtime does.

    `commands` are given with their time; each is submitted before the first row later than it, exactly as
    a decision at that time would.
    """

    def __init__(
        self,
        *,
        simulator: SimulatorParams | None = None,
        costs: CostParams | None = None,
    ) -> None:
        self.venue = SimulatedVenue(simulator or SimulatorParams(), costs or CostParams())
        self.oms = Oms(ExecutionParams())
        self.record = np.zeros(1, ACCOUNT_DTYPE)
        init(self.record, EQUITY_CENTS)
        self.account = Account(self.record, PHASE_NAMES)
        self.account.enter_day(20231114)
        self.reports: list[OrderReport] = []
        self.trips: list[RoundTrip] = []

    def send(self, command: Command) -> None:
        open_now = {view.bracket_id for view in self.oms.open_brackets()}
        if not isinstance(command, PlaceBracket) and command.bracket_id not in open_now:
            return  # it closed before: nobody would send this
        self.oms.accept(command)
        if isinstance(command, PlaceBracket | ReplaceStop):
            self.account.note(command, phase=4)
        self.venue.submit([command])
        self.hear()

    def hear(self) -> None:
        for report in self.venue.reports():
            self.reports.append(report)
            self.oms.apply(report)
            trip = self.account.apply(report)
            if trip is not None:
                self.trips.append(trip)

    def feed(self, rows: EventArray, cuts: Sequence[int] = ()) -> None:
        """Let rows pass; `cuts` are further places where a slice ends."""
        at = 0
        for end in [*sorted(c for c in cuts if 0 < c < len(rows)), len(rows)]:
            while at < end:
                reached = self.venue.scan(rows, at, end)
                self.account.mark(rows, at, reached)
                self.venue.advance(rows, at, reached)
                self.hear()
                at = reached

    def run(
        self, rows: Sequence[EventArray] | EventArray, *commands: Command, cuts: Sequence[int] = ()
    ) -> Desk:
        """Run rows with commands at their times."""
        events = rows if isinstance(rows, np.ndarray) else merge(list(rows))
        at = 0
        for command in sorted(commands, key=lambda c: c.ts_event):
            until = int(np.searchsorted(events["ts_event"], command.ts_event, side="right"))
            self.feed(events[at:until], [c - at for c in cuts])
            at = until
            self.send(command)
        self.feed(events[at:], [c - at for c in cuts])
        return self

    def fills(self, role: str) -> list[OrderReport]:
        return [r for r in self.reports if r.role.value == role and r.last_qty > 0]

    def last(self, role: str) -> OrderReport:
        return [r for r in self.reports if r.role.value == role][-1]
