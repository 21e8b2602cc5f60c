import time

import numpy as np
import pytest

from mia_kernel.analytics.learning import agreement, mean_score, ml_score
from mia_kernel.cli.filter_figures import made_up_model
from mia_kernel.core.events import Carries
from mia_kernel.features.spec import Given
from mia_kernel.ml.ensemble import DAY_NS, Ensemble, Filter
from mia_kernel.ml.inputs import EIGHT, Inputs, laid_out, missing_of_eight, schema_of
from mia_kernel.ml.params import MlParams
from tests.gates import SLACK

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def trained():
    return made_up_model()


def rows(n: int, seed: int = 5):
    values = np.random.default_rng(seed).normal(0, 1.5, (n, len(EIGHT)))
    return np.array([laid_out(row) for row in values])


def test_compiled_members_equal_the_libraries_on_20_000_rows(trained):
    members, ensemble, curve = trained
    x = rows(20_000)
    library = members.scores(x)
    assert np.abs(ensemble.members(x) - library).max() < 1e-6
    found = ensemble.evaluate(x)
    p = curve(mean_score(library))
    assert np.abs(found[:, 0] - p).max() < 1e-6 / min(1e-3, np.diff(curve.x).min()) + 1e-4
    assert np.abs(found[:, 2] - agreement(library)).max() < 2e-6
    edges = np.minimum(np.abs(agreement(library) - 0.6), np.abs(agreement(library) - 0.9)) > 1e-5
    assert np.abs(found[edges, 1] - ml_score(found[edges, 0], agreement(library)[edges])).max() < 1e-9


@pytest.mark.performance
def test_one_row_takes_microseconds(trained):
    """The compiled call alone: 99 of 100 rows within 15 µs, in the best of several passes."""
    _, ensemble, _ = trained
    x = rows(2_000)
    judge = Filter(ensemble, Inputs(schema_of(), Given(Carries())), MlParams(cache_entries=0))
    judge.answer(x[0], 1)
    best = np.inf
    for _ in range(12):
        took = np.empty(len(x))
        for i, row in enumerate(x):
            began = time.perf_counter_ns()
            ensemble._call(row[None, :], judge._out, judge._parts)
            took[i] = time.perf_counter_ns() - began
        best = min(best, float(np.quantile(took, 0.99)) / 1_000)
    assert best < 15 * SLACK


@pytest.mark.performance
def test_the_whole_filter_answers_a_row_within_15_us(trained):
    """Checks, key, cache and opinion included: 99 of 100 rows within 15 µs, each row's quickest pass.

    In a single pass every millisecond one row also waits for the machine's clock tick: at 10 µs a row that is one
    in a hundred, so the 99th percentile of a pass tells the tick and not the filter.
    """
    _, ensemble, _ = trained
    x = rows(1_000)
    judge = Filter(ensemble, Inputs(schema_of(), Given(Carries())), MlParams(cache_entries=0))
    judge.answer(x[0], 1)
    took = np.full(len(x), np.inf)
    for _ in range(25):
        for i, row in enumerate(x):
            began = time.perf_counter_ns()
            judge.answer(row, i)
            took[i] = min(took[i], time.perf_counter_ns() - began)
    assert float(np.quantile(took, 0.99)) / 1_000 < 15 * SLACK


def test_the_cache_never_changes_an_answer_and_forgets_in_event_time(trained):
    _, ensemble, _ = trained
    judge = Filter(ensemble, Inputs(schema_of(), Given(Carries())), MlParams(cache_entries=2, cache_ttl_s=60))
    x = rows(3)
    first = judge.answer(x[0], 1_000)
    assert judge.hit_rate == 0.0
    assert judge.answer(x[0], 1_000 + 59_000_000_000) == first
    assert judge.hit_rate == 0.5
    judge.answer(x[0], 1_000 + 61_000_000_000)
    assert judge.hits == 1
    judge.answer(x[1], 1), judge.answer(x[2], 1)
    assert judge.answer(x[0], 1) == first
    assert judge.hits == 1  # the third pushed it out


def test_every_missing_opinion_says_why(trained):
    _, ensemble, _ = trained
    inputs = Inputs(schema_of(), Given(Carries()))
    values = np.zeros(len(EIGHT))
    values[:3] = np.nan
    row = laid_out(values)
    assert missing_of_eight(row) == 3
    assert Filter(ensemble, inputs, MlParams()).answer(row, 1).reason == "missing_features"
    for bad in (np.nan, np.inf, -np.inf):
        broken = rows(1)[0]
        broken[0] = bad
        judge = Filter(ensemble, inputs, MlParams())
        said = judge.answer(broken, 1)
        assert (said.probability, said.ml_score, said.reason) == (None, None, "not_a_number")
        assert (judge.asked, judge.hit_rate) == (0, None)
        assert judge.answer(rows(1)[0], 1).reason == ""
    nobody = Filter(None, inputs, MlParams(), why="damaged").answer(rows(1)[0], 1)
    assert (nobody.probability, nobody.ml_score, nobody.reason) == (None, None, "damaged")


def test_age_and_training_span_are_no_opinion(trained):
    _, ensemble, _ = trained
    fields = {f: getattr(ensemble, f) for f in Ensemble.__dataclass_fields__}
    other = Ensemble(**fields | {"valid_from": DAY_NS, "trained_at": 2 * DAY_NS})
    judge = Filter(other, Inputs(schema_of(), Given(Carries())), MlParams())
    nothing = (None, None, None, None)
    assert judge.opinion(*nothing, DAY_NS).reason == "inside_training_data"  # pyright: ignore[reportArgumentType]
    assert judge.opinion(*nothing, 33 * DAY_NS).reason == "expired"  # pyright: ignore[reportArgumentType]
    judge.switch_off("too_slow")
    assert judge.opinion(*nothing, 3 * DAY_NS).reason == "too_slow"  # pyright: ignore[reportArgumentType]
    wrong = Filter(ensemble, Inputs(schema_of(("session",)), Given(Carries())), MlParams())
    assert wrong.opinion(*nothing, 5).reason == "schema"  # pyright: ignore[reportArgumentType]
