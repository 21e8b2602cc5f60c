"""Give an opinion: P(win | signal) of a calibrated forest, boosted trees and a straight line, voting.

How it moves: one compiled call walks both forests, takes the weighed mean, bends it by the calibration that
was fitted on out-of-fold scores, and looks how far the three agree. `Filter` is what the engine asks: it makes
the row, looks into the cache and says plainly when it has no opinion. An untrained model never speaks.
Source: domain §17.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.decisions import FeatureVector, Opinion, Score, Signal
from mia_kernel.core.kernel import kernel
from mia_kernel.ml.inputs import EIGHT, MOST_MISSING, Inputs, Row, Schema
from mia_kernel.ml.params import MlParams
from mia_kernel.ml.trees import Heaps, votes
from mia_kernel.state.memory import MarketState

DAY_NS = 86_400_000_000_000
WEIGHTS = (0.50, 0.30, 0.20)
MEMBERS = ("random_forest", "xgboost", "logistic")
DISAGREE, AGREE = 0.6, 0.9
DISAGREE_FACTOR, AGREE_FACTOR = 0.8, 1.1
LOWEST_SCORE, HIGHEST_SCORE = 0.10, 0.95
PROBABILITY, ML_SCORE, AGREEMENT, RAW = range(4)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The numbers of a trained filter, ready to serve.

    `bend_x`, `bend_y` are the knots of the calibration, straight between them; `line` holds the coefficients of
    the logistic regression in the row's own units. A model has an opinion on events from `valid_from` (the end
    of what it was trained on: before it, it has seen the answer) until `trained_at` plus the trusted age.
    """

    model_id: str
    schema: Schema
    forest: Heaps
    boosted: Heaps
    boosted_base: float
    line: NDArray[np.float64]
    intercept: float
    bend_x: NDArray[np.float64]
    bend_y: NDArray[np.float64]
    valid_from: int
    trained_at: int

    def evaluate(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return calibrated probability, ml_score, agreement and raw mean of each row, shape (n, 4)."""
        out = np.empty((len(rows), 4))
        self._call(np.ascontiguousarray(rows, np.float32), out, np.empty((len(rows), 3)))
        return out

    def members(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each member before calibration, shape (n, 3)."""
        parts = np.empty((len(rows), 3))
        self._call(np.ascontiguousarray(rows, np.float32), np.empty((len(rows), 4)), parts)
        return parts

    def _call(self, rows: Any, out: Any, parts: Any) -> None:
        f, b = self.forest, self.boosted
        opine(
            rows,
            (f.nodes, f.leaf, f.depth, f.count),
            (b.nodes, b.leaf, b.depth, self.boosted_base),
            (self.line, self.intercept),
            (self.bend_x, self.bend_y),
            out,
            parts,
        )


@kernel
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + np.exp(-x))


@kernel
def bent(p: float, x: Any, y: Any) -> float:
    """Return the calibrated probability: straight between knots, level outside them."""
    if p <= x[0]:
        return y[0]
    if p >= x[-1]:
        return y[-1]
    i = np.searchsorted(x, p, side="right")
    share = (p - x[i - 1]) / (x[i] - x[i - 1])
    return y[i - 1] + share * (y[i] - y[i - 1])


@kernel
def opine(rows: Any, forest: Any, boosted: Any, line: Any, bend: Any, out: Any, parts: Any) -> None:
    """Fill `out` with probability, ml_score, agreement, raw mean and `parts` with the members, row by row.

    A row with a value that is no finite number gets NaN everywhere: nothing is said of it.
    """
    nodes, leaf, depth, count = forest
    nodes_b, leaf_b, depth_b, base = boosted
    coefficients, intercept = line
    for i in range(len(rows)):
        x = rows[i]
        total = 0.0
        for j in range(len(x)):
            total += x[j] * 0.0  # of infinity and of NaN this is NaN
        if total != 0.0:
            out[i], parts[i] = np.nan, np.nan
            continue
        parts[i, 0] = votes(x, nodes, leaf, depth) / count
        parts[i, 1] = _sigmoid(base + votes(x, nodes_b, leaf_b, depth_b))
        z = intercept
        for j in range(len(coefficients)):
            z += coefficients[j] * x[j]
        parts[i, 2] = _sigmoid(z)
        raw = 0.50 * parts[i, 0] + 0.30 * parts[i, 1] + 0.20 * parts[i, 2]
        highest = max(max(parts[i, 0], parts[i, 1]), parts[i, 2])
        lowest = min(min(parts[i, 0], parts[i, 1]), parts[i, 2])
        p, agreement = bent(raw, bend[0], bend[1]), 1.0 - (highest - lowest)
        score = p
        if agreement < DISAGREE:
            score *= DISAGREE_FACTOR
        elif agreement > AGREE:
            score *= AGREE_FACTOR
        out[i, 0], out[i, 1] = p, min(max(score, LOWEST_SCORE), HIGHEST_SCORE)
        out[i, 2], out[i, 3] = agreement, raw


class Filter:
    """What the engine asks at a signal.

    Parameters
    ----------
    ensemble : Ensemble or None
        None: there is no model, and `why` says so.
    inputs : Inputs
    params : MlParams
    why : str
        Why there is no model.
    """

    def __init__(self, ensemble: Ensemble | None, inputs: Inputs, params: MlParams, why: str = "") -> None:
        self.ensemble = ensemble
        self.model_id = "none" if ensemble is None else ensemble.model_id
        self.asked = 0
        self.hits = 0
        self.off = why
        self.row: Row | None = None  # the newest row that was judged, for whoever watches the inputs
        self._inputs = inputs
        self._entries = params.cache_entries
        self._ttl = round(params.cache_ttl_s * 1e9)
        self._expires = round(params.expires_days * DAY_NS)
        self._cache: OrderedDict[bytes, tuple[int, Opinion]] = OrderedDict()
        self._out = np.empty((1, 4))
        self._parts = np.empty((1, 3))

    @property
    def hit_rate(self) -> float | None:
        """Share of questions answered from the cache, None before the first."""
        return self.hits / self.asked if self.asked else None

    def switch_off(self, reason: str) -> None:
        """Have no opinion from here on: too slow, or replaced."""
        self.off = reason

    def opinion(
        self, market: MarketState, vector: FeatureVector, score: Score, signal: Signal, ts: int
    ) -> Opinion:
        """Return the opinion on a signal; without one `probability` is None and `reason` says why."""
        if self.ensemble is None or self.off:
            return self._none(self.off)
        if self._inputs.schema.hash != self.ensemble.schema.hash:
            return self._none("schema")
        if ts <= self.ensemble.valid_from:
            return self._none("inside_training_data")
        if ts > max(self.ensemble.trained_at, self.ensemble.valid_from) + self._expires:
            return self._none("expired")
        self.row = self._inputs.row(market, vector, score, signal.side, ts)
        return self.answer(self.row, ts)

    def answer(self, row: Row, ts: int) -> Opinion:
        """Return the opinion on a row, from the cache where the same was asked a moment ago."""
        if self.ensemble is None:
            return self._none(self.off)
        half = len(row) // 2
        # Plain numbers: on a row this short numpy's own sums cost more than a forest does.
        if sum(row[half : half + len(EIGHT)].tolist()) > MOST_MISSING:
            return self._none("missing_features")
        key = row.tobytes()
        found = self._cache.get(key)
        if found is not None and 0 <= ts - found[0] <= self._ttl:
            self.asked += 1
            self.hits += 1
            self._cache.move_to_end(key)
            return found[1]
        made = self._made(row)
        if made.probability is None:
            return made
        self.asked += 1
        self._cache[key] = (ts, made)
        if found is not None:
            self._cache.move_to_end(key)
        while len(self._cache) > self._entries:
            self._cache.popitem(last=False)
        return made

    def _made(self, row: Row) -> Opinion:
        assert self.ensemble is not None
        self.ensemble._call(row[None, :], self._out, self._parts)  # pyright: ignore[reportPrivateUsage]
        probability, ml_score, agreement, _ = self._out[0].tolist()
        if probability != probability:
            return self._none("not_a_number")
        return Opinion(self.model_id, probability, ml_score, agreement, "")

    def _none(self, reason: str) -> Opinion:
        return Opinion(self.model_id, None, None, None, reason or "no_model")


class Collector:
    """Sits where a model sits and only writes down what it would have been asked: rows for training.

    It has no opinion, so a run with it decides as a run without a model.
    """

    model_id = "none"

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.rows: list[Row] = []
        self.times: list[int] = []

    def opinion(
        self, market: MarketState, vector: FeatureVector, score: Score, signal: Signal, ts: int
    ) -> Opinion | None:
        """Keep the row; return None."""
        self.rows.append(self.inputs.row(market, vector, score, signal.side, ts))
        self.times.append(ts)
        return None
