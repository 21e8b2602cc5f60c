"""The venue under random orders and markets: no contract appears or is lost, no exit exceeds its parent."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mia_kernel.gateway.orders import DONE, HELD
from tests.fakes.gateway_orders import ASK, BID, Bench, S

pytestmark = [pytest.mark.safety, pytest.mark.orderflow]

OFFSETS = st.integers(-6, 6)
QUANTITIES = st.integers(1, 4)
SIDES = st.sampled_from(["BUY", "SELL"])


class VenueMachine(RuleBasedStateMachine):
    """Orders, changes, cancels, quotes and prints in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.next_id = 1

    def _ids(self, count: int) -> int:
        first = self.next_id
        self.next_id += count
        return first

    @rule(side=SIDES, quantity=QUANTITIES, offset=OFFSETS, tif=st.sampled_from(["GTC", "DAY", "IOC", "FOK"]))
    def limit(self, side: str, quantity: int, offset: int, tif: str) -> None:
        self.bench.place(self._ids(1), side, quantity, limit=BID + offset, tif=tif)

    @rule(side=SIDES, quantity=QUANTITIES, offset=OFFSETS, kind=st.sampled_from(["STP", "MIT"]))
    def triggered(self, side: str, quantity: int, offset: int, kind: str) -> None:
        self.bench.place(self._ids(1), side, quantity, kind, aux=BID + offset)

    @rule(side=SIDES, quantity=QUANTITIES)
    def market(self, side: str, quantity: int) -> None:
        self.bench.place(self._ids(1), side, quantity, "MKT")

    @rule(side=SIDES, quantity=QUANTITIES, distance=st.integers(1, 5))
    def trail(self, side: str, quantity: int, distance: int) -> None:
        self.bench.place(self._ids(1), side, quantity, "TRAIL", aux=distance)

    @rule(quantity=QUANTITIES, offset=OFFSETS, loss=st.integers(1, 6), gain=st.integers(1, 6))
    def bracket(self, quantity: int, offset: int, loss: int, gain: int) -> None:
        limit = BID + offset
        first = self._ids(3)
        self.bench.place(first, "BUY", quantity, limit=limit, transmit=False)
        self.bench.place(first + 1, "SELL", quantity, limit=limit + gain, parent_id=first, transmit=False)
        self.bench.place(first + 2, "SELL", quantity, "STP", aux=limit - loss, parent_id=first)

    @rule(quantity=QUANTITIES, kind=st.sampled_from([1, 2, 3]), offsets=st.tuples(OFFSETS, OFFSETS))
    def group(self, quantity: int, kind: int, offsets: tuple[int, int]) -> None:
        first = self._ids(2)
        for i, offset in enumerate(offsets):
            self.bench.place(
                first + i, "BUY", quantity, limit=BID + offset, oca_group=f"g{first}", oca_type=kind
            )

    @rule(pick=st.integers(0, 200), quantity=QUANTITIES, offset=OFFSETS)
    def modify(self, pick: int, quantity: int, offset: int) -> None:
        alive = [order for order in self.bench.venue.alive() if order.type == "LMT"]
        if alive:
            order = alive[pick % len(alive)]
            parent = 0 if order.parent is None else order.parent.order_id
            self.bench.place(order.order_id, order.terms.action, quantity, limit=BID + offset, parent_id=parent,
                             oca_group=order.terms.oca_group, oca_type=order.terms.oca_type)  # fmt: skip

    @rule(pick=st.integers(0, 200))
    def cancel(self, pick: int) -> None:
        if self.next_id > 1:
            self.bench.venue.cancel(7, 1 + pick % (self.next_id - 1))

    @rule(move=st.integers(-3, 3), sizes=st.lists(st.integers(0, 6), min_size=10, max_size=10))
    def quote(self, move: int, sizes: list[int]) -> None:
        best = [max(1, sizes[0]), *sizes[1:]]
        self.bench.quote(BID + move, ASK + move, best, best[::-1][:9] + [1])

    @rule(px=OFFSETS, size=st.integers(1, 12), side=st.sampled_from([-1, 0, 1]))
    def trade(self, px: int, size: int, side: int) -> None:
        self.bench.now += S
        self.bench.trade(BID + px, size, side)

    @invariant()
    def position_is_the_sum_of_fills(self) -> None:
        assert self.bench.position == sum(f.side * f.quantity for f in self.bench.fills)

    @invariant()
    def no_order_does_more_than_it_said(self) -> None:
        for order in self.bench.venue.orders.values():
            own = sum(f.quantity for f in self.bench.fills if f.perm_id == order.perm_id)
            assert own == order.filled <= order.total
            assert order.state == DONE or order.remaining > 0
            assert (order.perm_id in self.bench.venue.living) == (order.state != DONE)

    @invariant()
    def exits_never_exceed_what_the_parent_filled(self) -> None:
        for parent in self.bench.venue.orders.values():
            exits = [child for child in parent.children if child.is_exit]
            assert sum(child.filled for child in exits) <= parent.filled
            expected = parent.filled if parent.state == DONE else parent.total
            closed = sum(child.filled for child in exits)
            for child in exits:
                assert child.state in (DONE, HELD) or child.remaining <= expected - closed

    @invariant()
    def money_is_that_of_the_fills(self) -> None:
        cash = sum(-f.side * f.quantity * f.price * 5000 - f.commission_cents for f in self.bench.fills)
        mark = self.bench.market.mark()
        assert mark is not None
        worth = cash + self.bench.position * mark * 5000
        equity = self.bench.account.equity_cents - self.bench.params.equity_usd * 100
        assert abs(equity - worth) <= 1 + len(self.bench.fills)  # each realization is rounded to a cent


TestVenue = VenueMachine.TestCase
TestVenue.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@pytest.mark.long
class TestVenueLong(VenueMachine.TestCase):
    settings = settings(max_examples=10_000, stateful_step_count=40, deadline=None)
