"""Profile: volume at price with VWAP and its bands, for the whole trading day and for RTH.

How it moves: every trade adds to two anchors, `eth` (18:00) and, inside RTH, `rth` (09:30). Sums are exact
integers relative to the anchor's first price, so a mirrored market gives the mirrored numbers. The largest
row is kept per trade; ties, value area and nodes are resolved when a 1-minute bar closes (`settle`), which
is when their readers may see them. Prices that may lie between ticks are in half ticks (suffix `_2`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.kernel import Record, kernel

ROWS = 8192
MASK = ROWS - 1
NODES = 128
ETH, RTH = range(2)


class ProfileParams(BaseModel):
    """How a profile is read (domain: base measures)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value_area_share: float = Field(
        default=0.70, gt=0, le=1, description="volume the value area encloses (share)"
    )
    node_reach_ticks: int = Field(
        default=3, ge=1, le=20, description="half width in which a node is the extreme (ticks)"
    )
    high_node_ratio: float = Field(
        default=1.5, gt=1, description="volume of a high node against the mean row (ratio)"
    )
    low_node_ratio: float = Field(default=0.5, gt=0, lt=1, description="the same of a low node (ratio)")


ANCHOR_DTYPE = np.dtype(
    [
        ("volume_at", np.int32, (ROWS,)),
        ("has", np.uint8),
        ("from_bars", np.uint8),
        ("start", np.int64),  # time of the anchor
        ("reference", np.int32),  # first price; sums are relative to it
        ("low", np.int32),
        ("high", np.int32),
        ("open", np.int32),
        ("close", np.int32),
        ("volume", np.int64),
        ("sum_pv", np.int64),
        ("sum_ppv", np.int64),
        ("most", np.int64),
        ("poc_2", np.int32),
        ("val", np.int32),
        ("vah", np.int32),
        ("has_area", np.uint8),
        ("hvn", np.int32, (NODES,)),
        ("hvn_n", np.int32),
        ("lvn", np.int32, (NODES,)),
        ("lvn_n", np.int32),
    ],
    align=True,
)

PROFILE_DTYPE = np.dtype(
    [
        ("p_share", np.float64),
        ("p_reach", np.int64),
        ("p_high", np.float64),
        ("p_low", np.float64),
        ("anchor", ANCHOR_DTYPE, (2,)),
        ("has_previous", np.uint8),  # PVAH PVAL PPOC PDH PDL and the close of the previous RTH
        ("pvah", np.int32),
        ("pval", np.int32),
        ("ppoc_2", np.int32),
        ("pdh", np.int32),
        ("pdl", np.int32),
        ("previous_close", np.int32),
        ("has_overnight", np.uint8),  # known at 09:30
        ("onh", np.int32),
        ("onl", np.int32),
        ("has_ib", np.uint8),  # known at 10:30
        ("ib_started", np.uint8),
        ("ibh", np.int32),
        ("ibl", np.int32),
    ],
    align=True,
)


def init(record: Any, params: ProfileParams) -> None:
    """Make `record` an empty profile."""
    record[...] = np.zeros((), PROFILE_DTYPE)
    record["p_share"] = params.value_area_share
    record["p_reach"] = params.node_reach_ticks
    record["p_high"] = params.high_node_ratio
    record["p_low"] = params.low_node_ratio


@kernel
def add(a: Record, px: int, sz: int) -> None:
    """Add `sz` contracts at `px`."""
    if not a["has"]:
        a["has"], a["reference"], a["low"], a["high"], a["open"] = 1, px, px, px, px
    elif px < a["low"]:
        a["low"] = px
    elif px > a["high"]:
        a["high"] = px
    a["close"] = px
    q = px - a["reference"]
    row = a["volume_at"][px & MASK] + sz
    a["volume_at"][px & MASK] = row
    a["volume"] += sz
    a["sum_pv"] += q * sz
    a["sum_ppv"] += q * q * sz
    if row > a["most"]:
        a["most"] = row


@kernel
def add_bar(a: Record, low: int, high: int, open_: int, close: int, volume: int) -> None:
    """Spread a bar's volume evenly over its range; what does not divide goes to the rows nearest its middle.

    The rest is laid so that a mirrored bar has the mirrored rows: around an empty middle row when it is even on
    an odd number of rows, one row nearer the close when it is odd on an even number. VWAP from bars uses
    (H + L + C)/3. Source: domain §4, poor sources.
    """
    if not a["has"]:
        a["has"], a["reference"], a["low"], a["high"], a["open"] = 1, close, low, high, open_
    a["low"], a["high"] = min(a["low"], low), max(a["high"], high)
    a["close"], a["from_bars"] = close, 1
    rows = high - low + 1
    each, rest = volume // rows, volume % rows
    skip, hollow = (rows - rest) // 2, -1
    if (rows - rest) % 2 == 1:
        if rows % 2 == 1:
            hollow = rows // 2
        elif 2 * close > low + high:
            skip += 1
    for p in range(low, high + 1):
        at = p - low
        within = skip <= at < skip + rest + (hollow >= 0)
        extra = 1 if within and at != hollow else 0
        row = a["volume_at"][p & MASK] + each + extra
        a["volume_at"][p & MASK] = row
        a["most"] = max(a["most"], row)
    # Thirds of ticks, kept exact: three times the typical price.
    q3 = high + low + close - 3 * a["reference"]
    a["volume"] += volume
    a["sum_pv"] += q3 * volume
    a["sum_ppv"] += q3 * q3 * volume


@kernel
def vwap(a: Record) -> tuple[float, float]:
    """Return (VWAP, standard deviation) in ticks, NaN without volume. VWAP = Σpv/Σv over trades."""
    if a["volume"] <= 0:
        return np.nan, np.nan
    unit = 3.0 if a["from_bars"] else 1.0
    mean = a["sum_pv"] / a["volume"]
    variance = a["sum_ppv"] / a["volume"] - mean * mean
    return a["reference"] + mean / unit, np.sqrt(max(variance, 0.0)) / unit


@kernel
def settle(p: Record, a: Record) -> None:
    """Resolve POC, value area and nodes of one anchor."""
    if a["volume"] <= 0:
        return
    _poc(a)
    _value_area(a, p["p_share"])
    _nodes(p, a)


@kernel
def _poc(a: Record) -> None:
    """Set the point of control: most volume, tie → nearest VWAP, still tied → the middle of the pair."""
    mean = vwap(a)[0]
    best, left, right = np.inf, 0, 0
    for px in range(a["low"], a["high"] + 1):
        if a["volume_at"][px & MASK] == a["most"]:
            far = abs(px - mean)
            if far < best - 1e-9:
                best, left, right = far, px, px
            elif far <= best + 1e-9:
                right = px
    a["poc_2"] = left + right


@kernel
def _value_area(a: Record, share: float) -> None:
    """Grow from the POC two rows at a time towards the heavier pair; a tie adds both pairs (Dalton)."""
    lo, hi = a["poc_2"] // 2, (a["poc_2"] + 1) // 2
    inside = 0
    for px in range(lo, hi + 1):
        inside += _row(a, px)
    need = share * a["volume"]
    while inside < need and (lo > a["low"] or hi < a["high"]):
        below = _row(a, lo - 1) + _row(a, lo - 2)
        above = _row(a, hi + 1) + _row(a, hi + 2)
        down = below >= above
        up = above >= below
        if down:
            inside += below
            lo -= 2
        if up:
            inside += above
            hi += 2
    a["val"], a["vah"], a["has_area"] = max(lo, a["low"]), min(hi, a["high"]), 1


@kernel
def _row(a: Record, px: int) -> int:
    return a["volume_at"][px & MASK] if a["low"] <= px <= a["high"] else 0


@kernel
def _nodes(p: Record, a: Record) -> None:
    """Find high and low volume nodes: extreme of ±reach and beyond the ratio to the mean row.

    Strict on both sides: a flat top of equal rows is no node, and neither are the outermost `reach` rows.
    """
    reach = p["p_reach"]
    mean = a["volume"] / (a["high"] - a["low"] + 1)
    high_n, low_n = 0, 0
    for px in range(a["low"] + reach, a["high"] - reach + 1):
        v = a["volume_at"][px & MASK]
        is_high, is_low = v >= p["p_high"] * mean, v <= p["p_low"] * mean
        for d in range(1, reach + 1):
            down, up = a["volume_at"][(px - d) & MASK], a["volume_at"][(px + d) & MASK]
            is_high = is_high and v > down and v > up
            is_low = is_low and v < down and v < up
        if is_high and high_n < NODES:
            a["hvn"][high_n] = px
            high_n += 1
        if is_low and low_n < NODES:
            a["lvn"][low_n] = px
            low_n += 1
    a["hvn_n"], a["lvn_n"] = high_n, low_n


@kernel
def clear(a: Record, start: int) -> None:
    """Empty an anchor that starts at `start`."""
    if a["has"]:
        for px in range(a["low"], a["high"] + 1):
            a["volume_at"][px & MASK] = 0
    a["has"] = a["has_area"] = a["from_bars"] = 0
    a["volume"] = a["sum_pv"] = a["sum_ppv"] = a["most"] = 0
    a["hvn_n"] = a["lvn_n"] = 0
    a["start"] = start


@kernel
def end_rth(p: Record) -> None:
    """Keep the ended RTH as the previous session."""
    a = p["anchor"][1]
    if not a["has"]:
        return
    settle(p, a)
    p["pvah"], p["pval"], p["ppoc_2"] = a["vah"], a["val"], a["poc_2"]
    p["pdh"], p["pdl"], p["previous_close"] = a["high"], a["low"], a["close"]
    p["has_previous"] = 1


@kernel
def start_rth(p: Record, ts: int) -> None:
    """Begin RTH: the overnight range is known, the RTH anchor starts empty."""
    a = p["anchor"][0]
    if a["has"]:
        p["onh"], p["onl"], p["has_overnight"] = a["high"], a["low"], 1
    clear(p["anchor"][1], ts)
    p["ib_started"] = 1


@kernel
def end_ib(p: Record) -> None:
    """The initial balance is known."""
    a = p["anchor"][1]
    if a["has"] and p["ib_started"]:
        p["ibh"], p["ibl"], p["has_ib"] = a["high"], a["low"], 1
    p["ib_started"] = 0


@kernel
def on_session(p: Record, ts: int) -> None:
    """Start a trading day."""
    clear(p["anchor"][0], ts)
    clear(p["anchor"][1], ts)
    p["has_overnight"] = p["has_ib"] = p["ib_started"] = 0
