"""Mark the position on the guardian's own quotes: what it would bring if it were closed now."""

from __future__ import annotations

from decimal import Decimal

from mia_kernel.core.venue import OrderSocket, Top
from mia_kernel.execution.truth import Truth
from mia_kernel.risk.law import Facts, open_risk_usd
from mia_kernel.state.costs import CostParams
from mia_kernel.state.ledger import SYMBOLS

PRIMARY = SYMBOLS[0]


JUMP = 0.01
CONFIRM_NS = 50_000_000
"""A price this share away from the last one must stand so long before the position is marked on it."""


class Marks(dict[str, int]):
    """Ticks by symbol, and prices that jumped and have not stood long enough.

    `believed_ns` is the venue time of the newest believable quote of the primary, None before the first: bid and
    ask come one after the other, so a quote is locked for an instant at every move of the market.
    """

    def __init__(self) -> None:
        super().__init__()
        self.believed_ns: int | None = None
        self._jumped: dict[str, int] = {}

    def take(self, symbol: str, price: int, ts: int) -> None:
        """Take a price, unless it is a jump nobody has confirmed yet."""
        last = self.get(symbol)
        if last is not None and abs(price - last) > JUMP * last:
            since = self._jumped.setdefault(symbol, ts)
            if 0 <= ts - since < CONFIRM_NS:
                return
        self._jumped.pop(symbol, None)
        self[symbol] = price


def marks_of(truth: Truth, socket: OrderSocket, marks: Marks) -> None:
    """Bring `marks` up to date: a long position at the bid, a short one at the ask; MES on ES where it must.

    A crossed, locked or impossible book marks nothing.
    """
    ts = socket.now_ns()
    for symbol in SYMBOLS:
        top = socket.top_of_book(symbol) or socket.top_of_book(PRIMARY)
        if top is None or not sound(top):
            continue
        if symbol == PRIMARY:
            marks.believed_ns = ts - round(top.age_s * 1e9)
        long = truth.position(symbol) >= 0
        near, far = (top.bid_ticks, top.ask_ticks) if long else (top.ask_ticks, top.bid_ticks)
        price = near if near is not None else far
        if price is not None:
            marks.take(symbol, price, ts)


def sound(top: Top) -> bool:
    """Return whether a quote can be believed: positive, and bid below ask where both are there."""
    sides = [side for side in (top.bid_ticks, top.ask_ticks) if side is not None]
    return all(side > 0 for side in sides) and (len(sides) < 2 or sides[0] < sides[1])


def facts_of(truth: Truth, socket: OrderSocket, marks: Marks, base_usd: Decimal, costs: CostParams) -> Facts:
    """Return what the limits must know."""
    top = socket.top_of_book(PRIMARY)
    top = top if top is not None and sound(top) else None
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


def open_risk(truth: Truth, marks: Marks, costs: CostParams) -> float:
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
