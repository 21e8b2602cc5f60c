"""The leakage tests must fire on a leak, and on nothing else. SYNTHETIC rows."""

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics import leakage
from mia_kernel.analytics.learning import Rows
from mia_kernel.ml.inputs import schema_of
from mia_kernel.ml.splits import combinatorial
from tests.fakes.learned import SMALL, signals

pytestmark = pytest.mark.unit
NAMES = schema_of().columns


@pytest.fixture(scope="module")
def rows():
    data = signals(5, 0.5, days=60, each=6, told=0.25)
    return Rows(data.x, data.y, data.weight, data.lives)


def test_honest_rows_pass_and_the_planted_column_alone_is_named(rows):
    assert leakage.too_good(rows.x, rows.y, NAMES) == []
    found = leakage.planted(rows, NAMES)
    assert found.ok
    assert found.says == "named: planted future"


def test_a_column_that_is_the_answer_is_named(rows):
    x = rows.x.copy()
    x[:, 3] = rows.y
    assert leakage.too_good(x, rows.y, NAMES) == ["support_resistance"]
    assert leakage.planted(replace(rows, x=x), NAMES).ok is False


def areas(rows, n=4):
    return [leakage.shuffled_area(rows, variant=SMALL[1], seed=leakage.SEED + i) for i in range(n)]


def test_shuffled_answers_teach_nothing(rows):
    found = leakage.shuffled(areas(rows))
    assert found.ok
    assert found.found == pytest.approx(0.5, abs=0.05)


def test_a_split_that_trains_on_what_it_tests_is_a_leak(rows, monkeypatch):
    def leaky(lives, n, k):
        everything = np.arange(len(lives))
        return [replace(split, train=everything) for split in combinatorial(lives, n, k)]

    monkeypatch.setattr(leakage, "combinatorial", leaky)
    found = leakage.shuffled(areas(rows))
    assert found.ok is False
    assert found.found > 0.6


def test_one_unlucky_order_of_twenty_is_luck_and_a_small_lift_of_all_is_a_leak():
    rng = np.random.default_rng(8)
    calls = [leakage.shuffled([0.5 + 0.02 * x for x in rng.standard_normal(20)]).ok for _ in range(500)]
    assert np.mean(np.logical_not(calls)) < 0.015
    lifted = [leakage.shuffled([0.53 + 0.02 * x for x in rng.standard_normal(20)]).ok for _ in range(100)]
    assert np.mean(lifted) < 0.1
    assert leakage.shuffled([0.50, 0.47, 0.56, 0.49, 0.48]).ok  # one beyond two standard errors
    assert leakage.shuffled([None, None]).ok is None


def test_features_one_signal_late_know_less(rows):
    found = leakage.shifted(rows)
    assert found.ok
    assert found.found < found.bound


def test_one_class_is_nothing_to_judge(rows):
    only = replace(rows, y=np.ones_like(rows.y))
    assert leakage.shifted(only).ok is None
