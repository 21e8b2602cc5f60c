"""Options flow bias: what today's option volume leans to."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import ABSENT, NOT_READY, STALE
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, put, refuse
from mia_kernel.state.options import is_fresh

MIN_CONTRACTS = 1_000
NO_REFERENCE_QUALITY = 0.5


@feature("options_flow", needs=("options",))
@kernel
def options_flow(st: Any, cells: Any, at: int) -> None:
    """0.6·pcr + 0.4·(1 − r)/(1 + r) of r = put/call volume over its reference of the last sessions.

    pcr is beyond 0 where r < 3/4 or r > 4/3, and r → 1/r changes its sign. Unit: none, in [−1, 1]. Absent
    until a chain is loaded, not ready under 1,000 contracts, stale beyond the chain's limit. Quality: the
    chain's; without a reference r is the ratio itself and quality at most 0.5. Source: domain §12.
    """
    s, out = st[0], cells[at]
    o = s["options"]
    if not o["has"]:
        refuse(out, ABSENT)
    elif not is_fresh(o, s["clock"]["now"]):
        refuse(out, STALE)
    elif not o["option_volume_contracts"] >= MIN_CONTRACTS or not o["put_call_volume_ratio"] >= 0.0:
        refuse(out, NOT_READY)
    else:
        reference = o["put_call_reference"]
        measured = reference > 0.0
        r = o["put_call_volume_ratio"] / reference if measured else o["put_call_volume_ratio"]
        put(out, bias(r), o["quality"] if measured else min(o["quality"], NO_REFERENCE_QUALITY))


@kernel
def bias(r: float) -> float:
    """Return the bias of a put/call ratio over its reference; r = 1 is 0."""
    lean = 0.0
    if r < 0.75:
        lean = min(1.0, 0.4 + 1.2 * (0.75 - r))
    elif r > 4.0 / 3.0:
        lean = -min(1.0, 0.4 + 1.2 * (0.75 - 1.0 / r))
    return 0.6 * lean + 0.4 * (1.0 - r) / (1.0 + r)
