"""Look for the future in the features: a model that knows too much is a bug before it is a discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from mia_kernel.analytics.calibration import auc
from mia_kernel.analytics.learning import SEED, Rows, Variant, fit_and_score, mean_score
from mia_kernel.ml.splits import combinatorial

TOO_GOOD = 0.20
"""A single column that alone separates won from lost by so much over 0.5 is not a feature, it is the answer."""

SHUFFLES = 20
SHUFFLE_T = 3.0

QUICK = Variant(
    "quick",
    {"n_estimators": 24, "max_depth": 5, "min_samples_leaf": 20},
    {"n_estimators": 24, "max_depth": 3},
    0.1,
)


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """What the leakage tests found. `ok` is None where there is nothing to judge."""

    name: str
    ok: bool | None
    found: float | None
    bound: float | None
    says: str


def out_of_fold(rows: Rows, *, folds: int = 3, variant: Variant = QUICK, seed: int = SEED) -> Any:
    """Return out-of-fold scores of a small ensemble over purged folds."""
    raw = np.full(len(rows.y), np.nan)
    for split in combinatorial(rows.lives, folds, 1):
        raw[split.test] = mean_score(fit_and_score(rows, split, variant, seed=seed))
    return raw


def shuffled_area(rows: Rows, *, variant: Variant = QUICK, seed: int = SEED) -> float | None:
    """Return the out-of-fold AUC after training on answers in another order, None with one class only."""
    rng = np.random.default_rng(seed)
    mixed = Rows(rows.x, rng.permutation(rows.y), rows.w, rows.lives)
    area = auc(out_of_fold(mixed, variant=variant, seed=seed), mixed.y)
    return None if area is None else area[0]


def shuffled(areas: Sequence[float | None]) -> LeakCheck:
    """Judge shuffled answers: what many orders of them teach in the mean is a leak in the splits.

    Parameters
    ----------
    areas : sequence of float or None
        `shuffled_area` of some orders, each with its own seed.

    Notes
    -----
    One order lies outside two standard errors in one honest case of twenty, so one is no test. Each order is a draw
    of the same law; a leak lifts its mean over 0.5, luck does not. Held: the mean exceeds 0.5 by at most
    SHUFFLE_T standard errors of the mean (Student, one sided: 0.4 % false alarms of 20 orders). Under 0.5 is no
    leak: a fold with more winners leaves fewer to train on.
    """
    known = np.array([area for area in areas if area is not None])
    if len(known) < 2 or known.std() == 0:
        return LeakCheck("shuffled labels", None, None, None, "one class only")
    mean, error = float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))
    p = float(student.sf((mean - 0.5) / error, len(known) - 1))
    says = (
        f"mean AUC of {len(known)} orders {mean:.3f}, from {known.min():.3f} to {known.max():.3f}; "
        f"chance gives as much in {p:.2g} of cases"
    )
    return LeakCheck("shuffled labels", mean - 0.5 <= SHUFFLE_T * error, mean, 0.5 + SHUFFLE_T * error, says)


def too_good(x: NDArray[np.float32], y: NDArray[Any], names: tuple[str, ...]) -> list[str]:
    """Return the columns that alone tell won from lost too well to be features."""
    found: list[str] = []
    for j, name in enumerate(names):
        area = auc(x[:, j].astype(np.float64), y)
        if area is not None and abs(area[0] - 0.5) > TOO_GOOD + 2 * area[1]:
            found.append(name)
    return found


def planted(rows: Rows, names: tuple[str, ...], *, seed: int = SEED) -> LeakCheck:
    """Plant the answer with noise as one more column: the detector must name it, and it alone."""
    rng = np.random.default_rng(seed)
    future = (rows.y + rng.normal(0, 0.5, len(rows.y))).astype(np.float32)
    found = too_good(np.column_stack([rows.x, future]), rows.y, (*names, "planted future"))
    ok = found == ["planted future"]
    return LeakCheck("future column", ok, float(len(found)), 1.0, f"named: {', '.join(found) or 'none'}")


def shifted(rows: Rows, *, seed: int = SEED) -> LeakCheck:
    """Give every signal the features of the one before: what was learned must not get better."""
    if len(np.unique(rows.y)) < 2:
        return LeakCheck("features one signal late", None, None, None, "one class only")
    own, moved = auc(out_of_fold(rows, seed=seed), rows.y), None
    if len(rows.y) > 1:
        late = Rows(np.concatenate([rows.x[:1], rows.x[:-1]]), rows.y, rows.w, rows.lives)
        moved = auc(out_of_fold(late, seed=seed), rows.y)
    if own is None or moved is None:
        return LeakCheck("features one signal late", None, None, None, "one class only")
    ok = moved[0] <= own[0] + 2 * own[1]
    says = f"AUC {own[0]:.3f} in time, {moved[0]:.3f} one signal late"
    return LeakCheck("features one signal late", ok, moved[0], own[0] + 2 * own[1], says)


def checks(rows: Rows, names: tuple[str, ...], *, seed: int = SEED) -> list[LeakCheck]:
    """Return the leakage tests of one go; the prefix test needs the replay and lies in the test suite."""
    suspects = too_good(rows.x, rows.y, names)
    own = LeakCheck(
        "no column is the answer",
        not suspects,
        float(len(suspects)),
        0.0,
        f"named: {', '.join(suspects) or 'none'}",
    )
    return [shifted(rows, seed=seed), planted(rows, names, seed=seed), own]
