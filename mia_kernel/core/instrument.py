"""Contract facts: what a tick is worth, and the only place where a price becomes ticks or ticks a price.

Prices are integer ticks everywhere inside; money is integer cents. Contracts, expiry and roll are in
`core/contract.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mia_kernel.core.errors import DataError

_GRID_TOLERANCE = 1e-6  # of a tick: what decimal text loses in a float64, far below any real distance
_TICKS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Fee:
    """What one contract costs per side, in force from a trading day (yyyymmdd)."""

    from_day: int
    cents_per_side: int
    source: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """Facts of one product.

    `tick_cents` and `multiplier_usd` are None for an index that cannot be traded. `fees` is empty where no
    cost is known: such a product may be read, not traded.
    """

    symbol: str
    name: str
    exchange: str
    tick_size: Decimal
    tick_cents: int | None
    multiplier_usd: Decimal | None
    months: str
    fees: tuple[Fee, ...] = ()
    micro: str | None = None

    def price_of(self, ticks: float) -> float:
        """Return the price in points of a number of ticks (an average may lie between ticks)."""
        return float(ticks) * float(self.tick_size)

    def prices_of(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Return prices in points, same shape."""
        return np.asarray(ticks, np.float64) * float(self.tick_size)

    def price_text(self, ticks: int) -> str:
        """Return the exact decimal text of a price, as the exchange writes it: 11663 -> '2915.75'."""
        return str(ticks * self.tick_size)

    def ticks_of(self, price: float | Decimal) -> int:
        """Return the ticks of a price in points.

        Raises
        ------
        DataError
            If the price is not finite, not on the grid or too large for the event record.
        """
        if isinstance(price, Decimal):
            exact = price / self.tick_size if price.is_finite() else None
            if exact is None or exact != exact.to_integral_value() or abs(exact) > _TICKS_MAX:
                raise self._off_grid(price)
            return int(exact)
        return int(self.ticks_array(np.array([price], np.float64))[0])

    def ticks_array(self, prices: ArrayLike) -> NDArray[np.int32]:
        """Return the ticks of many prices, same shape.

        Raises
        ------
        DataError
            Naming the first price (and its position in `offset`) that is not finite or not on the grid.
        """
        points = np.asarray(prices, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            exact = points / float(self.tick_size)
            whole = np.rint(exact)
            bad = ~(np.abs(exact - whole) <= _GRID_TOLERANCE * np.maximum(1.0, np.abs(exact) * 1e-6))
            bad |= ~(np.abs(whole) <= _TICKS_MAX)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise self._off_grid(float(points.ravel()[at]), at)
        return whole.astype(np.int32)

    def on_grid(self, prices: ArrayLike) -> NDArray[np.bool_]:
        """Tell for each price whether `ticks_array` would take it; same shape."""
        points = np.asarray(prices, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            exact = points / float(self.tick_size)
            near = np.abs(exact - np.rint(exact)) <= _GRID_TOLERANCE * np.maximum(1.0, np.abs(exact) * 1e-6)
            inside: NDArray[np.bool_] = near & (np.abs(exact) <= _TICKS_MAX)
        return inside

    def fee_cents(self, day: int) -> int | None:
        """Return the cost per contract and side in cents on a trading day, None where it is not known."""
        known = [fee for fee in self.fees if fee.from_day <= day]
        return known[-1].cents_per_side if known else None

    def _off_grid(self, value: Any, at: int | None = None) -> DataError:
        return DataError(
            f"{self.symbol} price is not on its grid",
            field="price" if at is None else f"price[{at}]",
            value=value,
            rule=f"a finite multiple of {self.tick_size}",
            way_out="check the symbol and the price scale of the source; MIA never rounds a price",
        )


_ES_FEES = (
    Fee(
        20080101,
        225,
        "commission 0.85 + exchange and clearing 1.38 + NFA 0.02 USD, taken for all dates; check your statement",
    ),
)
_MES_FEES = (
    Fee(20190506, 62, "0.62 USD a side, taken for all dates since the first MES; check your statement"),
)

ES = Instrument(
    "ES", "E-mini S&P 500", "CME", Decimal("0.25"), 1250, Decimal(50), "HMUZ", fees=_ES_FEES, micro="MES"
)
MES = Instrument(
    "MES", "Micro E-mini S&P 500", "CME", Decimal("0.25"), 125, Decimal(5), "HMUZ", fees=_MES_FEES
)
NQ = Instrument("NQ", "E-mini Nasdaq-100", "CME", Decimal("0.25"), 500, Decimal(20), "HMUZ", micro="MNQ")
MNQ = Instrument("MNQ", "Micro E-mini Nasdaq-100", "CME", Decimal("0.25"), 50, Decimal(2), "HMUZ")
VIX = Instrument("VIX", "Cboe Volatility Index", "CBOE", Decimal("0.01"), None, None, "")

_NASDAQ_SAMPLES = {
    "AAPL": "Apple", "AMZN": "Amazon.com", "GOOG": "Google", "INTC": "Intel", "MSFT": "Microsoft",
}  # fmt: skip
STOCKS = tuple(
    Instrument(symbol, name, "NASDAQ", Decimal("0.01"), None, None, "")
    for symbol, name in _NASDAQ_SAMPLES.items()
)
"""Stocks whose order books LOBSTER publishes: they can be read and looked at, not traded."""

TICK_POINTS = float(ES.tick_size)
"""Points of one tick of what is traded: ES, MES, NQ and MNQ all move in quarters."""

INSTRUMENTS: dict[str, Instrument] = {each.symbol: each for each in (ES, MES, NQ, MNQ, VIX, *STOCKS)}


def instrument(symbol: str) -> Instrument:
    """Return the facts of a symbol.

    Raises
    ------
    DataError
        If the symbol is not known; the message lists those that are.
    """
    if symbol not in INSTRUMENTS:
        raise DataError(
            "unknown symbol",
            field="symbol",
            value=symbol,
            rule=f"one of {', '.join(INSTRUMENTS)}",
            way_out="name it with --symbol, or add its facts to core/instrument.py",
        )
    return INSTRUMENTS[symbol]
