"""Distance to news: how far the nearest high-impact event of the user's calendar is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.events import IMPACTS

NS = 1_000_000_000
DAY_MIN = 1440.0


def minutes_to_news(calendar: NDArray[Any], session: Any, ts: int) -> float:
    """Return the minutes to the nearest high-impact event, at most a day; NaN where the calendar ends before.

    Parameters
    ----------
    calendar : ndarray of CALENDAR_DTYPE, by time
    session : SESSION_DTYPE record
        That of `ts`; its whole span must lie inside the calendar.
    """
    if (
        not len(calendar)
        or calendar["ts"][0] > session["close_ns"]
        or session["open_ns"] > calendar["ts"][-1]
    ):
        return float("nan")
    high = calendar["ts"][calendar["impact"] == len(IMPACTS) - 1]
    return min(DAY_MIN, float(np.min(np.abs(high - ts))) / (60 * NS)) if len(high) else DAY_MIN
