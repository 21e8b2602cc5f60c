"""Databento DBN, versions 1 to 3: mbo, mbp-1, mbp-10, bbo, trades, tbbo, ohlcv; the rest as tables.

`databento-dbn` reads the metadata; the records, which it would hand over one Python object at a time,
are viewed as one numpy array of their fixed layout. Prices are 1e-9 points, stamps ns UTC, `side` is the
aggressor of a trade. Closed hours are told by the exchange's stamp, not by the time of receipt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import databento_dbn
import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.dbn_rows import book_part, level_part, ohlcv_part, trade_part
from mia_kernel.adapters.dbn_tables import TABLES, read_table
from mia_kernel.adapters.parts import Ask, OptionFile, Part, full_contract, split_symbol
from mia_kernel.adapters.quality import Verdict
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.events import SourceInfo
from mia_kernel.core.instrument import STOCKS

_HEADER = [
    ("length", "u1"),
    ("rtype", "u1"),
    ("publisher", "<u2"),
    ("instrument", "<u4"),
    ("ts_event", "<u8"),
]
_PRINT = [("price", "<i8"), ("size", "<u4"), ("action", "S1"), ("side", "S1"), ("flags", "u1"), ("depth", "u1"),
          ("ts_recv", "<u8"), ("delta", "<i4"), ("sequence", "<u4")]  # fmt: skip
_LEVEL = np.dtype([("bid_px", "<i8"), ("ask_px", "<i8"), ("bid_sz", "<u4"), ("ask_sz", "<u4"),
                   ("bid_ct", "<u4"), ("ask_ct", "<u4")])  # fmt: skip
_ORDER = [("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel", "u1"),
          ("action", "S1"), ("side", "S1"), ("ts_recv", "<u8"), ("delta", "<i4"), ("sequence", "<u4")]  # fmt: skip
_BAR = [("open", "<i8"), ("high", "<i8"), ("low", "<i8"), ("close", "<i8"), ("volume", "<u8")]

_TRADES = np.dtype([*_HEADER, *_PRINT])
_MBP1 = np.dtype([*_HEADER, *_PRINT, ("levels", _LEVEL, (1,))])
_MBP10 = np.dtype([*_HEADER, *_PRINT, ("levels", _LEVEL, (10,))])
_MBO = np.dtype([*_HEADER, *_ORDER])
_OHLCV = np.dtype([*_HEADER, *_BAR])

_LAYOUTS: dict[str, tuple[int, np.dtype[Any], Any]] = {
    "mbo": (0xA0, _MBO, book_part),
    "mbp-1": (0x01, _MBP1, level_part),
    "tbbo": (0x01, _MBP1, level_part),
    "bbo-1s": (0xC3, _MBP1, level_part),
    "bbo-1m": (0xC4, _MBP1, level_part),
    "mbp-10": (0x0A, _MBP10, level_part),
    "trades": (0x00, _TRADES, trade_part),
    "ohlcv-1s": (0x20, _OHLCV, ohlcv_part),
    "ohlcv-1m": (0x21, _OHLCV, ohlcv_part),
    "ohlcv-1h": (0x22, _OHLCV, ohlcv_part),
    "ohlcv-1d": (0x23, _OHLCV, ohlcv_part),
}

_STOCKS = {stock.symbol for stock in STOCKS}
_OPTION = re.compile(r"[A-Z0-9]{2,6} [CP]\d+")


@dataclass(frozen=True, slots=True)
class DbnHead:
    """The metadata of a file that the readers need."""

    schema: str
    version: int
    body: int  # byte offset of the first record
    end_ns: int
    names: dict[int, str]  # instrument number to raw symbol


def is_dbn(data: bytes) -> bool:
    """Return whether the bytes begin like a DBN stream."""
    return data[:3] == b"DBN" and len(data) > 8


def read_head(member: Member) -> DbnHead:
    """Return the metadata of a DBN member.

    Raises
    ------
    FormatError
        If the metadata is cut or its version unknown.
    """
    data = member.data
    version = data[3] if len(data) > 3 else 0
    length = 8 + int.from_bytes(data[4:8], "little")
    if version not in (1, 2, 3) or length > len(data):
        raise FormatError("the DBN metadata is cut short or of an unknown version", path=member.path,
                          offset=min(length, len(data)), field="version", value=version,
                          rule="DBN versions 1 to 3, metadata complete", way_out="fetch the file again")  # fmt: skip
    try:
        meta = databento_dbn.Metadata.decode(data[:length])
        schema = str(meta.schema) if meta.schema is not None else "mixed"
        names = _names(meta)
    except (databento_dbn.DBNError, ValueError, OverflowError) as error:
        raise FormatError("the DBN metadata is damaged", path=member.path, offset=8, value=str(error)[:120],
                          rule="DBN metadata", way_out="fetch the file again") from error  # fmt: skip
    return DbnHead(schema, version, length, int(meta.end or 0), names)


def _names(meta: Any) -> dict[int, str]:
    names: dict[int, str] = {}
    for raw_symbol, intervals in dict(meta.mappings).items():
        for interval in intervals:
            number, symbol = interval["symbol"], raw_symbol
            if not str(number).isdigit():
                number, symbol = raw_symbol, str(interval["symbol"])
            if str(number).isdigit():
                names[int(number)] = symbol
    return names


def read_dbn(members: list[Member], ask: Ask) -> list[Part]:
    """Return the rows of each DBN member, one part per instrument.

    Raises
    ------
    FormatError
        If a schema is not read by this version, or a record is cut.
    """
    return [part for member in members for part in _read_member(member, ask)]


def _read_member(member: Member, ask: Ask) -> list[Part]:
    head = read_head(member)
    if head.schema in TABLES:
        return _table_parts(member, head, ask)
    if head.schema not in _LAYOUTS:
        raise FormatError(f"the DBN schema {head.schema} is not yet read by this version", path=member.path,
                          field="schema", value=head.schema, rule=f"one of {', '.join(_LAYOUTS)}")  # fmt: skip
    rtype, layout, make = _LAYOUTS[head.schema]
    records = view_records(member, head.body, rtype, layout)
    if len(records) == 0:
        raise FormatError("no record of the schema in the file", path=member.path, offset=head.body,
                          field="schema", value=head.schema, rule="at least one record")  # fmt: skip
    parts: list[Part] = []
    numbers = np.unique(records["instrument"])
    for number in numbers:
        mine = records if len(numbers) == 1 else records[records["instrument"] == number]
        root, contract = _instrument(member, head, int(number), int(mine["ts_event"][-1]), ask)
        if ask.root is None or ask.root == root:
            parts.append(make(member.path, mine, root, contract, head.schema, ask))
    if not parts:
        raise InputError("the file holds another symbol", path=member.path, field="symbol", value=ask.symbol,
                         rule=f"instruments {sorted(set(head.names.values()))}")  # fmt: skip
    return parts


def _table_parts(member: Member, head: DbnHead, ask: Ask) -> list[Part]:
    """Return the tables of a schema that is no market event, one part per instrument MIA knows."""
    parts: list[Part] = []
    others: dict[str, int] = {}
    for number, table in read_table(member).items():
        told = str(table["raw_symbol"][0]) if "raw_symbol" in table.column_names else ""
        name = head.names.get(number) or told
        try:
            root, contract = _instrument(member, head, number, int(table["ts_event"][-1].as_py()), ask)
        except (DataError, InputError):
            others[name] = others.get(name, 0) + len(table)
            continue
        info = SourceInfo(
            tag="imported", adapter="databento", name=member.path, symbol=root, contract=contract, zone="UTC",
            adjustment="contract" if contract else "unknown", notes=(f"DBN schema {head.schema}",),
        )  # fmt: skip
        verdict = Verdict(None, (), {"rows": len(table)})
        parts.append(Part(ev.empty(0), info, verdict, member.path, {head.schema: table}))
    if not parts:
        first = list(others.items())[:3]
        shown = ", ".join(f"{name or 'without name'} ({rows} rows)" for name, rows in first)
        kind = OptionFile if all(_OPTION.fullmatch(name) for name in others) else DataError
        raise kind("options on a future" if kind is OptionFile else "an instrument MIA does not know",
                   path=member.path, field="symbol", value=shown, rule="ES, MES, NQ or MNQ futures",
                   way_out=None if kind is OptionFile else "give --symbol, or choose a file of these")  # fmt: skip
    return parts


def view_records(member: Member, body: int, rtype: int, layout: np.dtype[Any]) -> NDArray[Any]:
    """Return the records of one type as an array of their layout; records of other types are left out.

    Raises
    ------
    FormatError
        With the byte offset of a record that is cut or has no length.
    """
    data = member.data
    size = layout.itemsize
    if (len(data) - body) % size == 0:
        records = np.frombuffer(data, layout, offset=body)
        if bool((records["length"] == size // 4).all() and (records["rtype"] == rtype).all()):
            return records
    starts: list[int] = []
    at = body
    while at < len(data):
        length = data[at] * 4
        if length < 16 or at + length > len(data):
            raise FormatError("a record is cut short", path=member.path, offset=at, field="length", value=length,
                              rule=f"16 bytes or more, and {len(data) - at} are left",
                              way_out="fetch the file again; nothing was stored")  # fmt: skip
        if data[at + 1] == rtype:
            if length != size:
                raise FormatError("a record has another size than its schema", path=member.path, offset=at,
                                  field="length", value=length, rule=f"{size} bytes")  # fmt: skip
            starts.append(at)
        at += length
    raw = np.frombuffer(data, np.uint8)
    return raw[np.array(starts, np.int64)[:, None] + np.arange(size)].view(layout).reshape(-1)


def _instrument(member: Member, head: DbnHead, number: int, ts: int, ask: Ask) -> tuple[str, str | None]:
    name = head.names.get(number)
    year = int(np.datetime64(ts, "ns").astype("datetime64[Y]").astype(int)) + 1970
    if name is None:
        if ask.symbol is None:
            raise InputError("the metadata names no symbol for an instrument", path=member.path, field="instrument_id",
                             value=number, way_out="give --symbol, for example --symbol ES")  # fmt: skip
        name = ask.symbol
    continuous = name.split(".")[0]  # ES.c.0 and ES.FUT name the product, not the contract
    try:
        root, contract = split_symbol(continuous)
        if root in _STOCKS:
            raise InputError("a stock", field="symbol", value=root)
    except InputError as error:
        if _OPTION.fullmatch(name):
            raise OptionFile("options on a future", path=member.path, field="symbol", value=name,
                             rule="ES, MES, NQ or MNQ futures") from error  # fmt: skip
        raise DataError("an instrument MIA does not know", path=member.path, field="symbol", value=name,
                        rule="ES, MES, NQ or MNQ futures", way_out="choose a file of these") from error  # fmt: skip
    return root, None if contract is None else full_contract(contract, year)
