"""Guard: the one process that can send, and what it does by itself.

How it moves: `step` hears the venue, marks the position on its own quotes, asks the limits, repairs
protection and drives what is being flattened; messages of people (`people`) and of the engine (`intake`)
come in between. Everything that leaves is written down durably first. Arming is never remembered: every
start is disarmed, and degradation disarms.

Deterministic: time comes in (`now`, monotonic seconds) or from the socket (venue time); no thread, no sleep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from mia_kernel.adapters.limits_file import GuardianParams, LimitsFile
from mia_kernel.adapters.messages import Message, Report, State, report_bytes
from mia_kernel.core.contract import parse_contract, trading_days_left
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import OrderReport, PlaceBracket, TradingState
from mia_kernel.core.session import trading_day_of
from mia_kernel.core.venue import (
    Commission,
    Fill,
    Holding,
    Instruction,
    Link,
    OrderSocket,
    Snapshot,
    Trouble,
    VenueEvent,
    VenueOrder,
)
from mia_kernel.execution import plan
from mia_kernel.execution.truth import Heard, Truth
from mia_kernel.guardian import outbox, venue
from mia_kernel.guardian.alerts import Alerts
from mia_kernel.guardian.arming import Arming
from mia_kernel.guardian.book import Book, Halted, Kept, Sent
from mia_kernel.guardian.counting import count
from mia_kernel.guardian.market import PRIMARY, Marks, facts_of, marks_of
from mia_kernel.risk.law import Facts, Law
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.record import HALT_HUMAN
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import SYMBOLS

INTENTS, REPORTS = 2000, 500
Push = Callable[[Message], None]


class Guardian:
    """The guardian of one account.

    Parameters
    ----------
    mode : str
        dry-run, paper or production.
    file : LimitsFile, optional
        The law; None only in dry-run, where nothing can be sent.
    socket : OrderSocket, optional
        The way to the venue; None in dry-run.
    book : Book
    build : str
        Fingerprint of this code; an engine of another build is refused.
    calendar : ndarray of CALENDAR_DTYPE, optional
        The user's economic events.
    """

    def __init__(
        self,
        mode: str,
        file: LimitsFile | None,
        socket: OrderSocket | None,
        book: Book,
        build: str,
        calendar: NDArray[Any] | None = None,
    ) -> None:
        self.mode = mode
        self.file = file
        self.socket = socket
        self.book = book
        self.build = build
        self.params = file.law.guardian if file else GuardianParams()
        self.risk = file.law.limits if file else RiskParams()
        costs = file.law.costs if file else CostParams()
        self.account = file.law.account if file else "DRY-RUN"
        self.arming = Arming(mode, self.account, self.params.code_expires_s)
        self.alerts = Alerts()
        self.push: Push = lambda message: None
        self.last_reason = "started: disarmed"
        self.reconciled = socket is None
        # since when a confirmed account is not; None: it is, or never was
        self.unconfirmed_ns: int | None = None
        self.query_asked: tuple[int, int, float] | None = None  # number, venue time, monotonic
        self.next_query = 0.0
        self.flattening: tuple[str, float, bool] | None = None  # reason, since, everything
        self.last_flat_move = 0.0
        self.engine_run: str | None = None
        self.disarmed_by_hand = False  # no greeting undoes what a person said
        self.engine_beat: float | None = None
        self.engine_lost = False
        self.unprotected_since: float | None = None
        self.unknown_since: float | None = None
        self.link_down_since: float | None = None
        self.disk_failed = False
        self.memory_cut: str | None = None  # proof that rows of the journal are missing
        self.exchange_halted = False
        self.marks = Marks()
        self.moved: dict[str, tuple[int, float]] = {}  # position the venue pushed, since when
        self._told_state: tuple[str, bool] = ("", False)
        self._halt_kept = ""
        self._unsaved = False
        self.untold: list[OrderReport] = []  # reports that are not durable yet
        past = book.past()
        self.kept = past.kept
        self.fees = {symbol: costs.fee_cents(symbol) for symbol in SYMBOLS}
        self.truth = Truth(self.fees, self.kept.truth)
        self.law = Law(self.risk, costs, self.kept.figures, calendar)
        if self.kept.memory:
            self.law.memory.restore(self.kept.memory)
            self.law.memory.arm(False)
        for kind, ts, what in past.since:
            outbox.again(self, kind, ts, what)

    # -- coming up ---------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Open the journal of the day and ask the venue how things stand."""
        self.turn_day()
        self.ask_venue(now)

    def turn_day(self) -> None:
        """Begin the journal of a new trading day, or open it again after the disk had refused."""
        ts = self.now_ns()
        day = trading_day_of(ts)
        if day != self.book.day or not self.book.open:
            self.truth.sweep(ts)
            self.durable(lambda: self.book.turn_to(day, self.keep(), ts))

    def keep(self) -> Kept:
        """Return what must survive, as it is now."""
        self.kept.memory = self.law.memory.to_bytes()
        self.kept.intents = self.kept.intents[-INTENTS:]
        self.kept.reports = self.kept.reports[-REPORTS:]
        return self.kept

    def now_ns(self) -> int:
        """Return venue time; the wall clock of the book where there is no venue."""
        return self.book.wall_ns() if self.socket is None else self.socket.now_ns()

    # -- the beat ----------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """Hear, look, act; to be called every few milliseconds."""
        if self.socket is None:
            self._tell_state()
            return
        self.hear(self.socket.reports(), now)
        for breach in self.law.look(self.facts()):
            self.act_on_limit(breach.code, breach.action, breach.message, now)
        self._repair(now)
        if self._unsaved:
            self._unsaved = False
            self.save()
        if self.book.unsettled:
            self.durable(self.book.settle)
        self._tell_reports()
        self._tell_state()

    def _tell_reports(self) -> None:
        """Tell the engine what is durable.

        A report told and then forgotten by a kill would give its number to another one, which the engine then
        takes for a repetition. While the disk refuses, nothing is told; it is once the record is whole again.
        """
        if self.untold and not self.disk_failed:
            for report in self.untold:
                self.push(Report(report_bytes(report)))
            self.untold.clear()

    def owe(self, reports: Sequence[OrderReport]) -> None:
        """Keep reports for the engine until they are durable."""
        self.untold += reports
        self.book.told(reports, self.now_ns())

    def hear(self, events: Sequence[VenueEvent], now: float) -> None:
        """Take what the venue said; it is written down with what leaves because of it, or at the end of the turn."""
        for event in events:
            if not isinstance(event, Snapshot):
                self.book.heard(event, self.now_ns())
            if isinstance(event, Snapshot):
                venue.compare(self, event, now)
            elif isinstance(event, Link):
                venue.link(self, event, now)
            elif isinstance(event, Trouble):
                venue.trouble(self, event, now)
            elif isinstance(event, Holding):
                self.moved[event.symbol] = (event.qty, now)
            else:
                self._take(self.truth.apply(event), event, now)

    def _take(self, heard: Heard, event: VenueOrder | Fill | Commission, now: float) -> None:
        count(self.law, self.kept, heard, event)
        self.owe(heard.reports)
        for note in heard.notes:
            level = "critical" if "over-fill" in note else "warning"
            self.alert(level, "venue", note, now)
            if level == "critical":
                self.disarm("over-fill", now)
                self.send(plan.reverse_excess(self.truth), "reverse over-fill")
        self._unsaved |= bool(heard.closed)

    def facts(self) -> Facts:
        """Return what the venue says now, marked on our own quotes."""
        if self.socket is None:
            raise OutsideError("no venue in dry-run; way out: none needed")
        marks_of(self.truth, self.socket, self.marks)
        return facts_of(self.truth, self.socket, self.marks, self.base_usd(), self.law.costs)

    def base_usd(self) -> Decimal:
        """Return equity without what was made here: the broker's figure at first sight, else the setting."""
        if not self.kept.base_usd and self.socket is not None:
            equity, net = self.socket.equity_usd(), self.truth.net_usd(self.marks)
            if equity is not None and net is not None:
                self.kept.base_usd = str(equity - net)
                self.law.figures.peak_usd = None
        return Decimal(self.kept.base_usd or str(self.risk.equity_usd))

    # -- out ---------------------------------------------------------------------------------------

    def send(
        self,
        instructions: Sequence[Instruction],
        why: str,
        *,
        intent_id: str = "",
        reference_ticks: float | None = None,
        bracket: PlaceBracket | None = None,
    ) -> bool:
        """Write down, then send, once. False: the record could not be made durable and nothing left."""
        if not instructions or self.socket is None:
            return True
        return outbox.leave(self, Sent(intent_id, why, reference_ticks, tuple(instructions), bracket))

    def durable(self, write: Callable[[], None]) -> bool:
        """Write something durably; False where the disk refuses, which disarms."""
        try:
            write()
        except OutsideError as error:
            if not self.disk_failed:
                self.disk_failed = True
                self.law.memory.arm(False)
                self.arming.forget()
                self.last_reason = f"disarmed: {error}"
            return False
        if self.disk_failed:
            self.disk_failed = False
            self.save()
        return True

    def write_down(self, what: str, **facts: object) -> bool:
        """Write an act of a person or of the engine down; False if the disk refuses."""
        return self.durable(lambda: self.book.note(self.now_ns(), what, **facts))

    def save(self) -> None:
        """Write everything down; a halt in the room kept for it where the disk refuses."""
        if self.durable(lambda: self.book.state(self.keep(), self.now_ns())):
            self._halt_kept = ""
        elif self.state is TradingState.HALTED and self._halt_kept != self.kept.halt_reason:
            halted = Halted(self.kept.memory, self.kept.halt_reason)
            if self.book.emergency_halt(halted, self.now_ns()):
                self._halt_kept = halted.reason

    # -- states ------------------------------------------------------------------------------------

    @property
    def state(self) -> TradingState:
        """ACTIVE, REDUCING (disarmed) or HALTED."""
        return self.law.memory.state

    @property
    def days_left(self) -> int | None:
        """Trading days left of the contract that orders go to; None where it is not known."""
        code = None if self.socket is None else self.socket.contract(PRIMARY)
        return None if code is None else _days_left(code, trading_day_of(self.now_ns()))

    @property
    def armed(self) -> bool:
        """Whether entries were allowed by a person since the start."""
        return bool(self.law.memory.record["armed"][0])

    def unconfirm(self, *, contradicted: bool = False) -> None:
        """Position and orders are not confirmed any more: nobody can be asked, or the venue said otherwise."""
        if contradicted:
            self.unconfirmed_ns = None
        elif self.reconciled:
            self.unconfirmed_ns = self.now_ns()
        self.reconciled = False

    def disarm(self, reason: str, now: float) -> None:
        """Allow only what reduces: entries are withdrawn, positions keep their protection."""
        was = self.armed
        self.law.memory.arm(False)
        self.arming.forget()
        if was or not self.last_reason.startswith("disarmed"):
            self.last_reason = f"disarmed: {reason}"
        if was:
            self.write_down("disarm", reason=reason)
        self.send(plan.cancel_entries(self.truth), reason)
        self._tell_state()

    def halt(self, reason: str, now: float) -> None:
        """Pull the kill switch: cancel everything, flatten, verify, lock until a person resumes."""
        self.law.memory.halt(HALT_HUMAN, "operator", self.law.figures.day, self.law.figures.week)
        self.kept.halt_reason = reason
        self.disarm(f"halted: {reason}", now)
        self.last_reason = f"halted: {reason}"
        self.flatten(reason, now, everything=True)
        self.write_down("halt", reason=reason)
        self.save()

    def act_on_limit(self, code: str, action: str, text: str, now: float) -> None:
        """Do what a limit orders: flatten, or flatten and halt."""
        if action == "flatten":
            if self.truth.es_position() or self.truth.live_orders():
                self.flatten(code, now, everything=True)
            return
        self.flatten(code, now, everything=True)
        self.kept.halt_reason = text
        self.disarm(text, now)
        self.last_reason = f"halted: {text}"
        self.alert("critical", code, text, now)
        self.save()

    def flatten(self, reason: str, now: float, *, everything: bool) -> None:
        """Begin to make the account flat, unless that is under way already."""
        if self.socket is None or self.flattening is not None:
            return
        self.flattening = (reason, now, everything)
        self.last_flat_move = now
        self.send(plan.flatten(self.truth, reason, everything=everything), f"flatten: {reason}")
        self.ask_venue(now)

    def alert(self, level: str, code: str, text: str, now: float) -> None:
        """Raise an alert, and write it down if it is new."""
        if self.alerts.raise_(level, code, text, ts=self.now_ns(), now=now):
            self.write_down("alert", level=level, code=code, text=text)

    def _tell_state(self) -> None:
        state = (self.state.value, self.armed)
        if state != self._told_state:
            self._told_state = state
            self.push(State(state[0], state[1], self.last_reason))

    def ask_venue(self, now: float) -> None:
        """Ask for everything the venue holds."""
        if self.socket is None or not self.socket.connected:
            return
        self.kept.queries += 1
        self.query_asked = (self.kept.queries, self.now_ns(), now)
        self.next_query = now + self.params.reconcile_s
        try:
            self.socket.query(self.kept.queries)
        except OutsideError as error:
            self.query_asked = None
            self.last_reason = str(error)

    def _repair(self, now: float) -> None:
        """Let exits follow what is open; only on a truth the venue has confirmed."""
        if not self.reconciled or self.flattening is not None:
            return
        ts = self.now_ns()
        for bracket in tuple(self.truth.state.brackets.values()):
            self.send(plan.protect(self.truth, bracket, ts), "protect")


@lru_cache(maxsize=8)
def _days_left(code: str, day: int) -> int:
    return trading_days_left(parse_contract(code), day)
