"""Project what settles today over price and the clock: the field in which the last hours trade.

How it moves: the legs of the nearest expiry day are repriced at every spot of a grid for every step of clock time
to their settlement, volatility and open interest held. Near the end gamma gathers at the strikes: that is the
picture. A projection, not a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.book import Book, Repricer, SignModel, price_grid

Float = NDArray[np.float64]

SPAN = 0.015
LAST_SHARE = 0.995
"""The field ends just before settlement, where gamma at a strike is unbounded."""


@dataclass(frozen=True, slots=True)
class Field:
    """Net exposure (USD per 1 %) over clock and spot."""

    expiry: int
    ts: NDArray[np.int64]
    spot: Float
    net: Float
    """Shape (n_times, n_spots)."""


def zero_dte_field(
    book: Book, sign: SignModel, *, times: int = 60, spots: int = 121, span: float = SPAN
) -> Field:
    """Return the field of the nearest expiry day from the book's clock to its last settlement."""
    first = int(book.legs["expiry"].min())
    near = book.where(book.legs["expiry"] == first)
    end = int(near.legs["settle_ns"].max())
    ts = np.linspace(book.now, book.now + LAST_SHARE * (end - book.now), times).astype(np.int64)
    grid = price_grid(book.spot, span, spots)
    net = np.stack([Repricer(near.at(int(t), book.spot), sign=sign).net_profile(grid) for t in ts])
    return Field(first, ts, grid, net)
