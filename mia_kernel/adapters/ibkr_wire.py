"""Translate between our words and the broker's: contracts, prices, orders, statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mia_kernel.adapters.ibkr_numbers import is_price, on_grid
from mia_kernel.adapters.ibkr_session import contract_of, order_of
from mia_kernel.core.contract import Contract, calendar_front, parse_contract
from mia_kernel.core.instrument import INSTRUMENTS, TICK_POINTS
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.session import trading_day_of
from mia_kernel.core.venue import Rests, Tif, WireOrder, WireType

NS = 1_000_000_000
UNSET = 1e300
"""At or above it a number on the wire means: not set."""

TYPES = {WireType.LIMIT: "LMT", WireType.MARKET: "MKT", WireType.STOP: "STP", WireType.TRAIL: "TRAIL"}
_TYPES_BACK = {word: kind for kind, word in TYPES.items()} | {
    "MTL": WireType.LIMIT, "STP LMT": WireType.STOP, "MIT": WireType.STOP, "LIT": WireType.STOP,
    "TRAIL LIMIT": WireType.TRAIL,
}  # fmt: skip
REDUCE_WITH_BLOCK = 2
_LIVE_WORDS = ("PendingSubmit", "PreSubmitted", "Submitted")
_DEAD_WORDS = {
    "Filled": OrderStatus.FILLED, "Cancelled": OrderStatus.CANCELLED, "ApiCancelled": OrderStatus.CANCELLED,
    "Inactive": OrderStatus.REJECTED,
}  # fmt: skip


def front(symbol: str, ts_ns: int) -> Any:
    """Return the contract of a future that is traded at an instant, by the calendar's roll rule."""
    contract = calendar_front(symbol, trading_day_of(ts_ns))
    return future(symbol, contract.code)


def future(symbol: str, code: str) -> Any:
    """Return the broker's contract of `ESU25`."""
    contract = parse_contract(code)
    return contract_of("FUT", symbol=symbol, exchange="CME", currency="USD",
                       lastTradeDateOrContractMonth=f"{contract.year}{contract.month:02d}")  # fmt: skip


def code_of(symbol: str, date: str) -> str:
    """Return the code (`ESU25`) of a future by the last trade date or month of the wire (`20250919`, `202509`)."""
    return Contract(symbol, int(date[:4]), int(date[4:6])).code


def ticks(price: float) -> int | None:
    """Return a price in ticks, None where the wire says unset, no quote, no possible price or one off the grid."""
    exact = price / TICK_POINTS
    return on_grid(exact) if is_price(exact) else None


def points(price_ticks: int) -> float:
    """Return ticks as the price of the wire."""
    return price_ticks * TICK_POINTS


def known_symbol(symbol: str) -> bool:
    """Return whether this is one of the futures MIA accounts."""
    return symbol in INSTRUMENTS


def to_wire(order: WireOrder, parent_id: int, account: str, *, transmit: bool) -> Any:
    """Return an order as the broker's library sends it."""
    fields: dict[str, Any] = {
        "action": "BUY" if order.side > 0 else "SELL",
        "totalQuantity": order.qty,
        "orderType": TYPES[order.type],
        "tif": order.tif.value.upper(),
        "outsideRth": order.outside_rth,
        "orderRef": order.ref,
        "parentId": parent_id,
        "transmit": transmit,
        "account": account,
    }
    if order.limit_ticks is not None:
        fields["lmtPrice"] = points(order.limit_ticks)
    if order.stop_ticks is not None:
        fields["auxPrice"] = points(order.stop_ticks)
    if order.trail_ticks is not None:
        fields["auxPrice"] = points(order.trail_ticks)
    if order.oca:
        fields |= {"ocaGroup": order.oca, "ocaType": REDUCE_WITH_BLOCK}
    if order.tif is Tif.GTD and order.expires_ts is not None:
        fields["goodTillDate"] = f"{datetime.fromtimestamp(order.expires_ts / NS, UTC):%Y%m%d %H:%M:%S} UTC"
    return order_of(**fields)


def type_of(word: str) -> WireType:
    """Return the type of an order told by the broker; one we never send counts as what it can become."""
    return _TYPES_BACK.get(word, WireType.MARKET)


def status_of(word: str, filled: int, quantity: int) -> OrderStatus:
    """Return our status of the broker's word."""
    if word in _LIVE_WORDS:
        return OrderStatus.PARTIALLY_FILLED if 0 < filled < quantity else OrderStatus.WORKING
    if word == "PendingCancel":
        return OrderStatus.CANCEL_PENDING
    return _DEAD_WORDS.get(word, OrderStatus.UNKNOWN)


def rests_of(word: str, why_held: str) -> Rests:
    """Return where an order rests: `Submitted` is at the exchange, what is held tells why."""
    if word == "Submitted":
        return Rests.VENUE
    if word == "PreSubmitted":
        return Rests.BROKER
    return Rests.UNKNOWN
