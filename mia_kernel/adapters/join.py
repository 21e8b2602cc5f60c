"""Parts to one recording: the contract to trade of one file, or a folder joined at the roll.

Of several contracts in one file the one of most volume is taken, unless the user names another. In a
folder each trading day comes from the front contract by the roll rule of `core.contract`; a
`ContractChange` stands before the first row of a new contract, with the calendar spread in ticks where
both contracts have bars at the same instants.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mia_kernel.adapters.parts import Ask, Part, split_symbol
from mia_kernel.core import events as ev
from mia_kernel.core.contract import Contract, front_contracts, parse_contract, rolls
from mia_kernel.core.errors import DataError, InputError
from mia_kernel.core.events import ContractChange, EventArray, Recording, SourceInfo
from mia_kernel.core.session import session_row, trading_days_of

_SPREAD_BARS = 60


def richness(source: SourceInfo) -> tuple[int, int]:
    """Return a key that grows with what a source can tell: book, quotes with trades, trades, then fine bars."""
    carries = source.carries
    sides = int(carries.aggressor == "feed")
    if carries.book:
        return (5, 2 * int(carries.trades) + sides)
    if carries.trades:
        return (4 if carries.quotes else 3, sides)
    if carries.quotes:
        return (2, 0)
    return (1, -(carries.bar_seconds or 0))


def choose(parts: list[Part], ask: Ask, path: str) -> Part:
    """Return the part to trade of one file: the asked contract, else the one of most volume.

    Raises
    ------
    InputError
        If the asked symbol or contract is not in the file.
    """
    wanted = parts
    if ask.symbol is not None:
        root, contract = split_symbol(ask.symbol)
        wanted = [p for p in parts if p.source.symbol == root and contract in (None, p.source.contract)]
    if not wanted:
        have = sorted({part.source.contract or part.source.symbol for part in parts})
        raise InputError("the file holds another symbol", path=path, field="symbol", value=ask.symbol,
                         rule=f"one of {', '.join(have)}", way_out=f"--symbol {have[0]}")  # fmt: skip
    return max(wanted, key=lambda part: (richness(part.source)[0], part.volume, len(part.events)))


def join_folder(parts: list[Part], ask: Ask, path: str) -> Recording:
    """Return the parts of a folder as one recording.

    Raises
    ------
    InputError
        If the folder holds several products and none was asked for.
    """
    parts = _one_product(parts, ask, path)
    best = max((part.source for part in parts), key=richness)
    left_out = sorted({part.path for part in parts if _series(part.source) != _series(best)})
    same = [part for part in parts if _series(part.source) == _series(best)]
    by_contract: dict[str | None, list[Part]] = {}
    for part in same:
        by_contract.setdefault(part.source.contract, []).append(part)
    series = {
        contract: in_time_order([part.events for part in found]) for contract, found in by_contract.items()
    }
    source = replace(
        best,
        name=path,
        contract=next(iter(series)) if len(series) == 1 else None,
        adjustment=best.adjustment if len({part.source.adjustment for part in same}) == 1 else "unknown",
        notes=(*best.notes, *(f"poorer than the rest of the folder, left out: {name}" for name in left_out)),
    )
    if len(series) == 1:
        return Recording(_numbered(next(iter(series.values()))), source)
    named = {contract: rows for contract, rows in series.items() if contract is not None}
    return _roll(named, source)


def _one_product(parts: list[Part], ask: Ask, path: str) -> list[Part]:
    if ask.symbol is not None:
        root, contract = split_symbol(ask.symbol)
        parts = [p for p in parts if p.source.symbol == root and contract in (None, p.source.contract)]
    found = sorted({part.source.symbol for part in parts})
    if len(found) != 1:
        raise InputError("the folder holds several products, or not the one asked for", path=path, field="symbol",
                         value=ask.symbol, rule=f"holds {', '.join(found) or 'none of it'}",
                         way_out=f"--symbol {found[0] if found else 'ES'}")  # fmt: skip
    return parts


def _series(source: SourceInfo) -> tuple[object, ...]:
    return (source.carries.book, source.carries.trades, source.carries.quotes, source.carries.bar_seconds)


def in_time_order(pieces: list[EventArray]) -> EventArray:
    """Return rows of one contract from several files in order of arrival; a bar that stands twice is kept once."""
    rows = (
        ev.merge([_ordered(piece, at) for at, piece in enumerate(pieces)])
        if len(pieces) > 1
        else pieces[0].copy()
    )
    if len(rows) and bool((rows["kind"] == ev.BAR).all()):
        rows = rows[np.r_[True, np.diff(rows["ts_event"]) != 0]]
    return _numbered(rows)


def _ordered(rows: EventArray, at: int) -> EventArray:
    out = rows.copy()
    out["seq"] += at << 40  # equal stamps keep the order of the files
    return out


def _numbered(rows: EventArray) -> EventArray:
    rows["seq"] = np.arange(len(rows))
    return rows


def _roll(series: dict[str, EventArray], source: SourceInfo) -> Recording:
    contracts = {name: parse_contract(name) for name in series}
    names = {contract: name for name, contract in contracts.items()}
    days = {name: trading_days_of(_stamps(rows)) for name, rows in series.items()}
    volumes: dict[int, dict[Contract, int]] = {}
    for name, rows in series.items():
        sizes = np.where((rows["kind"] == ev.BAR) | (rows["kind"] == ev.TRADE), rows["sz"], 0).astype(
            np.int64
        )
        distinct, at = np.unique(days[name], return_inverse=True)
        for day, volume in zip(distinct.tolist(), np.bincount(at, weights=sizes).tolist(), strict=True):
            volumes.setdefault(int(day), {})[contracts[name]] = int(volume)
    front = front_contracts(volumes)
    if not front:
        raise DataError("no contract of the folder is front on any of its days", path=source.name,
                        rule="data before Monday of expiry week", way_out="open one file by itself")  # fmt: skip
    pieces: list[EventArray] = []
    for contract, name in sorted(names.items()):
        mine = np.array([day for day, chosen in front.items() if chosen == contract], np.int64)
        rows = series[name][np.isin(days[name], mine)]
        if len(rows):
            pieces.append(rows)
    left_out = sorted(set(volumes) - set(front))
    changes = [_change(day, names[old], names[new], series) for day, old, new in rolls(front)]
    rows, objects = _numbered_together(np.concatenate(pieces), changes)
    note = f"{len(left_out)} days left out: only a contract in its expiry week traded" if left_out else ""
    notes = (f"joined at the roll: {', '.join(names[c] for c in sorted(names))}", *([note] if note else []))
    return Recording(rows, replace(source, notes=(*source.notes, *notes)), objects)


def _stamps(rows: EventArray) -> np.ndarray:
    """Return an instant inside each row's interval: a bar that ends at the close belongs to the day that ends."""
    return np.where(rows["kind"] == ev.BAR, rows["ts_event"] - 1, rows["ts_event"]).astype(np.int64)


def _change(day: int, old: str, new: str, series: dict[str, EventArray]) -> ContractChange:
    row = session_row(day)
    opens = int(row["open_ns"]) if row is not None else int(series[new]["ts_event"][0])
    return ContractChange(opens, opens, 0, old, new, calendar_spread(series[old], series[new], opens))


def calendar_spread(old: EventArray, new: EventArray, before: int) -> int | None:
    """Return new minus old in ticks: the median over the last hour of common bars ending by `before`, else None."""
    a = old[(old["kind"] == ev.BAR) & (old["ts_event"] <= before)]
    b = new[(new["kind"] == ev.BAR) & (new["ts_event"] <= before)]
    _, at_old, at_new = np.intersect1d(a["ts_event"], b["ts_event"], return_indices=True)
    if len(at_old) == 0:
        return None
    difference = b["px"][at_new[-_SPREAD_BARS:]].astype(np.int64) - a["px"][at_old[-_SPREAD_BARS:]]
    return int(np.sort(difference)[len(difference) // 2])


def _numbered_together(
    rows: EventArray, changes: list[ContractChange]
) -> tuple[EventArray, tuple[ContractChange, ...]]:
    """Number rows and changes in one sequence; a change stands before the rows of its instant."""
    at = np.searchsorted(
        rows["ts_recv"], np.array([change.ts_recv for change in changes], np.int64), side="right"
    )
    shift = np.zeros(len(rows) + 1, np.int64)
    np.add.at(shift, at, 1)
    rows["seq"] = np.arange(len(rows)) + np.cumsum(shift)[: len(rows)]
    numbered = [
        replace(change, seq=int(i) + k) for k, (change, i) in enumerate(zip(changes, at, strict=True))
    ]
    return rows, tuple(numbered)
