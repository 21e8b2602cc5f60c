"""The digest's fast text equals the plain canonical JSON of the same decision."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from mia_kernel.core.decisions import (
    ABSENT,
    FAILED,
    GRADE_NAMES,
    NOT_READY,
    OK,
    OUTCOME_NAMES,
    PASSED,
    STATUS_NAMES,
    UNKNOWN,
    WEAK,
    Decision,
    FeatureVector,
    Score,
    Signal,
    decision_of,
)
from mia_kernel.core.digest import DecisionDigest, canonical_bytes, micro
from mia_kernel.core.errors import InvariantError

pytestmark = pytest.mark.unit

NAMES = ("vwap_trend", "order_book", '100% odd "name"')
GATES = ("data_quality", "coverage")


def make(signal: Signal | None = None, value: float = 0.1234565) -> Decision:
    vector = FeatureVector(
        NAMES,
        np.array([value, np.nan, -0.0]),
        np.array([1.0, np.nan, 0.5]),
        np.array([OK, ABSENT, OK], np.int8),
        1_000,
    )
    score = Score(0.5, 75.0, 0.61, 0.9, WEAK, 1, np.array([0.1, 0.0, 0.0]), np.array([0.7, 0.2, 0.1]))
    return decision_of(
        sequence=3,
        event_sequence=99,
        price_ticks=20_000,
        vector=vector,
        score=score,
        signal=signal,
        gate_outcome=np.array([PASSED, UNKNOWN], np.int8),
        gate_required=np.array([0.8, 0.6]),
        gate_actual=np.array([0.97, np.nan]),
        verdict=None,
    )


def plain(decision: Decision) -> bytes:
    vector, score = decision.vector, decision.score
    body = {
        "coverage": score.coverage,
        "event_sequence": decision.event_sequence,
        "fills": list(decision.fills),
        "gates": {
            code: {
                "actual": float(decision.gate_actual[i]),
                "outcome": OUTCOME_NAMES[decision.gate_outcome[i]],
                "required": float(decision.gate_required[i]),
            }
            for i, code in enumerate(GATES)
        },
        "grade": GRADE_NAMES[score.grade],
        "intents": list(decision.intents),
        "percent": score.percent,
        "score": score.total,
        "sequence": decision.sequence,
        "side": score.side,
        "signal": decision.signal,
        "ts_event": decision.ts_event,
        "vector": {
            name: {
                "quality": float(vector.quality[i]),
                "status": STATUS_NAMES[vector.status[i]],
                "value": float(vector.values[i]),
            }
            for i, name in enumerate(NAMES)
        },
        "verdict": decision.verdict,
        "weights": {name: float(score.weights[i]) for i, name in enumerate(NAMES)},
    }
    return canonical_bytes(body)


@pytest.mark.parametrize(
    "signal",
    [None, Signal(1_000, 1, "battle_navale", 1.0, None, 20_000, 19_992, 20_016, WEAK, 'quoted " text %')],
)
def test_fast_text_equals_plain_canonical_json(signal: Signal | None) -> None:
    digest = DecisionDigest(NAMES, GATES)
    decision = make(signal)
    assert digest.canonical(decision) == plain(decision)
    json.loads(digest.canonical(decision))


def test_digest_is_sha256_over_lines() -> None:
    digest = DecisionDigest(NAMES, GATES)
    digest.update(make())
    digest.update(make(value=0.2))
    expected = hashlib.sha256(plain(make()) + b"\n" + plain(make(value=0.2)) + b"\n").hexdigest()
    assert digest.hexdigest() == expected
    assert digest.count == 2


def test_millionths_round_half_to_even_and_have_no_minus_zero() -> None:
    assert micro(0.0000005) == 0
    assert micro(0.0000015) == 2
    assert micro(-0.0) == 0
    assert micro(float("nan")) is None


def test_vector_refuses_a_value_whose_status_is_not_ok() -> None:
    with pytest.raises(InvariantError, match="not_ready"):
        FeatureVector(("x",), np.array([0.0]), np.array([0.0]), np.array([NOT_READY], np.int8), 0)


def test_changed_outcome_changes_the_digest() -> None:
    one, other = DecisionDigest(NAMES, GATES), DecisionDigest(NAMES, GATES)
    decision = make()
    one.update(decision)
    decision.gate_outcome[0] = FAILED
    other.update(decision)
    assert one.hexdigest() != other.hexdigest()
