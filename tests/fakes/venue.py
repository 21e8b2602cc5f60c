"""A small deterministic venue with its own ledger: the oracle of the guardian's tests.

It does what a broker does, and misbehaves on request: partial fills, rejections, silence, lost links,
repeated and shuffled messages, corrections, hand-made orders. Prices in ticks, time given by the test.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.venue import (
    Cancel,
    Commission,
    Fill,
    Holding,
    Instruction,
    Link,
    Modify,
    Place,
    Rests,
    Snapshot,
    Top,
    Trouble,
    VenueEvent,
    VenueOrder,
    WireOrder,
    WireType,
)

T0 = 1_699_977_600_000_000_000
"""2023-11-14 11:00 New York, a Tuesday inside RTH."""
CONTRACT = "ESZ23"
DEAD = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED)
TICK_USD = {"ES": Decimal("12.5"), "MES": Decimal("1.25")}
FEE_USD = {"ES": Decimal("2.25"), "MES": Decimal("0.62")}


@dataclass
class Resting:
    order: WireOrder
    perm_id: int
    status: OrderStatus = OrderStatus.WORKING
    filled: int = 0
    ours: bool = True

    @property
    def left(self) -> int:
        return 0 if self.status in DEAD else self.order.qty - self.filled


@dataclass
class Venue:
    """Orders, fills, positions and money as they really are."""

    seed: int = 0
    accounts: tuple[str, ...] = ("DU1234567",)
    equity: Decimal | None = Decimal(50_000)
    depth: int | None = None  # contracts that can fill at once; None: all
    orphans_die: bool = True  # a cancelled parent takes its children along, filled in part or not
    auto_reduce: bool = True  # OCA reduces the others by itself
    reject_next: int = 0
    frozen: bool = False  # nothing fills
    contract: str | None = CONTRACT
    tops: dict[str, tuple[int | None, int | None, int]] = field(default_factory=dict)
    orders: dict[int, Resting] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    cash: Decimal = Decimal(0)
    events: list[VenueEvent] = field(default_factory=list)
    received: list[tuple[int, Instruction]] = field(default_factory=list)
    refs_seen: dict[str, int] = field(default_factory=dict)
    now: int = T0
    _perm: int = 1000
    _exec: int = 0

    # -- the market --------------------------------------------------------------------------------

    def quote(self, bid: int | None, ask: int | None, symbol: str = "ES") -> None:
        self.tops[symbol] = (bid, ask, self.now)
        self.match()

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    # -- instructions ------------------------------------------------------------------------------

    def receive(self, instructions: Sequence[Instruction]) -> None:
        for instruction in instructions:
            self.received.append((self.now, instruction))
            if isinstance(instruction, Place):
                for order in instruction.orders:
                    self._place(order)
            elif isinstance(instruction, Modify):
                self._modify(instruction.order)
            else:
                self._cancel(instruction)
        self.match()

    def _place(self, order: WireOrder) -> None:
        self.refs_seen[order.ref] = self.refs_seen.get(order.ref, 0) + 1
        self._perm += 1
        resting = Resting(order, self._perm)
        self.orders[self._perm] = resting
        parent = self._by_ref(order.parent) if order.parent else None
        if self.reject_next > 0 or (parent is not None and parent.status is OrderStatus.REJECTED):
            self.reject_next = max(0, self.reject_next - (parent is None))
            resting.status = OrderStatus.REJECTED
        self._tell(resting, "refused" if resting.status is OrderStatus.REJECTED else "")

    def _modify(self, order: WireOrder) -> None:
        resting = self._by_ref(order.ref)
        if resting is None or resting.status in DEAD:
            self.events.append(Trouble(201, "no such working order", order.ref))
            return
        resting.order = replace(order, qty=max(order.qty, resting.filled))
        if resting.left == 0:
            resting.status = OrderStatus.CANCELLED
        self._tell(resting)

    def _cancel(self, cancel: Cancel) -> None:
        resting = self.orders.get(cancel.perm_id) or self._by_ref(cancel.ref)
        if resting is None or resting.status in DEAD:
            self.events.append(Trouble(10147, "order to cancel is not found", cancel.ref))
            return
        self._end(resting)

    def _end(self, resting: Resting) -> None:
        resting.status = OrderStatus.CANCELLED
        self._tell(resting)
        for child in self._children(resting):
            if child.left and (self.orphans_die or resting.filled == 0):
                child.status = OrderStatus.CANCELLED
                self._tell(child, "parent cancelled")

    def _by_ref(self, ref: str | None) -> Resting | None:
        found = [r for r in self.orders.values() if ref and r.order.ref == ref]
        return found[-1] if found else None

    def _children(self, parent: Resting) -> list[Resting]:
        return [r for r in self.orders.values() if r.order.parent and r.order.parent == parent.order.ref]

    # -- matching ----------------------------------------------------------------------------------

    def match(self) -> None:
        moved = not self.frozen
        while moved:
            moved = any(self._try(r) for r in sorted(self.orders.values(), key=lambda r: r.perm_id))

    def _active(self, r: Resting) -> int:
        """Contracts that may fill now: children only for what their parent has filled."""
        parent = self._by_ref(r.order.parent) if r.order.parent else None
        if parent is None:
            return r.left
        gone = sum(c.filled for c in self._children(parent))
        return max(0, min(r.left, parent.filled - gone))

    def _try(self, r: Resting) -> bool:
        bid, ask, _ = self.tops.get(r.order.symbol, self.tops.get("ES", (None, None, 0)))
        touch = ask if r.order.side > 0 else bid
        n = self._active(r)
        if n <= 0 or touch is None:
            return False
        side, o = r.order.side, r.order
        if o.type is WireType.LIMIT and side * ((o.limit_ticks or 0) - touch) < 0:
            return False
        if o.type is WireType.STOP and side * (touch - (o.stop_ticks or 0)) < 0:
            return False
        n = n if self.depth is None else min(n, self.depth)
        if n <= 0:
            return False
        self.fill(r, n, touch)
        return self.depth is None

    def fill(self, r: Resting, n: int, px: int, *, commission: bool = True) -> Fill:
        self._exec += 1
        o = r.order
        fill = Fill(
            f"0001.{self._exec:06d}.01.01",
            r.perm_id,
            o.ref if r.ours else "",
            o.symbol,
            o.side,
            n,
            px,
            self.now,
        )
        r.filled += n
        r.status = OrderStatus.FILLED if r.filled >= o.qty else OrderStatus.PARTIALLY_FILLED
        self.fills.append(fill)
        self.positions[o.symbol] = self.positions.get(o.symbol, 0) + o.side * n
        self.cash -= o.side * n * px * TICK_USD[o.symbol] + n * FEE_USD[o.symbol]
        self.events.append(fill)
        self._tell(r)
        if commission:
            self.events.append(Commission(fill.exec_id, n * FEE_USD[o.symbol]))
        self._reduce_group(r, n)
        return fill

    def _reduce_group(self, filled: Resting, n: int) -> None:
        group = filled.order.oca
        if not group or not self.auto_reduce:
            return
        for other in self.orders.values():
            if other is filled or other.order.oca != group or other.left == 0:
                continue
            other.order = replace(other.order, qty=max(other.filled, other.order.qty - n))
            if other.left == 0:
                other.status = OrderStatus.CANCELLED
            self._tell(other, "one cancels other")

    def correct(self, fill: Fill, px: int) -> Fill:
        """Replace an execution, as a broker does hours later."""
        new = replace(fill, exec_id=f"{fill.exec_id[:-2]}{int(fill.exec_id[-2:]) + 1:02d}", price_ticks=px)
        self.fills[self.fills.index(fill)] = new
        self.cash -= fill.side * fill.qty * (px - fill.price_ticks) * TICK_USD[fill.symbol]
        self.events.append(new)
        return new

    def by_hand(self, side: int, qty: int, px: int, symbol: str = "ES") -> None:
        """Somebody trades in the broker's own program."""
        self._perm += 1
        order = WireOrder("", symbol, side, qty, WireType.LIMIT, limit_ticks=px)
        self.orders[self._perm] = Resting(order, self._perm, ours=False)
        self._tell(self.orders[self._perm])
        self.match()

    def net(self, marks: dict[str, int]) -> Decimal:
        return self.cash + sum(q * marks[s] * TICK_USD[s] for s, q in self.positions.items() if q)

    # -- telling -----------------------------------------------------------------------------------

    def told(self, r: Resting, reason: str = "") -> VenueOrder:
        o = r.order
        rests = Rests.BROKER if o.type is WireType.STOP else Rests.VENUE
        return VenueOrder(
            o.ref if r.ours else "", r.perm_id, o.symbol, o.side, o.qty, r.filled, r.status, o.type, self.now,
            o.limit_ticks, o.stop_ticks, rests, o.outside_rth, reason,
        )  # fmt: skip

    def _tell(self, r: Resting, reason: str = "") -> None:
        self.events.append(self.told(r, reason))

    def snapshot(self, query_id: int) -> Snapshot:
        return Snapshot(
            query_id,
            tuple(Holding(s, q) for s, q in self.positions.items() if q),
            tuple(self.told(r) for r in self.orders.values() if r.left),
            tuple(self.fills),
            self.now,
        )

    def working(self) -> list[Resting]:
        return [r for r in self.orders.values() if r.left]

    def stops(self) -> int:
        return sum(r.left for r in self.working() if r.order.type is WireType.STOP)


class Socket:
    """The order socket of a venue in the same process, with a link that can be cut in three ways."""

    name = "fake venue"

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.up = True
        self.deaf = False  # what is sent never arrives
        self.late: list[Instruction] | None = None  # what is sent waits here, until it is handed over
        self.mute = False  # what is said never arrives (half-open)
        self.muted: list[VenueEvent] = []
        self.repeat = False
        self.shuffle: random.Random | None = None
        self.queries = 0

    @property
    def connected(self) -> bool:
        return self.up

    @property
    def accounts(self) -> tuple[str, ...]:
        return self.venue.accounts

    def now_ns(self) -> int:
        return self.venue.now

    bell = None  # it is asked again and again

    def wait(self, timeout_s: float) -> None:
        return None

    def submit(self, instructions: Sequence[Instruction]) -> None:
        if not self.up:
            raise OutsideError("the link is down; way out: wait")
        if self.late is not None:
            self.late += instructions
        elif not self.deaf:
            self.venue.receive(instructions)

    def query(self, query_id: int) -> None:
        if not self.up:
            raise OutsideError("the link is down; way out: wait")
        self.queries += 1
        if not self.deaf:
            self.venue.events.append(self.venue.snapshot(query_id))

    def reports(self) -> list[VenueEvent]:
        said, self.venue.events = self.venue.events, []
        if self.mute or not self.up:
            self.muted += said
            return []
        if self.repeat:
            said = [event for event in said for _ in range(2)]
        if self.shuffle is not None:
            self.shuffle.shuffle(said)
        return said

    def top_of_book(self, symbol: str) -> Top | None:
        known = self.venue.tops.get(symbol)
        if known is None:
            return None
        return Top(known[0], known[1], (self.venue.now - known[2]) / 1e9)

    def contract(self, symbol: str) -> str | None:
        return self.venue.contract

    def equity_usd(self) -> Decimal | None:
        return self.venue.equity

    def close(self) -> None:
        self.up = False

    def cut(self) -> None:
        self.up = False
        self.muted.clear()
        self.venue.events.clear()

    def restore(self, *, data_lost: bool = False) -> None:
        self.up = True
        self.venue.events = [Link(True, "1101" if data_lost else "1102", data_lost)]
