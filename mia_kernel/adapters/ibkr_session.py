"""One lasting session with TWS, Gateway or the simulated one, in a thread of its own.

How it moves: the library is used as a codec only (its `Client`); what the gateway says goes, unbelieved and
unchanged, to listeners: `on_<message>(...)`. Every second the time is asked; two seconds of silence are a half-open
link, five without an answer one that does not hear us. A lost socket is reconnected with the same client id and a
capped, scattered wait; an id in use is retried first, then a lower one is taken. 1100, 1101, 1102 and farm messages
become `on_link` and `on_resubscribe`; a broken farm is never a reason to reconnect.

The only file that imports the client library: `ib_insync`, else `ib_async`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

try:
    import ib_insync as ib
except ImportError:  # the maintained successor; the two cannot share an environment
    import ib_async as ib  # pyright: ignore[reportMissingImports]

from mia_kernel.adapters.ibkr_ear import Ear, Listeners
from mia_kernel.adapters.ibkr_farms import Farms
from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.session_clock import SessionClock
from mia_kernel.core.errors import OutsideError

LIBRARY = f"{ib.__name__} {ib.__version__}"

PROBE_S, SILENCE_S, DEAF_S = 1.0, 2.0, 5.0
CONNECT_S = 4.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
IN_USE_WAIT_S = 0.5
SAME_ID_S = 20.0
"""After a lost session an id may be refused as in use for a while: so long the same one is tried again."""
CLOCK_SAMPLES, CLOCK_EVERY_S = 100, 0.03
"""At most so many questions, below the 50 messages a second that are allowed; fewer where they suffice."""
LINK_LOST, DATA_LOST, DATA_KEPT = 1100, 1101, 1102
ID_IN_USE = 326

for _name in ("client", "wrapper", "ib"):  # what matters is told by listeners
    logging.getLogger(f"{ib.__name__}.{_name}").setLevel(logging.CRITICAL)


class IbkrSession(threading.Thread):
    """A session.

    Parameters
    ----------
    address : Address
    client_ids : sequence of int
        The wanted id first, then those taken instead where it is in use.
    clock : SessionClock, optional
        Default: shifted for a simulated gateway, the wall clock for IBKR.

    Notes
    -----
    Listeners are called in the session's thread. They may have `on_up(session)` (a fresh connection: subscribe,
    ask), `on_probe()` (once a second), `on_down(reason)`, `on_link(up, reason, data_lost)`,
    `on_resubscribe(reason)`, `on_skew(seconds)` and `on_<name>` for every message of the wire.
    """

    def __init__(
        self, address: Address, client_ids: Sequence[int], *, clock: SessionClock | None = None
    ) -> None:
        super().__init__(name=f"mia-{address.kind}-{client_ids[0]}", daemon=True)
        self.address = address
        self.client_ids = tuple(client_ids)
        self.client_id = self.client_ids[0]
        self.clock = clock or SessionClock(shifted=address.kind == "gateway")
        self.client: Any = None
        self.accounts: tuple[str, ...] = ()
        self.reconnects = 0
        self.reason = "not connected yet"
        self.skew_s = 0.0
        self.failure: Exception | None = None
        self._listeners = Listeners()
        self._tell = self._listeners.tell
        self._loop = asyncio.new_event_loop()
        self._socket_up = self._link_up = False
        self._ready = threading.Event()
        self._closing = False
        self._highest_id = 0
        self._probe: float | None = None
        self._last_word = 0.0
        self.in_use = False
        self._farms = Farms()
        self._lost: asyncio.Event | None = None
        self._answered: asyncio.Event | None = None

    # -- for others --------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker itself is reached: socket up, no 1100 open, not half-open."""
        return self._socket_up and self._link_up

    @property
    def name_for_people(self) -> str:
        """Return how a person would call this session."""
        what = "simulated IB Gateway" if self.address.kind == "gateway" else "IBKR"
        return f"{what} {self.address.host}:{self.address.port}"

    def add(self, listener: Any) -> None:
        """Add a listener; before `start`."""
        self._listeners.add(listener)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait for the first connection.

        Raises
        ------
        OutsideError
            If there is none in time; says the last reason.
        """
        if not self._ready.wait(timeout_s):
            raise OutsideError(
                f"{self.name_for_people}: no session within {timeout_s:g} s ({self.reason}); way out: start "
                "TWS or Gateway with the API on, or `mia gateway`; `mia doctor` tells whether one listens"
            )

    def call(self, work: Callable[[], None]) -> None:
        """Let the session's thread do something soon."""
        with suppress(RuntimeError):  # closed meanwhile
            self._loop.call_soon_threadsafe(work)

    def now(self, work: Callable[[], Any], timeout_s: float = 2.0) -> Any:
        """Let the session's thread do something and return its answer.

        Raises
        ------
        OutsideError
            If it did not come to it in time; whether it will is unknown.
        """

        async def done() -> Any:
            return work()

        future = asyncio.run_coroutine_threadsafe(done(), self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise OutsideError(
                f"{self.name_for_people}: the session is busy; the outcome is unknown"
            ) from None

    def next_id(self) -> int:
        """Return the next order or request id: above every one used here or told by the gateway."""
        self._highest_id = max(self._highest_id + 1, int(self.client.getReqId()))
        self.client.updateReqId(self._highest_id + 1)
        return self._highest_id

    def raise_id(self, seen: int) -> None:
        """Take note of an order id in use: later ones will be above it."""
        self._highest_id = max(self._highest_id, seen)

    def close(self) -> None:
        """End the session; orders stay where they are."""
        self._closing = True

        def end() -> None:
            if self._lost is not None:
                self._lost.set()

        self.call(end)
        if self.is_alive():
            self.join(timeout=5.0)

    # -- the thread --------------------------------------------------------------------------------

    def run(self) -> None:
        """Keep the session until closed."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._disconnect()
            self._loop.run_until_complete(asyncio.sleep(0.05))
            self._loop.close()

    async def _live(self) -> None:
        wait, refused_since = FIRST_WAIT_S, None
        while not self._closing:
            try:
                await self._connect()
            except (OSError, TimeoutError, OutsideError) as error:
                self._disconnect()
                self.reason = str(error) or type(error).__name__
                if self.in_use:
                    self.reason = f"client id {self.client_id} is in use"
                    refused_since = self._choose_id(refused_since)
                    wait = IN_USE_WAIT_S
                await self._pause(wait * random.uniform(0.8, 1.2))
                wait = min(2 * wait, LONGEST_WAIT_S)
                continue
            wait, refused_since = FIRST_WAIT_S, None
            await self._watch()
            self._down()

    def _choose_id(self, refused_since: float | None) -> float:
        now = time.monotonic()
        since = now if refused_since is None else refused_since
        if not self._ready.is_set() or now - since > SAME_ID_S:
            at = self.client_ids.index(self.client_id) + 1
            self.client_id = self.client_ids[at % len(self.client_ids)]
            return now
        return since

    async def _connect(self) -> None:
        self.in_use = False
        self._lost, self._answered = asyncio.Event(), asyncio.Event()
        ear: Any = Ear(self._hear)
        self.client = ib.Client(ear)
        self.client.apiEnd += self._lost.set
        await self._shake_hands()
        self.accounts = tuple(self.client.getAccounts())
        self._last_word = time.monotonic()
        await self._measure_clock()
        self.reconnects += self._ready.is_set()
        self._socket_up = self._link_up = True
        self._farms.clear()
        self.reason = "connected"
        self._tell("on_up", self)
        self._tell("on_link", True, "connected", True)
        self._ready.set()

    async def _shake_hands(self) -> None:
        """Connect; a refusal ends the attempt at once (after 326 a gateway leaves the socket open and says no more)."""
        assert self._lost is not None
        place = (self.address.host, self.address.port, self.client_id, CONNECT_S)
        hands = asyncio.ensure_future(self.client.connectAsync(*place))
        refused = asyncio.ensure_future(self._lost.wait())
        await asyncio.wait((hands, refused), return_when=asyncio.FIRST_COMPLETED)
        refused.cancel()
        if not hands.done():
            hands.cancel()
            with suppress(asyncio.CancelledError):
                await hands
            raise OutsideError("refused while connecting")
        await hands

    async def _measure_clock(self) -> None:
        if self.clock.settled:
            return
        for _ in range(CLOCK_SAMPLES):
            await self._ask_time()
            if self.clock.narrow:
                break
            await asyncio.sleep(CLOCK_EVERY_S)
        self.clock.settle()

    async def _ask_time(self) -> None:
        assert self._answered is not None
        self._answered.clear()
        self._probe = time.monotonic()
        self.client.reqCurrentTime()
        await asyncio.wait_for(self._answered.wait(), CONNECT_S)

    async def _watch(self) -> None:
        """Return when the session is lost: socket closed, no word for `SILENCE_S` or no answer for `DEAF_S`."""
        assert self._lost is not None
        while not self._lost.is_set():
            now = time.monotonic()
            if self._probe is None:
                self._probe = now
                with suppress(ConnectionError):
                    self.client.reqCurrentTime()
                    self._tell("on_probe")
            elif now - max(self._probe, self._last_word) > SILENCE_S:
                self.reason = f"half-open: no word for {now - self._last_word:.1f} s"
                return
            elif now - self._probe > DEAF_S:  # it talks and does not hear us: no cancel would arrive
                self.reason = f"deaf: no answer for {now - self._probe:.1f} s"
                return
            if self._farms.due(now):
                self._tell("on_resubscribe", "farm")
            with suppress(asyncio.TimeoutError, TimeoutError):
                await asyncio.wait_for(self._lost.wait(), PROBE_S / 2)
            if self._probe is None:
                with suppress(asyncio.TimeoutError, TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), PROBE_S / 2)
        if self.failure is None:
            self.reason = "closed by the gateway"

    async def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._closing and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))

    def _down(self) -> None:
        self._socket_up = self._link_up = False
        self._disconnect()
        self._tell("on_down", self.reason)
        self._tell("on_link", False, self.reason, False)

    def _disconnect(self) -> None:
        self._probe = None
        if self.client is not None:
            with suppress(OSError):
                self.client.disconnect()

    # -- what the wire says ------------------------------------------------------------------------

    def _hear(self, name: str, args: tuple[Any, ...]) -> None:
        """Pass a message on. The library swallows what is raised here: it is kept, and ends the session."""
        try:
            self._take(name, args)
        except Exception as error:
            self.failure, self.reason, self._closing = error, f"{type(error).__name__}: {error}", True
            if self._lost is not None:
                self._lost.set()
            raise

    def _take(self, name: str, args: tuple[Any, ...]) -> None:
        self._last_word = time.monotonic()
        if name == "currentTime":
            self._on_time(int(args[0]))
        elif name == "nextValidId":
            self.raise_id(int(args[0]) - 1)
        elif name == "error":
            self._on_error(int(args[0]), int(args[1]), str(args[2]))
        self._tell(f"on_{name}", *args)

    def _on_time(self, seconds: int) -> None:
        asked, heard = self._probe, time.monotonic()
        self._probe = None
        if asked is None:
            return
        if not self.clock.settled:
            self.clock.sample(asked, heard, seconds)
        else:
            self.skew_s = self.clock.skew_s(asked, heard, seconds)
            if self.skew_s:
                self._tell("on_skew", self.skew_s)
        if self._answered is not None:
            self._answered.set()

    def _on_error(self, request: int, code: int, text: str) -> None:
        if code == ID_IN_USE:
            self.in_use = True
            if self._lost is not None:
                self._lost.set()
        elif code == LINK_LOST and self._link_up:
            self._link_up, self.reason = False, f"1100 {text}"
            self._tell("on_link", False, self.reason, False)
        elif code in (DATA_LOST, DATA_KEPT):
            self._link_up, self.reason = True, f"{code} {text}"
            self._tell("on_link", True, self.reason, code == DATA_LOST)
            self._tell("on_resubscribe", "data_lost" if code == DATA_LOST else "data_kept")
        elif self._farms.hear(code, text, time.monotonic()):
            self._tell("on_resubscribe", "farm")


def contract_of(kind: str, **fields: Any) -> Any:
    """Return a contract of the library: `FUT`, `IND`, `OPT`, with its fields by their wire names."""
    return ib.Contract(secType=kind, **fields)


def order_of(**fields: Any) -> Any:
    """Return an order of the library with these fields."""
    return ib.Order(**fields)


def execution_filter() -> Any:
    """Return the filter that asks for everything of today."""
    return ib.ExecutionFilter()
