"""Know the contracts: futures by month and continuous, the indices; how a client's words find them.

How it moves: the listing is built once for the trading day of the source. Contract ids are MIA's own and
stable (the product and the month are in them), but for SPX and VIX, whose ids are IB's. The contract the
source trades is the one with prices; the others have details and no market.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mia_kernel.core.contract import MONTH_CODES, Contract, calendar_front, expiry_day, next_contract
from mia_kernel.core.instrument import INSTRUMENTS
from mia_kernel.core.session import next_trading_day, session_row
from mia_kernel.gateway.clock import NS, local
from mia_kernel.gateway.fields import ContractQuery

SPX_CON_ID, VIX_CON_ID = 416904, 13455763
ZONE = "US/Central"
_MONTHS_LISTED = 6
_HOURS_DAYS = 7
_PRODUCT_IDS = {"ES": 1, "MES": 2, "NQ": 3, "MNQ": 4}
_MARKETS = {"ES": "ES", "MES": "ES", "NQ": "NQ", "MNQ": "NQ"}
_ORDER_TYPES = "ACTIVETIM,GTC,GTD,IOC,FOK,LIT,LMT,MIT,MKT,MTL,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
_MARKET_RULE = "67"
MARKET_RULES = {67: ((0.0, 0.25),), 109: ((0.0, 0.05), (3.0, 0.10)), 110: ((0.0, 0.01),)}
"""id -> (from price, increment); 67 is IB's id for ES and NQ."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One contract as the wire writes it. `market` names the prices it trades on, None where it has none."""

    con_id: int
    symbol: str
    sec_type: str
    expiry: str
    strike: float
    right: str
    multiplier: str
    exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    tick: float
    market: str | None
    long_name: str = ""
    market_rule: str = _MARKET_RULE
    under_con_id: int = 0
    under_symbol: str = ""
    under_sec_type: str = ""
    last_trade_time: str = ""
    stock_type: str = ""

    @property
    def contract_month(self) -> str:
        """The delivery month yyyymm; empty for an index."""
        return self.expiry[:6]

    def wire(self, exchange: str | None = None) -> tuple[object, ...]:
        """The eleven fields most messages carry: conId … tradingClass, with `exchange` in its place."""
        return (self.con_id, self.symbol, self.sec_type, self.expiry, self.strike, self.right, self.multiplier,
                self.exchange if exchange is None else exchange, self.currency, self.local_symbol,
                self.trading_class)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OptionRow:
    """What exists of one trading class at one exchange; not every pair of expiry and strike does."""

    exchange: str
    under_con_id: int
    trading_class: str
    expiries: tuple[str, ...]
    strikes: tuple[float, ...]


class Listings:
    """Every contract of this gateway.

    Parameters
    ----------
    day : int
        Trading day of the source (yyyymmdd).
    traded : mapping of str to Contract
        Market ("ES", "NQ") to the contract whose prices the source carries.
    indices : iterable of str
        Indices with prices ("VIX", "SPX").
    """

    def __init__(self, day: int, traded: dict[str, Contract], indices: Iterable[str]) -> None:
        self.day = day
        self.by_id: dict[int, Listing] = {}
        self.front: dict[str, Listing] = {}
        self._all: list[Listing] = []
        self._options: dict[tuple[str, str, float, str], list[Listing]] = {}
        for symbol in _PRODUCT_IDS:
            self._list_product(symbol, traded.get(_MARKETS[symbol]))
        has = set(indices)
        self.add(_index("SPX", SPX_CON_ID, "S&P 500 Stock Index", "SPX" in has))
        self.add(_index("VIX", VIX_CON_ID, "CBOE Volatility Index", "VIX" in has))

    def add(self, listing: Listing) -> None:
        """List one more contract."""
        self._all.append(listing)
        self.by_id[listing.con_id] = listing
        if listing.sec_type == "OPT":
            key = (listing.symbol, listing.expiry, listing.strike, listing.right)
            self._options.setdefault(key, []).append(listing)

    def samples(self) -> list[Listing]:
        """Return one contract of every symbol."""
        return list({listing.symbol: listing for listing in reversed(self._all)}.values())

    def option_rows(self, symbol: str) -> list[OptionRow]:
        """Return what options of an underlying exist, a row for each exchange and class."""
        classes: dict[str, list[Listing]] = {}
        for each in self._all:
            if each.sec_type == "OPT" and each.symbol == symbol:
                classes.setdefault(each.trading_class, []).append(each)
        return [
            OptionRow(exchange, own[0].under_con_id, name, tuple(sorted({each.expiry for each in own})),
                      tuple(sorted({each.strike for each in own})))
            for name, own in sorted(classes.items())
            for exchange in ("CBOE", "SMART")
        ]  # fmt: skip

    def _list_product(self, symbol: str, traded: Contract | None) -> None:
        first = calendar_front(symbol, self.day)
        own = None if traded is None else Contract(symbol, traded.year, traded.month)
        months = [first]
        while len(months) < _MONTHS_LISTED:
            months.append(next_contract(months[-1]))
        if own is not None and own not in months:
            months = sorted((*months, own))
        for month in months:
            listing = _future(month, _MARKETS[symbol] if month == own else None)
            self.add(listing)
            if month == (own or first):
                self.front[symbol] = listing

    def find(self, query: ContractQuery) -> list[Listing]:
        """Return every listing that fits what the client said; none where nothing fits."""
        if query.sec_type == "CONTFUT":
            return self._continuous(query)
        if query.con_id:
            listing = self.by_id.get(query.con_id)
            return [listing] if listing is not None and _fits(listing, query, by_id=True) else []
        key = (query.symbol, query.expiry, query.strike, query.right)
        among = self._options.get(key, []) if query.sec_type == "OPT" and all(key) else self._all
        return [listing for listing in among if _fits(listing, query)]

    def _continuous(self, query: ContractQuery) -> list[Listing]:
        known = [each for each in self.front.values() if query.con_id in (0, each.con_id)]
        plain = replace(query, sec_type="FUT", expiry="", con_id=0)
        return [replace(each, sec_type="CONTFUT") for each in known if _fits(each, plain)]

    def resolve(self, query: ContractQuery) -> Listing | None:
        """Return the one listing a request means; None where it means none or several."""
        found = self.find(query)
        return found[0] if len(found) == 1 else None


def _fits(listing: Listing, query: ContractQuery, *, by_id: bool = False) -> bool:
    exchanges = (listing.exchange, "SMART") if listing.sec_type in ("OPT", "IND") else (listing.exchange,)
    if query.exchange and query.exchange not in exchanges and query.exchange not in ("GLOBEX", ""):
        return False
    if by_id:
        return query.sec_type in ("", listing.sec_type)
    pairs = (
        (query.symbol, listing.symbol), (query.sec_type, listing.sec_type), (query.right, listing.right),
        (query.currency, listing.currency), (query.local_symbol, listing.local_symbol),
        (query.trading_class, listing.trading_class), (query.multiplier, listing.multiplier),
    )  # fmt: skip
    if not (query.symbol or query.local_symbol):
        return False
    if any(said and said != own for said, own in pairs):
        return False
    if query.strike and abs(query.strike - listing.strike) > 1e-9:
        return False
    if not query.expiry:
        return True
    return query.expiry in (listing.expiry, listing.contract_month)


def _future(month: Contract, market: str | None) -> Listing:
    facts = INSTRUMENTS[month.symbol]
    letter = MONTH_CODES[month.month - 1]
    return Listing(
        con_id=700_000_000 + _PRODUCT_IDS[month.symbol] * 10_000_000 + month.year * 100 + month.month,
        symbol=month.symbol,
        sec_type="FUT",
        expiry=str(expiry_day(month)),
        strike=0.0,
        right="",
        multiplier=str(facts.multiplier_usd),
        exchange="CME",
        currency="USD",
        local_symbol=f"{month.symbol}{letter}{month.year % 10}",
        trading_class=month.symbol,
        tick=float(facts.tick_size),
        market=market,
        long_name=facts.name,
        under_con_id=_PRODUCT_IDS[month.symbol],
        under_symbol=month.symbol,
        under_sec_type="IND",
        last_trade_time="08:30:00",
    )


def _index(symbol: str, con_id: int, name: str, priced: bool) -> Listing:
    return Listing(con_id, symbol, "IND", "", 0.0, "", "", "CBOE", "USD", symbol, symbol, 0.01,
                   symbol if priced else None, long_name=name, market_rule="110", stock_type="INDEX")  # fmt: skip


def details(listing: Listing, request: int, version: int, day: int) -> list[object]:
    """Return message 10 for one contract.

    Parameters
    ----------
    version : int
        Below 164 the message carries its own version and the size multiplier.
    day : int
        Trading day the hours start with.
    """
    hours, liquid = trading_hours(day)
    expiry = (
        f"{listing.expiry} {listing.last_trade_time} {ZONE}" if listing.last_trade_time else listing.expiry
    )
    head: list[object] = [10] if version >= 164 else [10, 8]
    head += [request, listing.symbol, listing.sec_type, expiry, listing.strike, listing.right, listing.exchange,
             listing.currency, listing.local_symbol, listing.trading_class, listing.trading_class, listing.con_id,
             listing.tick]  # fmt: skip
    if version < 164:
        head.append(1)
    exchanges = "SMART,CBOE" if listing.sec_type == "OPT" else listing.exchange
    head += [listing.multiplier, _ORDER_TYPES, exchanges, 1, listing.under_con_id, listing.long_name,
             "" if listing.sec_type == "OPT" else listing.exchange, listing.contract_month,
             "Indices" if listing.sec_type == "IND" else "", "", "", ZONE, hours, liquid, "", 0, 0]  # fmt: skip
    head += [1, listing.under_symbol, listing.under_sec_type, listing.market_rule, listing.expiry,
             listing.stock_type]  # fmt: skip
    if version == 163:
        head.append(1)
    if version >= 164:
        head += [1, 1, 1]
    return head


def trading_hours(day: int) -> tuple[str, str]:
    """Return trading and liquid hours in US/Central from a trading day on, as `20190808:1700-20190809:1600;…`."""
    whole: list[str] = []
    liquid: list[str] = []
    for _ in range(_HOURS_DAYS):
        row = session_row(day)
        if row is None:
            whole.append(f"{day}:CLOSED")
            liquid.append(f"{day}:CLOSED")
        else:
            opens, closes = int(row["open_ns"]), int(row["close_ns"])
            pause, resume = int(row["pause_start_ns"]), int(row["pause_end_ns"])
            parts = [(opens, pause), (resume, closes)] if pause < resume < closes else [(opens, closes)]
            whole += [_span(start, end) for start, end in parts]
            rth = (int(row["rth_open_ns"]), int(row["rth_close_ns"]))
            liquid.append(_span(*rth) if rth[0] < rth[1] else f"{day}:CLOSED")
        day = next_trading_day(day)
    return ";".join(whole), ";".join(liquid)


def _span(start_ns: int, end_ns: int) -> str:
    return f"{_hour(start_ns)}-{_hour(end_ns)}"


def _hour(ts_ns: int) -> str:
    return f"{local(ts_ns - ts_ns % NS, ZONE):%Y%m%d:%H%M}"
