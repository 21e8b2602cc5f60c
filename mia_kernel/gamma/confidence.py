"""Say how far a chain's levels can be trusted, and why: one score with its causes, and how firm each level is.

How it moves: the score starts at 1 and every defect multiplies it down; a cause names the defect with its
figure. A level's own score is that times its firmness: how much larger a wall is than the next one, how narrow
the band around zero gamma in which the net is no sign. The weights are ours: a convention, not a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_kernel.gamma.book import Book
from mia_kernel.gamma.chain import Chain, twins
from mia_kernel.gamma.levels import NEUTRAL_SHARE, Strikes

Float = NDArray[np.float64]

_PARTIAL = 0.5
_OTHER_FORWARD = 0.15
_NO_FORWARD = 0.6
_NO_QUOTES = 0.15
_STALE_SPOT = 0.1
_FIRM_MARGIN = 0.10
_NEAR = 0.05
FLOOR_OF_TWIN = 0.3


@dataclass(frozen=True, slots=True)
class Confidence:
    """Score in [0, 1], the causes that lowered it, and the score of each level."""

    score: float
    causes: tuple[str, ...]
    levels: Mapping[str, float]


def chain_confidence(chain: Chain, book: Book, exposure: Float) -> tuple[float, tuple[str, ...]]:
    """Return the score of a chain and what lowered it."""
    score, causes = 1.0, list[str]()

    def lower(share: float, weight: float, cause: str) -> None:
        nonlocal score
        if share * weight >= 0.001:
            score *= 1.0 - weight * share
            causes.append(cause)

    gross = float(exposure.sum())
    method = np.array([expiry.method for expiry in book.carry.expiries])[book.carry.of_leg]
    for names, weight, text in (
        (("vendor_delta", "interpolated"), _OTHER_FORWARD, "of gamma on forwards without parity quotes"),
        (("none",), _NO_FORWARD, "of gamma without any forward: carry taken as 0"),
    ):
        share = float(exposure[np.isin(method, names)].sum()) / gross if gross else 0.0
        lower(share, weight, f"{share:.0%} {text}")
    near = np.abs(book.legs["strike"] / book.spot - 1.0) < _NEAR
    quiet = ~((book.legs["bid"] > 0) & (book.legs["ask"] > 0))
    share = float(np.count_nonzero(near & quiet)) / max(int(np.count_nonzero(near)), 1)
    lower(share, _NO_QUOTES, f"{share:.0%} of contracts within 5% of spot without a two-sided quote")
    dropped = book.repairs.dropped_oi_share
    lower(dropped, 1.0, f"{dropped:.1%} of open interest has no volatility and is left out")
    floored = _floored(book)
    lower(floored, 1.0, f"{floored:.1%} of open interest is in the money at a vendor volatility under 30% of its "
                        "twin's: far from spot the profile may show notches")  # fmt: skip
    if book.spot != chain.spot:
        gap = book.spot - chain.spot
        lower(
            1.0,
            _STALE_SPOT,
            f"the file's spot is {gap:+.1f} points away from what its quotes imply: {book.spot:.2f}",
        )
    if chain.defects.partial:
        lower(1.0, _PARTIAL, "partial chain: " + "; ".join(chain.defects.partial))
    return score, tuple(causes)


def _floored(book: Book) -> float:
    """Share of open interest in in-the-money legs whose volatility is a small part of the other side's."""
    legs, pair = book.legs, twins(book.legs)
    inside = np.where(book.is_call, legs["strike"] < book.forward, legs["strike"] > book.forward) & (
        pair >= 0
    )
    low = inside & (book.sigma < FLOOR_OF_TWIN * book.sigma[pair])
    total = float(book.oi.sum())
    return float(book.oi[low].sum()) / total if total > 0 else 0.0


def wall_firmness(table: Strikes, values: Float, wall: float | None) -> float:
    """Return how much the strike of a wall stands out: its lead over the next, 10 % or more = 1; 0 without one."""
    if wall is None:
        return 0.0
    top = float(values[table.strike == wall][0])
    others = values[table.strike != wall]
    lead = (top - float(others.max())) / top if len(others) and top > 0 else 1.0
    return float(np.clip(lead / _FIRM_MARGIN, 0.0, 1.0))


def zero_band(spots: Float, net: Float, gross: float, zero: float | None) -> tuple[float, float] | None:
    """Return the spots around zero gamma between which |net| < 3 % of gross, None without a crossing."""
    if zero is None:
        return None
    inside = np.abs(net) < NEUTRAL_SHARE * gross
    at = int(np.searchsorted(spots, zero))
    low, high = at - 1, at
    while low > 0 and inside[low]:
        low -= 1
    while high < len(spots) - 1 and inside[high]:
        high += 1
    return float(spots[max(low, 0)]), float(spots[min(high, len(spots) - 1)])


def level_scores(
    score: float,
    table: Strikes,
    call: float | None,
    put: float | None,
    band: tuple[float, float] | None,
    spot: float,
) -> dict[str, float]:
    """Return the score of walls and zero gamma; a level that does not exist has none."""
    out: dict[str, float] = {}
    if call is not None:
        out["call_wall"] = score * (0.5 + 0.5 * wall_firmness(table, table.net, call))
    if put is not None:
        out["put_wall"] = score * (0.5 + 0.5 * wall_firmness(table, -table.net, put))
    if band is not None:
        out["zero_gamma"] = score / (1.0 + (band[1] - band[0]) / (0.02 * spot))
    return out
