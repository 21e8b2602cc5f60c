"""Cut a recording into its regular sessions: open, highs, lows and closes of each, in points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.walls import SessionBars
from mia_kernel.core.events import BAR, BAR_HIGH, BAR_LOW, BAR_OPEN, PRIMARY, TRADE, EventArray, Recording
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.session import MINUTE_NS, sessions_between


def regular_sessions(recording: Recording) -> list[SessionBars]:
    """Return the regular sessions of the traded instrument, by day; a session without rows is left out.

    Bars of the source are taken as they are, trades are gathered into minutes.
    """
    rows = recording.events[recording.events["instrument"] == PRIMARY]
    bars = rows[rows["kind"] == BAR]
    trades = rows[rows["kind"] == TRADE]
    rows = bars if len(bars) else trades
    if len(rows) == 0:
        return []
    out: list[SessionBars] = []
    ts = rows["ts_event"]
    for session in sessions_between(int(ts[0]), int(ts[-1]) + 1):
        # A bar carries the time of its end: the one that ends at the open belongs to the night.
        first = int(np.searchsorted(ts, int(session["rth_open_ns"]), side="right" if len(bars) else "left"))
        last = int(np.searchsorted(ts, int(session["rth_close_ns"]), side="right" if len(bars) else "left"))
        if last > first:
            cut = _of_bars if len(bars) else _of_trades
            out.append(cut(int(session["trading_day"]), rows[first:last]))
    return out


def _of_bars(day: int, rows: EventArray) -> SessionBars:
    return SessionBars(
        day, float(rows["b"][0, BAR_OPEN]) * TICK_POINTS, _points(rows["b"][:, BAR_HIGH]),
        _points(rows["b"][:, BAR_LOW]), _points(rows["px"]),
    )  # fmt: skip


def _of_trades(day: int, rows: EventArray) -> SessionBars:
    start = np.flatnonzero(np.diff(rows["ts_event"] // MINUTE_NS, prepend=-1))
    price = rows["px"]
    last = np.r_[start[1:], len(price)] - 1
    return SessionBars(
        day, float(price[0]) * TICK_POINTS, _points(np.maximum.reduceat(price, start)),
        _points(np.minimum.reduceat(price, start)), _points(price[last]),
    )  # fmt: skip


def _points(ticks: NDArray[np.int32]) -> NDArray[np.float64]:
    return ticks.astype(np.float64) * TICK_POINTS
