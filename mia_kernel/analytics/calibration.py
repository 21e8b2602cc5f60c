"""Ask whether a probability means what it says: Brier and its parts, calibration error, slope and intercept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BINS = 10


def brier(p: FloatArray, y: NDArray[Any]) -> float:
    """Return mean (p − y)²."""
    return float(((p - y) ** 2).mean())


def curve(p: FloatArray, y: NDArray[Any], *, bins: int = BINS) -> list[dict[str, float]]:
    """Return said and seen share of wins in bins of equal mass, with n."""
    order = np.argsort(p, kind="stable")
    return [
        {"said": float(p[part].mean()), "seen": float(y[part].mean()), "n": len(part)}
        for part in np.array_split(order, bins)
        if len(part)
    ]


def expected_error(p: FloatArray, y: NDArray[Any], *, bins: int = BINS) -> float:
    """Return the mean distance of said and seen over bins of equal mass."""
    rows = curve(p, y, bins=bins)
    return sum(row["n"] * abs(row["said"] - row["seen"]) for row in rows) / len(p)


def spiegelhalter(p: FloatArray, y: NDArray[Any]) -> float | None:
    """Return Spiegelhalter's Z, about standard normal where p is calibrated; None where it cannot be told.

    Notes
    -----
    Σ(y − p)(1 − 2p)/√Σ(1 − 2p)²·p(1 − p).
    """
    under = float((((1 - 2 * p) ** 2) * p * (1 - p)).sum())
    return float(((y - p) * (1 - 2 * p)).sum() / math.sqrt(under)) if under > 0 else None


def line_through(p: FloatArray, y: NDArray[Any]) -> tuple[float, float] | None:
    """Return slope and intercept of y on p by least squares, None where p does not vary."""
    spread = float(((p - p.mean()) ** 2).sum())
    if spread <= 0:
        return None
    slope = float(((p - p.mean()) * (y - y.mean())).sum()) / spread
    return slope, float(y.mean()) - slope * float(p.mean())


def auc(score: FloatArray, y: NDArray[Any]) -> tuple[float, float] | None:
    """Return the area under the ROC curve and its standard error (Hanley-McNeil), None with one class only."""
    positive, negative = int((y == 1).sum()), int((y == 0).sum())
    if positive == 0 or negative == 0:
        return None
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    ranks[order] = np.arange(1, len(score) + 1)
    _, at, count = np.unique(score, return_inverse=True, return_counts=True)
    sums = np.bincount(at, weights=ranks)
    ranks = (sums / count)[at]
    area = (float(ranks[y == 1].sum()) - positive * (positive + 1) / 2) / (positive * negative)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return area, math.sqrt(max(variance, 0.0) / (positive * negative))


def figures(p: FloatArray, y: NDArray[Any]) -> dict[str, Any]:
    """Return everything here of calibrated probabilities, with the Brier score of the base rate beside it."""
    base = float(y.mean())
    line, area = line_through(p, y), auc(p, y)
    return {
        "n": len(y),
        "base_rate": base,
        "brier": brier(p, y),
        "brier_base_rate": base * (1 - base),
        "accuracy": float(((p >= 0.5) == (y == 1)).mean()),
        "accuracy_base_rate": max(base, 1 - base),
        "calibration_error": expected_error(p, y),
        "spiegelhalter_z": spiegelhalter(p, y),
        "slope": None if line is None else line[0],
        "intercept": None if line is None else line[1],
        "auc": None if area is None else area[0],
        "auc_se": None if area is None else area[1],
        "curve": curve(p, y),
    }
