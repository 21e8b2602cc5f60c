"""The one compiled call says what the rooms say one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.handful import handful
from mia_kernel.core.decisions import CODE_PARTS, CONTEXT_NAMES, decision_of
from mia_kernel.core.errors import InvariantError
from mia_kernel.core.layout import layout
from mia_kernel.runtime import Run
from mia_kernel.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def run() -> Run:
    """A run whose last decision was taken at the end of its rows: the state is still that of it."""
    run = Run(Settings(), handful())
    run.drive()
    return run


def test_vector_and_score_are_those_of_the_rooms(run: Run) -> None:
    decision, rooms = run.last, run.engine.rooms
    assert decision is not None
    vector = rooms.features.snapshot(rooms.market, decision.ts_event)
    score = rooms.scorer.score(vector, rooms.market)
    for name in ("values", "quality", "status"):
        np.testing.assert_array_equal(getattr(decision.vector, name), getattr(vector, name))
    for name in ("total", "percent", "coverage", "grade", "side"):
        assert getattr(decision.score, name) == getattr(score, name)
    np.testing.assert_array_equal(decision.score.contributions, score.contributions)
    np.testing.assert_array_equal(decision.score.weights, score.weights)


def test_gates_and_surroundings_are_those_of_the_rooms(run: Run) -> None:
    decision, rooms = run.last, run.engine.rooms
    assert decision is not None
    asked = rooms.gate.judge(decision.score, None, candidate_side=rooms.strategy.rule_side)
    np.testing.assert_array_equal(decision.gate_outcome, asked.outcome)
    np.testing.assert_array_equal(decision.gate_required, asked.required)
    np.testing.assert_array_equal(decision.gate_actual, asked.actual)
    assert decision.context is not None
    np.testing.assert_array_equal(decision.context, rooms.market.context())


def test_a_component_out_of_its_range_stops_the_run() -> None:
    run = Run(Settings(), handful())
    features = run.engine.rooms.features
    features.compiled[2][:] = -2.0  # nothing is as low as its highest value now
    with pytest.raises(InvariantError, match="data_quality"):
        run.drive()


def test_a_decision_put_together_from_parts_gives_them_back(run: Run) -> None:
    one = run.last
    assert one is not None
    again = decision_of(
        sequence=one.sequence,
        event_sequence=one.event_sequence,
        price_ticks=one.price_ticks,
        vector=one.vector,
        score=one.score,
        gate_outcome=one.gate_outcome,
        gate_required=one.gate_required,
        gate_actual=one.gate_actual,
        context=one.context,
    )
    assert run.digest.canonical(again) == run.digest.canonical(one)
    np.testing.assert_array_equal(again.numbers, one.numbers)
    np.testing.assert_array_equal(again.codes, one.codes)


def test_parts_lie_side_by_side_and_equal_layouts_are_one() -> None:
    shape = layout(("a", "b"), 3, len(CONTEXT_NAMES))
    assert shape is layout(("a", "b"), 3, len(CONTEXT_NAMES))
    numbers = [part for name, part in shape.parts.items() if name not in CODE_PARTS]
    taken = sorted((part.start, part.stop) for part in numbers)
    assert [stop for _, stop in taken[:-1]] == [start for start, _ in taken[1:]]
    assert taken[-1][1] == shape.numbers == 4 + 4 * 2 + 2 * 3 + len(CONTEXT_NAMES)
    assert shape.codes == 2 + 2 + 3
