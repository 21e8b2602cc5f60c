"""Trend: is the market trending, ranging, between the two, or unclear; and which side may be traded.

How it moves: 50 closed 5-minute bars give structure (higher and lower swings), VWAP slope and momentum; 60
give a range with tested edges. Source: domain §13, market regime.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at
from mia_kernel.state.swings import BALLS

UP_STRONG, UP_WEAK, DOWN_STRONG, DOWN_WEAK, RANGE, TRANSITION, UNCLEAR = range(7)
SIZES = (1.3, 1.0, 1.3, 1.0, 0.9, 0.5, 0.0)
READY_BARS = 50
PIVOT_BARS = 30
RANGE_BARS = 60
SLOPE_BARS = 10
CHOPPY_CROSSES = 4


@kernel
def on_bar_close(s: Record, tf: int) -> None:
    """Measure the market regime of timeframe `tf`; not ready under 50 bars."""
    r, t, w = s["regime"], s["tf"][tf], s["battle"][tf]
    if t["n"] < READY_BARS:
        return
    up, down, pivots = _structure(t, w)
    r["dow_up"], r["dow_down"] = up, down
    c0, atr = bar_at(t, 0)["close"], bar_at(t, 0)["atr"]
    move = c0 - bar_at(t, SLOPE_BARS)["close"]
    r["momentum"] = min(max(move / (3.0 * atr), -1.0), 1.0) if atr > 0 else 0.0
    r["vwap_slope"] = (bar_at(t, 0)["vwap"] - bar_at(t, SLOPE_BARS)["vwap"]) / SLOPE_BARS
    if bar_at(t, 0)["day"] != bar_at(t, SLOPE_BARS)["day"]:
        r["vwap_slope"] = np.nan  # another anchor: their difference is no slope
    slope = r["vwap_slope"] if r["vwap_slope"] == r["vwap_slope"] else 0.0
    dow = max(up, down) / pivots if pivots > 0 else 0.0
    strength = 0.40 * dow + 0.35 * min(abs(slope) / 2.0, 1.0) + 0.25 * abs(r["momentum"])
    r["strength"] = strength
    lean = (up - down) + slope + r["momentum"]
    r["trend_sign"] = 1 if lean > 0 else (-1 if lean < 0 else 0)
    r["choppy"] = 1 if _crosses(t) >= CHOPPY_CROSSES else 0
    r["market"] = _label(r, t, s["profile"]["anchor"][1], strength, slope, up, down)
    r["market_quality"] = 1.0 if r["vwap_slope"] == r["vwap_slope"] else 0.6
    market = r["market"]
    r["market_size"] = SIZES[market]
    r["allow_long"] = 1 if market <= UP_WEAK or market == RANGE or market == TRANSITION else 0
    r["allow_short"] = 1 if DOWN_STRONG <= market <= TRANSITION else 0


@kernel
def _structure(t: Record, w: Record) -> tuple[int, int, int]:
    """Count swings of the last 30 bars that are higher, lower, and all that can be compared."""
    up, down, pivots = 0, 0, 0
    since = t["n"] - PIVOT_BARS
    for color in range(2):
        n = w["green_n"] if color == 0 else w["red_n"]
        for j in range(min(n - 1, BALLS - 1)):
            if color == 0:
                ball, before = w["green"][(n - 1 - j) % BALLS], w["green"][(n - 2 - j) % BALLS]
            else:
                ball, before = w["red"][(n - 1 - j) % BALLS], w["red"][(n - 2 - j) % BALLS]
            if ball["bar"] < since:
                break
            pivots += 1
            up += 1 if ball["px"] > before["px"] else 0
            down += 1 if ball["px"] < before["px"] else 0
    return up, down, pivots


@kernel
def _crosses(t: Record) -> int:
    """Count how often the close changed its side of VWAP within 30 bars."""
    crosses, side = 0, 0
    for j in range(min(t["n"], PIVOT_BARS) - 1, -1, -1):
        bar = bar_at(t, j)
        now = 1 if bar["close"] > bar["vwap"] else (-1 if bar["close"] < bar["vwap"] else 0)
        if now != 0:
            crosses += 1 if side != 0 and now != side else 0
            side = now
    return crosses


@kernel
def _label(r: Record, t: Record, rth: Record, strength: float, slope: float, up: int, down: int) -> int:
    missing_up = int(strength < 0.50) + (up < 2) + (slope < 0.2)
    missing_down = int(strength < 0.50) + (down < 2) + (slope > -0.2)
    if missing_up == 0 and up > down:
        return UP_STRONG if strength >= 0.70 and up >= 4 and slope > 0.5 else UP_WEAK
    if missing_down == 0 and down > up:
        return DOWN_STRONG if strength >= 0.70 and down >= 4 and slope < -0.5 else DOWN_WEAK
    missing_range = _range(r, t, rth)
    if missing_range == 0:
        return RANGE
    nearest = min(min(missing_up, missing_down), missing_range)
    return TRANSITION if nearest <= 1 else UNCLEAR


@kernel
def _range(r: Record, t: Record, rth: Record) -> int:
    """Look for a range in 60 bars; return how many of its four conditions are missing (4 = no candidate).

    Conditions: width 12–50 ticks, three tests of each edge within 1.5 ticks, tests at least 20 minutes
    apart, three quarters of the tests respected.
    """
    if t["n"] < RANGE_BARS:
        return 4
    high, high_tests, high_held, high_span = _edge(t, 1)
    low, low_tests, low_held, low_span = _edge(t, -1)
    width = high - low
    if width <= 0:
        return 4
    missing = 0 if 12 <= width <= 50 else 1
    missing += 0 if high_tests >= 3 and low_tests >= 3 else 1
    missing += 0 if high_span >= 20 * 60 and low_span >= 20 * 60 else 1
    missing += 0 if 4 * high_held >= 3 * high_tests and 4 * low_held >= 3 * low_tests else 1
    if missing == 0:
        r["range_low"], r["range_high"], r["range_bias"] = low, high, 0
        if rth["has_area"]:
            lean = rth["poc_2"] - low - high  # in half ticks from the middle
            r["range_bias"] = 1 if 3 * lean > width else (-1 if 3 * lean < -width else 0)
    return missing


@kernel
def _edge(t: Record, side: int) -> tuple[int, int, int, int]:
    """Return (price, tests, tests respected, seconds between first and last) of the most tested edge.

    Candidates are the prices between the 85th and 95th percentile of the highs (5th to 15th of the lows);
    of equally tested ones the outer wins, which is the mirror's choice too.
    """
    extremes = np.empty(RANGE_BARS, np.int64)
    for j in range(RANGE_BARS):
        bar = bar_at(t, j)
        extremes[j] = bar["high"] if side > 0 else -bar["low"]
    ordered = np.sort(extremes)
    first, last = ordered[int(0.85 * RANGE_BARS)], ordered[int(0.95 * RANGE_BARS) - 1]
    best, most = last, -1
    for price in range(last, first - 1, -1):
        tests = 0
        for j in range(RANGE_BARS):
            tests += 1 if abs(extremes[j] - price) <= 1 else 0
        if tests > most:
            best, most = price, tests
    held, newest, oldest = 0, 0, 0
    for j in range(RANGE_BARS):
        if abs(extremes[j] - best) <= 1:
            bar = bar_at(t, j)
            held += 1 if side * bar["close"] <= best + 1 else 0
            newest = bar["end"] if newest == 0 else newest
            oldest = bar["end"]
    return side * best, most, held, (newest - oldest) // 1_000_000_000


@kernel
def is_trend(market: int) -> bool:
    """Return whether a market regime is a trend of either side, strong or weak."""
    up = market == UP_STRONG or market == UP_WEAK
    return up or market == DOWN_STRONG or market == DOWN_WEAK
