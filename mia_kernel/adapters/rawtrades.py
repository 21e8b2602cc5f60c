"""Trades as a file gives them, checked and turned into rows.

`TradeChecks` takes them in slices of any size and says the same of all of them: a file of ten million trades is
judged without being held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.quality import Findings, QualityParams, bad_prints, jumping
from mia_kernel.adapters.silence import Silence, TradingTime
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
        Tells the place of row i in the file; of a slice, also that of a row before it (i < 0).
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
    return rows_of(raw, findings.keep, resolution_ns=resolution_ns)


def rows_of(
    raw: RawTrades, keep: NDArray[np.bool_], *, resolution_ns: int, newest: int = -(2**62), first: int = 0
) -> EventArray:
    """Return the rows of the trades in `keep`.

    Parameters
    ----------
    raw : RawTrades
        A file, or a slice of one.
    keep : ndarray of bool
        Which trades become rows.
    resolution_ns : int
        Width of one stamp; only a whole file can be spread.
    newest, first : int
        Newest arrival of the slices before, ns UTC, and the number of the first row.
    """
    ts = raw.ts[keep]
    arrival = np.maximum.accumulate(np.r_[newest, ts])[1:]
    spread = spread_inside_stamp(arrival, resolution_ns)
    rows = ev.empty(len(ts))
    rows["ts_recv"] = spread
    rows["ts_event"] = np.where(ts == arrival, spread, ts)
    rows["seq"] = np.arange(first, first + len(ts))
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
    checks = TradeChecks(findings.params)
    keep = checks.add(raw, findings.keep)
    checks.close()
    keep[checks.lone] = False
    findings.keep &= keep
    checks.tell(findings)


@dataclass
class _Aside:
    """Rows that one check sets aside: how many, and the words for the first."""

    count: int = 0
    first: str = ""


@dataclass
class TradeChecks:
    """The checks of a trade stream whose rows come in slices, in file order.

    Attributes
    ----------
    newest : int
        The newest stamp so far, ns UTC.
    lone : list of int
        Numbers of the lone prints (from 0, of all rows so far). A print is judged by its neighbours: whether the
        last row of a slice is one is known with the next slice, or at `close`.
    """

    params: QualityParams
    rows: int = 0
    newest: int = -(2**62)
    lone: list[int] = field(default_factory=list)
    _aside: dict[str, _Aside] = field(default_factory=dict)
    _zero: int = 0
    _late: int = 0
    _slight: int = 0
    _kept: int = 0
    _jumps: int = 0
    _time: TradingTime | None = None
    _tail: list[tuple[int, int, int]] = field(default_factory=list)  # price, newest stamp, number

    def add(self, raw: RawTrades, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Take the next rows, of which `usable` are not set aside yet; return which stay usable but for lone prints."""
        keep = usable.copy()
        bad_price = ~raw.on_grid | (raw.ticks <= 0) | (raw.ticks > _LARGEST)
        self._set_aside("off_grid", bad_price, keep, lambda i: (
            f"{raw.where(i)} price = {raw.ticks[i]} ticks (rule: a positive multiple of the tick)"))  # fmt: skip
        bad_size = (raw.size <= 0) | (raw.size > _LARGEST)
        self._set_aside(
            "bad_size", bad_size, keep, lambda i: f"{raw.where(i)} size = {raw.size[i]} (rule: > 0)"
        )
        self._zero += int((raw.size <= 0).sum())
        clock = np.maximum.accumulate(np.r_[self.newest, raw.ts])[1:]
        late = clock - raw.ts
        limit = int(self.params.late_seconds * NS)
        self._late += int((late > 0).sum())
        self._slight += int(((late > 0) & (late <= limit)).sum())
        self._set_aside("too_late", late > limit, keep, lambda i: (
            f"{raw.where(i)} {late[i] / NS:g} s behind the newest (rule: at most {limit / NS:g} s)"))  # fmt: skip
        self._prints(raw, keep, clock)
        self.rows += len(raw.ts)
        if len(clock):
            self.newest = int(clock[-1])
        return keep

    def _set_aside(
        self, code: str, bad: NDArray[np.bool_], keep: NDArray[np.bool_], describe: Callable[[int], str]
    ) -> None:
        fresh = bad & keep
        if fresh.any():
            told = self._aside.setdefault(code, _Aside())
            told.first = told.first or describe(int(np.flatnonzero(fresh)[0]))
            told.count += int(fresh.sum())
            keep &= ~fresh

    def _prints(self, raw: RawTrades, keep: NDArray[np.bool_], clock: IntArray) -> None:
        """Find lone prints among the kept rows; those whose neighbours are known enter the checks of time."""
        kept = np.flatnonzero(keep)
        if len(kept) == 0:
            return
        held = np.array(self._tail, np.int64).reshape(-1, 3)
        price = np.r_[held[:, 0], raw.ticks[kept]]
        stamp = np.r_[held[:, 1], clock[kept]]
        number = np.r_[held[:, 2], kept + self.rows]
        lone, _ = bad_prints(price, stamp, self.params)
        new = max(len(held) - 1, 0)  # the step between the two held rows was counted with the slice before
        self._jumps += int(jumping(price[new:], stamp[new:], self.params).sum())
        for at in np.flatnonzero(lone).tolist():
            self.lone.append(int(number[at]))
            row = int(number[at]) - self.rows
            told = self._aside.setdefault("lone_print", _Aside())
            told.first = told.first or (
                f"{raw.where(row)} {price[at]} ticks (rule: within {self.params.jump_share:.0%} of both neighbours)"
            )
            told.count += 1
        known = slice(new, len(price) - 1)
        self._settle(stamp[known][~lone[known]])
        self._kept += len(kept)
        self._tail = list(zip(price[-2:].tolist(), stamp[-2:].tolist(), number[-2:].tolist(), strict=True))

    def _settle(self, stamp: IntArray) -> None:
        if self._time is None:
            self._time = TradingTime(Silence(self.params.gap_seconds))
        self._time.add(stamp)

    @property
    def settled(self) -> int:
        """Return the number of rows, from the first, of which nothing more can be found."""
        return self._tail[-1][2] if self._tail else self.rows

    def close(self) -> None:
        """Take the last row for what it is: it has one neighbour and cannot be a lone print."""
        if self._tail:
            self._settle(np.array([self._tail[-1][1]], np.int64))
            self._tail = []

    def tell(self, findings: Findings) -> None:
        """Give the findings all counts, words and terms, in the order of the checks."""
        n, limit = max(findings.rows, 1), self.params.late_seconds
        self._told(findings, "off_grid")
        findings.term("off_grid", findings.quarantined.get("off_grid", 0) / n)
        self._told(findings, "bad_size")
        findings.term("zero_volume", self._zero / self.rows if self.rows else 0.0)
        findings.repair(
            "late", self._slight, f"{self._slight} trades up to {limit:g} s late applied on arrival"
        )
        self._told(findings, "too_late")
        findings.term("disorder", self._late / self.rows if self.rows else 0.0)
        self._told(findings, "lone_print")
        jumps = self._jumps if self._kept > 2 else 0
        findings.note("jumps", jumps, (
            f"{jumps} neighbouring prices differ by more than {self.params.jump_share:.0%}"))  # fmt: skip
        if self._time is not None:
            self._time.tell(findings, "trades")

    def _told(self, findings: Findings, code: str) -> None:
        told = self._aside.get(code, _Aside())
        findings.set_aside(code, told.count, told.first)
