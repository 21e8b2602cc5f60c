"""Turn the tick records of a sound `.scid` file into rows in one pass over its bytes.

The kernel checks while it writes: times in order and within the calendar's range, prices on the grid, sizes above
zero, no change of price that counts as a jump. At the first record that is not so it gives up, and the whole file
takes the slow way, which says what is wrong and where (`scid`). What both give for a sound file is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings, clear_sides, gap_term, judge_tally, note_closed
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.core.kernel import kernel

EPOCH_US = 25_569 * 86_400 * 1_000_000
"""Microseconds from 1899-12-30 to 1970-01-01."""
UNBUNDLED = -1e30
"""An Open below this marks the first or last part of an unbundled trade."""
LAST_US = EPOCH_US + 2**62 // 1_000
"""The microseconds of a time must fit into ns since 1970; a bent record must not wrap around."""

_GRID = 1e-3
_LARGEST = 2**31 - 1
_TRADE, _SIDE_FEED = ev.TRADE, ev.SIDE_FEED


@kernel
def _fill(records: Any, per_point: float, jump: float, near_ns: int, out: Any, tally: Any) -> bool:
    """Write one row per record and count; False at the first defect."""
    newest, before, parts, buys, sells, agree, decidable = 0, 0, 0, 0, 0, 0, 0
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
        if i > 0:
            step = abs(px - before)
            if ts < newest or (step > jump * before and ts - newest <= near_ns):
                return False
        newest, before = ts, px
        row["ts_event"] = ts
        row["ts_recv"] = ts
        row["seq"] = i
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
    tally[:] = (parts, buys, sells, agree, decidable)
    return True


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
    limits = findings.params
    rows = ev.empty(len(records))
    tally = np.zeros(5, np.int64)
    if not _fill(records, float(per_point), limits.jump_share, int(limits.gap_seconds * NS), rows, tally):
        return None
    parts, buys, sells, agree, decidable = tally.tolist()
    findings.note("unbundled", parts, f"{parts} records are first or last part of an unbundled trade")
    for term in ("off_grid", "zero_volume", "disorder"):
        findings.term(term, 0.0)
    ts = np.ascontiguousarray(rows["ts_event"])
    note_closed(findings, ts, "trades")
    gap_term(findings, ts, ts, limits.gap_seconds)
    aggressor = judge_tally(len(rows), buys, sells, (agree, decidable), findings)
    if aggressor != "feed":
        clear_sides(rows)
    return rows, aggressor
