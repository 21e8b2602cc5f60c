"""Data quality: how far the feed of the last minute can be trusted."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse


@feature("data_quality", range=(0.0, 1.0), signed=False)
@kernel
def data_quality(st: Any, cells: Any, at: int) -> None:
    """1 − the weighted bad shares of the last 60 s (of the last 5 bars for a bar source), in [0, 1].

    Context, not a component of any weight set; under 0.80 entries are off. Not ready before the window is
    full. Source: domain §4 (measured in `state/quality`).
    """
    s, out = st[0], cells[at]
    score = s["quality"]["score"]
    if score != score:
        refuse(out, NOT_READY)
    else:
        put(out, score, 1.0)
