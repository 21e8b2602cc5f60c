"""Answer what clients ask about orders, account and contracts; `data_requests` answers what they watch.

How it moves: the first field names the message, a table names its function. A message that cannot be read
gets error 320 with the reason, one that is not known here 321; neither ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mia_kernel.core.errors import DataError
from mia_kernel.gateway import data_requests, messages
from mia_kernel.gateway.clock import NS, day_stamp, minute_stamp, stamp
from mia_kernel.gateway.contracts import MARKET_RULES, details
from mia_kernel.gateway.fields import (
    ContractQuery,
    FieldError,
    Fields,
    OrderTerms,
    contract_query,
    order_terms,
)
from mia_kernel.gateway.history import RequestError
from mia_kernel.gateway.margins import what_if
from mia_kernel.gateway.messages import UNSET
from mia_kernel.gateway.orders import HELD, TYPES, Order
from mia_kernel.gateway.rules import Refusal, prices_of, refuse_contract, refuse_terms
from mia_kernel.gateway.session import Session

if TYPE_CHECKING:
    from mia_kernel.gateway.server import Gateway

Values = list[str]
Answer = Callable[["Gateway", Session, Fields], None]

_NEED_LINK = frozenset(("1", "3", "4", "9", "10", "20", "50", "58", "78", "81", "87", "96", "97"))
_HAS_VERSION = frozenset(("4", "5", "6", "7", "8", "9", "15", "16", "17", "49", "58", "59", "61", "62", "63", "64",
                          "74", "75", "76", "77", "1", "2", "10", "11", "25", "50", "51", "14",
                          "12", "13", "24"))  # fmt: skip


def needs_link(values: Values) -> bool:
    """Tell whether a message can only be answered by the venue."""
    return values[0] in _NEED_LINK


def answer(gateway: Gateway, session: Session, values: Values) -> None:
    """Answer one message."""
    do = TABLE.get(values[0])
    if do is None:
        session.error(
            -1, 321, f"Error validating request: message {values[0]!r} is not served by this gateway"
        )
        return
    fields = Fields(values[1:])
    try:
        if values[0] in _HAS_VERSION:
            fields.skip(1)
        do(gateway, session, fields)
    except FieldError as error:
        session.error(_request_of(values), 320, f"Server error when reading an API client request: {error}")
    except (RequestError, DataError) as error:  # DataError: a date the exchange calendar does not know
        session.error(_request_of(values), 321, f"Error validating request: {error}")


def _request_of(values: Values) -> int:
    at = 2 if values[0] in _HAS_VERSION else 1
    text = values[at] if len(values) > at else ""
    return int(text) if text.lstrip("-").isdigit() and len(text) < 12 else -1


# -- orders ----------------------------------------------------------------------------------------


def _place(gateway: Gateway, session: Session, fields: Fields) -> None:
    order_id, query = fields.whole(), contract_query(fields)
    fields.skip(2)  # secIdType, secId
    try:
        terms = order_terms(fields, session.version, query)
    except FieldError as error:
        session.error(order_id, 320, f"Server error when reading an API client request: {error}")
        return
    assert session.client_id is not None
    if gateway.faults.reject_next:
        code = gateway.faults.reject_next.pop(0)
        gateway.refused(
            session.client_id, order_id, Refusal(code, "Order rejected - reason:refused on command")
        )
        return
    listing = gateway.listings.resolve(query)
    if terms.what_if:
        _what_if(gateway, session, order_id, query, terms)
        return
    gateway.venue.place(session.client_id, order_id, listing, terms)


def _what_if(
    gateway: Gateway, session: Session, order_id: int, query: ContractQuery, terms: OrderTerms
) -> None:
    assert session.client_id is not None
    listing = gateway.listings.resolve(query)
    refusal = refuse_contract(listing, terms)
    if refusal is None and listing is not None:
        refusal = refuse_terms(terms, listing, gateway.params.account)
    prices = prices_of(terms, listing) if refusal is None and listing is not None else None
    if isinstance(prices, Refusal):
        refusal = prices
    if refusal is not None or listing is None or prices is None or isinstance(prices, Refusal):
        assert refusal is not None
        session.error(order_id, refusal.code, refusal.text)
        return
    side = 1 if terms.action == "BUY" else -1
    order = Order(session.client_id, order_id, 0, listing, terms, TYPES[terms.type], side, int(terms.quantity),
                  gateway.clock.now_ns(), limit=prices.limit, stop=prices.stop, trail=prices.trail)  # fmt: skip
    told = what_if(gateway.account, listing, side, order.total)
    session.send(messages.open_order(order, gateway.params.account, session.version, told))


def _cancel(gateway: Gateway, session: Session, fields: Fields) -> None:
    assert session.client_id is not None
    gateway.venue.cancel(session.client_id, fields.whole())


def _cancel_all(gateway: Gateway, session: Session, fields: Fields) -> None:
    gateway.venue.cancel_all()


def _open_orders(gateway: Gateway, session: Session, fields: Fields) -> None:
    own = [order for order in gateway.venue.alive() if order.client_id == session.client_id]
    _tell_orders(gateway, session, own)


def _all_open_orders(gateway: Gateway, session: Session, fields: Fields) -> None:
    every = gateway.venue.alive()
    _tell_orders(gateway, session, every)
    if session.client_id is not None and every:
        # A client that was shown foreign orders must use ids above all of them.
        seen = max(order.order_id for order in every)
        highest = gateway.venue.highest_id
        highest[session.client_id] = max(highest.get(session.client_id, 0), seen)


def _tell_orders(gateway: Gateway, session: Session, orders: list[Order]) -> None:
    for order in orders:
        if order.state != HELD:
            session.send(messages.open_order(order, gateway.params.account, session.version))
            session.send(messages.order_status(order))
    session.send([53, 1])


def _auto_bind(gateway: Gateway, session: Session, fields: Fields) -> None:
    if session.client_id == 0:
        session.auto_bind = fields.truth()
    else:
        session.error(-1, 321, "Error validating request: only client 0 may bind orders automatically")


def _completed(gateway: Gateway, session: Session, fields: Fields) -> None:
    for order in gateway.venue.done():
        session.send(
            messages.completed_order(order, gateway.params.account, session.version, gateway.params.zone)
        )
    session.send([102])


def _executions(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, client_id = fields.whole(), fields.whole()
    account, since, symbol, sec_type, exchange, side = (fields.text() for _ in range(6))
    zone = gateway.params.zone
    today = day_stamp(gateway.clock.now_ns(), zone)
    sides = {"BUY": 1, "BOT": 1, "SELL": -1, "SLD": -1}
    for e in gateway.venue.executions:
        wanted = (
            day_stamp(e.ts_ns, zone) == today  # since midnight of the gateway's zone, no longer
            and client_id in (0, e.client_id)
            and account in ("", gateway.params.account)
            and symbol.upper() in ("", e.listing.symbol)
            and sec_type.upper() in ("", e.listing.sec_type)
            and exchange.upper() in ("", e.listing.exchange)
            and sides.get(side.upper(), e.side) == e.side
            and (not since or stamp(e.ts_ns, zone)[:17] >= since.replace("-", " ").replace("  ", " ")[:17])
        )
        if wanted:
            session.send(messages.execution(request, e, gateway.params.account, zone))
            session.send(messages.commission(e))
    session.send([55, 1, request])


def _ids(gateway: Gateway, session: Session, fields: Fields) -> None:
    assert session.client_id is not None
    session.send([9, 1, gateway.next_id(session.client_id)])


# -- account ---------------------------------------------------------------------------------------


def _account_updates(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.wants_account = fields.truth()
    if not session.wants_account:
        return
    account = gateway.account
    for tag, value, currency in account.values():
        session.send([6, 2, tag, value, currency, account.name])
    for position in account.positions.values():
        session.send(account.portfolio(position))
    session.send([8, 1, minute_stamp(gateway.clock.now_ns(), gateway.params.zone)])
    session.send([54, 1, account.name])


def _account_multi(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    for tag, value, currency in gateway.account.values():
        session.send([73, 1, request, gateway.account.name, "", tag, value, currency])
    session.send([74, 1, request])


def _positions(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.wants_positions = True
    for position in gateway.account.positions.values():
        if position.quantity:
            session.send(gateway.account.position_row(position))
    session.send([62, 1])


def _cancel_positions(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.wants_positions = False


def _positions_multi(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    for position in gateway.account.positions.values():
        if position.quantity:
            row = gateway.account.position_row(position)
            session.send([71, 1, request, *row[2:], ""])
    session.send([72, 1, request])


def _summary(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, _group, tags = fields.whole(), fields.text(), fields.text()
    if request not in session.summaries and len(session.summaries) >= gateway.params.pacing.account_summaries:
        session.error(
            request, 322, "Error processing request: maximum number of account summary requests exceeded"
        )
        return
    session.summaries[request] = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    send_summary(gateway, session, request, session.summaries[request])


def send_summary(gateway: Gateway, session: Session, request: int, tags: tuple[str, ...]) -> None:
    """Send message 63 for the tags asked for, then 64."""
    every = any(tag.startswith("$LEDGER") for tag in tags)
    for tag, value, currency in gateway.account.values():
        if every or tag in tags:
            session.send([63, 1, request, gateway.account.name, tag, value, currency])
    session.send([64, 1, request])


def _cancel_summary(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.summaries.pop(fields.whole(), None)


def _pnl(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    session.pnl[request] = None
    send_pnl(gateway, session, request, None)


def _pnl_single(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    fields.skip(2)  # account, model
    session.pnl[request] = fields.whole()
    send_pnl(gateway, session, request, session.pnl[request])


def send_pnl(gateway: Gateway, session: Session, request: int, con_id: int | None) -> None:
    """Send profit and loss of the account, or of one contract; unset where a price is missing."""
    account = gateway.account
    if con_id is None:
        cents = (account.day_cents, account.open_cents, account.day_realized_cents)
        session.send([94, request, *(round(value) / 100 for value in cents)])
        return
    position = account.positions.get(con_id)
    if position is None:
        session.send([95, request, 0, UNSET, UNSET, UNSET, UNSET])
        return
    mark = gateway.mark(position.listing)
    opened, value = position.open_cents(mark), position.value_cents(mark)
    day = None if opened is None else opened + position.day_realized_cents
    told = (day, opened, position.day_realized_cents, value)
    session.send([95, request, position.quantity, *(UNSET if v is None else round(v) / 100 for v in told)])


def _cancel_pnl(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.pnl.pop(fields.whole(), None)


# -- contracts and small things --------------------------------------------------------------------


def _contract_details(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    found = gateway.listings.find(query)
    if not found:
        session.error(request, 200, "No security definition has been found for the request")
        return
    for listing in found:
        session.send(details(listing, request, session.version, gateway.day))
    session.send([52, 1, request])


def _matching_symbols(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, pattern = fields.whole(), fields.text().upper()
    found = [each for each in gateway.listings.samples() if pattern and each.symbol.startswith(pattern)]
    rows: list[object] = []
    for each in found:
        rows += [each.con_id, each.symbol, each.sec_type, each.exchange, each.currency, 0]
        if session.version >= 176:
            rows += [each.long_name, ""]
    session.send([79, request, len(found), *rows])


def _market_rule(gateway: Gateway, session: Session, fields: Fields) -> None:
    rule = fields.whole()
    steps = MARKET_RULES.get(rule)
    if steps is None:
        session.error(-1, 321, f"Error validating request: market rule {rule} is not known here")
        return
    session.send([93, rule, len(steps), *(value for step in steps for value in step)])


def _time(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([49, 1, gateway.clock.now_ns() // NS])


def _accounts(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([15, 1, gateway.params.account])


def _families(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([78, 1, gateway.params.account, ""])


def _nothing(gateway: Gateway, session: Session, fields: Fields) -> None:
    """Take a message that has no answer."""


def _no_news(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([85, 0])


def _user(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([107, fields.whole(), ""])


def _tiers(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([77, fields.whole(), 0])


TABLE: dict[str, Answer] = {
    "3": _place, "4": _cancel, "5": _open_orders, "6": _account_updates, "7": _executions, "8": _ids,
    "9": _contract_details, "14": _nothing, "12": _nothing, "13": _nothing, "15": _auto_bind,
    "16": _all_open_orders, "17": _accounts, "49": _time, "58": _cancel_all, "61": _positions,
    "62": _summary, "63": _cancel_summary, "64": _cancel_positions, "74": _positions_multi, "75": _nothing,
    "76": _account_multi, "77": _nothing, "79": _tiers, "80": _families, "81": _matching_symbols, "85": _no_news,
    "91": _market_rule, "92": _pnl, "93": _cancel_pnl, "94": _pnl_single, "95": _cancel_pnl,
    "99": _completed, "104": _user, **data_requests.TABLE,
}  # fmt: skip
