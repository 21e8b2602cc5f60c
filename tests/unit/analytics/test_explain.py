"""Sentences about decisions: they add up, name both numbers and the nearest change that flips."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.analytics import explain
from mia_kernel.core.decisions import Decision, FeatureVector, Score, Verdict, decision_of
from tests.fakes import journals

pytestmark = pytest.mark.unit

# domain §15, mia14: (component, weight, value); None = missing
WORKED = [
    ("gamma_levels", 15, None),
    ("vwap_trend", 12, 0.62),
    ("es_nq_correlation", 10, 0.45),
    ("level_proximity", 10, 0.50),
    ("session_context", 8, None),
    ("pullback_quality", 8, 0.70),
    ("sierra_patterns", 10, 0.765),
    ("volume_confirmation", 5, 0.55),
    ("options_flow", 5, None),
    ("order_book", 3, 0.076),
    ("tick_momentum", 3, 0.30),
    ("delta_divergence", 3, 0.0),
    ("smart_money", 3, 0.854),
    ("mtf_confluence", 3, 0.327),
]
CODES = ("coverage", "grade", "spread", "rvol", "fomo")


def facts() -> explain.RunFacts:
    total = sum(w for _, w, _ in WORKED)
    return explain.RunFacts.from_header(
        {
            "names": [n for n, _, _ in WORKED],
            "weights": {n: w / total for n, w, _ in WORKED},
            "weights_name": "mia14",
            "gate_codes": list(CODES),
            "gate_levels": [0, 0, 0, 1, 0],
            "gate_units": ["share", "grade", "ticks", "ratio", "flag"],
            "symbol": "ESH6",
        }
    )


def worked(lost: tuple[str, ...] = (), failed: dict[str, tuple[float, float]] | None = None) -> Decision:
    names = tuple(n for n, _, _ in WORKED)
    weights = np.array([w for _, w, _ in WORKED]) / 98
    values = np.array([np.nan if v is None or n in lost else v for n, _, v in WORKED])
    status = np.where(np.isnan(values), 3, 0).astype(np.int8)
    contributions = np.where(status == 0, np.nan_to_num(values) * weights, 0.0)
    total = float(contributions.sum())
    coverage = float(weights[status == 0].sum())
    percent = 50 * (1 + abs(total))
    outcome = np.zeros(len(CODES), np.int8)
    required, actual = np.array([0.6, 1.0, 2.0, 1.2, 0.0]), np.array([coverage, 1.0, 1.0, 1.5, 0.0])
    for code, (asked, found) in (failed or {}).items():
        i = CODES.index(code)
        outcome[i], required[i], actual[i] = 1, asked, found
    grade = 0 if coverage < 0.6 else 1
    return decision_of(
        sequence=0,
        event_sequence=0,
        price_ticks=26000,
        vector=FeatureVector(names, values, np.where(status == 0, 1.0, np.nan), status, 0),
        score=Score(total, percent, coverage, 1.0, grade, int(np.sign(total)), contributions, weights),
        signal=None,
        gate_outcome=outcome,
        gate_required=required,
        gate_actual=actual,
        verdict=None,
    )


def test_the_worked_example_adds_up() -> None:
    decision = worked()
    lines = explain.waterfall(decision, facts())
    assert sum(x.contribution for x in lines) == pytest.approx(0.3838, abs=5e-5)
    assert [x.name for x in lines[:3]] == ["sierra_patterns", "vwap_trend", "pullback_quality"]
    text = explain.why(decision, facts())
    assert text.startswith("69.19 % WEAK long, S +0.3838, coverage 0.71 (mia14)")
    assert "gamma_levels" in text
    assert "absent" in text
    assert explain.why(decision, facts(), form="brief").count("\n") == 0


def test_coverage_names_the_input_that_would_lift_it() -> None:
    # 57/98 = 0.582 is short of 0.018; the book's 3/98 = 0.031 is the lightest input that suffices.
    decision = worked(("es_nq_correlation", "order_book"), {"coverage": (0.6, 57 / 98)})
    text = explain.why_not(decision, facts(), form="brief")
    assert text == "Refused: coverage 0.58 is under 0.60; book depth would add 0.03 of coverage."
    more = ("es_nq_correlation", "order_book", "tick_momentum", "smart_money")
    decision = worked(more, {"coverage": (0.6, 51 / 98)})
    # 0.520: the lightest that suffices is session_context (8/98), lighter than a NQ feed (10/98).
    assert "session context would add 0.08 of coverage" in explain.why_not(decision, facts())
    # Lists the lost options too, but no single one suffices here.
    many = (*more, "level_proximity", "vwap_trend", "sierra_patterns")
    decision = worked(many, {"coverage": (0.6, 19 / 98)})
    assert "no single input lifts coverage over 0.60" in explain.why_not(decision, facts())


def test_the_score_names_the_component_that_must_move_least() -> None:
    decision = worked(failed={"grade": (3.0, 1.0)})  # STRONG is asked, WEAK was found
    assert "the grade WEAK is under STRONG" in explain.why_not(decision, facts())
    change = explain.nearest_change(decision, facts())
    assert change is not None
    # 0.40 - 0.38378 = 0.01622; over the heaviest present weight 12/98 that is a move of 0.132
    assert change.what == "vwap_trend"
    assert change.needed - change.now == pytest.approx((0.4 - abs(decision.score.total)) * 98 / 12)


def test_other_gates_say_both_numbers() -> None:
    decision = worked(failed={"spread": (2.0, 3.0), "rvol": (1.2, 0.8)})
    found = explain.refusals(decision, facts())
    assert [(r.code, r.blocking) for r in found] == [("spread", True), ("rvol", False)]
    assert found[0].sentence == "the spread 3 ticks is over 2 ticks"
    text = explain.why_not(decision, facts())
    assert "Refused: 1 blocking, 1 more." in text
    assert "Nearest change: the spread at 2 ticks instead of 3 ticks would pass." in text


def test_a_yes_or_no_gate_says_what_would_have_passed_it() -> None:
    decision = worked(failed={"fomo": (0.0, 1.0)})
    text = explain.why_not(decision, facts())
    assert "the move is already extended" in text
    assert "Nearest change: a price within one ATR of the last swing" in text


def test_a_change_that_does_not_flip_the_decision_says_what_would_still_refuse() -> None:
    decision = worked(failed={"spread": (2.0, 3.0), "grade": (3.0, 1.0)})
    assert explain.still_refusing(decision, facts()) == 1
    text = explain.why_not(decision, facts())
    first = explain.refusals(decision, facts())[0]
    assert f"; {1} more would still refuse." in text, first
    alone = worked(failed={"spread": (2.0, 3.0), "rvol": (1.2, 0.8)})  # a warning forbids nothing
    assert explain.still_refusing(alone, facts()) == 0


def test_coverage_cures_the_grade_where_the_score_itself_reaches() -> None:
    lost, failed = ("es_nq_correlation", "order_book"), {"coverage": (0.6, 57 / 98)}
    for grade, left in ((1.0, 0), (4.0, 1)):  # WEAK is reached by the score, PREMIUM is not
        decision = worked(lost, {**failed, "grade": (grade, 0.0)})
        assert 60.0 <= decision.score.percent < 85.0
        assert explain.still_refusing(decision, facts()) == left


def test_an_unknown_number_is_said_to_be_unknown() -> None:
    decision = worked(failed={"rvol": (1.2, float("nan"))})
    assert explain.refusals(decision, facts())[0].sentence == "relative volume is unknown (asked: 1.20)"
    assert explain.nearest_change(decision, facts()) is None


def test_no_refusal_is_said_plainly() -> None:
    assert "no strategy asked" in explain.why_not(worked(), facts())
    assert explain.light(worked()) == "neutral"
    assert explain.light(worked(("es_nq_correlation", "order_book"))) == "no trade"


def test_every_invented_decision_explains_itself() -> None:
    run = explain.RunFacts.from_header(journals.header())
    for decision in journals.decisions(120, absent=2):
        lines = explain.waterfall(decision, run)
        assert sum(x.contribution for x in lines) == pytest.approx(decision.score.total, abs=1e-9)
        for form in ("brief", "full"):
            assert explain.why(decision, run, form=form)
            assert explain.why_not(decision, run, form=form)
    allowed = [d for d in journals.decisions(120) if isinstance(d.verdict, Verdict) and d.verdict.allowed]
    assert allowed
    assert "Allowed: 1 ES, bound by max position" in explain.why(allowed[0], run)
    assert explain.light(allowed[0]) == "go"


def test_reachable_coverage_counts_components_that_were_ever_known() -> None:
    status = np.array([[0, 3, 3], [3, 3, 0]], np.int8)
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    assert explain.reachable_coverage(status, ("a", "b", "c"), weights) == pytest.approx(0.7)
    assert explain.reachable_coverage(status[:0], ("a", "b", "c"), weights) == 0
