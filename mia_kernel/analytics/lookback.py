"""Look back over a finished run while its rows are still at hand, and keep what no journal row could tell later.

How it moves: when a run closes, refused signals are followed along the recorded prices, fills are taken apart
against the mids around them, and closed trades become lessons. The answers go into the journal under kinds of
their own, so pages made years later read them like any other row. A run of bars looks back on bars and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.autopsy import autopsy
from mia_kernel.analytics.control import PATH_DTYPE, mark_sessions, path_of
from mia_kernel.analytics.ghosts import follow
from mia_kernel.analytics.lessons import lessons
from mia_kernel.analytics.lookback_record import LookBack
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.events import OptionView, Recording
from mia_kernel.core.orders import OrderReport, RoundTrip
from mia_kernel.state.costs import CostParams


class Finished(Protocol):
    """What a run holds when its rows have been taken."""

    recording: Recording
    seen: int
    table: DecisionTable
    round_trips: list[RoundTrip]
    reports: list[OrderReport]
    settings: Any


def look_back(run: Finished) -> LookBack:
    """Return what the rows a run has taken tell about its refusals, fills and trades.

    The warm-up in front of them is left in: times select what counts.
    """
    costs, table = run.settings.costs, run.table
    events = run.recording.events[: run.seen]
    path = path_of(events, costs)
    fills = autopsy(events, run.reports, costs)
    signals = [decision for _, decision in table.signals]
    ghosts = follow(path, signals, table.gate_codes, table.gate_levels.tolist(), costs)
    views = [event for event in run.recording.objects if isinstance(event, OptionView)]
    made = lessons(run.round_trips, table, path=path, fills=fills, views=views)
    return LookBack(tuple(ghosts), tuple(fills), tuple(made))


def from_bars(bars: Any, table: DecisionTable, trips: Sequence[RoundTrip], costs: CostParams) -> LookBack:
    """Return what stored bars tell, for a journal whose run did not look back: fills cannot be taken apart.

    Parameters
    ----------
    bars : structured array or None
        Closed bars of the run, prices in ticks.
    """
    path = path_of_bars(bars, costs) if bars is not None and len(bars) else None
    signals = [decision for _, decision in table.signals]
    followed = path if path is not None else np.zeros(0, PATH_DTYPE)
    ghosts = follow(followed, signals, table.gate_codes, table.gate_levels.tolist(), costs)
    return LookBack(tuple(ghosts), (), tuple(lessons(trips, table, path=path)))


def path_of_bars(bars: Any, costs: CostParams) -> NDArray[Any]:
    """Return what the price did from closed bars of a journal, one row per bar just after its start.

    A bar is entered at its open: a signal at its start takes it, a signal inside it waits for the next one.
    """
    path = np.zeros(len(bars), PATH_DTYPE)
    path["ts"] = bars["start"] + 1
    for name in ("open", "high", "low", "close"):
        path[name] = bars[name]
    mark_sessions(path, costs)
    return path
