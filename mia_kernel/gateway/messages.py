"""Write what the gateway says: one function a message, the fields in the order of the wire.

Versions matter in few places (159 to 170 in open orders, 164 in contract details, 166 in errors); the
server never offers more than 176. Source: the decoders of ib_insync 0.9.86 and ibapi 9.81 and 10.46.
"""

from __future__ import annotations

from mia_kernel.gateway.clock import stamp
from mia_kernel.gateway.orders import DONE, Execution, Order

UNSET = "1.7976931348623157E308"
Message = list[object]


def error(request: int, code: int, text: str, version: int) -> Message:
    """Error or notice; request −1 is for the connection as a whole."""
    return [4, 2, request, code, text] + ([""] if version >= 166 else [])


def order_status(order: Order) -> Message:
    """Status of an order."""
    parent = 0 if order.parent is None else order.parent.order_id
    return [3, order.order_id, order.status(), order.filled, order.remaining, order.average, order.perm_id, parent,
            order.last_price, order.client_id, order.why_held(), 0]  # fmt: skip


def execution(request: int, e: Execution, account: str, zone: str) -> Message:
    """A fill; request −1 when it just happened."""
    c = e.listing
    return [11, request, e.order_id, *c.wire(), e.exec_id, stamp(e.ts_ns, zone), account, c.exchange,
            "BOT" if e.side > 0 else "SLD", e.quantity, e.price, e.perm_id, e.client_id, 0, e.cumulative, e.average,
            e.order_ref, "", "", "", e.liquidity]  # fmt: skip


def commission(e: Execution) -> Message:
    """Commission of a fill and what it realized; unset where it only opened."""
    realized = UNSET if e.realized_cents is None else e.realized_cents / 100
    return [59, 1, e.exec_id, e.commission_cents / 100, "USD", realized, UNSET, ""]


def open_order(
    order: Order, account: str, version: int, what_if: tuple[object, ...] | None = None
) -> Message:
    """An order in full. `what_if` holds the nine margins, commission, its bounds, currency and warning."""
    t = order.terms
    head: Message = [5, order.order_id, *order.listing.wire(), t.action, order.total, order.type,
                     order.wire_limit() or 0,
                     _aux(order), t.tif, t.oca_group, account, t.open_close, t.origin, t.order_ref,
                     order.client_id, 0 if what_if else order.perm_id, t.outside_rth, t.hidden, 0, t.good_after, "", "",
                     "", "", "", t.model_code, t.good_till, "", "", "", 0, "", -1, 0, "", "", "", "", "",
                     t.display_size, False, False, t.all_or_none, t.min_quantity, t.oca_type, False, False, "",
                     t.parent_id, t.trigger_method, "", 0, "None", 0]  # fmt: skip
    # deltaNeutralOrderType "None" is what TWS says; the block of eight follows it
    head += [0, "", "", "", "?", False, 0, ""]
    head += [False, 0, order.wire_stop(), t.trail_percent, "", 0, "", 0, 0, 0, "", "", "", "", False,
             t.clearing_account, t.clearing_intent, t.not_held, False, t.algo]  # fmt: skip
    if t.algo:
        head.append(0)
    head += [False, what_if is not None, order.status()]
    head += list(what_if) if what_if else [UNSET] * 9 + ["", "", "", "", ""]
    head += [False, False, 0, "None", "", order.wire_stop(), t.limit_offset, "", "", "", 0, "", "", "", t.cash_quantity,
             False, False, False, False]  # fmt: skip
    for since in (159, 160):
        if version >= since:
            head.append("")
    if version >= 162:
        head.append(t.auto_cancel_parent)
    if version >= 170:
        head += ["", "", "", "", ""]
    return head


def _aux(order: Order) -> float:
    if order.terms.aux is not None:
        return order.terms.aux
    return 0


def completed_order(order: Order, account: str, version: int, zone: str) -> Message:
    """An order that is done, as the list of completed orders tells it."""
    t = order.terms
    out: Message = [101, *order.listing.wire(), t.action, order.total, order.type, order.wire_limit() or 0, _aux(order),
                    t.tif, t.oca_group, account, t.open_close, t.origin, t.order_ref, order.perm_id, t.outside_rth,
                    t.hidden, 0, t.good_after, "", "", "", "", t.model_code, t.good_till, "", "", "", 0, "", -1, "", "",
                    "", "", "", t.display_size, False, t.all_or_none, t.min_quantity, t.oca_type, t.trigger_method, "",
                    0, "None", 0, 0, False, 0, ""]  # fmt: skip
    out += [False, 0, order.wire_stop(), t.trail_percent, "", 0, 0, 0, "", "", "", "", t.clearing_account,
            t.clearing_intent, t.not_held, False, ""]  # fmt: skip
    parent = 0 if order.parent is None else order.parent.perm_id
    words = f"{order.ended} Size: {order.filled}" if order.filled else order.ended
    out += [False, order.ended, False, False, 0, order.wire_stop(), t.limit_offset, t.cash_quantity, False, False, "",
            order.filled, 0, t.auto_cancel_parent, "", False, False, parent,
            stamp(order.ended_ns, zone), words]  # fmt: skip
    if version >= 170:
        out += ["", "", "", "", ""]
    return out


def is_done(order: Order) -> bool:
    """Whether an order belongs to the completed ones."""
    return order.state == DONE
