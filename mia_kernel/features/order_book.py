"""Order-book imbalance: which side of the ladder is heavier."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY, STALE
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse


@feature("order_book", needs=("book",))
@kernel
def order_book(st: Any, cells: Any, at: int) -> None:
    """Smoothed imbalance of five levels, scaled by liquidity, shrunk for a wide spread.

    Unit: none, in [−1, 1], + means more resting bids. Ready after 10 one-second samples; stale when the
    book is older than 5 s of event time. Quality = min(1, liquidity/0.65)·min(1, n/10).
    Source: domain §6.1 (six metrics in `state/book`).
    """
    s, out = st[0], cells[at]
    k = s["book"]
    if not k["has"] or k["signal"] != k["signal"]:
        refuse(out, NOT_READY)
    elif s["clock"]["now"] - k["ts"] > k["p_obi_stale_ns"]:
        refuse(out, STALE)
    else:
        put(out, k["signal"], k["quality"])
