"""Smart money: what large aggregated orders have been doing."""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip, sign
from mia_kernel.state import levels
from mia_kernel.state.bars import BAR_RING, TF_1M, bar_at
from mia_kernel.state.flow import ORDERS

WINDOW_NS = 15 * 60 * 1_000_000_000
PERIOD_NS = 3 * 60 * 1_000_000_000
PERIODS = 5
MIN_ORDERS, MIN_VOLUME = 3, 1_000
NEUTRAL, ROTATION, STEADY, INSTITUTIONAL = range(4)
BASES = np.array([0.0, 0.0, 0.6, 0.8])
"""Strength by what large orders are doing; steady is accumulation or distribution."""
SLOTS = levels.SLOTS


@feature("smart_money", needs=("flow", "trades"))
@kernel
def smart_money(st: Any, cells: Any, at: int) -> None:
    """Net flow of large orders over 15 minutes with persistence and alignment to levels.

    sgn(base)·(|base|·conf·(0.5 + 0.5·intensity) + 0.2·persistence + 0.1·alignment), 0 if base is 0. Unit:
    none, in [−1, 1]. Ready after one full window; under 3 large orders or 1,000 contracts the value is a
    measured 0 with quality 0. Quality: confidence. Source: domain §10.
    """
    s, out = st[0], cells[at]
    now = s["clock"]["now"]
    if not is_ready(s, now):
        refuse(out, NOT_READY)
        return
    bought, sold, n, aggressor, steady = totals(s["flow"], now)
    if n < MIN_ORDERS or volume(s, now) < MIN_VOLUME:
        put(out, 0.0, 0.0)
        return
    net = (bought - sold) / (bought + sold)
    value, confidence = judge(net, bought + sold, n, steady, alignment(s), aggressor)
    put(out, value, confidence)


@kernel
def is_ready(s: Record, now: int) -> int:
    """Return 1 once a full window of the session, and of what is remembered, has passed."""
    if s["flow"]["day_trades"] == 0 or now - s["session"]["open_ns"] < WINDOW_NS:
        return 0
    return 1 if _seen_for(s, now) >= WINDOW_NS else 0


@kernel
def totals(f: Record, now: int) -> tuple[int, int, int, float, float]:
    """Return (bought, sold, orders, mean aggressor quality, persistence) of the large orders of the window."""
    bought, sold, n, aggressor = 0, 0, 0, 0.0
    periods = np.zeros(PERIODS)
    for j in range(min(f["order_n"], ORDERS)):
        o = f["orders"][(f["order_n"] - 1 - j) % ORDERS]
        age = now - o["ts"]
        if age >= WINDOW_NS:
            break
        bought += o["size"] if o["side"] > 0 else 0
        sold += o["size"] if o["side"] < 0 else 0
        periods[age // PERIOD_NS] += o["side"] * o["size"]
        aggressor += float(o["quality"])
        n += 1
    if n == 0:
        return 0, 0, 0, 0.0, 0.0
    return bought, sold, n, aggressor / n, persistence(periods, sign(bought - sold))


@kernel
def _seen_for(s: Record, now: int) -> int:
    """Return the age of the oldest remembered minute: a file that begins inside a session fills a window too."""
    t = s["tf"][TF_1M]
    return now - bar_at(t, min(t["n"], BAR_RING) - 1)["start"] if t["n"] > 0 else 0


@kernel
def persistence(periods: np.ndarray, side: int) -> float:
    """Return the share of periods on `side` among those with flow; 0 with fewer than two."""
    with_flow, agreeing = 0, 0
    for i in range(PERIODS):
        if periods[i] != 0:
            with_flow += 1
            agreeing += 1 if sign(periods[i]) == side else 0
    return agreeing / with_flow if with_flow >= 2 else 0.0


@kernel
def doing(net: float, volume: float, steady: float) -> int:
    """Return what large orders are doing: the first condition of domain §10 that holds."""
    intensity = min(volume / 500.0, 1.0)
    if abs(net) > 0.4 and intensity > 0.5:
        return INSTITUTIONAL
    if abs(net) > 0.2 and steady > 0.6:
        return STEADY
    return ROTATION if intensity > 0.7 else NEUTRAL


@kernel
def judge(
    net: float, volume: float, n: int, steady: float, alignment: float, aggressor: float
) -> tuple[float, float]:
    """Return (value, confidence) from net flow, volume, count, persistence, alignment, aggressor quality."""
    intensity = min(volume / 500.0, 1.0)
    base = BASES[doing(net, volume, steady)]
    confidence = (
        0.30 * intensity + 0.20 * min(n / 10.0, 1.0) + 0.20 * steady + 0.15 * alignment + 0.15 * aggressor
    )
    if base == 0.0:
        return 0.0, confidence
    strength = base * confidence * (0.5 + 0.5 * intensity) + 0.2 * steady + 0.1 * alignment
    return clip(sign(net) * strength, 1.0), confidence


@kernel
def volume(s: Record, now: int) -> int:
    """Return contracts traded in the closed minutes of the window."""
    t, total = s["tf"][TF_1M], 0
    for j in range(min(t["n"], 20)):
        bar = bar_at(t, j)
        if now - bar["end"] >= WINDOW_NS:
            break
        total += bar["volume"]
    return total


@kernel
def alignment(s: Record) -> float:
    """Return max(0, 1 − distance to the nearest level/(0.1 % of price))."""
    price, best = s["clock"]["price"], 0.0
    for i in range(SLOTS):
        level = s["levels"]["at"][i]
        if level["known"]:
            best = max(best, 1.0 - abs(price - level["price_2"] / 2.0) / (0.001 * price))
    return best
