"""The roster of compiled components is the registry's, whole and in the vector's rows."""

from __future__ import annotations

import inspect
import re

import pytest

from mia_kernel.core.decisions import ABSENT
from mia_kernel.core.events import Carries
from mia_kernel.features.roster import ROSTER, measure_roster
from mia_kernel.features.spec import PACKAGE, Given, registry
from mia_kernel.features.vector import FeatureSet
from mia_kernel.settings import Settings
from mia_kernel.state.memory import MarketState

pytestmark = pytest.mark.unit

EVERYTHING = Given(
    Carries(book=True, quotes=True, trades=True, aggressor="feed"),
    second=True,
    vix=True,
    options=True,
    calendar=True,
)


def test_every_compiled_component_of_the_registry_is_on_the_roster_once() -> None:
    ours = [
        spec.run for spec in registry().values() if spec.run is not None and spec.where.startswith(PACKAGE)
    ]
    assert len(ROSTER) == len(set(ROSTER))
    assert set(ROSTER) == set(ours)


def test_the_one_call_asks_them_in_the_order_of_the_roster() -> None:
    asked = re.findall(
        r"if row\[(\d+)\] >= 0:\n\s+(\w+)\(st, cells, row\[(\d+)\]\)",
        inspect.getsource(measure_roster.py_func),
    )
    assert [int(i) for i, _, _ in asked] == [int(j) for _, _, j in asked] == list(range(len(ROSTER)))
    assert [name for _, name, _ in asked] == [component.__name__ for component in ROSTER]


def test_a_component_the_run_cannot_feed_is_not_asked() -> None:
    few = Given(Carries(bars=True, bar_seconds=300, aggressor="none"))
    market = MarketState(Settings().state, few.carries, equity_cents=5_000_000)
    features = FeatureSet(few)
    status = features.snapshot(market, 0).status
    absent = {name for name, spec in registry().items() if spec.is_absent(few)}
    assert absent
    assert {name for name, code in zip(features.names, status, strict=True) if code == ABSENT} == absent
    no_chain_yet = {"gamma_levels", "options_flow"}  # they answer for themselves until a chain is loaded
    whole = FeatureSet(EVERYTHING).snapshot(market, 0)
    assert {
        name for name, code in zip(whole.names, whole.status, strict=True) if code == ABSENT
    } == no_chain_yet
