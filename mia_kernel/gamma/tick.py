"""Follow the spot: exposure per strike at a new price, with everything that price does not change made once.

How it moves: clock, carry and volatility of a book stand; `Ticker` keeps the columns of the kernel and which strike
each leg belongs to, so a new spot costs one pass over the legs and one over the strikes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma import kernels
from mia_kernel.gamma.book import NAIVE, Book, Repricer, SignModel, price_grid
from mia_kernel.gamma.levels import Strikes, ZeroGamma, zero_gamma

Float = NDArray[np.float64]

GRID_SPAN, GRID_POINTS = 0.12, 25
"""Coarse: for every crossing however close to the next one, `levels_of` looks at 401 spots over ±20 %."""


class Ticker:
    """A book at one clock, asked at many spots."""

    def __init__(self, book: Book, sign: SignModel = NAIVE) -> None:
        self.book = book
        self.sign = sign
        self.repricer = Repricer(book, sign=sign)
        held = self.repricer.index
        self._is_call = self.repricer.is_call
        self.strike, at = np.unique(book.legs["strike"][held], return_inverse=True)
        # Calls and puts in one pass: a put's bucket lies one table further.
        self._bucket = np.ascontiguousarray(
            np.where(self._is_call, at, at + len(self.strike)).astype(np.int64)
        )
        oi = np.zeros(2 * len(self.strike))
        kernels.by_bucket(np.ascontiguousarray(book.oi[held]), self._bucket, oi)
        self._oi = oi
        self._weight = np.ascontiguousarray(self.repricer.unsigned)

    def strikes(self, spot: float) -> Strikes:
        """Return the exposure per strike at a spot."""
        legs = np.empty(len(self._weight))
        kernels.at_spot(float(np.log(spot)), self.repricer.centre, self.repricer.inverse, self._weight, legs)
        sums = np.zeros(len(self._oi))
        kernels.by_bucket(legs, self._bucket, sums)
        n = len(self.strike)
        return Strikes(self.strike, sums[:n] * spot, sums[n:] * spot, self._oi[:n], self._oi[n:], self.sign)

    def flip(self, spot: float) -> ZeroGamma:
        """Return the zero crossings within 12 % of a spot, from a grid of 1 % steps, refined to 1e-6 points."""
        spots = price_grid(spot, GRID_SPAN, GRID_POINTS)
        net = np.array([self.repricer.net(float(at)) for at in spots])
        return zero_gamma(self.repricer, spots, net, spot)
