"""Turn the tick records of a sound `.scid` file into rows in one pass over its bytes.

The kernel checks while it writes: times in order and within the calendar's range, prices on the grid, sizes above
zero, no change of price that counts as a jump. At the first record that is not so it gives up, and the whole file
takes the slow way, which says what is wrong and where (`scid`). What both give for a sound file is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings, QualityParams, clear_sides, judge_tally
from mia_kernel.adapters.silence import Silence, TradingTime
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.core.kernel import kernel

IntArray = NDArray[np.int64]

EPOCH_US = 25_569 * 86_400 * 1_000_000
"""Microseconds from 1899-12-30 to 1970-01-01."""
UNBUNDLED = -1e30
"""An Open below this marks the first or last part of an unbundled trade."""
LAST_US = EPOCH_US + 2**62 // 1_000
"""The microseconds of a time must fit into ns since 1970; a bent record must not wrap around."""

_BLOCK = 1 << 14
"""Records that are turned into rows and checked before the next ones: their stamps stay in the processor's cache."""
_GRID = 1e-3
_LARGEST = 2**31 - 1
_TRADE, _SIDE_FEED = ev.TRADE, ev.SIDE_FEED


def ns_of(time: NDArray[np.int64]) -> IntArray:
    """Return Sierra's microseconds since 1899-12-30 as ns UTC since 1970."""
    return (time - EPOCH_US) * 1_000


@kernel
def _fill(records: Any, per_point: float, jump: float, near_ns: int, out: Any, tally: Any) -> bool:
    """Write one row per record and count on in `tally`; False at the first defect."""
    parts, buys, sells, agree, decidable, newest, before, first, silent = tally
    for i in range(len(records)):
        r, row = records[i], out[i]
        us = r["time"]
        if us < EPOCH_US or us > LAST_US:
            return False
        opening = r["open"]
        if opening < UNBUNDLED:
            parts += 1
        elif opening != 0.0:
            return False
        exact = np.float64(r["close"]) * per_point
        if not 0.5 < exact < _LARGEST:
            return False
        px = np.int64(np.rint(exact))
        size = np.int64(r["volume"])
        if abs(exact - px) >= _GRID or size <= 0 or size > _LARGEST:
            return False
        ts = (us - EPOCH_US) * 1_000
        if before > 0:
            step = abs(px - before)
            if ts < newest or (step > jump * before and ts - newest <= near_ns):
                return False
            if ts - newest > near_ns:
                silent += 1
        newest, before = ts, px
        row["ts_event"] = ts
        row["ts_recv"] = ts
        row["seq"] = first + i
        row["px"] = px
        row["sz"] = size
        row["kind"] = _TRADE
        side = (1 if r["ask_volume"] > 0 else 0) - (1 if r["bid_volume"] > 0 else 0)
        if side != 0:
            buys, sells = buys + (side > 0), sells + (side < 0)
            row["side"] = side
            row["flags"] = _SIDE_FEED
        low, high = np.float64(r["low"]) * per_point, np.float64(r["high"]) * per_point
        if 0.5 < low < high < _LARGEST:
            bid, ask = np.int64(np.rint(low)), np.int64(np.rint(high))
            if ask > bid and abs(low - bid) < _GRID and abs(high - ask) < _GRID:
                row["bid"] = bid
                row["ask"] = ask
                rule = (1 if px >= ask else 0) - (1 if px <= bid else 0)
                if side != 0 and rule != 0:
                    decidable += 1
                    agree += 1 if rule == side else 0
    tally[:] = (parts, buys, sells, agree, decidable, newest, before, first + len(records), silent)
    return True


class CleanRows:
    """Rows of a file without a defect, slice by slice.

    Parameters
    ----------
    per_point : float
        Ticks of one unit of the file's prices.
    params : QualityParams
        Limits of the checks.
    """

    def __init__(self, per_point: float, params: QualityParams) -> None:
        self._per_point = float(per_point)
        self._params = params
        self._tally = np.zeros(9, np.int64)
        self._time = TradingTime(Silence(params.gap_seconds))
        self._silent = 0

    def add(self, records: NDArray[Any], *, check: bool = True) -> EventArray | None:
        """Return the TRADE rows of the next tick records, None at a defect. `check`: look at their times too."""
        rows = ev.empty(len(records))
        near = int(self._params.gap_seconds * NS)
        for at in range(0, len(records), _BLOCK):
            mine = rows[at : at + _BLOCK]
            block = records[at : at + _BLOCK]
            if not _fill(block, self._per_point, self._params.jump_share, near, mine, self._tally):
                return None
            if check:
                self._look(mine["ts_event"])
        return rows

    def _look(self, ts: IntArray) -> None:
        """Check the times of some rows: most have no silence among them and stand in one stretch of open hours."""
        told = int(self._tally[8])
        if told != self._silent or not self._time.add_unbroken(int(ts[0]), int(ts[-1])):
            self._time.add(np.ascontiguousarray(ts))
        self._silent = told

    def tell(self, findings: Findings) -> ev.Aggressor:
        """Give the findings what is to be said of all slices; return whether the sides are believed."""
        parts, buys, sells, agree, decidable = self._tally[:5].tolist()
        findings.note("unbundled", parts, f"{parts} records are first or last part of an unbundled trade")
        for term in ("off_grid", "zero_volume", "disorder"):
            findings.term(term, 0.0)
        self._time.tell(findings, "trades")
        return judge_tally(int(self._tally[7]), buys, sells, (agree, decidable), findings)


def clean_rows(
    records: NDArray[Any], per_point: float, findings: Findings
) -> tuple[EventArray, ev.Aggressor] | None:
    """Return the TRADE rows of a file without a defect and whether its sides are believed, None if it has one.

    Parameters
    ----------
    records : ndarray of shape (n,)
        Tick records of a `.scid`.
    per_point : float
        Ticks of one unit of the file's prices.
    """
    clean = CleanRows(per_point, findings.params)
    rows = clean.add(records)
    if rows is None:
        return None
    aggressor = clean.tell(findings)
    if aggressor != "feed":
        clear_sides(rows)
    return rows, aggressor
