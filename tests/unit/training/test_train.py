"""A training from labelled signals to a stored, judged and once opened model. SYNTHETIC signals."""

import json
import sqlite3

import numpy as np
import pytest

import mia_kernel as mia
import widgets
from mia_kernel import cli
from mia_kernel.adapters.models import STEPS, ModelRegistry, models_folder
from mia_kernel.adapters.trials import TrialLog
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.desk.learning import Judged
from mia_kernel.settings import Settings
from mia_kernel.training import locked
from mia_kernel.training.store import open_locked, promote, store, verdict
from mia_kernel.training.train import market_hash, train
from tests.fakes.learned import SMALL, signals

pytestmark = pytest.mark.unit

FACTS = {"source": "made up", "source_tag": "synthetic"}


@pytest.fixture(scope="module")
def data():
    return signals(3, 0.5, days=160, each=8, told=0.3, fee_ticks=0.36)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("trained"))
    facts = FACTS | {"data_sha256": data.hash}
    return settings, train(
        settings,
        data,
        model_id="filter-1.0.0",
        trained_at=1,
        facts=facts,
        variants=SMALL,
        processes=1,
        shuffles=3,
    )


@pytest.fixture
def stored(made, tmp_path):
    settings = made[0].model_copy(update={"home": tmp_path})
    registry = ModelRegistry(models_folder(tmp_path) / "filter")
    facts = FACTS | {"data_sha256": made[1].report["data_sha256"]}
    store(registry, registry.next_version(), made[1], facts, at_ns=1)
    return settings, registry


def test_the_last_fifth_is_in_no_part_of_the_training(made, data):
    report, kept = made[1].report, made[1].locked
    assert kept is not None
    assert report["signals"] + report["locked_signals"] == len(data)
    assert len(kept) == report["locked_signals"]
    assert kept.signals["session"].min() == report["locked_from_session"]
    assert made[1].oos["session"].max() < report["locked_from_session"]
    assert made[1].ensemble.valid_from < kept.signals["ts"].min()


def test_every_variant_and_rule_is_a_logged_trial(made):
    assert made[1].report["trials"] == 2 + 2 * len(SMALL)


@pytest.mark.long
def test_the_same_data_give_the_same_model_on_any_number_of_processes(made, data, tmp_path):
    again = train(
        made[0].model_copy(update={"home": tmp_path}), data, model_id="filter-1.0.0", trained_at=1,
        facts=FACTS | {"data_sha256": data.hash}, variants=SMALL, processes=2, shuffles=3,
    )  # fmt: skip
    assert (again.ensemble.evaluate(data.x) == made[1].ensemble.evaluate(data.x)).all()
    assert json.dumps(again.report, default=str) == json.dumps(made[1].report, default=str)


def test_too_few_signals_are_said_and_nothing_is_fitted(data, tmp_path):
    few = data.take(np.arange(1_000))  # under the bound once its last fifth is locked
    with pytest.raises(InputError, match="too few labelled signals"):
        train(Settings(home=tmp_path), few, model_id="m", trained_at=1, facts=FACTS, variants=SMALL)


def test_a_trial_log_somebody_changed_ends_a_training_before_it_begins(data, tmp_path):
    settings = Settings(home=tmp_path)
    log = TrialLog(settings.trials_file)
    for i in range(3):
        log.append("model", str(i), 0.1, 5)
    with sqlite3.connect(log.path) as db:
        guard = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'trial_kept'").fetchone()[0]
        db.execute("DROP TRIGGER trial_kept")
        db.execute("DELETE FROM trial WHERE seq = 2")
        db.execute(guard)
    with pytest.raises(CorruptError, match="trial 2: it is missing"):
        train(settings, data, model_id="m", trained_at=1, facts=FACTS, variants=SMALL)


def test_signals_that_all_lost_are_said_and_nothing_is_fitted(data, tmp_path):
    lost = data.take(np.flatnonzero(data.labels["net_ticks"] < 0))
    many = lost.take(np.sort(np.arange(3_000) % len(lost)))
    with pytest.raises(InputError, match="ended the same way"):
        train(Settings(home=tmp_path), many, model_id="m", trained_at=1, facts=FACTS, variants=SMALL)


def test_a_stored_model_is_whole_and_no_champion_by_itself(stored):
    settings, _ = stored
    found = verdict(settings)
    assert (found.version, found.state, found.opened) == ("1.0.0", "candidate", None)
    assert not found.may_be_champion
    promote(settings, "", "shadow", reason="look")
    with pytest.raises(InputError, match="shadow sessions ≥ 20"):
        promote(settings, "", "champion", reason="hurry")


def test_the_locked_fifth_is_opened_once_for_ever(stored, made):
    settings, registry = stored
    found = open_locked(settings, "", reason="the end")
    assert found.opened is not None
    assert found.opened["found"]["signals"] == made[1].report["locked_signals"]
    assert found.opened["found"]["first_session"] == made[1].report["locked_from_session"]
    assert found.opened["found"]["trials"] == 1
    with pytest.raises(InputError, match="opened already"):
        open_locked(settings, "", reason="again")
    store(registry, registry.next_version(), made[1], {"data_sha256": made[1].report["data_sha256"]}, at_ns=2)
    with pytest.raises(InputError, match="opened already"):  # another model on the same data
        open_locked(settings, "1.1.0", reason="again")


def test_other_parameters_on_the_same_market_do_not_open_its_locked_part_again(stored, made):
    settings, registry = stored
    open_locked(settings, "", reason="the end")
    store(registry, registry.next_version(), made[1], FACTS | {"data_sha256": "other signals"}, at_ns=2)
    with pytest.raises(InputError, match="opened already"):
        open_locked(settings, "1.1.0", reason="other patterns")
    assert verdict(settings, "1.1.0").opened is not None


def test_the_market_is_its_prices_in_time_whatever_was_made_of_them(data):
    fewer = data.take(np.arange(0, len(data), 2))
    assert fewer.hash != data.hash
    assert market_hash(fewer) == market_hash(data)
    assert market_hash(signals(4, 0.5, days=160, each=8)) != market_hash(data)


@pytest.mark.long
def test_a_try_of_other_patterns_counts_beside_the_first_and_the_same_again_does_not(data, tmp_path):
    settings = Settings(home=tmp_path)
    counts = []
    for name in ("a", "a", "b"):
        made = train(
            settings, data, model_id="m", trained_at=1, facts=FACTS | {"settings_id": name}, variants=SMALL,
            processes=1, shuffles=2,
        )  # fmt: skip
        counts.append(made.report["trials"])
    assert counts == [6, 6, 12]


def test_a_look_that_was_cut_off_counts_as_the_look(stored, monkeypatch):
    settings, _ = stored

    def cut_off(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(locked, "_judged", cut_off)
    with pytest.raises(KeyboardInterrupt):
        open_locked(settings, "", reason="the end")
    monkeypatch.undo()
    with pytest.raises(InputError, match="opened already"):
        open_locked(settings, "", reason="again")
    opened = verdict(settings).opened
    assert opened is not None
    assert "found" not in opened


def test_a_locked_part_comes_back_as_it_was(made):
    kept = made[1].locked
    again = locked.unpacked(locked.packed(kept))
    assert again.hash == kept.hash
    span = again.path[again.labels["first"]]["ts"]
    assert (span == kept.path[kept.labels["first"]]["ts"]).all()
    with pytest.raises(CorruptError, match="locked part"):
        locked.unpacked(b"PK nothing")


def test_the_page_of_a_model_says_everything_in_tables_and_pictures(stored):
    settings, _ = stored
    judged = Judged(settings, verdict(settings), "")
    assert "refuted" in judged.words or "not shown" in judged.words
    tables = (judged.facts, judged.splits, judged.sections, judged.steps, judged.leakage, judged.drift)
    for piece in (*tables, judged.doubts, judged.sizing):
        assert piece.startswith('<div class="mia-scroll"><table')
        assert "nan" not in piece
        assert "None" not in piece
    assert judged.splits.count("tested") == 5
    assert judged.rules.count(">no<") >= 2
    assert [f"<td>{year}</td>" in judged.by("year") for year in (2021, 2022)] == [True, False]
    assert "SYNTHETIC" in str(widgets.threshold(judged.frame).layout.annotations)
    parts = widgets.stability(judged.report).data[0]
    assert len(parts.y) == 6
    assert (np.array(parts.error_y.arrayminus) > 0).all()
    assert judged.frame["score"].shape == judged.frame["break_even"].shape
    none = mia.model(home=str(settings.home / "nobody"))
    assert (none.facts, none.sections, none.rules, none.frame) == ("", "", "", None)
    assert (none.doubts, none.sizing) == ("", "")
    assert "No model" in none.words
    assert widgets.threshold(none.frame).layout.annotations[0].text.startswith("No model")


def test_a_training_killed_while_it_writes_leaves_no_half_version(stored, made):
    settings, registry = stored
    (registry.folder / ".1.1.0-77").mkdir()  # what a killed process left
    (registry.folder / "1.1.0").mkdir()  # written, and killed before its step
    version = registry.next_version()
    assert version == "1.2.0"
    store(registry, version, made[1], {"data_sha256": "x"}, at_ns=3)
    assert verdict(settings).version == "1.2.0"


def test_the_commands_say_what_is_wrong(stored, tmp_path, capsys):
    settings, registry = stored
    home = ["--home", str(settings.home)]
    assert cli.main(["validate", *home]) == 0
    out = capsys.readouterr().out
    assert "has not been looked at" in out
    assert "SYNTHETIC" in out
    assert cli.main(["validate", "9.9.9", *home]) == 2
    assert "no such model" in capsys.readouterr().err
    assert cli.main(["validate", "--home", str(tmp_path / "nobody")]) == 2
    assert "mia train" in capsys.readouterr().err
    path = registry.folder / "1.0.0" / "report.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert cli.main(["validate", *home]) == 2
    assert "do not match their hash" in capsys.readouterr().err
    (registry.folder / STEPS).write_text("{torn")
    assert cli.main(["validate", *home]) == 2
    assert "list of steps" in capsys.readouterr().err
