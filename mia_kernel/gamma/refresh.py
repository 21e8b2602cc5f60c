"""Lay a broker's fresh quotes over a whole chain: which contracts to ask next, and what the chain says with them.

How it moves: the last whole chain gives contracts, open interest (that of the clearing before, constant in the day)
and carry; clock and spot move on; where a contract was quoted within 900 s its volatility is the broker's. Volumes
are those of the contracts asked for, never yesterday's. How much of gross gamma is fresh bounds what the chain may
claim: all of it is worth the chain's own confidence, nothing of it what an end-of-day chain is worth. Skew and slope
stay those of the whole chain. Pure: no clock, no broker. Source: options reference §5, domain §4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.contract import Contract
from mia_kernel.gamma.book import Book
from mia_kernel.gamma.chain import CALL
from mia_kernel.gamma.confidence import Confidence
from mia_kernel.gamma.mapping import Basis, chain_basis
from mia_kernel.gamma.sampler import STALE_S, Plan, Quoted, Wanted, plan
from mia_kernel.gamma.summary import GammaLevels
from mia_kernel.gamma.view import ChainInForce

Float = NDArray[np.float64]
NS = 1_000_000_000
NEVER = np.iinfo(np.int64).min
NOTHING_FRESH = 0.6
"""What a chain is worth of which nothing was asked for again: that of the end of a day (domain §4)."""


class Refresh:
    """One whole chain on one contract of the future, with what a broker said since.

    Parameters
    ----------
    base : GammaLevels
        Of the last whole chain.
    contract : Contract
        The future that is traded.
    """

    def __init__(self, base: GammaLevels, contract: Contract) -> None:
        self.base = base
        self.contract = contract
        self.basis: Basis = chain_basis(base.book, contract)
        legs, n = base.book.legs, len(base.book.legs)
        roots: tuple[str, ...] = base.chain.roots
        columns: Any = zip(
            *(legs[name].tolist() for name in ("root", "expiry", "strike", "right")), strict=True
        )
        self._rows: dict[Wanted, int] = {
            Wanted(roots[int(root)], int(expiry), float(strike), int(right)): row
            for row, (root, expiry, strike, right) in enumerate(columns)
        }
        self._sigma = base.book.sigma.copy()
        self._volume = np.full(n, np.nan)
        self._heard = np.full(n, NEVER, np.int64)
        self._asked = np.full(n, NEVER, np.int64)

    def take(self, quotes: Iterable[Quoted], now: int) -> int:
        """Take what was said, each with its age at `now`; return how many contracts of the chain it was of."""
        taken = 0
        for quote in quotes:
            row = self._rows.get(quote.contract)
            if row is None or quote.iv is None or not quote.iv > 0:
                continue
            taken += 1
            self._sigma[row] = quote.iv
            self._heard[row] = now - round(quote.age_s * NS)
            if quote.volume is not None:
                self._volume[row] = quote.volume
        return taken

    def batch(self, now: int, spot: float, lines: int) -> Plan:
        """Return the next contracts to ask for; raises InputError where no line is left for options.

        A contract that was asked for and said nothing waits its turn like one that answered.
        """
        keep = self.base.book.legs["settle_ns"] > now
        age_s = _ages(np.maximum(self._heard, self._asked), now)
        chosen = plan(self._book(now, spot), self.base.chain.roots, age_s[keep], lines)
        self._asked[[self._rows[wanted] for wanted in (*chosen.pinned, *chosen.rotating)]] = now
        return chosen

    def levels(self, now: int, spot: float) -> tuple[GammaLevels, float]:
        """Return what the chain says at an instant and a spot, and the share of gross gamma that is fresh."""
        base, book = self.base, self._book(now, spot)
        live = base.book.legs["settle_ns"] > now
        fresh = _ages(self._heard, now) <= STALE_S
        exposure = book.exposure()
        gross = float(exposure.sum())
        share = float(exposure[fresh[live]].sum()) / gross if gross > 0 else 0.0
        told = f"{share:.0%} of gross gamma quoted within {STALE_S:.0f} s, the rest as of the chain"
        score = base.confidence.score * (NOTHING_FRESH + (1.0 - NOTHING_FRESH) * share)
        volume = np.where(fresh, self._volume, np.nan)
        legs = base.book.legs.copy()
        legs["volume"] = volume
        ratios = {**base.ratios, "all_rows": {**base.ratios["all_rows"], "volume": self._ratio(volume)}}
        chain = replace(base.chain, legs=legs, source=f"{base.chain.source} + broker")
        trust = Confidence(score, (*base.confidence.causes, told), base.confidence.levels)
        return replace(base, book=book, chain=chain, ratios=ratios, confidence=trust), share

    def in_force(self, now: int, spot: float, basis: Basis | None = None) -> tuple[ChainInForce, float]:
        """Return the chain as the engine takes it, and the fresh share; a sampled volume has no reference."""
        levels, share = self.levels(now, spot)
        return ChainInForce(levels, self.contract, basis=basis or self.basis), share

    def _book(self, now: int, spot: float) -> Book:
        fresh = _ages(self._heard, now) <= STALE_S
        sigma = np.where(fresh, self._sigma, self.base.book.sigma)
        return self.base.book.replaced(sigma=sigma).at(now, spot)

    def _ratio(self, volume: Float) -> float | None:
        is_call = self.base.book.legs["right"] == CALL
        calls, puts = float(np.nansum(volume[is_call])), float(np.nansum(volume[~is_call]))
        return puts / calls if calls > 0 else None


def _ages(since: NDArray[np.int64], now: int) -> Float:
    never = since == NEVER
    return np.where(never, np.inf, (now - np.where(never, now, since)) / NS)
