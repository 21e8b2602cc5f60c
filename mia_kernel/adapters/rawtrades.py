"""Trades as a file gives them, checked and turned into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings, bad_prints, gap_term, note_closed
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray, spread_inside_stamp

IntArray = NDArray[np.int64]

_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RawTrades:
    """Columns of trades in file order.

    Attributes
    ----------
    ts : ndarray of int64, shape (n,)
        Stamps in ns UTC, each the start of its resolution interval.
    ticks : ndarray of int64
        Prices in ticks; `on_grid` is False where the file's price is no tick.
    size : ndarray of int64
        Contracts.
    side : ndarray of int8 or None
        +1 buyer, -1 seller initiated, 0 unknown; None where the file has no side.
    where : callable
        Tells the place of row i in the file.
    """

    ts: IntArray
    ticks: IntArray
    on_grid: NDArray[np.bool_]
    size: IntArray
    side: NDArray[np.int8] | None
    where: Callable[[int], str]


def trade_rows(raw: RawTrades, findings: Findings, *, resolution_ns: int) -> EventArray:
    """Check trades and return them as event rows in file order.

    A trade up to `late_seconds` behind the newest one keeps its stamp and is applied on arrival
    (`ts_recv` = the newest stamp so far); an older one is set aside. A clock coarser than 1 ms is spread.
    """
    check_trades(raw, findings)
    keep = findings.keep
    ts = raw.ts[keep]
    arrival = np.maximum.accumulate(ts) if len(ts) else ts
    spread = spread_inside_stamp(arrival, resolution_ns)
    rows = ev.empty(len(ts))
    rows["ts_recv"] = spread
    rows["ts_event"] = np.where(ts == arrival, spread, ts)
    rows["seq"] = np.arange(len(ts))
    rows["kind"] = ev.TRADE
    rows["px"] = raw.ticks[keep]
    rows["sz"] = raw.size[keep]
    if raw.side is None:
        rows["flags"] = ev.SIDE_TICK_RULE
    else:
        rows["side"] = raw.side[keep]
        rows["flags"] = np.where(rows["side"] != 0, ev.SIDE_FEED, 0)
    return rows


def check_trades(raw: RawTrades, findings: Findings) -> None:
    """Run the checks of a trade stream: grid, size, lone prints, lateness, closed hours, gaps."""
    n = max(findings.rows, 1)
    bad_price = ~raw.on_grid | (raw.ticks <= 0) | (raw.ticks > _LARGEST)
    findings.quarantine("off_grid", bad_price, lambda i: (
        f"{raw.where(i)} price = {raw.ticks[i]} ticks (rule: a positive multiple of the tick)"))  # fmt: skip
    findings.term("off_grid", findings.quarantined.get("off_grid", 0) / n)
    bad_size = (raw.size <= 0) | (raw.size > _LARGEST)
    findings.quarantine("bad_size", bad_size, lambda i: f"{raw.where(i)} size = {raw.size[i]} (rule: > 0)")
    findings.term("zero_volume", float((raw.size <= 0).mean()) if len(raw.size) else 0.0)
    newest = np.maximum.accumulate(raw.ts) if len(raw.ts) else raw.ts
    late = newest - raw.ts
    limit = int(findings.params.late_seconds * NS)
    slight = (late > 0) & (late <= limit)
    findings.repair(
        "late",
        int(slight.sum()),
        f"{int(slight.sum())} trades up to {limit / NS:g} s late applied on arrival",
    )
    findings.quarantine("too_late", late > limit, lambda i: (
        f"{raw.where(i)} {late[i] / NS:g} s behind the newest (rule: at most {limit / NS:g} s)"))  # fmt: skip
    findings.term("disorder", float((late > 0).mean()) if len(late) else 0.0)
    kept = np.flatnonzero(findings.keep)
    lone, jumps = bad_prints(raw.ticks[kept], newest[kept], findings.params)
    bad = np.zeros(len(raw.ts), np.bool_)
    bad[kept[lone]] = True
    findings.quarantine("lone_print", bad, lambda i: (
        f"{raw.where(i)} {raw.ticks[i]} ticks "
        f"(rule: within {findings.params.jump_share:.0%} of both neighbours)"))  # fmt: skip
    findings.note(
        "jumps", jumps, f"{jumps} neighbouring prices differ by more than {findings.params.jump_share:.0%}"
    )
    kept = np.flatnonzero(findings.keep)
    note_closed(findings, newest[kept], "trades")
    gap_term(findings, newest[kept], newest[kept], findings.params.gap_seconds)
