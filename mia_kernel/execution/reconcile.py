"""Reconcile: the venue's own list of positions, orders and executions against ours. The venue is right.

How it moves: missed executions are taken as if they came now, orders are brought to what the venue says,
orders of ours that the venue does not know any more have ended; what then still differs in a position is a
difference, which a person must see. Nothing is ever sent from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from mia_kernel.core.orders import OrderReport, OrderStatus
from mia_kernel.core.venue import Snapshot, VenueOrder
from mia_kernel.execution.truth import Closed, Truth
from mia_kernel.execution.truth_record import OrderRecord, money

CANCEL_NS = 2_000_000_000
"""Time a cancellation may be under way before an order listed as working disproves it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where we and the venue did not agree before; `what` is position, order or fill."""

    what: str
    name: str
    ours: str
    venue: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}: here {self.ours}, at the venue {self.venue}"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a snapshot brought. `equal`: nothing had to be corrected by force.

    `crossed`: symbols whose position differs while a fill of them is as new as the question. The lists of a
    snapshot are not of one instant, so this says nothing: nothing was corrected, the venue must be asked again.
    """

    differences: tuple[Difference, ...]
    reports: tuple[OrderReport, ...]
    notes: tuple[str, ...]
    closed: tuple[Closed, ...]
    crossed: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.differences and not self.crossed


def reconcile(truth: Truth, snapshot: Snapshot, *, asked_ts: int, marks: dict[str, int]) -> Reconciled:
    """Bring `truth` to what the venue says in `snapshot`.

    Parameters
    ----------
    asked_ts : int
        When the question left: an order sent later may be missing in the answer, which then means nothing.
    marks : dict
        Ticks by symbol. A position difference without a fill to explain it is taken at its mark: what it
        made before is not known here, and the difference says so. Without a mark it stays a difference.
    """
    differences: list[Difference] = []
    reports: list[OrderReport] = []
    notes: list[str] = []
    closed: list[Closed] = []
    for order in snapshot.orders:
        _cancel_lost(truth, order, asked_ts)
    for event in (*snapshot.orders, *sorted(snapshot.fills, key=lambda f: (f.ts_event, f.exec_id))):
        heard = truth.apply(event)
        reports += heard.reports
        notes += heard.notes
        closed += heard.closed
    said = {o.perm_id for o in snapshot.orders if o.perm_id} | {o.ref for o in snapshot.orders if o.ref}
    for record in truth.live_orders():
        if record.perm_id in said or record.order.ref in said or record.sent_ts >= asked_ts:
            continue
        differences += _ended(record)
        heard = truth.apply(_gone(record, snapshot.ts_event))
        reports += heard.reports
        closed += heard.closed
    moved = {r.fill.symbol for r in truth.state.fills.values() if r.fill.ts_event >= asked_ts}
    wrong, crossed = _positions(truth, snapshot, marks, moved)
    return Reconciled((*differences, *wrong), tuple(reports), tuple(notes), tuple(closed), tuple(crossed))


def _cancel_lost(truth: Truth, said: VenueOrder, asked_ts: int) -> None:
    """A cancellation sent well before the question, of an order the venue still has working, was lost."""
    record = truth.find(said.ref, said.perm_id)
    working = said.status in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUBMITTED)
    if record is not None and working and record.cancel_ts and asked_ts - record.cancel_ts > CANCEL_NS:
        truth.still_works(said.ref, said.perm_id)


def _ended(record: OrderRecord) -> list[Difference]:
    """An order whose outcome was open is resolved by this; one believed working is a difference."""
    open_outcomes = (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN, OrderStatus.CANCEL_PENDING)
    if record.status in open_outcomes or record.final is not None:
        return []
    return [Difference("order", record.order.ref, record.status.value, "not there")]


def _gone(record: OrderRecord, ts: int) -> VenueOrder:
    o = record.order
    done = record.filled >= o.qty
    return VenueOrder(
        ref=o.ref,
        perm_id=record.perm_id,
        symbol=o.symbol,
        side=o.side,
        qty=o.qty,
        filled=record.filled,
        status=OrderStatus.FILLED if done else OrderStatus.CANCELLED,
        type=o.type,
        ts_event=ts,
        limit_ticks=o.limit_ticks,
        stop_ticks=o.stop_ticks,
        reason="not at the venue",
    )


def _positions(
    truth: Truth, snapshot: Snapshot, marks: dict[str, int], moved: set[str]
) -> tuple[list[Difference], list[str]]:
    held = {h.symbol: h.qty for h in snapshot.holdings}
    out: list[Difference] = []
    crossed: list[str] = []
    for symbol in sorted({*held, *truth.state.positions}):
        ours, venue = truth.position(symbol), held.get(symbol, 0)
        if ours == venue:
            continue
        if symbol in moved:
            crossed.append(symbol)
            continue
        out.append(Difference("position", symbol, f"{ours:+d}", f"{venue:+d}"))
        if symbol in marks:  # else not before there is one, or the day's figure would jump by the whole value
            truth.state.positions[symbol] = venue
            truth.state.cash_usd -= (venue - ours) * money(symbol, marks[symbol])
    return out, crossed
