"""Let an order in or refuse it: new ones, and changes of living ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.families import left_of
from mia_kernel.gateway.fields import OrderTerms
from mia_kernel.gateway.margins import margin_refusal
from mia_kernel.gateway.orders import DONE, TYPES, Order
from mia_kernel.gateway.rules import Refusal, prices_of, refuse_terms

if TYPE_CHECKING:
    from mia_kernel.gateway.venue import Venue


def new_order(
    venue: Venue, client_id: int, order_id: int, listing: Listing, terms: OrderTerms
) -> Order | Refusal:
    """Return the order these terms make, not yet registered, or the code it is refused with."""
    refusal = refuse_terms(terms, listing, venue.account.name)
    if refusal is not None:
        return refusal
    if 0 <= order_id <= venue.highest_id.get(client_id, 0):
        return Refusal(103, "Duplicate order id")
    prices = prices_of(terms, listing)
    if isinstance(prices, Refusal):
        return prices
    order = Order(client_id, order_id, 0, listing, terms, TYPES[terms.type], 1 if terms.action == "BUY" else -1,
                  int(terms.quantity), venue.now_ns(), limit=prices.limit, stop=prices.stop,
                  trail=prices.trail)  # fmt: skip
    if terms.parent_id:
        parent = venue.by_key.get((client_id, terms.parent_id))
        if parent is None or (parent.state == DONE and parent.filled == 0):
            return Refusal(135, f"Can't find order with ID ={terms.parent_id}")
        if order.side != parent.side and order.total > (most := left_of(parent)):
            return Refusal(
                201, f"Order rejected - reason:an exit of {order.total} where its parent has {most}"
            )
        order.parent = parent
    return _within_limits(venue, order) or order


def _within_limits(venue: Venue, order: Order) -> Refusal | None:
    same = [o for o in venue.alive() if o.listing == order.listing and o.side == order.side]
    most = venue.params.pacing.active_orders_per_side
    if len(same) >= most:
        return Refusal(
            201, f"Order rejected - reason:{most} active orders of one side of a contract are allowed"
        )
    if order.is_exit:
        return None
    return margin_refusal(venue.account, order.listing, order.side * order.total)


def refuse_change(venue: Venue, order: Order, listing: Listing | None, terms: OrderTerms) -> Refusal | None:
    """Return why a living order may not be changed to these terms; refused, it stays as it was."""
    same = listing is not None and listing.con_id == order.listing.con_id
    if not same or terms.action != order.terms.action or TYPES.get(terms.type) != order.type:
        return Refusal(105, "Order being modified does not match original order.")
    refusal = refuse_terms(terms, order.listing, venue.account.name)
    if refusal is not None:
        return refusal
    if terms.quantity < order.filled or (terms.quantity == order.filled and order.filled):
        return Refusal(104, "Cannot modify a filled order.")
    if order.parent is not None and order.is_exit:
        most = order.filled + left_of(order.parent)
        if terms.quantity > most:
            return Refusal(201, f"Order rejected - reason:this exit may do {most} of its parent's contracts")
    more = int(terms.quantity) - order.total
    if more > 0 and not order.is_exit:
        return margin_refusal(venue.account, order.listing, order.side * more)
    return None
