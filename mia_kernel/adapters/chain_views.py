"""Lay option chains beside a recording: from each minute's price, what the chain in force then said.

How it moves: chains are sorted by their own instant; at every whole minute of the recording the newest one that
was already there speaks, at the last price before that minute. A later chain never speaks for an earlier minute,
and a chain never sees the price it is asked with before it was traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.chain_history import ChainHistory
from mia_kernel.adapters.chains import is_chain, read_chain
from mia_kernel.adapters.wrappers import members
from mia_kernel.core.contract import Contract, calendar_front, parse_contract
from mia_kernel.core.errors import DataError, InputError
from mia_kernel.core.events import BAR, PRIMARY, TRADE, ContractChange, OptionView, Recording, merge_objects
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.session import trading_day_of
from mia_kernel.gamma.chain import Chain
from mia_kernel.gamma.exposures import put_call_ratios
from mia_kernel.gamma.mapping import FAR_LOG, MAPPED_INDEX
from mia_kernel.gamma.reference import Tape, put_call_reference
from mia_kernel.gamma.summary import levels_of
from mia_kernel.gamma.view import ChainInForce, valid_until

EVERY_NS = 60_000_000_000
_LIVE_NS = 1_800_000_000_000
"""A chain from cash hours goes on for twice its limit: the state then says that it is stale, not that it is gone."""
_LARGEST = 40 << 20
_PRODUCTS = ("ES", "MES")


def chain_files(path: Path) -> list[Path]:
    """Return the chains a path names: itself, or every file of a folder that holds chains alone; else none."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        return files if files and all(_holds_chain(file) for file in files) else []
    return [path] if path.is_file() and _holds_chain(path) else []


def _holds_chain(path: Path) -> bool:
    # The fullest SPX page is 14 MB of JSON: nothing much larger is unwrapped only to look.
    if path.stat().st_size > _LARGEST:
        return False
    found = next(iter(members(path)), None)
    return found is not None and is_chain(found)


def stored_chains(folder: Path, first: int, last: int) -> list[Chain]:
    """Return the stored SPX chains that may speak between two instants."""
    shelf = ChainHistory(folder)
    return [
        shelf.read(stored)
        for stored in shelf.snapshots(MAPPED_INDEX)
        if stored.as_of <= last and first <= max(valid_until(stored.as_of), stored.as_of + _LIVE_NS)
    ]


def lay_chains(recording: Recording, paths: Iterable[Path]) -> Recording:
    """Return the recording with the views of chain files among its objects.

    Raises
    ------
    InputError
        If the recording is not of ES, its prices were adjusted, or no chain is in force in its time.
    """
    return lay_read_chains(recording, [read_chain(path) for path in paths])


def stored_tapes(folder: Path, before: int) -> list[Tape]:
    """Return what the stored SPX chains before an instant say of volume; empty where none is stored."""
    shelf = ChainHistory(folder)
    if not shelf.snapshots(MAPPED_INDEX):
        return []
    table = shelf.levels(MAPPED_INDEX)
    columns = (table.column(name).to_pylist() for name in ("as_of", "put_call_volume", "partial"))
    return [
        Tape(as_of, ratio, partial) for as_of, ratio, partial in zip(*columns, strict=True) if as_of < before
    ]


def tape_of(chain: Chain) -> Tape:
    """Return what a chain says of volume."""
    ratio = put_call_ratios(chain, chain.as_of)["all_rows"]["volume"]
    return Tape(chain.as_of, ratio, bool(chain.defects.partial))


def lay_read_chains(recording: Recording, chains: Sequence[Chain], tapes: Sequence[Tape] = ()) -> Recording:
    """Return the recording with the views of chains among its objects; see `lay_chains`.

    Parameters
    ----------
    recording : Recording
    chains : sequence of Chain
    tapes : sequence of Tape
        Earlier snapshots that the put/call volume is held against, beside those of `chains`.
    """
    source = recording.source
    if source.symbol not in _PRODUCTS:
        raise InputError("an SPX chain says nothing of this product", field="symbol", value=source.symbol,
                         rule="ES or MES", path=source.name)  # fmt: skip
    if source.adjustment == "back_adjusted":
        raise InputError("levels cannot be placed on back-adjusted prices", field="adjustment",
                         value=source.adjustment, path=source.name,
                         way_out="use the contract's own prices, or take the add-on off first")  # fmt: skip
    for chain in chains:
        if chain.underlying != MAPPED_INDEX:
            raise InputError("only SPX chains are placed on the future", path=chain.source, field="underlying",
                             value=chain.underlying, rule=MAPPED_INDEX)  # fmt: skip
    views = _views(recording, sorted(chains, key=lambda chain: chain.as_of), tapes)
    if not views:
        raise InputError("no chain is in force in the time of the recording", path=chains[0].source,
                         rule="taken in its cash hours, or outside them before its cash session",
                         way_out="leave it out, or take the chain of that day")  # fmt: skip
    return replace(recording, objects=merge_objects([recording.objects, views]))


def _views(recording: Recording, chains: Sequence[Chain], tapes: Sequence[Tape]) -> list[OptionView]:
    known_tapes = [*tapes, *map(tape_of, chains)]
    ts, price = _minutes(recording)
    arrivals = np.array([chain.as_of for chain in chains], np.int64)
    changes = [event for event in recording.objects if isinstance(event, ContractChange)]
    spoken: dict[tuple[int, Contract], ChainInForce] = {}
    out: list[OptionView] = []
    for now, ticks in zip(ts.tolist(), price.tolist(), strict=True):
        at = int(np.searchsorted(arrivals, now, side="right")) - 1
        if at < 0:
            continue
        contract = _contract(recording, changes, now)
        if (at, contract) not in spoken:
            usual = put_call_reference(known_tapes, chains[at].as_of)
            spoken[at, contract] = ChainInForce(levels_of(chains[at]), contract, reference=usual)
        force = spoken[at, contract]
        if not force.covers(now) or (force.until == 0 and now - force.as_of > _LIVE_NS):
            continue
        known = None if np.isnan(ticks) else float(ticks)
        _check(force, now, known, recording)
        out.append(force.view(now, known, seq=len(out)))
    return out


def _minutes(recording: Recording) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return whole minutes with rows and the last traded price before each, NaN before the first trade."""
    rows = recording.events
    received = rows["ts_recv"]
    minute = np.unique(received // EVERY_NS)
    ts = np.maximum(minute * EVERY_NS, int(received[0]))
    traded = np.flatnonzero(
        (rows["instrument"] == PRIMARY) & ((rows["kind"] == TRADE) | (rows["kind"] == BAR))
    )
    at = np.searchsorted(received[traded], ts, side="left") - 1
    price = np.where(at >= 0, rows["px"][traded[np.maximum(at, 0)]].astype(np.float64), np.nan)
    return ts, price if len(traded) else np.full(len(ts), np.nan)


def _contract(recording: Recording, changes: Sequence[ContractChange], now: int) -> Contract:
    """The contract traded at an instant: of the last change, of the source, else the front by the calendar."""
    name = recording.source.contract
    day = trading_day_of(now)
    for change in changes:
        if change.ts_recv <= now:
            name = change.new
        elif name is None:
            name = change.old
            break
    if name is None:
        return calendar_front("ES", day)
    return parse_contract(name.removeprefix("M") if name.startswith("MES") else name, near_year=day // 10_000)


def _check(force: ChainInForce, now: int, ticks: float | None, recording: Recording) -> None:
    if ticks is None:
        return
    expected = force.levels.book.spot * force.basis.at(now)
    if abs(float(np.log(ticks * TICK_POINTS / expected))) > FAR_LOG:
        raise DataError("the future is too far from what its chain implies", path=recording.source.name,
                        field="price", value=ticks * TICK_POINTS, rule=f"within 8% of {expected:.2f}",
                        way_out="a chain of that day; the contract's own, unadjusted prices")  # fmt: skip
