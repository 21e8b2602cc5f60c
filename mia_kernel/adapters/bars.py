"""Bar tables of any author: FirstRate, TradingView and generic CSV, JSON and Parquet.

A table is a bar table if it has a time, open, high, low and close (or last). FirstRate's text has no header line: there
the first line shows a stamp, four prices and a volume, and the columns stand in that order. Members of one archive
with the same symbol and contract are one series (a year of day-JSONs). Sierra's text comes through
here too, once `sierra` has read its contract and checked its columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mia_kernel.adapters.daily import SESSION_S, are_dates, session_starts
from mia_kernel.adapters.meter import Meter
from mia_kernel.adapters.parts import Ask, Part, resolve_symbol
from mia_kernel.adapters.quality import Findings
from mia_kernel.adapters.rawbars import BarRows, RawBars, bar_rows, bar_seconds
from mia_kernel.adapters.sierra_config import check_scale, multiplier_of
from mia_kernel.adapters.stamps import NEW_YORK, NS, naive_stamps, resolve_zone, to_utc
from mia_kernel.adapters.table import Reader, Table, header_of, read_csv, read_json, read_parquet
from mia_kernel.adapters.wrappers import Member
from mia_kernel.core.errors import FormatError
from mia_kernel.core.events import Adjustment, Carries, SourceInfo

IntArray = NDArray[np.int64]

STAMPS = ("timestamp", "datetime", "time", "date", "tsevent", "ts")
CLOSES = ("close", "last")
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
_DATE = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}/\d{1,2}/\d{4})"
# Names of columns come without blanks: `2008-01-02 06:00:00` is `2008-01-0206:00:00`.
_STAMPED = {
    1: re.compile(_DATE + r"(t?\d{2}:\d{2}(:\d{2})?)?"),
    2: re.compile(_DATE + r" \d{1,2}:\d{2}(:\d{2})?"),
}
_NUMBER = re.compile(r"\d+(\.\d+)?")


def is_bar_header(names: Iterable[str]) -> bool:
    """Return whether column names are those of a bar table."""
    have = set(names)
    return {"open", "high", "low"} <= have and bool(have & set(CLOSES)) and bool(have & set(STAMPS))


def headless_names(data: bytes) -> list[str] | None:
    """Return the columns of bars without a header line, None where the first line is none of those.

    The line is a stamp in one field or two, open, high, low, close and volume (FirstRate's order). That it is that
    order is proven by its prices: high is the highest of the four, low the lowest.
    """
    cells, _ = header_of(data)
    stamped = next(
        (n for n in (2, 1) if len(cells) == n + 5 and _STAMPED[n].fullmatch(" ".join(cells[:n]))), 0
    )
    if not stamped or not all(_NUMBER.fullmatch(cell) for cell in cells[stamped:]):
        return None
    first, high, low, last = (float(cell) for cell in cells[stamped : stamped + 4])
    if high < max(first, last) or low > min(first, last):
        return None
    return [*(("date", "time") if stamped == 2 else ("timestamp",)), "open", "high", "low", "close", "volume"]


def is_bar_text(member: Member) -> bool:
    """Return whether a member is a table of bars, with its header line or without."""
    return is_bar_header(header_of(member.data)[0]) or headless_names(member.data) is not None


def _read_text(member: Member, meter: Meter | None = None) -> Table:
    return read_csv(member, meter, headless_names(member.data))


def read_bar_csv(members: list[Member], ask: Ask) -> list[Part]:
    """Return the bars of CSV members, one part per contract."""
    return bar_parts(members, ask, _read_text, "bars-csv", _continuous)


def read_bar_json(members: list[Member], ask: Ask) -> list[Part]:
    """Return the bars of JSON members; the keys of FirstRate's day files name a back-adjusted series."""
    return bar_parts(members, ask, read_json, "bars-json", _json_adjustment)


def read_bar_parquet(members: list[Member], ask: Ask) -> list[Part]:
    """Return the bars of Parquet members."""
    return bar_parts(members, ask, read_parquet, "bars-parquet", _continuous)


def _continuous(table: Table, contract: str | None) -> Adjustment:
    return "contract" if contract is not None else "unknown"


def _json_adjustment(table: Table, contract: str | None) -> Adjustment:
    # `dateTime` with OHLCV is the day file of FirstRate's continuous series, which is shifted at each roll.
    firstrate = list(table.columns) == ["datetime", "open", "high", "low", "close", "volume"]
    return "back_adjusted" if firstrate and contract is None else _continuous(table, contract)


def bar_parts(
    members: list[Member],
    ask: Ask,
    read: Reader,
    adapter: str,
    adjust: Callable[[Table, str | None], Adjustment],
) -> list[Part]:
    """Return one part per symbol and contract of the members."""
    groups: dict[tuple[str, str | None], list[tuple[Table, IntArray, str | None]]] = {}
    for member in ask.meter.over(members):
        table = read(member, ask.meter) if len(members) == 1 else read(member)
        key = resolve_symbol(member.path, ask)
        groups.setdefault(key, []).append((table, *table_stamps(table)))
    return [
        _series(root, contract, pieces, ask, adapter, adjust) for (root, contract), pieces in groups.items()
    ]


def table_stamps(table: Table) -> tuple[IntArray, str | None]:
    """Return the stamps of a table in ns and their zone: "UTC" where the file tells it, None if naive."""
    if table.has("date") and table.has("time"):
        dates, times = table.text("date"), table.text("time")
        return naive_stamps(dates, times, path=table.path, first_line=table.first_line), None
    name = table.has(*STAMPS)
    if name is None:
        raise FormatError(
            "no time column", path=table.path, value=list(table.columns), rule=f"one of {STAMPS}"
        )
    column = table.columns[name]
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("ns", column.type.tz)).to_numpy(zero_copy_only=False)
        if np.isnat(stamps).any():
            row = int(np.flatnonzero(np.isnat(stamps))[0])
            raise FormatError(
                "a row without time", path=table.path, line=table.first_line + row, field=name, value=None
            )
        return stamps.astype("datetime64[ns]").astype(np.int64), "UTC" if column.type.tz else None
    if not pa.types.is_string(column.type):
        return _epoch(table, name), "UTC"
    return _text_stamps(table, name)


def _epoch(table: Table, name: str) -> IntArray:
    values = table.numbers(name)
    bad = ~np.isfinite(values) | (values < 1e8)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise FormatError("not a time", path=table.path, line=table.first_line + row, field=name, value=values[row],
                          rule="text, or seconds/ms/us/ns since 1970")  # fmt: skip
    scale = next(
        s for limit, s in ((1e11, NS), (1e14, 1_000_000), (1e17, 1_000), (np.inf, 1)) if values.max() < limit
    )
    whole = table.columns[name]
    exact = (
        np.asarray(whole.to_numpy(zero_copy_only=False))
        if pa.types.is_integer(whole.type)
        else np.rint(values)
    )
    return exact.astype(np.int64) * scale


def _text_stamps(table: Table, name: str) -> tuple[IntArray, str | None]:
    text = table.text(name)
    first = str(text[0].as_py()) if len(text) else ""
    if len(first) > 10 and _OFFSET.search(first):
        return _offset_stamps(table, name, text), "UTC"
    spaced = pc.call_function(
        "replace_substring", [text], pc.ReplaceSubstringOptions("T", " ", max_replacements=1)
    )
    halves = pc.call_function("split_pattern", [spaced], pc.SplitPatternOptions(" ", max_splits=1))
    counts = pc.call_function("list_value_length", [halves]).to_numpy(zero_copy_only=False)
    flat = pc.call_function("list_flatten", [halves])
    start = np.cumsum(counts) - counts
    dates = flat.take(pa.array(start))
    if not bool((counts == 2).any()):
        times: Any = np.full(len(text), "0:00", object)
    else:
        missing = pa.array(counts < 2)
        second = flat.take(pa.array(np.minimum(start + 1, max(len(flat) - 1, 0))))
        times = pc.call_function("if_else", [missing, pa.scalar("0:00"), second])
    return naive_stamps(dates, times, path=table.path, first_line=table.first_line), None


def _offset_stamps(table: Table, name: str, text: Any) -> IntArray:
    try:
        return pc.cast(text, pa.timestamp("ns", "UTC")).to_numpy(zero_copy_only=False).astype(np.int64)
    except pa.ArrowInvalid as error:
        values = text.to_pylist()
        row = next((i for i, value in enumerate(values) if not _OFFSET.search(value)), 0)
        raise FormatError("not a time", path=table.path, line=table.first_line + row, field=name, value=values[row],
                          rule="ISO 8601 with offset, as in the first row") from error  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Clock:
    """Starts of bars, ns UTC, how their zone is known; for bars of dates their length and the dates without session."""

    start: IntArray
    zone: str
    how: str
    seconds: int | None = None
    closed: NDArray[np.bool_] | None = None


def _on_utc(local: IntArray, ask: Ask, path: str) -> _Clock:
    if are_dates(local, path):
        start, closed = session_starts(local)
        how = "is not needed: a date is a session, its bar is known at the close"
        return _Clock(start, NEW_YORK, how, SESSION_S, closed)
    zone, how = resolve_zone(local, ask.tz, path=path)
    return _Clock(to_utc(local, zone, path=path), zone, how)


def _series(
    root: str,
    contract: str | None,
    pieces: list[tuple[Table, IntArray, str | None]],
    ask: Ask,
    adapter: str,
    adjust: Callable[[Table, str | None], Adjustment],
) -> Part:
    first = pieces[0][0]
    path = first.path if len(pieces) == 1 else first.path.split("!")[0]
    stamps = np.concatenate([piece[1] for piece in pieces])
    naive = any(zone is None for _, _, zone in pieces)
    clock = _on_utc(stamps, ask, path) if naive else _Clock(stamps, "UTC", "from the file")
    scale = multiplier_of(ask, path)
    raw = _raw_bars([piece[0] for piece in pieces], clock.start, scale)
    if adapter == "sierra" or scale != 1:
        check_scale(raw.close, root, path, scale)
    findings = Findings(path, len(stamps), ask.quality)
    _unterminated([piece[0] for piece in pieces], raw, findings)
    if clock.closed is not None:
        findings.quarantine("no_session", clock.closed, lambda i: f"{raw.where(i)} is no trading day")
    rows = bar_rows(raw, root, findings, clock.seconds or bar_seconds(raw.start, path))
    adjustment = adjust(first, contract)
    notes = [f"zone {clock.zone} {clock.how}", f"{rows.seconds} s bars, stamped at their start in the file"]
    if adjustment == "back_adjusted":
        notes.append("prices are shifted at each roll: not the traded prices of older days")
    if not rows.has_volume:
        notes.append("no volume in the file: sizes are unknown")
    info = SourceInfo(
        tag="imported",
        adapter=adapter,
        name=path,
        symbol=root,
        contract=contract,
        zone=clock.zone,
        clock_resolution_ns=rows.seconds * NS,
        adjustment=adjustment,
        carries=bar_carries(rows),
        notes=tuple(notes),
    )
    return Part(rows.events, info, findings.verdict(), path)


def bar_carries(rows: BarRows) -> Carries:
    """Return what a bar source carries: its sides count only where both columns exist and can be believed."""
    side = "none" if not rows.side_given else "feed" if rows.side_trusted else "untrusted"
    return Carries(aggressor=side, bars=True, bar_seconds=rows.seconds)


def _unterminated(tables: list[Table], raw: RawBars, findings: Findings) -> None:
    """Set aside last lines without a line end: what is cut there may still look like a number."""
    cut = np.zeros(findings.rows, np.bool_)
    ends = np.cumsum([len(table) for table in tables])
    for table, end in zip(tables, ends, strict=True):
        cut[end - 1] = table.unterminated
    findings.quarantine(
        "unterminated", cut, lambda i: f"{raw.where(i)} has no line end and may be cut", refusing=False
    )


def _raw_bars(tables: list[Table], start: IntArray, scale: float) -> RawBars:
    def column(*names: str) -> Any:
        found = [table.has(*names) for table in tables]
        if any(name is None for name in found):
            return None
        return np.concatenate([t.numbers(name) for t, name in zip(tables, found, strict=True) if name])

    sizes = [len(table) for table in tables]
    return RawBars(
        start=start,
        open=column("open") * scale,
        high=column("high") * scale,
        low=column("low") * scale,
        close=column(*CLOSES) * scale,
        volume=column("volume", "vol"),
        trades=column("numberoftrades", "#oftrades", "trades"),
        bid_volume=column("bidvolume"),
        ask_volume=column("askvolume"),
        lines=np.concatenate(
            [np.arange(n, dtype=np.int64) + t.first_line for n, t in zip(sizes, tables, strict=True)]
        ),
        member=np.repeat(np.arange(len(tables)), sizes),
        members=tuple(table.path for table in tables),
    )
