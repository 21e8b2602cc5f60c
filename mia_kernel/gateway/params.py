"""Hold what can be set at the simulated gateway; every figure is a setting, none is IB's promise."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_SERVER_VERSION = 176
"""The last version all clients read as text without further fields; above it the wire changes."""
MIN_SERVER_VERSION = 100


@dataclass(frozen=True, slots=True)
class Product:
    """What the venue takes for one contract.

    `commission_cents` and the margins are per contract; margins are what the venue asks, not the exchange's
    figures of any day.
    """

    commission_cents: int
    initial_margin_usd: int
    maintenance_margin_usd: int


PRODUCTS = {
    "ES": Product(225, 16_000, 14_500),
    "MES": Product(62, 1_600, 1_450),
    "NQ": Product(225, 24_000, 21_800),
    "MNQ": Product(62, 2_400, 2_180),
}


@dataclass(frozen=True, slots=True)
class PacingParams:
    """How much a client may ask before it is refused."""

    messages_per_s: int = 50
    violations: int = 3
    """Error 100 is answered this often; the next violation closes the connection."""
    historical_open: int = 50
    historical_per_10_min: int = 60
    historical_same_s: float = 15.0
    historical_burst: int = 6
    historical_burst_s: float = 2.0
    clients: int = 32
    market_data_lines: int = 100
    depth_lines: int = 3
    tick_by_tick_lines: int = 5
    tick_by_tick_same_s: float = 15.0
    active_orders_per_side: int = 20
    account_summaries: int = 2


@dataclass(frozen=True, slots=True)
class GatewayParams:
    """One gateway: where it listens, whose account it keeps, how it trades.

    Parameters
    ----------
    port, control_port : int
        0 lets the system choose.
    speed : float
        Event seconds per wall second.
    equity_usd : int
        Cash of the account at the start.
    infer_quotes : bool
        Where the source has prints and no quotes: a market of one tick around the last print, of its size.
    master_client_id : int or None
        This client sees the live orders and executions of all.
    any_client_cancels : bool
        Whether a client may cancel an order of another one (seen at real gateways); else error 10147.
    conflation_ms : int
        Level 1 is told at most this often, in event time.
    hold_outside_hours : bool
        An order without `outsideRth` waits for regular hours (message 399), as at IB.
    shuffle_seed : int or None
        Give status, execution and open order messages of one fill in a shuffled order; IB promises none.
    """

    port: int = 4002
    control_port: int = 4003
    speed: float = 1.0
    equity_usd: int = 50_000
    infer_quotes: bool = False
    account: str = "DU0000176"
    zone: str = "US/Eastern"
    master_client_id: int | None = None
    any_client_cancels: bool = True
    conflation_ms: int = 250
    hold_outside_hours: bool = True
    shuffle_seed: int | None = None
    products: dict[str, Product] = field(default_factory=lambda: dict(PRODUCTS))
    pacing: PacingParams = PacingParams()
