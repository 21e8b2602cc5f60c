"""Say whether an order may be taken, and with which code it is refused.

Codes are IB's: 110 price off the tick, 200 no contract, 201 rejected with the reason, 321 a field the server
does not accept, 387 order type not known here, 103 an id used before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from mia_kernel.core.session import session_at, sessions_between
from mia_kernel.gateway.clock import NS
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.fields import OrderTerms
from mia_kernel.gateway.orders import TIFS, TYPES

_GRID = 1e-6
_WEEK_NS = 8 * 86_400 * NS


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error code with its text."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Prices:
    """Limit, trigger and trail of an order in ticks; a negative trail is a share of the price."""

    limit: int | None
    stop: float | None
    trail: float | None


def refuse_contract(listing: Listing | None, terms: OrderTerms) -> Refusal | None:
    """Return why this contract cannot be ordered."""
    if terms.sec_type_bag:
        return Refusal(321, "Error validating request: combination orders are not traded by this venue")
    if listing is None:
        return Refusal(200, "No security definition has been found for the request")
    if listing.sec_type == "CONTFUT":
        return Refusal(321, "Error validating request: continuous futures are for data only")
    if listing.sec_type != "FUT":
        return Refusal(
            201, f"Order rejected - reason:{listing.sec_type} {listing.symbol} is not traded by this venue"
        )
    if listing.market is None:
        return Refusal(201, f"Order rejected - reason:the source carries no prices of {listing.local_symbol}")
    return None


def refuse_terms(terms: OrderTerms, listing: Listing, account: str) -> Refusal | None:
    """Return why these terms are no order of this venue."""
    if terms.action not in ("BUY", "SELL"):
        return Refusal(321, f"Error validating request: action {terms.action!r}; BUY or SELL")
    if terms.type not in TYPES:
        return Refusal(387, f"Unsupported order type for this exchange and security type: {terms.type}")
    if terms.tif not in TIFS:
        return Refusal(
            321, f"Error validating request: time in force {terms.tif!r}; one of {', '.join(TIFS)}"
        )
    if terms.quantity <= 0 or terms.quantity != int(terms.quantity):
        return Refusal(10318 if terms.quantity != int(terms.quantity) else 321,
                       f"Error validating request: quantity {terms.quantity:g}; whole, at least 1")  # fmt: skip
    if terms.account not in ("", account):
        return Refusal(321, f"Error validating request: account {terms.account!r} is not managed here")
    if terms.algo:
        return Refusal(321, "Error validating request: algorithms are not traded by this venue")
    if terms.type in ("LMT", "STP LMT", "LIT") and terms.limit is None:
        return Refusal(321, f"Error validating request: {terms.type} needs a limit price")
    if terms.type in ("STP", "STP LMT", "MIT", "LIT") and not terms.aux:
        return Refusal(321, f"Error validating request: {terms.type} needs a trigger price (auxPrice)")
    if terms.type.startswith("TRAIL") and not (terms.aux or terms.trail_percent):
        return Refusal(321, f"Error validating request: {terms.type} needs auxPrice or trailingPercent")
    if terms.tif == "GTD" and _moment(terms.good_till) is None:
        return Refusal(
            321, f"Error validating request: goodTillDate {terms.good_till!r}; yyyymmdd hh:mm:ss zone"
        )
    return None


def prices_of(terms: OrderTerms, listing: Listing) -> Prices | Refusal:
    """Return the prices of an order in ticks, or 110 where one is off the tick."""
    kind = TYPES[terms.type]
    limit = terms.limit if kind in ("LMT", "STP LMT", "LIT", "TRAIL LIMIT") else None
    trailing = kind.startswith("TRAIL")
    stop = terms.trail_stop if trailing else (terms.aux if kind in ("STP", "STP LMT", "MIT", "LIT") else None)
    if kind == "TRAIL LIMIT" and limit is None and terms.limit_offset is not None and stop is not None:
        limit = stop - (1 if terms.action == "SELL" else -1) * terms.limit_offset
    for price in (limit, stop, terms.aux if trailing and not terms.trail_percent else None):
        if price is not None and not on_tick(price, listing.tick):
            return Refusal(
                110, "The price does not conform to the minimum price variation for this contract."
            )
    trail = None
    if trailing:
        trail = -terms.trail_percent / 100 if terms.trail_percent else (terms.aux or 0) / listing.tick
    return Prices(None if limit is None else round(limit / listing.tick),
                  None if stop is None else stop / listing.tick, trail)  # fmt: skip


def on_tick(price: float, tick: float) -> bool:
    """Tell whether a price is finite and on the grid."""
    if price != price or abs(price) == float("inf"):
        return False
    return abs(price / tick - round(price / tick)) < _GRID * max(1.0, abs(price / tick) * 1e-6)


def expires_ns(terms: OrderTerms, now_ns: int) -> int:
    """Return when an order ends by itself (ns UTC), 0 for never."""
    if terms.tif == "GTC":
        return 0
    if terms.tif == "GTD":
        return _moment(terms.good_till) or 0
    row = session_at(now_ns)
    if row is None:
        later = sessions_between(now_ns, now_ns + _WEEK_NS)
        return int(later["close_ns"][0]) if len(later) else 0
    return int(row["close_ns"])


def _moment(text: str) -> int | None:
    """Return a `yyyymmdd hh:mm:ss zone` or `yyyymmdd-hh:mm:ss` (UTC) in ns; None where it is neither."""
    words = text.replace("-", " ", 1).split()
    try:
        zone = ZoneInfo(words[2]) if len(words) > 2 else UTC
        moment = datetime.strptime(" ".join(words[:2]), "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
    except (ValueError, KeyError, IndexError, OSError):
        return None
    return int(moment.timestamp()) * NS
