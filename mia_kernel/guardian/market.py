"""Mark the position on the guardian's own quotes: what it would bring if it were closed now."""

from __future__ import annotations

from decimal import Decimal

from mia_kernel.core.venue import OrderSocket
from mia_kernel.execution.truth import Truth
from mia_kernel.risk.law import Facts, open_risk_usd
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import SYMBOLS

PRIMARY = SYMBOLS[0]


def marks_of(truth: Truth, socket: OrderSocket, marks: dict[str, int]) -> None:
    """Bring `marks` up to date: a long position at the bid, a short one at the ask; MES on ES where it must."""
    for symbol in SYMBOLS:
        top = socket.top_of_book(symbol) or socket.top_of_book(PRIMARY)
        if top is None:
            continue
        long = truth.position(symbol) >= 0
        near, far = (top.bid_ticks, top.ask_ticks) if long else (top.ask_ticks, top.bid_ticks)
        price = near if near is not None else far
        if price is not None:
            marks[symbol] = price


def facts_of(
    truth: Truth, socket: OrderSocket, marks: dict[str, int], base_usd: Decimal, costs: CostParams
) -> Facts:
    """Return what the limits must know."""
    top = socket.top_of_book(PRIMARY)
    return Facts(
        ts=socket.now_ns(),
        net_usd=truth.net_usd(marks),
        base_usd=base_usd,
        es_position=truth.es_position(),
        open_risk_usd=open_risk(truth, marks, costs),
        brackets=len(truth.state.brackets),
        bid_ticks=None if top is None else top.bid_ticks,
        ask_ticks=None if top is None else top.ask_ticks,
        book_age_s=None if top is None else top.age_s,
    )


def open_risk(truth: Truth, marks: dict[str, int], costs: CostParams) -> float:
    """Return what open contracts lose from their mark, and working entries from their price, to their stops."""
    total = 0.0
    for b in truth.state.brackets.values():
        entry = truth.state.orders[b.entry]
        mark = marks.get(b.symbol)
        if b.open and mark is not None:
            total += open_risk_usd(b.symbol, b.open, max(0, b.side * (mark - b.stop_ticks)), costs)
        price = entry.order.limit_ticks if entry.order.limit_ticks is not None else mark
        if price is not None:
            total += open_risk_usd(b.symbol, entry.left, b.side * (price - b.stop_ticks), costs)
    return total
