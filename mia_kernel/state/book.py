"""Book: the depth ladder, its imbalance sampled each second, and order-flow imbalance.

How it moves: every BOOK or QUOTE row of the traded instrument replaces the ladder (O(1)) and adds its term
to the order-flow imbalance (OFI). Once per second of event time `sample` measures the ladder and smooths.
Level i is the price i ticks behind the best; an empty level has size 0. Rows that are crossed, locked, one-sided or
of a size below zero are counted and not applied.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.events import BOOK, DEPTH
from mia_kernel.core.kernel import Record, kernel

OBI_LEVELS = 5
HISTORY = 10
TOTALS = 50
OFI_SECONDS = 64
NS = 1_000_000_000


class BookParams(BaseModel):
    """How the book is measured (domain: order book imbalance)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    obi_stale_ms: int = Field(
        default=5_000, ge=1, description="book older than this makes the imbalance stale (ms)"
    )
    level_decay: float = Field(
        default=0.8, gt=0.0, le=1.0, description="weight of a level against the one before it"
    )


BOOK_DTYPE = np.dtype(
    [
        ("p_obi_stale_ns", np.int64),
        ("p_level_decay", np.float64),
        ("ts", np.int64),  # event clock of the newest update; meaningless while `has` is 0
        ("updates", np.int64),
        ("crossed", np.int64),  # rows refused: bid ≥ ask, a side missing, a size below zero
        ("bid", np.int32),
        ("ask", np.int32),
        ("b", np.int32, (DEPTH,)),
        ("a", np.int32, (DEPTH,)),
        ("has", np.uint8),
        ("has_depth", np.uint8),  # more than the best levels
        ("sample_n", np.int64),
        ("raw", np.float64, (HISTORY,)),
        ("totals", np.float64, (TOTALS,)),
        ("level1", np.float64),
        ("depth", np.float64),
        ("volume_share", np.float64),
        ("volume_ratio", np.float64),
        ("spread_bps", np.float64),
        ("spread_ticks", np.float64),
        ("liquidity", np.float64),
        ("signal", np.float64),
        ("quality", np.float64),
        ("ofi", np.int64),  # Σ e of the session
        ("ofi_second", np.int64),  # Σ e of the running second
        ("ofi_ring", np.int64, (OFI_SECONDS,)),  # Σ e of closed seconds, at (second % OFI_SECONDS)
        ("ofi_now", np.int64),  # the running second's number
    ],
    align=True,
)


def init(record: Any, params: BookParams) -> None:
    """Make `record` an empty book."""
    record[...] = np.zeros((), BOOK_DTYPE)
    record["p_obi_stale_ns"] = params.obi_stale_ms * 1_000_000
    record["p_level_decay"] = params.level_decay
    for name in ("level1", "depth", "volume_share", "volume_ratio", "spread_bps", "spread_ticks"):
        record[name] = np.nan
    for name in ("liquidity", "signal", "quality"):
        record[name] = np.nan


@kernel
def flow_term(pb0: int, qb0: int, pa0: int, qa0: int, pb: int, qb: int, pa: int, qa: int) -> int:
    """Return e_n of Cont, Kukanov and Stoikov (2014) with non-strict inequalities.

    Strict ones would lose queue changes at an unchanged price.
    """
    e = 0
    if pb >= pb0:
        e += qb
    if pb <= pb0:
        e -= qb0
    if pa <= pa0:
        e -= qa
    if pa >= pa0:
        e += qa0
    return e


@kernel
def _below_zero(e: Record) -> int:
    """Return 1 where a level behind the best has a size below zero; a quote carries none."""
    if e["kind"] == BOOK:
        for i in range(1, DEPTH):
            if e["b"][i] < 0 or e["a"][i] < 0:
                return 1
    return 0


@kernel
def on_book(k: Record, e: Record, clock: int) -> int:
    """Apply a BOOK or QUOTE row; return 1, or 0 where it is crossed, locked, one-sided or of impossible size."""
    bid, ask = e["bid"], e["ask"]
    if bid <= 0 or ask <= 0 or bid >= ask or e["b"][0] <= 0 or e["a"][0] <= 0 or _below_zero(e):
        k["crossed"] += 1
        return 0
    if k["has"]:
        term = flow_term(k["bid"], k["b"][0], k["ask"], k["a"][0], bid, e["b"][0], ask, e["a"][0])
        k["ofi"] += term
        k["ofi_second"] += term
    k["bid"], k["ask"] = bid, ask
    if e["kind"] == BOOK:
        for i in range(DEPTH):
            k["b"][i] = e["b"][i]
            k["a"][i] = e["a"][i]
        k["has_depth"] = 1
    else:
        k["b"][0] = e["b"][0]
        k["a"][0] = e["a"][0]
    k["has"] = 1
    k["ts"] = clock
    k["updates"] += 1
    return 1


@kernel
def sample(k: Record, second: int) -> None:
    """Measure the ladder at the end of `second` (event time, whole seconds) and smooth over the history.

    Source: domain §6.1. Nothing is sampled from a book that is unknown or older than its limit; the
    smoothed values then stay, and their reader sees the age.
    """
    k["ofi_ring"][second % OFI_SECONDS] = k["ofi_second"]
    k["ofi_second"] = 0
    k["ofi_now"] = second
    if not k["has"] or second * NS - k["ts"] > k["p_obi_stale_ns"]:
        return
    b0, a0 = float(k["b"][0]), float(k["a"][0])
    sum_b, sum_a, deep, total_w, weight, filled = 0.0, 0.0, 0.0, 0.0, 1.0, 0
    for i in range(OBI_LEVELS):
        b, a = float(k["b"][i]), float(k["a"][i])
        sum_b += b
        sum_a += a
        deep += weight * (b - a)
        total_w += weight * (b + a)
        weight *= k["p_level_decay"]
        filled += (1 if b > 0 else 0) + (1 if a > 0 else 0)
    k["level1"] = (b0 - a0) / (b0 + a0)
    k["depth"] = deep / total_w
    k["volume_share"] = sum_b / (sum_b + sum_a)
    k["volume_ratio"] = sum_b / sum_a
    k["spread_ticks"] = float(k["ask"] - k["bid"])
    k["spread_bps"] = 1e4 * k["spread_ticks"] / (0.5 * (k["bid"] + k["ask"]))
    n = k["sample_n"]
    total = sum_b + sum_a
    k["raw"][n % HISTORY] = 0.6 * k["level1"] + 0.4 * k["depth"]
    _smooth(k, n + 1, total, filled)
    k["totals"][n % TOTALS] = total
    k["sample_n"] = n + 1


@kernel
def _smooth(k: Record, n: int, total: float, filled: int) -> None:
    """Set liquidity, signal and quality; the mean total is over the samples before this one."""
    known = min(n - 1, TOTALS)
    if known < HISTORY:
        return
    mean = 0.0
    for i in range(known):
        mean += k["totals"][i]
    mean /= known
    k["liquidity"] = 0.7 * min(1.0, total / (2.0 * mean)) + 0.3 * filled / (2.0 * OBI_LEVELS)
    used = min(n, HISTORY)
    smooth, weights = 0.0, 0.0
    for i in range(used):
        w = math.exp(i / (used - 1.0)) if used > 1 else 1.0
        smooth += w * k["raw"][(n - used + i) % HISTORY]
        weights += w
    spread = k["spread_ticks"]
    penalty = 1.0 if spread <= 2.0 else max(0.5, 1.0 - 0.25 * (spread - 2.0))
    k["signal"] = smooth / weights * k["liquidity"] * penalty
    k["quality"] = min(1.0, k["liquidity"] / 0.65) * min(1.0, used / HISTORY)


@kernel
def ofi_over(k: Record, seconds: int) -> int:
    """Return Σ e over the last `seconds` closed seconds (≤ OFI_SECONDS − 1)."""
    total = 0
    for i in range(seconds):
        total += k["ofi_ring"][(k["ofi_now"] - i) % OFI_SECONDS]
    return total
