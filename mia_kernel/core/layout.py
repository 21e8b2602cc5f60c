"""Where each part of a decision lies in its two arrays.

One decision is some three hundred numbers. Kept in one float64 and one int8 array they are written by one
compiled call, copied by one, and cut into parts only when somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

HEADS, CODES = 4, 2
"""In front of the numbers: total, percent, coverage, quality; in front of the codes: grade, side."""


Part: TypeAlias = "slice[int, int, None]"


@dataclass(frozen=True, slots=True)
class Layout:
    """Parts of a decision over `names` components, `gates` gates and `context` surroundings.

    Numbers: heads, values, quality, contributions, weights, gate_required, gate_actual, context.
    Codes: heads, status, gate_outcome.
    """

    names: tuple[str, ...]
    gates: int
    context: int
    numbers: int = field(init=False)
    codes: int = field(init=False)
    parts: dict[str, Part] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        features = len(self.names)
        floats, numbers = _cut(
            HEADS,
            values=features,
            quality=features,
            contributions=features,
            weights=features,
            gate_required=self.gates,
            gate_actual=self.gates,
            context=self.context,
        )
        bytes_, codes = _cut(CODES, status=features, gate_outcome=self.gates)
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "parts", {"heads": slice(0, HEADS)} | floats | bytes_)


@cache
def layout(names: tuple[str, ...], gates: int, context: int) -> Layout:
    """Return the layout of these sizes; equal sizes share one."""
    return Layout(names, gates, context)


def _cut(at: int, **widths: int) -> tuple[dict[str, Part], int]:
    parts: dict[str, Part] = {}
    for name, width in widths.items():
        parts[name] = slice(at, at + width)
        at += width
    return parts, at
