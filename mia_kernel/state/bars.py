"""Bars of five timeframes from one stream: the layout everything that reads bars relies on.

A bar of timeframe k covers [start, end) aligned to the session's open; it is closed when event time
reaches its end. Intervals without a trade yield no bar. `ring` holds the last BAR_RING closed bars of a
timeframe, bar j (0 = newest closed) at `ring[(n - 1 - j) % BAR_RING]`.
"""

from __future__ import annotations

import numpy as np

TIMEFRAMES = (60, 300, 900, 3600, 14400)
TIMEFRAME_NAMES = ("1m", "5m", "15m", "1h", "4h")
TF_1M, TF_5M, TF_15M, TF_1H, TF_4H = range(5)
BAR_RING = 256

BAR_DTYPE = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("open", np.int32),
        ("high", np.int32),
        ("low", np.int32),
        ("close", np.int32),
        ("volume", np.int32),
        ("bid_volume", np.int32),  # seller initiated
        ("ask_volume", np.int32),  # buyer initiated
        ("known_volume", np.int32),  # volume with a known aggressor, any quality
        ("trades", np.int32),
        ("delta_min", np.int32),
        ("delta_max", np.int32),
        ("stacked_buy", np.int16),  # footprint: stacked imbalances of the closed bar
        ("stacked_sell", np.int16),
        ("side_quality", np.float32),  # volume-weighted quality of the aggressor, 0 where none is known
        ("cvd", np.int64),  # cumulative delta of the session at this close
        ("vwap", np.float64),  # session VWAP (18:00 anchor) in ticks at this close, NaN before the first trade
        ("vwap_sd", np.float64),  # ticks
        ("atr", np.float64),  # Wilder ATR14 in ticks after this bar, NaN before 14 bars
        ("rvol", np.float64),  # volume against its reference, NaN where there is none
        ("absorption", np.float64),  # signed absorption score, NaN where unknown
        ("day", np.int32),  # trading day yyyymmdd
        ("slot", np.int32),  # index of the interval within the trading day
    ],
    align=True,
)

BARS_DTYPE = np.dtype(
    [
        ("seconds", np.int64),
        ("n", np.int64),  # closed bars so far
        ("has_current", np.uint8),
        ("current", BAR_DTYPE),
        ("ring", BAR_DTYPE, (BAR_RING,)),
    ],
    align=True,
)
