"""What a measure is: a name with unit, range, needs and source, and a cell a kernel fills.

A group is a module with `MEASURES` and a kernel `fill(s, out, at)`: it writes the values of its measures at
`out[at], out[at + 1], …` in their order. NaN is not ready, `GONE` is stale; what a run cannot give is absent
and never asked. Measures have no vote; what has one is a component (`mia_kernel.features`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mia_kernel.features.spec import Need

GONE = np.inf
"""Written by a kernel whose input is older than its limit."""

Mirror = Literal["odd", "even", "share", "ratio", "price"]
"""What a mirrored market does to a value: its sign, nothing, 1 − x, 1/x, or a price about the same centre.

A name with `buy` or `bid` in it swaps with the one that says `sell` or `ask`.
"""


@dataclass(frozen=True, slots=True)
class Measure:
    """One named number: `low` and `high` bound it (None: open), `says` is a sentence for people."""

    name: str
    unit: str
    low: float | None
    high: float | None
    needs: tuple[Need, ...]
    mirror: Mirror
    source: str
    says: str


def m(
    name: str,
    unit: str,
    bounds: tuple[float | None, float | None],
    mirror: Mirror,
    source: str,
    says: str,
    *needs: Need,
) -> Measure:
    """Write one row of a group's table."""
    return Measure(name, unit, bounds[0], bounds[1], needs, mirror, source, says)


OPEN = (None, None)
POSITIVE = (0.0, None)
SHARE = (0.0, 1.0)
SIGNED = (-1.0, 1.0)
FLAG = (0.0, 1.0)
