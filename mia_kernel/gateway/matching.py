"""Match one order against one market: what a row of the source gives it.

How it moves: an order that arrives takes what the book shows up to its limit; the rest queues behind the
size that rests at its price. A print at the price eats the queue, then the order (part by part); a print
through the price fills it whole; shrinking size at the price moves it forward. A stop is triggered by the
last print and then arrives like any order. The recorded market does not answer our orders: what they took
of a level is remembered until the next row.

A source without quotes gives a market order the next print. A source of bars gives: nothing inside the bar
an order came in; in later bars a limit at its price once the bar went through it, a stop at the worse of its
price and the open, a market order at the open.
"""

from __future__ import annotations

from dataclasses import dataclass

from mia_kernel.gateway.market import Bar, Market
from mia_kernel.gateway.orders import TRIGGERED_TYPES, Order

_NS = 1_000_000_000
BID_ASK, LAST_OR_BID_ASK, MIDPOINT = (1, 4), 7, 8
DOUBLE = (1, 3)
"""Trigger methods 1 (double bid/ask) and 3 (double last) need the same answer twice in a row."""


@dataclass(frozen=True, slots=True)
class Part:
    """A fill: contracts, price in ticks, and whether it added (1) or took (2) liquidity."""

    quantity: int
    ticks: float
    liquidity: int


def arrive(order: Order, market: Market) -> list[Part]:
    """Return what an order takes at once; a rest of a limit order then has its place in the queue."""
    if order.type in TRIGGERED_TYPES and not order.triggered:
        if not _touched(order, market):
            return []
        order.triggered = True
    parts = _take(order, market, order.workable())
    done = sum(part.quantity for part in parts)
    if order.type == "MTL" and parts and order.limit is None:
        order.limit = round(parts[-1].ticks)
    if done < order.workable() and order.limit is not None:
        order.queue = _ahead(order, market)
    return parts


def on_quote(order: Order, market: Market) -> list[Part]:
    """Return what a changed book gives a resting order."""
    if order.type in TRIGGERED_TYPES and not order.triggered:
        _follow(order, market)
        return arrive(order, market)
    if _is_market(order):
        return _take(order, market, order.workable())
    limit = order.limit
    if limit is None or not market.has_quote:
        return []
    crossed = market.ask <= limit if order.side > 0 else market.bid >= limit
    if crossed:
        shown = _crossing(order, market)
        return [Part(q, limit, 1)] if (q := min(order.workable(), shown)) > 0 else []
    shown = _size_at(order, market, limit)
    if shown is not None and (order.queue is None or shown < order.queue):
        order.queue = shown
    return []


def on_trade(order: Order, market: Market, px: int, size: int, side: int) -> list[Part]:
    """Return what a print gives a resting order."""
    if order.type in TRIGGERED_TYPES and not order.triggered:
        _follow(order, market)
        return arrive(order, market)
    if _is_market(order):
        if market.has_quote:
            return _take(order, market, order.workable())
        return [Part(q, px, 2)] if (q := min(order.workable(), size)) > 0 else []
    limit = order.limit
    if limit is None:
        return []
    if (limit - px) * order.side > 0:
        return [Part(q, limit, 1)] if (q := order.workable()) > 0 else []
    if px != limit or side == order.side:
        return []
    if order.queue is None:
        return []
    over = size - order.queue
    order.queue = max(0, -over)
    return [Part(q, limit, 1)] if (q := min(order.workable(), over)) > 0 else []


def on_bar(order: Order, market: Market, ts: int, bar: Bar) -> list[Part]:
    """Return what a finished bar gives an order of a source without prints and quotes."""
    if order.live_since_ns > ts - bar.seconds * _NS or (quantity := order.workable()) <= 0:
        return []
    at: float = bar.open
    if order.type in TRIGGERED_TYPES and not order.triggered:
        stop = order.stop
        if stop is None:
            return []
        up = order.side > 0 if order.type not in ("MIT", "LIT") else order.side < 0
        if (bar.high < stop) if up else (bar.low > stop):
            _trail_to(order, bar.high if order.side < 0 else bar.low)
            return []
        order.triggered = True
        at = max(stop, bar.open) if up else min(stop, bar.open)
    if order.limit is None:
        return [Part(quantity, at, 2)]
    through = bar.low < order.limit if order.side > 0 else bar.high > order.limit
    if not through:
        return []
    better = min(order.limit, at) if order.side > 0 else max(order.limit, at)
    return [Part(quantity, better, 1)]


def _is_market(order: Order) -> bool:
    return order.limit is None


def _take(order: Order, market: Market, quantity: int) -> list[Part]:
    """Walk the shown levels of the other side up to the limit."""
    if quantity <= 0 or not market.has_quote:
        return []
    touch, sizes = (market.ask, market.asks) if order.side > 0 else (market.bid, market.bids)
    parts: list[Part] = []
    for level, shown in enumerate(sizes):
        price = touch + order.side * level
        if order.limit is not None and (price - order.limit) * order.side > 0:
            break
        free = shown - market.taken.get(price, 0)
        if free <= 0:
            continue
        q = min(quantity, free)
        market.taken[price] = market.taken.get(price, 0) + q
        parts.append(Part(q, price, 2))
        quantity -= q
        if quantity == 0:
            break
    return parts


def _crossing(order: Order, market: Market) -> int:
    """Size of the other side at or through a resting limit."""
    touch, sizes = (market.ask, market.asks) if order.side > 0 else (market.bid, market.bids)
    depth = abs((order.limit or 0) - touch) + 1
    return sum(sizes[:depth])


def _size_at(order: Order, market: Market, limit: int) -> int | None:
    """Size shown on the order's own side at its price; None where the book does not reach that far."""
    best, sizes = (market.bid, market.bids) if order.side > 0 else (market.ask, market.asks)
    away = (best - limit) * order.side
    if away < 0:
        return 0
    return sizes[away] if away < len(sizes) else None


def _ahead(order: Order, market: Market) -> int | None:
    """Queue in front of a new order; None (only a print through it fills it) where it is not known."""
    if not market.has_quote or order.limit is None:
        return None
    return _size_at(order, market, order.limit)


def _touched(order: Order, market: Market) -> bool:
    """Tell whether a stop or touched order is triggered by what is known now."""
    if order.stop is None:
        return False
    upward = order.side > 0 if order.type not in ("MIT", "LIT") else order.side < 0
    seen = _reference(order, market, upward)
    hit = any(price >= order.stop if upward else price <= order.stop for price in seen)
    if order.terms.trigger_method not in DOUBLE:
        return hit
    order.doubles = order.doubles + 1 if hit else 0
    return order.doubles >= 2


def _reference(order: Order, market: Market, upward: bool) -> list[float]:
    """Return the prices a trigger looks at: the last print, or what the trigger method asks for."""
    method = order.terms.trigger_method
    quote: list[float] = [market.bid if upward else market.ask] if market.has_quote else []
    last: list[float] = [] if market.last is None else [market.last]
    if method in BID_ASK:
        return quote
    if method == LAST_OR_BID_ASK:
        return quote + last
    if method == MIDPOINT:
        return [(market.bid + market.ask) / 2] if market.has_quote else []
    return last if market.trade_seq else quote


def _follow(order: Order, market: Market) -> None:
    """Let a trailing stop follow a better price."""
    if order.trail is not None and market.last is not None and market.last_ts >= order.live_since_ns:
        _trail_to(order, market.last)


def _trail_to(order: Order, price: float) -> None:
    if order.trail is None:
        return
    distance = order.trail if order.trail >= 0 else -order.trail * price
    wanted = price + order.side * distance
    if order.stop is None or (order.stop - wanted) * order.side > 0:
        moved = 0.0 if order.stop is None else wanted - order.stop
        order.stop = wanted
        if order.type == "TRAIL LIMIT" and order.limit is not None:
            order.limit += round(moved)
