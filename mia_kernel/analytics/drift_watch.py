"""Hold what a model sees and gets right against what it was trained on, as it happens.

How it moves: `reference_of` keeps bins of equal mass of every feature and the win rate out of sample; they travel
with the model. `DriftWatch` takes rows and outcomes one by one and says in sentences what has moved: the
stability index and ADWIN for inputs, CUSUM for results. It proposes; it changes nothing. Source: domain §17.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.drift import ACT, TINY, adwin_changes, cusum

BINS = 10
NEWEST = 500
"""Signals of which the inputs are watched."""
LEAST = 200
"""Under so many signals luck alone moves the index: 10 bins of 200 give (10 − 1)/200 = 0.045 on average."""
FALL = 0.10
"""The fall of the win rate the CUSUM is tuned to find."""
LIMIT = 3.0


def reference_of(x: NDArray[np.float32], names: Sequence[str], win_rate: float | None) -> dict[str, Any]:
    """Return bins of equal mass of each feature as plain values, and the win rate to hold results against.

    Parameters
    ----------
    x : ndarray of shape (n, 2k)
        Rows as models see them: values, then masks.
    names : sequence of str
        The first columns to watch.
    win_rate : float or None
        Of what the model would have taken out of sample.
    """
    half, features = x.shape[1] // 2, list[dict[str, Any]]()
    for j, name in enumerate(names):
        known = x[x[:, half + j] == 0, j].astype(np.float64)
        edges = (
            np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)
        )
        shares = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
        features.append(
            {
                "name": name,
                "edges": edges.tolist(),
                "shares": (shares / max(len(known), 1)).tolist(),
                "missing": float((x[:, half + j] != 0).mean()) if len(x) else None,
            }
        )
    return {"features": features, "win_rate": win_rate, "n": len(x)}


class DriftWatch:
    """Rows and outcomes of one model since it serves.

    Parameters
    ----------
    reference : mapping
        What `reference_of` returned.
    """

    def __init__(self, reference: Mapping[str, Any]) -> None:
        self._features = list(reference["features"])
        self._good = reference["win_rate"]
        self._rows: deque[list[float]] = deque(maxlen=NEWEST)
        self._won: list[int] = []
        self.signals = 0

    def see(self, row: Sequence[float]) -> None:
        """Take the features of a judged signal, NaN where missing."""
        self._rows.append(list(row)[: len(self._features)])
        self.signals += 1

    def ended(self, won: bool) -> None:
        """Take the outcome of a closed trade the model let through."""
        self._won.append(int(won))

    @property
    def outcomes(self) -> int:
        """Closed trades so far."""
        return len(self._won)

    def indexes(self) -> dict[str, float | None]:
        """Return the stability index of each feature over the newest signals, None under LEAST known values."""
        rows = np.array(self._rows, np.float64).reshape(len(self._rows), len(self._features))
        return {f["name"]: _index(rows[:, j], f) for j, f in enumerate(self._features)}

    def performance(self) -> float | None:
        """Return where the CUSUM stands; None before an outcome, or where no win rate was expected."""
        good = self._good
        if not self._won or good is None or not FALL < good < 1:
            return None
        return float(cusum(self._won, good=good, bad=good - FALL)[-1])

    def alarms(self) -> list[str]:
        """Return what has moved, a sentence each, with its numbers."""
        found = [
            f"{name} has moved: stability index {value:.2f}, {ACT:g} is the line to act"
            for name, value in self.indexes().items()
            if value is not None and value >= ACT
        ]
        rows = np.array(self._rows, np.float64).reshape(len(self._rows), len(self._features))
        for j, feature in enumerate(self._features):
            known = rows[np.isfinite(rows[:, j]), j]
            at = adwin_changes(known) if len(known) >= LEAST else []
            if at:
                found.append(
                    f"{feature['name']} has another mean since {len(known) - at[-1]} signals (ADWIN)"
                )
        stands = self.performance()
        if stands is not None and stands >= LIMIT:
            found.append(
                f"win rate fell: {sum(self._won)} of {len(self._won)} trades won where {self._good:.0%} was expected, "
                f"CUSUM {stands:.1f} of {LIMIT:g}"
            )
        return found


def _index(values: NDArray[np.float64], feature: Mapping[str, Any]) -> float | None:
    known = values[np.isfinite(values)]
    if len(known) < LEAST or not feature["shares"]:
        return None
    counts = np.bincount(
        np.searchsorted(feature["edges"], known, side="right"), minlength=len(feature["shares"])
    )
    a, e = np.maximum(counts / len(known), TINY), np.maximum(feature["shares"], TINY)
    return float(((a - e) * np.log(a / e)).sum())
