"""Ask a broker for options while the session runs, and let what the chain then says enter once a minute.

How it moves: a thread of its own asks for one batch of contracts after the other within the line budget, lays what
was said over the newest stored whole chain (`gamma.refresh`), and puts one view a minute into the inbox, which stamps
it like every other event; the record holds it, so a replay meets the same. The index is watched on one line; in cash
hours the basis is the median ratio of future and index of the last five minutes. Nothing of it can hold the loop: a
sweep that fails says so in the session's table, and options become stale by their age.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from mia_kernel.adapters.chain_history import FOLDER, ChainHistory
from mia_kernel.adapters.ibkr_options import IbkrOptions, IndexLine
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.contract import Contract
from mia_kernel.core.errors import MiaError
from mia_kernel.core.events import Recording
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.option_calendar import is_cash_day
from mia_kernel.core.session import cash_close_minute, new_york_ns
from mia_kernel.gamma.exposures import new_york_day
from mia_kernel.gamma.mapping import MAPPED_INDEX, Basis, live_basis
from mia_kernel.gamma.refresh import Refresh
from mia_kernel.gamma.sampler import is_stale_alarm
from mia_kernel.gamma.summary import GammaLevels, levels_of

NS = 1_000_000_000
VIEW_NS = 60 * NS
OLDEST_NS = 5 * 86_400 * NS
"""A whole chain older than this is not a base: its open interest is another week's."""

PAIRS, PAIR_NS = 300, NS
PAUSE_S = 0.2
_OPEN_MINUTE = 570


def has_chains(home: Path) -> bool:
    """Tell whether any SPX chain is stored: without one nothing says which contracts matter."""
    return bool(ChainHistory(home / "data" / FOLDER).snapshots(MAPPED_INDEX))


def base_of(home: Path, now: int, past: Recording | None = None) -> GammaLevels | None:
    """Return what the newest stored SPX chain of the five days before an instant says, None without one.

    A resumed session that had declared no options has none now either.
    """
    if past is not None and "options" not in (past.declared or ()):
        return None
    shelf = ChainHistory(home / "data" / FOLDER)
    known = [one for one in shelf.snapshots(MAPPED_INDEX) if now - OLDEST_NS <= one.as_of <= now]
    return levels_of(shelf.read(known[-1])) if known else None


class OptionSweep(threading.Thread):
    """Sweeps the options of one session.

    Parameters
    ----------
    session : IbkrSession
        Not yet started: options and index are listened for on it.
    inbox : Inbox
    lines : int
        Market-data lines of the account for everything; five are left to futures and indices.
    """

    def __init__(self, session: IbkrSession, inbox: Inbox, lines: int) -> None:
        super().__init__(name="mia-options", daemon=True)
        self.session = session
        self.inbox = inbox
        self.lines = lines
        self.options = IbkrOptions(session)
        self.index = IndexLine(session)
        self.views = self.quoted = 0
        self.share = 0.0
        self.failure: str | None = None
        self._shares: list[float] = []
        self._refresh: Refresh | None = None
        self._future: Callable[[], float] = lambda: float("nan")
        self._pairs: deque[tuple[float, float]] = deque(maxlen=PAIRS)
        self._paired = self._viewed = 0
        self._ending = threading.Event()

    def begin(self, base: GammaLevels, contract: Contract, future: Callable[[], float]) -> None:
        """Start over a whole chain; `future` gives the middle of the future's quote in ticks, NaN = none yet."""
        self._refresh = Refresh(base, contract)
        self._future = future
        self.start()

    def stop(self) -> None:
        """End; the lines go back with the session."""
        self._ending.set()
        if self.is_alive():
            self.join(5.0)

    def status(self) -> dict[str, float]:
        """Return what the sweep says about itself, for the `session` table."""
        return {
            "option_views": float(self.views),
            "option_quotes": float(self.quoted),
            "option_fresh_share": self.share,
            "option_stale_alarm": float(is_stale_alarm(self._shares)),
            "option_refused": float(sum(self.options.refused.values())),
            "option_sweep_failed": float(self.failure is not None),
        }

    def run(self) -> None:
        """Turn until stopped. The outermost loop of this thread: what fails is told, options then grow stale."""
        assert self._refresh is not None
        while not self._ending.wait(PAUSE_S):
            try:
                self._turn(self._refresh)
                self.failure = None
            except (MiaError, ValueError) as error:
                self.failure = str(error)
                time.sleep(PAUSE_S)

    def _turn(self, refresh: Refresh) -> None:
        session = self.session
        now, ticks = session.clock.now_ns(), self._future()
        if not session.connected or not ticks > 0:
            return
        future = ticks * TICK_POINTS
        basis = self._basis(now, future, refresh.contract)
        spot = self._spot(now, future, basis or refresh.basis)
        if not self.options.busy:
            batch = refresh.batch(now, spot, self.lines)
            session.now(lambda: self.options.ask([*batch.pinned, *batch.rotating]))
        elif session.now(self.options.due):
            quotes = session.now(self.options.collect)
            self.quoted += refresh.take(quotes, session.clock.now_ns())
        if now - self._viewed >= VIEW_NS and self.quoted:
            self._viewed = now
            self._say(refresh, now, spot, ticks, basis)

    def _say(self, refresh: Refresh, now: int, spot: float, ticks: float, basis: Basis | None) -> None:
        force, self.share = refresh.in_force(now, spot, basis)
        self._shares.append(1.0 - self.share)
        self.inbox.put_object(force.view(now, ticks))
        self.views += 1

    def _basis(self, now: int, future: float, contract: Contract) -> Basis | None:
        """Pair future and index once a second of cash hours; None until a minute of pairs is there."""
        spot = self.index.price
        if spot is None or not _is_cash_hours(now):
            self._pairs.clear()
            return None
        if now - self._paired >= PAIR_NS:
            self._paired = now
            self._pairs.append((future, spot))
        if len(self._pairs) < PAIRS // 5:
            return None
        futures, spots = zip(*self._pairs, strict=True)
        return live_basis(futures, spots, now, contract)

    def _spot(self, now: int, future: float, basis: Basis) -> float:
        """The index itself in cash hours, else what the future says it is."""
        if self.index.price is not None and _is_cash_hours(now):
            return self.index.price
        return future / basis.at(now)


def _is_cash_hours(now: int) -> bool:
    day = new_york_day(now)
    if not is_cash_day(day):
        return False
    return new_york_ns(day, _OPEN_MINUTE) <= now < new_york_ns(day, cash_close_minute(day) or _OPEN_MINUTE)


__all__ = ["OptionSweep", "base_of", "has_chains"]
