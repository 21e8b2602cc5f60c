"""QuantConnect Lean's minute files of futures: trade bars, bid and ask bars with sizes, open interest.

One CSV per expiry in a ZIP, named `20200106_es_minute_trade_202003.csv`; rows have no header and begin with
the milliseconds of the UTC day. A quote bar enters at its end as the quote in force then (closes and sizes).
Open interest is no market event: it is kept as a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.adapters.bookrows import usable
from mia_kernel.adapters.parts import Ask, OptionFile, Part, contract_code, to_ticks
from mia_kernel.adapters.quality import Findings, Verdict
from mia_kernel.adapters.rawbars import RawBars, bar_rows
from mia_kernel.adapters.stamps import NS, parse_date
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core import events as ev
from mia_kernel.core.errors import DataError, FormatError, InputError
from mia_kernel.core.events import Carries, SourceInfo
from mia_kernel.core.instrument import INSTRUMENTS

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_NAME = re.compile(
    r"(\d{8})_([a-z]+)_(minute|second|hour|daily)_(trade|quote|openinterest)_(\d{4})(\d{2})\.csv(?:\.\w+)?$"
)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "daily": 86_400}
_WIDTH = {"trade": 6, "quote": 11, "openinterest": 2}


@dataclass(frozen=True, slots=True)
class _File:
    member: Member
    root: str
    contract: str
    kind: str
    seconds: int
    day_ns: int


def is_lean(member: Member) -> bool:
    """Return whether a member is one of Lean's minute tables (of options too, which are read elsewhere)."""
    fields = [field.strip() for field in member.data[:4096].split(b"\n", 1)[0].split(b",")]
    named = re.search(r"_(minute|second|tick|hour|daily)_(trade|quote|openinterest)", member.path) is not None
    numbers = all(re.fullmatch(rb"-?\d+(\.\d+)?", field) or not field for field in fields)
    return named and len(fields) in (2, 6, 11) and fields[0].isdigit() and numbers


def read_lean(members: list[Member], ask: Ask) -> list[Part]:
    """Return one part per contract and kind of the members.

    Raises
    ------
    FormatError, DataError
        If a member's name or a line breaks the layout, or the file is of options.
    """
    groups: dict[tuple[str, str, str], list[_File]] = {}
    for member in members:
        file = _named(member)
        if ask.root is not None and ask.root != file.root:
            raise InputError("the file holds another symbol", path=member.path, field="symbol", value=ask.symbol,
                             rule=f"the name says {file.root}", way_out=f"--symbol {file.root}")  # fmt: skip
        groups.setdefault((file.root, file.contract, file.kind), []).append(file)
    readers = {"trade": _trade_part, "quote": _quote_part, "openinterest": _interest_part}
    return [readers[kind](files, ask) for (_, _, kind), files in groups.items()]


def _named(member: Member) -> _File:
    match = _NAME.search(member.path)
    if re.search(r"_(american|european)[_.]", member.path):
        raise OptionFile("options in Lean's layout", path=member.path, field="name", value=member.name,
                         rule="futures: YYYYMMDD_es_minute_trade_YYYYMM.csv",
                         way_out="mia options levels reads the folder of a day's files")  # fmt: skip
    if match is None and re.search(r"\d{8}_(spx|ndx|rut|vix)_minute_trade\.csv$", member.path):
        raise OptionFile("an index in Lean's layout, for the options beside it", path=member.path, field="name",
                         value=member.name, rule="futures: YYYYMMDD_es_minute_trade_YYYYMM.csv",
                         way_out="mia options levels reads it with the options of its day")  # fmt: skip
    if match is None or match[2].upper() not in INSTRUMENTS:
        raise DataError("not a Lean file of a future MIA knows", path=member.path, field="name", value=member.name,
                        rule="YYYYMMDD_es_minute_trade_YYYYMM.csv",
                        way_out="indices are not read")  # fmt: skip
    day = parse_date(match[1])
    if day is None:
        raise FormatError("not a date", path=member.path, field="name", value=match[1], rule="YYYYMMDD")
    root = match[2].upper()
    contract = contract_code(root, int(match[6]), int(match[5]))
    return _File(member, root, contract, match[4], _SECONDS[match[3]], day * 86_400 * NS)


def _rows(files: list[_File]) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """Return (start ns UTC, other columns, line, file) of the rows of several days."""
    starts, values, lines, which = [], [], [], []
    for at, file in enumerate(files):
        width = _WIDTH[file.kind]
        for number, line in enumerate(file.member.data.decode("utf-8", "replace").splitlines(), start=1):
            cells = line.split(",")
            try:
                row = [float(cell) if cell else np.nan for cell in cells]
            except ValueError:
                row = []
            if len(row) != width or not row[0] >= 0:
                raise FormatError("a line breaks the layout", path=file.member.path, line=number, value=line[:80],
                                  rule=f"{width} numbers, milliseconds of the day first")  # fmt: skip
            starts.append(file.day_ns + int(row[0]) * 1_000_000)
            values.append(row[1:])
            lines.append(number)
            which.append(at)
    return np.array(starts, np.int64), np.array(values, np.float64), np.array(lines), np.array(which)


def _info(file: _File, carries: Carries) -> SourceInfo:
    return SourceInfo(
        tag="imported", adapter="lean", name=file.member.path.split("!")[0], symbol=file.root, contract=file.contract,
        zone="UTC", clock_resolution_ns=file.seconds * NS, adjustment="contract", carries=carries,
        notes=("Lean keeps futures in milliseconds of the UTC day",),
    )  # fmt: skip


def _trade_part(files: list[_File], ask: Ask) -> Part:
    first = files[0]
    start, values, lines, which = _rows(files)
    findings = Findings(first.member.path, len(start), ask.quality)
    raw = RawBars(
        start=start, open=values[:, 0], high=values[:, 1], low=values[:, 2], close=values[:, 3], volume=values[:, 4],
        trades=None, bid_volume=None, ask_volume=None, lines=lines, member=which,
        members=tuple(file.member.path for file in files),
    )  # fmt: skip
    rows = bar_rows(raw, first.root, findings, first.seconds)
    info = _info(first, Carries(bars=True, bar_seconds=first.seconds))
    return Part(rows.events, info, findings.verdict(), first.member.path)


def _quote_part(files: list[_File], ask: Ask) -> Part:
    first = files[0]
    start, values, lines, which = _rows(files)
    findings = Findings(first.member.path, len(start), ask.quality)
    bid, bad_bid = to_ticks(values[:, 3], first.root)
    offer, bad_ask = to_ticks(values[:, 8], first.root)
    absent = np.isnan(values[:, 3]) | np.isnan(values[:, 8])
    findings.note("one_sided", int(absent.sum()), f"{int(absent.sum())} minutes with one side only")
    off = (bad_bid & ~np.isnan(values[:, 3])) | (bad_ask & ~np.isnan(values[:, 8]))
    findings.quarantine("off_grid", off, lambda i: (
        f"{files[int(which[i])].member.path}:{lines[i]} bid {values[i, 3]} ask {values[i, 8]}"))  # fmt: skip
    rows = ev.empty(len(start))
    rows["ts_event"] = rows["ts_recv"] = start + first.seconds * NS
    rows["kind"] = ev.QUOTE
    rows["bid"], rows["ask"] = np.where(bad_bid, 0, bid), np.where(bad_ask, 0, offer)
    rows["b"][:, 0], rows["a"][:, 0] = np.nan_to_num(values[:, 4]), np.nan_to_num(values[:, 9])
    rows = rows[findings.keep]
    # A bar that ends with the session is known at its end, which is closed: its own time is inside.
    inside = rows.copy()
    inside["ts_event"] -= 1
    rows = rows[usable(inside, findings, sampled=True)]
    rows["seq"] = np.arange(len(rows))
    return Part(rows, _info(first, Carries(quotes=True)), findings.verdict(), first.member.path)


def _interest_part(files: list[_File], ask: Ask) -> Part:
    first = files[0]
    start, values, _, _ = _rows(files)
    table = pa.table({"ts_event": start, "open_interest": values[:, 0].astype(np.int64)})
    verdict = Verdict(None, (), {"rows": len(start)})
    return Part(ev.empty(0), _info(first, Carries()), verdict, first.member.path, {"openinterest": table})
