"""Find walls, flips and pins in a book: where modelled dealer hedging should hold price, or push it.

How it moves: exposure per strike is one sum over legs at the present spot; exposure over price is the same book
repriced at many spots with carry and volatility held. Walls come from the first, zero gamma from the second.
The sign is a model, named in every result: customers sell calls and buy puts, so dealers are long calls (+)
and short puts (−). Source: options reference §1 (SqueezeMetrics' convention; SpotGamma and MenthorQ terms).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.book import NAIVE, Book, SignModel
from mia_kernel.gamma.chain import CALL, NS_PER_YEAR
from mia_kernel.gamma.numeric import root_between

Float = NDArray[np.float64]

NEUTRAL_SHARE = 0.03
"""A net below this share of gross is no sign."""
TRIGGER_SHARE = 0.02
SECOND_WALL_APART = 0.005
PIN_YEARS = 1 / 365
_DUST = 1e-9


class Priced(Protocol):
    """A book that tells its net exposure at any spot."""

    @property
    def index(self) -> NDArray[np.int64]:
        """Its legs with open interest."""
        ...

    def net(self, spot: float) -> float:
        """Net exposure at a spot, USD per 1 %."""
        ...


@dataclass(frozen=True, slots=True)
class Strikes:
    """Exposure per strike, USD per 1 % move, both sides positive; strikes ascending."""

    strike: Float
    call: Float
    put: Float
    call_oi: Float
    put_oi: Float
    sign: SignModel = NAIVE

    @property
    def net(self) -> Float:
        """Exposure with the signs of the model."""
        return self.sign.call * self.call + self.sign.put * self.put

    @property
    def gross(self) -> Float:
        """Calls and puts together."""
        return self.call + self.put


@dataclass(frozen=True, slots=True)
class Walls:
    """Call and put wall under one convention; None where no strike qualifies."""

    call: float | None
    put: float | None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A spot where the repriced book's net gamma is 0, and which way it goes through as price rises."""

    price: float
    direction: Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class ZeroGamma:
    """All crossings within ±20 % of spot, the headline, and why there is none."""

    price: float | None
    crossings: tuple[Crossing, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Pin:
    """The strike an expiry of the next 24 hours is most likely pinned to, with its score in [0, 1]."""

    strike: float
    score: float
    expiry: int
    am: bool


def per_strike(
    book: Book, exposure: Float, keep: NDArray[np.bool_] | None = None, *, sign: SignModel = NAIVE
) -> Strikes:
    """Return the exposure of a book per strike, over all its roots and expiries or those of `keep`."""
    rows = slice(None) if keep is None else keep
    strike, at = np.unique(book.legs["strike"][rows], return_inverse=True)
    is_call, exposure, oi = book.is_call[rows], exposure[rows], book.oi[rows]
    n = len(strike)

    def total(values: Float, side: NDArray[np.bool_]) -> Float:
        return np.asarray(np.bincount(at[side], values[side], n), np.float64)

    return Strikes(
        strike,
        total(exposure, is_call),
        total(exposure, ~is_call),
        total(oi, is_call),
        total(oi, ~is_call),
        sign,
    )


def walls(table: Strikes, spot: float) -> dict[str, Walls]:
    """Return the walls in four conventions: net (headline), gross, side-constrained, open interest.

    A tie goes to the strike nearer to spot. A call wall needs net > 0 and a put wall net < 0 at its strike.
    """
    if len(table.strike) == 0:
        return {name: Walls(None, None) for name in ("net", "gross", "side", "oi")}
    above, below = table.strike >= spot, table.strike <= spot
    return {
        "net": Walls(_best(table, table.net, spot), _best(table, -table.net, spot)),
        "gross": Walls(_best(table, table.call, spot), _best(table, table.put, spot)),
        "side": Walls(_best(table, table.call, spot, above), _best(table, table.put, spot, below)),
        "oi": Walls(_best(table, table.call_oi, spot), _best(table, table.put_oi, spot)),
    }


def second_walls(table: Strikes, spot: float) -> Walls:
    """Return the next local extremes of net exposure, at least 0.5 % away from the walls."""

    def second(values: Float) -> float | None:
        first = _best(table, values, spot)
        if first is None:
            return None
        padded = np.r_[-np.inf, values, -np.inf]
        local = (padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:])
        apart = np.abs(table.strike / first - 1.0) >= SECOND_WALL_APART
        return _best(table, values, spot, local & apart)

    return Walls(second(table.net), second(-table.net))


def _best(
    table: Strikes, values: Float, spot: float, allowed: NDArray[np.bool_] | None = None
) -> float | None:
    values = values if allowed is None else np.where(allowed, values, -np.inf)
    top = float(values.max())
    if not top > 0:
        return None
    tied = table.strike[values == top]
    return float(tied[np.argmin(np.abs(tied - spot))])


def absolute_strike(table: Strikes, spot: float) -> float | None:
    """Return the strike of most gamma, calls and puts together (SpotGamma's absolute gamma strike)."""
    return _best(table, table.call + table.put, spot)


def high_volatility_level(table: Strikes) -> float | None:
    """Return the strike where the cumulative net curve turns from falling to rising: its lowest point.

    The curve turns at many strikes; the lowest one is where it turns for good. None where it never falls.
    This is MenthorQ's level, not the price where the book's gamma is 0.
    """
    cumulative = np.cumsum(table.net)
    if len(cumulative) == 0:
        return None
    low = int(np.argmin(cumulative))
    return None if cumulative[low] >= 0 or low + 1 == len(cumulative) else float(table.strike[low + 1])


def zero_gamma(repricer: Priced, spots: Float, net: Float, spot: float) -> ZeroGamma:
    """Return every spot where net gamma is 0, refined from sign changes on a grid.

    The headline is the crossing nearest to `spot` that goes from negative to positive, else None with a reason.
    """
    if len(repricer.index) == 0 or not np.any(net):
        return ZeroGamma(None, (), "no open interest in this part of the book")
    found: list[Crossing] = []
    # Far from every strike the net is rounding dust without a sign.
    solid = np.flatnonzero(np.abs(net) > _DUST * np.abs(net).max())
    turns = np.flatnonzero(np.signbit(net[solid[1:]]) != np.signbit(net[solid[:-1]]))
    for low, high in zip(solid[turns], solid[turns + 1], strict=True):
        root = root_between(repricer.net, float(spots[low]), float(spots[high]))
        found.append(Crossing(root, "up" if net[high] > net[low] else "down"))
    upward = [crossing.price for crossing in found if crossing.direction == "up"]
    if upward:
        return ZeroGamma(min(upward, key=lambda price: abs(price - spot)), tuple(found), None)
    side = "positive" if net[int(np.argmin(np.abs(spots - spot)))] > 0 else "negative"
    span = f"{spots[0]:.0f} to {spots[-1]:.0f}"
    reason = (
        f"net gamma only falls through 0 within {span}" if found else f"net gamma stays {side} from {span}"
    )
    return ZeroGamma(None, tuple(found), reason)


def vol_trigger(spots: Float, net: Float, gross: float, zero: float | None) -> float | None:
    """Return the highest spot at or below zero gamma where net ≤ −2 % of gross, None where there is none.

    A proxy: SpotGamma's volatility trigger is not published.
    """
    if zero is None:
        return None
    deep = (spots <= zero) & (net <= -TRIGGER_SHARE * gross)
    return float(spots[deep].max()) if deep.any() else None


def max_pain(book: Book, keep: NDArray[np.bool_]) -> float | None:
    """Return the strike at which holders of some legs receive least at expiry, None without open interest."""
    legs, oi = book.legs[keep], book.oi[keep]
    if not oi.any():
        return None
    strikes = np.unique(legs["strike"])
    call = legs["right"] == CALL
    paid = (
        _paid(strikes, legs["strike"][call], oi[call])
        + _paid(-strikes[::-1], -legs["strike"][~call], oi[~call])[::-1]
    )
    return float(strikes[np.argmin(paid)])


def _paid(at: Float, strike: Float, oi: Float) -> Float:
    """Σ oi·max(at − strike, 0) at ascending settlement prices."""
    order = np.argsort(strike, kind="stable")
    strike, oi = strike[order], oi[order]
    count, weight = np.r_[0.0, np.cumsum(oi)], np.r_[0.0, np.cumsum(oi * strike)]
    upto = np.searchsorted(strike, at, side="right")
    return at * count[upto] - weight[upto]


def pin_risk(book: Book, exposure: Float) -> Pin | None:
    """Return the likeliest pin among expiries within a day, None where net gamma is positive at no strike.

    Score of strike K: the share of the expiry's gross gamma at K times exp(−(K − S)²/(2(Sσ√T)²)), σ of the leg
    nearest to spot.
    """
    best: Pin | None = None
    for at, expiry in enumerate(book.carry.expiries):
        mine = book.carry.of_leg == at
        if not 0 < expiry.years < PIN_YEARS or not mine.any():
            continue
        table = per_strike(book, exposure, mine)
        gross = float((table.call + table.put).sum())
        near = np.argmin(np.abs(book.legs["strike"][mine] - book.spot))
        width = book.spot * float(book.sigma[mine][near]) * np.sqrt(expiry.years)
        if gross == 0:
            continue
        score = (table.call + table.put) / gross * np.exp(-0.5 * ((table.strike - book.spot) / width) ** 2)
        score = np.where(table.net > 0, score, 0.0)
        top = int(np.argmax(score))
        if score[top] > 0 and (best is None or score[top] > best.score):
            best = Pin(float(table.strike[top]), float(score[top]), expiry.expiry, expiry.am)
    return best


def dealer_position(net: float, gross: float) -> int:
    """Return +1 long gamma, −1 short, 0 neutral: |net| below 3 % of gross."""
    return 0 if gross == 0 or abs(net) < NEUTRAL_SHARE * gross else (1 if net > 0 else -1)


def days_left(book: Book) -> Float:
    """Return calendar days to settlement of every leg."""
    return (book.legs["settle_ns"] - book.now) / NS_PER_YEAR * 365
