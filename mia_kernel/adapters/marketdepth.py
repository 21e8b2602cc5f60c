"""Sierra Chart's market depth files (`.depth`): read as books, and written.

Header 64 bytes, then commands of 24 bytes: clear, add, modify and delete a level at its PRICE. Only after
the flag "end of batch" is the book consistent, so a row is given out there and nowhere else. A clear
starts a full snapshot. A file covers one UTC day.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.dbn_book import ADD, CANCEL, CLEAR, MODIFY, OTHER, replay_book
from mia_kernel.adapters.parts import Ask, Part, resolve_symbol, ticks_per_point
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.scid import EPOCH_US, ns_of
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.silence import stale_term
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.events import Carries, EventArray, SourceInfo
from mia_kernel.core.instrument import INSTRUMENTS
from mia_kernel.core.session import open_mask

IntArray = NDArray[np.int64]

MAGIC = b"SCDD"
HEADER = struct.Struct("<4sIII48s")
END_OF_BATCH = 0x01
CLEAR_BOOK, ADD_BID, ADD_ASK, MODIFY_BID, MODIFY_ASK, DELETE_BID, DELETE_ASK = range(1, 8)
RECORD = np.dtype([("time", "<i8"), ("command", "u1"), ("flags", "u1"), ("orders", "<u2"),
                   ("price", "<f4"), ("quantity", "<u4"), ("reserved", "<u4")])  # fmt: skip
_ACTIONS = np.array([OTHER, CLEAR, ADD, ADD, MODIFY, MODIFY, CANCEL, CANCEL], np.int8)
_SIDES = np.array([-1, -1, 0, 1, 0, 1, 0, 1], np.int8)
_DAY_US = 86_400 * 1_000_000


def depth_records(member: Member) -> tuple[NDArray[Any], int]:
    """Return the whole records of a file and the bytes of a partial last one.

    Raises
    ------
    FormatError
        If the header is cut or of another layout.
    """
    data = member.data
    if len(data) < HEADER.size:
        raise FormatError("the .depth header is cut short", path=member.path, offset=len(data), value=len(data),
                          rule=f"{HEADER.size} bytes", way_out="copy the file again")  # fmt: skip
    magic, header, size, version, _ = HEADER.unpack_from(data)
    if magic != MAGIC or header < HEADER.size or size != RECORD.itemsize or version != 1:
        raise FormatError("not a .depth header of version 1", path=member.path, offset=0,
                          value=f"header {header}, record {size}, version {version}",
                          rule="header 64 or more, record 24, version 1")  # fmt: skip
    count, rest = divmod(max(len(data) - header, 0), size)
    if count == 0:
        raise FormatError("no whole record in the file", path=member.path, offset=header, value=rest,
                          rule=f"at least one record of {size} bytes")  # fmt: skip
    return np.frombuffer(data, RECORD, count=count, offset=header), rest


def read_depth(members: list[Member], ask: Ask) -> list[Part]:
    """Return the books of each member, one row per batch that changes a visible level.

    Raises
    ------
    FormatError, DataError
        For a cut header, an unknown command, or prices that need a multiplier.
    """
    return [_part(member, ask) for member in members]


def _part(member: Member, ask: Ask) -> Part:
    records, rest = depth_records(member)
    root, contract = resolve_symbol(member.path, ask)
    findings = Findings(member.path, len(records), ask.quality)
    findings.note("partial_record", int(rest > 0), f"the last {rest} bytes are no whole record, left out")
    wild = (
        (records["command"] > DELETE_ASK)
        | (records["time"] < EPOCH_US)
        | (records["time"] > EPOCH_US + 2**52)
    )
    findings.quarantine("bad_record", wild, lambda i: (
        f"record {i + 1}: command {int(records['command'][i])}, time {int(records['time'][i])}"))  # fmt: skip
    records = records[findings.keep]
    priced = np.isin(records["command"], range(ADD_BID, DELETE_ASK + 1))
    scale = multiplier_of(ask, member.path) * ticks_per_point(root)
    with np.errstate(invalid="ignore"):  # a damaged price may be a signalling NaN: it is told below
        prices = records["price"].astype(np.float64)
    check_scale(prices[priced] * scale / ticks_per_point(root), root, member.path, scale)
    exact = np.where(priced, prices * scale, 0.0)
    sound = np.isfinite(exact) & (exact >= 0) & (exact < 2**31)
    ticks = np.rint(np.where(sound, exact, 0)).astype(np.int64)
    off = priced & (
        ~sound | (np.abs(exact - ticks) > 1e-3) | (ticks <= 0) | (records["quantity"] > 2**31 - 1)
    )
    findings.aside(
        "off_grid_levels", int(off.sum()), f"{int(off.sum())} commands whose price is no tick left out"
    )
    findings.term("off_grid", float(off.mean()))
    ts = ns_of(records["time"])
    back = np.diff(ts) < 0
    findings.repair(
        "out_of_order", int(back.sum()), f"{int(back.sum())} commands stamped before the one in front"
    )
    rows = _replay(records, np.where(priced & ~off, ticks, -1), off, np.maximum.accumulate(ts), findings)
    info = SourceInfo(
        tag="imported", adapter="depth", name=member.path, symbol=root, contract=contract, zone="UTC",
        clock_resolution_ns=1_000, adjustment="contract" if contract else "unknown", carries=Carries(book=True),
    )  # fmt: skip
    return Part(rows, info, findings.verdict(), member.path)


def _replay(
    records: NDArray[Any], ticks: IntArray, off: NDArray[np.bool_], ts: IntArray, findings: Findings
) -> EventArray:
    action = np.where(off, OTHER, _ACTIONS[records["command"]]).astype(np.int8)
    side = _SIDES[records["command"]]
    # A level is one resting "order" at its price and side; a delete takes all of it.
    level = np.where(ticks >= 0, ticks * 2 + (side == 1), 0).astype(np.uint64)
    size = np.where(action == CANCEL, 2**31 - 1, records["quantity"]).astype(np.int64)
    empty = (action == MODIFY) & (size == 0)
    action[empty], size[empty] = CANCEL, 2**31 - 1
    last = (records["flags"] & END_OF_BATCH) != 0
    closed = ~open_mask(ts)
    book = replay_book(level, action, side, ticks, size, last, closed)
    counts = book.counts
    findings.counts["batches"] = int(last.sum())
    findings.note(
        "closed_book_events", counts["closed"], f"{counts['closed']} batches in closed hours, not given out"
    )
    findings.aside("crossed", counts["crossed"], f"{counts['crossed']} books crossed or locked in open hours")
    findings.note(
        "unknown_levels",
        counts["unknown_orders"],
        "changes of levels never added; a change is taken as an add",
    )
    findings.term("crossed", counts["crossed"] / max(counts["events"] - counts["closed"], 1))
    stale_term(findings, ts[last & ~closed])
    rows = ev.empty(len(book.record))
    rows["ts_event"] = rows["ts_recv"] = ts[book.record]
    rows["seq"] = np.arange(len(rows))
    rows["kind"] = ev.BOOK
    rows["bid"], rows["ask"], rows["b"], rows["a"] = book.bid, book.ask, book.bid_sizes, book.ask_sizes
    return rows


def depth_files(events: EventArray, root: str) -> dict[str, bytes]:
    """Return the `.depth` files of the BOOK rows by UTC day (`2022-01-24`): a snapshot, then what changes.

    Raises
    ------
    DataError
        If there is no BOOK row.
    """
    books = events[events["kind"] == ev.BOOK]
    if len(books) == 0:
        raise DataError("no book to write", field="events", value=len(events), rule="BOOK rows")
    files: dict[str, bytes] = {}
    days = books["ts_event"] // (_DAY_US * 1_000)
    for day in np.unique(days):
        name = str(np.datetime64(int(day), "D"))
        body = _day_records(books[days == day], float(INSTRUMENTS[root].tick_size))
        files[name] = HEADER.pack(MAGIC, HEADER.size, RECORD.itemsize, 1, b"") + body.tobytes()
    return files


def _day_records(books: EventArray, tick: float) -> NDArray[Any]:
    out: list[tuple[int, int, int, int, float, int, int]] = []
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for at, row in enumerate(books):
        time = int(row["ts_event"]) // 1_000 + EPOCH_US
        batch: list[tuple[int, int, int, int, float, int, int]] = []
        if at == 0:
            batch.append((time, CLEAR_BOOK, 0, 0, 0.0, 0, 0))
        bids = _changes(batch, time, bids, _levels(row["b"], int(row["bid"]), -1), tick, ADD_BID)
        asks = _changes(batch, time, asks, _levels(row["a"], int(row["ask"]), 1), tick, ADD_ASK)
        if batch:
            last = batch[-1]
            batch[-1] = (last[0], last[1], END_OF_BATCH, *last[3:])
            out += batch
    return np.array(out, RECORD)


def _levels(sizes: Any, best: int, step: int) -> dict[int, int]:
    if best <= 0:
        return {}
    return {best + step * i: int(size) for i, size in enumerate(sizes.tolist()) if size > 0}


def _changes(
    batch: list[Any], time: int, old: dict[int, int], new: dict[int, int], tick: float, add: int
) -> dict[int, int]:
    modify, delete = add + (MODIFY_BID - ADD_BID), add + (DELETE_BID - ADD_BID)
    batch.extend((time, delete, 0, 0, price * tick, 0, 0) for price in old.keys() - new.keys())
    for price, size in new.items():
        if old.get(price) != size:
            batch.append((time, modify if price in old else add, 0, 0, price * tick, size, 0))
    return new
