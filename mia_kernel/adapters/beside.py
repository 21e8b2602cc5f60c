"""Sources beside each other: NQ and VIX laid beside the traded instrument in one order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core import events as ev
from mia_kernel.core.errors import InputError
from mia_kernel.core.events import EventArray, Recording, SourceInfo


def merge_sources(primary: Recording, extras: Iterable[Recording]) -> Recording:
    """Return the traded instrument with further ones beside it, in one order of arrival.

    NQ (or MNQ) becomes instrument SECOND, VIX instrument VIX. Rows of an extra outside the primary's time
    are left out, but for the last one before it: that value is in force at the start (a VIX close).
    Rows are numbered anew; at equal arrival the primary comes first.

    Raises
    ------
    InputError
        If an extra is the traded product again, two extras are the same, or one has nothing for this time.
    """
    taken: dict[int, Recording] = {}
    for extra in extras:
        place = _place(primary.source, extra.source)
        if place in taken:
            raise InputError("two sources for one instrument", path=extra.source.name, field="symbol",
                             value=extra.source.symbol, rule="one source each of NQ and VIX")  # fmt: skip
        taken[place] = extra
    if not taken:
        return primary
    pieces = [primary.events, *(_beside(primary.events, extra, place) for place, extra in taken.items())]
    rank = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    rows = np.concatenate(pieces)
    order = np.lexsort((rows["seq"], rank, rows["ts_recv"]))
    rows = rows[order]
    rows, numbered = _renumber(rows, rank[order], primary.objects)
    others = (*primary.others, *(extra.source for extra in taken.values()))
    return Recording(rows, primary.source, numbered, others)


def _renumber(
    rows: EventArray, rank: NDArray[Any], objects: tuple[Any, ...]
) -> tuple[EventArray, tuple[Any, ...]]:
    """Number rows and objects in one sequence, an object keeping its place among the primary's rows."""
    before: list[int] = []
    for event in objects:
        own = (rank == 0) & (rows["ts_recv"] == event.ts_recv) & (rows["seq"] < event.seq)
        at = int(np.searchsorted(rows["ts_recv"], event.ts_recv, side="left"))
        before.append(int(np.flatnonzero(own)[-1]) + 1 if own.any() else at)
    shift = np.zeros(len(rows) + 1, np.int64)
    np.add.at(shift, np.array(before, np.int64), 1)
    rows["seq"] = np.arange(len(rows)) + np.cumsum(shift)[: len(rows)]
    return rows, tuple(replace(event, seq=before[k] + k) for k, event in enumerate(objects))


def _place(primary: SourceInfo, extra: SourceInfo) -> int:
    if extra.symbol == "VIX":
        return ev.VIX
    same = extra.symbol.removeprefix("M") == primary.symbol.removeprefix("M")
    if same or extra.symbol.removeprefix("M") != "NQ":
        raise InputError("this source cannot stand beside the traded one", path=extra.name, field="symbol",
                         value=extra.symbol, rule=f"NQ or VIX beside {primary.symbol}",
                         way_out="leave it out")  # fmt: skip
    return ev.SECOND


def _beside(primary: EventArray, extra: Recording, place: int) -> EventArray:
    rows = extra.events
    first, last = int(primary["ts_recv"][0]), int(primary["ts_recv"][-1])
    start = int(np.searchsorted(rows["ts_recv"], first, side="left"))
    stop = int(np.searchsorted(rows["ts_recv"], last, side="right"))
    start = max(start - 1, 0)
    if stop <= start:
        raise InputError("the source has nothing for the time of the traded one", path=extra.source.name,
                         rule=f"rows between {_iso(first)} and {_iso(last)}", way_out="leave it out")  # fmt: skip
    out = rows[start:stop].copy()
    out["instrument"] = place
    return out


def _iso(ts: int) -> str:
    return f"{np.datetime64(ts, 'ns').astype('datetime64[s]')}Z"
