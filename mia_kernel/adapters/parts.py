"""What a reader is asked and what it answers: one `Part` per contract of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mia_kernel.adapters.meter import Meter
from mia_kernel.adapters.quality import QualityParams, Verdict
from mia_kernel.adapters.sierra_config import SierraConfig
from mia_kernel.core.contract import MONTH_CODES, Contract, parse_contract
from mia_kernel.core.errors import FormatError, InputError
from mia_kernel.core.events import BAR, TRADE, EventArray, SourceInfo
from mia_kernel.core.instrument import INSTRUMENTS, STOCKS

ROOTS = tuple(INSTRUMENTS)
"""Symbols MIA can read."""

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(MES|MNQ|ES|NQ|VIX)(?:([HMUZ])(\d{2}|\d(?!\d)))?(?![A-Za-z])", re.IGNORECASE
)
_STOCKS = frozenset(stock.symbol for stock in STOCKS)


class OptionFile(FormatError):
    """A file of options: nothing is wrong with it, and it is not for the catalog of market data."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the user said about a source; None where the file must say it."""

    symbol: str | None = None
    tz: str | None = None
    quality: QualityParams = field(default_factory=QualityParams)
    meter: Meter = field(default_factory=Meter, compare=False)
    """Told how far the reading is."""
    sierra: SierraConfig | None = None
    """What `sierra.toml` says; None: the one beside the file, if any."""

    @property
    def root(self) -> str | None:
        """Return the product of `symbol` (ES of ESU19), None where no symbol was given."""
        return None if self.symbol is None else split_symbol(self.symbol)[0]


@dataclass(frozen=True, slots=True)
class Sliced:
    """Rows that are too many to be held: what is known of all of them, and a way to go through them.

    Attributes
    ----------
    rows, volume : int
        How many there are, and contracts traded.
    first, last : int
        Oldest and newest `ts_event`, ns UTC.
    late_ns : int
        How far a row may be stamped before the newest one that came before it.
    again : callable
        Gives an iterator over the rows, slice by slice in file order; every call reads the file anew.
    """

    rows: int
    volume: int
    first: int
    last: int
    late_ns: int
    again: Callable[[], Iterator[EventArray]]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one contract (or continuous series) of one file, with what is known about them."""

    events: EventArray
    source: SourceInfo
    verdict: Verdict
    path: str
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    """Rows that are no event (definitions, statistics, study values) by kind, each with `ts_event` in ns UTC."""
    sliced: Sliced | None = None
    """The rows where they are too many to be held; `events` is empty then."""

    @property
    def rows(self) -> int:
        """Return the number of event rows."""
        return len(self.events) if self.sliced is None else self.sliced.rows

    @property
    def volume(self) -> int:
        """Return contracts traded."""
        return contracts_traded(self.events) if self.sliced is None else self.sliced.volume


def contracts_traded(events: EventArray) -> int:
    """Return the volume of trade and bar rows."""
    rows = (events["kind"] == TRADE) | (events["kind"] == BAR)
    return int(events["sz"][rows].sum(dtype=np.int64))


def ticks_per_point(root: str) -> int:
    """Return how many ticks make one index point."""
    return int(1 / INSTRUMENTS[root].tick_size)


def split_symbol(symbol: str) -> tuple[str, str | None]:
    """Return (root, contract) of `ES` or `ESU19`; the contract is None for a bare root.

    Raises
    ------
    InputError
        If it is neither.
    """
    if symbol.strip().upper() in _STOCKS:
        return symbol.strip().upper(), None
    match = _TOKEN.fullmatch(symbol.strip())
    if match is None:
        raise InputError("unknown symbol", field="symbol", value=symbol,
                         rule=f"one of {', '.join(ROOTS)}, or a contract such as ESU19",
                         way_out="--symbol ES")  # fmt: skip
    root = match[1].upper()
    return root, None if match[2] is None else f"{root}{match[2].upper()}{match[3]}"


def symbol_in_name(path: str) -> tuple[str, str | None] | None:
    """Return (root, contract) where the file's own name, its archive's or its folder's name tells one product."""
    for text in reversed(re.split(r"[!/\\]", path)[-4:]):
        stem = PurePosixPath(text).name
        found = {(m[1].upper(), m[2], m[3]) for m in _TOKEN.finditer(stem)}
        if len({root for root, _, _ in found}) == 1:
            contracts = {f"{root}{month.upper()}{year}" for root, month, year in found if month}
            return next(iter(found))[0], contracts.pop() if len(contracts) == 1 else None
    return None


def resolve_symbol(path: str, ask: Ask) -> tuple[str, str | None]:
    """Return (root, contract) from the file where it tells, else from the user, else ask.

    Raises
    ------
    InputError
        If nobody says it, or the user says another product than the file.
    """
    named = symbol_in_name(path)
    if named is None:
        if ask.symbol is None:
            raise InputError("the file does not say which symbol it holds", path=path, field="symbol", value=None,
                             rule=f"one of {', '.join(ROOTS)}",
                             way_out="give --symbol, for example --symbol ES")  # fmt: skip
        return split_symbol(ask.symbol)
    if ask.root is not None and ask.root != named[0]:
        raise InputError("the file holds another symbol", path=path, field="symbol", value=ask.symbol,
                         rule=f"the file's name says {named[0]}", way_out=f"--symbol {named[0]}")  # fmt: skip
    return named


def contract_code(root: str, month: int, year: int) -> str:
    """Return the contract's name with a two-digit year, for example ESU19.

    Raises
    ------
    FormatError
        If the product has no such delivery month.
    """
    months = [MONTH_CODES.index(letter) + 1 for letter in INSTRUMENTS[root].months]
    if month not in months:
        raise FormatError(
            "not a delivery month of the product", field="month", value=month, rule=f"one of {months}"
        )
    return Contract(root, year, month).code


def full_contract(code: str, near_year: int) -> str:
    """Return a contract code with a two-digit year: ESH4 seen in 2023 is ESH24."""
    return parse_contract(code, near_year=near_year).code


def to_ticks(points: NDArray[np.float64], root: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return prices in ticks and where a price is no positive multiple of the tick (or no number at all)."""
    facts = INSTRUMENTS[root]
    good = facts.on_grid(points) & (points > 0)
    return facts.ticks_array(np.where(good, points, 0.0)).astype(np.int64), ~good
