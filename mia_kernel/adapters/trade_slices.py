"""Judge the trades of a file that is too large to be held, and give its rows slice by slice.

The file is gone through twice: once for the verdict, which also says whether its sides are believed, once for the
rows. Both passes give what a whole reading would (`rawtrades`, `quality`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.parts import Sliced
from mia_kernel.adapters.quality import Findings, QualityParams, clear_sides, judge_tally, side_agreement
from mia_kernel.adapters.rawtrades import RawTrades, TradeChecks, rows_of
from mia_kernel.adapters.stamps import NS
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError
from mia_kernel.core.events import EventArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FINEST_NS = 1_000_000
"""Files with a coarser clock are read whole: trades of one stamp are spread over it, and a slice may cut it."""


@dataclass(frozen=True, slots=True)
class TradeSlice:
    """Some trades in file order; `usable` ones are not set aside yet.

    Attributes
    ----------
    bid, ask : ndarray of int64 or None
        The quote of each trade, ticks, 0 where unknown; None where the file has none.
    """

    raw: RawTrades
    usable: BoolArray
    bid: IntArray | None = None
    ask: IntArray | None = None


Slices = Callable[[], Iterable[TradeSlice]]


@dataclass
class _Tally:
    """What the verdict and the summary need of the kept rows."""

    rows: int = 0
    buys: int = 0
    sells: int = 0
    agree: int = 0
    decidable: int = 0
    quoted: bool = False
    volume: int = 0
    first: int = 2**62
    last: int = -(2**62)

    def add(self, part: TradeSlice, keep: BoolArray) -> None:
        """Count the kept rows of a slice."""
        raw = part.raw
        if not keep.any():
            return
        ts = raw.ts[keep]
        self.rows += len(ts)
        self.volume += int(raw.size[keep].sum())
        self.first, self.last = min(self.first, int(ts.min())), max(self.last, int(ts.max()))
        if raw.side is None:
            return
        side = raw.side[keep]
        self.buys, self.sells = self.buys + int((side > 0).sum()), self.sells + int((side < 0).sum())
        if part.bid is not None and part.ask is not None:
            self.quoted = True
            told = side_agreement(side, raw.ticks[keep], part.bid[keep], part.ask[keep])
            self.agree, self.decidable = self.agree + told[0], self.decidable + told[1]


def settled(slices: Iterable[TradeSlice], checks: TradeChecks) -> Iterator[tuple[TradeSlice, BoolArray]]:
    """Yield every slice with its kept rows, as soon as no later row can change them."""
    held: list[tuple[TradeSlice, BoolArray, int]] = []
    for part in slices:
        held.append((part, checks.add(part.raw, part.usable), checks.rows))
        while held and held[0][2] <= checks.settled:
            yield _without_lone(*held.pop(0), checks)
    checks.close()
    for part, keep, end in held:
        yield _without_lone(part, keep, end, checks)


def _without_lone(
    part: TradeSlice, keep: BoolArray, end: int, checks: TradeChecks
) -> tuple[TradeSlice, BoolArray]:
    lone = np.array(checks.lone, np.int64) - (end - len(keep))
    keep[lone[(lone >= 0) & (lone < len(keep))]] = False
    return part, keep


def judge_slices(
    slices: Slices,
    findings: Findings,
    *,
    quotes_on_rows: bool,
    before_sides: Callable[[], None] | None = None,
) -> tuple[Sliced, ev.Aggressor]:
    """Return the rows to come and whether the file's sides are believed; the findings get every check.

    Parameters
    ----------
    slices : callable
        Gives the file's trades from its first on, anew at every call.
    findings : Findings
        Of as many rows as the file has.
    quotes_on_rows : bool
        Whether bid and ask of a trade go onto its row.
    before_sides : callable, optional
        Called between the checks and the verdict on the sides: a reader's own findings.
    """
    checks, tally = TradeChecks(findings.params), _Tally()
    for part, keep in settled(slices(), checks):
        tally.add(part, keep)
    checks.tell(findings)
    if before_sides is not None:
        before_sides()
    told = (tally.agree, tally.decidable) if tally.quoted else None
    aggressor = judge_tally(tally.rows, tally.buys, tally.sells, told, findings)
    path, params = findings.path, findings.params

    def again() -> Iterator[EventArray]:
        rows = _rows(slices(), params, trusted=aggressor == "feed", quotes_on_rows=quotes_on_rows)
        return unchanged(rows, tally.rows, path)

    late_ns = int(params.late_seconds * NS)
    return Sliced(tally.rows, tally.volume, tally.first, tally.last, late_ns, again), aggressor


def _rows(
    slices: Iterable[TradeSlice], params: QualityParams, *, trusted: bool, quotes_on_rows: bool
) -> Iterator[EventArray]:
    checks, newest, first = TradeChecks(params), -(2**62), 0
    for part, keep in settled(slices, checks):
        rows = rows_of(part.raw, keep, resolution_ns=FINEST_NS, newest=newest, first=first)
        if quotes_on_rows and part.bid is not None and part.ask is not None:
            rows["bid"], rows["ask"] = part.bid[keep], part.ask[keep]
        if not trusted:
            clear_sides(rows)
        if len(rows):
            newest, first = int(rows["ts_recv"][-1]), first + len(rows)
            yield rows


def unchanged(slices: Iterable[EventArray], rows: int, path: str) -> Iterator[EventArray]:
    """Pass slices on and hold their number against that of the first reading.

    Raises
    ------
    DataError
        If the file gives other rows than when it was judged.
    """
    seen = 0
    for part in slices:
        seen += len(part)
        yield part
    if seen != rows:
        raise DataError("the file changed while it was read", path=path, field="rows", value=seen,
                        rule=f"{rows} rows, as when it was judged", way_out="import it again")  # fmt: skip
