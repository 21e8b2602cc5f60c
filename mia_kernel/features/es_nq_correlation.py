"""ES/NQ correlation: does NQ move, and does ES move with it."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY, STALE
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip, sign

STALE_INTERVALS = 5
NS = 1_000_000_000


@feature("es_nq_correlation", needs=("second",))
@kernel
def es_nq_correlation(st: Any, cells: Any, at: int) -> None:
    """clip(ρ·sgn(z)·min(|z|/2, 1), ±1): ρ = corr60 of log returns, z = NQ 5-bar return in deviations.

    Unit: none, in [−1, 1]. Not ready under 45 matched bars in the window, stale when the newest matched bar
    is more than 5 intervals old. Quality: max(ρ, 0). Source: domain §14 (measured in `state/cross`).
    """
    s, out = st[0], cells[at]
    x = s["cross"]
    rho, z = x["corr60"], x["z"]
    length = s["tf"][s["clock"]["base"]]["seconds"] * NS
    if rho != rho or z != z:
        refuse(out, NOT_READY)
    elif s["clock"]["now"] - x["last_matched"] > STALE_INTERVALS * length:
        refuse(out, STALE)
    else:
        put(out, clip(rho * sign(z) * min(abs(z) / 2.0, 1.0), 1.0), max(rho, 0.0))
