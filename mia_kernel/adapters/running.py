"""Run the checks of a file on rows that come in slices: a live feed, a recording, a session's tail.

`RunningChecks.add` takes slices in the order of arrival, `verdict` tells at any moment what a file's reader would
have said of all of them (`quality`): the answer does not depend on how the rows were sliced. Nothing is mended or
set aside here: what entered the engine did enter, and the verdict says what it was worth. Rows are ticks already,
so the grid is not asked; a warm-up and timers are no market and are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import (
    WEIGHTS,
    QualityParams,
    Verdict,
    prevailing,
    side_agreement,
)
from mia_kernel.adapters.running_repeats import Frozen, Repeats, frozen_words, in_day_session
from mia_kernel.adapters.silence import Silence, in_sessions
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray
from mia_kernel.core.session import open_mask

IntArray = NDArray[np.int64]

_HALF_HOUR_NS = 1_800 * NS
_STREAMS = {ev.TRADE: "trades", ev.QUOTE: "quotes", ev.BOOK: "books", ev.BAR: "bars"}
_OTHER_CLOCK = 0.01
"""Share of rows on another clock that is told: a few late rows are no second clock."""


@dataclass
class _Feed:
    """What is carried of one instrument."""

    any_row: Silence
    book: Silence
    rows: int = 0
    newest: int = -(2**62)
    bid: int = 0
    ask: int = 0
    prints: list[int] = field(default_factory=list)
    print_ts: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    clocks: dict[tuple[int, int], int] = field(default_factory=dict)
    sides: set[int] = field(default_factory=set)
    frozen: dict[int, Frozen] = field(default_factory=lambda: {ev.QUOTE: Frozen(), ev.BOOK: Frozen()})
    repeats: Repeats = field(default_factory=Repeats)


class RunningChecks:
    """Judge a stream of rows of one traded instrument and those beside it.

    Parameters
    ----------
    params : QualityParams, optional
        Limits; the same as of a file.
    instrument : int
        Which instrument of the rows is judged.
    sampled : bool
        Whether the source gives one quote an interval: it cannot tell a silent book.
    """

    def __init__(
        self, params: QualityParams | None = None, *, instrument: int = ev.PRIMARY, sampled: bool = False
    ) -> None:
        self.params = params or QualityParams()
        self.instrument = instrument
        self.sampled = sampled
        self._feed = _Feed(Silence(self.params.gap_seconds), Silence(self.params.stale_seconds))

    def add(self, rows: EventArray) -> None:
        """Take the next rows, in order of arrival."""
        kind = rows["kind"]
        market = (
            (rows["instrument"] == self.instrument) & (kind != ev.TIMER) & (rows["flags"] & ev.WARM_UP == 0)
        )
        rows = rows[market]
        if len(rows) == 0:
            return
        self._feed.rows += len(rows)
        for code, name in _STREAMS.items():
            self._count(name, int((rows["kind"] == code).sum()))
        self._order(rows)
        self._clocks(rows)
        opened = open_mask(np.where(rows["kind"] == ev.BAR, rows["ts_event"] - 1, rows["ts_event"]))
        self._count("in_closed_hours", int((~opened).sum()))
        self._silences(rows, opened)
        self._books(rows, opened)
        self._trades(rows)

    def verdict(self) -> Verdict:
        """Return what is to be said of all rows so far; no score before the first."""
        feed, said = self._feed, self._feed.counts
        if feed.rows == 0:
            return Verdict(None, ("no row has come",), {"rows": 0}, not_applicable=tuple(WEIGHTS))
        books = said.get("quotes", 0) + said.get("books", 0)
        priced = said.get("trades", 0) + said.get("bars", 0)
        terms: dict[str, float] = {"gap": feed.any_row.share, "disorder": said.get("disorder", 0) / feed.rows}
        if priced:
            terms["zero_volume"] = said.get("zero_size", 0) / priced
        if books:
            terms["crossed"] = said.get("crossed", 0) / books
            if not self.sampled:
                terms["stale"] = max(feed.book.share, self._frozen_share())
        loss = sum(WEIGHTS[name] * share for name, share in terms.items())
        counts = {"rows": feed.rows, **{name: count for name, count in said.items() if count}}
        for name, silence in (("gaps", feed.any_row), ("stale_book", feed.book)):
            if silence.count and (name == "gaps" or not self.sampled):
                counts[name] = silence.count
        if stood := sum(frozen.told()[0] for frozen in feed.frozen.values()):
            counts["frozen_book"] = stood
        missing = tuple(name for name in WEIGHTS if name not in terms)
        return Verdict(
            1.0 - min(max(loss, 0.0), 1.0), tuple(self._causes(counts)), counts, not_applicable=missing
        )

    def _frozen_share(self) -> float:
        """Return the share of covered time in which the book stood still although it kept coming."""
        seconds = max(frozen.told()[1] for frozen in self._feed.frozen.values())
        covered = self._feed.book.covered_ns
        return min(seconds * NS / covered, 1.0) if covered else 0.0

    # -- the checks ------------------------------------------------------------------------------------

    def _count(self, name: str, count: int) -> None:
        self._feed.counts[name] = self._feed.counts.get(name, 0) + count

    def _order(self, rows: EventArray) -> None:
        stamps = np.r_[self._feed.newest, rows["ts_event"]]
        clock = np.maximum.accumulate(stamps)
        late = (clock - stamps)[1:]
        self._count("disorder", int((late > 0).sum()))
        self._count("too_late", int((late > self.params.late_seconds * NS).sum()))
        self._feed.newest = int(clock[-1])
        self._count("duplicates", self._feed.repeats.add(rows, late > 0))

    def _clocks(self, rows: EventArray) -> None:
        """Count rows by stream and by the half hours that lie between their two stamps."""
        lag = np.rint((rows["ts_recv"] - rows["ts_event"]) / _HALF_HOUR_NS).astype(np.int64)
        pairs, counts = np.unique(np.column_stack([rows["kind"], lag]), axis=0, return_counts=True)
        for (kind, half_hours), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            key = (int(kind), int(half_hours))
            self._feed.clocks[key] = self._feed.clocks.get(key, 0) + int(count)

    def _silences(self, rows: EventArray, opened: NDArray[np.bool_]) -> None:
        bars = rows["kind"] == ev.BAR
        # A bar covers its interval: it counts as coming right after the one before it, however long it is.
        if bars.any():
            width = rows["b"][:, ev.BAR_SECONDS].astype(np.int64) * NS
            start, _ = in_sessions(rows["ts_event"] - np.where(bars, width, 0), rows["ts_event"])
            stamps = np.column_stack([start, rows["ts_event"] - bars])[opened].ravel()
        else:
            stamps = rows["ts_event"][opened].astype(np.int64)
        self._feed.any_row.add(stamps)
        booked = ((rows["kind"] == ev.QUOTE) | (rows["kind"] == ev.BOOK)) & opened
        self._feed.book.add(rows["ts_event"][booked].astype(np.int64))

    def _books(self, rows: EventArray, opened: NDArray[np.bool_]) -> None:
        booked = (rows["kind"] == ev.QUOTE) | (rows["kind"] == ev.BOOK)
        crossed = booked & opened & (rows["bid"] > 0) & (rows["ask"] > 0) & (rows["bid"] >= rows["ask"])
        self._count("crossed", int(crossed.sum()))
        empty = booked & opened & ((rows["bid"] <= 0) | (rows["ask"] <= 0))
        self._count("one_sided", int(empty.sum()))
        for kind, frozen in self._feed.frozen.items():
            mine = rows[(rows["kind"] == kind) & opened]
            frozen.add(mine[in_day_session(mine["ts_event"])])

    def _trades(self, rows: EventArray) -> None:
        priced = (rows["kind"] == ev.TRADE) | (rows["kind"] == ev.BAR)
        if self.instrument != ev.VIX:  # an index has values, not sizes
            self._count("zero_size", int((priced & (rows["sz"] <= 0)).sum()))
        self._agreement(rows)
        trades = rows[rows["kind"] == ev.TRADE]
        self._jumps(trades)
        fed = trades[(trades["flags"] & ev.SIDE_FEED) > 0]
        self._count("sided", len(fed))
        self._feed.sides.update(int(side) for side in np.unique(fed["side"]))

    def _agreement(self, rows: EventArray) -> None:
        """Hold the sides that the feed gave beside the quote of their moment, which may be of an earlier slice."""
        bid, ask = prevailing(rows)
        quoting = (rows["kind"] == ev.QUOTE) | (rows["kind"] == ev.BOOK)
        before = ~np.logical_or.accumulate(quoting)
        bid, ask = np.where(before, self._feed.bid, bid), np.where(before, self._feed.ask, ask)
        at = (rows["kind"] == ev.TRADE) & ((rows["flags"] & ev.SIDE_FEED) > 0)
        agree, decidable = side_agreement(rows["side"][at], rows["px"][at].astype(np.int64), bid[at], ask[at])
        self._count("side_decidable", decidable)
        self._count("side_agree", agree)
        self._feed.bid, self._feed.ask = int(bid[-1]), int(ask[-1])

    def _jumps(self, trades: EventArray) -> None:
        if len(trades) == 0:
            return
        price = np.r_[np.array(self._feed.prints, np.int64), trades["px"]]
        ts = np.r_[np.array(self._feed.print_ts, np.int64), trades["ts_event"]]
        step = np.abs(np.diff(price)) > self.params.jump_share * np.abs(price[:-1])
        self._count("jumps", int((step & (np.diff(ts) <= self.params.gap_seconds * NS)).sum()))
        self._feed.prints, self._feed.print_ts = [int(price[-1])], [int(ts[-1])]

    # -- words -----------------------------------------------------------------------------------------

    def _causes(self, counts: Mapping[str, int]) -> list[str]:
        feed, p = self._feed, self.params
        out: list[str] = []
        if "gaps" in counts:
            when = np.datetime64(feed.any_row.longest_from, "ns").astype("datetime64[s]")
            out.append(f"gaps: {counts['gaps']} silences over {p.gap_seconds:g} s inside a session, "
                       f"the longest {feed.any_row.longest_s} s from {when}Z")  # fmt: skip
        if "stale_book" in counts:
            out.append(f"stale_book: {counts['stale_book']} times no book event for over {p.stale_seconds:g} s, "
                       f"at most {feed.book.longest_s} s")  # fmt: skip
        if "frozen_book" in counts:
            seconds = max(frozen.told()[1] for frozen in feed.frozen.values())
            out.append(f"frozen_book: {frozen_words(counts['frozen_book'], seconds)}")
        said = {
            "duplicates": "rows came again behind the newest: a reload",
            "crossed": "books crossed or locked in open hours",
            "disorder": "rows stamped before one that came earlier",
            "too_late": f"rows over {p.late_seconds:g} s behind the newest",
            "zero_size": "trades or bars of size 0",
            "in_closed_hours": "rows in closed hours",
            "jumps": f"neighbouring prices differ by more than {p.jump_share:.0%}",
        }
        out += [f"{name}: {counts[name]} {text}" for name, text in said.items() if counts.get(name)]
        return out + self._side_causes(counts) + self._clock_causes()

    def _side_causes(self, counts: Mapping[str, int]) -> list[str]:
        out: list[str] = []
        sided = counts.get("sided", 0)
        if sided >= self.params.constant_side_rows and len(self._feed.sides) == 1:
            out.append(f"constant_side: all {sided} trades have the same side: not to be trusted")
        decidable, agree = counts.get("side_decidable", 0), counts.get("side_agree", 0)
        if decidable and agree < self.params.side_agreement * decidable:
            out.append(f"untrusted_side: only {agree} of {decidable} sides agree with the quote")
        return out

    def _clock_causes(self) -> list[str]:
        """Tell a stream whose stamps lie half hours from its arrival, or from those of the other streams."""
        out: list[str] = []
        for code, name in _STREAMS.items():
            mine = {lag: count for (kind, lag), count in self._feed.clocks.items() if kind == code}
            total = sum(mine.values())
            for lag, count in sorted(mine.items()):
                if lag and count > _OTHER_CLOCK * total:
                    out.append(
                        f"two_clocks: {count} of {total} {name} are stamped {lag / 2:g} h before they came"
                    )
        return out


def checks_of(rows: EventArray, **asked: Any) -> Verdict:
    """Return the verdict of a whole recording's rows (`RunningChecks` keywords)."""
    checks = RunningChecks(**asked)
    checks.add(rows)
    return checks.verdict()
