"""The tape by price: what was bought at the ask and sold at the bid, bar by bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mia_kernel.core.events import PRIMARY, TRADE, EventArray
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.frames.memory import imbalances, stacks
from mia_kernel.state.tape import sides

COLUMNS = ("start", "price", "bid", "ask", "buy_imbalance", "sell_imbalance", "buy_stacked", "sell_stacked")


def tape(events: EventArray, until: int) -> pd.DataFrame:
    """Return the trades of the traded instrument stamped at or before `until`: ts, px (ticks), sz, side."""
    stop = int(np.searchsorted(np.maximum.accumulate(events["ts_event"]), until, side="right"))
    rows = events[:stop]
    side = sides(rows)
    kept = (rows["instrument"] == PRIMARY) & (rows["kind"] == TRADE) & (rows["sz"] > 0)
    return pd.DataFrame(
        {
            "ts": np.maximum.accumulate(rows["ts_event"])[kept],
            "px": rows["px"][kept],
            "sz": rows["sz"][kept],
            "side": side[kept],
        }
    )


def footprint(
    trades: pd.DataFrame, starts: Any, ends: Any, ratio: float, least: int, stacked: int
) -> pd.DataFrame:
    """Return one row per bar and price: contracts at bid and ask, diagonal imbalances and their stacks."""
    ts, px, sz, side = (trades[name].to_numpy() for name in ("ts", "px", "sz", "side"))
    parts: list[pd.DataFrame] = []
    for start, end in zip(starts, ends, strict=True):
        inside = (ts >= start) & (ts < end) & (side != 0)
        if not inside.any():
            continue
        low, high = int(px[inside].min()), int(px[inside].max())
        bid, ask = np.zeros(high - low + 1, np.int64), np.zeros(high - low + 1, np.int64)
        bought, sold = inside & (side > 0), inside & (side < 0)
        np.add.at(ask, px[bought] - low, sz[bought])
        np.add.at(bid, px[sold] - low, sz[sold])
        buy, sell = imbalances(bid, ask, ratio, least)
        price = np.arange(low, high + 1) * TICK_POINTS
        columns = (start, price, bid, ask, buy, sell, stacks(buy, stacked), stacks(sell, stacked))
        parts.append(pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
