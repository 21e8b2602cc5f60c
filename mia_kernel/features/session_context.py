"""Session context: what this phase of the day has been worth so far, measured on own round trips."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.features.stats import clip

MIN_TRIPS = 30


@feature("session_context")
@kernel
def session_context(st: Any, cells: Any, at: int) -> None:
    """clip((ê_long − ê_short)/0.5, ±1): mean R by side in this phase, shrunk n/(n + 30).

    Unit: none, in [−1, 1]. Not ready under 30 closed round trips on either side in this phase: no invented
    win rates. Quality: min(1, n/100) of the smaller side. Source: domain §14.
    """
    s, out = st[0], cells[at]
    a, phase = s["account"], s["clock"]["phase"]
    longs, shorts = a["phase_n"][phase, 0], a["phase_n"][phase, 1]
    if min(longs, shorts) < MIN_TRIPS:
        refuse(out, NOT_READY)
        return
    long_r = a["phase_r"][phase, 0] / longs * longs / (longs + MIN_TRIPS)
    short_r = a["phase_r"][phase, 1] / shorts * shorts / (shorts + MIN_TRIPS)
    put(out, clip((long_r - short_r) / 0.5, 1.0), min(1.0, min(longs, shorts) / 100.0))
