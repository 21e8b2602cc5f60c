"""What-ifs through the door a notebook uses: other weights over the same rows, told as a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

import mia_kernel as mia
from mia_kernel.adapters.trials import TrialLog
from mia_kernel.confluence.weights import load_weights
from mia_kernel.desk import Day, Run
from mia_kernel.settings import load

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def day(home: Path) -> Day:
    return mia.day("synthetic:7", settings=load(arguments={"home": str(home)}).settings)


@pytest.fixture(scope="module")
def run(day: Day) -> Run:
    return day.replay(weights="mia14")


def test_the_same_weights_change_nothing(run: Run) -> None:
    again = run.rerun(weights="mia14")
    assert again.digest == run.digest
    assert (len(again.appeared), len(again.disappeared), len(again.changed)) == (0, 0, 0)
    assert again.difference_usd == 0.0


def test_weights_by_name_are_those_of_the_preset(run: Run) -> None:
    names = run.distributions().index.tolist()
    preset = dict(load_weights("bars", names).static)
    given = run.rerun(weights=preset)
    named = run.rerun(weights="bars")
    assert given.trial == named.trial - 1
    assert given.decisions["score"].to_numpy() == pytest.approx(named.decisions["score"].to_numpy(), abs=1e-9)


def test_what_appears_and_disappears_accounts_for_the_difference(run: Run) -> None:
    other = run.rerun(weights="bars")
    assert other.digest != run.digest
    assert len(run.round_trips) + len(other.appeared) - len(other.disappeared) == len(other.round_trips)
    parts = other.difference
    assert parts.loc[["appeared", "disappeared", "changed"], "usd"].sum() == pytest.approx(
        other.difference_usd, abs=0.005
    )
    assert parts.loc["together", "usd"] == pytest.approx(other.difference_usd, abs=0.005)


def test_a_tighter_limit_is_a_what_if_too(run: Run) -> None:
    assert len(run.round_trips) > 0, "the synthetic day trades with these weights"
    none = run.rerun(limits={"equity_usd": 2_000.0})
    assert len(none.round_trips) == 0
    assert none.difference_usd == pytest.approx(-run.performance()["net_usd"])
    assert len(none.disappeared) == len(run.round_trips)


def test_every_different_what_if_counts_once_and_is_never_lost(run: Run, home: Path) -> None:
    before = TrialLog(home / "data" / "trials.sqlite").count("what-if")
    first = run.rerun(weights={"vwap_trend": 0.5, "order_book": 0.5})
    again = run.rerun(weights={"vwap_trend": 0.5, "order_book": 0.5})
    log = TrialLog(home / "data" / "trials.sqlite")
    assert again.trial == first.trial + 1
    assert log.count("what-if") == before + 1
    assert first.verdict.trials == log.count("what-if")
    assert log.verify()[0] == len(log.rows())


def test_a_try_of_a_pattern_parameter_is_a_trial_and_appends_once(run: Run, home: Path) -> None:
    log = TrialLog(home / "data" / "trials.sqlite")
    rows = len(log.rows())
    tried = run.rerun(params={"state.battle.pattern_ticks": 12})
    assert len(log.rows()) == rows + 1
    (last,) = log.rows()[rows:]
    assert (last.seq, last.kind) == (tried.trial, "what-if")
    assert "state.battle.pattern_ticks" in last.what
    assert tried.verdict.trials == log.count("what-if")  # reading the verdict tries nothing
    assert len(log.rows()) == rows + 1


def test_few_trades_prove_nothing(run: Run) -> None:
    verdict = run.rerun(weights="bars").verdict
    assert verdict.n < 30
    assert verdict.deflated is None
    assert verdict.sentence.startswith("Not shown")


def test_a_what_if_keeps_the_window_of_its_run(day: Day, run: Run) -> None:
    start = run.decisions.index[len(run.decisions) * 3 // 4].isoformat()
    part = day.replay(start=start)
    assert len(part.rerun(weights="bars").decisions) == len(part.decisions) < len(run.decisions)


def test_a_what_if_keeps_what_its_run_had_changed(day: Day) -> None:
    strict = day.replay(params={"risk.gates.min_coverage": 0.9})
    assert strict.rerun(weights="mia14").digest == strict.digest
