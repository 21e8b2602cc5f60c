"""Bars of five timeframes from one stream.

How it moves: a trade touches only the forming bar of the base timeframe (1m, or the source's own where the
source is bars); when that closes it is merged into the coarser ones, which close when event time reaches
their end. A bar of timeframe k covers [start, end) aligned to the session's 18:00 anchor and ends at the
session's close at the latest. Intervals without a trade yield no bar. `ring` holds the last BAR_RING closed
bars of a timeframe, bar j (0 = newest closed) at `ring[(n - 1 - j) % BAR_RING]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel

TIMEFRAMES = (60, 300, 900, 3600, 14400)
TIMEFRAME_NAMES = ("1m", "5m", "15m", "1h", "4h")
TF_1M, TF_5M, TF_15M, TF_1H, TF_4H = range(5)
BAR_RING = 256
ATR_BARS = 14
RVOL_DAYS = 20
DAY_ROWS = RVOL_DAYS + 1  # today's row is written beside the days it is held against
RVOL_MIN_DAYS = 5
RVOL_ROLLING = 20
SLOTS = (1380, 276, 92, 23, 6)
SLOT_START = (0, 1380, 1656, 1748, 1771)
SLOTS_ALL = 1777
NEVER = 1 << 62
NS = 1_000_000_000

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
        ("stacked_buy", np.int16),  # footprint: stacked imbalances of the closed bar (base timeframe)
        ("stacked_sell", np.int16),
        ("side_quality", np.float32),  # volume-weighted quality of the aggressor, 0 where none is known
        ("cvd", np.int64),  # cumulative delta of the session at this close
        (
            "vwap",
            np.float64,
        ),  # session VWAP (18:00 anchor) in ticks at this close, NaN before the first trade
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
        ("atr_sum", np.float64),  # Σ true range until the first 14
        ("ring", BAR_DTYPE, (BAR_RING,)),
    ],
    align=True,
)

TIME_OF_DAY_DTYPE = np.dtype(
    [
        ("volume", np.int32, (DAY_ROWS, SLOTS_ALL)),  # by day slot and interval, −1 = no bar
        ("days", np.int64),  # finished trading days
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` (BARS_DTYPE, shape (5,)) five empty timeframes."""
    record[...] = np.zeros((), BARS_DTYPE)
    record["seconds"] = TIMEFRAMES


def init_time_of_day(record: Any) -> None:
    """Make `record` a table without any day."""
    record["volume"] = -1
    record["days"] = 0


@kernel
def bar_at(t: Record, back: int) -> Record:
    """Return closed bar `back` of a timeframe, 0 = newest; the caller holds back < min(n, BAR_RING)."""
    return t["ring"][(t["n"] - 1 - back) % BAR_RING]


@kernel
def touch(c: Record, px: int, sz: int, side: int, quality: float) -> None:
    """Add one trade to a forming bar."""
    if px > c["high"]:
        c["high"] = px
    if px < c["low"]:
        c["low"] = px
    c["close"] = px
    c["volume"] += sz
    c["trades"] += 1
    if side != 0:
        if side > 0:
            c["ask_volume"] += sz
        else:
            c["bid_volume"] += sz
        c["known_volume"] += sz
        c["side_quality"] += quality * sz
        delta = c["ask_volume"] - c["bid_volume"]
        c["delta_min"] = min(c["delta_min"], delta)
        c["delta_max"] = max(c["delta_max"], delta)


@kernel
def begin(t: Record, ts: int, px: int, anchor: int, close: int, day: int) -> None:
    """Start the bar of a timeframe that holds event time `ts`."""
    c = t["current"]
    length = t["seconds"] * NS
    slot = (ts - anchor) // length
    c["start"] = anchor + slot * length
    c["end"] = min(c["start"] + length, close) if ts < close else c["start"] + length
    c["open"] = c["high"] = c["low"] = c["close"] = px
    c["volume"] = c["bid_volume"] = c["ask_volume"] = c["known_volume"] = c["trades"] = 0
    c["delta_min"] = c["delta_max"] = 0
    c["stacked_buy"] = c["stacked_sell"] = 0
    c["side_quality"] = 0.0
    c["day"], c["slot"] = day, slot
    t["has_current"] = 1


@kernel
def merge_into(t: Record, bar: Record, anchor: int, close: int) -> None:
    """Merge a closed finer bar into the forming bar of a coarser timeframe."""
    if not t["has_current"]:
        begin(t, bar["start"], bar["open"], anchor, close, bar["day"])
    c = t["current"]
    delta = c["ask_volume"] - c["bid_volume"]
    c["high"] = max(c["high"], bar["high"])
    c["low"] = min(c["low"], bar["low"])
    c["close"] = bar["close"]
    c["delta_min"] = min(c["delta_min"], delta + bar["delta_min"])
    c["delta_max"] = max(c["delta_max"], delta + bar["delta_max"])
    c["volume"] += bar["volume"]
    c["bid_volume"] += bar["bid_volume"]
    c["ask_volume"] += bar["ask_volume"]
    c["known_volume"] += bar["known_volume"]
    c["trades"] += bar["trades"]
    c["stacked_buy"] += bar["stacked_buy"]
    c["stacked_sell"] += bar["stacked_sell"]
    c["side_quality"] += bar["side_quality"] * bar["known_volume"]


@kernel
def close_bar(t: Record, tod: Record, k: int, cvd: int, vwap: float, vwap_sd: float) -> None:
    """Close the forming bar: ATR, relative volume, absorption; then it is history and never changes."""
    c = t["current"]
    c["side_quality"] = c["side_quality"] / c["known_volume"] if c["known_volume"] > 0 else 0.0
    c["cvd"], c["vwap"], c["vwap_sd"] = cvd, vwap, vwap_sd
    c["atr"] = _atr(t, c)
    c["rvol"] = _rvol(t, tod, k, c)
    c["absorption"] = _absorption(t, c)
    _remember_volume(tod, k, c)
    _copy(t["ring"][t["n"] % BAR_RING], c)
    t["n"] += 1
    t["has_current"] = 0


@kernel
def _copy(to: Record, c: Record) -> None:
    to["start"], to["end"] = c["start"], c["end"]
    to["open"], to["high"], to["low"], to["close"] = c["open"], c["high"], c["low"], c["close"]
    to["volume"], to["bid_volume"], to["ask_volume"] = c["volume"], c["bid_volume"], c["ask_volume"]
    to["known_volume"], to["trades"] = c["known_volume"], c["trades"]
    to["delta_min"], to["delta_max"] = c["delta_min"], c["delta_max"]
    to["stacked_buy"], to["stacked_sell"] = c["stacked_buy"], c["stacked_sell"]
    to["side_quality"], to["cvd"] = c["side_quality"], c["cvd"]
    to["vwap"], to["vwap_sd"], to["atr"] = c["vwap"], c["vwap_sd"], c["atr"]
    to["rvol"], to["absorption"], to["day"], to["slot"] = c["rvol"], c["absorption"], c["day"], c["slot"]


@kernel
def _atr(t: Record, c: Record) -> float:
    """Return Wilder's ATR14 after this bar; the first value is the mean of the first 14 true ranges."""
    n = t["n"]
    if n == 0:
        true_range = float(c["high"] - c["low"])
    else:
        before = bar_at(t, 0)["close"]
        true_range = float(max(c["high"] - c["low"], abs(c["high"] - before), abs(c["low"] - before)))
    if n + 1 < ATR_BARS:
        t["atr_sum"] += true_range
        return np.nan
    if n + 1 == ATR_BARS:
        return (t["atr_sum"] + true_range) / ATR_BARS
    return (bar_at(t, 0)["atr"] * (ATR_BARS - 1) + true_range) / ATR_BARS


@kernel
def _rvol(t: Record, tod: Record, k: int, c: Record) -> float:
    """Return volume against the same interval of the last 20 days (≥ 5), else against 20 closed bars."""
    total, n = 0, 0
    slot = c["slot"]
    if 0 <= slot < SLOTS[k]:
        at = SLOT_START[k] + slot
        for d in range(min(tod["days"], RVOL_DAYS)):
            # Row `days % DAY_ROWS` is being written today.
            row = (tod["days"] - 1 - d) % DAY_ROWS
            if tod["volume"][row, at] >= 0:
                total += tod["volume"][row, at]
                n += 1
    if n < RVOL_MIN_DAYS:
        if t["n"] < RVOL_ROLLING:
            return np.nan
        total, n = 0, RVOL_ROLLING
        for j in range(RVOL_ROLLING):
            total += bar_at(t, j)["volume"]
    return c["volume"] * n / total if total > 0 else np.nan


@kernel
def _remember_volume(tod: Record, k: int, c: Record) -> None:
    if 0 <= c["slot"] < SLOTS[k]:
        tod["volume"][tod["days"] % DAY_ROWS, SLOT_START[k] + c["slot"]] = c["volume"]


@kernel
def end_day(tod: Record) -> None:
    """Finish a trading day of the volume table and clear the row the next one writes."""
    tod["days"] += 1
    row = tod["days"] % DAY_ROWS
    for i in range(SLOTS_ALL):
        tod["volume"][row, i] = -1


@kernel
def _absorption(t: Record, c: Record) -> float:
    """Return effort against result, signed: + selling absorbed, − buying absorbed (domain §6.3)."""
    known = c["bid_volume"] + c["ask_volume"]
    if known == 0 or t["n"] < RVOL_ROLLING or not c["atr"] > 0:
        return np.nan
    total = 0
    for j in range(RVOL_ROLLING):
        total += bar_at(t, j)["volume"]
    if total == 0:
        return np.nan
    z = c["volume"] * RVOL_ROLLING / total
    r = abs(c["close"] - c["open"]) / c["atr"]
    effort = min(z / 2.0, 1.0) * (1.0 - min(r / 0.5, 1.0))
    middle = c["high"] + c["low"]
    sold = (c["bid_volume"] - c["ask_volume"]) / known  # = 2(sellShare − 0.5)
    if 2 * c["close"] > middle:
        return min(max(sold * effort, 0.0), 1.0)
    if 2 * c["close"] < middle:
        return -min(max(-sold * effort, 0.0), 1.0)
    return 0.0
