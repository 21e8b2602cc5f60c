"""Tape: the trades of a recording with their sides, by the rules the state itself uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.events import BOOK, PRIMARY, QUOTE, TRADE, EventArray
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state import book, flow
from mia_kernel.state.book import BOOK_DTYPE, BookParams
from mia_kernel.state.flow import FLOW_DTYPE, FlowParams


class Sides:
    """Tell the side of every trade of a stream that comes in slices: slices change nothing."""

    def __init__(self) -> None:
        self._ladder: Any = np.zeros(1, BOOK_DTYPE)
        self._flows: Any = np.zeros(1, FLOW_DTYPE)
        book.init(self._ladder, BookParams())
        flow.init(self._flows, FlowParams())

    def of(self, events: EventArray) -> Any:
        """Return the side of every row (+1, −1, 0 unknown or no trade of the traded instrument)."""
        out = np.zeros(len(events), np.int8)
        _walk(events, self._ladder, self._flows, out)
        return out


def sides(events: EventArray) -> Any:
    """Return the side of every row of a whole recording, as `Sides.of`."""
    return Sides().of(events)


@kernel
def _walk(events: Any, ladder: Any, flows: Any, out: Any) -> None:
    k, f = ladder[0], flows[0]
    for i in range(len(events)):
        e = events[i]
        if e["instrument"] != PRIMARY:
            continue
        if e["kind"] == BOOK or e["kind"] == QUOTE:
            book.on_book(k, e, e["ts_event"])
        elif e["kind"] == TRADE and e["sz"] > 0:
            out[i] = flow.side_of(f, k, e)[0]
            _remember(f, e["px"])


@kernel
def _remember(f: Record, px: int) -> None:
    if f["trades"] > 0 and px != f["last"]:
        f["direction"] = 1 if px > f["last"] else -1
    f["last"] = px
    f["trades"] += 1
