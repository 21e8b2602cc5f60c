"""Turn a chain into a book that can be repriced: every live leg with its carry, volatility and open interest.

How it moves: `book_of` drops what has settled, finds the carry, repairs volatilities the vendor prints as 0
(the other leg's at the same strike, else solved from the mid quote), and drops what is left without one.
A `Book` then gives gamma at any spot and instant without reading the chain again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError
from mia_kernel.gamma import greeks, kernels
from mia_kernel.gamma.carry import Carry, Expiry, carry_of, implied_spot
from mia_kernel.gamma.chain import CALL, MULTIPLIER, NS_PER_YEAR, Chain, Legs, twins

Float = NDArray[np.float64]
Convention = Literal["canonical", "no_carry"]

MIN_YEARS = 60 * 1_000_000_000 / NS_PER_YEAR
"""One minute: the solver's floor. Gamma keeps the true clock."""
GRID_SPAN, GRID_POINTS = 0.20, 401
_PER_PERCENT = 0.01 * MULTIPLIER / np.sqrt(2 * np.pi)


@dataclass(frozen=True, slots=True)
class SignModel:
    """What dealers are taken to hold of each right: a model, never an observation."""

    name: str
    call: float
    put: float


NAIVE = SignModel("dealers long calls, short puts", 1.0, -1.0)
"""Customers sell calls and buy puts. Source: SqueezeMetrics; used by every free tool examined."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """What had to be done about volatilities, in live legs and as a share of their open interest."""

    from_twin: int
    solved: int
    dropped: int
    dropped_oi_share: float


@dataclass(frozen=True, slots=True)
class Book:
    """Live legs with everything gamma needs. Arrays run along the legs; unknown open interest counts as none."""

    legs: Legs
    spot: float
    now: int
    carry: Carry
    repairs: Repairs
    sigma: Float
    years: Float
    forward: Float
    discount: Float
    oi: Float

    @property
    def s(self) -> Float:
        """σ√T of every leg."""
        return self.sigma * np.sqrt(self.years)

    @property
    def is_call(self) -> NDArray[np.bool_]:
        """Which legs are calls."""
        return self.legs["right"] == CALL

    def expiry_of(self, leg: int) -> Expiry:
        """Return the expiry of a leg."""
        return self.carry.expiries[int(self.carry.of_leg[leg])]

    def gamma(self) -> Float:
        """Return Γ per contract at the book's spot."""
        return greeks.spot_gamma(self.spot, self.forward, self.discount, self.legs["strike"], self.s)

    def exposure(self) -> Float:
        """Return Γ·OI·100·S²·0.01 of every leg, USD per 1 % move, unsigned."""
        return self.gamma() * self.oi * MULTIPLIER * self.spot * self.spot * 0.01

    def where(self, keep: NDArray[np.bool_]) -> Book:
        """Return the book of some of its legs."""
        return Book(
            self.legs[keep], self.spot, self.now, Carry(self.carry.expiries, self.carry.of_leg[keep]), self.repairs,
            self.sigma[keep], self.years[keep], self.forward[keep], self.discount[keep], self.oi[keep],
        )  # fmt: skip

    def at(self, now: int, spot: float) -> Book:
        """Return the book at a later instant and another spot: carry rates and volatilities held, clocks moved.

        Legs that have settled by then are gone. ln(F/S) and −ln D shrink with the time that is left.
        """
        keep = self.legs["settle_ns"] > now
        kept = self.where(keep)
        years = (kept.legs["settle_ns"] - now) / NS_PER_YEAR
        share = years / kept.years
        forward = spot * (kept.forward / kept.spot) ** share
        return Book(kept.legs, spot, now, kept.carry, kept.repairs, kept.sigma, years, forward,
                    kept.discount**share, kept.oi)  # fmt: skip

    def replaced(self, *, sigma: Float | None = None, carry: Convention = "canonical") -> Book:
        """Return the book with other volatilities, or without carry (F = S, D = 1): for bands."""
        flat = carry == "no_carry"
        return Book(
            self.legs, self.spot, self.now, self.carry, self.repairs,
            self.sigma if sigma is None else sigma, self.years,
            np.full(len(self.legs), self.spot) if flat else self.forward,
            np.ones(len(self.legs)) if flat else self.discount, self.oi,
        )  # fmt: skip


def book_of(chain: Chain, now: int | None = None) -> Book:
    """Return the book of a chain's live legs at `now` (default its own instant).

    Its spot is the chain's, or the one its quotes imply where they agree that the chain's is stale.

    Raises
    ------
    DataError
        If every contract has settled, or none has a volatility and open interest.
    """
    now = chain.as_of if now is None else now
    legs = chain.live(now)
    if len(legs) == 0:
        raise DataError("every contract of the chain has settled", path=chain.source, field="contracts",
                        value=len(chain.legs), rule="one that settles after the chain's own time",
                        way_out="--at an earlier instant, or a newer chain")  # fmt: skip
    spot = implied_spot(legs, chain.spot, chain.as_of) or chain.spot
    carry = carry_of(legs, spot, now)
    years, forward, discount = (carry.column(name)[carry.of_leg] for name in ("years", "forward", "discount"))
    sigma, twin, solved = _volatilities(legs, years, forward, discount)
    usable = sigma > 0
    oi = np.nan_to_num(legs["oi"])
    total = float(oi.sum())
    lost = float(oi[~usable].sum())
    if not (usable & (oi > 0)).any():
        raise DataError("no live contract has both a volatility and open interest", path=chain.source,
                        field="open interest", value=total, rule="at least one contract",
                        way_out="take a snapshot with open interest")  # fmt: skip
    repairs = Repairs(twin, solved, int(np.count_nonzero(~usable)), lost / total if total else 0.0)
    book = Book(legs, spot, now, carry, repairs, sigma, years, forward, discount, oi)
    return book.where(usable)


def _volatilities(legs: Legs, years: Float, forward: Float, discount: Float) -> tuple[Float, int, int]:
    """Return σ of every leg, and how many were taken from the twin and solved from the mid."""
    sigma = legs["iv"].copy()
    pair = twins(legs)
    lend = np.isnan(sigma) & (pair >= 0)
    sigma[lend] = legs["iv"][pair[lend]]
    from_twin = int(np.count_nonzero(lend & ~np.isnan(sigma)))
    open_ = np.isnan(sigma) & (legs["bid"] >= 0) & (legs["ask"] > 0) & (legs["ask"] >= legs["bid"])
    at = np.flatnonzero(open_)
    if len(at):
        sigma[at] = greeks.implied_volatility(
            0.5 * (legs["bid"][at] + legs["ask"][at]), forward[at], discount[at], legs["strike"][at],
            np.maximum(years[at], MIN_YEARS), legs["right"][at].astype(np.float64),
        )  # fmt: skip
    return sigma, from_twin, int(np.count_nonzero(sigma[at] > 0))


def price_grid(spot: float, span: float = GRID_SPAN, points: int = GRID_POINTS) -> Float:
    """Return `points` spots from (1 − span)·S to (1 + span)·S, even in ln S: what a profile is taken on."""
    low, high = float(np.log(1.0 - span)), float(np.log(1.0 + span))
    return spot * np.exp(low + (high - low) / (points - 1) * np.arange(points))


class Repricer:
    """Gamma of a book at many spots: the four columns the kernels need, made once.

    Only legs with open interest are kept. Volatility stays with its strike.
    """

    def __init__(self, book: Book, keep: NDArray[np.bool_] | None = None, sign: SignModel = NAIVE) -> None:
        held = book.oi > 0 if keep is None else keep & (book.oi > 0)
        self.index = np.flatnonzero(held)
        s = book.s[held]
        basis = np.log(book.forward[held] / book.spot)
        self.centre = np.log(book.legs["strike"][held]) - basis - 0.5 * s * s
        self.inverse = 1.0 / s
        self.is_call = np.ascontiguousarray(book.is_call[held])
        self.unsigned = _PER_PERCENT * book.oi[held] * book.discount[held] * np.exp(basis) / s
        self.sign = sign
        self.signed = np.where(self.is_call, sign.call, sign.put) * self.unsigned
        self._scratch = np.empty(len(self.index))

    def profile(self, spots: Float) -> tuple[Float, Float]:
        """Return call and put exposure, both positive, USD per 1 %, at spots of a `price_grid`, each of its shape."""
        out = np.zeros((2, len(spots)))
        low = float(np.log(spots[0]))
        step = (float(np.log(spots[-1])) - low) / (len(spots) - 1)
        kernels.profile(low, step, self.centre, self.inverse, self.unsigned, self.is_call, out)
        return out[0] * spots, out[1] * spots

    def net_profile(self, spots: Float) -> Float:
        """Return the net exposure at spots of a `price_grid`, of its shape."""
        call, put = self.profile(spots)
        return self.sign.call * call + self.sign.put * put

    def net(self, spot: float) -> float:
        """Return the net exposure at one spot."""
        return spot * kernels.at_spot(
            float(np.log(spot)), self.centre, self.inverse, self.signed, self._scratch
        )

    def legs_at(self, spot: float) -> Float:
        """Return the signed exposure of every held leg at one spot."""
        self.net(spot)
        return self._scratch * spot
