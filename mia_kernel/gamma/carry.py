"""Find what the chain itself says of rates and dividends: forward and discount of every expiry.

How it moves: per expiry and settlement, put-call parity C − P = D(F − K) over two-sided quotes gives F and D;
where there are no quotes (after hours) the vendor's delta and volatility give F; what is left is interpolated
in time. A forward too far from spot is refused: one bad parity fit moves net gamma by billions.
Source: options reference §1; parity is model-free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.chain import CALL, NS_PER_YEAR, Legs, twins
from mia_kernel.gamma.numeric import normal_quantile

Float = NDArray[np.float64]
Method = Literal["parity", "vendor_delta", "interpolated", "none"]

WINDOW = 0.25
MIN_STRIKES = 6
SHORT_YEARS = 20 / 365
SHORT_STRIKES = 10
_FITS = 3
_EXACT = 1e-9
SPOT_EXPIRIES, SPOT_YEARS, SPOT_AGREE = 3, 30 / 365, 0.0005
DELTA_LOW, DELTA_HIGH = 0.2, 0.8


@dataclass(frozen=True, slots=True)
class Expiry:
    """One (expiry, settlement): its clock, its carry and where that came from."""

    expiry: int
    am: bool
    settle_ns: int
    years: float
    forward: float
    discount: float
    method: Method
    strikes: int


@dataclass(frozen=True, slots=True)
class Carry:
    """Carry of every live expiry, ascending by settlement, and the expiry each leg belongs to."""

    expiries: tuple[Expiry, ...]
    of_leg: NDArray[np.int64]

    def column(self, name: str) -> Float:
        """Return one field of the expiries as an array."""
        return np.array([getattr(expiry, name) for expiry in self.expiries], np.float64)

    def log_basis(self, spot: float, years: float) -> float:
        """Return ln(F/S) at a time, linear between expiries and from 0 at T = 0; beyond the last, its rate."""
        at: Float = np.r_[0.0, self.column("years")]
        value: Float = np.r_[0.0, np.log(self.column("forward") / spot)]
        if years > at[-1] and at[-1] > 0:
            return float(value[-1] * years / at[-1])
        return float(np.interp(years, at, value))


def carry_of(legs: Legs, spot: float, now: int) -> Carry:
    """Return the carry of live legs (in the order of `make_chain`) at spot and instant.

    An expiry that no method serves takes F and D by interpolation in T; with no served expiry at all F = S and
    D = 1, method "none", and confidence says so.
    """
    key = legs["settle_ns"] * 2 + legs["am"]
    _, first, of_leg = np.unique(key, return_index=True, return_inverse=True)
    pair = twins(legs)
    calls = np.flatnonzero((legs["right"] == CALL) & (pair >= 0))
    puts = pair[calls]
    usable = _two_sided(legs, calls) & _two_sided(legs, puts)
    usable &= np.abs(legs["strike"][calls] / spot - 1.0) < WINDOW
    calls, puts = calls[usable], puts[usable]
    group = of_leg[calls]
    found: list[Expiry] = []
    for at, row in enumerate(first):
        years = float(legs["settle_ns"][row] - now) / NS_PER_YEAR
        mine = group == at
        served = _parity(legs, calls[mine], puts[mine], spot, years)
        method: Method = "parity"
        if served is None:
            forward = _from_delta(legs[of_leg == at], years, spot)
            served, method = (None, "none") if forward is None else ((forward, np.nan), "vendor_delta")
        forward, discount = served or (np.nan, np.nan)
        found.append(
            Expiry(int(legs["expiry"][row]), bool(legs["am"][row]), int(legs["settle_ns"][row]), years, forward,
                   discount, method, int(np.count_nonzero(mine)))
        )  # fmt: skip
    return Carry(_interpolated(found, spot), of_leg)


def implied_spot(legs: Legs, spot: float, now: int) -> float | None:
    """Return the spot the quotes of the nearest expiries imply, where they agree that the given one is not theirs.

    Outside cash hours a file carries yesterday's index with today's quotes; every near forward then breaks the
    same bound by the same gap. At least three expiries within 30 days must break it and lie within 0.05 % of
    one line ln F = ln S + g·T. None where the given spot stands.
    """
    flat = carry_candidates(legs, spot, now)
    near = [(years, forward) for years, forward in flat if years < SPOT_YEARS]
    if len(near) < SPOT_EXPIRIES or any(is_plausible(f, spot, t) for t, f in near[:SPOT_EXPIRIES]):
        return None
    years, log_forward = np.array([t for t, _ in near]), np.log([f for _, f in near])
    slope, level = np.polyfit(years, log_forward, 1)
    if np.abs(log_forward - level - slope * years).max() > SPOT_AGREE:
        return None
    return float(np.exp(level))


def carry_candidates(legs: Legs, spot: float, now: int) -> list[tuple[float, float]]:
    """Return (T, parity forward) of expiries within 30 days by the median over strikes, unbounded, by T."""
    pair = twins(legs)
    calls = np.flatnonzero(
        (legs["right"] == CALL) & (pair >= 0) & (legs["settle_ns"] - now < SPOT_YEARS * NS_PER_YEAR)
    )
    puts = pair[calls]
    usable = (
        _two_sided(legs, calls)
        & _two_sided(legs, puts)
        & (np.abs(legs["strike"][calls] / spot - 1.0) < WINDOW)
    )
    calls, puts = calls[usable], puts[usable]
    parity = legs["strike"][calls] + 0.5 * (
        legs["bid"][calls] + legs["ask"][calls] - legs["bid"][puts] - legs["ask"][puts]
    )
    out: list[tuple[float, float]] = []
    for settle in np.unique(legs["settle_ns"][calls]):
        mine = legs["settle_ns"][calls] == settle
        if np.count_nonzero(mine) >= SHORT_STRIKES:
            near = np.argsort(np.abs(legs["strike"][calls][mine] - spot), kind="stable")[:SHORT_STRIKES]
            out.append((float(settle - now) / NS_PER_YEAR, float(np.median(parity[mine][near]))))
    return out


def is_plausible(forward: float, spot: float, years: float) -> bool:
    """Tell whether |ln(F/S)| ≤ 0.004 + 0.08·T: no real carry leaves this band."""
    return forward > 0 and abs(float(np.log(forward / spot))) <= 0.004 + 0.08 * years


def _two_sided(legs: Legs, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (legs["bid"][at] > 0) & (legs["ask"][at] >= legs["bid"][at])


def _parity(
    legs: Legs, calls: NDArray[np.int64], puts: NDArray[np.int64], spot: float, years: float
) -> tuple[float, float] | None:
    if len(calls) < MIN_STRIKES:
        return None
    strike = legs["strike"][calls]
    gap = 0.5 * (legs["bid"][calls] + legs["ask"][calls] - legs["bid"][puts] - legs["ask"][puts])
    spread = legs["ask"][calls] - legs["bid"][calls] + legs["ask"][puts] - legs["bid"][puts]
    if years < SHORT_YEARS:
        near = np.argsort(np.abs(strike - spot), kind="stable")[:SHORT_STRIKES]
        forward, discount = float(np.median((gap + strike)[near])), np.nan
    else:
        line = _robust_line(strike - spot, gap, 1.0 / np.maximum(spread, 0.01))
        if line is None:
            return None
        level, slope = line
        discount = -slope
        forward = spot + level / discount if discount > 0 else np.nan
    if not is_plausible(forward, spot, years):
        return None
    return forward, discount


def _robust_line(x: Float, y: Float, weight: Float) -> tuple[float, float] | None:
    """Weighted least squares y = level + slope·x, refitted twice without points beyond 4 median misses."""
    keep = np.ones(len(x), np.bool_)
    level, slope = np.nan, np.nan
    for _ in range(_FITS):
        w = weight[keep]
        xm, ym = float(np.average(x[keep], weights=w)), float(np.average(y[keep], weights=w))
        spread = float(np.sum(w * (x[keep] - xm) ** 2))
        if not spread > 0:
            return None
        slope = float(np.sum(w * (x[keep] - xm) * (y[keep] - ym)) / spread)
        level = ym - slope * xm
        miss = np.abs(y - level - slope * x)
        inside = miss <= max(4 * float(np.median(miss[keep])), _EXACT)
        if np.array_equal(inside, keep) or np.count_nonzero(inside) < MIN_STRIKES:
            break
        keep = inside
    return level, slope


def _from_delta(legs: Legs, years: float, spot: float) -> float | None:
    """Return the median F = K·exp(d1·s − s²/2) over legs of middling vendor delta, None without any."""
    size = np.abs(legs["delta"])
    use = (size > DELTA_LOW) & (size < DELTA_HIGH) & (legs["iv"] > 0)
    if not use.any():
        return None
    s = legs["iv"][use] * np.sqrt(years)
    d1 = legs["right"][use] * normal_quantile(size[use])
    forward = float(np.median(legs["strike"][use] * np.exp(d1 * s - 0.5 * s * s)))
    return forward if is_plausible(forward, spot, years) else None


def _interpolated(found: list[Expiry], spot: float) -> tuple[Expiry, ...]:
    """Fill forwards that no method gave, and the discounts parity does not give below 20 days."""
    years = np.array([expiry.years for expiry in found])
    forward = np.array([expiry.forward for expiry in found])
    discount = np.array([expiry.discount for expiry in found])
    basis = _line_through(years, np.log(forward / spot))
    rate = _line_through(years, -np.log(discount))
    out: list[Expiry] = []
    for at, expiry in enumerate(found):
        given = not np.isnan(forward[at])
        known = given or not np.isnan(forward).all()
        method: Method = expiry.method if given else ("interpolated" if known else "none")
        out.append(
            Expiry(expiry.expiry, expiry.am, expiry.settle_ns, expiry.years, float(spot * np.exp(basis[at])),
                   float(np.exp(-rate[at])), method, expiry.strikes)
        )  # fmt: skip
    return tuple(out)


def _line_through(years: Float, value: Float) -> Float:
    """Return the values with gaps filled linearly in T, from 0 at T = 0, by the last rate beyond the last."""
    known = ~np.isnan(value)
    if not known.any():
        return np.zeros(len(value))
    at: Float = np.r_[0.0, years[known]]
    given: Float = np.r_[0.0, value[known]]
    filled: Float = np.interp(years, at, given)
    beyond = years > at[-1]
    if at[-1] > 0:
        filled[beyond] = given[-1] * years[beyond] / at[-1]
    filled[known] = value[known]
    return filled
