"""Keep the account: positions at average cost, realized and open profit, margins. Money is integer cents.

Average cost holds the commission of what opened, as IB tells it; what closes realizes net of both
commissions: MES bought at 7039.50 and sold at 7039.25 realizes −1.25 − 0.62 − 0.62 = −2.49 USD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.orders import Execution
from mia_kernel.gateway.params import Product


@dataclass(slots=True, eq=False)
class Position:
    """One contract held. `cost_cents` is signed: what a long paid, minus what a short took."""

    listing: Listing
    quantity: int = 0
    cost_cents: float = 0.0
    realized_cents: int = 0
    day_realized_cents: int = 0

    @property
    def average_cost(self) -> float:
        """Average cost of one contract in USD: price × multiplier ± commission."""
        return abs(self.cost_cents / self.quantity) / 100 if self.quantity else 0.0

    def value_cents(self, mark: float | None) -> float | None:
        """Return the market value; None without a price."""
        if mark is None:
            return None
        return self.quantity * mark * float(self.listing.multiplier) * 100

    def open_cents(self, mark: float | None) -> float | None:
        """Return the unrealized profit; None without a price, 0 when flat."""
        if self.quantity == 0:
            return 0.0
        value = self.value_cents(mark)
        return None if value is None else value - self.cost_cents


class Account:
    """The one account of the gateway.

    Parameters
    ----------
    name : str
    equity_cents : int
        Cash at the start.
    products : mapping of str to Product
    mark : callable
        Price of a listing in points, None where unknown.
    """

    def __init__(
        self,
        name: str,
        equity_cents: int,
        products: dict[str, Product],
        mark: Callable[[Listing], float | None],
    ) -> None:
        self.name = name
        self._start_cents = equity_cents
        self._products = products
        self._mark = mark
        self.positions: dict[int, Position] = {}
        self._day_start_cents = float(equity_cents)
        self._day_began_ns = 0

    def apply(
        self, listing: Listing, side: int, quantity: int, price: float, commission_cents: int
    ) -> int | None:
        """Take a fill; return what it realized net of commissions, None where it only opened."""
        position = self.positions.setdefault(listing.con_id, Position(listing))
        point_cents = float(listing.multiplier) * 100
        closing = min(quantity, abs(position.quantity)) if position.quantity * side < 0 else 0
        opening = quantity - closing
        realized: int | None = None
        if closing:
            cost = position.cost_cents * closing / abs(position.quantity)
            fee = commission_cents * closing / quantity
            realized = round(-side * closing * price * point_cents - cost - fee)
            position.cost_cents -= cost
            position.quantity += side * closing
            position.realized_cents += realized
            position.day_realized_cents += realized
        if opening:
            position.cost_cents += (
                side * opening * price * point_cents + commission_cents * opening / quantity
            )
            position.quantity += side * opening
        if position.quantity == 0:
            position.cost_cents = 0.0
        return realized

    def rebuild(self, executions: Sequence[Execution]) -> list[int | None]:
        """Take every fill anew after a correction; return what each one realized."""
        self.positions.clear()
        today = next((i for i, e in enumerate(executions) if e.ts_ns >= self._day_began_ns), len(executions))
        earlier = [self._again(e) for e in executions[:today]]
        for position in self.positions.values():
            position.day_realized_cents = 0
        return earlier + [self._again(e) for e in executions[today:]]

    def _again(self, e: Execution) -> int | None:
        return self.apply(e.listing, e.side, e.quantity, e.price, e.commission_cents)

    def commission_cents(self, listing: Listing, quantity: int) -> int:
        """Return the commission of a fill."""
        return self._products[listing.symbol].commission_cents * quantity

    @property
    def realized_cents(self) -> int:
        """Realized since the start."""
        return sum(position.realized_cents for position in self.positions.values())

    @property
    def day_realized_cents(self) -> int:
        """Realized since the trading day began."""
        return sum(position.day_realized_cents for position in self.positions.values())

    @property
    def open_cents(self) -> float:
        """Unrealized profit of what has a price."""
        return sum(
            position.open_cents(self._mark(position.listing)) or 0.0 for position in self.positions.values()
        )

    @property
    def equity_cents(self) -> float:
        """Net liquidation value."""
        return self._start_cents + self.realized_cents + self.open_cents

    @property
    def day_cents(self) -> float:
        """Profit since the trading day began."""
        return self.equity_cents - self._day_start_cents

    def new_day(self, now_ns: int) -> None:
        """Begin a trading day."""
        self._day_began_ns = now_ns
        self._day_start_cents = self.equity_cents
        for position in self.positions.values():
            position.day_realized_cents = 0

    def margins_cents(self, extra: dict[int, tuple[Listing, int]] | None = None) -> tuple[int, int]:
        """Return (initial, maintenance) margin of the positions, with `extra` contracts added by con_id."""
        held = {con_id: (p.listing, p.quantity) for con_id, p in self.positions.items()}
        for con_id, (listing, quantity) in (extra or {}).items():
            held[con_id] = (listing, held.get(con_id, (listing, 0))[1] + quantity)
        initial = maintenance = 0
        for listing, quantity in held.values():
            if quantity:
                product = self._products[listing.symbol]
                initial += abs(quantity) * product.initial_margin_usd * 100
                maintenance += abs(quantity) * product.maintenance_margin_usd * 100
        return initial, maintenance

    def quantity(self, listing: Listing) -> int:
        """Contracts held, signed."""
        position = self.positions.get(listing.con_id)
        return 0 if position is None else position.quantity

    def values(self) -> list[tuple[str, str, str]]:
        """Return (tag, value, currency) as the account updates tell them."""
        initial, maintenance = self.margins_cents()
        equity = self.equity_cents
        cash = self._start_cents + self.realized_cents
        usd = {
            "NetLiquidation": equity,
            "EquityWithLoanValue": equity,
            "TotalCashValue": cash,
            "SettledCash": cash,
            "AvailableFunds": equity - initial,
            "ExcessLiquidity": equity - maintenance,
            "FullAvailableFunds": equity - initial,
            "FullExcessLiquidity": equity - maintenance,
            "BuyingPower": equity - initial,
            "InitMarginReq": initial,
            "MaintMarginReq": maintenance,
            "FullInitMarginReq": initial,
            "FullMaintMarginReq": maintenance,
            "LookAheadInitMarginReq": initial,
            "LookAheadMaintMarginReq": maintenance,
            "UnrealizedPnL": self.open_cents,
            "RealizedPnL": self.day_realized_cents,
            "CashBalance": cash,
            "GrossPositionValue": 0,
            "AccruedCash": 0,
        }
        cushion = (equity - maintenance) / equity if equity else 0.0
        plain = [("AccountCode", self.name, ""), ("AccountType", "INDIVIDUAL", ""), ("AccountReady", "true", ""),
                 ("Cushion", f"{cushion:.6f}", ""), ("Currency", "USD", "USD"),
                 ("ExchangeRate", "1.00", "USD")]  # fmt: skip
        return plain + [(tag, f"{cents / 100:.2f}", "USD") for tag, cents in usd.items()]

    def portfolio(self, position: Position) -> list[object]:
        """Return message 7 for one position."""
        c, mark = position.listing, self._mark(position.listing)
        value, unrealized = position.value_cents(mark), position.open_cents(mark)
        return [7, 8, c.con_id, c.symbol, c.sec_type, c.expiry, c.strike, c.right, c.multiplier, c.exchange, c.currency,
                c.local_symbol, c.trading_class, position.quantity, 0.0 if mark is None else mark,
                0.0 if value is None else value / 100, position.average_cost,
                0.0 if unrealized is None else round(unrealized) / 100,
                position.day_realized_cents / 100, self.name]  # fmt: skip

    def position_row(self, position: Position) -> list[object]:
        """Return message 61 for one position; the exchange is empty, as at IB."""
        return [
            61,
            3,
            self.name,
            *position.listing.wire(exchange=""),
            position.quantity,
            position.average_cost,
        ]
