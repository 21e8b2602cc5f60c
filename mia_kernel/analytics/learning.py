"""Fit the three members and say how they would have done on what they had not seen.

How it moves: a `Variant` is one set of parameters of all three members; `cross_fit` gives out-of-fold scores
over purged splits; `nested` chooses the variant inside each training part, so that the choice itself is never
graded on its own exam; `bend` fits the calibration on out-of-fold scores; `exported` lays the fitted members out
for serving. All seeds are stated; the same data give the same model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mia_kernel.ml.ensemble import AGREE, AGREE_FACTOR, DISAGREE, DISAGREE_FACTOR, WEIGHTS
from mia_kernel.ml.splits import Lives, Split, combinatorial
from mia_kernel.ml.trees import Heaps, Tree, below, heaped, strictly_below

FloatArray = NDArray[np.float64]
SEED = 20_260_101
MIN_ISOTONIC = 1_000
PLATT_KNOTS = 201
REPEATS = 5
"""Shuffles of a column whose spread tells how sure its importance is."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of parameters; every one that is looked at is a trial."""

    name: str
    forest: dict[str, Any] = field(default_factory=dict)
    boosted: dict[str, Any] = field(default_factory=dict)
    line_c: float = 1.0

    def describe(self) -> dict[str, Any]:
        """Return what distinguishes it, for the trial log."""
        return {
            "variant": self.name,
            "forest": self.forest,
            "xgboost": self.boosted,
            "logistic_c": self.line_c,
        }


VARIANTS = (
    Variant("reference"),
    Variant("sober", {"max_depth": 6, "min_samples_leaf": 50}, {"max_depth": 3, "learning_rate": 0.05}, 0.1),
    Variant(
        "stiff", {"max_depth": 4, "min_samples_leaf": 200}, {"max_depth": 2, "learning_rate": 0.05}, 0.01
    ),
)
"""The reference is the domain's; the others learn less by heart, which noise rewards."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Weighed mean and spread of each column; a column that never moves has spread 1."""

    mean: FloatArray
    spread: FloatArray

    def __call__(self, x: NDArray[np.float32]) -> FloatArray:
        """Return standardised columns."""
        return (x.astype(np.float64) - self.mean) / self.spread


def scale_of(x: NDArray[np.float32], w: FloatArray) -> Scale:
    """Return the standardisation of weighed rows."""
    share = (w / w.sum())[:, None]
    wide = x.astype(np.float64)
    mean = (share * wide).sum(axis=0)
    spread = np.sqrt((share * (wide - mean) ** 2).sum(axis=0))
    return Scale(mean, np.where(spread > 1e-9, spread, 1.0))


@dataclass(frozen=True, slots=True)
class Members:
    """Three fitted members, in the order of MEMBERS, and the scaling of the last."""

    forest: Any
    boosted: Any
    line: Any
    scale: Scale

    def scores(self, x: NDArray[np.float32]) -> FloatArray:
        """Return P(win) of each member, shape (n, 3)."""
        return np.column_stack(
            [
                self.forest.predict_proba(x)[:, 1],
                self.boosted.predict_proba(x)[:, 1],
                self.line.predict_proba(self.scale(x))[:, 1],
            ]
        ).astype(np.float64)


def fit(
    variant: Variant, x: NDArray[np.float32], y: NDArray[np.int64], w: FloatArray, *, seed: int = SEED
) -> Members:
    """Fit the three members on weighed rows."""
    forest = {"n_estimators": 100, "max_depth": 10, "min_samples_split": 5, "min_samples_leaf": 2}
    boosted = {"n_estimators": 100, "max_depth": 6, "learning_rate": 0.1, "subsample": 0.8}
    scale = scale_of(x, w)
    return Members(
        RandomForestClassifier(**{**forest, **variant.forest}, random_state=seed, n_jobs=1).fit(x, y, w),
        xgboost.XGBClassifier(
            **{**boosted, **variant.boosted}, tree_method="hist", base_score=0.5, random_state=seed, n_jobs=1
        ).fit(x, y, sample_weight=w),
        LogisticRegression(C=variant.line_c, max_iter=300).fit(scale(x), y, sample_weight=w),
        scale,
    )


def mean_score(parts: FloatArray) -> FloatArray:
    """Return the weighed vote of the members."""
    return parts @ np.array(WEIGHTS)


def agreement(parts: FloatArray) -> FloatArray:
    """Return 1 − (highest − lowest member)."""
    return 1 - (parts.max(axis=1) - parts.min(axis=1))


def ml_score(p: FloatArray, agree: FloatArray) -> FloatArray:
    """Return what the gate compares: less where the members differ, more where they are at one; clipped."""
    factor = np.where(agree < DISAGREE, DISAGREE_FACTOR, np.where(agree > AGREE, AGREE_FACTOR, 1.0))
    return np.clip(p * factor, 0.10, 0.95)


@dataclass(frozen=True, slots=True)
class Bend:
    """A calibration as knots, straight between them, and how it was made."""

    x: FloatArray
    y: FloatArray
    kind: str

    def __call__(self, raw: FloatArray) -> FloatArray:
        """Return calibrated probabilities."""
        return np.interp(raw, self.x, self.y)


def bend(raw: FloatArray, y: NDArray[np.int64], w: FloatArray) -> Bend:
    """Fit the calibration on out-of-fold scores: isotonic with enough of them, else Platt.

    Notes
    -----
    Platt is P = 1/(1 + exp(−(a·logit(raw) + b))), laid out on PLATT_KNOTS knots. With one class only there is
    nothing to bend: the share seen is the answer everywhere.
    """
    if len(np.unique(y)) < 2:
        share = float(np.average(y, weights=w))
        return Bend(np.array([0.0, 1.0]), np.array([share, share]), "constant")
    if len(raw) >= MIN_ISOTONIC:
        model = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(raw, y, sample_weight=w)
        x = np.asarray(model.X_thresholds_, np.float64)
        if len(x) > 1:
            return Bend(x, np.asarray(model.y_thresholds_, np.float64), "isotonic")
    clipped = np.clip(raw, 1e-4, 1 - 1e-4)
    odds = np.log(clipped / (1 - clipped))[:, None]
    model = LogisticRegression(C=1e6).fit(odds, y, sample_weight=w)
    x = np.linspace(1e-4, 1 - 1e-4, PLATT_KNOTS)
    return Bend(x, model.predict_proba(np.log(x / (1 - x))[:, None])[:, 1].astype(np.float64), "platt")


# -- what is seen of what was not trained on -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from: columns, answers, weights and the lives of the labels."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    w: FloatArray
    lives: Lives

    def take(self, at: NDArray[Any]) -> Rows:
        """Return some of the rows."""
        lives = Lives(self.lives.start[at], self.lives.end[at], self.lives.session[at])
        return Rows(self.x[at], self.y[at], self.w[at], lives)


def fit_and_score(rows: Rows, split: Split, variant: Variant, *, seed: int = SEED) -> FloatArray:
    """Return the members' scores of a split's test rows after training on its training rows."""
    at = split.train
    return fit(variant, rows.x[at], rows.y[at], rows.w[at], seed=seed).scores(rows.x[split.test])


def log_loss(p: FloatArray, y: NDArray[np.int64], w: FloatArray) -> float:
    """Return the weighed mean log loss."""
    q = np.clip(np.where(y == 1, p, 1 - p), 1e-9, 1.0)
    return float(-np.average(np.log(q), weights=w))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a nested choice found inside one training part, and how it then did on its test part."""

    variant: Variant
    losses: dict[str, float]
    parts: FloatArray
    probability: FloatArray


def nested(
    rows: Rows,
    split: Split,
    variants: Sequence[Variant],
    *,
    inner: int = 3,
    embargo: int = 1,
    seed: int = SEED,
) -> Choice:
    """Choose a variant by purged inner folds of the training part, calibrate on them, score the test part."""
    part = rows.take(split.train)
    folds = combinatorial(part.lives, inner, 1, embargo_sessions=embargo)
    losses: dict[str, float] = {}
    scores: dict[str, FloatArray] = {}
    for variant in variants:
        raw = np.full(len(part.y), np.nan)
        for fold in folds:
            raw[fold.test] = mean_score(fit_and_score(part, fold, variant, seed=seed))
        losses[variant.name] = log_loss(raw, part.y, part.w)
        scores[variant.name] = raw
    best = min(variants, key=lambda variant: losses[variant.name])
    curve = bend(scores[best.name], part.y, part.w)
    parts = fit_and_score(rows, split, best, seed=seed)
    return Choice(best, losses, parts, curve(mean_score(parts)))


def importance(
    rows: Rows,
    split: Split,
    variant: Variant,
    names: Sequence[str],
    *,
    repeats: int = REPEATS,
    seed: int = SEED,
) -> list[dict[str, Any]]:
    """Return for each feature how much the log loss of test rows grows when it is shuffled there, mask and all.

    Notes
    -----
    On rows the model has not seen; features that say the same share their importance and each looks smaller. `sd`
    is the spread over the repeats, None with one: the luck of the shuffle, not of the sample.
    """
    members = fit(variant, rows.x[split.train], rows.y[split.train], rows.w[split.train], seed=seed)
    x, y, w = rows.x[split.test], rows.y[split.test], rows.w[split.test]
    base = log_loss(mean_score(members.scores(x)), y, w)
    rng, half = np.random.default_rng(seed), x.shape[1] // 2
    found: list[dict[str, Any]] = []
    for j, name in enumerate(names):
        if not (x[:, j] != x[0, j]).any():
            continue
        added = np.empty(repeats)
        for k in range(repeats):
            mixed, order = x.copy(), rng.permutation(len(x))
            mixed[:, [j, half + j]] = x[order][:, [j, half + j]]
            added[k] = log_loss(mean_score(members.scores(mixed)), y, w) - base
        spread = float(added.std(ddof=1)) if repeats > 1 else None
        found.append({"name": name, "mean": float(added.mean()), "sd": spread, "repeats": repeats})
    return sorted(found, key=lambda row: -row["mean"])


# -- for serving ------------------------------------------------------------------------------------------


def exported(members: Members) -> tuple[Heaps, Heaps, FloatArray, float]:
    """Return forest, boosted trees, coefficients in the row's own units and intercept."""
    trees: list[Tree] = []
    for estimator in members.forest.estimators_:
        t = estimator.tree_
        value = t.value[:, 0, :]
        win = value[:, 1] / value.sum(axis=1)
        trees.append(
            Tree(t.children_left, t.children_right, t.feature, below(t.threshold), win.astype(np.float64))
        )
    coefficients = members.line.coef_[0] / members.scale.spread
    intercept = float(members.line.intercept_[0] - (coefficients * members.scale.mean).sum())
    return heaped(trees), heaped(boosted_trees(members.boosted)), coefficients.astype(np.float64), intercept


def boosted_trees(model: Any) -> list[Tree]:
    """Return the trees of an XGBoost model of base score 0.5 (margin 0)."""
    content = json.loads(model.get_booster().save_raw(raw_format="json"))
    found: list[Tree] = []
    for tree in content["learner"]["gradient_booster"]["model"]["trees"]:
        condition = np.array(tree["split_conditions"], np.float32)
        found.append(
            Tree(
                np.array(tree["left_children"], np.int64),
                np.array(tree["right_children"], np.int64),
                np.array(tree["split_indices"], np.int64),
                strictly_below(condition),
                condition.astype(np.float64),
            )
        )
    return found
