"""Options: what a chain says about the traded future, in its own ticks.

How it moves: a chain is read and mapped outside; its figures enter as one event (`core.events.OptionView`)
and replace the ones before. Walls, flip and pin become levels. Nothing here is computed from time but age:
a view older than its limit is stale, and a view of the end of a day holds to the end of the next cash day.
Source: domain §4 (freshness), §11, §12.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.events import OPTION_FIELDS, OptionView
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state import levels

STALE_NS, STALE_ZERO_DTE_NS = 900_000_000_000, 300_000_000_000
END_OF_DAY_QUALITY = 0.6
PIN_TICKS = 5
OPEN_BEFORE_END_NS = 27_000_000_000_000

OPTIONS_DTYPE = np.dtype(
    [
        ("has", np.uint8),
        ("ts", np.int64),
        ("valid_until", np.int64),  # of an end-of-day view; 0 = a live one, which ages by its limit
        ("is_zero_dte", np.uint8),
        ("quality", np.float64),
        *((name, np.float64) for name in OPTION_FIELDS),  # NaN = unknown
    ],
    align=True,
)

# Which figure is which level. Prices of the future in ticks.
_LEVELS = (
    ("call_wall_ticks", levels.CALL_WALL),
    ("put_wall_ticks", levels.PUT_WALL),
    ("gamma_flip_ticks", levels.GAMMA_FLIP),
    ("call_wall_0dte_ticks", levels.ZERO_DTE_CALL),
    ("put_wall_0dte_ticks", levels.ZERO_DTE_PUT),
    ("pin_ticks", levels.PIN),
    ("expected_high_ticks", levels.EXPECTED_HIGH),
    ("expected_low_ticks", levels.EXPECTED_LOW),
)


def init(record: Any) -> None:
    """Make `record` one without a chain."""
    record[...] = np.zeros((), OPTIONS_DTYPE)
    record["quality"] = np.nan
    for name in OPTION_FIELDS:
        record[name] = np.nan


def load(record: Any, table: Any, view: OptionView) -> None:
    """Take a view; figures it does not hold become unknown, levels it does not hold are dropped."""
    record["has"], record["ts"], record["valid_until"] = 1, view.as_of, view.valid_until
    record["is_zero_dte"] = view.zero_dte
    record["quality"] = min(view.quality, END_OF_DAY_QUALITY) if view.valid_until else view.quality
    for name in OPTION_FIELDS:
        value = view.figures.get(name)
        record[name] = np.nan if value is None else value
    write_levels(record, table)


def write_levels(record: Any, table: Any) -> None:
    """Write walls, flip, pin and expected range into the table of levels."""
    # A view of the end of a day counts from the next 09:30, seven and a half hours before it ends.
    until = int(record["valid_until"])
    since = until - OPEN_BEFORE_END_NS if until else int(record["ts"])
    for name, slot in _LEVELS:
        price = float(record[name])
        if price == price:
            levels.put(table, slot, int(np.rint(2.0 * price)), since)
            table["at"][slot]["since"] = since
            table["at"][slot]["expires"] = since + levels.expiry_hours(levels.NAMES[slot]) * levels.HOUR_NS
        else:
            levels.drop(table, slot)


@kernel
def on_session(s: Record) -> None:
    """A new trading day: a live view of yesterday is gone with its levels, one of the end of a day holds on."""
    o = s["options"]
    if o["has"] and s["session"]["open_ns"] >= max(o["valid_until"], o["ts"] + STALE_NS):
        o["has"] = 0


@kernel
def is_fresh(o: Record, now: int) -> int:
    """Return 1 while the view is within its limit."""
    if not o["has"]:
        return 0
    if o["valid_until"] != 0:
        return 1 if now <= o["valid_until"] else 0
    limit = STALE_ZERO_DTE_NS if o["is_zero_dte"] else STALE_NS
    return 1 if now - o["ts"] <= limit else 0


@kernel
def pin(o: Record, price: int, rvol: float) -> float:
    """Return how strongly a wall within 5 ticks holds price under long gamma, 0 to 1, NaN where unknown.

    (1 − d/5T)·min(2, 1 + |GEX strike|/mean|GEX|)/2, times 1.2 in thin volume. Source: domain §11.
    """
    side = o["dealer_gamma_position"]
    if side != side:
        return np.nan
    if side <= 0.0:
        return 0.0
    best = 0.0
    for wall in range(2):
        at = o["call_wall_ticks"] if wall == 0 else o["put_wall_ticks"]
        weight = o["call_wall_weight"] if wall == 0 else o["put_wall_weight"]
        near = 1.0 - abs(price - at) / PIN_TICKS
        if near > 0.0:
            heavy = min(2.0, 1.0 + weight) if weight == weight else 1.0
            best = max(best, near * heavy / 2.0)
    return min(best * (1.2 if rvol < 0.7 else 1.0), 1.0)
