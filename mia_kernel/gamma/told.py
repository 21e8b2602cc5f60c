"""Tell the levels of a chain by the names others rely on: what `mia options levels --json` prints.

Times are ISO 8601, days YYYY-MM-DD, money USD per 1 % move of the index; what cannot be known is None.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mia_kernel.core.errors import DataError
from mia_kernel.gamma.cycles import overlay_at
from mia_kernel.gamma.levels import Pin, absolute_strike
from mia_kernel.gamma.mapping import MAPPED_INDEX, PARITY_ALERT_POINTS
from mia_kernel.gamma.surface import Surface

if TYPE_CHECKING:
    from mia_kernel.gamma.summary import GammaLevels


def as_dict(levels: GammaLevels) -> dict[str, Any]:
    """Return the names of `mia options levels --json` without the version of their definitions."""
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
        "es_reason": _no_future(levels),
        "defects": asdict(chain.defects),
        "partial": bool(chain.defects.partial),
        "cycle": _cycle(book.now),
    }


def _cycle(ts: int) -> dict[str, Any] | None:
    """Return where the instant stands in the option calendar, None outside it."""
    try:
        overlay = overlay_at(ts)
    except DataError:
        return None
    cycle = overlay.cycle
    return {
        "phase": cycle.phase.name,
        "stage": overlay.stage,
        "days_to_monthly": cycle.days_to_monthly,
        "next_monthly": _day(cycle.next_monthly),
        "quarterly": cycle.quarterly,
        "vix_expiry": cycle.vix_expiry,
        "am_settled_last_trade": cycle.am_settled_last_trade,
        "month_end": overlay.month_end,
        "quarter_end": overlay.quarter_end,
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


def _no_future(levels: GammaLevels) -> str | None:
    """Say why the levels have no place on the future; None where they have one."""
    if levels.basis is not None:
        return None
    if levels.chain.underlying != MAPPED_INDEX:
        return f"{levels.chain.underlying} is not {MAPPED_INDEX}: give the future's price (--es), the ratio places it"
    return "the chain implies no forward: give the future's price (--es)"


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).isoformat()


def _day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
