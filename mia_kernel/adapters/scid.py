"""Sierra Chart's intraday records (`.scid`): read as trades or bars, and written.

Header 56 bytes, then records of 40 bytes: microseconds since 1899-12-30 UTC, four float32 prices, trades,
volume, bid and ask volume. A tick record holds the trade in Close, the ask in High and the bid in Low; Open
is a marker (0, or below -1e30 for the first and last part of an unbundled trade). Precision is 1 ms: the
microsecond digits only keep trades of one millisecond apart. Sizes of bid and ask are not in the file, so no
QUOTE row is made: the quote stands on the trade's own row.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.parts import Ask, Part, resolve_symbol, ticks_per_point
from mia_kernel.adapters.quality import Findings, judge_sides
from mia_kernel.adapters.rawbars import RawBars, bar_rows, bar_seconds
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.scid_rows import EPOCH_US, LAST_US, UNBUNDLED, clean_rows, ns_of
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.events import Carries, EventArray, SourceInfo
from mia_kernel.core.instrument import INSTRUMENTS

IntArray = NDArray[np.int64]

MAGIC = b"SCID"
HEADER = struct.Struct("<4sIIHHI36s")
_FIELDS: dict[str, tuple[str, int]] = {
    "time": ("<i8", 0), "open": ("<f4", 8), "high": ("<f4", 12), "low": ("<f4", 16), "close": ("<f4", 20),
    "trades": ("<u4", 24), "volume": ("<u4", 28), "bid_volume": ("<u4", 32), "ask_volume": ("<u4", 36),
}  # fmt: skip
_MS_NS = 1_000_000
SHOWN = 10_000
"""Prices that are looked at, evenly through the file, to tell whether they need a multiplier."""
_FIRST_OF_UNBUNDLED, _LAST_OF_UNBUNDLED = np.float32(-1.99900095e37), np.float32(-1.99900197e37)


def _layout(size: int) -> np.dtype[Any]:
    return np.dtype({"names": list(_FIELDS), "formats": [f for f, _ in _FIELDS.values()],
                     "offsets": [at for _, at in _FIELDS.values()], "itemsize": size})  # fmt: skip


def records_of(member: Member) -> tuple[NDArray[Any], int]:
    """Return the whole records of a file (a view, uncopied) and the bytes of a partial last one.

    Raises
    ------
    FormatError
        If the header is cut or of another layout.
    """
    layout, header = layout_of(member)
    count, rest = divmod(max(len(member.data) - header, 0), layout.itemsize)
    if count == 0:
        raise FormatError("no whole record in the file", path=member.path, offset=header, value=rest,
                          rule=f"at least one record of {layout.itemsize} bytes")  # fmt: skip
    return np.frombuffer(member.data, layout, count=count, offset=header), rest


def layout_of(member: Member) -> tuple[np.dtype[Any], int]:
    """Return the layout of a file's records and the size of its header.

    Raises
    ------
    FormatError
        If the header is cut or of another layout.
    """
    data = member.data
    if len(data) < HEADER.size:
        raise FormatError("the .scid header is cut short", path=member.path, offset=len(data), value=len(data),
                          rule=f"{HEADER.size} bytes", way_out="copy the file again")  # fmt: skip
    magic, header, size, version, _, _, _ = HEADER.unpack_from(data)
    if magic != MAGIC or header < HEADER.size or size < 40 or version != 1:
        raise FormatError("not a .scid header of version 1", path=member.path, offset=0,
                          value=f"header {header}, record {size}, version {version}",
                          rule="header 56 or more, record 40 or more, version 1")  # fmt: skip
    return _layout(size), header


def read_scid(members: list[Member], ask: Ask) -> list[Part]:
    """Return the trades or bars of each member.

    Raises
    ------
    FormatError, DataError
        For a cut header, a file of trades and bars together, or prices that need a multiplier.
    """
    return [_part(member, ask) for member in members]


def _part(member: Member, ask: Ask) -> Part:
    records, rest = records_of(member)
    root, contract = resolve_symbol(member.path, ask)
    findings = Findings(member.path, len(records), ask.quality)
    findings.note("partial_record", int(rest > 0), f"the last {rest} bytes are no whole record, left out")
    scale = multiplier_of(ask, member.path)
    with np.errstate(invalid="ignore"):
        shown = records["close"][:: max(len(records) // SHOWN, 1)]
        check_scale(shown.astype(np.float64) * scale, root, member.path, scale)
    clean = clean_rows(records, scale * ticks_per_point(root), findings)
    if clean is not None:
        return _trade_part(member.path, root, contract, *clean, findings)
    bad_time = (records["time"] < EPOCH_US) | (records["time"] > LAST_US)
    tick = (records["open"] == 0) | (records["open"] < UNBUNDLED)
    if tick.any() and not tick[~bad_time].all():
        at = int(np.flatnonzero(tick != tick[0])[0])
        raise DataError("trades and bars stand in one file", path=member.path, field="Open",
                        value=float(records["open"][at]), rule="all records are trades or all are bars",
                        way_out="export one kind", offset=HEADER.size + at * records.dtype.itemsize)  # fmt: skip
    findings.quarantine("bad_time", bad_time, lambda i: f"record {i + 1}: time {int(records['time'][i])}")
    make = _trades if tick.all() else _bars
    return make(member.path, records, root, contract, scale, findings)


def ticks_of(points: NDArray[Any], root: str, scale: float) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return prices of a file in ticks, and whether each is one."""
    with np.errstate(invalid="ignore"):  # a bent float32 may be a signalling NaN
        exact = points.astype(np.float64) * (scale * ticks_per_point(root))
    good = np.isfinite(exact) & (np.abs(exact) < 2**31)
    whole = np.rint(np.where(good, exact, 0))
    return whole.astype(np.int64), good & (np.abs(exact - whole) < 1e-3)


def sides_of(records: NDArray[Any]) -> NDArray[np.int8]:
    """Return +1 where a record's volume was bought at the ask, -1 where it was sold at the bid."""
    return (records["ask_volume"] > 0).astype(np.int8) - (records["bid_volume"] > 0).astype(np.int8)


def decode(
    records: NDArray[Any], root: str, scale: float = 1.0
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.int8]]:
    """Return (ns UTC, ticks, contracts, side) of tick records: the plain columns without any check."""
    ticks = np.rint(records["close"] * np.float32(scale * ticks_per_point(root))).astype(np.int64)
    return ns_of(records["time"]), ticks, records["volume"].astype(np.int64), sides_of(records)


def _trade_part(
    path: str, root: str, contract: str | None, rows: EventArray, aggressor: ev.Aggressor, findings: Findings
) -> Part:
    return Part(rows, trade_info(path, root, contract, aggressor), findings.verdict(), path)


def trade_info(path: str, root: str, contract: str | None, aggressor: ev.Aggressor) -> SourceInfo:
    """Return what is known of a file of trades."""
    notes = ("the quote at each trade stands on its row; its sizes are not in the file",)
    return _info(path, root, contract, _MS_NS, Carries(trades=True, aggressor=aggressor), notes)


def _usable_ns(time: NDArray[np.int64], findings: Findings) -> IntArray:
    """Return stamps in ns UTC; a record set aside takes the newest before it, so that none behind it looks late."""
    ts = np.where(findings.keep, ns_of(time), 0)
    return np.where(findings.keep, ts, np.maximum.accumulate(ts))


def _trades(
    path: str, records: NDArray[Any], root: str, contract: str | None, scale: float, findings: Findings
) -> Part:
    """Return the trades of a file with a defect: whole columns, every finding with its place."""
    ticks, on_grid = ticks_of(records["close"], root, scale)
    ts = _usable_ns(records["time"], findings)
    raw = RawTrades(ts, ticks, on_grid, records["volume"].astype(np.int64),
                    sides_of(records), lambda i: f"{path} record {i + 1}")  # fmt: skip
    parts = int((records["open"] < UNBUNDLED).sum())
    findings.note("unbundled", parts, f"{parts} records are first or last part of an unbundled trade")
    rows = trade_rows(raw, findings, resolution_ns=_MS_NS)
    bid, bid_good = ticks_of(records["low"], root, scale)
    ask, ask_good = ticks_of(records["high"], root, scale)
    quoted = bid_good & ask_good & (bid > 0) & (ask > bid)
    rows["bid"], rows["ask"] = (
        np.where(quoted, bid, 0)[findings.keep],
        np.where(quoted, ask, 0)[findings.keep],
    )
    aggressor = judge_sides(rows, rows["bid"].astype(np.int64), rows["ask"].astype(np.int64), findings)
    return _trade_part(path, root, contract, rows, aggressor, findings)


def _bars(
    path: str, records: NDArray[Any], root: str, contract: str | None, scale: float, findings: Findings
) -> Part:
    points = {name: records[name].astype(np.float64) * scale for name in ("open", "high", "low", "close")}
    start = _usable_ns(records["time"], findings)
    raw = RawBars(
        start=start, **points, volume=records["volume"].astype(np.float64),
        trades=records["trades"].astype(np.float64), bid_volume=records["bid_volume"].astype(np.float64),
        ask_volume=records["ask_volume"].astype(np.float64), lines=np.arange(1, len(records) + 1),
        member=np.zeros(len(records), np.int64), members=(path,),
    )  # fmt: skip
    rows = bar_rows(raw, root, findings, bar_seconds(start[findings.keep], path))
    side = "feed" if rows.side_trusted else "untrusted"
    carries = Carries(aggressor=side, bars=True, bar_seconds=rows.seconds)
    return Part(rows.events, _info(path, root, contract, _MS_NS, carries, ()), findings.verdict(), path)


def _info(
    path: str, root: str, contract: str | None, resolution: int, carries: Carries, notes: tuple[str, ...]
) -> SourceInfo:
    return SourceInfo(
        tag="imported", adapter="scid", name=path, symbol=root, contract=contract, zone="UTC",
        clock_resolution_ns=resolution, adjustment="contract" if contract else "unknown", carries=carries, notes=notes,
    )  # fmt: skip


def scid_bytes(events: EventArray, root: str) -> bytes:
    """Return the `.scid` file of the TRADE rows (or, where there is none, the BAR rows) of one instrument.

    A trade's time is cut to the millisecond and numbered in its microsecond digits, as Sierra does; bid and
    ask come from the row, else from the QUOTE or BOOK row before it, else they are 0 (unknown).

    Raises
    ------
    DataError
        If there is no such row, or over 1,000 trades lie in one millisecond.
    """
    trades = events["kind"] == ev.TRADE
    records = (
        _trade_records(events, trades, root)
        if trades.any()
        else _bar_records(events[events["kind"] == ev.BAR], root)
    )
    if len(records) == 0:
        raise DataError(
            "no trade and no bar to write", field="events", value=len(events), rule="TRADE or BAR rows"
        )
    return HEADER.pack(MAGIC, HEADER.size, records.dtype.itemsize, 1, 0, 0, b"") + records.tobytes()


def _trade_records(events: EventArray, trades: NDArray[np.bool_], root: str) -> NDArray[Any]:
    bid, ask = quote_at(events)
    rows = events[trades]
    tick = float(INSTRUMENTS[root].tick_size)
    ms = rows["ts_event"] // _MS_NS
    order = np.argsort(ms, kind="stable")
    rows, ms = rows[order], ms[order]
    first = np.flatnonzero(np.r_[True, ms[1:] != ms[:-1]])
    number = np.arange(len(ms)) - np.repeat(first, np.diff(np.r_[first, len(ms)]))
    if number.max(initial=0) > 999:
        raise DataError("more than 1,000 trades in one millisecond", field="ts_event", value=int(number.max()) + 1,
                        rule="a .scid file tells at most 1,000 apart")  # fmt: skip
    records = np.zeros(len(rows), _layout(40))
    records["time"] = ms * 1_000 + number + EPOCH_US
    records["close"] = rows["px"] * tick
    records["high"], records["low"] = ask[trades][order] * tick, bid[trades][order] * tick
    records["trades"] = 1
    records["volume"] = rows["sz"]
    records["bid_volume"] = np.where(rows["side"] < 0, rows["sz"], 0)
    records["ask_volume"] = np.where(rows["side"] > 0, rows["sz"], 0)
    return records


def quote_at(events: EventArray) -> tuple[IntArray, IntArray]:
    """Return bid and ask in force at each row, ticks: the row's own, else of the QUOTE or BOOK row before, else 0."""
    own = (events["bid"] > 0) & (events["ask"] > 0)
    known = own & (events["kind"] != ev.BAR)
    at = (
        np.maximum.accumulate(np.where(known, np.arange(len(events)), -1))
        if len(events)
        else np.zeros(0, np.int64)
    )
    return np.where(at >= 0, events["bid"][at], 0).astype(np.int64), np.where(
        at >= 0, events["ask"][at], 0
    ).astype(np.int64)


def _bar_records(rows: EventArray, root: str) -> NDArray[Any]:
    tick = float(INSTRUMENTS[root].tick_size)
    records = np.zeros(len(rows), _layout(40))
    records["time"] = (
        (rows["ts_event"] // 1_000) - rows["b"][:, ev.BAR_SECONDS].astype(np.int64) * 1_000_000 + EPOCH_US
    )
    for name, at in (("open", ev.BAR_OPEN), ("high", ev.BAR_HIGH), ("low", ev.BAR_LOW)):
        records[name] = rows["b"][:, at] * tick
    records["close"] = rows["px"] * tick
    records["volume"] = rows["sz"]
    records["trades"] = rows["b"][:, ev.BAR_TRADES]
    records["bid_volume"], records["ask_volume"] = (
        rows["b"][:, ev.BAR_BID_VOLUME],
        rows["b"][:, ev.BAR_ASK_VOLUME],
    )
    return records
