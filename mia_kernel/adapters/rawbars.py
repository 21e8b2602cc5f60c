"""Bars as a file gives them, checked and turned into rows.

Files stamp a bar at its START; a bar enters as an event at its END, when all of it is known
(`ts_event = ts_recv = start + length`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.parts import to_ticks
from mia_kernel.adapters.quality import Findings, bad_prints
from mia_kernel.adapters.silence import gap_term, note_closed
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError
from mia_kernel.core.events import EventArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RawBars:
    """Columns of bars in file order.

    Attributes
    ----------
    start : ndarray of int64, shape (n,)
        Start of each bar, ns UTC (or naive local ns before its zone is known).
    open, high, low, close : ndarray of float64
        Prices in points.
    volume, trades, bid_volume, ask_volume : ndarray of float64 or None
        Contracts and prints; None where the file has no such column.
    lines : ndarray of int64
        Line or record of each bar in its member; `members[member[i]]` names the file.
    """

    start: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray | None
    trades: FloatArray | None
    bid_volume: FloatArray | None
    ask_volume: FloatArray | None
    lines: IntArray
    member: IntArray
    members: tuple[str, ...]

    def where(self, i: int) -> str:
        """Return the file and line of bar `i`."""
        return f"{self.members[int(self.member[i])]}:{int(self.lines[i])}"


@dataclass(frozen=True, slots=True)
class BarRows:
    """Event rows of bars and what could be told of them."""

    events: EventArray
    seconds: int
    side_given: bool
    side_trusted: bool
    has_volume: bool


def bar_seconds(start: IntArray, path: str) -> int:
    """Return the length of the bars: the most frequent distance of neighbouring starts, in seconds.

    Raises
    ------
    DataError
        If fewer than two different starts exist: one bar does not tell its length.
    """
    distances = np.diff(np.unique(start))
    if len(distances) == 0:
        raise DataError("one bar does not tell its length", path=path, field="rows", value=len(start),
                        rule="at least two bars of one source", way_out="give a longer file")  # fmt: skip
    values, counts = np.unique(distances, return_counts=True)
    return max(int(values[int(np.argmax(counts))]) // NS, 1)


def bar_rows(raw: RawBars, root: str, findings: Findings, seconds: int) -> BarRows:
    """Check bars whose `start` is ns UTC and return them as event rows at their end, in time order."""
    ticks = _check_values(raw, root, findings)
    _check_order(raw, findings)
    given, trusted, sided = _check_sides(raw, findings)
    order = np.argsort(raw.start, kind="stable")
    order = order[findings.keep[order]]
    start = raw.start[order]
    end = start + seconds * NS
    note_closed(findings, start, "bars")
    _, jumps = bad_prints(ticks["close"][order], end, findings.params)
    findings.note(
        "jumps", jumps, f"{jumps} closes move more than {findings.params.jump_share:.0%} at once; kept"
    )
    gap_term(findings, start, end, max(findings.params.gap_seconds, 1.0))
    rows = ev.empty(len(order))
    rows["ts_event"] = rows["ts_recv"] = end
    rows["seq"] = np.arange(len(order))
    rows["kind"] = ev.BAR
    rows["px"] = ticks["close"][order]
    for column, name in ((ev.BAR_OPEN, "open"), (ev.BAR_HIGH, "high"), (ev.BAR_LOW, "low")):
        rows["b"][:, column] = ticks[name][order]
    rows["b"][:, ev.BAR_SECONDS] = seconds
    if raw.volume is not None:
        rows["sz"] = raw.volume[order]
    if raw.trades is not None:
        rows["b"][:, ev.BAR_TRADES] = np.clip(np.nan_to_num(raw.trades[order]), 0, _LARGEST)
    if raw.bid_volume is not None and raw.ask_volume is not None and trusted:
        both = sided[order]
        rows["b"][:, ev.BAR_BID_VOLUME] = np.where(both, np.nan_to_num(raw.bid_volume[order]), 0)
        rows["b"][:, ev.BAR_ASK_VOLUME] = np.where(both, np.nan_to_num(raw.ask_volume[order]), 0)
        rows["flags"] = np.where(both, ev.SIDE_FEED, 0)
    return BarRows(rows, seconds, given, trusted, raw.volume is not None)


def _check_values(raw: RawBars, root: str, findings: Findings) -> dict[str, IntArray]:
    ticks: dict[str, IntArray] = {}
    for name in ("open", "high", "low", "close"):
        points: Any = getattr(raw, name)
        ticks[name], bad = to_ticks(points, root)

        def describe(i: int, name: str = name, points: Any = points) -> str:
            return f"{raw.where(i)} {name} = {points[i]!r} (rule: a positive multiple of the {root} tick)"

        findings.quarantine("off_grid", bad, describe)
    findings.term("off_grid", findings.quarantined.get("off_grid", 0) / max(findings.rows, 1))
    top = np.maximum(ticks["open"], ticks["close"])
    bottom = np.minimum(ticks["open"], ticks["close"])
    findings.quarantine("ohlc_order", (ticks["high"] < top) | (ticks["low"] > bottom), lambda i: (
        f"{raw.where(i)} O {raw.open[i]} H {raw.high[i]} L {raw.low[i]} C {raw.close[i]} "
        "(rule: L <= O, C <= H)"))  # fmt: skip
    if raw.volume is not None:
        volume = raw.volume
        bad = ~np.isfinite(volume) | (volume < 0) | (volume > _LARGEST) | (volume != np.floor(volume))
        findings.quarantine(
            "bad_volume", bad, lambda i: f"{raw.where(i)} volume = {volume[i]!r} (rule: whole, >= 0)"
        )
        findings.quarantine("zero_volume", volume == 0, lambda i: (
            f"{raw.where(i)} volume = 0 (rule: a bar without trades is no bar)"))  # fmt: skip
        findings.term("zero_volume", findings.quarantined.get("zero_volume", 0) / max(findings.rows, 1))
    else:
        findings.note("no_volume", findings.rows, "the file has no volume; sizes are unknown and stored as 0")
    return ticks


def _check_order(raw: RawBars, findings: Findings) -> None:
    highest = np.maximum.accumulate(raw.start) if len(raw.start) else raw.start
    late = raw.start < highest
    findings.repair(
        "out_of_order", int(late.sum()), f"{int(late.sum())} rows stood behind a later one; sorted by time"
    )
    findings.term("disorder", float(late.mean()) if len(late) else 0.0)
    order = np.argsort(raw.start, kind="stable")
    order = order[findings.keep[order]]
    again = (
        np.r_[raw.start[order][1:] == raw.start[order][:-1], False] if len(order) else np.zeros(0, np.bool_)
    )
    extra = np.zeros(len(raw.start), np.bool_)
    extra[order[again]] = True  # of equal starts the last one in the file stands: a reload writes the newer
    count = int(extra.sum())
    findings.drop("duplicates", extra, f"{count} bars stand more than once; the last of each was kept")


def _check_sides(raw: RawBars, findings: Findings) -> tuple[bool, bool, BoolArray]:
    """Return (columns exist, trusted, per-row usable)."""
    bid, ask, volume = raw.bid_volume, raw.ask_volume, raw.volume
    if bid is None or ask is None or volume is None:
        return False, False, np.zeros(len(raw.start), np.bool_)
    usable = np.isfinite(bid) & np.isfinite(ask) & (bid >= 0) & (ask >= 0) & (bid + ask == volume)
    broken = findings.keep & ~usable
    if broken.any():
        i = int(np.flatnonzero(broken)[0])
        findings.repair("side_mismatch", int(broken.sum()), (
            f"{int(broken.sum())} bars whose bid and ask volume do not add up to the volume lose their sides, "
            f"first: {raw.where(i)} {bid[i]:g} + {ask[i]:g} != {volume[i]:g}"))  # fmt: skip
    good = findings.keep & usable
    enough = int(good.sum()) >= findings.params.constant_side_rows
    constant = enough and (not bid[good].any() or not ask[good].any())
    if constant:
        findings.note(
            "constant_side", int(good.sum()), "all volume on one side: the sides are not trusted, no delta"
        )
    elif broken.mean() > 1 - findings.params.side_agreement:
        constant = True
        findings.note("untrusted_side", int(broken.sum()), "too many bars with impossible sides: no delta")
    return True, not constant, good
