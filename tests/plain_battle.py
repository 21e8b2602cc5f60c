"""Battle Navale as plain loops: outcome, base, and the golden rule bar by bar, on bars of any timeframe."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Rule(NamedTuple):
    """At every bar: signed continuation, quality and side of the governing base, whether a violation is in force."""

    k: Any
    quality: Any
    side: Any
    broken: Any


def outcome(bars: pd.DataFrame, minutes: int = 5) -> pd.Series:
    """Return o: bodies and relative volume of five bars by colour, then the newest bar's flow."""
    body, span = bars["close"] - bars["open"], (bars["high"] - bars["low"]).where(lambda x: x > 0)
    ratio = (body.abs() / span).fillna(0)
    push = 0.8 * ratio.where(ratio > 0.6, 0) + (0.2 * bars["rvol"].clip(upper=2)).fillna(0)
    buys, sells = bars["ask_volume"].astype(float), bars["bid_volume"].astype(float)
    share = buys / (buys + sells)
    lean = 0.5 * ((buys - sells).abs() / (1_000 * np.sqrt(minutes))).clip(upper=1)
    sides = []
    for side, loud in ((1, share > 0.6), (-1, share < 0.4)):
        five = push.where(np.sign(body) == side, 0).rolling(5).sum()
        sides.append(five + lean.where(np.sign(buys - sells) == side, 0) + 0.3 * loud)
    total = sides[0] + sides[1]
    return (sides[0] / total).where(total > 0)


def governed(bars: pd.DataFrame, of_bars: pd.Series) -> Rule:
    """Walk the golden rule over bars and their outcomes: confirmed, held, violated by one coloured close, forgotten."""
    o = of_bars.to_numpy()
    opened, high, low, close = (bars[name].to_numpy(float) for name in ("open", "high", "low", "close"))
    volume, atr, day = bars["volume"].to_numpy(float), bars["atr"].to_numpy(), bars["day"].to_numpy()
    state, base, box = "none", None, None
    k, quality = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    side, broken = np.zeros(len(bars)), np.zeros(len(bars), bool)
    violated = confirmed = -1
    left = False
    for i in range(len(bars)):
        if i and day[i] != day[i - 1]:
            state, base = "none", None
        if state == "bull" and close[i] < base[0] - 0.5 and close[i] < opened[i]:
            state, base, violated = "green_broken", None, i
        elif state == "bear" and close[i] > base[1] + 0.5 and close[i] > opened[i]:
            state, base, violated = "red_broken", None, i
        elif state.endswith("broken") and i - violated >= 20:
            state = "none"
        if box is not None and not box[0] <= close[i] <= box[1]:
            left = True
        if i >= 14 and atr[i] > 0 and (box is None or left or i - confirmed >= 8):
            found = base_at(high, low, close, volume, atr, i)
            if found is not None:
                box, confirmed, left = found[:2], i, False
                change = np.sign(np.diff(close[i - 4 : i + 1]))
                if (change > 0).sum() >= 3 or (change < 0).sum() >= 3:
                    state, base = ("bull" if (change > 0).sum() >= 3 else "bear"), found
        strong = o[i] > 0.7 if state == "bull" else o[i] < 0.3
        held = {"bull": 0.6 if strong else 0.2, "bear": -0.6 if strong else -0.2}
        k[i] = held.get(state, {"green_broken": -0.6, "red_broken": 0.6}.get(state, np.nan))
        quality[i] = base[2] if base else np.nan
        side[i], broken[i] = {"bull": 1, "bear": -1}.get(state, 0), state.endswith("broken")
    return Rule(k, quality, side, broken)


def base_at(
    high: Any, low: Any, close: Any, volume: Any, atr: Any, i: int
) -> tuple[float, float, float] | None:
    """Return (low, high, quality) of a base confirmed at bar i, None where a condition fails."""
    wide, eight = slice(i - 14, i + 1), slice(i - 7, i + 1)
    bottom, top = low[eight].min(), high[eight].max()
    most = max(10.0, 0.5 * atr[i])
    if not close[wide].std() < 0.3 * (high[wide].max() - low[wide].min()) or top - bottom > most:
        return None
    within = (low[i - 14 : i + 1] >= bottom) & (high[i - 14 : i + 1] <= top)
    n = len(within) if within.all() else int(np.argmin(within[::-1]))
    scaled = (top - bottom) * 10 / most
    size = 1.0 if 2 <= scaled <= 6 else (0.7 if 1 <= scaled <= 8 else 0.3)
    steady = np.clip(1 - volume[eight].std() / volume[eight].mean(), 0, 1)
    middle = np.abs(close[eight] - (bottom + top) / 2) <= (top - bottom) / 4
    q = 0.30 * min(n / 10, 1) + 0.20 * size + 0.25 * steady + 0.25 * middle.mean()
    return (bottom, top, q) if q > 0.5 else None
