"""What `mia bench` measures of the filter: one row through the compiled members, and the cache's share of answers."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.learning import VARIANTS, bend, exported, fit, mean_score
from mia_kernel.core.events import Carries
from mia_kernel.features.spec import Given
from mia_kernel.ml.ensemble import Ensemble, Filter
from mia_kernel.ml.inputs import EIGHT, Inputs, laid_out, schema_of
from mia_kernel.ml.params import MlParams

ROWS, ASKED, AGAIN = 4_000, 5_000, 4
SECOND_NS = 1_000_000_000


def filter_figures() -> tuple[NDArray[np.float64], float, str]:
    """Return microseconds of single rows, the cache's share of answers, and what was asked of what.

    The model is the reference forest, boosting and line, trained on SYNTHETIC columns. The share is that of
    questions each asked again `AGAIN` times within a second, as decisions of one bar do.
    """
    rng = np.random.default_rng(11)
    ensemble = _trained(rng)
    rows = np.array([laid_out(row) for row in rng.normal(0, 1.5, (ASKED, len(EIGHT)))])
    inputs = Inputs(schema_of(), Given(Carries()))
    plain = Filter(ensemble, inputs, MlParams(cache_entries=0))
    taken = np.empty(len(rows))
    plain.answer(rows[0], 0)
    for i, row in enumerate(rows):
        began = time.perf_counter_ns()
        plain.answer(row, i)
        taken[i] = (time.perf_counter_ns() - began) / 1e3
    cached = Filter(ensemble, inputs, MlParams())
    for i, row in enumerate(rows):
        for _ in range(1 + AGAIN):
            cached.answer(row, i * SECOND_NS)
    assert cached.hit_rate is not None
    return taken, cached.hit_rate, "SYNTHETIC columns, reference forest, boosting and line"


def _trained(rng: np.random.Generator) -> Ensemble:
    x = np.array([laid_out(row) for row in rng.normal(0, 1, (ROWS, len(EIGHT)))])
    y = (x[:, 0] - 0.5 * x[:, 3] + rng.normal(0, 1, ROWS) > 0).astype(np.int64)
    weights = np.ones(ROWS)
    members = fit(VARIANTS[0], x, y, weights)
    forest, boosted, line, intercept = exported(members)
    curve = bend(mean_score(members.scores(x)), y, weights)
    return Ensemble(
        "bench",
        schema_of(),
        forest,
        boosted,
        0.0,
        line,
        intercept,
        curve.x,
        curve.y,
        valid_from=0,
        trained_at=0,
    )
