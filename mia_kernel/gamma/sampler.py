"""Choose which contracts to ask a broker for with a limited number of market-data lines.

How it moves: a few lines are reserved for the future, the index and VIX; a pinned part watches the strikes of
the next expiries within one expected move; the rest rotates through the book by |Γ|·OI·staleness. A plan is one
batch; the caller asks for it, waits, and comes back with the ages it then has. Pure: no clock, no broker.
Source: options reference §5 (plan for a 100-line account).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import InputError
from mia_kernel.gamma.book import Book
from mia_kernel.gamma.chain import CALL, Chain, make_chain

Float = NDArray[np.float64]

RESERVED, PINNED = 5, 40
PINNED_EXPIRIES = 2
_QUOTED = ("bid", "ask", "iv", "delta", "gamma", "oi", "volume")
STALE_S = 900.0
MAX_STALE_SHARE, STALE_SWEEPS = 0.10, 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """One contract to ask for."""

    root: str
    expiry: int
    strike: float
    right: int

    @property
    def symbol(self) -> str:
        """OSI symbol without padding."""
        side = "C" if self.right == CALL else "P"
        return f"{self.root}{self.expiry % 1_000_000:06d}{side}{round(self.strike * 1000):08d}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One batch of contracts, and the share of gross gamma asked for within the stale limit after it."""

    pinned: tuple[Wanted, ...]
    rotating: tuple[Wanted, ...]
    fresh_share: float


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a broker said of one contract; None = not said. `age_s` is at the time of the chain."""

    contract: Wanted
    bid: float | None
    ask: float | None
    iv: float | None
    delta: float | None
    gamma: float | None
    oi: float | None
    volume: float | None
    age_s: float


def plan(book: Book, roots: Sequence[str], age_s: Float, lines: int) -> Plan:
    """Return the next batch for a number of lines.

    Parameters
    ----------
    book : Book
        The last whole chain; its exposure is the weight.
    roots : sequence of str
        `Chain.roots`.
    age_s : ndarray of shape (n_legs,)
        Seconds since each leg was last quoted; infinity = never.
    lines : int
        Market-data lines of the account.

    Raises
    ------
    InputError
        If not a single line is left after the reserved ones.
    """
    free = lines - RESERVED
    if free < 2:
        raise InputError("too few market-data lines for options", field="lines", value=lines,
                         rule=f"at least {RESERVED + 2}")  # fmt: skip
    exposure = book.exposure()
    pinned = _pinned(book, exposure, min(PINNED, free // 2))
    weight = exposure * np.minimum(age_s, 10 * STALE_S)
    weight[pinned] = 0.0
    order = np.argsort(-weight, kind="stable")[: free - len(pinned)]
    rotating = order[weight[order] > 0]
    after = age_s.copy()
    after[pinned], after[rotating] = 0.0, 0.0
    total = float(exposure.sum())
    share = float(exposure[after <= STALE_S].sum()) / total if total else 0.0
    return Plan(_contracts(book, roots, pinned), _contracts(book, roots, rotating), share)


def _pinned(book: Book, exposure: Float, most: int) -> NDArray[np.int64]:
    """Legs of the nearest expiries within one expected move of spot, heaviest first, calls and puts alike."""
    near = np.flatnonzero(book.carry.of_leg < PINNED_EXPIRIES)
    move = book.spot * book.s[near]
    near = near[np.abs(book.legs["strike"][near] - book.spot) <= move]
    return near[np.argsort(-exposure[near], kind="stable")[:most]]


def _contracts(book: Book, roots: Sequence[str], at: NDArray[np.int64]) -> tuple[Wanted, ...]:
    rows = book.legs[at]
    return tuple(
        Wanted(roots[int(row["root"])], int(row["expiry"]), float(row["strike"]), int(row["right"]))
        for row in rows
    )


def is_stale_alarm(shares: Sequence[float]) -> bool:
    """Tell whether more than 10 % of gross gamma was stale in each of the last three sweeps."""
    last = shares[-STALE_SWEEPS:]
    return len(last) == STALE_SWEEPS and min(last) > MAX_STALE_SHARE


def chain_of_quotes(
    quotes: Sequence[Quoted], *, as_of: int, spot: float, underlying: str, source: str
) -> Chain:
    """Return the chain of sampled quotes; quotes older than 900 s are left out and told.

    A sampled chain is partial by nature: its totals are never those of the whole book.
    """
    fresh = [quote for quote in quotes if quote.age_s <= STALE_S]
    stale = len(quotes) - len(fresh)
    columns: dict[str, Any] = {name: _column(fresh, name) for name in _QUOTED}
    columns["strike"] = np.array([quote.contract.strike for quote in fresh])
    columns["right"] = np.array([quote.contract.right for quote in fresh], np.int8)
    columns["expiry"] = np.array([quote.contract.expiry for quote in fresh], np.int32)
    notes = ("sampled: only the contracts asked for",)
    if stale:
        notes += (f"{stale} of {len(quotes)} quotes older than {STALE_S:.0f} s left out",)
    return make_chain(columns, np.array([quote.contract.root for quote in fresh], np.str_), as_of=as_of, spot=spot,
                      underlying=underlying, source=source, kind="sampled quotes", notes=notes)  # fmt: skip


def _column(quotes: Sequence[Quoted], name: str) -> NDArray[np.float64]:
    return np.array([np.nan if getattr(q, name) is None else getattr(q, name) for q in quotes], np.float64)
