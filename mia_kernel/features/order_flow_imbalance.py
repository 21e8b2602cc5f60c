"""Order-flow imbalance: what queues and prices at the best levels did over ten seconds."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY, STALE
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip
from mia_kernel.state.book import TOTALS, ofi_over

SECONDS = 10


@feature("order_flow_imbalance", needs=("book",))
@kernel
def order_flow_imbalance(st: Any, cells: Any, at: int) -> None:
    """OFI of the last ten closed seconds over the mean size of five levels a side, clipped to ±1.

    Context, not a component of any weight set: it explains its own window, it does not predict. Not ready
    before 10 book samples, stale after 5 s. Source: Cont, Kukanov, Stoikov (2014), domain §6.2.
    """
    s, out = st[0], cells[at]
    k = s["book"]
    if k["sample_n"] < SECONDS:
        refuse(out, NOT_READY)
    elif s["clock"]["now"] - k["ts"] > k["p_obi_stale_ns"]:
        refuse(out, STALE)
    else:
        depth = k["totals"][(k["sample_n"] - 1) % TOTALS] / 2.0
        put(out, clip(ofi_over(k, SECONDS) / depth, 1.0) if depth > 0 else 0.0, 1.0)
