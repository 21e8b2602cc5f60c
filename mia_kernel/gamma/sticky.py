"""Reprice a book with volatility that moves with spot: the other end of what a smile may do (sticky delta).

How it moves: each expiry's smile is read off the out-of-the-money legs over ln(K/S); at another spot S' a leg takes
its own volatility plus the change of the smile from K to K·S/S'. At the present spot this is the canonical book, so
walls do not differ; the profile and zero gamma do. Carry and clock stand. Source: options reference §1 (gamma profile).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma import greeks
from mia_kernel.gamma.book import NAIVE, Book, SignModel
from mia_kernel.gamma.chain import MULTIPLIER

Float = NDArray[np.float64]
LEAST_SIGMA = 0.01


class StickyDelta:
    """A book that can be asked for its net exposure at any spot; `index` are its legs with open interest."""

    def __init__(self, book: Book, sign: SignModel = NAIVE) -> None:
        self.index = np.flatnonzero(book.oi > 0)
        self._spot = book.spot
        self._strike = book.legs["strike"][self.index]
        self._sigma = book.sigma[self.index]
        self._root_t = np.sqrt(book.years[self.index])
        self._carry = book.forward[self.index] / book.spot
        self._discount = book.discount[self.index]
        signed = np.where(book.is_call[self.index], sign.call, sign.put)
        self._weight = signed * book.oi[self.index] * MULTIPLIER * 0.01
        self._smiles = _smiles(book, self.index)
        self._here = self._smile_at(book.spot)

    def net(self, spot: float) -> float:
        """Return the net exposure at a spot, USD per 1 %."""
        sigma = np.maximum(self._sigma + self._smile_at(spot) - self._here, LEAST_SIGMA)
        gamma = greeks.spot_gamma(
            spot, spot * self._carry, self._discount, self._strike, sigma * self._root_t
        )
        return float((self._weight * gamma).sum()) * spot * spot

    def _smile_at(self, spot: float) -> Float:
        """Volatility of each leg's smile at its strike where the index stands at `spot`."""
        out = np.empty(len(self.index))
        place = np.log(self._strike / spot)
        for rows, known, sigma in self._smiles:
            out[rows] = np.interp(place[rows], known, sigma)
        return out


def _smiles(book: Book, index: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], Float, Float]]:
    """Return for each expiry the rows of `index` in it and its smile: ln(K/S) rising, volatility."""
    legs = book.legs
    otm = np.where(book.is_call, legs["strike"] >= book.forward, legs["strike"] < book.forward)
    found: list[tuple[NDArray[np.int64], Float, Float]] = []
    group = book.carry.of_leg
    for one in np.unique(group[index]):
        inside = group == one
        held = inside & otm
        if not held.any():
            held = inside
        place, first = np.unique(np.log(legs["strike"][held] / book.spot), return_index=True)
        found.append((np.flatnonzero(group[index] == one), place, book.sigma[held][first]))
    return found
