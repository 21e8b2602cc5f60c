"""What order truth holds: orders, brackets, fills and money as plain records that survive a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mia_kernel.core.orders import OrderReport, OrderStatus, Role
from mia_kernel.core.venue import Fill, Rests, VenueOrder, WireOrder, WireType
from mia_kernel.execution.oms import DEAD
from mia_kernel.state.ledger import SYMBOLS, TICK_CENTS

ZERO = Decimal(0)
_ROLES = {role.value: role for role in Role}


@dataclass(slots=True)
class OrderRecord:
    """One order: as instructed, and as the venue last told it."""

    order: WireOrder
    bracket_id: str
    role: Role
    status: OrderStatus
    sent_ts: int
    filled: int = 0
    perm_id: int = 0
    rests: Rests = Rests.UNKNOWN
    external: bool = False
    reference_ticks: float | None = None
    final: OrderStatus | None = None  # how it ended, while fills before that end have yet to come
    final_filled: int = 0
    cancel_ts: int = 0  # when a cancellation was last sent

    @property
    def live(self) -> bool:
        """Whether it may still fill; an unknown outcome may."""
        return self.status not in DEAD

    @property
    def left(self) -> int:
        """Contracts that can still fill."""
        return self.order.qty - self.filled if self.live else 0


@dataclass(slots=True)
class BracketRecord:
    """Entry, stop and target of one wish. `stop` and `target` name the orders that stand for them now."""

    bracket_id: str
    symbol: str
    side: int
    qty: int
    stop_ticks: int
    target_ticks: int
    entry: str
    stop: str
    target: str
    opened_ts: int
    expires_ts: int | None
    risk_usd: Decimal
    filled: int = 0
    exited: int = 0
    closing: str = ""  # why it is being closed; empty while it is not
    cash_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    attempts: int = 0  # orders made for it beyond the first three
    mismatch_ts: int = 0  # since when protection differs from the open quantity
    orphan: bool = (
        False  # it was written off and arrived late: closed at once, the engine hears nothing of it
    )

    @property
    def open(self) -> int:
        """Contracts held."""
        return self.filled - self.exited

    def sent(self, ref: str, role: Role) -> None:
        """Note an order of it as sent, so that a restart never gives its name to another one."""
        number = ref.rpartition("-")[2].partition(".")[2]
        self.attempts = max(self.attempts, int(number) if number.isdecimal() else 0)
        if role is Role.STOP:
            self.stop = ref
        elif role is Role.TARGET:
            self.target = ref
        elif role is Role.EXIT:
            self.closing = self.closing or "it was being closed"


@dataclass(slots=True)
class FillRecord:
    """The standing version of one execution and what it cost."""

    fill: Fill
    bracket_id: str
    counted: int  # contracts attributed to the bracket; the rest is excess
    commission_usd: Decimal | None = None


@dataclass(slots=True)
class TruthState:
    """Everything that must survive."""

    orders: dict[str, OrderRecord] = field(default_factory=dict[str, OrderRecord])
    brackets: dict[str, BracketRecord] = field(default_factory=dict[str, BracketRecord])
    fills: dict[str, FillRecord] = field(default_factory=dict[str, FillRecord])
    positions: dict[str, int] = field(default_factory=dict[str, int])
    cash_usd: Decimal = ZERO
    commissions_usd: Decimal = ZERO
    early_commissions: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    reports: int = 0
    next_flat: int = 0  # number of the next order that closes what is held beyond all brackets
    lost: dict[str, BracketRecord] = field(default_factory=dict[str, BracketRecord])  # may still arrive


@dataclass(frozen=True, slots=True)
class Closed:
    """A bracket that is flat again: what it made, net of what it cost."""

    bracket_id: str
    net_usd: Decimal
    opened_ts: int
    closed_ts: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What an event changed: reports for the engine, surprises for a person, brackets closed."""

    reports: tuple[OrderReport, ...] = ()
    notes: tuple[str, ...] = ()
    closed: tuple[Closed, ...] = ()
    slippage_ticks: float | None = None
    rejected: bool = False


def money(symbol: str, ticks: int) -> Decimal:
    """Return what one contract at `ticks` is worth in USD, exactly."""
    return Decimal(TICK_CENTS[SYMBOLS.index(symbol)] * ticks) / 100


def base_of(exec_id: str) -> str:
    """Return an execution's identity without its count of corrections."""
    return exec_id.rpartition(".")[0] or exec_id


def parts_of(ref: str) -> tuple[str, Role]:
    """Return (bracket id, role) of one of our refs; ("", exit) for any other."""
    head, _, tail = ref.rpartition("-")
    name = tail.partition(".")[0]
    return (head, _ROLES[name]) if head and name in _ROLES else ("", Role.EXIT)


def name_of(said: VenueOrder) -> str:
    """Return how a person may call an order of the venue."""
    return said.ref or f"permId {said.perm_id}"


def as_told(order: WireOrder, said: VenueOrder) -> WireOrder:
    """Return an order with quantity and prices as the venue has them."""
    return WireOrder(
        order.ref,
        order.symbol,
        order.side,
        said.qty,
        order.type,
        said.limit_ticks if order.type is WireType.LIMIT else order.limit_ticks,
        said.stop_ticks if said.stop_ticks is not None else order.stop_ticks,
        order.trail_ticks,
        order.tif,
        order.outside_rth,
        order.expires_ts,
        order.parent,
        order.oca,
    )
