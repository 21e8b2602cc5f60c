"""Send bars while they happen: five-second bars, and historical requests that are kept up to date."""

from __future__ import annotations

from mia_kernel.gateway.clock import NS
from mia_kernel.gateway.history import DAY, History, HistoryBar, bar_stamp
from mia_kernel.gateway.market import Market
from mia_kernel.gateway.session import Session

FIVE_NS = 5 * NS


class FiveSeconds:
    """One finished bar every five seconds of event time; without trades it repeats the last price."""

    kind = "five_seconds"

    def __init__(self, session: Session, request: int, history: History, market: Market, what: str, rth: bool,
                 now_ns: int) -> None:  # fmt: skip
        self._session, self._request, self._history, self._market = session, request, history, market
        self._what, self._rth = what, rth
        self._next = now_ns - now_ns % FIVE_NS
        self._last: float | None = None

    def flush(self, now_ns: int) -> None:
        """Send the bars that ended."""
        ended = now_ns - now_ns % FIVE_NS
        if ended <= self._next:
            return
        bars = self._history.bars(self._market, self._what, 5, self._next, ended, rth=self._rth)
        found = {bar.start_ns: bar for bar in bars}
        for start in range(self._next, ended, FIVE_NS):
            bar = found.get(start) or self._quiet(start)
            if bar is not None:
                self._last = bar.close
                self._session.send([50, 3, self._request, start // NS, bar.open, bar.high, bar.low, bar.close,
                                    bar.volume, bar.average, bar.count])  # fmt: skip
        self._next = ended

    def _quiet(self, start: int) -> HistoryBar | None:
        if self._last is None or self._rth:
            return None
        p = self._last
        return HistoryBar(start, p, p, p, p, 0 if self._what == "TRADES" else -1, p, 0)

    def stop(self) -> None:
        """Nothing is held."""


class GrowingBars:
    """The newest bar of a historical request, every five seconds of event time."""

    kind = "growing_bars"

    def __init__(self, session: Session, request: int, history: History, market: Market, what: str, seconds: int,
                 format_date: int, rth: bool, now_ns: int) -> None:  # fmt: skip
        self._session, self._request, self._history, self._market = session, request, history, market
        self._what, self._seconds, self._format, self._rth = what, seconds, format_date, rth
        self._due = now_ns + FIVE_NS
        self._from = now_ns - now_ns % (min(seconds, DAY) * NS)
        self._told: HistoryBar | None = None

    def flush(self, now_ns: int) -> None:
        """Send what the newest bars became since the last time."""
        if now_ns < self._due:
            return
        self._due = now_ns + FIVE_NS
        for bar in self._history.bars(
            self._market, self._what, self._seconds, self._from, now_ns, rth=self._rth
        ):
            if bar == self._told:
                continue
            self._told = bar
            if self._seconds < DAY:
                self._from = bar.start_ns
            self._session.send([90, self._request, bar.count, bar_stamp(bar, self._seconds, self._format), bar.open,
                                bar.close, bar.high, bar.low, bar.average, bar.volume])  # fmt: skip

    def stop(self) -> None:
        """Nothing is held."""
