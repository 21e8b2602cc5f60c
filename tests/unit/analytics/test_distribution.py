"""Distributions against plain numpy, and what is said of a component that was never known."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.analytics.distribution import distributions
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.property.strategies import small_market

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def run() -> Run:
    one = Run(load().settings, small_market(1))
    one.drive()
    return one


def test_figures_are_those_of_the_decisions(run: Run) -> None:
    rows = {row["component"]: row for row in distributions(run.table)}
    at = run.table.names.index("tick_momentum")
    status, values = run.table.column("status")[:, at], run.table.column("values")[:, at]
    known = values[status == 0]
    row = rows["tick_momentum"]
    assert row["ok"] == pytest.approx(len(known) / len(values))
    assert row["ok"] + row["not_ready"] + row["stale"] + row["absent"] == pytest.approx(1)
    assert (row["mean"], row["sd"]) == pytest.approx((known.mean(), known.std()))
    assert row["zero"] == pytest.approx((known == 0).mean())
    halves = np.array_split(known, [len(known) // 2])
    assert row["drift"] == pytest.approx((halves[1].mean() - halves[0].mean()) / known.std())
    assert row["distinct"] == len(set(known.tolist()))


def test_what_was_never_known_has_no_figures(run: Run) -> None:
    row = {row["component"]: row for row in distributions(run.table)}["gamma_levels"]
    assert row["absent"] == 1
    assert row["distinct"] == 0
    assert all(row[name] is None for name in ("mean", "sd", "q05", "q50", "q95", "zero", "drift"))


def test_no_decision_gives_no_share() -> None:
    empty = Run(load().settings, small_market(2))
    assert all(row["ok"] is None and row["distinct"] == 0 for row in distributions(empty.table))


def test_a_regime_is_told_as_component_and_as_code(run: Run) -> None:
    columns = run.table.columns()
    at = run.table.names.index("market_regime")
    ok = run.table.column("status")[:, at] == 0
    assert np.array_equal(columns["market_regime"][ok], run.table.column("values")[ok, at])
    codes = columns["market_regime_code"]
    assert np.array_equal(codes, np.round(codes), equal_nan=True)
