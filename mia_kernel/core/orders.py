"""Orders in the field's own words: intents out, reports in, positions and round trips between.

Money is integer US cents (a tick of ES is 1250): exact by construction. Prices are integer ticks.
Side is +1 buy, -1 sell. An order's outcome is unknown until a report says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OrderType(StrEnum):
    """How an order meets the book."""

    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"


class Role(StrEnum):
    """What an order is for: it decides what happens to the others of its bracket."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    EXIT = "exit"


class OrderStatus(StrEnum):
    """Where an order stands; the allowed steps are in `execution/oms.py`."""

    CREATED = "created"
    SUBMITTED = "submitted"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCEL_PENDING = "cancel_pending"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class TradingState(StrEnum):
    """What may be sent: anything, only what reduces exposure, nothing but flattening."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Order:
    """One order as sent. `bracket_id` joins entry, stop and target; ids are deterministic."""

    order_id: str
    bracket_id: str
    role: Role
    symbol: str
    side: int
    qty: int
    type: OrderType
    ts_event: int
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    expires_ts: int | None = None
    reference_ticks: float | None = None  # decision mid, for slippage


@dataclass(frozen=True, slots=True)
class PlaceBracket:
    """Entry with protective stop and target; the two exits cancel each other and follow the filled quantity."""

    ts_event: int
    bracket_id: str
    entry: Order
    stop: Order
    target: Order
    grade: int
    confluence_percent: float
    risk_cents: int


@dataclass(frozen=True, slots=True)
class ReplaceStop:
    """Move the working stop of a bracket; never away from the trade's favour."""

    ts_event: int
    bracket_id: str
    stop_ticks: int
    reason: str


@dataclass(frozen=True, slots=True)
class CancelEntry:
    """Withdraw what is still unfilled of an entry."""

    ts_event: int
    bracket_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClosePosition:
    """Close what is open of a bracket at market and cancel its working orders."""

    ts_event: int
    bracket_id: str
    reason: str


Command = PlaceBracket | ReplaceStop | CancelEntry | ClosePosition


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue says about an order. `last_qty` > 0 is a fill of that size at `last_ticks`.

    `fee_cents` belongs to this fill. `tags` carries `no_quotes`, `through`, `queue` and the like.
    """

    ts_event: int
    ts_recv: int
    seq: int
    order_id: str
    bracket_id: str
    role: Role
    symbol: str
    side: int
    status: OrderStatus
    qty: int
    filled_qty: int
    last_qty: int = 0
    last_ticks: float | None = None
    fee_cents: int = 0
    exec_id: str | None = None
    reason: str = ""
    tags: tuple[str, ...] = ()
    reference_ticks: float | None = None
    submitted_ts: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Signed quantity and average price in ticks of what is open; realised money in cents."""

    symbol: str
    qty: int
    average_ticks: float | None
    realised_cents: int
    fees_cents: int


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One position from first fill to flat. MAE and MFE are in ticks, both ≥ 0, per contract."""

    id: int
    bracket_id: str
    symbol: str
    side: int
    qty: int
    entry_ts: int
    entry_ticks: float
    exit_ts: int
    exit_ticks: float
    exit_reason: str
    gross_cents: int
    fees_cents: int
    mae_ticks: float
    mfe_ticks: float
    grade: int
    confluence_percent: float
    risk_cents: int
    slippage_ticks: float | None
    phase: str

    @property
    def net_cents(self) -> int:
        return self.gross_cents - self.fees_cents
