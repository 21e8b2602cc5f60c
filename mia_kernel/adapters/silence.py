"""Checks of time: silences inside sessions, absent sessions, a book that says nothing, rows in closed hours.

`Silence` and `TradingTime` carry what the next slice needs: a file too large to be held is told the same gaps as if
all its rows lay side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.stamps import NS
from mia_kernel.core.session import open_mask, session_row, sessions, trading_day_of, trading_days_of

IntArray = NDArray[np.int64]


def gaps_inside_sessions(start: IntArray, end: IntArray, limit_seconds: float) -> tuple[IntArray, IntArray]:
    """Return the silent stretches longer than the limit between neighbours of one trading day.

    Parameters
    ----------
    start, end : ndarray of shape (n,)
        Interval covered by each row in ns UTC (equal for a tick), in time order and in open hours (`in_sessions`): a
        row in closed hours stands on the day that has ended and would turn a weekend into a silence of it.
    limit_seconds : float
        Longest silence that is no gap.

    Returns
    -------
    at, seconds : ndarray
        Index of the row behind each gap, and its length. Closed hours, holidays and the calendar's pause
        are not silence.
    """
    none = np.zeros(0, np.int64)
    if len(start) < 2:
        return none, none
    newest = np.maximum.accumulate(end)
    at = np.flatnonzero(start[1:] - newest[:-1] > limit_seconds * NS) + 1
    if len(at) == 0:
        return none, none
    before, after = newest[at - 1], start[at]
    day = trading_days_of(before - 1)
    table = sessions()
    row = table[np.searchsorted(table["trading_day"], day)]
    pause = np.minimum(after, row["pause_end_ns"]) - np.maximum(before, row["pause_start_ns"])
    paused = np.where(row["pause_end_ns"] > row["pause_start_ns"], np.maximum(pause, 0), 0)
    length = after - before - paused
    real = (day == trading_days_of(after)) & (length > limit_seconds * NS)
    return at[real].astype(np.int64), (length[real] // NS).astype(np.int64)


def in_sessions(start: IntArray, end: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return where each row begins inside its session, and which rows lie in open hours at all.

    Parameters
    ----------
    start, end : ndarray of shape (n,)
        Interval covered by each row in ns UTC (equal for a tick).

    Returns
    -------
    begin : ndarray of shape (n,)
        `start`, or the session's open for a bar that reaches over it: the bar tells nothing of the closed hours.
    inside : ndarray of shape (n,) of bool
        Whether the row's last instant is one of open hours.
    """
    newest = np.maximum(end - 1, start)
    inside = open_mask(newest)
    table = sessions()
    # Not every closed instant has a session before it; those rows are left out, so their begin says nothing.
    begin = start.copy()
    day = trading_days_of(newest[inside])
    begin[inside] = np.maximum(start[inside], table["open_ns"][np.searchsorted(table["trading_day"], day)])
    return begin, inside


def gap_term(findings: Findings, start: IntArray, end: IntArray, limit_seconds: float) -> None:
    """Find gaps and absent sessions; the score's gap term is silent seconds over covered session seconds.

    Rows in closed hours say nothing of a session; where all are, there is no term.
    """
    begin, inside = in_sessions(start, end)
    start, end = begin[inside], end[inside]
    if len(start) == 0:
        return
    at, seconds = gaps_inside_sessions(start, end, limit_seconds)
    days = trading_days_of(start)
    edges = np.flatnonzero(np.r_[True, days[1:] != days[:-1], True])
    covered = sum(int(end[b - 1] - start[a]) for a, b in pairwise(edges)) / NS
    present = np.unique(days[edges[:-1]]).astype(np.int64)
    findings.counts["sessions"] = len(present)
    if len(at):
        worst = int(np.argmax(seconds))
        _tell_gaps(findings, len(at), int(seconds[worst]), int(end[at[worst] - 1]), limit_seconds)
    findings.term("gap", float(seconds.sum()) / covered if covered > 0 else 0.0)
    _tell_missing(findings, present)


def _tell_gaps(findings: Findings, count: int, longest_s: int, since: int, limit_seconds: float) -> None:
    when = np.datetime64(since, "ns").astype("datetime64[s]")
    findings.note("gaps", count, f"{count} silences over {limit_seconds:g} s inside a session, "
                                 f"the longest {longest_s} s from {when}Z")  # fmt: skip


def _tell_missing(findings: Findings, present: IntArray) -> None:
    expected = sessions()["trading_day"]
    expected = expected[(expected >= present[0]) & (expected <= present[-1])]
    absent = np.setdiff1d(expected, present)
    if len(absent):
        shown = ", ".join(str(day) for day in absent[:5]) + (", ..." if len(absent) > 5 else "")
        findings.note(
            "missing_sessions", len(absent), f"{len(absent)} sessions of the calendar are absent: {shown}"
        )


def stale_term(findings: Findings, ts: IntArray) -> None:
    """Give the score its stale term: seconds of book silence beyond the limit over covered session seconds.

    Parameters
    ----------
    ts : ndarray of shape (n,)
        Stamps of all book events in open hours, ns UTC, in time order.
    """
    if len(ts) < 2:
        return
    limit = findings.params.stale_seconds
    _, seconds = gaps_inside_sessions(ts, ts, limit)
    days = trading_days_of(ts)
    edges = np.flatnonzero(np.r_[True, days[1:] != days[:-1], True])
    covered = sum(int(ts[b - 1] - ts[a]) for a, b in pairwise(edges)) / NS
    findings.term("stale", float(seconds.sum()) / covered if covered > 0 else 0.0)
    if len(seconds):
        cause = f"{len(seconds)} times no book event for over {limit:g} s, at most {int(seconds.max())} s"
        findings.note("stale_book", len(seconds), cause)


def note_closed(findings: Findings, ts: IntArray, what: str) -> None:
    """Count rows at instants when the exchange's calendar says closed."""
    closed = ~open_mask(ts)
    if closed.any():
        _tell_closed(findings, int(closed.sum()), int(ts[int(np.argmax(closed))]), what)


def _tell_closed(findings: Findings, count: int, first: int, what: str) -> None:
    when = np.datetime64(first, "ns").astype("datetime64[s]")
    findings.note("in_closed_hours", count, f"{count} {what} in closed hours, first {when}Z")


@dataclass
class Silence:
    """Silences of one stream, carried from slice to slice: its newest instant and what was covered."""

    limit_s: float
    newest: int | None = None
    covered_ns: int = 0
    silent_s: int = 0
    count: int = 0
    longest_s: int = 0
    longest_from: int = 0

    def add(self, ts: IntArray) -> None:
        """Take stamps of rows in open hours, in order of arrival."""
        if len(ts) == 0:
            return
        if self.newest is not None:
            ts = np.r_[self.newest, ts]
        clock = np.maximum.accumulate(ts)
        at, seconds = gaps_inside_sessions(clock, clock, self.limit_s)
        day = trading_days_of(clock)
        step = np.diff(clock)
        self.covered_ns += int(step[day[1:] == day[:-1]].sum())
        self.silent_s += int(seconds.sum())
        self.count += len(at)
        if len(at) and int(seconds.max()) > self.longest_s:
            worst = int(np.argmax(seconds))
            self.longest_s, self.longest_from = int(seconds[worst]), int(clock[at[worst] - 1])
        self.newest = int(clock[-1])

    @property
    def share(self) -> float:
        """Return silent over covered time."""
        return min(self.silent_s * NS / self.covered_ns, 1.0) if self.covered_ns else 0.0


@dataclass
class TradingTime:
    """What the checks of time say of trades that come in slices: closed hours, gaps, absent sessions."""

    silence: Silence
    days: set[int] = field(default_factory=set)
    closed: int = 0
    first_closed: int = 0

    def add(self, ts: IntArray) -> None:
        """Take stamps in time order, ns UTC."""
        if len(ts) == 0:
            return
        shut = ~open_mask(ts)
        if shut.any() and not self.closed:
            self.first_closed = int(ts[int(np.argmax(shut))])
        self.closed += int(shut.sum())
        ts = ts[~shut]
        if len(ts) == 0:
            return
        self.silence.add(ts)
        days = trading_days_of(ts)
        self.days.update(days[np.r_[True, days[1:] != days[:-1]]].tolist())

    def add_unbroken(self, first: int, last: int) -> bool:
        """Take stamps in time order that are known by their ends, and to follow each other without a gap.

        Parameters
        ----------
        first, last : int
            ns UTC. No step from the newest stamp before to `last` is longer than the limit of a gap.

        Returns
        -------
        bool
            False, and nothing taken, unless they lie in one stretch of open hours: `add` must see each.
        """
        day, silence = trading_day_of(first), self.silence
        row = session_row(day)
        if row is None or not row["open_ns"] <= first <= last < row["close_ns"]:
            return False
        before = silence.newest
        if before is not None and trading_day_of(before) == day:
            first = before
        # Rows inside the pause are left out, so the steps on both sides of it are one: only `add` sees how long.
        if first < row["pause_end_ns"] and last >= row["pause_start_ns"]:
            return False
        silence.covered_ns += last - first
        silence.newest = last
        self.days.add(day)
        return True

    def tell(self, findings: Findings, what: str) -> None:
        """Give the findings what `note_closed` and `gap_term` would of all stamps together."""
        if self.closed:
            _tell_closed(findings, self.closed, self.first_closed, what)
        if not self.days:
            return
        findings.counts["sessions"] = len(self.days)
        silence = self.silence
        if silence.count:
            _tell_gaps(findings, silence.count, silence.longest_s, silence.longest_from, silence.limit_s)
        covered_s = silence.covered_ns / NS
        findings.term("gap", silence.silent_s / covered_s if covered_s > 0 else 0.0)
        _tell_missing(findings, np.array(sorted(self.days), np.int64))
