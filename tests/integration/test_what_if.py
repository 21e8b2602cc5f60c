"""What-ifs through the door a notebook uses: other weights over the same rows, told as a difference."""

from __future__ import annotations

import pytest

import mia_kernel as mia
from mia_kernel.confluence.weights import load_weights
from mia_kernel.desk import Run

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run() -> Run:
    return mia.day("synthetic:7").replay(weights="mia14")


def test_the_same_weights_change_nothing(run: Run) -> None:
    again = run.rerun(weights="mia14")
    assert again.digest == run.digest
    assert (len(again.appeared), len(again.disappeared), again.difference_usd) == (0, 0, 0.0)


def test_weights_by_name_are_those_of_the_preset(run: Run) -> None:
    names = run.distributions().index.tolist()
    preset = dict(load_weights("bars", names).static)
    given = run.rerun(weights=preset)
    named = run.rerun(weights="bars")
    assert given.trial == named.trial - 1
    assert given.decisions["score"].to_numpy() == pytest.approx(named.decisions["score"].to_numpy(), abs=1e-9)


def test_what_appears_and_disappears_accounts_for_the_difference(run: Run) -> None:
    other = run.rerun(weights="bars")
    gained = other.appeared["net_usd"].sum() if len(other.appeared) else 0.0
    lost = other.disappeared["net_usd"].sum() if len(other.disappeared) else 0.0
    assert other.digest != run.digest
    assert len(run.round_trips) + len(other.appeared) - len(other.disappeared) == len(other.round_trips)
    assert gained - lost == pytest.approx(other.difference_usd, abs=0.005)


def test_a_what_if_keeps_the_window_of_its_run() -> None:
    whole = mia.day("synthetic:7").replay()
    start = whole.decisions.index[len(whole.decisions) // 2].isoformat()
    part = mia.day("synthetic:7").replay(start=start)
    assert len(part.rerun(weights="bars").decisions) == len(part.decisions) < len(whole.decisions)


def test_a_what_if_keeps_what_its_run_had_changed() -> None:
    strict = mia.day("synthetic:7").replay(params={"risk.gates.min_coverage": 0.9})
    assert strict.rerun(weights="mia14").digest == strict.digest
