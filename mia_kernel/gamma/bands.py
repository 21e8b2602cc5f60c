"""Ask how far levels move when an assumption does: sign, volatility and how it moves, carry.

How it moves: the same book is summed again under each alternative; a band is the lowest and highest answer. An
alternative under which a level does not exist is named, not left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.book import NAIVE, Book, Repricer, SignModel, price_grid
from mia_kernel.gamma.levels import per_strike, walls, zero_gamma
from mia_kernel.gamma.sticky import StickyDelta

Float = NDArray[np.float64]

SIGNS = (
    SignModel("dealers long 20% fewer calls", 0.8, -1.0),
    SignModel("dealers short 20% fewer puts", 1.0, -0.8),
)
IV_SHIFT = 0.10
GRID_POINTS = 201
STICKY_SPAN, STICKY_POINTS = 0.15, 31


@dataclass(frozen=True, slots=True)
class Alternative:
    """Net, walls and zero gamma under one changed assumption."""

    name: str
    net: float
    call_wall: float | None
    put_wall: float | None
    zero_gamma: float | None


@dataclass(frozen=True, slots=True)
class Band:
    """Lowest and highest value over all alternatives; `missing` names those without one."""

    low: float | None
    high: float | None
    missing: tuple[str, ...]


def alternatives(book: Book) -> tuple[Alternative, ...]:
    """Return the levels of a book under each changed assumption, the canonical one first."""
    found = [_levels(name, other, sign) for name, other, sign in _changed(book)]
    return (*found, _sticky_delta(book, found[0]))


def _sticky_delta(book: Book, canonical: Alternative) -> Alternative:
    """Walls and net stand at the present spot; only where net would be 0 depends on how the smile moves."""
    moved = StickyDelta(book)
    spots = price_grid(book.spot, STICKY_SPAN, STICKY_POINTS)
    net = np.array([moved.net(float(spot)) for spot in spots])
    zero = zero_gamma(moved, spots, net, book.spot).price
    return replace(canonical, name="volatility moves with spot (sticky delta)", zero_gamma=zero)


def _changed(book: Book) -> Iterator[tuple[str, Book, SignModel]]:
    yield "canonical", book, NAIVE
    for sign in SIGNS:
        yield sign.name, book, sign
    yield "volatility 10% higher", book.replaced(sigma=book.sigma * (1 + IV_SHIFT)), NAIVE
    yield "volatility 10% lower", book.replaced(sigma=book.sigma * (1 - IV_SHIFT)), NAIVE
    yield "no carry (r = q = 0)", book.replaced(carry="no_carry"), NAIVE


def _levels(name: str, book: Book, sign: SignModel) -> Alternative:
    exposure = book.exposure()
    table = per_strike(book, exposure, sign=sign)
    net_walls = walls(table, book.spot)["net"]
    repricer = Repricer(book, sign=sign)
    spots = price_grid(book.spot, points=GRID_POINTS)
    zero = zero_gamma(repricer, spots, repricer.net_profile(spots), book.spot)
    return Alternative(name, float(table.net.sum()), net_walls.call, net_walls.put, zero.price)


def bands_of(found: Sequence[Alternative]) -> dict[str, Band]:
    """Return the band of net, walls and zero gamma over alternatives."""
    out: dict[str, Band] = {}
    for name in ("net", "call_wall", "put_wall", "zero_gamma"):
        known: list[Any] = [getattr(one, name) for one in found if getattr(one, name) is not None]
        missing = tuple(one.name for one in found if getattr(one, name) is None)
        out[name] = Band(min(known), max(known), missing) if known else Band(None, None, missing)
    return out
