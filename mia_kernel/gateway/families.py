"""Say what a fill or an end of one order leaves for its relatives; pure functions.

Exits of one parent never do more than it has: together they are one group, each reduced to what is left. An
OCA group is either cancelled by a fill (type 1) or reduced by its share (types 2 and 3).
"""

from __future__ import annotations

from collections.abc import Iterable

from mia_kernel.gateway.orders import DONE, Order

_REDUCING = (2, 3)


def left_of(parent: Order) -> int:
    """Return how many contracts the exits of a parent may still do together."""
    expected = parent.filled if parent.state == DONE else parent.total
    return expected - sum(child.filled for child in parent.children if child.is_exit)


def left_for_exits(parent: Order, filled: Order | None = None) -> list[tuple[Order, int]]:
    """Return (exit, contracts it may still do) for the living exits of a parent, without `filled` itself."""
    left = left_of(parent)
    return [(c, left) for c in parent.children if c.is_exit and c.state != DONE and c is not filled]


def left_for_group(order: Order, quantity: int, living: Iterable[Order]) -> list[tuple[Order, int]]:
    """Return (order, contracts left) for the others of an OCA group after a fill of `quantity`."""
    name = order.terms.oca_group
    others = [o for o in living if name and o is not order and o.terms.oca_group == name]
    if order.terms.oca_type not in _REDUCING:
        return [(other, 0) for other in others]
    share = quantity / (order.remaining + quantity)
    return [(other, round(other.remaining * (1 - share))) for other in others]
