"""Headfake: a break of the last ten bars that does not hold.

How it moves: on the signal timeframe a bar whose high (low) passes the extreme of the ten bars before it
opens a break and rates it: 0.4 for volume above 1.5 times the mean of ten, up to 0.6 for absorption against
the break. A close two ticks or more back inside within two bars adds 0.3 and decides; 0.7 or more is a trap,
signed against the break and stamped at that close. Source: domain §11.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at

LOOK_BACK, RETURN_BARS, INSIDE_TICKS = 10, 2, 2
TRAP = 0.7
AGE_BARS = 5

HEADFAKE_DTYPE = np.dtype(
    [
        ("open_side", np.int8, (2,)),  # a break upwards, a break downwards: +1, −1, 0 = none is open
        ("edge", np.int32, (2,)),
        ("rating", np.float64, (2,)),
        ("bar", np.int64, (2,)),
        ("value", np.float64),  # strength of the newest decided break against it: > 0 a false break down
        ("ts", np.int64),
        ("decided_bar", np.int64),
        ("traps", np.int64),
        ("bars", np.int64),
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` one that has seen no break."""
    record[...] = np.zeros((), HEADFAKE_DTYPE)
    record["decided_bar"] = -1_000_000


@kernel
def on_bar_close(s: Record, tf: int) -> None:
    """Step both sides with the newest bar of the signal timeframe."""
    if tf != s["clock"]["signal"]:
        return
    h, t = s["headfake"], s["tf"][tf]
    h["bars"] = t["n"]
    if t["n"] < LOOK_BACK + 1:
        return
    _step(h, t, 0, 1)
    _step(h, t, 1, -1)


@kernel
def _step(h: Record, t: Record, at: int, side: int) -> None:
    bar = bar_at(t, 0)
    if h["open_side"][at] == 0:
        edge = _edge(t, side)
        reach = bar["high"] if side > 0 else bar["low"]
        if side * (reach - edge) <= 0:
            return
        h["open_side"][at], h["edge"][at], h["bar"][at] = side, edge, t["n"]
        h["rating"][at] = _rate(t, bar, side)
    if side * (h["edge"][at] - bar["close"]) >= INSIDE_TICKS:
        strength = min(h["rating"][at] + 0.3, 1.0)
        h["open_side"][at] = 0
        if strength >= TRAP:
            h["value"] = _stronger(h, t["n"], -side * strength)
            h["ts"], h["decided_bar"] = bar["end"], t["n"]
            h["traps"] += 1
    elif t["n"] - h["bar"][at] >= RETURN_BARS:
        h["open_side"][at] = 0


@kernel
def _stronger(h: Record, now: int, trap: float) -> float:
    """Return the stronger of two traps a bar outside both edges has set; equal ones contradict each other."""
    if h["decided_bar"] != now or abs(trap) > abs(h["value"]):
        return trap
    return 0.0 if abs(trap) == abs(h["value"]) else h["value"]


@kernel
def _edge(t: Record, side: int) -> int:
    """Return the extreme of the ten bars before the newest one."""
    edge = bar_at(t, 1)["high"] if side > 0 else bar_at(t, 1)["low"]
    for j in range(2, LOOK_BACK + 1):
        other = bar_at(t, j)["high"] if side > 0 else bar_at(t, j)["low"]
        if side * (other - edge) > 0:
            edge = other
    return edge


@kernel
def _rate(t: Record, bar: Record, side: int) -> float:
    total = 0
    for j in range(1, LOOK_BACK + 1):
        total += bar_at(t, j)["volume"]
    rating = 0.4 if bar["volume"] * LOOK_BACK > 1.5 * total else 0.0
    against = -side * bar["absorption"]  # buying absorbed is negative and stands against a break upwards
    if against > 0.0:
        rating += 0.6 * min(against / 0.3, 1.0)
    return rating


@kernel
def value(h: Record) -> float:
    """Return the newest trap within five bars, 0 without one, NaN before there are eleven bars."""
    if h["bars"] < LOOK_BACK + 1:
        return np.nan
    return h["value"] if h["bars"] - h["decided_bar"] < AGE_BARS else 0.0
