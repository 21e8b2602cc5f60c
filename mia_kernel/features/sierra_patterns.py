"""Sierra patterns: Long Down Up, Long Up Down, Color Down, Color Up on the signal timeframe."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import NOT_READY
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse


@feature("sierra_patterns")
@kernel
def sierra_patterns(st: Any, cells: Any, at: int) -> None:
    """P = clip(Σ sign·strength·max(0, 1 − age/5), ±1) over the patterns emitted in the last five bars.

    Unit: none, in [−1, 1]; 0 with status ok when none was emitted. Ready after four bars of `signal_tf` (of
    the base timeframe where that is coarser). Quality: 1, or 0.7 while a pattern rated without RVOL counts.
    A pattern is known one bar after its centre and never repainted. Source: domain §8.1 (tested in `state/battle`).
    """
    s, out = st[0], cells[at]
    w = s["battle"][s["clock"]["signal"]]
    if w["pattern"] != w["pattern"]:
        refuse(out, NOT_READY)
    else:
        put(out, w["pattern"], w["pattern_quality"])
