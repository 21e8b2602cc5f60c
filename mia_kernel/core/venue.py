"""Name what crosses the order socket: instructions out; orders, fills, money and positions in, as the venue says.

Only the guardian holds an `OrderSocket`. Prices are integer ticks, money is exact decimal USD, times are ns
UTC. An order is known by our `ref` (it travels as the order reference) and by the venue's `perm_id`; a fill
by its `exec_id`, of which the part after the last dot counts corrections. Sending tells nothing about the
outcome: that comes as an event or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from mia_kernel.core.orders import OrderStatus

CLOCK = -2
"""Code of a `Trouble` about a clock that is off."""
HALTED = -3
"""Code of a `Trouble` that says that the exchange has halted trading, or has ended a halt."""


class WireType(StrEnum):
    """How an order meets the book at the venue."""

    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    TRAIL = "trail"


class Tif(StrEnum):
    """How long an order lives."""

    DAY = "day"
    GTC = "gtc"
    GTD = "gtd"


class Rests(StrEnum):
    """Where a working order really is: at the exchange, held by the broker until it triggers, or unknown."""

    VENUE = "resting at venue"
    BROKER = "held by broker"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WireOrder:
    """One order as it is to stand at the venue.

    `parent` is the ref of the entry it waits for, `oca` the group in which a fill cancels or reduces the
    others. `limit_ticks`, `stop_ticks` and `trail_ticks` are given where the type needs them.
    """

    ref: str
    symbol: str
    side: int
    qty: int
    type: WireType
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    trail_ticks: int | None = None
    tif: Tif = Tif.DAY
    outside_rth: bool = False
    expires_ts: int | None = None
    parent: str | None = None
    oca: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Send orders as one: a bracket is transmitted with its last order, so it is there whole or not at all."""

    orders: tuple[WireOrder, ...]


@dataclass(frozen=True, slots=True)
class Modify:
    """Let a working order stand as given from now on."""

    order: WireOrder


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw an order: ours by `ref`, somebody else's by `perm_id`."""

    ref: str
    perm_id: int = 0


Instruction = Place | Modify | Cancel


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue tells it. `ref` is empty where it was placed elsewhere, by hand for example."""

    ref: str
    perm_id: int
    symbol: str
    side: int
    qty: int
    filled: int
    status: OrderStatus
    type: WireType
    ts_event: int
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    rests: Rests = Rests.UNKNOWN
    outside_rth: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. A later one that differs only after the last dot of `exec_id` replaces it."""

    exec_id: str
    perm_id: int
    ref: str
    symbol: str
    side: int
    qty: int
    price_ticks: int
    ts_event: int
    commission_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Commission:
    """What an execution cost; it may come late, or never."""

    exec_id: str
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message of the venue with its code; `ref` where it is about one order.

    `CLOCK` comes with the seconds our clock is ahead of the venue's as its `value`, `HALTED` with 1 or 0.
    """

    code: int
    text: str
    ref: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The link to the broker changed. `data_lost`: subscriptions must be made anew."""

    up: bool
    reason: str
    data_lost: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at the venue; `qty` is signed. Told by itself it is what the venue pushed at a change."""

    symbol: str
    qty: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer to `query`: everything the venue holds for us, as of one moment."""

    query_id: int
    holdings: tuple[Holding, ...]
    orders: tuple[VenueOrder, ...]
    fills: tuple[Fill, ...]
    ts_event: int


@dataclass(frozen=True, slots=True)
class Top:
    """Best bid and ask in ticks (None where a side is missing) and how old the last change is."""

    bid_ticks: int | None
    ask_ticks: int | None
    age_s: float


VenueEvent = VenueOrder | Fill | Commission | Trouble | Link | Holding | Snapshot


class OrderSocket(Protocol):
    """The one way to the venue. No call blocks longer than `wait` is told to."""

    name: str
    """For people: `IB Gateway 127.0.0.1:4002`."""

    @property
    def connected(self) -> bool:
        """Whether the venue itself is reached: a half-open link is not connected."""
        ...

    @property
    def accounts(self) -> tuple[str, ...]:
        """Account ids as the broker reports them; empty before it does."""
        ...

    def now_ns(self) -> int:
        """Return the venue's time: the wall clock, or the clock of a simulated gateway."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Let the connection work for at most so long; returns at once when an event has come."""
        ...

    @property
    def bell(self) -> int | None:
        """File descriptor that can be read once something has come, for a loop that waits for more than the venue.

        `wait` empties it. None where there is none: such a venue is asked again and again.
        """
        ...

    def submit(self, instructions: Sequence[Instruction]) -> None:
        """Send, once. Raises OutsideError where nothing can be sent now; then nothing was."""
        ...

    def query(self, query_id: int) -> None:
        """Ask for a `Snapshot`; it comes as an event."""
        ...

    def reports(self) -> list[VenueEvent]:
        """Hand over and forget what has come since the last call, in the order it came."""
        ...

    def top_of_book(self, symbol: str) -> Top | None:
        """Return the newest quote of `symbol`; None before the first."""
        ...

    def contract(self, symbol: str) -> str | None:
        """Return the code of the contract that orders in `symbol` go to (`ESU19`); None before it is known."""
        ...

    def equity_usd(self) -> Decimal | None:
        """Return the account's net liquidation as the broker says it; None before it does."""
        ...

    def close(self) -> None:
        """Close the connection; orders stay where they are."""
        ...
