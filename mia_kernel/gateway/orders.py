"""Hold one order of a client: what it asks for, how far it is, what the wire calls that.

An order is *held* until it is transmitted, *waiting* while its parent has no fill, *dormant* while the hours
do not allow it, *live* at the matching, and *done* at the end. Prices are ticks, quantities contracts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.fields import OrderTerms

HELD, WAITING, DORMANT, LIVE, DONE = "held", "waiting", "dormant", "live", "done"

TYPES = {
    "MKT": "MKT", "LMT": "LMT", "STP": "STP", "STP LMT": "STP LMT", "STPLMT": "STP LMT", "TRAIL": "TRAIL",
    "TRAIL LIMIT": "TRAIL LIMIT", "TRAILLMT": "TRAIL LIMIT", "MIT": "MIT", "LIT": "LIT", "MTL": "MTL",
}  # fmt: skip
TRIGGERED_TYPES = ("STP", "STP LMT", "TRAIL", "TRAIL LIMIT", "MIT", "LIT")
_SIMULATED = ("TRAIL", "TRAIL LIMIT", "MIT", "LIT")
TIFS = ("DAY", "GTC", "IOC", "FOK", "GTD")


@dataclass(slots=True, eq=False)
class Order:
    """One order. `limit` and `stop` are ticks; `stop` is the trigger and moves with a trail."""

    client_id: int
    order_id: int
    perm_id: int
    listing: Listing
    terms: OrderTerms
    type: str
    side: int
    total: int
    accepted_ns: int
    state: str = HELD
    limit: int | None = None
    stop: float | None = None
    trail: float | None = None
    filled: int = 0
    value: float = 0.0
    last_price: float = 0.0
    triggered: bool = False
    doubles: int = 0
    queue: int | None = None
    live_since_ns: int = 0
    expires_ns: int = 0
    parent: Order | None = None
    children: list[Order] = field(default_factory=list)
    ended: str = ""
    ended_ns: int = 0
    told: tuple[object, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """Client and its order id: unique among the living, not over restarts."""
        return self.client_id, self.order_id

    @property
    def remaining(self) -> int:
        """Contracts still to do."""
        return self.total - self.filled

    @property
    def average(self) -> float:
        """Average fill price in points; 0 without a fill, as the wire says it."""
        return self.value / self.filled if self.filled else 0.0

    @property
    def is_exit(self) -> bool:
        """Whether it is a child that closes what its parent opened."""
        return self.parent is not None and self.parent.side != self.side

    def workable(self) -> int:
        """Contracts the matching may fill now: an exit never does more than its parent has."""
        if self.parent is None or not self.is_exit:
            return self.remaining
        closed = sum(child.filled for child in self.parent.children if child.is_exit)
        return max(0, min(self.remaining, self.parent.filled - closed))

    def status(self) -> str:
        """Return the status word of the wire."""
        if self.state == DONE:
            return self.ended
        if self.state != LIVE or (self.type in TRIGGERED_TYPES and not self.triggered):
            return "PreSubmitted"
        return "Submitted"

    def why_held(self) -> str:
        """Return the reason a PreSubmitted order gives."""
        if self.state == WAITING:
            return "child"
        if self.state == LIVE and self.type in _SIMULATED and not self.triggered:
            return "trigger"
        return ""

    def wire_limit(self) -> float | None:
        """Limit price in points as reported back."""
        return None if self.limit is None else self.limit * self.listing.tick

    def wire_stop(self) -> float | None:
        """Trailing stop price in points as reported back."""
        return None if self.stop is None or self.trail is None else self.stop * self.listing.tick


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of one order, as accounts and clients see it."""

    exec_id: str
    order_id: int
    client_id: int
    perm_id: int
    listing: Listing
    side: int
    quantity: int
    price: float
    ts_ns: int
    cumulative: int
    average: float
    order_ref: str
    liquidity: int
    commission_cents: int
    realized_cents: int | None
