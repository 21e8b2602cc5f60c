"""Lay fresh quotes of a few contracts over a whole chain: what a broker says now over what a page said before.

How it moves: the chain keeps its contracts and their open interest (that of the clearing before, constant in the
day); bid, ask, volatility and volume of what was asked for replace the older ones. A quote older than 900 s is not
taken. How much of gross gamma is fresh is said, and bounds what the chain may claim: all of it fresh is worth the
chain's own confidence, nothing of it what an end-of-day chain is worth. Pure: no clock, no broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.book import Book
from mia_kernel.gamma.chain import Chain
from mia_kernel.gamma.sampler import STALE_S, Quoted, Wanted

Float = NDArray[np.float64]
NOTHING_FRESH = 0.6
"""What a chain is worth of which nothing was asked for again: that of the end of a day (domain §4)."""
_TAKEN = ("bid", "ask", "iv", "delta", "gamma", "volume")


def rows_of(chain: Chain) -> dict[Wanted, int]:
    """Return the row of each contract of a chain."""
    legs = chain.legs
    columns = (legs[name].tolist() for name in ("root", "expiry", "strike", "right"))
    return {
        Wanted(str(chain.roots[root]), int(expiry), float(strike), int(right)): row
        for row, (root, expiry, strike, right) in enumerate(zip(*columns, strict=True))
    }


def refreshed(
    chain: Chain, rows: Mapping[Wanted, int], quotes: Mapping[Wanted, Quoted], *, as_of: int, spot: float
) -> Chain:
    """Return the chain as of an instant, with the quotes in it that are not stale; unknown figures stay as they were.

    Parameters
    ----------
    chain : Chain
        The last whole one.
    rows : mapping
        `rows_of(chain)`.
    quotes : mapping
        What the broker said, by contract, with its age at `as_of`.
    as_of : int
        ns UTC.
    spot : float
        Price of the index then.
    """
    legs = chain.legs.copy()
    taken = 0
    for wanted, quote in quotes.items():
        at = rows.get(wanted)
        if at is None or quote.age_s > STALE_S:
            continue
        taken += 1
        for name in _TAKEN:
            value = getattr(quote, name)
            if value is not None:
                legs[name][at] = value
        if quote.oi is not None and not legs["oi"][at] > 0:
            legs["oi"][at] = quote.oi
    note = f"{taken:,} of {len(legs):,} contracts quoted by the broker within {STALE_S:.0f} s, the rest as before"
    defects = replace(chain.defects, notes=(*chain.defects.notes, note))
    return replace(chain, legs=legs, as_of=as_of, spot=spot, defects=defects, content_sha256=None)


def ages(rows: Mapping[Wanted, int], heard_ns: Mapping[Wanted, int], now: int) -> Float:
    """Return seconds since each contract of the chain was last quoted; infinity = never."""
    out = np.full(len(rows), np.inf)
    for wanted, ts in heard_ns.items():
        if wanted in rows:
            out[rows[wanted]] = (now - ts) / 1e9
    return out


def fresh_share(exposure: Float, age_s: Float) -> float:
    """Return the share of gross gamma in legs quoted within 900 s, 0 where there is no gamma."""
    gross = float(exposure.sum())
    return float(exposure[age_s <= STALE_S].sum()) / gross if gross > 0 else 0.0


def worth(confidence: float, share: float) -> float:
    """Return the quality of a chain of which a share of gross gamma is fresh."""
    return confidence * (NOTHING_FRESH + (1.0 - NOTHING_FRESH) * share)


__all__ = ["NOTHING_FRESH", "Book", "ages", "fresh_share", "refreshed", "rows_of", "worth"]
