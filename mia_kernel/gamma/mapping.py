"""Carry levels of an index over to the future that is traded: one ratio, and how it ages.

How it moves: the basis ratio b = future/index is sampled together in cash hours, or comes from the chain's own
forward at the future's expiry; outside cash hours ln b shrinks linearly to 0 at that expiry. A level maps by the
ratio: an additive basis is off by basis·(L/S − 1). Source: options reference §1 (ES mapping).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mia_kernel.core.contract import Contract, calendar_front, expiry_day, last_trade_ns
from mia_kernel.core.errors import DataError
from mia_kernel.core.session import trading_day_of
from mia_kernel.gamma.book import Book
from mia_kernel.gamma.chain import NS_PER_YEAR

PARITY_ALERT_POINTS = 2.0
MAPPED_INDEX = "SPX"
FAR_LOG = 0.08
"""A future further than this from what its chain implies is not that future, or its price was adjusted."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The ratio future/index at an instant, and where it came from."""

    ratio: float
    as_of: int
    contract: Contract
    source: str

    def at(self, ts: int) -> float:
        """Return the ratio at another instant: ln b shrinks linearly to 0 at the future's last trade."""
        end = last_trade_ns(self.contract)
        if ts >= end or self.as_of >= end:
            return 1.0
        return float(self.ratio ** ((end - ts) / (end - self.as_of)))


def front_contract(as_of: int) -> Contract:
    """Return the ES contract that is front by the calendar at an instant."""
    return calendar_front("ES", trading_day_of(as_of))


def chain_basis(book: Book, contract: Contract) -> Basis:
    """Return the basis the chain's own forwards imply at the expiry of a contract.

    Raises
    ------
    DataError
        If the contract has expired, or no forward of the chain was found.
    """
    years = (last_trade_ns(contract) - book.now) / NS_PER_YEAR
    if years <= 0:
        raise DataError("the contract has expired", field="contract", value=contract.code,
                        rule="a last trade after the chain's time")  # fmt: skip
    if all(expiry.method == "none" for expiry in book.carry.expiries):
        raise DataError("the chain implies no forward, so none for the future", field="contract",
                        value=contract.code, way_out="give the future's price: --es PRICE")  # fmt: skip
    return Basis(float(np.exp(book.carry.log_basis(book.spot, years))), book.now, contract, "chain forward")


def live_basis(futures: Sequence[float], spots: Sequence[float], as_of: int, contract: Contract) -> Basis:
    """Return the median ratio of prices sampled together over the last minutes.

    Raises
    ------
    DataError
        If there is no pair, or one is not above 0.
    """
    if len(futures) != len(spots) or not len(futures) or min(*futures, *spots) <= 0:
        raise DataError("a live basis needs pairs of prices above 0", field="basis", value=len(futures))
    return Basis(float(np.median(np.divide(futures, spots))), as_of, contract, "sampled together")


def parity_gap(book: Book, contract: Contract, future: float) -> float | None:
    """Return future minus the parity forward of the AM expiry it settles with, None without that expiry.

    Both settle on the same opening print, so beyond 2 points one of the inputs is not what it claims to be.
    """
    day = expiry_day(contract)
    for expiry in book.carry.expiries:
        if expiry.am and expiry.expiry == day and expiry.method == "parity":
            return future - expiry.forward
    return None
