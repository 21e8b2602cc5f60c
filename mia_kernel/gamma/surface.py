"""Read the volatility surface: smile of each expiry, at-the-money term structure, skew, arbitrage flags.

How it moves: per expiry the mids of the legs out of the money give implied volatilities on the parity forward;
between strikes the smile is linear, between expiries total variance σ²T is. A figure outside what the quotes
reach is absent. Source: options reference §1; 25-delta in undiscounted forward delta.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma import greeks
from mia_kernel.gamma.book import MIN_YEARS, Book
from mia_kernel.gamma.carry import Expiry
from mia_kernel.gamma.numeric import normal_cdf, root_between

Float = NDArray[np.float64]

MATURITIES_DAYS = (7, 9, 30, 60, 90, 180, 365)
MIN_POINTS = 8
DELTA = 0.25
STRADDLE_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Smile:
    """Volatility by strike of one expiry, from quotes out of the money; strikes ascending."""

    expiry: int
    am: bool
    years: float
    forward: float
    discount: float
    strike: Float
    iv: Float
    atm: float
    strike_25_call: float | None
    iv_25_call: float | None
    strike_25_put: float | None
    iv_25_put: float | None
    butterfly_breaks: int
    """Neighbouring strikes whose mids are not convex beyond their own half spreads."""

    @property
    def skew_25(self) -> float | None:
        """25-delta put volatility minus call volatility."""
        return None if self.iv_25_put is None or self.iv_25_call is None else self.iv_25_put - self.iv_25_call

    @property
    def fly_25(self) -> float | None:
        """Mean of the wings minus at the money."""
        if self.iv_25_put is None or self.iv_25_call is None:
            return None
        return 0.5 * (self.iv_25_put + self.iv_25_call) - self.atm

    def expected_move(self, spot: float) -> dict[str, float]:
        """Return the move to expiry in points: S·σ√T, and 0.85 of the at-the-money straddle."""
        s = float(self.atm * np.sqrt(self.years))
        straddle = 2 * self.discount * self.forward * (2 * _cdf(0.5 * s) - 1)
        return {"one_sigma": float(spot * s), "straddle_85": STRADDLE_SHARE * straddle}


@dataclass(frozen=True, slots=True)
class Surface:
    """Smiles by settlement, constant maturities, and what breaks arbitrage."""

    smiles: tuple[Smile, ...]
    atm: dict[int, float]
    skew_25: dict[int, float]
    calendar_breaks: tuple[tuple[int, int], ...]
    """Pairs of expiries whose total variance falls."""

    @property
    def term_slope(self) -> float | None:
        """ATM30 − ATM90, above 0 in backwardation."""
        return self.atm[30] - self.atm[90] if {30, 90} <= self.atm.keys() else None


def surface_of(book: Book) -> Surface:
    """Return the surface of a book; expiries without two-sided quotes on both wings have no smile."""
    legs = book.legs
    side = np.where(legs["strike"] >= book.forward, 1, -1)
    use = (
        (legs["right"] == side) & (legs["bid"] > 0) & (legs["ask"] >= legs["bid"]) & (book.years > MIN_YEARS)
    )
    points = _Points.of(book, use)
    smiles: list[Smile] = []
    for at, expiry in enumerate(book.carry.expiries):
        smile = _smile(points.where(points.group == at), expiry)
        if smile is not None:
            smiles.append(smile)
    return Surface(
        tuple(smiles),
        _constant_maturity(smiles, [smile.atm for smile in smiles]),
        _skew(smiles),
        tuple(
            (a.expiry, b.expiry)
            for a, b in itertools.pairwise(smiles)
            if b.atm**2 * b.years < a.atm**2 * a.years
        ),
    )


@dataclass(frozen=True, slots=True)
class _Points:
    """Quotes out of the money with their volatilities, by expiry and strike."""

    group: NDArray[np.int64]
    strike: Float
    right: Float
    mid: Float
    half: Float
    iv: Float

    @classmethod
    def of(cls, book: Book, use: NDArray[np.bool_]) -> _Points:
        legs = book.legs[use]
        mid, half = 0.5 * (legs["bid"] + legs["ask"]), 0.5 * (legs["ask"] - legs["bid"])
        right = legs["right"].astype(np.float64)
        iv = greeks.implied_volatility(
            mid, book.forward[use], book.discount[use], legs["strike"], book.years[use], right
        )
        group = book.carry.of_leg[use]
        order = np.lexsort((legs["strike"], group))
        order = order[np.isfinite(iv[order])]
        return cls(group[order], legs["strike"][order], right[order], mid[order], half[order], iv[order])

    def where(self, keep: NDArray[np.bool_]) -> _Points:
        return _Points(
            self.group[keep],
            self.strike[keep],
            self.right[keep],
            self.mid[keep],
            self.half[keep],
            self.iv[keep],
        )


def _smile(points: _Points, expiry: Expiry) -> Smile | None:
    strike, iv, forward = points.strike, points.iv, expiry.forward
    if expiry.method == "none" or len(strike) < MIN_POINTS or not strike[0] < forward < strike[-1]:
        return None
    s_root = np.sqrt(expiry.years)

    def call_delta(k: float) -> float:
        s = float(np.interp(k, strike, iv)) * s_root
        return _cdf(float(np.log(forward / k)) / s + 0.5 * s)

    call = _strike_of(call_delta, DELTA, forward, float(strike[-1]))
    put = _strike_of(call_delta, 1 - DELTA, float(strike[0]), forward)
    return Smile(
        expiry.expiry, expiry.am, expiry.years, forward, expiry.discount, strike, iv,
        float(np.interp(forward, strike, iv)),
        call, None if call is None else float(np.interp(call, strike, iv)),
        put, None if put is None else float(np.interp(put, strike, iv)),
        _butterfly_breaks(points, forward, expiry.discount),
    )  # fmt: skip


def _cdf(x: float) -> float:
    return float(normal_cdf(np.array(x)))


def _strike_of(delta: Callable[[float], float], target: float, low: float, high: float) -> float | None:
    if not delta(low) > target > delta(high):
        return None
    return root_between(lambda k: delta(k) - target, low, high)


def _butterfly_breaks(points: _Points, forward: float, discount: float) -> int:
    """Count strikes where call prices (puts turned by parity) bend down by more than their half spreads."""
    strike, half = points.strike, points.half
    call = np.where(points.right > 0, points.mid, points.mid + discount * (forward - strike))
    share = (strike[2:] - strike[1:-1]) / (strike[2:] - strike[:-2])
    chord = share * call[:-2] + (1 - share) * call[2:]
    slack = share * half[:-2] + (1 - share) * half[2:] + half[1:-1]
    return int(np.count_nonzero(call[1:-1] - chord > slack))


def _constant_maturity(smiles: list[Smile], values: list[float | None]) -> dict[int, float]:
    """Return volatility at fixed days, linear in total variance; absent outside the listed expiries."""
    known = [(smile.years, value) for smile, value in zip(smiles, values, strict=True) if value is not None]
    # On the third Friday two settlements share a day: each keeps its own T.
    years = np.array([t for t, _ in known])
    variance = np.array([v * v * t for t, v in known])
    out: dict[int, float] = {}
    for days in MATURITIES_DAYS:
        t = days / 365
        if len(years) and years[0] <= t <= years[-1]:
            out[days] = float(np.sqrt(np.interp(t, years, variance) / t))
    return out


def _skew(smiles: list[Smile]) -> dict[int, float]:
    put = _constant_maturity(smiles, [smile.iv_25_put for smile in smiles])
    call = _constant_maturity(smiles, [smile.iv_25_call for smile in smiles])
    return {days: put[days] - call[days] for days in put if days in call}
