"""Closed bars written by hand into one timeframe of a fresh market state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mia_kernel.core.events import Carries
from mia_kernel.state.bars import BAR_RING
from mia_kernel.state.market import StateParams
from mia_kernel.state.memory import MarketState

TRADES = Carries(trades=True, aggressor="feed", book=True, quotes=True)


def fresh_market(params: StateParams | None = None, carries: Carries = TRADES) -> MarketState:
    """Return a market state that has seen nothing."""
    return MarketState(params or StateParams(), carries, equity_cents=5_000_000)


def ticks(price: float) -> int:
    """Return points as ticks of a quarter."""
    return round(price * 4)


def add_bar(market: MarketState, tf: int, ohlc: Sequence[float], **fields: Any) -> None:
    """Close one bar of a timeframe: prices in points, other fields as in BAR_DTYPE."""
    t = market.array["tf"][0, tf]
    n = int(t["n"])
    row = t["ring"][n % BAR_RING]
    seconds = int(t["seconds"])
    row["start"], row["end"] = n * seconds * 10**9, (n + 1) * seconds * 10**9
    row["open"], row["high"], row["low"], row["close"] = (ticks(p) for p in ohlc)
    row["rvol"], row["atr"], row["vwap"], row["vwap_sd"] = np.nan, np.nan, np.nan, np.nan
    row["volume"], row["day"], row["slot"] = 0, 20250101, n
    for name in ("bid_volume", "ask_volume", "known_volume", "trades", "delta_min", "delta_max"):
        row[name] = 0
    for name, value in fields.items():
        row[name] = value
    if "ask_volume" in fields or "bid_volume" in fields:
        row["known_volume"] = row["ask_volume"] + row["bid_volume"]
    t["n"] = n + 1


def mirrored(ohlc: Sequence[float], centre: float) -> tuple[float, float, float, float]:
    """Reflect open, high, low, close about a price."""
    o, h, low, c = ohlc
    return (2 * centre - o, 2 * centre - low, 2 * centre - h, 2 * centre - c)
