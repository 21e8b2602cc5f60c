"""Sierra patterns: four shapes of three or four bars, emitted once and fading over five bars.

How it moves: when bar t closes, the pattern centred at t − 1 is tested, so it is known one bar after its
centre; what was emitted is never changed. `pattern` is the sum of what the last five bars emitted, each
weighted down by its age. Works on the battle record of one timeframe. Source: domain §8.1.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at
from mia_kernel.state.swings import E_PATTERN, note

PATTERN_NAMES = ("long_down_up", "long_up_down", "color_down", "color_up")
PATTERN_AGE = 5


@kernel
def on_bar_close(t: Record, w: Record) -> None:
    """Test the four patterns centred one bar back; emit at this close, never repaint (domain §8.1)."""
    n = t["n"]
    if n < 4:
        w["pattern"] = np.nan
        return
    best, doubt, at = 0.0, 0, (n - 1) % PATTERN_AGE
    m2, m1, c0, p1 = bar_at(t, 3), bar_at(t, 2), bar_at(t, 1), bar_at(t, 0)
    for kind in range(4):
        met, of, strength = _test(kind, m2, m1, c0, p1, w["p_pattern"], w["p_color"])
        best = max(best, met / of)
        w["pattern_ring"][at, kind] = strength if met == of else 0.0
        if met == of:
            doubt = 1 if kind < 2 and c0["rvol"] != c0["rvol"] else doubt
            w["pattern_strength"][kind] = strength
            w["pattern_bar"][kind] = n - 1
            note(w, E_PATTERN, 1 if strength > 0 else -1, p1["close"], p1["end"])
    w["completeness"] = best
    w["pattern_doubt"][at] = doubt
    rising = falling = 0.0
    w["pattern_quality"] = 1.0
    for age in range(PATTERN_AGE):
        row = (n - 1 - age) % PATTERN_AGE
        if w["pattern_doubt"][row]:
            w["pattern_quality"] = 0.7
        for kind in range(4):
            weight = w["pattern_ring"][row, kind] * (1.0 - age / PATTERN_AGE)
            if weight > 0:
                rising += weight
            else:
                falling -= weight
    w["pattern"] = min(max(rising - falling, -1.0), 1.0)


@kernel
def _test(
    kind: int, m2: Record, m1: Record, c0: Record, p1: Record, reach: int, leg: int
) -> tuple[int, int, float]:
    """Return (conditions met, conditions, signed strength) of one pattern."""
    rvol = c0["rvol"] if c0["rvol"] == c0["rvol"] else 0.0
    if kind == 0:
        met = int(c0["open"] < m1["close"]) + (m1["high"] > c0["low"] + reach) + (p1["open"] > c0["close"])
        met += int(p1["high"] > c0["low"] + reach) + (p1["high"] > m1["high"])
        span = m1["high"] - c0["low"]
        return met, 5, 0.7 * min(span / (2.0 * reach), 1.0) + 0.3 * min(rvol, 1.0)
    if kind == 1:
        met = int(c0["open"] > m1["close"]) + (c0["high"] > m1["low"] + reach) + (p1["open"] < c0["close"])
        met += int(c0["high"] > p1["low"] + reach) + (p1["low"] < m1["low"])
        span = c0["high"] - m1["low"]
        return met, 5, -(0.7 * min(span / (2.0 * reach), 1.0) + 0.3 * min(rvol, 1.0))
    if kind == 2:
        met = int(p1["open"] < c0["close"]) + (c0["high"] > p1["low"] + leg) + (p1["low"] < c0["low"])
        met += int(m1["open"] < m2["close"]) + (m2["high"] > m1["low"] + leg) + (m1["low"] < m2["low"])
        met += c0["high"] < m1["high"]
        return met, 7, -0.8 * min((m2["high"] - m1["low"]) / (2.0 * leg), 1.0)
    met = int(p1["open"] > c0["close"]) + (p1["high"] > c0["low"] + leg) + (p1["high"] > c0["high"])
    met += int(m1["open"] > m2["close"]) + (m1["high"] > m2["low"] + leg) + (m1["high"] > m2["high"])
    met += c0["low"] > m1["low"]
    return met, 7, 0.8 * min((m1["high"] - m2["low"]) / (2.0 * leg), 1.0)
