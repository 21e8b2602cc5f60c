"""Put all figures of one chain into one object: levels, surface, ratios, confidence, the place on the future.

How it moves: `levels_of` reads a chain once and computes everything at an instant and a spot; the object is
frozen, and `to_dict` gives the names others rely on. Money is USD per 1 % move of the index. What cannot be
known is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.errors import DataError, InputError
from mia_kernel.gamma.bands import Alternative, Band, alternatives, bands_of
from mia_kernel.gamma.book import NAIVE, Book, Repricer, SignModel, book_of, price_grid
from mia_kernel.gamma.chain import Chain
from mia_kernel.gamma.confidence import Confidence, chain_confidence, level_scores, zero_band
from mia_kernel.gamma.exposures import (
    Exposures,
    Unusual,
    exposures_of,
    new_york_day,
    put_call_ratios,
    unusual_activity,
)
from mia_kernel.gamma.levels import (
    Pin,
    Strikes,
    Walls,
    ZeroGamma,
    dealer_position,
    high_volatility_level,
    max_pain,
    per_strike,
    pin_risk,
    second_walls,
    vol_trigger,
    walls,
    zero_gamma,
)
from mia_kernel.gamma.mapping import (
    FAR_LOG,
    MAPPED_INDEX,
    Basis,
    chain_basis,
    front_contract,
    parity_gap,
)
from mia_kernel.gamma.surface import Surface, surface_of
from mia_kernel.gamma.told import as_dict

Float = NDArray[np.float64]

DEFINITION_VERSION = "1.0"
"""Of everything below: a level is comparable with another one of the same version only."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of the book by time to expiry."""

    net: float
    gross: float
    call_wall: float | None
    put_wall: float | None
    zero_gamma: float | None
    zero_gamma_reason: str | None


@dataclass(frozen=True, slots=True)
class GammaLevels:
    """Everything one chain says, at `book.now` and `book.spot`."""

    chain: Chain
    book: Book
    sign: SignModel
    strikes: Strikes
    expiries: tuple[Mapping[str, Any], ...]
    walls: Mapping[str, Walls]
    second: Walls
    zero: ZeroGamma
    spots: Float
    profile: Float
    """Net exposure at `spots`."""
    vol_trigger: float | None
    hvl: float | None
    pin: Pin | None
    max_pain: float | None
    buckets: Mapping[str, Bucket]
    exposures: Exposures
    ratios: Mapping[str, Mapping[str, float | None]]
    unusual: tuple[Unusual, ...]
    unusual_share: float | None
    surface: Surface
    confidence: Confidence
    alternatives: tuple[Alternative, ...]
    basis: Basis | None
    parity_gap_points: float | None

    @property
    def net(self) -> float:
        """Net exposure, USD per 1 %."""
        return float(self.strikes.net.sum())

    @property
    def gross(self) -> float:
        """Gross exposure, USD per 1 %."""
        return float(self.strikes.gross.sum())

    @property
    def position(self) -> int:
        """+1 dealers long gamma, −1 short, 0 neutral (below 3 % of gross)."""
        return dealer_position(self.net, self.gross)

    @property
    def bands(self) -> dict[str, Band]:
        """Lowest and highest level over the changed assumptions."""
        return bands_of(self.alternatives)

    @property
    def expiring_share(self) -> float:
        """Share of gross gamma in the next expiry day."""
        first = self.expiries[0]["expiry"]
        return sum(row["gross_gex"] for row in self.expiries if row["expiry"] == first) / self.gross

    def to_dict(self) -> dict[str, Any]:
        """Return the names of `mia options levels --json`; times as ISO 8601."""
        return as_dict(self) | {"definition_version": DEFINITION_VERSION}


def levels_of(
    chain: Chain, *, at: int | None = None, es: float | None = None, sign: SignModel = NAIVE
) -> GammaLevels:
    """Return everything a chain says.

    Parameters
    ----------
    chain : Chain
    at : int, optional
        Instant (ns UTC) at which clocks are read; default the chain's own. Volatilities stay as quoted.
    es : float, optional
        Price of the front ES contract at that instant; without it the chain's own forward places the levels.
    sign : SignModel

    Raises
    ------
    DataError
        If nothing of the chain is live, or it holds no open interest or no gamma at its spot.
    InputError
        If `es` is no price, or for SPX further than 8 % from the index.
    """
    book = book_of(chain, at)
    exposure = book.exposure()
    table = per_strike(book, exposure, sign=sign)
    net, gross = float(table.net.sum()), float(table.gross.sum())
    if not gross > 0:
        raise DataError("the chain holds no gamma at this spot", path=chain.source, field="spot", value=book.spot,
                        rule="open interest, and strikes around the spot", way_out="--spot PRICE")  # fmt: skip
    spots = price_grid(book.spot)
    repricer = Repricer(book, sign=sign)
    profile = repricer.net_profile(spots)
    zero = zero_gamma(repricer, spots, profile, book.spot)
    all_walls = walls(table, book.spot)
    score, causes = chain_confidence(chain, book, exposure)
    if dealer_position(net, gross) == 0:
        causes += (f"net is {abs(net) / gross:.1%} of gross: neutral, its sign is not to be relied on",)
    band = zero_band(spots, profile, gross, zero.price)
    scores = level_scores(score, table, all_walls["net"].call, all_walls["net"].put, band, book.spot)
    unusual, share = unusual_activity(chain, book.now)
    basis, gap = _basis(chain, book, es)
    return GammaLevels(
        chain, book, sign, table, _expiries(book, exposure, sign), all_walls, second_walls(table, book.spot), zero,
        spots, profile, vol_trigger(spots, profile, gross, zero.price), high_volatility_level(table),
        pin_risk(book, exposure), max_pain(book, book.legs["expiry"] == book.legs["expiry"].min()),
        _buckets(book, exposure, spots, sign), exposures_of(book, sign), put_call_ratios(chain, book.now), unusual,
        share, surface_of(book), Confidence(score, causes, scores), alternatives(book), basis, gap,
    )  # fmt: skip


def _basis(chain: Chain, book: Book, es: float | None) -> tuple[Basis | None, float | None]:
    if es is None and chain.underlying != MAPPED_INDEX:
        return None, None
    contract = front_contract(book.now)
    if es is not None:
        _check_future(chain, book, es)
        return Basis(es / book.spot, book.now, contract, "given price"), parity_gap(book, contract, es)
    if all(expiry.method == "none" for expiry in book.carry.expiries):
        return None, None
    return chain_basis(book, contract), None


def _check_future(chain: Chain, book: Book, es: float) -> None:
    """Refuse a price that is none, or for the index the future follows one that cannot be its future's."""
    if not 0 < es < float("inf"):
        raise InputError("not a price", field="es", value=es, rule="above 0, and finite")
    if chain.underlying == MAPPED_INDEX and abs(float(np.log(es / book.spot))) > FAR_LOG:
        raise InputError("the future is too far from the index", field="es", value=es,
                         rule=f"within 8% of {book.spot:.2f}", way_out="ES at the chain's time")  # fmt: skip


def _buckets(book: Book, exposure: Float, spots: Float, sign: SignModel) -> dict[str, Bucket]:
    """Return the parts: what expires today, all but that, all but the next expiry, all but the next AM monthly."""
    legs = book.legs
    today = legs["expiry"] == new_york_day(book.now)
    monthly = legs["settle_ns"][legs["am"] == 1]
    next_monthly = legs["expiry"] == (legs["expiry"][legs["am"] == 1].min() if len(monthly) else 0)
    parts = {
        "zero_dte": today,
        "ex_zero_dte": ~today,
        "ex_next_expiry": legs["expiry"] != legs["expiry"].min(),
        "ex_next_monthly": ~next_monthly,
    }
    out: dict[str, Bucket] = {}
    for name, keep in parts.items():
        table = per_strike(book, exposure, keep, sign=sign)
        repricer = Repricer(book, keep, sign)
        zero = zero_gamma(repricer, spots, repricer.net_profile(spots), book.spot)
        net = walls(table, book.spot)["net"]
        out[name] = Bucket(
            float(table.net.sum()), float(table.gross.sum()), net.call, net.put, zero.price, zero.reason
        )
    return out


def _expiries(book: Book, exposure: Float, sign: SignModel) -> tuple[Mapping[str, Any], ...]:
    group, n = book.carry.of_leg, len(book.carry.expiries)
    signed = np.where(book.is_call, sign.call, sign.put) * exposure
    net, gross = np.bincount(group, signed, n), np.bincount(group, exposure, n)
    return tuple(
        {
            "expiry": expiry.expiry,
            "settlement": "AM" if expiry.am else "PM",
            "net_gex": float(net[at]),
            "gross_gex": float(gross[at]),
            "forward": expiry.forward,
            "forward_from": expiry.method,
            "days": expiry.years * 365,
        }
        for at, expiry in enumerate(book.carry.expiries)
    )
