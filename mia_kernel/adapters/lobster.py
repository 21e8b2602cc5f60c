"""LOBSTER pairs: Nasdaq messages and the order book after each of them.

Message: seconds of the day (New York), type, order number, size, price × 10,000, direction of the RESTING
order, so the aggressor of an execution is the opposite. Book: rows of (ask price, ask size, bid price, bid
size) per level, the state after the message of the same line. Types: 1 add, 2 partial cancel, 3 delete,
4 execution, 5 execution of a hidden order, 6 cross, 7 halt. Symbol and day stand in the file's name.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.bookrows import book_rows, by_record, usable
from mia_kernel.adapters.parts import Ask, Part
from mia_kernel.adapters.quality import Findings, judge_sides
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.stamps import DAY_NS, NEW_YORK, NS, parse_date, to_utc
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError
from mia_kernel.core.events import Carries, EventArray, SourceInfo
from mia_kernel.core.instrument import INSTRUMENTS

IntArray = NDArray[np.int64]

_NAME = re.compile(r"([A-Z]{1,5})_(\d{4}-\d{2}-\d{2})_\d+_\d+_(message|orderbook)_(\d+)")
_HEADER = re.compile(rb"(ASK|BID)_\d+_(PRICE|QTY|SIZE)")
_UNITS_PER_TICK = 100  # prices are in 1/10,000 USD, the tick is 0.01 USD
_EXECUTIONS = (4, 5)
_HALT = 7


def is_lobster(member: Member) -> bool:
    """Return whether a member is a LOBSTER message or book file."""
    fields = [field.strip() for field in member.data[:4096].split(b"\n", 1)[0].split(b",")]
    if _HEADER.fullmatch(fields[0]):
        return True
    if not all(re.fullmatch(rb"-?\d+(\.\d+)?", field) for field in fields):
        return False
    message = len(fields) == 6 and b"." in fields[0] and fields[5] in (b"1", b"-1")
    return message or (len(fields) >= 4 and len(fields) % 4 == 0 and b"." not in b"".join(fields))


def read_lobster(members: list[Member], ask: Ask) -> list[Part]:
    """Return the book and the executions of a pair, or what one file alone can tell.

    Raises
    ------
    FormatError, DataError
        If the name tells no symbol and day, the lines of a pair differ in number, or a book stands alone: without
        its messages it has no time.
    """
    pairs: dict[tuple[str, str], dict[str, Member]] = {}
    for member in members:
        symbol, day, kind = _named(member)
        pairs.setdefault((symbol, day), {})[kind] = member
    return [_pair(symbol, day, found, ask) for (symbol, day), found in pairs.items()]


def _named(member: Member) -> tuple[str, str, str]:
    match = _NAME.search(member.path)
    if match is None:
        raise FormatError("the name tells no symbol and day", path=member.path, field="name", value=member.name,
                          rule="SYMBOL_YYYY-MM-DD_start_end_message_levels.csv")  # fmt: skip
    if match[1] not in INSTRUMENTS:
        raise DataError("an instrument MIA does not know", path=member.path, field="symbol", value=match[1],
                        rule=f"one of {', '.join(INSTRUMENTS)}")  # fmt: skip
    return match[1], match[2], match[3]


def _numbers(member: Member, columns: int | None) -> tuple[NDArray[np.float64], int]:
    """Return the numbers of a file and the line of the first."""
    data = member.data
    first = 2 if _HEADER.match(data) else 1
    body = data.split(b"\n", 1)[1] if first == 2 and b"\n" in data else data
    lines = body.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    width = columns or lines[0].count(b",") + 1
    for at, line in enumerate(lines):
        if line.count(b",") != width - 1:
            raise FormatError("a line with the wrong number of fields", path=member.path, line=first + at,
                              value=line[:80].decode("utf-8", "replace"), rule=f"{width} fields")  # fmt: skip
    try:
        values = np.array(b",".join(lines).replace(b"\r", b"").split(b","), dtype="S32").astype(np.float64)
    except ValueError as error:
        raise FormatError(
            "not a number", path=member.path, value=str(error)[:80], rule="numbers only"
        ) from error
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0]) // width
        raise FormatError("not a number", path=member.path, line=first + at, rule="finite numbers")
    return values.reshape(-1, width), first


def _pair(symbol: str, day: str, found: dict[str, Member], ask: Ask) -> Part:
    if "message" not in found:
        book = found["orderbook"]
        raise DataError("a book without its messages has no time", path=book.path, field="time", value=None,
                        rule="the message file of the same name beside it",
                        way_out=f"put {book.name.replace('orderbook', 'message')} beside it")  # fmt: skip
    member = found["message"]
    message, first = _numbers(member, 6)
    ts = to_utc(_local(day, member, message), NEW_YORK, path=member.path)
    kind = message[:, 1].astype(np.int64)
    is_trade = np.isin(kind, _EXECUTIONS)
    findings = Findings(member.path, len(message), ask.quality)
    wrong = ~np.isin(message[:, 5], (1, -1))  # the last field: a line cut inside it does not hold 1 or -1
    findings.quarantine("bad_direction", wrong, lambda i: f"line {first + i}: direction {message[i, 5]:g}")
    findings.note("halts", int((kind == _HALT).sum()), f"{int((kind == _HALT).sum())} halt messages")
    trades, at = _trades(message, ts, is_trade & findings.keep, findings, member.path, first)
    if "orderbook" in found:
        rows = _with_book(found["orderbook"], ts, trades, at, findings, first)
    else:
        rows = trades
    aggressor: ev.Aggressor = judge_sides(rows, None, None, findings)
    info = SourceInfo(
        tag="imported", adapter="lobster", name=member.path, symbol=symbol, contract=None, zone=NEW_YORK,
        clock_resolution_ns=1, adjustment="contract",
        carries=Carries(book="orderbook" in found, trades=len(trades) > 0, aggressor=aggressor),
        notes=("direction in the file is of the resting order; the aggressor is the opposite",),
    )  # fmt: skip
    return Part(rows, info, findings.verdict(), member.path)


def _local(day: str, member: Member, message: NDArray[np.float64]) -> IntArray:
    number = parse_date(day)
    if number is None or bool(((message[:, 0] < 0) | (message[:, 0] >= 86_400)).any()):
        raise FormatError("not a time", path=member.path, field="time", value=float(message[0, 0]),
                          rule="seconds since midnight of the day in the name")  # fmt: skip
    # A float64 holds the ns of a day exactly only in part: whole seconds and the rest apart.
    whole = np.floor(message[:, 0])
    return (
        number * DAY_NS
        + whole.astype(np.int64) * NS
        + np.rint((message[:, 0] - whole) * 1e9).astype(np.int64)
    )


def _trades(
    message: NDArray[np.float64],
    ts: IntArray,
    chosen: NDArray[np.bool_],
    findings: Findings,
    path: str,
    first: int,
) -> tuple[EventArray, IntArray]:
    at = np.flatnonzero(chosen)
    price = np.rint(message[at, 4]).astype(np.int64)
    # Hidden orders may execute at half a cent: no tick, so set aside and counted.
    inner = Findings(path, len(at), findings.params.model_copy(update={"refuse_share": 1.0}))
    raw = RawTrades(ts[at], price // _UNITS_PER_TICK, price % _UNITS_PER_TICK == 0,
                    np.clip(message[at, 3], -1, 2**31).astype(np.int64),
                    (-np.sign(message[at, 5])).astype(np.int8), lambda i: f"{path}:{first + int(at[i])}")  # fmt: skip
    rows = trade_rows(raw, inner, resolution_ns=1)
    for code, count in inner.quarantined.items():
        findings.aside(code, count, next(cause for cause in inner.causes if cause.startswith(code)))
    for name, share in inner.terms.items():
        findings.term(name, share)
    findings.counts["executions"] = len(at)
    return rows, at[inner.keep]


def _with_book(
    member: Member, ts: IntArray, trades: EventArray, at: IntArray, findings: Findings, first: int
) -> EventArray:
    levels, book_first = _numbers(member, None)
    if len(levels) != len(ts):
        raise DataError("the pair does not belong together", path=member.path, field="lines", value=len(levels),
                        rule=f"{len(ts)} lines as in the messages", line=book_first)  # fmt: skip
    if levels.shape[1] % 4:
        raise FormatError(
            "not a whole number of levels", path=member.path, value=levels.shape[1], rule="4 columns a level"
        )
    whole = np.where(np.abs(levels) < 9e9, levels, 0).astype(np.int64)  # ±9,999,999,999 marks an empty level
    ask, ask_size, bid, bid_size = (whole[:, k::4] for k in range(4))
    books = book_rows(ts, _whole_ticks(bid), bid_size, _whole_ticks(ask), ask_size)
    _count_at_best(levels, trades, at, findings)
    shown = usable(books, findings)
    rows = by_record(books[shown], shown, trades, at)
    rows["ts_recv"] = np.maximum.accumulate(rows["ts_recv"])
    return rows


def _whole_ticks(price: Any) -> IntArray:
    return np.where((price > 0) & (price % _UNITS_PER_TICK == 0), price // _UNITS_PER_TICK, 0)


def _count_at_best(levels: NDArray[np.float64], trades: EventArray, at: IntArray, findings: Findings) -> None:
    """Count the executions at the best price of the book before them: all of them where the pair is in step."""
    later = at > 0
    before = levels[at[later] - 1]
    best = np.where(trades["side"][later] > 0, before[:, 0], before[:, 2])
    findings.counts["at_best_before"] = int(
        (best == trades["px"][later].astype(np.int64) * _UNITS_PER_TICK).sum()
    )
