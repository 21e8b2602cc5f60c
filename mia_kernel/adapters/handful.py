"""Make six SYNTHETIC rows that touch every kernel: what a first start compiles on."""

from __future__ import annotations

import numpy as np

from mia_kernel.core.events import BOOK, SECOND, TRADE, VIX, Carries, Recording, SourceInfo, empty
from mia_kernel.core.session import new_york_ns


def handful() -> Recording:
    """Return trades, a book, a second market and a VIX within two minutes."""
    rows = empty(6)
    rows["ts_event"] = rows["ts_recv"] = new_york_ns(20250610, 600) + np.arange(6) * 20_000_000_000
    rows["kind"], rows["px"], rows["sz"], rows["seq"] = TRADE, 20_000, 1, np.arange(6)
    rows["kind"][1], rows["bid"][1], rows["ask"][1] = BOOK, 19_999, 20_001
    rows["b"][1], rows["a"][1] = 1, 1
    rows["instrument"][2:4] = SECOND, VIX
    everything = Carries(book=True, quotes=True, trades=True, aggressor="feed")
    source = SourceInfo(
        tag="synthetic", adapter="warm_up", name="SYNTHETIC warm-up", symbol="ES", carries=everything
    )
    return Recording(rows, source)
