"""A `.scid` of trades that is too large to be held, read in slices: the same rows and words as of a small one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.meter import Meter
from mia_kernel.adapters.parts import Ask, Part, Sliced, resolve_symbol, ticks_per_point
from mia_kernel.adapters.quality import Findings, QualityParams, clear_sides
from mia_kernel.adapters.rawtrades import RawTrades
from mia_kernel.adapters.scid import SHOWN, layout_of, sides_of, ticks_of, trade_info
from mia_kernel.adapters.scid_rows import EPOCH_US, LAST_US, UNBUNDLED, CleanRows, ns_of
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.streams import Stream
from mia_kernel.adapters.trade_slices import TradeSlice, judge_slices, unchanged
from mia_kernel.core import events as ev
from mia_kernel.core.events import EventArray

SLICE = 1 << 16
"""Records that are in memory at once."""


@dataclass(frozen=True, slots=True)
class _Body:
    """The records of a file: their layout, how many are whole, and the bytes of a partial last one."""

    stream: Stream
    layout: np.dtype[Any]
    header: int
    meter: Meter
    count: int
    rest: int

    def slices(self) -> Iterator[NDArray[Any]]:
        """Yield the whole records; what was written behind them since the file was opened is left alone."""
        left = self.count
        for block in self.stream.blocks(SLICE * self.layout.itemsize, self.header):
            records = np.frombuffer(block, self.layout, count=min(len(block) // self.layout.itemsize, left))
            left -= len(records)
            if len(records):
                yield records
            self.meter.reach(self.count - left, self.count)
            if left == 0:
                return


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a first look over all records tells."""

    ticks_only: bool
    bad_time: int
    first_bad: str
    unbundled: int
    shown: NDArray[np.float64]


def stream_scid(stream: Stream, ask: Ask) -> list[Part] | None:
    """Return the trades of a large `.scid` as a part in slices; None where it holds bars too: read it whole.

    Raises
    ------
    FormatError, DataError
        As `read_scid`.
    """
    layout, header = layout_of(stream.head)
    body = _measured(stream, layout, header, ask.meter)
    ask.meter.stage(0.1)
    seen = _look(body)
    ask.meter.stage(0.3)
    if not seen.ticks_only:
        return None
    root, contract = resolve_symbol(stream.path, ask)
    scale = multiplier_of(ask, stream.path)
    check_scale(seen.shown * scale, root, stream.path, scale)
    findings = Findings(stream.path, body.count, ask.quality)
    findings.note("partial_record", int(body.rest > 0), (
        f"the last {body.rest} bytes are no whole record, left out"))  # fmt: skip
    judged = _clean(body, scale * ticks_per_point(root), findings) or _judged(
        body, seen, root, scale, findings
    )
    sliced, aggressor = judged
    info = trade_info(stream.path, root, contract, aggressor)
    return [Part(ev.empty(0), info, findings.verdict(), stream.path, sliced=sliced)]


def _measured(stream: Stream, layout: np.dtype[Any], header: int, meter: Meter) -> _Body:
    size = sum(len(block) for block in stream.blocks(SLICE * layout.itemsize, header))
    return _Body(stream, layout, header, meter, *divmod(size, layout.itemsize))


def _look(body: _Body) -> _Seen:
    stride, start = max(body.count // SHOWN, 1), 0
    shown: list[NDArray[np.float64]] = []
    ticks_only, bad_time, first_bad, unbundled = True, 0, "", 0
    for records in body.slices():
        parts = records["open"] < UNBUNDLED
        ticks_only &= bool((parts | (records["open"] == 0)).all())
        bad = _bad_time(records)
        if bad.any() and not bad_time:
            at = int(np.argmax(bad))
            first_bad = f"record {start + at + 1}: time {int(records['time'][at])}"
        bad_time, unbundled = bad_time + int(bad.sum()), unbundled + int(parts.sum())
        shown.append(records["close"][-start % stride :: stride].astype(np.float64))
        start += len(records)
    return _Seen(ticks_only, bad_time, first_bad, unbundled, np.concatenate(shown))


def _bad_time(records: NDArray[Any]) -> NDArray[np.bool_]:
    return (records["time"] < EPOCH_US) | (records["time"] > LAST_US)


def _clean(body: _Body, per_point: float, findings: Findings) -> tuple[Sliced, ev.Aggressor] | None:
    """Return the rows of a file without a defect, None at the first one."""
    clean = CleanRows(per_point, findings.params)
    volume, first, last = 0, 2**62, 0
    for records in body.slices():
        rows = clean.add(records)
        if rows is None:
            return None
        volume += int(rows["sz"].sum(dtype=np.int64))
        first, last = min(first, int(rows["ts_event"][0])), int(rows["ts_event"][-1])
    aggressor = clean.tell(findings)
    path, params = findings.path, findings.params

    def again() -> Iterator[EventArray]:
        return unchanged(_clean_rows(body, per_point, params, trusted=aggressor == "feed"), body.count, path)

    return Sliced(body.count, volume, first, last, 0, again), aggressor


def _clean_rows(
    body: _Body, per_point: float, params: QualityParams, *, trusted: bool
) -> Iterator[EventArray]:
    clean = CleanRows(per_point, params)
    for records in body.slices():
        rows = clean.add(records, check=False)
        if rows is None:
            return  # another file than the one that was judged: `unchanged` says so
        if not trusted:
            clear_sides(rows)
        yield rows


def _judged(
    body: _Body, seen: _Seen, root: str, scale: float, findings: Findings
) -> tuple[Sliced, ev.Aggressor]:
    findings.set_aside("bad_time", seen.bad_time, seen.first_bad)
    findings.note("unbundled", seen.unbundled, (
        f"{seen.unbundled} records are first or last part of an unbundled trade"))  # fmt: skip

    def slices() -> Iterator[TradeSlice]:
        first, newest = 0, 0
        for records in body.slices():
            part, newest = _slice(records, body.stream.path, root, scale, first, newest)
            first += len(records)
            yield part

    return judge_slices(slices, findings, quotes_on_rows=True)


def _slice(
    records: NDArray[Any], path: str, root: str, scale: float, first: int, newest: int
) -> tuple[TradeSlice, int]:
    """Return some records as trades, and the newest stamp: a record without a usable time takes it."""
    usable = ~_bad_time(records)
    ts = np.where(usable, ns_of(records["time"]), 0)
    clock = np.maximum.accumulate(np.r_[newest, ts])[1:]
    ticks, on_grid = ticks_of(records["close"], root, scale)
    bid, bid_good = ticks_of(records["low"], root, scale)
    ask, ask_good = ticks_of(records["high"], root, scale)
    quoted = bid_good & ask_good & (bid > 0) & (ask > bid)
    raw = RawTrades(np.where(usable, ts, clock), ticks, on_grid, records["volume"].astype(np.int64),
                    sides_of(records), lambda i: f"{path} record {first + i + 1}")  # fmt: skip
    part = TradeSlice(raw, usable, np.where(quoted, bid, 0), np.where(quoted, ask, 0))
    return part, int(clock[-1])
