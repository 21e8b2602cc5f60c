"""Run the gateway: one market, one account, many clients, one loop.

How it moves: every few milliseconds the feed advances to the clock, the venue matches row by row, and every
subscription sends what changed. What happens to an order goes to the client that placed it, to the master
client, and, where it asked, to client 0. Everything runs in one thread of asyncio.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from mia_kernel.core.contract import Contract, calendar_front, parse_contract
from mia_kernel.core.errors import DataError, OutsideError
from mia_kernel.core.events import Recording, SourceInfo
from mia_kernel.core.session import interruptions, trading_day_of
from mia_kernel.gamma.chain import Chain
from mia_kernel.gateway import messages, requests
from mia_kernel.gateway.account import Account
from mia_kernel.gateway.clock import SourceClock
from mia_kernel.gateway.contracts import Listing, Listings
from mia_kernel.gateway.faults import Faults
from mia_kernel.gateway.history import History
from mia_kernel.gateway.market import Feed, Market, places
from mia_kernel.gateway.messages import Message
from mia_kernel.gateway.options import option_market
from mia_kernel.gateway.orders import DONE, Execution, Order
from mia_kernel.gateway.pacing import HistoricalPacing
from mia_kernel.gateway.params import GatewayParams
from mia_kernel.gateway.rules import Refusal
from mia_kernel.gateway.session import Session
from mia_kernel.gateway.subscriptions import TickByTick
from mia_kernel.gateway.venue import Venue

if TYPE_CHECKING:
    from mia_kernel.gateway.requests import Values

STEP_S = 0.01
ROLLED_BACK_IDS = 5
_HOUSEKEEPING_S = 0.25
_ACCOUNT_EVERY_S = 180.0
_PNL_EVERY_S = 1.0


class Gateway:
    """The simulated gateway over one recording.

    Parameters
    ----------
    recording : Recording
        Its prices are the market.
    start_ns : int
        Event time at the start; earlier rows are history.
    params : GatewayParams
    chain : Chain, optional
        SPX options; a SYNTHETIC market brings its own SYNTHETIC chain.
    """

    def __init__(
        self, recording: Recording, start_ns: int, params: GatewayParams, chain: Chain | None = None
    ) -> None:
        self.params = params
        self.recording = recording
        self.feed = Feed(recording, start_ns)
        self.inferred = self.feed.infer_quotes() if params.infer_quotes else []
        self.history = History(self.feed)
        self.clock = SourceClock(start_ns, params.speed)
        self.day = trading_day_of(start_ns)
        markets = self.feed.markets
        self.front = markets.get(places(recording)[0] or "")
        self.options = option_market(recording, self.feed, chain, start_ns)
        indices = [symbol for symbol in ("VIX",) if symbol in markets] + (["SPX"] if self.options else [])
        self.listings = Listings(self.day, _traded(recording, self.day), indices)
        for listing in () if self.options is None else self.options.listings:
            self.listings.add(listing)
        self.account = Account(params.account, params.equity_usd * 100, params.products, self.mark)
        self.venue = Venue(params, self.account, markets, self.clock.now_ns, self)
        self.faults = Faults()
        self.historical_pacing = HistoricalPacing(params.pacing)
        self.sessions: list[Session] = []
        self.late: list[tuple[int, Message]] = []
        self.parked: list[tuple[Session, Values]] = []
        self.messages_in = 0
        self.port = 0
        self.started_s = time.monotonic()
        self._server: asyncio.Server | None = None
        self._shuffle = None if params.shuffle_seed is None else random.Random(params.shuffle_seed)
        self._next_housekeeping = 0.0
        self._next_account = self._next_pnl = 0.0

    # -- life --------------------------------------------------------------------------------------

    async def open(self, port: int | None = None) -> None:
        """Listen on loopback.

        Raises
        ------
        OutsideError
            If the port is taken.
        """
        loop = asyncio.get_running_loop()
        wanted = self.params.port if port is None else port
        try:
            self._server = await loop.create_server(lambda: Session(self), "127.0.0.1", wanted)
        except OSError as error:
            raise OutsideError(
                f"port {wanted} cannot be opened: {error.strerror}; choose another with --port"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Take no further connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def run(self) -> None:
        """Step until cancelled."""
        while True:
            behind = self.step()
            await asyncio.sleep(0 if behind else STEP_S)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self.stop_listening()
        for session in tuple(self.sessions):
            session.close(hard=True)
        await asyncio.sleep(0)

    def step(self) -> bool:
        """Bring market, orders and clients to the clock; return whether more is due already."""
        now = self.clock.now_ns()
        behind = self.feed.advance(now, silent=self.faults.halted)
        if self.options is not None and self.front is not None:
            self.options.follow(self.front.mark(), now)
        if self.faults.data_flows:
            for session in self.sessions:
                if session.ready:
                    for subscription in tuple(session.subscriptions.values()):
                        subscription.flush(now)
        steady = time.monotonic()
        if steady >= self._next_housekeeping:
            self._next_housekeeping = steady + _HOUSEKEEPING_S / max(1.0, self.params.speed)
            self._housekeep(now, steady)
        return behind

    def _housekeep(self, now: int, steady: float) -> None:
        stopped = any(stop.start_ns <= now < stop.end_ns for stop in interruptions())
        self.venue.halted = self.faults.halted or stopped
        for market in self.feed.markets.values():
            market.halted = 1 if self.venue.halted else 0
        day = trading_day_of(now)
        if day != self.day:
            self.day = day
            self.account.new_day(now)
        self.venue.tick()
        if steady >= self._next_account:
            self._next_account = steady + _ACCOUNT_EVERY_S
            self.tell_account()
        if steady >= self._next_pnl:
            self._next_pnl = steady + _PNL_EVERY_S
            self.tell_pnl()

    # -- clients -----------------------------------------------------------------------------------

    def joined(self, session: Session) -> None:
        """Take a connection; none is taken beyond the limit or while the gateway is away."""
        if self.faults.refuse_connections or len(self.sessions) >= self.params.pacing.clients:
            session.close(hard=True)
            return
        self.sessions.append(session)

    def left(self, session: Session) -> None:
        """Forget a connection."""
        for subscription in session.subscriptions.values():
            subscription.stop()
        session.subscriptions.clear()
        if session in self.sessions:
            self.sessions.remove(session)

    def refuses(self, client_id: int) -> str | None:
        """Return the words of error 326 where the id is taken."""
        taken = any(other.ready and other.client_id == client_id for other in self.sessions)
        if taken or self.faults.is_stale(client_id, time.monotonic()):
            return "Unable to connect as the client id is already in use. Retry with a unique client id."
        return None

    def started(self, session: Session) -> None:
        """Note that a client is ready."""
        if session.client_id is not None:
            self.venue.highest_id.setdefault(session.client_id, 0)

    def next_id(self, client_id: int) -> int:
        """Return the next order id of a client."""
        return self.venue.highest_id.get(client_id, 0) + 1

    def client(self, client_id: int) -> Session | None:
        """Return the connection of a client id."""
        return next((s for s in self.sessions if s.ready and s.client_id == client_id), None)

    def handle(self, session: Session, values: list[str]) -> None:
        """Answer one message; while the link is down, what needs it waits unanswered."""
        if not session.is_connected:
            return
        self.messages_in += 1
        if self.faults.link_down and requests.needs_link(values):
            self.parked.append((session, values))
            return
        requests.answer(self, session, values)

    # -- what happened -----------------------------------------------------------------------------

    def watchers(self, client_id: int, *, by_hand: bool = False) -> list[Session]:
        """Return who is told of an order unasked: its client and the master.

        An order by hand belongs to client 0, which hears of it only where it binds such orders.
        """
        master = self.params.master_client_id
        return [
            s for s in self.sessions
            if s.ready and (s.client_id == master or (s.client_id == client_id and (s.auto_bind or not by_hand)))
        ]  # fmt: skip

    def tell(self, client_id: int, *told: Message, by_hand: bool = False) -> None:
        """Send messages of one happening; while the link is down they wait."""
        if self.faults.link_down:
            self.late += [(client_id, message) for message in told]
            return
        for session in self.watchers(client_id, by_hand=by_hand):
            for message in told:
                session.send(message)

    def order_told(self, order: Order, *, with_order: bool) -> None:
        """Send an order's status, with the order itself where that is news."""
        order.told = (order.status(), order.filled, order.remaining)
        version = self._version_of(order.client_id)
        whole = [messages.open_order(order, self.account.name, version)] if with_order else []
        self.tell(order.client_id, *whole, messages.order_status(order), by_hand=order.order_id < 0)

    def executed(self, order: Order, execution: Execution) -> None:
        """Send fill, order, status and commission, in that order unless they shall be shuffled."""
        order.told = (order.status(), order.filled, order.remaining)
        told = [messages.execution(-1, execution, self.account.name, self.params.zone)]
        if order.state == DONE:
            told.append(messages.open_order(order, self.account.name, self._version_of(order.client_id)))
        told.append(messages.order_status(order))
        if self._shuffle is not None:
            self._shuffle.shuffle(told)
        self.tell(order.client_id, *told, messages.commission(execution), by_hand=order.order_id < 0)
        if not self.faults.link_down:
            self._tell_position(execution.listing)

    def refused(self, client_id: int, order_id: int, refusal: Refusal) -> None:
        """Send an error about an order id."""
        self.tell(
            client_id, messages.error(order_id, refusal.code, refusal.text, self._version_of(client_id))
        )

    def _version_of(self, client_id: int) -> int:
        session = self.client(client_id)
        return session.version if session is not None else 176

    def tell_positions(self) -> None:
        """Send every position to who subscribed."""
        for position in self.account.positions.values():
            self._tell_position(position.listing)

    def _tell_position(self, listing: Listing) -> None:
        position = self.account.positions[listing.con_id]
        for session in self.sessions:
            if session.wants_positions:
                session.send(self.account.position_row(position))
            if session.wants_account:
                session.send(self.account.portfolio(position))
                self._send_account(session)

    def tell_account(self) -> None:
        """Send account values and portfolio to who subscribed."""
        if self.faults.link_down:
            return
        for session in self.sessions:
            if session.wants_account:
                self._send_account(session)
                for position in self.account.positions.values():
                    session.send(self.account.portfolio(position))
            for request, tags in session.summaries.items():
                requests.send_summary(self, session, request, tags)

    def _send_account(self, session: Session) -> None:
        for tag, value, currency in self.account.values():
            session.send([6, 2, tag, value, currency, self.account.name])

    def tell_pnl(self) -> None:
        """Send profit and loss to who subscribed."""
        if not self.faults.link_down:
            for session in self.sessions:
                for request, con_id in session.pnl.items():
                    requests.send_pnl(self, session, request, con_id)

    def mark(self, listing: Listing) -> float | None:
        """Return the price a contract is valued at, None where unknown."""
        market = self.market_of(listing)
        return None if market is None else market.mark()

    def market_of(self, listing: Listing) -> Market | None:
        """Return the prices a contract trades on, None where the source has none."""
        if listing.market == "SPX" and self.options is not None:
            return self.options.index
        return self.feed.markets.get(listing.market or "")

    def mute_ticks(self, muted: bool) -> None:
        """Stop or resume tick-by-tick data."""
        for session in self.sessions:
            for subscription in session.subscriptions.values():
                if isinstance(subscription, TickByTick):
                    subscription.muted = muted

    def roll_back_ids(self) -> None:
        """Let every client's next id fall back, over living orders too: a client must keep its own count."""
        for client_id, highest in self.venue.highest_id.items():
            self.venue.highest_id[client_id] = max(0, highest - ROLLED_BACK_IDS)


def _traded(recording: Recording, day: int) -> dict[str, Contract]:
    """Return the contract of each market: what the source says, else the front month of its day."""
    found: dict[str, Contract] = {}
    infos: dict[str, SourceInfo] = {info.symbol: info for info in (recording.source, *recording.others)}
    for market in places(recording)[:2]:
        if market is None:
            continue
        info = infos.get(market) or infos.get("M" + market)
        code = None if info is None else info.contract
        try:
            month = parse_contract(code, near_year=day // 10_000) if code else calendar_front(market, day)
        except DataError:  # a continuous series names no single month
            month = calendar_front(market, day)
        found[market] = Contract(market, month.year, month.month)
    return found
