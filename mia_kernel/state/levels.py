"""Levels: every price that matters, from every source, in one table of fixed slots.

How it moves: when a 1-minute (base) bar closes, each source writes its slot, then touches are counted: a
bar comes within 1 tick and a later close is ≥ 4 ticks away. Prices are in half ticks, because a POC or a
band may lie between two. A level that has moved by more than 4 ticks since its first touch counts anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.events import ImportedLevel
from mia_kernel.core.kernel import Record, kernel


def _typed(count: int) -> Any:
    # numba compiles a helper anew for every plain int it is called with; a typed one is one signature.
    return tuple(np.int64(i) for i in range(count))


(
    POC, VAH, VAL, VWAP, SD1_UP, SD1_DOWN, SD2_UP, SD2_DOWN, PPOC, PVAH, PVAL, PDH, PDL, ONH, ONL, IBH, IBL,
    SESSION_HIGH, SESSION_LOW, ROUND_UP, ROUND_DOWN, PSYCH_UP, PSYCH_DOWN, PIVOT, R1, S1, R2, S2,
) = _typed(28)  # fmt: skip
HVN_FIRST = 28
HVN_SLOTS = 12
CALL_WALL, PUT_WALL, GAMMA_FLIP, ZERO_DTE_CALL, ZERO_DTE_PUT = range(40, 45)
PIN, EXPECTED_HIGH, EXPECTED_LOW = range(45, 48)
FIB_382, FIB_500, FIB_618 = _typed(51)[48:]
IMPORTED = 51  # from somebody else's file, in the order of IMPORTED_KINDS
IMPORTED_KINDS = (
    "call_resistance", "put_support", "hvl", "call_resistance_0dte", "put_support_0dte", "hvl_0dte",
    "gamma_wall_0dte", "1d_max", "1d_min", *(f"gex_{i}" for i in range(1, 11)),
    *(f"blind_spot_{i}" for i in range(1, 11)),
)  # fmt: skip
SLOTS = IMPORTED + len(IMPORTED_KINDS)

NAMES = (
    "poc", "vah", "val", "vwap", "sd1_up", "sd1_down", "sd2_up", "sd2_down", "ppoc", "pvah", "pval", "pdh",
    "pdl", "onh", "onl", "ibh", "ibl", "session_high", "session_low", "round_up", "round_down", "psych_up",
    "psych_down", "pivot", "r1", "s1", "r2", "s2",
) + ("hvn",) * HVN_SLOTS + (
    "call_wall", "put_wall", "gamma_flip", "call_wall_0dte", "put_wall_0dte", "pin", "expected_high",
    "expected_low", "fib_382", "fib_500", "fib_618", *IMPORTED_KINDS,
)  # fmt: skip

# domain §11
WEIGHTS = (
    0.9, 0.8, 0.8, 0.8, 0.7, 0.7, 0.6, 0.6, 0.7, 0.6, 0.6, 0.6, 0.6, 0.4, 0.4, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3,
    0.2, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3,
) + (0.6,) * HVN_SLOTS + (
    1.0, 1.0, 0.9, 0.8, 0.8, 0.4, 0.5, 0.5, 0.2, 0.2, 0.2,
    1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.8, 0.5, 0.5, *(0.7,) * 3, *(0.4,) * 7, *(0.4,) * 10,
)  # fmt: skip

# Levels of one family within 1 tick count once, the stronger.
FAMILIES = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 19, 20, 21, 22, 23, 24, 25,
) + (26,) * HVN_SLOTS + (
    27, 28, 29, 27, 28, 30, 31, 32, 33, 33, 33, 27, 28, 29, 27, 28, 29, 27, 31, 32, *(34,) * 10, *(35,) * 10,
)  # fmt: skip

LEVEL_DTYPE = np.dtype(
    [
        ("known", np.uint8),
        ("near", np.uint8),  # a bar has come within 1 tick and price has not left yet
        ("price_2", np.int32),
        ("touched_2", np.int32),  # price when touches were counted first
        ("touches", np.int32),
        ("since", np.int64),
        ("expires", np.int64),  # 0 = when its source says so
        ("strength", np.float32),
    ],
    align=True,
)
LEVELS_DTYPE = np.dtype([("at", LEVEL_DTYPE, (SLOTS,)), ("n", np.int64)], align=True)

TOUCH_2 = 2  # within 1 tick
LEAVE_2 = 8  # left by 4 ticks
REACH_2 = 1600  # ±200 points
HOUR_NS = 3_600_000_000_000


@kernel
def put(levels: Record, slot: int, price_2: int, ts: int) -> None:
    """Write one level; its age starts when it becomes known."""
    at = levels["at"][slot]
    if not at["known"]:
        at["known"], at["since"], at["touches"], at["near"], at["strength"] = 1, ts, 0, 0, 1.0
        at["touched_2"], at["expires"] = price_2, 0
    elif abs(price_2 - at["touched_2"]) > LEAVE_2:
        at["touches"], at["near"], at["touched_2"], at["since"] = 0, 0, price_2, ts
    at["price_2"] = price_2


@kernel
def drop(levels: Record, slot: int) -> None:
    """Forget a level that is not known (any more)."""
    levels["at"][slot]["known"] = 0


@kernel
def from_profile(levels: Record, p: Record, vwap: float, sd: float, ts: int) -> None:
    """Write the levels of profile and VWAP. The running profile is that of RTH once it has a value area."""
    eth, rth = p["anchor"][0], p["anchor"][1]
    if rth["has_area"]:
        _area(levels, rth, ts)
    else:
        drop(levels, POC)
        drop(levels, VAH)
        drop(levels, VAL)
        for i in range(HVN_SLOTS):
            drop(levels, HVN_FIRST + i)
    if vwap == vwap:
        put(levels, VWAP, _half(vwap), ts)
        put(levels, SD1_UP, _half(vwap + sd), ts)
        put(levels, SD1_DOWN, _half(vwap - sd), ts)
        put(levels, SD2_UP, _half(vwap + 2 * sd), ts)
        put(levels, SD2_DOWN, _half(vwap - 2 * sd), ts)
    if eth["has"]:
        put(levels, SESSION_HIGH, 2 * eth["high"], ts)
        put(levels, SESSION_LOW, 2 * eth["low"], ts)
        _rounds(levels, eth["close"], ts)
    if p["has_overnight"]:
        put(levels, ONH, 2 * p["onh"], ts)
        put(levels, ONL, 2 * p["onl"], ts)
    if p["has_ib"]:
        put(levels, IBH, 2 * p["ibh"], ts)
        put(levels, IBL, 2 * p["ibl"], ts)
    if p["has_previous"]:
        _previous(levels, p, ts)


@kernel
def _half(price: float) -> int:
    """Round to half ticks, half away from nothing in particular: to even, so that a mirror agrees."""
    return int(np.rint(2.0 * price))


@kernel
def _area(levels: Record, a: Record, ts: int) -> None:
    put(levels, POC, a["poc_2"], ts)
    put(levels, VAH, 2 * a["vah"], ts)
    put(levels, VAL, 2 * a["val"], ts)
    _nodes(levels, a, ts)


@kernel
def _nodes(levels: Record, a: Record, ts: int) -> None:
    """Keep the nodes nearest the POC, each in the slot it had: a node that stays keeps its age and touches.

    Two nodes equally far that do not both fit are both left out, so that a mirrored market keeps the mirrored ones.
    """
    n, reach = a["hvn_n"], -1
    taken = 0
    while True:
        further = 1 << 30
        for i in range(n):
            far = abs(2 * a["hvn"][i] - a["poc_2"])
            if reach < far < further:
                further = far
        there = 0
        for i in range(n):
            there += abs(2 * a["hvn"][i] - a["poc_2"]) == further
        if there == 0 or taken + there > HVN_SLOTS:
            break
        reach, taken = further, taken + there
    for slot in range(HVN_FIRST, HVN_FIRST + HVN_SLOTS):
        if levels["at"][slot]["known"] and not _is_node(a, levels["at"][slot]["price_2"], reach):
            drop(levels, slot)
    for i in range(n):
        if abs(2 * a["hvn"][i] - a["poc_2"]) <= reach:
            put(levels, _slot_of(levels, 2 * a["hvn"][i]), 2 * a["hvn"][i], ts)


@kernel
def _is_node(a: Record, price_2: int, reach: int) -> bool:
    if abs(price_2 - a["poc_2"]) > reach:
        return False
    found = False
    for i in range(a["hvn_n"]):
        found = found or 2 * a["hvn"][i] == price_2
    return found


@kernel
def _slot_of(levels: Record, price_2: int) -> int:
    """Return the slot of a node that is kept, else a free one."""
    free = HVN_FIRST
    for slot in range(HVN_FIRST + HVN_SLOTS - 1, HVN_FIRST - 1, -1):
        at = levels["at"][slot]
        if not at["known"]:
            free = slot
        elif at["price_2"] == price_2:
            return slot
    return free


@kernel
def _rounds(levels: Record, close: int, ts: int) -> None:
    """25-point and 100-point prices around the close; at a common price only the stronger (25) counts."""
    up, down = -(-close // 100) * 100, close // 100 * 100
    put(levels, ROUND_UP, 2 * up, ts)
    put(levels, ROUND_DOWN, 2 * down, ts)
    up, down = -(-close // 400) * 400, close // 400 * 400
    put(levels, PSYCH_UP, 2 * up, ts)
    put(levels, PSYCH_DOWN, 2 * down, ts)


@kernel
def _previous(levels: Record, p: Record, ts: int) -> None:
    put(levels, PPOC, p["ppoc_2"], ts)
    put(levels, PVAH, 2 * p["pvah"], ts)
    put(levels, PVAL, 2 * p["pval"], ts)
    put(levels, PDH, 2 * p["pdh"], ts)
    put(levels, PDL, 2 * p["pdl"], ts)
    pivot = (p["pdh"] + p["pdl"] + p["previous_close"]) / 3.0
    put(levels, PIVOT, _half(pivot), ts)
    put(levels, R1, _half(2 * pivot - p["pdl"]), ts)
    put(levels, S1, _half(2 * pivot - p["pdh"]), ts)
    put(levels, R2, _half(pivot + p["pdh"] - p["pdl"]), ts)
    put(levels, S2, _half(pivot - (p["pdh"] - p["pdl"])), ts)


@kernel
def on_base_close(levels: Record, bar: Record) -> None:
    """Count touches with a closed base bar; forget what is further than 200 points away."""
    for i in range(SLOTS):
        at = levels["at"][i]
        if not at["known"]:
            continue
        price_2, close_2 = at["price_2"], 2 * bar["close"]
        if abs(price_2 - close_2) > REACH_2 or 0 < at["expires"] <= bar["end"]:
            at["known"] = 0
        elif 2 * bar["low"] - TOUCH_2 <= price_2 <= 2 * bar["high"] + TOUCH_2:
            at["near"] = 1
        if at["near"] and abs(close_2 - price_2) >= LEAVE_2:
            at["near"] = 0
            at["touches"] += 1


@kernel
def on_session(levels: Record) -> None:
    """A new trading day: only what is written again is known, and what has a time of its own to expire."""
    for i in range(SLOTS):
        if levels["at"][i]["expires"] == 0:
            levels["at"][i]["known"] = 0


@kernel
def from_leg(levels: Record, first: int, last: int, ts: int) -> None:
    """Write the retracements of the last leg, from the swing it began at to the one it ended at."""
    put(levels, FIB_382, _half(last - 0.382 * (last - first)), ts)
    put(levels, FIB_500, _half(last - 0.500 * (last - first)), ts)
    put(levels, FIB_618, _half(last - 0.618 * (last - first)), ts)


def load(table: Any, level: ImportedLevel) -> None:
    """Take a level of somebody else's file: walls hold 8 hours, a flip 12, others 24 (domain §11)."""
    slot = IMPORTED + IMPORTED_KINDS.index(level.kind)
    put(table, slot, int(np.rint(2.0 * level.price_ticks)), level.ts_event)
    at = table["at"][slot]
    at["strength"] = level.strength
    at["since"], at["expires"] = level.ts_event, level.ts_event + expiry_hours(level.kind) * HOUR_NS


def expiry_hours(kind: str) -> int:
    """Return how long a level of that kind holds after its source's time stamp, in hours."""
    if kind.startswith(("hvl", "gamma_flip")):
        return 12
    return 8 if kind.startswith(("call", "put", "gamma")) else 24
