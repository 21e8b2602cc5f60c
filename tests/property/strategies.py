"""Shared generators: small synthetic markets, and ways to cut a stream into slices."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import strategies as st

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import Recording

SEEDS = (1, 2, 3)


@lru_cache(maxsize=8)
def small_market(seed: int, scale: float = 0.08) -> Recording:
    """Return one SYNTHETIC session without warm-up, thinned so that a law can be checked in a second."""
    return synthetic_recording(seed, warm_up=False, scale=scale)


def cuts(n: int) -> st.SearchStrategy[list[int]]:
    """Return strategies of sorted cut points inside n rows."""
    return st.lists(st.integers(1, max(1, n - 1)), max_size=12).map(lambda points: sorted(set(points)))
