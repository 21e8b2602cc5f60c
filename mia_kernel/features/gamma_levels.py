"""Gamma levels: where option walls hold or repel price."""

from __future__ import annotations

from typing import Any

from mia_kernel.core.decisions import ABSENT
from mia_kernel.core.kernel import kernel
from mia_kernel.features.spec import feature, refuse


@feature("gamma_levels", needs=("options",))
@kernel
def gamma_levels(st: Any, cells: Any, at: int) -> None:
    """Absent in this version: no option chain can enter the state yet, so there is nothing to measure.

    It keeps its place in the weight sets, because a missing input must lower coverage and not hand its
    weight on. Unit: none, in [−1, 1] once there is a chain. Source: domain §12.
    """
    refuse(cells[at], ABSENT)
