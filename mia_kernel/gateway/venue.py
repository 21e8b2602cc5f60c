"""Take orders, hold their families together, match them, tell what happened.

How it moves: `place` checks and registers an order; transmitted, it is *released* with its parent and
siblings; what may trade now goes *live* and meets the book at once; later every row of the market meets the
live orders in the order they came. A fill touches the account first, then children, then siblings. One
venue serves all clients; identity is `perm_id`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from mia_kernel.core.session import is_open, is_rth
from mia_kernel.gateway import matching
from mia_kernel.gateway.account import Account
from mia_kernel.gateway.admission import new_order, refuse_change
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.families import left_for_exits, left_for_group
from mia_kernel.gateway.fields import OrderTerms
from mia_kernel.gateway.market import Bar, Market
from mia_kernel.gateway.matching import Part
from mia_kernel.gateway.orders import DONE, DORMANT, HELD, LIVE, WAITING, Execution, Order
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.rules import Prices, Refusal, expires_ns, prices_of, refuse_contract


class Teller(Protocol):
    """Who passes on what happens to orders."""

    def order_told(self, order: Order, *, with_order: bool) -> None:
        """Tell an order's status; with the whole order where its terms or state are news."""

    def executed(self, order: Order, execution: Execution) -> None:
        """Tell a fill, before the status that follows from it."""

    def refused(self, client_id: int, order_id: int, refusal: Refusal) -> None:
        """Tell an error or message about an order id."""


class Venue:
    """Every order of the account, alive and done.

    Parameters
    ----------
    params : GatewayParams
    account : Account
    markets : mapping of str to Market
    now_ns : callable
        The gateway's clock.
    teller : Teller
    """

    def __init__(
        self,
        params: GatewayParams,
        account: Account,
        markets: dict[str, Market],
        now_ns: Callable[[], int],
        teller: Teller,
    ) -> None:
        self.params = params
        self.account = account
        self.markets = markets
        self.now_ns = now_ns
        self.teller = teller
        self.orders: dict[int, Order] = {}
        self.by_key: dict[tuple[int, int], Order] = {}
        self.living: dict[int, Order] = {}
        self.executions: list[Execution] = []
        self.highest_id: dict[int, int] = {}
        self.halted = False
        self._live: dict[str, list[Order]] = {}
        self._perm = 1_000_000_000
        self._exec = 0
        self._by_hand = 0
        for market in markets.values():
            self._live[market.symbol] = []
            market.listeners.append(self)

    # -- what clients ask --------------------------------------------------------------------------

    def place(self, client_id: int, order_id: int, listing: Listing | None, terms: OrderTerms) -> None:
        """Take a new order, or a change of a living one of the same id."""
        living = self.by_key.get((client_id, order_id))
        if living is not None and living.state != DONE:
            self._modify(living, listing, terms)
            return
        refusal = refuse_contract(listing, terms)
        if refusal is None and listing is not None:
            order = new_order(self, client_id, order_id, listing, terms)
            if isinstance(order, Order):
                self._register(order)
                return
            refusal = order
        if refusal is not None:
            self.teller.refused(client_id, order_id, refusal)

    def _register(self, order: Order) -> None:
        self._perm += 1
        order.perm_id = self._perm
        order.expires_ns = expires_ns(order.terms, order.accepted_ns)
        self.orders[order.perm_id] = self.living[order.perm_id] = order
        self.by_key[order.key] = order
        self.highest_id[order.client_id] = max(order.order_id, self.highest_id.get(order.client_id, 0))
        if order.parent is not None:
            order.parent.children.append(order)
        if not order.terms.transmit:
            return  # nothing is said until it, or a child that transmits, releases it
        family = [order] if order.parent is None else [order.parent, *order.parent.children]
        for member in family:
            if member.state == HELD:
                self._release(member)

    def _release(self, order: Order) -> None:
        order.accepted_ns = self.now_ns()
        order.state = WAITING if order.parent is not None and order.parent.filled == 0 else DORMANT
        if order.state == DORMANT:
            self._wake(order, quiet=True)
        self.teller.order_told(order, with_order=True)
        if order.state == DORMANT:
            self.teller.refused(order.client_id, order.order_id, Refusal(399, _HELD_TEXT))
        elif order.state == LIVE:
            self._meet(order)

    def _modify(self, order: Order, listing: Listing | None, terms: OrderTerms) -> None:
        refusal = refuse_change(self, order, listing, terms)
        prices = None if refusal is not None else prices_of(terms, order.listing)
        if isinstance(prices, Refusal):
            refusal = prices
        if refusal is not None:
            self.teller.refused(order.client_id, order.order_id, refusal)
            return
        assert isinstance(prices, Prices)
        if (prices.limit, int(terms.quantity) <= order.total) != (order.limit, True):
            order.queue = None
        order.terms, order.total = terms, int(terms.quantity)
        order.limit = prices.limit
        if order.trail is None or prices.stop is not None:
            order.stop = prices.stop
        order.trail = prices.trail
        order.expires_ns = expires_ns(terms, self.now_ns())
        if order.state == HELD and terms.transmit:
            self._release(order)
            return
        if order.state == HELD:
            return
        if order.state == DORMANT:
            self._wake(order, quiet=True)
        self.teller.order_told(order, with_order=True)
        for exit_, left in left_for_exits(order):
            self._reduce(exit_, left)
        if order.state == LIVE:
            self._meet(order)

    def place_by_hand(self, listing: Listing, terms: OrderTerms) -> Order | Refusal:
        """Take an order nobody's API sent: it belongs to client 0 and carries a negative id."""
        self._by_hand -= 1
        order = new_order(self, 0, self._by_hand, listing, terms)
        if isinstance(order, Order):
            self._register(order)
        return order

    def cancel(self, client_id: int, order_id: int) -> None:
        """Cancel an order by the id this client, or where allowed another one, gave it."""
        order = self.by_key.get((client_id, order_id))
        if order is None and self.params.any_client_cancels:
            foreign = [o for o in self.alive() if o.order_id == order_id]
            order = foreign[0] if len(foreign) == 1 else None
        if order is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self.teller.refused(client_id, order_id, Refusal(10147, text))
        elif order.state == DONE:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.ended}."
            self.teller.refused(client_id, order_id, Refusal(10148, text))
        else:
            self.end(order, "Cancelled", Refusal(202, "Order Canceled - reason:"))

    def cancel_all(self) -> None:
        """Cancel every living order of every client."""
        for order in self.alive():
            if order.state != DONE:
                self.end(order, "Cancelled", Refusal(202, "Order Canceled - reason:"))

    def correct(self, wrong: Execution, price: float) -> Execution:
        """Replace a fill by the same one at another price, as an exchange correction does."""
        head, _, last = wrong.exec_id.rpartition(".")
        right = replace(wrong, exec_id=f"{head}.{int(last) + 1:02}", price=price)
        at = self.executions.index(wrong)
        self.executions[at] = right
        right = replace(right, realized_cents=self.account.rebuild(self.executions)[at])
        order = self.orders[wrong.perm_id]
        order.value += (price - wrong.price) * wrong.quantity
        self.executions[at] = right = replace(right, average=order.average)
        self.teller.executed(order, right)
        return right

    # -- what clients see --------------------------------------------------------------------------

    def alive(self) -> list[Order]:
        """Orders that are not done, oldest first."""
        return list(self.living.values())

    def done(self) -> list[Order]:
        """Orders that are done, oldest first."""
        return [order for order in self.orders.values() if order.state == DONE]

    def drop_held(self) -> None:
        """Forget what was never transmitted: a restart loses it."""
        for order in [o for o in self.alive() if o.state == HELD]:
            del self.orders[order.perm_id], self.by_key[order.key], self.living[order.perm_id]

    # -- time and market ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Let time pass: expiries, regular hours beginning and ending."""
        now = self.now_ns()
        for order in self.alive():
            if order.expires_ns and now >= order.expires_ns and order.state != DONE:
                self.end(order, "Cancelled", Refusal(202, "Order Canceled - reason:expired"))
            elif order.state == DORMANT:
                self._wake(order)
            elif order.state == LIVE and not self._may_trade(order, now):
                self._live[order.listing.market or ""].remove(order)
                order.state = DORMANT
                self.teller.order_told(order, with_order=False)

    def _may_trade(self, order: Order, now: int) -> bool:
        if not is_open(now):
            return False
        return order.terms.outside_rth or not self.params.hold_outside_hours or is_rth(now)

    def _wake(self, order: Order, *, quiet: bool = False) -> None:
        """Bring a dormant order to the matching if the hours allow it."""
        now = self.now_ns()
        if not self._may_trade(order, now):
            return
        order.state, order.live_since_ns, order.queue = LIVE, now, None
        market = self.markets[order.listing.market or ""]
        self._live[market.symbol].append(order)
        if order.trail is not None and order.stop is None and market.last is not None:
            distance = order.trail if order.trail >= 0 else -order.trail * market.last
            order.stop = market.last + order.side * distance
            offset = order.terms.limit_offset
            if order.type == "TRAIL LIMIT" and order.limit is None and offset is not None:
                order.limit = round(order.stop + order.side * offset / market.tick)
        if not quiet:
            self.teller.order_told(order, with_order=True)
            self._meet(order)

    def _meet(self, order: Order) -> None:
        """Let a live order meet the book as it stands."""
        market = self.markets[order.listing.market or ""]
        if not self.halted:
            self._fill(order, matching.arrive(order, market), self.now_ns())
        if order.state == LIVE and order.terms.tif in ("IOC", "FOK"):
            self.end(order, "Cancelled", Refusal(202, "Order Canceled - reason:not filled at once"))

    def on_trade(self, market: Market, ts: int, px: int, size: int, side: int) -> None:
        """Give a print to the live orders of its market."""
        for order in tuple(self._live[market.symbol]):
            if order.state == LIVE:
                self._react(order, matching.on_trade(order, market, px, size, side), ts)

    def on_quote(self, market: Market, ts: int) -> None:
        """Give a book change to the live orders of its market."""
        for order in tuple(self._live[market.symbol]):
            if order.state == LIVE:
                self._react(order, matching.on_quote(order, market), ts)

    def on_bar(self, market: Market, ts: int, bar: Bar) -> None:
        """Give a bar to the live orders of its market."""
        for order in tuple(self._live[market.symbol]):
            if order.state == LIVE:
                self._react(order, matching.on_bar(order, market, ts, bar), ts)

    def _react(self, order: Order, parts: Iterable[Part], ts: int) -> None:
        before = order.told
        self._fill(order, parts, ts)
        if order.state == LIVE and order.triggered and before[:1] == ("PreSubmitted",):
            self.teller.order_told(order, with_order=True)

    # -- fills and families ------------------------------------------------------------------------

    def _fill(self, order: Order, parts: Iterable[Part], ts: int) -> None:
        if order.terms.tif == "FOK" and sum(part.quantity for part in parts) < order.remaining:
            return
        for part in parts:
            if order.state != LIVE:
                return
            self._one_fill(order, part, ts)

    def _one_fill(self, order: Order, part: Part, ts: int) -> None:
        price = part.ticks * order.listing.tick
        order.filled += part.quantity
        order.value += price * part.quantity
        order.last_price = price
        fee = self.account.commission_cents(order.listing, part.quantity)
        realized = self.account.apply(order.listing, order.side, part.quantity, price, fee)
        self._exec += 1
        execution = Execution(f"0000e0d5.{self._exec:08x}.01.01", order.order_id, order.client_id, order.perm_id,
                              order.listing, order.side, part.quantity, price, ts, order.filled, order.average,
                              order.terms.order_ref, part.liquidity, fee, realized)  # fmt: skip
        self.executions.append(execution)
        if order.remaining == 0:
            self._finish(order, "Filled")
        self.teller.executed(order, execution)
        self._after_fill(order, part.quantity)

    def _after_fill(self, order: Order, quantity: int) -> None:
        for child in tuple(order.children):
            if child.state == WAITING:
                child.state = DORMANT
                self._wake(child)
        relatives = left_for_group(order, quantity, self.alive())
        if order.parent is not None and order.is_exit:
            relatives = left_for_exits(order.parent, order) + relatives
        for other, left in relatives:
            self._reduce(other, left)

    def _reduce(self, order: Order, left: int) -> None:
        if order.state == DONE:
            return
        if left <= 0:
            self.end(order, "Cancelled", Refusal(202, "Order Canceled - reason:its group is filled"))
        elif order.remaining > left:
            order.total = order.filled + left
            self.teller.order_told(order, with_order=True)

    def end(self, order: Order, word: str, refusal: Refusal | None) -> None:
        """End an order that is not filled, and what hangs on it."""
        was_held = order.state == HELD
        self._finish(order, word)
        if not was_held:
            self.teller.order_told(order, with_order=False)
        if refusal is not None:
            self.teller.refused(order.client_id, order.order_id, refusal)
        if order.filled:
            for exit_, left in left_for_exits(order):
                self._reduce(exit_, left)
            return
        for child in tuple(order.children):
            if child.state != DONE:
                self.end(child, word, refusal)

    def _finish(self, order: Order, word: str) -> None:
        if order.state == LIVE:
            self._live[order.listing.market or ""].remove(order)
        order.state, order.ended, order.ended_ns = DONE, word, self.now_ns()
        self.living.pop(order.perm_id, None)


_HELD_TEXT = (
    "Order Message:\nWarning: your order will not be placed at the exchange until regular trading hours. "
    "Set outsideRth for orders that shall trade before."
)
