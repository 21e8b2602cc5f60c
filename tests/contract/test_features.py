"""What every component of the registry owes: its words, its row, its place, and no number out of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mia_kernel.confluence.weights import load_weights
from mia_kernel.core.decisions import ABSENT, NOT_READY, OK
from mia_kernel.core.errors import InvariantError, SettingsError
from mia_kernel.core.events import Carries
from mia_kernel.features.spec import Given, feature, forget, registry
from mia_kernel.features.vector import FeatureSet
from tests.contract.project import ROOT
from tests.fakes.bars_by_hand import TRADES, fresh_market

pytestmark = pytest.mark.unit

NAMES = tuple(registry())
PAGE = ROOT / "docs" / "features.md"


@pytest.fixture
def own() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        forget(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_component_lives_in_the_file_of_its_name_and_says_what_it_is(name: str) -> None:
    spec = registry()[name]
    assert spec.where == f"mia_kernel.features.{name}.{name}"
    assert spec.low < spec.high
    for word in ("Source:", "bsent" if "options" in spec.needs else "ot ready"):
        assert word in spec.doc or word.replace("ot ready", "eady") in spec.doc, (
            f"{name} does not say {word!r}"
        )


def rows() -> dict[str, list[str]]:
    lines = [
        line
        for line in PAGE.read_text(encoding="utf-8").split("## Measured")[0].splitlines()
        if line.startswith("| `")
    ]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row for row in cells}


def test_the_page_has_one_row_per_component_with_its_range_and_needs() -> None:
    table = rows()
    assert sorted(table) == sorted(NAMES)
    for name, spec in registry().items():
        row = table[name]
        assert row[2] == f"{spec.low:g} … {spec.high:g}", name
        assert row[3] == (", ".join(spec.needs) or "bars"), name


@pytest.mark.parametrize(
    ("carries", "covered"),
    [
        (Carries(trades=True, aggressor="tick_rule"), 0.58),
        (Carries(bars=True, bar_seconds=60), 0.44),
        (Carries(bars=True, bar_seconds=300, aggressor="feed"), 0.52),
    ],
)
def test_a_poor_source_reaches_the_coverage_the_definition_says(carries: Carries, covered: float) -> None:
    weights = load_weights("mia14", NAMES).static
    given = [
        weight
        for name, weight in weights.items()
        if not registry()[name].is_absent(Given(carries)) and name != "session_context"
    ]
    assert sum(given) == pytest.approx(covered, abs=0.005)


def test_nothing_seen_gives_no_number() -> None:
    market = fresh_market()
    vector = FeatureSet(Given(TRADES, second=True, vix=True)).snapshot(market, 0)
    for name, status, value in zip(vector.names, vector.status, vector.values, strict=True):
        expected = ABSENT if "options" in registry()[name].needs else NOT_READY
        assert status == expected, name
        assert np.isnan(value), name


def test_what_a_source_cannot_carry_is_absent() -> None:
    vector = FeatureSet(Given(Carries(bars=True, bar_seconds=60))).snapshot(fresh_market(), 0)
    absent = {name for name, status in zip(vector.names, vector.status, strict=True) if status == ABSENT}
    assert absent == {
        "delta_divergence",
        "es_nq_correlation",
        "gamma_levels",
        "options_flow",
        "order_book",
        "order_flow_imbalance",
        "smart_money",
        "tick_momentum",
        "volume_confirmation",
    }


def test_a_plain_class_is_a_component_too(own: list[str]) -> None:
    own.append("mine")

    @feature("mine", range=(-2.0, 2.0))
    class Mine:
        """Answers after the second question. Source: this test."""

        def __init__(self) -> None:
            self.asked = 0

        def update_one(self, state: Any) -> float | None:
            self.asked += 1
            return None if self.asked < 2 else float(self.asked)

    features, market = FeatureSet(Given(TRADES)), fresh_market()
    at = features.names.index("mine")
    assert features.snapshot(market, 0).status[at] == NOT_READY
    second = features.snapshot(market, 0)
    assert (second.status[at], second.values[at]) == (OK, 2.0)
    with pytest.raises(InvariantError, match=r"'mine' answered 3\.0, outside \[-2\.0, 2\.0\]"):
        features.snapshot(market, 0)


def test_two_of_a_name_are_refused_with_both_places() -> None:
    with pytest.raises(SettingsError, match=r"mia_kernel\.features\.vwap_trend\.vwap_trend and .*Other"):

        @feature("vwap_trend")
        class Other:  # pyright: ignore[reportUnusedClass]
            """A second one. Source: this test."""


def test_a_component_without_words_or_with_an_unknown_need_is_refused(own: list[str]) -> None:
    own.extend(("silent", "greedy"))
    with pytest.raises(SettingsError, match="'silent' has no docstring"):

        @feature("silent")
        class Silent:  # pyright: ignore[reportUnusedClass]
            pass

    with pytest.raises(SettingsError, match="one of book, flow"):

        @feature("greedy", needs=("moon",))  # pyright: ignore[reportArgumentType]
        class Greedy:  # pyright: ignore[reportUnusedClass]
            """Wants too much. Source: this test."""
