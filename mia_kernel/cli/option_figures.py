"""What `mia bench` measures of option chains: a book of 20,000 contracts, repriced and ticked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.gamma.book import Book, Repricer, book_of, price_grid
from mia_kernel.gamma.levels import walls
from mia_kernel.gamma.summary import levels_of
from mia_kernel.gamma.tick import Ticker

CONTRACTS, SPOTS = 20_000, 200
REPEATS = 60

Measured = tuple[str, NDArray[np.float64], str, str]
"""Name, times, unit, note."""


def option_figures() -> Iterator[Measured]:
    """Yield the times of a book of 20,000 contracts and of a whole chain."""
    book = book_of_contracts(CONTRACTS)
    repricer, spots = Repricer(book), price_grid(book.spot, points=SPOTS)
    note = f"SYNTHETIC book, {len(repricer.index):,} contracts x {SPOTS} spots, calls and puts"
    yield "gex_recompute_ms", _times(lambda: repricer.profile(spots)), "ms", note
    ticker = Ticker(book)
    yield (
        "gex_flip_ms",
        _times(lambda: ticker.flip(book.spot)),
        "ms",
        "zero crossings within 12 %, grid of 1 %, refined to 1e-6",
    )
    steps = iter(np.linspace(-0.01, 0.01, 10 * REPEATS))
    tick = _times(lambda: walls(ticker.strikes(book.spot * (1.0 + next(steps))), book.spot))
    yield "gex_spot_tick_ms", tick, "ms", "a new spot: exposure per strike, net, walls in four conventions"
    chain = synthetic_chain()
    note = f"SYNTHETIC chain in memory, {len(chain.legs):,} contracts, to levels, surface, bands"
    yield "chain_to_levels_s", _times(lambda: levels_of(chain), repeats=7) / 1e3, "s", note


def book_of_contracts(count: int) -> Book:
    """Return a SYNTHETIC book of so many contracts with open interest, spread over the whole chain."""
    book = book_of(synthetic_chain())
    held = np.flatnonzero(book.oi > 0)
    keep = np.zeros(len(book.oi), np.bool_)
    keep[held[np.linspace(0, len(held) - 1, min(count, len(held))).astype(np.int64)]] = True
    return book.where(keep)


def _times(work: Callable[[], Any], repeats: int = REPEATS) -> NDArray[np.float64]:
    """Return the milliseconds of each call, after three that warm up."""
    taken: list[float] = []
    for at in range(repeats + 3):
        began = time.perf_counter()
        work()
        if at >= 3:
            taken.append((time.perf_counter() - began) * 1e3)
    return np.array(taken)
