"""Order truth: every order, fill, position and dollar as the venue said it, kept by whoever holds the socket.

How it moves: `sent` notes what is about to leave; `apply` takes what the venue says and returns the reports
the engine must hear. Orders are known by our ref and the venue's perm_id, fills by exec_id (a correction,
equal up to the last dot, replaces). Quantities come from fills only, never from a status. A send without an
answer is `unknown` until the venue is asked. What the venue says always stands; where it surprises, a note
says so. Money is exact: decimal USD, commissions included.

Pure: time comes in, nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from mia_kernel.core.orders import OrderReport, OrderStatus, PlaceBracket, Role
from mia_kernel.core.venue import (
    Commission,
    Fill,
    Instruction,
    Modify,
    Place,
    Rests,
    VenueOrder,
    WireOrder,
)
from mia_kernel.execution import late
from mia_kernel.execution.oms import DEAD
from mia_kernel.execution.truth_record import (
    ZERO,
    BracketRecord,
    Closed,
    FillRecord,
    Heard,
    OrderRecord,
    TruthState,
    as_told,
    base_of,
    money,
    name_of,
    parts_of,
)

__all__ = ["Closed", "Heard", "OrderRecord", "Truth", "TruthState"]


KEEP_FILLS_NS = 3 * 86_400_000_000_000


class Truth:
    """The venue's account of things, in our words.

    Parameters
    ----------
    fee_cents : mapping
        What one contract and side is expected to cost, by symbol: counted until the venue says what it did.
    state : TruthState, optional
        What was known before a restart.
    """

    def __init__(self, fee_cents: Mapping[str, int], state: TruthState | None = None) -> None:
        self.fee_cents = fee_cents
        self.state = state or TruthState()
        self._refs = {r.perm_id: ref for ref, r in self.state.orders.items() if r.perm_id}

    # -- out ---------------------------------------------------------------------------------------

    def open_bracket(self, command: PlaceBracket, orders: Sequence[WireOrder]) -> None:
        """Note a bracket whose three orders are about to leave."""
        entry, stop, target = orders
        self.state.brackets[command.bracket_id] = BracketRecord(
            bracket_id=command.bracket_id,
            symbol=command.entry.symbol,
            side=command.entry.side,
            qty=command.entry.qty,
            stop_ticks=stop.stop_ticks or 0,
            target_ticks=target.limit_ticks or 0,
            entry=entry.ref,
            stop=stop.ref,
            target=target.ref,
            opened_ts=command.ts_event,
            expires_ts=command.entry.expires_ts,
            risk_usd=Decimal(command.risk_cents) / 100,
        )

    def sent(self, instruction: Instruction, ts: int, reference_ticks: float | None = None) -> None:
        """Note an instruction as leaving now; its outcome is not known."""
        orders = self.state.orders
        if isinstance(instruction, Place):
            for order in instruction.orders:
                bracket_id, role = parts_of(order.ref)
                orders[order.ref] = OrderRecord(
                    order, bracket_id, role, OrderStatus.SUBMITTED, ts, reference_ticks=reference_ticks
                )
                if bracket_id in self.state.brackets:
                    self.state.brackets[bracket_id].sent(order.ref, role)
                elif (number := order.ref.rpartition(".")[2]).isdecimal():
                    self.state.next_flat = max(self.state.next_flat, int(number) + 1)
        elif isinstance(instruction, Modify):
            record = orders[instruction.order.ref]
            record.order = instruction.order
            bracket = self.state.brackets.get(record.bracket_id)
            if bracket is not None and bracket.stop == instruction.order.ref:
                bracket.stop_ticks = instruction.order.stop_ticks or bracket.stop_ticks
        else:
            record = self.find(instruction.ref, instruction.perm_id)
            if record is not None and record.live:
                record.status, record.cancel_ts = OrderStatus.CANCEL_PENDING, ts

    def still_works(self, ref: str, perm_id: int = 0) -> None:
        """Say that a cancellation has not reached the venue: the order may be cancelled again."""
        record = self.find(ref, perm_id)
        if record is not None and record.status is OrderStatus.CANCEL_PENDING:
            known = OrderStatus.WORKING if record.perm_id or perm_id else OrderStatus.UNKNOWN
            record.status = OrderStatus.PARTIALLY_FILLED if record.filled else known

    def doubt(self, ref: str) -> None:
        """Say that the outcome of a send is unknown."""
        record = self.state.orders.get(ref)
        if record is not None and record.live:
            record.status = OrderStatus.UNKNOWN

    # -- in ----------------------------------------------------------------------------------------

    def apply(self, event: VenueOrder | Fill | Commission) -> Heard:
        """Take what the venue says about an order, a fill or its cost."""
        if isinstance(event, Commission):
            return self._commission(event)
        return self._order(event) if isinstance(event, VenueOrder) else self._fill(event)

    def find(self, ref: str, perm_id: int) -> OrderRecord | None:
        """Return the order of a perm_id, else of a ref; None for one not known here."""
        ref = self._refs.get(perm_id, ref) if perm_id else ref
        return self.state.orders.get(ref)

    def _order(self, said: VenueOrder) -> Heard:
        record, notes = self.find(said.ref, said.perm_id), []
        if record is None:
            record = self._adopt(said)
            notes = [f"order {name_of(said)} was not placed here: {said.side * said.qty:+d} {said.symbol}"]
        if said.perm_id and record.perm_id != said.perm_id:
            record.perm_id = said.perm_id
            self._refs[said.perm_id] = record.order.ref
        before = record.status, record.order, record.rests
        if record.status in DEAD and said.status not in DEAD:
            if record.status is OrderStatus.FILLED or said.filled < record.filled:
                return Heard(notes=tuple(notes))  # old news after the last fill
            late.take_up(self.state, record.bracket_id)
            notes.append(
                f"order {record.order.ref} was {record.status.value}, the venue has it {said.status}"
            )
        status = said.status
        pending = record.status is OrderStatus.CANCEL_PENDING
        if pending and status in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED):
            status = OrderStatus.CANCEL_PENDING
        record.final = None
        if status in DEAD and said.filled > record.filled:  # the fills themselves have yet to come
            record.final, record.final_filled = status, said.filled
            status = record.status
        record.status, record.rests = status, said.rests if record.live else Rests.UNKNOWN
        record.order = as_told(record.order, said)
        reports: tuple[OrderReport, ...] = ()
        if (record.status, record.order, record.rests) != before and self._engine_knows(record):
            reports = (self._report(record, said.ts_event, said.reason),)
        rejected = status is OrderStatus.REJECTED and before[0] is not OrderStatus.REJECTED
        return Heard(reports, tuple(notes), self._finished(record.bracket_id, said.ts_event), None, rejected)

    def _adopt(self, said: VenueOrder) -> OrderRecord:
        bracket_id, role = parts_of(said.ref)
        known = bracket_id in self.state.brackets
        ref = said.ref or f"external:{said.perm_id}"
        order = WireOrder(ref, said.symbol, said.side, said.qty, said.type, said.limit_ticks, said.stop_ticks)
        record = OrderRecord(
            order, bracket_id if known else "", role, said.status, said.ts_event, external=not known
        )
        self.state.orders[ref] = record
        return record

    def _fill(self, fill: Fill) -> Heard:
        fills, base = self.state.fills, base_of(fill.exec_id)
        old = fills.get(base)
        if old is not None:
            if old.fill.exec_id >= fill.exec_id or old.fill == fill:
                return Heard()
            return self._correct(base, old, fill)
        record = self.find(fill.ref, fill.perm_id)
        bracket = None
        if record is not None:
            late.take_up(self.state, record.bracket_id)
            bracket = self.state.brackets.get(record.bracket_id)
        counted, notes = fill.qty, []
        if record is None:
            notes = [
                f"fill {fill.exec_id} of an order not placed here: {fill.side * fill.qty:+d} {fill.symbol}"
            ]
        elif bracket is None:
            record.filled += fill.qty
        else:
            counted, notes = self._count(bracket, record, fill)
        commission = fill.commission_usd
        early = self.state.early_commissions.pop(fill.exec_id, None)
        commission = early if commission is None else commission
        fills[base] = FillRecord(fill, record.bracket_id if record else "", counted, commission)
        self._book(fill, +1)
        if commission is not None:
            self._cost(bracket, commission)
        return self._after_fill(record, bracket, fill, counted, notes)

    def _count(self, bracket: BracketRecord, record: OrderRecord, fill: Fill) -> tuple[int, list[str]]:
        record.filled += fill.qty
        bracket.cash_usd -= fill.side * fill.qty * money(fill.symbol, fill.price_ticks)
        if record.role is Role.ENTRY:
            counted = min(fill.qty, bracket.qty - bracket.filled)
            bracket.filled += counted
        else:
            counted = min(fill.qty, bracket.open)
            bracket.exited += counted
        over = fill.qty - counted
        return counted, [f"over-fill of {over} by {record.order.ref}: it must be reversed"] if over else []

    def _after_fill(
        self,
        record: OrderRecord | None,
        bracket: BracketRecord | None,
        fill: Fill,
        counted: int,
        notes: list[str],
    ) -> Heard:
        if record is None:
            return Heard(notes=tuple(notes))
        done = record.filled >= record.order.qty
        if record.final is not None and record.filled >= record.final_filled:
            record.status, record.final = record.final, None
        elif done:
            record.status = OrderStatus.FILLED
        elif record.status is not OrderStatus.CANCEL_PENDING and record.live:
            record.status = OrderStatus.PARTIALLY_FILLED
        if bracket is None or counted == 0:
            return Heard(notes=tuple(notes))
        reference = record.reference_ticks
        slip = None if reference is None else fill.side * (fill.price_ticks - reference)
        known = self._engine_knows(record)
        told = (self._report(record, fill.ts_event, "", fill, counted),) if known else ()
        return Heard(told, tuple(notes), self._finished(bracket.bracket_id, fill.ts_event), slip)

    def _correct(self, base: str, old: FillRecord, new: Fill) -> Heard:
        self._book(old.fill, -1)
        self._book(new, +1)
        bracket = self.state.brackets.get(old.bracket_id)
        record = self.find(new.ref, new.perm_id)
        if bracket is not None:
            bracket.cash_usd += old.fill.side * old.fill.qty * money(old.fill.symbol, old.fill.price_ticks)
            bracket.cash_usd -= new.side * new.qty * money(new.symbol, new.price_ticks)
            change = new.qty - old.fill.qty
            if record is not None and change:
                record.filled += change
                if record.role is Role.ENTRY:
                    bracket.filled += change
                else:
                    bracket.exited += change
        self.state.fills[base] = FillRecord(new, old.bracket_id, new.qty, old.commission_usd)
        return Heard(
            notes=(
                f"execution {base} corrected: {old.fill.qty} at {old.fill.price_ticks} is now "
                f"{new.qty} at {new.price_ticks} ticks",
            )
        )

    def _commission(self, said: Commission) -> Heard:
        base = base_of(said.exec_id)
        record = self.state.fills.get(base)
        if record is None:
            self.state.early_commissions[said.exec_id] = said.usd
            return Heard()
        bracket = self.state.brackets.get(record.bracket_id)
        self._cost(bracket, said.usd - (record.commission_usd or ZERO))
        record.commission_usd = said.usd
        return Heard()

    def _book(self, fill: Fill, sign: int) -> None:
        s = self.state
        signed = sign * fill.side * fill.qty
        s.positions[fill.symbol] = s.positions.get(fill.symbol, 0) + signed
        s.cash_usd -= signed * money(fill.symbol, fill.price_ticks)

    def _cost(self, bracket: BracketRecord | None, usd: Decimal) -> None:
        self.state.commissions_usd += usd
        if bracket is not None:
            bracket.fees_usd += usd

    def _finished(self, bracket_id: str, ts: int) -> tuple[Closed, ...]:
        """Forget a bracket that is flat and of which nothing can fill any more."""
        bracket = self.state.brackets.get(bracket_id)
        if bracket is None or bracket.open != 0 or self.state.orders[bracket.entry].live:
            return ()
        if any(r.live for r in self.of_bracket(bracket_id)):
            return ()
        late.written_off(self.state, self.state.brackets.pop(bracket_id))
        if bracket.filled == 0:
            return ()
        return (Closed(bracket_id, bracket.cash_usd - bracket.fees_usd, bracket.opened_ts, ts),)

    def _engine_knows(self, record: OrderRecord) -> bool:
        bracket = self.state.brackets.get(record.bracket_id)
        return bool(record.bracket_id) and (bracket is None or not bracket.orphan)

    def _report(
        self, record: OrderRecord, ts: int, reason: str, fill: Fill | None = None, counted: int = 0
    ) -> OrderReport:
        self.state.reports += 1
        cents = 0
        if fill is not None:
            known = fill.commission_usd
            cents = self.fee_cents[fill.symbol] * fill.qty if known is None else round(known * 100)
        return OrderReport(
            ts_event=ts,
            ts_recv=ts,
            seq=self.state.reports,
            order_id=record.order.ref,
            bracket_id=record.bracket_id,
            role=record.role,
            symbol=record.order.symbol,
            side=record.order.side,
            status=self._told(record),
            qty=record.order.qty,
            filled_qty=record.filled,
            last_qty=counted,
            last_ticks=float(fill.price_ticks) if fill is not None else None,
            fee_cents=cents,
            exec_id=fill.exec_id if fill is not None else None,
            reason=reason,
            reference_ticks=record.reference_ticks,
            submitted_ts=record.sent_ts,
        )

    def _told(self, record: OrderRecord) -> OrderStatus:
        """Return the status by role: an exit may be made anew, so it has not ended while something is open."""
        bracket = self.state.brackets.get(record.bracket_id)
        if bracket is None or record.role is Role.ENTRY or record.live:
            return record.status
        if bracket.open == 0 and not self.state.orders[bracket.entry].live:
            return record.status
        return OrderStatus.PARTIALLY_FILLED if record.filled else OrderStatus.UNKNOWN

    # -- for whoever looks -------------------------------------------------------------------------

    def of_bracket(self, bracket_id: str) -> list[OrderRecord]:
        """Return every order of a bracket."""
        return [r for r in self.state.orders.values() if r.bracket_id == bracket_id]

    def live_orders(self) -> list[OrderRecord]:
        """Return every order that may still fill, ours and others'."""
        return [r for r in self.state.orders.values() if r.live]

    def position(self, symbol: str) -> int:
        """Return signed contracts of a symbol."""
        return self.state.positions.get(symbol, 0)

    def es_position(self) -> float:
        """Return the position in ES contracts, MES a tenth."""
        return self.position("ES") + self.position("MES") / 10

    def net_usd(self, marks: dict[str, int]) -> Decimal | None:
        """Return money made so far, open positions at `marks` (ticks), net of commissions.

        A commission not told yet counts as expected. None while something is open that has no mark.
        """
        total = self.state.cash_usd - self.state.commissions_usd - self.expected_fees_usd()
        for symbol, qty in self.state.positions.items():
            if qty and symbol not in marks:
                return None
            total += qty * money(symbol, marks.get(symbol, 0))
        return total

    def expected_fees_usd(self) -> Decimal:
        """Return what fills are expected to have cost whose commission has not come."""
        waiting = [r.fill for r in self.state.fills.values() if r.commission_usd is None]
        return Decimal(sum(self.fee_cents[f.symbol] * f.qty for f in waiting)) / 100

    def sweep(self, ts: int) -> None:
        """Forget dead orders of brackets that are gone, and fills older than the venue would tell again."""
        s = self.state
        late.forget(s, ts)
        keep = {*s.brackets, *s.lost}
        for ref in [ref for ref, r in s.orders.items() if not r.live and r.bracket_id not in keep]:
            self._refs.pop(s.orders.pop(ref).perm_id, None)
        old = [base for base, r in s.fills.items() if ts - r.fill.ts_event > KEEP_FILLS_NS]
        for base in old:
            record = s.fills.pop(base)
            if record.commission_usd is None:  # it never came: what was expected stays counted
                s.commissions_usd += Decimal(self.fee_cents[record.fill.symbol] * record.fill.qty) / 100
