"""The worked confluence example, grades at their bounds, weight sets and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mia_kernel.confluence.score import FLOW, LEVELS, TREND, ConfluenceParams, Scorer, multiplier
from mia_kernel.confluence.weights import PRESETS, load_weights
from mia_kernel.core.decisions import (
    ABSENT,
    GRADE_NAMES,
    NO_TRADE,
    OK,
    PREMIUM,
    STRONG,
    WEAK,
    FeatureVector,
)
from mia_kernel.core.errors import SettingsError
from mia_kernel.core.phases import NY_OPEN
from mia_kernel.features.spec import registry
from mia_kernel.state.memory import MarketState
from mia_kernel.state.regime import M_UP_STRONG, V_HIGH
from tests.fakes.bars_by_hand import fresh_market

pytestmark = pytest.mark.unit

VALUES = {
    "vwap_trend": 0.62,
    "es_nq_correlation": 0.45,
    "level_proximity": 0.50,
    "pullback_quality": 0.70,
    "sierra_patterns": 0.765,
    "volume_confirmation": 0.55,
    "order_book": 0.076,
    "tick_momentum": 0.30,
    "delta_divergence": 0.0,
    "smart_money": 0.854,
    "mtf_confluence": 0.327,
}
NAMES = tuple(sorted(PRESETS["mia14"]))


def vector(values: dict[str, float]) -> FeatureVector:
    known = np.array([name in values for name in NAMES])
    numbers = np.array([values.get(name, np.nan) for name in NAMES])
    status = np.where(known, OK, ABSENT).astype(np.int8)
    return FeatureVector(NAMES, numbers, np.where(known, 1.0, np.nan), status, 0)


def unknown_regime() -> MarketState:
    return fresh_market()


def test_static_score_of_the_worked_example() -> None:
    scorer = Scorer(ConfluenceParams(dynamic_weights=False), NAMES)
    score = scorer.score(vector(VALUES), unknown_regime())
    assert score.total == pytest.approx(0.3838, abs=5e-5)
    assert score.coverage == pytest.approx(70 / 98)
    assert score.percent == pytest.approx(69.19, abs=5e-3)
    assert (score.grade, score.side) == (WEAK, 1)
    assert abs(score.total - score.contributions.sum()) < 1e-9
    assert scorer.size_multiplier(score.grade) == 0.5


def test_dynamic_score_of_the_worked_example() -> None:
    market = unknown_regime()
    market.array["regime"]["market"], market.array["regime"]["volatility_base"] = M_UP_STRONG, V_HIGH
    market.array["clock"]["phase"] = NY_OPEN
    score = Scorer(ConfluenceParams(), NAMES).score(vector(VALUES), market)
    assert score.total == pytest.approx(0.4122, abs=5e-5)
    assert score.coverage == pytest.approx(70 / 98)
    assert score.percent == pytest.approx(70.61, abs=5e-3)
    assert score.grade == STRONG


def test_missing_weight_is_not_handed_on_and_low_coverage_is_no_trade() -> None:
    scorer = Scorer(ConfluenceParams(dynamic_weights=False), NAMES)
    without_nq = {name: value for name, value in VALUES.items() if name != "es_nq_correlation"}
    assert scorer.score(vector(without_nq), unknown_regime()).coverage == pytest.approx(0.612, abs=5e-4)
    without_book = {name: value for name, value in without_nq.items() if name != "order_book"}
    score = scorer.score(vector(without_book), unknown_regime())
    assert score.coverage == pytest.approx(0.582, abs=5e-4)
    assert score.grade == NO_TRADE


@pytest.mark.parametrize(
    ("total", "grade"), [(0.7, PREMIUM), (0.69998, STRONG), (0.4, STRONG), (0.2, WEAK), (0.199, NO_TRADE)]
)
def test_lower_bounds_of_grades_are_inclusive_on_the_unrounded_value(total: float, grade: int) -> None:
    names = ("tick_momentum",)
    scorer = Scorer(ConfluenceParams(weights={"tick_momentum": 1.0}, dynamic_weights=False), names)
    for sign in (1, -1):
        one = FeatureVector(names, np.array([sign * total]), np.ones(1), np.zeros(1, np.int8), 0)
        score = scorer.score(one, unknown_regime())
        assert GRADE_NAMES[score.grade] == GRADE_NAMES[grade]
        assert score.side == sign


def test_mirrored_vector_gives_the_mirrored_score() -> None:
    scorer = Scorer(ConfluenceParams(), NAMES)
    up = scorer.score(vector(VALUES), unknown_regime())
    down = scorer.score(vector({name: -value for name, value in VALUES.items()}), unknown_regime())
    assert down.total == -up.total
    assert down.percent == up.percent


def test_presets_are_verbatim_and_name_known_components() -> None:
    assert {name: sum(preset.values()) for name, preset in PRESETS.items()} == {
        "mia14": 98,
        "mia11": 138.5,
        "bars": 48,
    }
    assert set().union(*PRESETS.values()) <= set(registry())
    assert sum(load_weights("mia11", registry()).static.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ({"vwap_trend": -1.0}, "a number ≥ 0"),
        ({"vwap_trend": 0.0}, "at least one > 0"),
        ({"vwap_trnd": 1.0}, "unknown component 'vwap_trnd'"),
        ("mia15", "presets: mia14"),
    ],
)
def test_impossible_weights_are_refused_with_the_way_out(weights: object, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        load_weights(weights, registry())  # type: ignore[arg-type]


def test_own_weights_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[weights]\nvwap_trend = 3\norder_book = 1\n", encoding="utf-8")
    own = load_weights(str(file), registry())
    assert own.static == {"vwap_trend": 0.75, "order_book": 0.25}
    assert own.raw_sum == 4


def test_group_multipliers_of_the_table() -> None:
    assert multiplier(LEVELS, 4, 0, 0) == pytest.approx(1.3 * 1.1)
    assert multiplier(TREND, 0, 3, 0) == pytest.approx(1.2 * 0.9)
    assert multiplier(FLOW, 6, 3, NY_OPEN) == 2.0  # 1.8·1.2 clipped
    assert multiplier(FLOW, -1, -1, 11) == 1.0
