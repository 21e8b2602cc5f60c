"""Battle Navale as an entry: the score of view A beyond the threshold of the volatility regime."""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel


@kernel
def side_of(battle: Record, threshold: float) -> int:
    """Return +1 where s > threshold, −1 where s < −threshold, else 0; 0 while the score is not ready."""
    s = battle["score"]
    if s > threshold:
        return 1
    if s < -threshold:
        return -1
    return 0


@kernel
def strength_of(battle: Record, threshold: float) -> float:
    """Return min(1, 4·(|s| − threshold)): how far the score stands beyond its threshold."""
    return min(1.0, 4.0 * (abs(battle["score"]) - threshold))
