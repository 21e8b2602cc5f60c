"""Hold one option chain: legs side by side in columns, the instant and the spot they were taken at.

How it moves: an adapter fills an array of `LEG_DTYPE` and makes a `Chain`; everything in this room is a pure
function of it. A leg is one contract; unknown numbers are NaN, never 0. Which legs are live follows from the
settlement instant: an AM root settles at 09:30 New York of its expiry day, every other one at the cash close.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.calendar_table import FIRST_DAY, LAST_DAY
from mia_kernel.core.errors import DataError
from mia_kernel.core.option_calendar import is_cash_day
from mia_kernel.core.session import NEW_YORK, cash_close_minute, date_of, day_number, new_york_ns

CALL, PUT = 1, -1
MULTIPLIER = 100.0
NS_PER_YEAR = 365 * 86_400 * 1_000_000_000
AM_ROOTS = frozenset({"SPX", "NDX", "RUT", "VIX"})
"""Roots that settle on the opening print of their expiry day."""
_AM_MINUTE, _PM_MINUTE = 570, 960

LEG_DTYPE = np.dtype(
    [
        ("strike", np.float64),
        ("bid", np.float64),
        ("ask", np.float64),
        ("iv", np.float64),  # a fraction; NaN = the vendor gives none (it prints 0)
        ("delta", np.float64),
        ("gamma", np.float64),
        ("oi", np.float64),
        ("volume", np.float64),
        ("settle_ns", np.int64),
        ("expiry", np.int32),  # yyyymmdd
        ("root", np.int16),  # index into Chain.roots
        ("right", np.int8),  # CALL or PUT
        ("am", np.uint8),
    ]
)

Legs = NDArray[Any]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Defects:
    """What is wrong with a chain as it was read. Shares are of live legs, or of their open interest."""

    rows: int = 0
    unreadable_rows: int = 0
    expired_legs: int = 0
    expired_oi: float = 0.0
    duplicate_symbols: int = 0
    crossed_quotes: int = 0
    no_bid_share: float = 0.0
    no_quote_share: float = 0.0
    iv_missing_oi_share: float = 0.0
    gamma_zero_oi_share: float = 0.0
    oi_zero_share: float = 0.0
    oi_date: int | None = None
    """Day (yyyymmdd) whose close the open interest is of: the clearing before the snapshot."""
    notes: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    """Why the chain does not hold the whole book; empty where it does."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Legs of one underlying at one instant."""

    legs: Legs
    as_of: int
    spot: float
    underlying: str
    roots: tuple[str, ...]
    source: str
    kind: str
    defects: Defects = field(default_factory=Defects)
    content_sha256: str | None = None

    def live(self, at: int | None = None) -> Legs:
        """Return the legs that have not settled at `at` (default: the chain's own instant)."""
        return self.legs[self.legs["settle_ns"] > (self.as_of if at is None else at)]


@lru_cache(maxsize=4096)
def settlement_ns(expiry: int, am: bool) -> int:
    """Return the settlement instant (ns UTC): 09:30 New York for AM roots, else the cash close of the day.

    A day on which the cash market is shut (a file's own mistake) counts to 16:00.
    """
    return new_york_ns(expiry, _AM_MINUTE if am else (cash_close_minute(expiry) or _PM_MINUTE))


def make_chain(
    columns: Mapping[str, Any],
    roots: NDArray[np.str_],
    *,
    as_of: int,
    spot: float,
    underlying: str,
    source: str,
    kind: str,
    notes: tuple[str, ...] = (),
    unreadable_rows: int = 0,
    content_sha256: str | None = None,
) -> Chain:
    """Return the chain of columns of equal length, with its defect report.

    Parameters
    ----------
    columns : mapping
        `strike`, `right`, `expiry` and any further field of LEG_DTYPE; a field left out is unknown.
    roots : ndarray of str
        Root symbol of each leg.

    Raises
    ------
    DataError
        If there is no leg, or spot is not above 0.
    """
    if not spot > 0:
        raise DataError("the chain holds no spot of its underlying", path=source, field="spot", value=spot,
                        rule="above 0", way_out="mia options levels --spot PRICE")  # fmt: skip
    if len(roots) == 0:
        raise DataError(
            "the chain holds no contract", path=source, rule="at least one row with an OSI symbol"
        )
    legs = np.zeros(len(roots), LEG_DTYPE)
    for name in ("bid", "ask", "iv", "delta", "gamma", "oi", "volume"):
        legs[name] = np.nan
    for name, values in columns.items():
        legs[name] = values
    legs["iv"][~(legs["iv"] > 0)] = np.nan
    names, index = np.unique(roots, return_inverse=True)
    legs["root"] = index
    legs["am"] = np.isin(names, list(AM_ROOTS))[index]
    for expiry in np.unique(legs["expiry"]):
        for am in (False, True):
            rows = (legs["expiry"] == expiry) & (legs["am"] == am)
            if rows.any():
                legs["settle_ns"][rows] = settlement_ns(int(expiry), am)
    legs, duplicates = _without_duplicates(legs)
    chain = Chain(legs, as_of, float(spot), underlying, tuple(str(name) for name in names), source, kind,
                  content_sha256=content_sha256)  # fmt: skip
    report = defects_of(chain, duplicates=duplicates, notes=notes, unreadable_rows=unreadable_rows)
    return replace(chain, defects=report)


def _without_duplicates(legs: Legs) -> tuple[Legs, int]:
    """Sort by root, expiry, strike, call before put; of equal symbols the first stays."""
    order = np.lexsort((-legs["right"], legs["strike"], legs["expiry"], legs["root"]))
    legs = legs[order]
    same = np.ones(len(legs) - 1, np.bool_)
    for name in ("root", "expiry", "strike", "right"):
        same &= legs[name][1:] == legs[name][:-1]
    return legs[np.r_[True, ~same]], int(same.sum())


def twins(legs: Legs) -> NDArray[np.int64]:
    """Return for each leg the index of the other right at its root, expiry and strike, −1 where there is none.

    Legs must be in the order of `make_chain`; a call and its put are then neighbours.
    """
    out = np.full(len(legs), -1, np.int64)
    if len(legs) < 2:
        return out
    pair = np.ones(len(legs) - 1, np.bool_)
    for name in ("root", "expiry", "strike"):
        pair &= legs[name][1:] == legs[name][:-1]
    first = np.flatnonzero(pair)
    out[first], out[first + 1] = first + 1, first
    return out


def defects_of(
    chain: Chain, *, duplicates: int = 0, notes: tuple[str, ...] = (), unreadable_rows: int = 0
) -> Defects:
    """Return what is wrong with a chain; the quote and model shares are over its live legs."""
    legs, live = chain.legs, chain.live()
    expired = legs[legs["settle_ns"] <= chain.as_of]
    oi = float(np.nansum(live["oi"]))
    missing = np.isnan(live["iv"])
    flat = (live["gamma"] == 0) & ~missing
    n = max(len(live), 1)
    return Defects(
        rows=len(legs) + duplicates,
        unreadable_rows=unreadable_rows,
        expired_legs=len(expired),
        expired_oi=float(np.nansum(expired["oi"])),
        duplicate_symbols=duplicates,
        crossed_quotes=int(np.count_nonzero(live["bid"] > live["ask"])),
        no_bid_share=float(np.count_nonzero(~(live["bid"] > 0)) / n),
        no_quote_share=float(np.count_nonzero(~(live["bid"] > 0) & ~(live["ask"] > 0)) / n),
        iv_missing_oi_share=float(np.nansum(live["oi"][missing]) / oi) if oi else 0.0,
        gamma_zero_oi_share=float(np.nansum(live["oi"][flat]) / oi) if oi else 0.0,
        oi_zero_share=float(np.count_nonzero(live["oi"] == 0) / n),
        oi_date=_oi_date(chain.as_of),
        notes=notes,
        partial=_partial(chain, live),
    )


def _oi_date(as_of: int) -> int | None:
    """Return the cash day before the snapshot's own day: the last clearing that is surely in the file."""
    day = int(datetime.fromtimestamp(as_of // 1_000_000_000, NEW_YORK).strftime("%Y%m%d"))
    if not FIRST_DAY < day <= LAST_DAY:
        return None
    before = date_of(day) - timedelta(days=1)
    while not is_cash_day(day_number(before)):
        before -= timedelta(days=1)
    return day_number(before)


def _partial(chain: Chain, live: Legs) -> tuple[str, ...]:
    """Return why a chain cannot be compared with a full one: few expiries, a short horizon, a narrow window."""
    if len(live) == 0:
        return ("no live contract",)
    causes: list[str] = []
    horizon = float(live["settle_ns"].max() - chain.as_of) / NS_PER_YEAR * 365
    expiries = len(np.unique(live["expiry"]))
    if horizon < 180:
        causes.append(f"farthest expiry in {horizon:.0f} days, a full chain reaches beyond 180")
    if expiries < 12:
        causes.append(f"{expiries} live expiries, a full chain has at least 12")
    low, high = float(live["strike"].min()) / chain.spot, float(live["strike"].max()) / chain.spot
    if low > 0.75 or high < 1.15:
        causes.append(f"strikes from {low:.0%} to {high:.0%} of spot, a full chain spans 75% to 115%")
    return tuple(causes)
