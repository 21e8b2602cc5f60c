"""CME Group time-and-sales XML in a ZIP: every trade of a trade date, one second resolution, no side.

One member per contract and hour slot. `saledate` is the TRADE date; slots below 100 (17 = 16:00 … 24 =
23:00 Chicago) are the evening before it, slots from 101 (00:00) its own day. `Open` and `Indicative`
records have quantity 0 and are no trades. Order inside a second is the order of the file, so the second
is spread over +1, +2, … ns and nothing of it is known at its start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.parts import Ask, Part, contract_code, split_symbol, ticks_per_point
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.rawtrades import RawTrades, trade_rows
from mia_kernel.adapters.stamps import CHICAGO, DAY_NS, NS, parse_date, to_utc
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError, InputError
from mia_kernel.core.events import Carries, SourceInfo

IntArray = NDArray[np.int64]

MARK = b"<timeandSalesList>"
_END = b"</timeandSalesList>"
_RECORD = re.compile(
    rb"<reportRecordList><indictive>([^<]*)</indictive><quantity>(\d+)</quantity><saledate>([\d/]+)</saledate>"
    rb"<saleprice>([\d.]+)</saleprice><saletime>(\d\d:\d\d:\d\d)</saletime></reportRecordList>"
)
_RECORD_START = b"<reportRecordList>"
_MONTH_NAMES = {"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10,
                "NOV": 11, "DEC": 12}  # fmt: skip
_FIRST_SLOT_OF_TRADE_DATE = 100
_TRADE = b"-"


@dataclass(frozen=True, slots=True)
class _Slot:
    """Records of one contract in one hour."""

    path: str
    root: str
    contract: str
    number: int
    day: int  # trade date, days since 1970; 0 where the slot is empty
    marker: NDArray[Any]
    hundredths: IntArray  # price in 1/100 tick
    quantity: IntArray
    clock: IntArray  # ns since local midnight


def is_cme(data: bytes) -> bool:
    """Return whether the bytes begin like a time-and-sales member."""
    return MARK in data[:400]


def read_cme(members: list[Member], ask: Ask) -> list[Part]:
    """Return the trades of every contract in the members, one part each (contracts without a trade left out).

    Raises
    ------
    FormatError
        Where a member is cut, or a record breaks the layout: with member and byte offset.
    """
    slots: dict[tuple[str, str], list[_Slot]] = {}
    for member in ask.meter.over(members):
        slot = _read_slot(member)
        if ask.root is not None and ask.root != slot.root:
            raise InputError("the file holds another symbol", path=member.path, field="symbol", value=ask.symbol,
                             rule=f"prodCode {slot.root}", way_out=f"--symbol {slot.root}")  # fmt: skip
        if len(slot.quantity):
            slots.setdefault((slot.root, slot.contract), []).append(slot)
    parts = [_contract_part(root, contract, found, ask) for (root, contract), found in slots.items()]
    traded = [part for part in parts if part is not None]
    if not traded:
        raise FormatError("no trade in the file", path=members[0].path.split("!")[0], value=f"{len(members)} slots",
                          rule="at least one record marked '-'")  # fmt: skip
    return traded


def _text(member: Member, tag: str) -> str:
    match = re.search(rb"<%s>([^<]*)</%s>" % (tag.encode(), tag.encode()), member.data[:4096])
    if match is None:
        raise FormatError("a header field is missing", path=member.path, offset=0, field=tag, value=None,
                          rule=f"<{tag}> in searchCriteria")  # fmt: skip
    return match[1].decode()


def _read_slot(member: Member) -> _Slot:
    data = member.data
    if not data.rstrip().endswith(_END):
        raise FormatError("the XML is cut short", path=member.path, offset=len(data),
                          value=data[-40:].decode("utf-8", "replace"), rule=f"ends with {_END.decode()}",
                          way_out="fetch the file again; nothing was stored")  # fmt: skip
    root, _ = split_symbol(_text(member, "prodCode"))
    month, _, year = _text(member, "contractid").partition(" ")
    if month not in _MONTH_NAMES or not year.isdigit():
        raise FormatError("not a contract month", path=member.path, field="contractid", value=f"{month} {year}",
                          rule="for example SEP 19")  # fmt: skip
    number = _text(member, "timestart")
    if not number.isdigit():
        raise FormatError(
            "not an hour slot", path=member.path, field="timestart", value=number, rule="17-24, 101-117"
        )
    records = _RECORD.findall(data)
    if len(records) != data.count(_RECORD_START):
        raise _bad_record(member)
    columns: tuple[Any, ...] = tuple(zip(*records, strict=True)) if records else ((), (), (), (), ())
    marker, quantity, dates, prices, clock = (np.array(column, dtype="S") for column in columns)
    return _Slot(
        path=member.path,
        root=root,
        contract=contract_code(root, _MONTH_NAMES[month], int(year)),
        number=int(number),
        day=_trade_date(member, dates),
        marker=marker,
        hundredths=_ticks(member, prices, root),
        quantity=quantity.astype(np.int64) if len(quantity) else np.zeros(0, np.int64),
        clock=_clock(clock),
    )


def _bad_record(member: Member) -> FormatError:
    at = member.data.find(_RECORD_START)
    while at >= 0 and _RECORD.match(member.data, at):
        at = member.data.find(_RECORD_START, at + 1)
    shown = member.data[at : at + 200].decode("utf-8", "replace")
    return FormatError("a record breaks the layout", path=member.path, offset=at, value=shown,
                       rule="indictive, quantity, saledate MM/DD/YYYY, saleprice, saletime HH:MM:SS",
                       way_out="fetch the file again; nothing was stored")  # fmt: skip


def _trade_date(member: Member, dates: NDArray[Any]) -> int:
    if len(dates) == 0:
        return 0
    distinct = np.unique(dates)
    day = parse_date(distinct[0].decode())
    if len(distinct) != 1 or day is None:
        raise FormatError("more than one trade date in a slot, or no date", path=member.path, field="saledate",
                          value=[d.decode() for d in distinct[:3]], rule="one trade date MM/DD/YYYY")  # fmt: skip
    return day


def _ticks(member: Member, prices: NDArray[Any], root: str) -> IntArray:
    """Return prices as 1/100 tick, exact: `saleprice` is 100 times the price, so a 0.25 tick is 25."""
    if len(prices) == 0:
        return np.zeros(0, np.int64)
    try:
        cents = prices.astype(np.float64)
    except ValueError as error:
        raise FormatError("not a price", path=member.path, field="saleprice", value=str(error)) from error
    return np.rint(cents * ticks_per_point(root)).astype(np.int64)


def _clock(text: NDArray[Any]) -> IntArray:
    if len(text) == 0:
        return np.zeros(0, np.int64)
    digits = text.view(np.uint8).reshape(len(text), 8).astype(np.int64) - ord("0")
    seconds = ((digits[:, 0] * 10 + digits[:, 1]) * 60 + digits[:, 3] * 10 + digits[:, 4]) * 60
    return (seconds + digits[:, 6] * 10 + digits[:, 7]) * NS


def _contract_part(root: str, contract: str, slots: list[_Slot], ask: Ask) -> Part | None:
    slots = sorted(slots, key=lambda s: (s.day, s.number >= _FIRST_SLOT_OF_TRADE_DATE, s.number))
    path = slots[0].path.split("!")[0]
    marker = np.concatenate([slot.marker.astype("S10") for slot in slots])
    trade = marker == _TRADE
    if not trade.any():
        return None
    offset = [slot.day - (slot.number < _FIRST_SLOT_OF_TRADE_DATE) for slot in slots]
    local = np.concatenate([slot.clock + day * DAY_NS for slot, day in zip(slots, offset, strict=True)])[
        trade
    ]
    price = np.concatenate([slot.hundredths for slot in slots])[trade]
    member = np.repeat(np.arange(len(slots)), [len(slot.quantity) for slot in slots])[trade]
    record = np.concatenate([np.arange(1, len(slot.quantity) + 1) for slot in slots])[trade]
    raw = RawTrades(
        ts=to_utc(local, CHICAGO, path=path),
        ticks=price // 100,
        on_grid=price % 100 == 0,
        size=np.concatenate([slot.quantity for slot in slots])[trade],
        side=None,
        where=lambda i: f"{slots[int(member[i])].path} record {int(record[i])}",
    )
    findings = Findings(path, len(raw.ts), ask.quality)
    for code, name in ((b"Open", "opening price"), (b"Indicative", "indicative price")):
        findings.note(
            f"not_a_trade_{code.decode().lower()}", int((marker == code).sum()), f"{name} records left out"
        )
    events = trade_rows(raw, findings, resolution_ns=NS)
    info = SourceInfo(
        tag="imported",
        adapter="cme",
        name=path,
        symbol=root,
        contract=contract,
        zone=CHICAGO,
        clock_resolution_ns=NS,
        adjustment="contract",
        carries=Carries(trades=True, aggressor="tick_rule"),
        notes=(
            "no aggressor in the file: sides only by tick rule",
            "order inside a second is the order of the file",
        ),
    )
    return Part(events, info, findings.verdict(), path)
