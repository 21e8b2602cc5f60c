"""Daily bars of dates alone (Sierra's `.dly`, FirstRate's days): a date is a session, known when that one has closed.

Midnight of the date is no instant of the market: taken for one, Monday's bar would lie in Tuesday's session. So a bar
gets the calendar's close of its date, which needs no zone; its start is told 23 hours before, the length of a session.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.rawbars import bar_seconds
from mia_kernel.adapters.stamps import DAY_NS, NS
from mia_kernel.core.session import session_row

SESSION_S = 23 * 3_600
"""From 18:00 to 17:00 New York."""


def are_dates(local: NDArray[np.int64], path: str) -> bool:
    """Return whether naive stamps (ns) are dates one day apart."""
    if len(local) < 2 or bool((local % DAY_NS).any()) or len(np.unique(local)) < 2:
        return False
    return bar_seconds(local, path) * NS == DAY_NS


def session_starts(local: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the start of each date's bar (ns UTC, its close less 23 hours), and which dates have no session.

    Raises
    ------
    DataError
        If a date lies outside the calendar.
    """
    out, closed = np.empty(len(local), np.int64), np.zeros(len(local), np.bool_)
    for i, stamp in enumerate(local.tolist()):
        date = np.datetime64(stamp, "ns").astype("datetime64[D]").item()
        row = session_row(date.year * 10_000 + date.month * 100 + date.day)
        closed[i] = row is None
        out[i] = stamp if row is None else int(row["close_ns"]) - SESSION_S * NS
    return out, closed
