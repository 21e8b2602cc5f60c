"""Answer what clients want to watch or look back at: level 1, depth, ticks, bars, history."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mia_kernel.gateway import history as past
from mia_kernel.gateway.bars_live import FiveSeconds, GrowingBars
from mia_kernel.gateway.clock import NS, stamp
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.fields import ContractQuery, Fields, contract_query
from mia_kernel.gateway.market import Market
from mia_kernel.gateway.options import OptionLine
from mia_kernel.gateway.session import Session
from mia_kernel.gateway.subscriptions import TICK_KINDS, Depth, LevelOne, TickByTick

if TYPE_CHECKING:
    from mia_kernel.gateway.server import Gateway

_NO_CONTRACT = "No security definition has been found for the request"
_SMALL_BAR_S = 30


def _priced(
    gateway: Gateway, session: Session, request: int, query: ContractQuery
) -> tuple[Listing, Market] | None:
    """Return the contract and its market, or tell the client why there is none."""
    listing = gateway.listings.resolve(query)
    if listing is None:
        many = len(gateway.listings.find(query)) > 1
        session.error(
            request, 200, "The contract description specified is ambiguous" if many else _NO_CONTRACT
        )
        return None
    market = gateway.market_of(listing)
    if market is None:
        session.error(request, 354, "Requested market data is not subscribed. "
                                    f"The source of this gateway has no prices of {listing.local_symbol}")  # fmt: skip
        return None
    return listing, market


def _free(
    gateway: Gateway, session: Session, request: int, kind: str, most: int, code: int, text: str
) -> bool:
    if request in session.subscriptions:
        session.error(request, 102, "Duplicate ticker id")
        return False
    open_ = sum(s.kind == kind for s in session.subscriptions.values())
    if open_ >= most:
        session.error(request, code, text)
        return False
    return True


def _market_data(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    if query.sec_type == "BAG":
        session.error(request, 200, _NO_CONTRACT)
        return
    if fields.truth():  # delta neutral contract
        fields.skip(3)
    generic, snapshot = fields.text(), fields.truth()
    lines = gateway.params.pacing.market_data_lines
    if not _free(
        gateway, session, request, "level_one", lines, 101, "Max number of tickers has been reached"
    ):
        return
    watch = _line(gateway, session, request, query, generic)
    if watch is None:
        return
    watch.flush(gateway.clock.now_ns())
    if snapshot:
        session.send([57, 1, request])
    else:
        session.subscriptions[request] = watch


def _line(
    gateway: Gateway, session: Session, request: int, query: ContractQuery, generic: str
) -> LevelOne | OptionLine | None:
    option = gateway.listings.resolve(query)
    if option is not None and option.sec_type == "OPT" and gateway.options is not None:
        return OptionLine(session, request, option, gateway.options, generic)
    found = _priced(gateway, session, request, query)
    if found is None:
        return None
    return LevelOne(session, request, *found, generic, gateway.params.conflation_ms * 1_000_000)


def _stop(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    watch = session.subscriptions.pop(request, None)
    if watch is None:
        session.error(request, 300, f"Can't find EId with tickerId:{request}")
    else:
        watch.stop()


def _depth(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    rows, smart = fields.whole(), fields.truth()
    most = gateway.params.pacing.depth_lines
    text = "Max number (3) of market depth requests has been reached"
    if not _free(gateway, session, request, "depth", most, 309, text):
        return
    found = _priced(gateway, session, request, query)
    if found is None:
        return
    if found[0].sec_type != "FUT":
        session.error(
            request, 10092, "Deep market data is not supported for this combination of security type/exchange"
        )
        return
    watch = Depth(session, request, *found, max(1, min(rows or 5, 10)), smart)
    session.subscriptions[request] = watch
    if gateway.faults.data_flows:
        watch.flush(gateway.clock.now_ns())


def _tick_by_tick(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query, kind = fields.whole(), contract_query(fields), fields.text()
    if kind not in TICK_KINDS:
        session.error(
            request, 321, f"Error validating request: tick type {kind!r}; one of {', '.join(TICK_KINDS)}"
        )
        return
    most = gateway.params.pacing.tick_by_tick_lines
    if not _free(
        gateway,
        session,
        request,
        "tick_by_tick",
        most,
        10190,
        "Max number of tick-by-tick requests has been reached",
    ):
        return
    found = _priced(gateway, session, request, query)
    if found is None:
        return
    if found[0].sec_type != "FUT":
        session.error(request, 10189, "Failed to request tick-by-tick data: not for this security type")
        return
    if not session.tick_pacing.request(time.monotonic(), (found[0].con_id, kind)):
        session.error(
            request, 10189, "Failed to request tick-by-tick data: one request of an instrument in 15 seconds"
        )
        return
    session.subscriptions[request] = TickByTick(session, request, *found, kind)


def _data_type(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.market_data_type = fields.whole()


def _five_seconds(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    size, what, rth = fields.whole(), fields.text(), fields.truth()
    if size != 5 or what not in past.SHOWN[:4]:
        session.error(request, 321, "Error validating request: 5-second bars of TRADES, MIDPOINT, BID or ASK")
        return
    most = gateway.params.pacing.market_data_lines
    if not _free(gateway, session, request, "five_seconds", most, 420, "Invalid real-time query: pacing"):
        return
    found = _priced(gateway, session, request, query)
    if found is not None:
        watch = FiveSeconds(session, request, gateway.history, found[1], what, rth, gateway.clock.now_ns())
        session.subscriptions[request] = watch


def _historical(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    fields.skip(1)  # includeExpired
    end, size, span = fields.text(), fields.text(), fields.text()
    rth, what, format_date = fields.truth(), fields.text(), fields.whole()
    keep = fields.truth()
    now = gateway.clock.now_ns()
    if size not in past.BAR_SECONDS or what not in past.SHOWN:
        known = ", ".join(past.BAR_SECONDS if size not in past.BAR_SECONDS else past.SHOWN)
        raise past.RequestError(f"bar size {size!r} of {what!r}; known: {known}")
    if keep and end:
        raise past.RequestError("an end time together with keepUpToDate")
    seconds = past.BAR_SECONDS[size]
    end_ns = min(past.parse_end(end, now, gateway.params.zone), now)
    start_ns = past.parse_span(span, end_ns)
    open_ = sum(s.kind == "growing_bars" for s in session.subscriptions.values())
    identity = (query, end, size, span, rth, what, keep)
    small = seconds < _SMALL_BAR_S
    weight = 2 if what == "BID_ASK" else 1
    if (
        small and not gateway.historical_pacing.request(time.monotonic(), identity, (query, what), weight)
    ) or (open_ >= gateway.params.pacing.historical_open):
        session.error(
            request,
            162,
            "Historical Market Data Service error message:Historical data request pacing violation",
        )
        return
    found = _priced(gateway, session, request, query)
    if found is None:
        return
    listing, market = found
    bars = gateway.history.bars(market, what, seconds, start_ns, end_ns, rth=rth)
    if not bars and not keep:
        session.error(request, 162, "Historical Market Data Service error message:HMDS query returned no data: "
                                    f"{listing.local_symbol}@{listing.exchange} {what.title()}")  # fmt: skip
        return
    rows = [(past.bar_stamp(b, seconds, format_date), b.open, b.high, b.low, b.close, b.volume, b.average, b.count)
            for b in bars]  # fmt: skip
    zone = gateway.params.zone
    session.send([17, request, stamp(start_ns, zone), stamp(end_ns, zone), len(rows),
                  *(value for row in rows for value in row)])  # fmt: skip
    if keep:
        watch = GrowingBars(session, request, gateway.history, market, what, seconds, format_date, rth, now)
        session.subscriptions[request] = watch


def _cancel_historical(gateway: Gateway, session: Session, fields: Fields) -> None:
    request = fields.whole()
    watch = session.subscriptions.pop(request, None)
    if watch is None:
        session.error(request, 366, f"No historical data query found for ticker id:{request}")
        return
    watch.stop()
    session.error(request, 162, "Historical Market Data Service error message:API historical data query cancelled: "
                                f"{request}")  # fmt: skip


def _head(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    fields.skip(2)  # includeExpired, useRTH
    what, format_date = fields.text(), fields.whole()
    found = _priced(gateway, session, request, query)
    if found is None:
        return
    first = gateway.history.head_ns(found[1], what if what in past.SHOWN else "TRADES")
    if first is None:
        session.error(request, 162, "Historical Market Data Service error message:No head time stamp")
        return
    text = (
        str(first // NS) if format_date == 2 else stamp(first, "UTC").removesuffix(" UTC").replace(" ", "-")
    )
    session.send([88, request, text])


def _cancel_head(gateway: Gateway, session: Session, fields: Fields) -> None:
    """The answer is never pending."""


def _historical_ticks(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, query = fields.whole(), contract_query(fields)
    fields.skip(1)  # includeExpired
    start, end, count, what = fields.text(), fields.text(), fields.whole(), fields.text()
    if not 1 <= count <= 1000 or what not in ("TRADES", "BID_ASK", "MIDPOINT") or bool(start) == bool(end):
        raise past.RequestError(
            "1 to 1000 ticks of TRADES, BID_ASK or MIDPOINT, from a start or up to an end"
        )
    found = _priced(gateway, session, request, query)
    if found is None:
        return
    now, zone = gateway.clock.now_ns(), gateway.params.zone
    start_ns = past.parse_end(start, now, zone) if start else None
    end_ns = past.parse_end(end, now, zone) if end else None
    rows = gateway.history.ticks(found[1], what, start_ns, end_ns, count, now)
    exchange = found[0].exchange
    told: list[object] = []
    for row in rows:
        told += [row[0], 0, *row[1:], exchange, ""] if what == "TRADES" else [row[0], 0, *row[1:]]
    session.send([{"TRADES": 98, "BID_ASK": 97, "MIDPOINT": 96}[what], request, len(rows), *told, 1])


def _depth_exchanges(gateway: Gateway, session: Session, fields: Fields) -> None:
    session.send([80, 1, "CME", "FUT", "", "Deep", 2147483647])


def _option_parameters(gateway: Gateway, session: Session, fields: Fields) -> None:
    request, symbol = fields.whole(), fields.text().upper()
    for row in gateway.listings.option_rows(symbol):
        expiries, strikes = row.expiries, row.strikes
        session.send([75, request, row.exchange, row.under_con_id, row.trading_class, "100", len(expiries), *expiries,
                      len(strikes), *strikes])  # fmt: skip
    session.send([76, request])


TABLE: dict[str, Callable[[Gateway, Session, Fields], None]] = {
    "1": _market_data, "2": _stop, "10": _depth, "11": _stop, "20": _historical, "25": _cancel_historical,
    "50": _five_seconds, "51": _stop, "59": _data_type, "78": _option_parameters, "82": _depth_exchanges, "87": _head,
    "90": _cancel_head, "96": _historical_ticks, "97": _tick_by_tick, "98": _stop,
}  # fmt: skip
