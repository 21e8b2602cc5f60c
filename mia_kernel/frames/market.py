"""The market's part of a frame: price, bars, profile, book, levels, zones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.confluence.zones import levels_of, zones
from mia_kernel.core.events import DEPTH
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.frames.memory import Memory
from mia_kernel.state import options, profile
from mia_kernel.state.bars import BAR_RING, TIMEFRAME_NAMES
from mia_kernel.state.levels import IMPORTED_KINDS, NAMES
from mia_kernel.state.memory import MarketState

BARS_SHOWN = 120
"""Closed bars of a timeframe in a frame: two hours of minutes."""
PRICED = ("open", "high", "low", "close", "vwap", "vwap_sd")

FAMILIES = {
    **dict.fromkeys(("poc", "vah", "val", "hvn"), "profile"),
    **dict.fromkeys(("vwap", "sd1_up", "sd1_down", "sd2_up", "sd2_down"), "vwap"),
    **dict.fromkeys(("ppoc", "pvah", "pval", "pdh", "pdl", "pivot", "r1", "s1", "r2", "s2"), "previous"),
    **dict.fromkeys(("onh", "onl", "ibh", "ibl", "session_high", "session_low"), "session"),
    **dict.fromkeys(("fib_382", "fib_500", "fib_618"), "session"),
    **dict.fromkeys(("round_up", "round_down", "psych_up", "psych_down"), "round"),
    **dict.fromkeys(("call_wall", "put_wall", "gamma_flip", "call_wall_0dte", "put_wall_0dte"), "gamma"),
    **dict.fromkeys(("pin", "expected_high", "expected_low", *IMPORTED_KINDS), "gamma"),
}
"""The colour a level has on every screen."""

STYLES = {
    **dict.fromkeys(("put_wall", "put_wall_0dte", "put_support", "put_support_0dte"), "dash"),
    **dict.fromkeys(("gamma_flip", "hvl", "hvl_0dte", "pin", "expected_high", "expected_low"), "dot"),
    **dict.fromkeys(("sd1_up", "sd1_down", "sd2_up", "sd2_down", "round_up", "round_down"), "dot"),
    **dict.fromkeys(("vah", "val", "pvah", "pval"), "dash"),
}


def price(state: Any) -> dict[str, Any]:
    """Return last price, quote and change since the previous close in points; None where unknown."""
    clock, k, p = state["clock"], state["book"], state["profile"]
    last = int(clock["price"]) * TICK_POINTS if clock["has_price"] else None
    before = int(p["previous_close"]) * TICK_POINTS if p["has_previous"] else None
    return {
        "last": last,
        "ts": int(clock["price_ts"]) if clock["has_price"] else None,
        "bid": int(k["bid"]) * TICK_POINTS if k["has"] else None,
        "ask": int(k["ask"]) * TICK_POINTS if k["has"] else None,
        "change": last - before if last is not None and before is not None else None,
        "tick": TICK_POINTS,
    }


def book(market: MarketState) -> dict[str, Any]:
    """Return the imbalance and spread of the book, None without one; the ladder is the series `ladder`."""
    k = market.array["book"][0]
    has = bool(k["has"])
    sampled = has and int(k["sample_n"]) > 0
    return {
        "has": has,
        "ts": int(k["ts"]) if has else None,
        "spread_ticks": int(k["ask"]) - int(k["bid"]) if has else None,
        "obi": _known(k["signal"]) if sampled else None,
        "obi_quality": _known(k["quality"]) if sampled else None,
        "ofi": int(k["ofi"]) if has else None,
        "bid_total": int(k["b"].sum()) if has else None,
        "ask_total": int(k["a"].sum()) if has else None,
    }


def market_series(market: MarketState, memory: Memory) -> dict[str, Any]:
    """Return the series of the market: bars of five timeframes, profile, ladder, depth, dots, footprint."""
    flow = market.params.flow
    out: dict[str, Any] = {}
    for k, name in enumerate(TIMEFRAME_NAMES):
        if k >= market.base_tf:
            out[f"bars_{name}"] = _bars(market.array["tf"][0, k], name, memory)
    out["profile"] = _profile(market)
    out["lines"] = _lines(market)
    out["ladder"] = _ladder(market)
    out["depth"] = memory.depth()
    out["dots"] = memory.dots()
    out["footprint"] = memory.footprint(
        flow.imbalance_ratio_min, flow.imbalance_contracts_min, flow.stacked_rows
    )
    return out


def _bars(t: Any, name: str, memory: Memory) -> dict[str, NDArray[Any]]:
    """Closed bars, gathered once each time one closes, and the forming one behind them."""
    n = int(t["n"])
    order = [(n - 1 - j) % BAR_RING for j in range(min(n, BARS_SHOWN) - 1, -1, -1)]
    closed = memory.keep(f"bars {name}", n, lambda: _columns(t["ring"][order]))
    if not t["has_current"]:
        return closed
    forming = _columns(t["current"].reshape(1))
    for field in ("vwap", "vwap_sd", "cvd"):
        forming[field][:] = np.nan  # known when the bar closes; the lines end at the last close
    return {field: np.concatenate([closed[field], forming[field]]) for field in closed}


def _columns(rows: Any) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {"ts": rows["start"].astype(np.int64)}
    for field in PRICED:
        out[field] = (rows[field] * TICK_POINTS).astype(np.float32)
    out["volume"] = rows["volume"].astype(np.int32)
    sided = rows["known_volume"] > 0
    out["delta"] = np.where(sided, rows["ask_volume"] - rows["bid_volume"], np.nan).astype(np.float32)
    out["cvd"] = np.where(sided, rows["cvd"], np.nan).astype(np.float32)
    return out


def _profile(market: MarketState) -> dict[str, NDArray[Any]]:
    """Volume by price since 09:30, before it since 18:00: price, volume, node (+1 high, −1 low), in_area."""
    anchors = market.array["profile"][0]["anchor"]
    a = anchors[1] if anchors[1]["has"] else anchors[0]
    if not a["has"]:
        return {
            "price": np.zeros(0, np.float32), "volume": np.zeros(0, np.int32),
            "node": np.zeros(0, np.int8), "in_area": np.zeros(0, np.int8),
        }  # fmt: skip
    ticks = np.arange(int(a["low"]), int(a["high"]) + 1)
    node = np.zeros(len(ticks), np.int8)
    for nodes, count, mark in ((a["hvn"], a["hvn_n"], 1), (a["lvn"], a["lvn_n"], -1)):
        node[np.isin(ticks, nodes[: int(count)])] = mark
    inside = (ticks >= a["val"]) & (ticks <= a["vah"]) if a["has_area"] else np.zeros(len(ticks), bool)
    return {
        "price": (ticks * TICK_POINTS).astype(np.float32),
        "volume": a["volume_at"][ticks & (len(a["volume_at"]) - 1)].astype(np.int32),
        "node": node,
        "in_area": inside.astype(np.int8),
    }


def _lines(market: MarketState) -> dict[str, NDArray[Any]]:
    """VWAP since 18:00 with two bands, as one row: vwap, sd1_up, sd1_down, sd2_up, sd2_down."""
    vwap, sd = profile.vwap(market.array["profile"][0]["anchor"][0])
    values = (vwap, vwap + sd, vwap - sd, vwap + 2 * sd, vwap - 2 * sd)
    names = ("vwap", "sd1_up", "sd1_down", "sd2_up", "sd2_down")
    return {name: np.array([value * TICK_POINTS]) for name, value in zip(names, values, strict=True)}


def _ladder(market: MarketState) -> dict[str, NDArray[Any]]:
    k = market.array["book"][0]
    levels_shown = (DEPTH if k["has_depth"] else 1) if k["has"] else 0
    step = np.arange(levels_shown)
    return {
        "bid": ((int(k["bid"]) - step) * TICK_POINTS).astype(np.float32),
        "bid_size": k["b"][:levels_shown].astype(np.int32),
        "ask": ((int(k["ask"]) + step) * TICK_POINTS).astype(np.float32),
        "ask_size": k["a"][:levels_shown].astype(np.int32),
    }


def closed_bars(market: MarketState) -> int:
    """Return how many bars of the base timeframe are closed: levels and Battle Navale move with them."""
    return int(market.array["tf"][0, market.base_tf]["n"])


def levels(market: MarketState) -> list[dict[str, Any]]:
    """Return every known level, lowest first, with family and line; a gamma level says whether it is fresh."""
    fresh = bool(options.is_fresh(market.array["options"][0], int(market.array["clock"]["ts"][0])))
    out: list[dict[str, Any]] = []
    for row in market.level_rows():
        name = str(row["name"])
        family = FAMILIES[name]
        row |= {"family": family, "style": STYLES.get(name, "solid")}
        if family == "gamma" and name not in IMPORTED_KINDS:
            row["fresh"] = fresh
        out.append(row)
    return out


def gamma(market: MarketState, source: str | None) -> dict[str, Any] | None:
    """Return what the option chain says as a whole, None where no chain has come.

    `net_usd` is per 1 % of the index, `dealers` the sign of their gamma, `fresh` whether it is within its limit,
    `source` whose chain it is; None where the run was restored and has heard no view since.
    """
    o, now = market.array["options"][0], int(market.array["clock"]["ts"][0])
    if not o["has"]:
        return None
    return {
        "as_of": int(o["ts"]),
        "source": source,
        "fresh": bool(options.is_fresh(o, now)),
        "quality": _known(o["quality"]),
        "net_usd": _known(o["total_gamma_exposure_usd"]),
        "dealers": _known(o["dealer_gamma_position"]),
        "put_call_ratio": _known(o["put_call_ratio"]),
    }


def zone_rows(market: MarketState, ts: int) -> list[dict[str, Any]]:
    """Return the clusters of levels as seen from the last price, lowest first, in points."""
    half = TICK_POINTS / 2
    return [
        {
            "low": zone.low_2 * half,
            "high": zone.high_2 * half,
            "centre": zone.centre_2 * half,
            "score": zone.score,
            "quality": zone.quality,
            "bias": ("resistance", "inside", "support")[zone.direction + 1],
            "levels": [NAMES[slot] for slot in zone.slots],
        }
        for zone in zones(levels_of(market, ts), market.price_ticks)
    ]


def _known(value: Any) -> float | None:
    return float(value) if value == value else None
