"""Gamma in tables: levels with bands and scores, other assumptions, defects of the file, unusual activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

BILLION = 1e9
LEVELS = {
    "call_wall": "call wall",
    "put_wall": "put wall",
    "zero_gamma": "zero gamma",
    "vol_trigger_proxy": "volatility trigger (proxy)",
    "absolute_gamma_strike": "absolute gamma strike",
    "hvl": "HVL",
    "max_pain": "max pain, next expiry",
}


def level_table(levels: Any) -> Any:
    """Return a table of levels: on the index, on the future, its band under other assumptions, its score."""
    told = levels.to_dict()
    future, scores, bands = told["es"] or {}, levels.confidence.levels, levels.bands
    rows: list[Mapping[str, Any]] = []
    for key, name in LEVELS.items():
        band = bands.get(key)
        rows.append(
            {
                "level": name,
                told["underlying"]: told[key],
                future.get("contract", "ES"): future.get(key),
                "lowest": None if band is None else band.low,
                "highest": None if band is None else band.high,
                "score": scores.get(key),
            }
        )
    table = pd.DataFrame(rows).set_index("level").astype(float)
    return table.style.format("{:,.2f}", na_rep="–")


def alternatives_table(levels: Any) -> Any:
    """Return one row per assumption: net in bn USD per 1 %, walls, zero gamma."""
    rows = [
        {
            "assumption": one.name,
            "net (bn per 1 %)": round(one.net / BILLION, 2),
            "call wall": one.call_wall,
            "put wall": one.put_wall,
            "zero gamma": None if one.zero_gamma is None else round(one.zero_gamma, 1),
        }
        for one in levels.alternatives
    ]
    return pd.DataFrame(rows).set_index("assumption").style.format("{:,.1f}", na_rep="–")


def defect_table(levels: Any) -> Any:
    """Return what is wrong with the chain as it was read, one row per defect; what is right is left out."""
    found = {name: value for name, value in asdict(levels.chain.defects).items() if value}
    rows = [
        {
            "defect": name.replace("_", " "),
            "value": f"{value:.2%}" if isinstance(value, float) and "share" in name else str(value),
        }
        for name, value in found.items()
    ]
    return pd.DataFrame(rows).set_index("defect")


def unusual_table(levels: Any) -> Any:
    """Return contracts with more volume than open interest explains; the traded side is not known."""
    rows = [
        {
            "contract": one.symbol,
            "volume": one.volume,
            "open interest": one.oi,
            "premium (m USD)": None if one.premium_usd is None else one.premium_usd / 1e6,
        }
        for one in levels.unusual[:12]
    ]
    if not rows:
        return pd.DataFrame(columns=["contract", "volume", "open interest", "premium (m USD)"])
    return pd.DataFrame(rows).set_index("contract").style.format("{:,.1f}", na_rep="–")
