"""The leakage tests must fire on a leak, and on nothing else. SYNTHETIC rows."""

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics import leakage
from mia_kernel.analytics.learning import Rows
from mia_kernel.ml.inputs import schema_of
from tests.fakes.learned import signals

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


def test_shuffled_answers_teach_nothing(rows):
    found = leakage.shuffled(rows)
    assert found.ok
    assert abs(found.found - 0.5) <= found.bound


def test_features_one_signal_late_know_less(rows):
    found = leakage.shifted(rows)
    assert found.ok
    assert found.found < found.bound


def test_one_class_is_nothing_to_judge(rows):
    only = replace(rows, y=np.ones_like(rows.y))
    assert leakage.shifted(only).ok is None
