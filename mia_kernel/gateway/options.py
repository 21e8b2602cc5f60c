"""Quote SPX options while the index moves: prices and greeks by Black's formula on the chain's volatilities.

How it moves: SPX follows the traded future by the ratio of the two at the start. Every contract keeps the
volatility, spread, volume and open interest of its chain; spot and time move, price and greeks follow
(volatility sticks to the strike). So quotes are a model's: of a recorded chain only where it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mia_kernel.core.errors import InputError
from mia_kernel.core.events import Recording
from mia_kernel.core.session import trading_day_of
from mia_kernel.gamma.book import Book, book_of
from mia_kernel.gamma.chain import CALL, NS_PER_YEAR, Chain
from mia_kernel.gamma.greeks import black, d1_of, spot_delta, spot_gamma
from mia_kernel.gateway.contracts import SPX_CON_ID, Listing
from mia_kernel.gateway.market import Feed, Market
from mia_kernel.gateway.session import Session
from mia_kernel.gateway.synthetic_chain import synthetic_chain

FIRST_OPTION_ID = 800_000_000
_NAME = "S&P 500 Stock Index"
SPX_TICK = 0.01
SYNTHETIC_BASIS = 0.005
"""How far a SYNTHETIC SPX lies below its future, as a share."""
BID_SIDE, ASK_SIDE, MODEL = 10, 11, 13
CALL_OI, PUT_OI, CALL_VOLUME, PUT_VOLUME, VOLUME = 27, 28, 29, 30, 8
MODEL_SIZE = 1
"""A model quote stands for one contract: chains carry no sizes, and clients drop a price of size 0."""
_DAY_YEARS = 86_400e9 / NS_PER_YEAR
_LEAST_HALF_SPREAD = 0.025
_FLUSH_NS = 1_000_000_000
_INV_SQRT_2PI = 0.3989422804014327


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """One contract now. Prices in points, vega for one percent, theta for one day."""

    bid: float
    ask: float
    model: float
    iv: float
    delta: float
    gamma: float
    vega: float
    theta: float
    spot: float


class OptionMarket:
    """The options of one chain.

    Parameters
    ----------
    chain : Chain
    future_at_chain : float
        Price of the traded future at the chain's instant, points.
    now_ns : int
        The gateway's time at the start.

    Raises
    ------
    InputError
        If nothing of the chain is alive then.
    """

    def __init__(self, chain: Chain, future_at_chain: float, now_ns: int) -> None:
        book = book_of(chain)
        alive = book.legs["settle_ns"] > now_ns
        if not alive.any():
            raise InputError("every contract of the chain has settled at the time of the source", path=chain.source,
                             field="--chain", rule="a chain of the source's days")  # fmt: skip
        self.source = chain.source
        self._book: Book = book.where(alive)
        self._roots = chain.roots
        self._ratio = book.spot / future_at_chain
        self._ones: dict[int, Book] = {}
        self.index = Market("SPX", SPX_TICK)
        self.listings = self._listed()

    def _listed(self) -> list[Listing]:
        legs = self._book.legs
        columns = (legs[name].tolist() for name in ("root", "expiry", "strike", "right"))
        found: list[Listing] = []
        for row, (root_at, expiry, strike, side) in enumerate(zip(*columns, strict=True)):
            root, right = str(self._roots[root_at]), "C" if side == CALL else "P"
            local = f"{root:<6}{expiry % 1_000_000:06}{right}{round(strike * 1000):08}"
            found.append(Listing(FIRST_OPTION_ID + row, "SPX", "OPT", str(expiry), strike, right, "100", "CBOE", "USD",
                                 local, root, 0.05, None, _NAME, "109,109", SPX_CON_ID, "SPX", "IND"))  # fmt: skip
        return found

    def follow(self, future: float | None, now_ns: int) -> None:
        """Let the index follow the future's price."""
        if future is None:
            return
        ticks = round(future * self._ratio / SPX_TICK)
        if ticks != self.index.last:
            self.index.take_trade(now_ns, ticks, 0, 0)

    def quote(self, con_id: int, now_ns: int) -> OptionQuote | None:
        """Return price and greeks of a contract; None once it has settled, or while the index has no price."""
        spot = self.index.mark()
        if spot is None:
            return None
        row = con_id - FIRST_OPTION_ID
        if con_id not in self._ones:
            only = np.zeros(len(self._book.legs), np.bool_)
            only[row] = True
            self._ones[con_id] = self._book.where(only)
        b = self._ones[con_id].at(now_ns, spot)
        if len(b.legs) == 0:
            return None
        return _quoted(b, spot)

    def figures(self, con_id: int) -> tuple[bool, float | None, float | None]:
        """Return (is a call, open interest, volume) of a contract; None where the chain does not say."""
        leg = self._book.legs[con_id - FIRST_OPTION_ID]
        oi, volume = float(leg["oi"]), float(leg["volume"])
        return int(leg["right"]) == CALL, oi if oi == oi else None, volume if volume == volume else None


def _quoted(b: Book, spot: float) -> OptionQuote:
    leg = b.legs[0]
    strike, right, s = b.legs["strike"], b.legs["right"].astype(np.float64), b.s
    price = float(black(b.forward, b.discount, strike, s, right)[0])
    d1 = float(d1_of(b.forward, strike, s)[0])
    years, sigma = float(b.years[0]), float(b.sigma[0])
    density = _INV_SQRT_2PI * float(np.exp(-0.5 * d1 * d1))
    vega = float(b.discount[0]) * float(b.forward[0]) * density * years**0.5 / 100
    later = years - _DAY_YEARS
    if later > 0:
        share = later / years
        forward = spot * (b.forward / spot) ** share
        tomorrow = float(black(forward, b.discount**share, strike, b.sigma * later**0.5, right)[0])
    else:
        tomorrow = max(0.0, float(right[0]) * (spot - float(strike[0])))
    half = float(leg["ask"] - leg["bid"]) / 2
    half = max(_LEAST_HALF_SPREAD, half) if half == half else _LEAST_HALF_SPREAD
    return OptionQuote(
        bid=_on_tick(price - half, down=True),
        ask=_on_tick(price + half, down=False),
        model=price,
        iv=sigma,
        delta=float(spot_delta(spot, b.forward, b.discount, strike, s, right)[0]),
        gamma=float(spot_gamma(spot, b.forward, b.discount, strike, s)[0]),
        vega=vega,
        theta=tomorrow - price,
        spot=spot,
    )


def _on_tick(price: float, *, down: bool) -> float:
    """Return a price on the tick of SPX options: 0.05 below 3, else 0.10; a bid below one tick is none."""
    tick = 0.05 if price < 3.0 else 0.10
    steps = np.floor(price / tick + 1e-9) if down else np.ceil(price / tick - 1e-9)
    return round(max(0.0, float(steps) * tick), 2)


def option_market(
    recording: Recording, feed: Feed, chain: Chain | None, start_ns: int
) -> OptionMarket | None:
    """Return the options of a gateway: those of `chain`, else SYNTHETIC ones for a SYNTHETIC market, else None."""
    if chain is not None:
        future = feed.future_at(chain.as_of)
        return None if future is None else OptionMarket(chain, future, start_ns)
    future = feed.future_at(start_ns)
    if recording.source.tag != "synthetic" or future is None:
        return None
    vix = feed.markets.get("VIX")
    spot = round(future * (1 - SYNTHETIC_BASIS), 2)
    made = synthetic_chain(trading_day_of(start_ns), start_ns, spot, None if vix is None else vix.mark())
    return OptionMarket(made, future, start_ns)


class OptionLine:
    """Quotes, greeks, volume and open interest of one option, at most once a second of event time."""

    kind = "level_one"

    def __init__(
        self, session: Session, request: int, listing: Listing, options: OptionMarket, generic: str
    ) -> None:
        self._session, self._request, self.listing, self._options = session, request, listing, options
        self._due_ns = 0
        self._told: OptionQuote | None = None
        self._generic = {word.strip() for word in generic.split(",")}
        session.send([81, request, listing.tick, "", 3])
        session.send([58, 1, request, 1])
        self._figures()

    def _figures(self) -> None:
        call, oi, volume = self._options.figures(self.listing.con_id)
        rows = [(VOLUME, volume)]
        if "100" in self._generic:
            rows.append((CALL_VOLUME if call else PUT_VOLUME, volume))
        if "101" in self._generic:
            rows.append((CALL_OI if call else PUT_OI, oi))
        for kind, value in rows:
            if value is not None:
                self._session.send([2, 6, self._request, kind, value])

    def flush(self, now_ns: int) -> None:
        """Send what changed."""
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + _FLUSH_NS
        quote = self._options.quote(self.listing.con_id, now_ns)
        if quote is None or quote == self._told:
            return
        old, self._told = self._told, quote
        for kind, price, before in ((1, quote.bid, old and old.bid), (2, quote.ask, old and old.ask)):
            if price != before:
                self._session.send([1, 6, self._request, kind, price or -1.0, MODEL_SIZE if price else 0, 1])
        for kind, price in ((BID_SIDE, quote.bid), (ASK_SIDE, quote.ask), (MODEL, quote.model)):
            self._session.send([21, self._request, kind, 1, quote.iv, quote.delta, price, 0, quote.gamma, quote.vega,
                                quote.theta, quote.spot])  # fmt: skip

    def resend(self) -> None:
        """Tell everything again at the next flush."""
        self._told, self._due_ns = None, 0

    def stop(self) -> None:
        """Nothing is held."""
