"""Option quotes of IBKR within a budget of lines: ask for a batch, wait, take what was said, ask for the next.

How it moves: a plan (`gamma.sampler`) names the contracts; each takes one market-data line for `DWELL_S` and then
gives it back. What the broker said of a contract becomes one `Quoted`; what it did not say stays None. A contract
that does not exist (not every strike of every expiry does) is remembered and not asked for again. The lines of
the futures are not touched: the budget is what the plan was made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mia_kernel.adapters.ibkr_session import IbkrSession, contract_of
from mia_kernel.adapters.ibkr_wire import NS, UNSET
from mia_kernel.gamma.chain import CALL
from mia_kernel.gamma.sampler import Quoted, Wanted

DWELL_S = 6.0
"""A line is held this long: open interest and the model's greeks come with the first ticks, not at once."""

GENERIC = "100,101,106"
MODEL = 13
LAST = 4
UNKNOWN_CONTRACT = 200
_PRICES = {1: "bid", 2: "ask"}
_SIZES = {27: "oi", 28: "oi", 29: "volume", 30: "volume"}


@dataclass
class _Asked:
    """One line under way and what was said on it."""

    wanted: Wanted
    since_ns: int
    told: dict[str, float] = field(default_factory=dict)
    last_ns: int = 0


class IbkrOptions:
    """Listens to a session for option quotes.

    Parameters
    ----------
    session : IbkrSession
        Not yet started.
    exchange : str
        Where the options are asked for.
    """

    def __init__(self, session: IbkrSession, exchange: str = "CBOE") -> None:
        self.session = session
        self.exchange = exchange
        self.absent: set[Wanted] = set()
        self.refused: dict[int, int] = {}
        self._asked: dict[int, _Asked] = {}
        session.add(self)

    @property
    def busy(self) -> bool:
        """Whether a batch is under way."""
        return bool(self._asked)

    def ask(self, batch: Sequence[Wanted]) -> None:
        """Take one line for each contract; in the session's thread. Those known to be absent are left out."""
        now = self.session.clock.now_ns()
        for wanted in batch:
            if wanted in self.absent:
                continue
            request = self.session.next_id()
            self._asked[request] = _Asked(wanted, now)
            self.session.client.reqMktData(request, option(wanted, self.exchange), GENERIC, False, False, [])

    def due(self) -> bool:
        """Return whether every line of the batch was held long enough."""
        now, span = self.session.clock.now_ns(), DWELL_S * NS * self.session.clock.speed
        return all(now - asked.since_ns >= span for asked in self._asked.values())

    def collect(self) -> list[Quoted]:
        """Give the lines back and return what was said; a contract of which nothing was said is left out."""
        now, quotes = self.session.clock.now_ns(), []
        for request, asked in self._asked.items():
            self.session.client.cancelMktData(request)
            if asked.told:
                age = (now - asked.last_ns) / NS
                values = {
                    name: asked.told.get(name)
                    for name in ("bid", "ask", "iv", "delta", "gamma", "oi", "volume")
                }
                quotes.append(Quoted(contract=asked.wanted, age_s=max(age, 0.0), **values))
        self._asked.clear()
        return quotes

    # -- what the wire says ------------------------------------------------------------------------

    def on_up(self, session: IbkrSession) -> None:
        """A fresh connection knows none of the lines."""
        self._asked.clear()

    def on_priceSizeTick(self, request: int, kind: int, price: float, size: float) -> None:
        """Take bid or ask; −1 says that there is none."""
        asked = self._asked.get(request)
        if asked is not None and kind in _PRICES and 0 <= price < UNSET:
            self._tell(asked, _PRICES[kind], price)

    def on_tickSize(self, request: int, kind: int, size: float) -> None:
        """Take open interest and volume of the contract's own side."""
        asked = self._asked.get(request)
        if asked is not None and kind in _SIZES and 0 <= size < UNSET:
            own = (27, 29) if asked.wanted.right == CALL else (28, 30)
            if kind in own:
                self._tell(asked, _SIZES[kind], size)

    def on_tickOptionComputation(self, request: int, kind: int, *values: Any) -> None:
        """Take the model's volatility and greeks. The values end with … vol, delta, price, dividend, gamma, …."""
        asked = self._asked.get(request)
        if asked is None or kind != MODEL:
            return
        volatility, delta, _, _, gamma = values[-8:-3]
        # −1 and −2 say that a figure was not computed; none of the three can be −2, and only delta −1.
        for name, value, low in (("iv", volatility, 0.0), ("delta", delta, -1.0), ("gamma", gamma, 0.0)):
            if value is not None and low <= value < UNSET:
                self._tell(asked, name, value)

    def on_error(self, request: int, code: int, text: str, *_: Any) -> None:
        """Remember what does not exist; count what is refused."""
        asked = self._asked.get(request)
        if asked is None:
            return
        if code == UNKNOWN_CONTRACT:
            self.absent.add(asked.wanted)
            del self._asked[request]
        else:
            self.refused[code] = self.refused.get(code, 0) + 1

    def _tell(self, asked: _Asked, name: str, value: float) -> None:
        asked.told[name] = float(value)
        asked.last_ns = self.session.clock.now_ns()


class IndexLine:
    """Watches the SPX index on one line: `price` is its last value in points, None before the first.

    Parameters
    ----------
    session : IbkrSession
        Not yet started.
    """

    def __init__(self, session: IbkrSession) -> None:
        self.price: float | None = None
        self._request = -1
        session.add(self)

    def on_up(self, session: IbkrSession) -> None:
        """Ask for the index on a fresh connection; what was known before may be old."""
        self.price = None
        self._request = session.next_id()
        index = contract_of("IND", symbol="SPX", exchange="CBOE", currency="USD")
        session.client.reqMktData(self._request, index, "", False, False, [])

    def on_priceSizeTick(self, request: int, kind: int, price: float, size: float) -> None:
        """Take the last value."""
        if request == self._request and kind == LAST and 0 < price < UNSET:
            self.price = float(price)


def option(wanted: Wanted, exchange: str) -> Any:
    """Return the broker's contract: SPX options have two classes, SPX (morning) and SPXW (afternoon)."""
    return contract_of(
        "OPT", symbol="SPX", exchange=exchange, currency="USD", tradingClass=wanted.root, multiplier="100",
        lastTradeDateOrContractMonth=str(wanted.expiry), strike=wanted.strike,
        right="C" if wanted.right == CALL else "P",
    )  # fmt: skip
