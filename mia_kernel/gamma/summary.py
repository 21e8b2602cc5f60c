"""Put all figures of one chain into one object: levels, surface, ratios, confidence, the place on the future.

How it moves: `levels_of` reads a chain once and computes everything at an instant and a spot; the object is
frozen, and `to_dict` gives the names others rely on. Money is USD per 1 % move of the index. What cannot be
known is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    absolute_strike,
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
    MAPPED_INDEX,
    PARITY_ALERT_POINTS,
    Basis,
    chain_basis,
    front_contract,
    parity_gap,
)
from mia_kernel.gamma.surface import Surface, surface_of

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
        return _as_dict(self)


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
        If nothing of the chain is live, or it holds no open interest.
    """
    book = book_of(chain, at)
    exposure = book.exposure()
    table = per_strike(book, exposure, sign=sign)
    net, gross = float(table.net.sum()), float(table.gross.sum())
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
        return Basis(es / book.spot, book.now, contract, "given price"), parity_gap(book, contract, es)
    if all(expiry.method == "none" for expiry in book.carry.expiries):
        return None, None
    return chain_basis(book, contract), None


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


def _as_dict(levels: GammaLevels) -> dict[str, Any]:
    chain, book = levels.chain, levels.book
    return {
        "as_of": _iso(book.now),
        "chain_as_of": _iso(chain.as_of),
        "underlying": chain.underlying,
        "spot": book.spot,
        "spot_in_file": chain.spot,
        "source": chain.source,
        "contracts_live": len(chain.live(book.now)),
        "contracts_dropped": _dropped(levels),
        "confidence": asdict(levels.confidence),
        "sign_model": levels.sign.name,
        **_gamma_dict(levels),
        **_tape_dict(levels),
        **_surface_dict(levels.surface),
        "bands": {name: asdict(band) for name, band in levels.bands.items()},
        "alternatives": [asdict(one) for one in levels.alternatives],
        "es": _on_future(levels),
        "defects": asdict(chain.defects),
        "partial": bool(chain.defects.partial),
        "definition_version": DEFINITION_VERSION,
    }


def _gamma_dict(levels: GammaLevels) -> dict[str, Any]:
    net_walls, table = levels.walls["net"], levels.strikes
    held = table.gross > 0
    columns = (table.strike[held], table.call[held], table.put[held], table.net[held])
    return {
        "net_gex": levels.net,
        "gross_gex": levels.gross,
        "call_gex": float(table.call.sum()),
        "put_gex": float(table.put.sum()),
        "dealer_position": ("short", "neutral", "long")[levels.position + 1],
        "call_wall": net_walls.call,
        "put_wall": net_walls.put,
        "walls": {name: asdict(pair) for name, pair in levels.walls.items()},
        "second_walls": asdict(levels.second),
        "absolute_gamma_strike": absolute_strike(table, levels.book.spot),
        "zero_gamma": levels.zero.price,
        "zero_gamma_crossings": [asdict(crossing) for crossing in levels.zero.crossings],
        "zero_gamma_reason": levels.zero.reason,
        "vol_trigger_proxy": levels.vol_trigger,
        "hvl": levels.hvl,
        "max_pain": levels.max_pain,
        "pin_risk": None if levels.pin is None else _pin(levels.pin),
        "by_strike": [
            {"strike": k, "call_gex": c, "put_gex": -p, "net_gex": n}
            for k, c, p, n in zip(*(column.tolist() for column in columns), strict=True)
        ],
        "by_expiry": _by_expiry(levels),
        "buckets": {name: asdict(bucket) for name, bucket in levels.buckets.items()},
        "expiring_share": levels.expiring_share,
        "delta_exposure": levels.exposures.delta_usd,
        "vanna_exposure": levels.exposures.vanna_usd_per_vol_point,
        "charm_exposure": levels.exposures.charm_usd_per_day,
        "charm_to_close": levels.exposures.charm_to_close_usd,
    }


def _tape_dict(levels: GammaLevels) -> dict[str, Any]:
    return {
        "put_call_oi": levels.ratios["live"]["oi"],
        "put_call_volume": levels.ratios["live"]["volume"],
        "put_call": levels.ratios,
        "unusual": [asdict(one) for one in levels.unusual],
        "unusual_share": levels.unusual_share,
    }


def _surface_dict(surface: Surface) -> dict[str, Any]:
    return {
        "atm_iv": {str(days): value for days, value in surface.atm.items()},
        "skew_25d": {str(days): value for days, value in surface.skew_25.items()},
        "term_slope": surface.term_slope,
        "calendar_breaks": [list(pair) for pair in surface.calendar_breaks],
        "butterfly_breaks": sum(smile.butterfly_breaks for smile in surface.smiles),
    }


def _dropped(levels: GammaLevels) -> dict[str, int]:
    chain, repairs = levels.chain, levels.book.repairs
    expired = len(chain.legs) - len(chain.live(levels.book.now))
    found = {
        "settled": expired,
        "no_volatility": repairs.dropped,
        "duplicate": chain.defects.duplicate_symbols,
        "unreadable_row": chain.defects.unreadable_rows,
    }
    return {reason: n for reason, n in found.items() if n}


def _pin(pin: Pin) -> dict[str, Any]:
    return {
        "strike": pin.strike,
        "score": pin.score,
        "expiry": _day(pin.expiry),
        "settlement": "AM" if pin.am else "PM",
    }


def _by_expiry(levels: GammaLevels) -> list[dict[str, Any]]:
    smiles = {(smile.expiry, smile.am): smile for smile in levels.surface.smiles}
    out: list[dict[str, Any]] = []
    for row in levels.expiries:
        smile = smiles.get((row["expiry"], row["settlement"] == "AM"))
        out.append(
            dict(row)
            | {
                "expiry": _day(row["expiry"]),
                "atm_iv": None if smile is None else smile.atm,
                "skew_25d": None if smile is None else smile.skew_25,
                "expected_move": None if smile is None else smile.expected_move(levels.book.spot),
            }
        )
    return out


def _on_future(levels: GammaLevels) -> dict[str, Any] | None:
    basis, wall = levels.basis, levels.walls["net"]
    if basis is None:
        return None
    gap = levels.parity_gap_points

    def placed(level: float | None) -> float | None:
        return None if level is None else level * basis.ratio

    zero = levels.buckets["zero_dte"]
    return {
        "basis_ratio": basis.ratio,
        "basis_from": basis.source,
        "contract": basis.contract.code,
        "price": levels.book.spot * basis.ratio,
        "call_wall": placed(wall.call),
        "put_wall": placed(wall.put),
        "zero_gamma": placed(levels.zero.price),
        "vol_trigger_proxy": placed(levels.vol_trigger),
        "absolute_gamma_strike": placed(absolute_strike(levels.strikes, levels.book.spot)),
        "hvl": placed(levels.hvl),
        "call_wall_0dte": placed(zero.call_wall),
        "put_wall_0dte": placed(zero.put_wall),
        "parity_gap_points": gap,
        "parity_alert": None if gap is None else abs(gap) > PARITY_ALERT_POINTS,
        "contracts_per_percent": levels.net / (50.0 * levels.book.spot * basis.ratio),
    }


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).isoformat()


def _day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
