"""A venue of the simulated gateway without sockets: markets by hand, everything told kept in lists."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.contract import Contract
from mia_kernel.gateway.account import Account
from mia_kernel.gateway.contracts import Listing, Listings
from mia_kernel.gateway.fields import OrderTerms
from mia_kernel.gateway.market import Market
from mia_kernel.gateway.orders import Execution, Order
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.rules import Refusal
from mia_kernel.gateway.venue import Venue

S = 1_000_000_000
T0 = 1_699_977_600 * S
"""2023-11-14 11:00 New York, a Tuesday inside RTH."""

BID, ASK = 18_000, 18_001
"""4500.00 and 4500.25."""


class Bench:
    """One venue, one client (7), one ES market with a ten-level book of 10 contracts a level."""

    def __init__(self, params: GatewayParams | None = None) -> None:
        self.params = params or GatewayParams(equity_usd=1_000_000)
        self.now = T0
        self.market = Market("ES", 0.25)
        self.listings = Listings(20231114, {"ES": Contract("ES", 2023, 12)}, ())
        self.es: Listing = self.listings.front["ES"]
        self.account = Account("DU1", self.params.equity_usd * 100, self.params.products, self._mark)
        self.venue = Venue(self.params, self.account, {"ES": self.market}, lambda: self.now, self)
        self.fills: list[Execution] = []
        self.refusals: list[Refusal] = []
        self.told: list[tuple[int, str]] = []
        self.quote()

    def _mark(self, listing: Listing) -> float | None:
        return self.market.mark()

    def order_told(self, order: Order, *, with_order: bool) -> None:
        order.told = (order.status(),)
        self.told.append((order.order_id, order.status()))

    def executed(self, order: Order, execution: Execution) -> None:
        order.told = (order.status(),)
        self.told.append((order.order_id, order.status()))
        self.fills.append(execution)

    def refused(self, client_id: int, order_id: int, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def quote(
        self, bid: int = BID, ask: int = ASK, bids: list[int] | None = None, asks: list[int] | None = None
    ) -> None:
        self.market.take_quote(bid, ask, bids or [10] * 10, asks or [10] * 10, 10)
        self.venue.on_quote(self.market, self.now)

    def trade(self, px: int, size: int = 1, side: int = 0) -> None:
        self.market.take_trade(self.now, px, size, side)
        self.venue.on_trade(self.market, self.now, px, size, side)

    def place(
        self, order_id: int, action: str, quantity: float, kind: str = "LMT", **terms: Any
    ) -> Order | None:
        """Place an order of client 7; prices in ticks."""
        for name in ("limit", "aux", "trail_stop"):
            if terms.get(name) is not None:
                terms[name] *= 0.25
        self.venue.place(7, order_id, self.es, make_terms(action, quantity, kind, **terms))
        return self.venue.by_key.get((7, order_id))

    def bracket(
        self, first: int, quantity: int, limit: int, *, stop: int, target: int
    ) -> tuple[Order, Order, Order]:
        """A long bracket; prices in ticks."""
        self.place(first, "BUY", quantity, "LMT", limit=limit, transmit=False)
        self.place(first + 1, "SELL", quantity, "LMT", limit=target, parent_id=first, transmit=False)
        self.place(first + 2, "SELL", quantity, "STP", aux=stop, parent_id=first)
        return tuple(self.venue.by_key[7, first + i] for i in range(3))  # type: ignore[return-value]

    @property
    def position(self) -> int:
        return self.account.quantity(self.es)


def make_terms(action: str, quantity: float, kind: str, **terms: Any) -> OrderTerms:
    """Terms as the wire gives them; prices in points."""
    values: dict[str, Any] = {
        "limit": None, "aux": None, "tif": "GTC", "oca_group": "", "account": "", "open_close": "", "origin": 0,
        "order_ref": "", "transmit": True, "parent_id": 0, "display_size": 0, "trigger_method": 0, "outside_rth": True,
        "hidden": False, **terms,
    }  # fmt: skip
    return OrderTerms(action=action, quantity=quantity, type=kind, **values)
