"""Confluence as an entry: the side of the weighed score, where its grade is good enough."""

from __future__ import annotations

from mia_kernel.core.kernel import kernel


@kernel
def side_of(side: int, grade: int, least: int) -> int:
    """Return the score's side where its grade reaches `least`, else 0."""
    return side if grade >= least else 0
