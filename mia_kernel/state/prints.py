"""Which prints may be believed by whoever values or fills something: the state's own rule, for one record.

A jump of more than 1 % is taken for an error until three prints in a row stand there (domain: data-quality
traps). The record needs `print_px`, `print_n`, `jump_px` and `jump_n`.
"""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel

LATE_NS = 2_000_000_000
"""A row further behind the event clock is not applied."""
CONFIRMATIONS = 3


@kernel
def believable(r: Record, px: int) -> int:
    """Return 1 and remember `px` where it may be believed, else 0."""
    near = 100 * abs(px - r["print_px"]) <= abs(r["print_px"])
    if r["print_n"] == 0 or near:
        r["jump_n"] = 0
    else:
        again = r["jump_n"] > 0 and 100 * abs(px - r["jump_px"]) <= abs(r["jump_px"])
        r["jump_n"] = r["jump_n"] + 1 if again else 1
        r["jump_px"] = px
        if r["jump_n"] < CONFIRMATIONS:
            return 0
        r["jump_n"] = 0
    r["print_px"] = px
    r["print_n"] = 1
    return 1
