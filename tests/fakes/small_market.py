"""Small markets by hand: rows in ticks, times in seconds."""

from __future__ import annotations

from mia_kernel.core.events import BAR, QUOTE, TRADE, EventArray, empty
from mia_kernel.core.orders import Order, OrderType, PlaceBracket, Role
from mia_kernel.state.account import bracket_name

S = 1_000_000_000
T0 = 1_699_977_600 * S
"""2023-11-14 11:00 New York, a Tuesday inside RTH."""


def at(seconds: float) -> int:
    return T0 + round(seconds * S)


def quote(seconds: float, bid: int, ask: int, bid_size: int = 10, ask_size: int = 10) -> EventArray:
    row = empty(1)
    row["ts_event"] = row["ts_recv"] = at(seconds)
    row["kind"], row["bid"], row["ask"] = QUOTE, bid, ask
    row["b"][0, 0], row["a"][0, 0] = bid_size, ask_size
    return row


def trade(seconds: float, px: int, sz: int = 1, side: int = 0) -> EventArray:
    row = empty(1)
    row["ts_event"] = row["ts_recv"] = at(seconds)
    row["kind"], row["px"], row["sz"], row["side"] = TRADE, px, sz, side
    return row


def bar(seconds: float, o: int, h: int, low: int, c: int, length: int = 60) -> EventArray:
    row = empty(1)
    row["ts_event"] = row["ts_recv"] = at(seconds)
    row["kind"], row["px"], row["sz"] = BAR, c, 1000
    row["b"][0, :7] = (o, h, low, 0, 0, 100, length)
    return row


def bracket(
    seconds: float,
    side: int,
    *,
    limit: int | None,
    stop: int,
    target: int,
    qty: int = 1,
    timeout: float | None = 30.0,
    symbol: str = "ES",
    reference: float | None = None,
) -> PlaceBracket:
    """One bracket at `seconds`; `limit` None is a market entry."""
    return bracket_at(
        at(seconds),
        side,
        limit=limit,
        stop=stop,
        target=target,
        qty=qty,
        timeout=timeout,
        symbol=symbol,
        reference=reference,
    )


def bracket_at(
    ts: int,
    side: int,
    *,
    limit: int | None,
    stop: int,
    target: int,
    qty: int = 1,
    timeout: float | None = 30.0,
    symbol: str = "ES",
    reference: float | None = None,
) -> PlaceBracket:
    """One bracket decided at `ts` (ns UTC)."""
    name = bracket_name(ts)

    def order(role: Role, side: int, kind: OrderType, limit: int | None, stop: int | None) -> Order:
        return Order(
            order_id=f"{name}-{role.value}",
            bracket_id=name,
            role=role,
            symbol=symbol,
            side=side,
            qty=qty,
            type=kind,
            ts_event=ts,
            limit_ticks=limit,
            stop_ticks=stop,
            expires_ts=None if role is not Role.ENTRY or timeout is None else ts + round(timeout * S),
            reference_ticks=reference if role is Role.ENTRY else None,
        )

    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return PlaceBracket(
        ts_event=ts,
        bracket_id=name,
        entry=order(Role.ENTRY, side, kind, limit, None),
        stop=order(Role.STOP, -side, OrderType.STOP, None, stop),
        target=order(Role.TARGET, -side, OrderType.LIMIT, target, None),
        grade=3,
        confluence_percent=72.0,
        risk_cents=11_700 * qty,
    )
