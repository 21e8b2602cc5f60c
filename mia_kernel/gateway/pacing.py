"""Count what a client asks and refuse what is too much. Wall seconds come in as arguments."""

from __future__ import annotations

from collections import deque

from mia_kernel.gateway.params import PacingParams

OK, WARN, CLOSE = "ok", "warn", "close"


class MessagePacing:
    """At most so many messages in any second over one connection."""

    def __init__(self, params: PacingParams) -> None:
        self._params = params
        self._times: deque[float] = deque()
        self._violations = 0

    def message(self, now_s: float) -> str:
        """Count a message; WARN is error 100, CLOSE ends the connection after repeated ones."""
        times = self._times
        while times and now_s - times[0] >= 1.0:
            times.popleft()
        times.append(now_s)
        if len(times) <= self._params.messages_per_s:
            return OK
        times.clear()
        self._violations += 1
        return WARN if self._violations <= self._params.violations else CLOSE

    def wait_s(self, now_s: float) -> float:
        """Return how long the gateway lets the next message wait with `+PACEAPI`; counts it as sent then."""
        times = self._times
        while times and now_s - times[0] >= 1.0:
            times.popleft()
        wait = 0.0 if len(times) < self._params.messages_per_s else times[0] + 1.0 - now_s
        times.append(now_s + wait)
        if len(times) > self._params.messages_per_s:
            times.popleft()
        return wait


class HistoricalPacing:
    """Rules for small bars: no identical request soon after, few of one contract at once, 60 in ten minutes."""

    def __init__(self, params: PacingParams) -> None:
        self._params = params
        self._all: deque[float] = deque()
        self._last: dict[tuple[object, ...], float] = {}
        self._burst: dict[tuple[object, ...], deque[float]] = {}

    def request(
        self, now_s: float, identity: tuple[object, ...], group: tuple[object, ...], weight: int
    ) -> bool:
        """Count a request; return whether it is within the rules.

        Parameters
        ----------
        identity : tuple
            The whole request; the same one again too soon is refused.
        group : tuple
            Contract, exchange and type of data.
        weight : int
            2 for BID_ASK, else 1.
        """
        p = self._params
        burst = self._burst.setdefault(group, deque())
        for times, span in ((self._all, 600.0), (burst, p.historical_burst_s)):
            while times and now_s - times[0] >= span:
                times.popleft()
        last = self._last.get(identity)
        if last is not None and now_s - last < p.historical_same_s:
            return False
        if len(burst) + weight > p.historical_burst or len(self._all) + weight > p.historical_per_10_min:
            return False
        self._last[identity] = now_s
        burst.extend([now_s] * weight)
        self._all.extend([now_s] * weight)
        return True


class RepeatPacing:
    """One request of a kind per instrument in a span (tick by tick)."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._last: dict[tuple[object, ...], float] = {}

    def request(self, now_s: float, identity: tuple[object, ...]) -> bool:
        """Count a request; return whether the span since the last one has passed."""
        last = self._last.get(identity)
        if last is not None and now_s - last < self._span_s:
            return False
        self._last[identity] = now_s
        return True
