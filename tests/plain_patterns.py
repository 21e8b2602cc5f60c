"""The four Sierra patterns in pandas: which conditions a bar meets, and what a whole pattern weighs."""

from __future__ import annotations

import pandas as pd


def conditions(bars: pd.DataFrame) -> dict[str, list[pd.Series]]:
    """Return the conditions of each pattern whose bar +1 is the row, in the words of the definition."""
    o1, h1, l1 = (bars[name].astype(float) for name in ("open", "high", "low"))
    o0, h0, l0, c0 = (bars[name].astype(float).shift(1) for name in ("open", "high", "low", "close"))
    o_1, h_1, l_1, c_1 = (bars[name].astype(float).shift(2) for name in ("open", "high", "low", "close"))
    h_2, l_2, c_2 = (bars[name].astype(float).shift(3) for name in ("high", "low", "close"))
    return {
        "long_down_up": [o0 < c_1, h_1 > l0 + 8, o1 > c0, h1 > l0 + 8, h1 > h_1],
        "long_up_down": [o0 > c_1, h0 > l_1 + 8, o1 < c0, h0 > l1 + 8, l1 < l_1],
        "color_down": [o1 < c0, h0 > l1 + 12, l1 < l0, o_1 < c_2, h_2 > l_1 + 12, l_1 < l_2, h0 < h_1],
        "color_up": [o1 > c0, h1 > l0 + 12, h1 > h0, o_1 > c_2, h_1 > l_2 + 12, h_1 > h_2, l0 > l_1],
    }


def completeness(bars: pd.DataFrame) -> pd.Series:
    """Return the largest share of conditions met among the four, unknown before four bars."""
    shares = [sum(met.astype(float) for met in all_of) / len(all_of) for all_of in conditions(bars).values()]
    return pd.concat(shares, axis=1).max(axis=1).where(pd.RangeIndex(len(bars)) >= 3)


def strengths(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the strength of each pattern that is whole at a row, 0 elsewhere."""
    met = {name: pd.concat(all_of, axis=1).all(axis=1) for name, all_of in conditions(bars).items()}
    h, low = bars["high"].astype(float), bars["low"].astype(float)
    loud = 0.3 * bars["rvol"].shift(1).fillna(0).clip(upper=1)
    size = {
        "long_down_up": 0.7 * ((h.shift(2) - low.shift(1)) / 16).clip(upper=1) + loud,
        "long_up_down": 0.7 * ((h.shift(1) - low.shift(2)) / 16).clip(upper=1) + loud,
        "color_down": 0.8 * ((h.shift(3) - low.shift(2)) / 24).clip(upper=1),
        "color_up": 0.8 * ((h.shift(2) - low.shift(3)) / 24).clip(upper=1),
    }
    return pd.DataFrame({name: size[name].where(met[name], 0.0) for name in met})
