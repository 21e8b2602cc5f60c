"""Take numbers of the wire, or count why not: what has no value, is below zero or lies off the grid becomes no row."""

from __future__ import annotations

from dataclasses import dataclass

from mia_kernel.core.events import PRIMARY, SECOND, VIX
from mia_kernel.core.instrument import instrument

MOST = 10**8
"""No price (in ticks) and no size is as large; it fits a row's 32 bits."""
FUTURE_S = 60.0
"""A print dated later than this (s, at speed 1) is none."""

_TICK = {
    PRIMARY: float(instrument("ES").tick_size),
    SECOND: float(instrument("NQ").tick_size),
    VIX: float(instrument("VIX").tick_size),
}


def is_price(ticks: float) -> bool:
    """Return whether a number of ticks, whole or not, can be a price; NaN cannot."""
    return 0 < ticks < MOST


def on_grid(ticks: float) -> int | None:
    """Return a possible number of ticks as a whole one, None off the grid."""
    nearest = round(ticks)
    return nearest if abs(ticks - nearest) <= 1e-6 else None


@dataclass
class Counts:
    """What a feed has seen and could not use, by cause."""

    prints: int = 0
    books: int = 0
    crossed: int = 0
    off_grid: int = 0
    impossible: int = 0
    unknown_level: int = 0
    depth_left: int = 0
    resets: int = 0
    resubscribed: int = 0
    printed_volume: int = 0
    bar_volume: int = 0

    def ticks(self, price: float, place: int) -> int | None:
        """Return a price in ticks of its instrument; None, counted, if it is none or off the grid."""
        exact = price / _TICK[place]
        if not is_price(exact):
            self.impossible += 1
            return None
        whole = on_grid(exact)
        self.off_grid += whole is None
        return whole

    def size(self, size: float) -> int | None:
        """Return a number of contracts; None, counted, if it cannot be one."""
        if not 0 <= size < MOST:
            self.impossible += 1
            return None
        return round(size)

    def instant(self, ts_ns: int, now_ns: int, speed: float) -> int | None:
        """Return a time of the venue (ns UTC); None, counted, if it lies in the future: it would hold up the clock.

        A real difference of the clocks is measured by the session and disarms long before this.
        """
        if not 0 <= ts_ns <= now_ns + FUTURE_S * 10**9 * max(speed, 1.0):
            self.impossible += 1
            return None
        return ts_ns
