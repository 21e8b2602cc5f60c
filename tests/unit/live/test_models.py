"""The model of a session: it comes, goes and is too slow by events, and a replay seats the same one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.adapters.models import ModelRegistry, models_folder
from mia_kernel.adapters.recorded import read_session
from mia_kernel.adapters.seat import Seat, present
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.analytics.drift_watch import DriftWatch, reference_of
from mia_kernel.assembly import given_of
from mia_kernel.core.decisions import UNKNOWN, Opinion
from mia_kernel.core.model_event import ModelChange
from mia_kernel.frames import build
from mia_kernel.live import models
from mia_kernel.live.parity import parity_of_record
from mia_kernel.live.session import dry_run
from mia_kernel.ml.inputs import EIGHT
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.training.store import shadow_sessions
from tests.fakes.learned import stump

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def recording():
    """A thin SYNTHETIC day."""
    return synthetic_recording(7, scale=0.05)


def settings(home, **more):
    given = {"home": str(home), "confluence.weights": "bars", "strategy.entry_rule": "battle_navale"}
    return load(None, arguments=given | more).settings


def champion(home, recording, version="1.0.0", *, report=b"{}", to="champion"):
    registry = ModelRegistry(models_folder(home) / "filter")
    made = stump(trained_at=int(recording.events["ts_event"][-1]))
    registry.save(version, made, {"report.json": report}, {"source": "made up"}, at_ns=1)
    for state in ("shadow", "champion")[: 2 if to == "champion" else 1]:
        registry.move(version, state, "test", at_ns=2)
    return registry


def said(run):
    return [d.opinion for _, d in run.table.signals]


def session_of(home, recording, **more):
    made = settings(home, **more)
    session = dry_run(made, recording, home / "j.sqlite", uri="synthetic:7", speed=float("inf"))
    session.go()
    session.run.close()
    return made, session, session.close()


def test_a_replay_is_judged_by_the_champion_and_require_blocks_what_it_thinks_loses(tmp_path, recording):
    champion(tmp_path, recording)
    run = Run(settings(tmp_path, **{"risk.gates.ml_mode": "require"}), recording)
    run.drive()
    assert run.header()["model_id"].startswith("filter-1.0.0-")
    opinions = said(run)
    assert {o.reason for o in opinions} == {""}
    assert {round(o.probability, 1) for o in opinions} <= {0.2, 0.3, 0.7, 0.6, 0.4, 0.5, 0.8}
    assert all(not d.verdict.allowed for _, d in run.table.signals if d.opinion.ml_score < 0.70)
    view = build(run)["ml"]
    assert (view["role"], view["why"], view["asked"]) == ("champion", "", len(opinions))
    assert view["answer_us"] > 0


def test_a_session_records_its_judge_and_replays_with_the_same_one_after_a_new_training(tmp_path, recording):
    champion(tmp_path, recording)
    made, session, answer = session_of(tmp_path, recording)
    assert answer.holds
    assert {o.reason for o in said(session.run)} == {""}
    (event,) = [o for o in read_session(session.folder).objects if isinstance(o, ModelChange)]
    assert (event.role, event.reason) == ("champion", "start")
    champion(tmp_path, recording, "1.1.0")  # retires the first
    again = Run(made, read_session(session.folder))
    again.drive()
    assert {o.model_id for o in said(again)} == {event.model_id}
    assert parity_of_record(made, session.folder).holds
    fresh = Run(made, recording)
    fresh.drive()
    assert fresh.header()["model_id"].startswith("filter-1.1.0-")


def test_a_session_without_a_model_stays_without_one_in_its_replay(tmp_path, recording):
    made, session, answer = session_of(tmp_path, recording)
    assert answer.holds
    champion(tmp_path, recording)
    again = Run(made, read_session(session.folder))
    again.drive()
    assert set(said(again)) == {None}


def test_no_model_under_require_is_no_trade_and_said(tmp_path, recording):
    run = Run(settings(tmp_path, **{"risk.gates.ml_mode": "require"}), recording)
    run.drive()
    i = run.table.gate_codes.index("ml")
    assert {int(run.table.column("gate_outcome")[row, i]) for row, _ in run.table.signals} == {UNKNOWN}
    assert build(run)["ml"] is None
    assert run.engine.rooms.model.view["why"] == "no_model"


class Watched:
    """A watch over a seat of its own, with a clock by hand and a list of what it said."""

    def __init__(self, home, recording):
        made = settings(home)
        self.seat = Seat(models_folder(home), made.ml, "advise", given_of(recording), by_events=True)
        self.run = Run(made, recording, model=self.seat)
        self.now, self.told = 0.0, []
        self.watch = models.ModelWatch(made, self.run, self.seat, self.say, lambda: self.now)
        self.watch.start()

    def say(self, *words):
        self.told.append(words)
        self.seat.change(ModelChange(0, 0, 0, *words))


def test_a_new_champion_is_seated_at_the_next_look_and_a_retired_one_leaves(tmp_path, recording):
    registry = champion(tmp_path, recording)
    w = Watched(tmp_path, recording)
    champion(tmp_path, recording, "1.1.0")
    w.now = 299.0
    w.watch.look()
    assert len(w.told) == 1
    w.now = 301.0
    w.watch.look()
    assert w.told[-1][1:] == ("champion", "reload")
    assert w.seat.model_id.startswith("filter-1.1.0-")
    registry.move("1.1.0", "retired", "test", at_ns=9)
    w.now = 700.0
    w.watch.look()
    assert w.told[-1] == ("", "off", "retired")
    assert w.seat.model_id == "none"


def test_an_answer_over_200_ms_switches_it_off_for_good_and_says_so(tmp_path, recording):
    champion(tmp_path, recording)
    w = Watched(tmp_path, recording)
    w.watch.look()
    assert len(w.told) == 1
    w.seat.longest_s = 0.201
    w.watch.look()
    assert w.told[-1] == ("", "off", "too_slow")
    assert w.seat.view["why"] == "too_slow"
    assert w.seat.opinion(None, None, None, None, 5) == Opinion("none", None, None, None, "too_slow")
    w.now = 1_000.0
    w.watch.look()
    assert len(w.told) == 2  # the same version is not seated again
    champion(tmp_path, recording, "1.1.0")
    w.now = 2_000.0
    w.watch.look()
    assert w.told[-1][2] == "reload"


def test_a_bent_model_folder_leaves_no_opinion_and_the_session_alive(tmp_path, recording):
    registry = champion(tmp_path, recording)
    path = registry.folder / "1.0.0" / "model.npz"
    path.write_bytes(path.read_bytes()[:-20])
    w = Watched(tmp_path, recording)
    assert w.seat.view["why"] == "damaged"
    (registry.folder / "states.jsonl").write_text("{torn")
    w.now = 301.0
    w.watch.look()
    assert "list of steps" in w.watch.failure
    assert len(w.told) == 1


def test_a_shadow_is_written_down_and_counts_for_nothing(tmp_path, recording):
    champion(tmp_path, recording, to="shadow")
    who = present(models_folder(tmp_path), settings(tmp_path).ml, "advise")
    assert who[1] == "shadow"
    run = Run(settings(tmp_path), recording)
    run.drive()
    assert {o.reason for o in said(run)} == {"shadow"}
    assert all(o.ml_score is None and o.probability is not None for o in said(run))


@pytest.mark.parametrize(
    ("tag", "adapter", "days"), [("live", "ibkr", 1), ("live", "gateway", 0), ("replay", "ibkr", 0)]
)
def test_only_days_at_a_broker_count_as_probation(tmp_path, recording, tag, adapter, days):
    champion(tmp_path, recording, to="shadow")
    made = settings(tmp_path)
    made.journal_folder.mkdir(parents=True)
    named = replace(recording, source=replace(recording.source, tag=tag, adapter=adapter))
    run = Run(made, named, made.journal_folder / "run-a.sqlite")
    run.drive()
    run.close()
    model_id = run.engine.rooms.model.model_id
    assert shadow_sessions(made, model_id) == days
    assert shadow_sessions(made, "filter-9.9.9-0") == 0


def row(rng, shift=0.0):
    return (rng.normal(0, 1, len(EIGHT)) + shift).tolist()


def reference(rng):
    x = np.zeros((5_000, 2 * len(EIGHT)), np.float32)
    x[:, : len(EIGHT)] = rng.normal(0, 1, (5_000, len(EIGHT)))
    return reference_of(x, EIGHT, 0.60)


def test_drift_is_silent_on_the_same_market_and_speaks_on_another():
    rng = np.random.default_rng(4)
    same = DriftWatch(json.loads(json.dumps(reference(rng))))
    for i in range(400):
        same.see(row(rng))
        same.ended(i % 5 < 3)
    assert same.alarms() == []
    moved = DriftWatch(reference(rng))
    for _ in range(300):
        moved.see(row(rng, 1.0))
    assert len([line for line in moved.alarms() if "stability index" in line]) == len(EIGHT)
    for _ in range(300):
        moved.ended(rng.random() < 0.35)
    assert "win rate fell" in moved.alarms()[-1]
    assert DriftWatch(reference(rng)).alarms() == []


def test_what_a_model_saw_is_remembered_over_sessions(tmp_path, recording):
    rng = np.random.default_rng(4)
    report = json.dumps({"reference": reference(rng)}).encode()
    registry = champion(tmp_path, recording, report=report)
    for day in range(2):
        home = tmp_path / str(day)
        home.mkdir()
        made = settings(tmp_path)
        session = dry_run(made, recording, home / "j.sqlite", uri="synthetic:7", speed=float("inf"))
        session.go()
        models_seen = (registry.folder / "seen-1.0.0.jsonl").read_text().splitlines()
        session.run.close()
        session.close()
        assert len([line for line in models_seen if '"row"' in line]) == (day + 1) * len(
            session.run.table.signals
        )


def test_a_model_put_there_by_hand_is_not_watched(tmp_path, recording):
    named = replace(recording, objects=(ModelChange(0, 0, 0, "", "off", "start"),))
    run = Run(settings(tmp_path), named)
    assert run.engine.rooms.model.model_id == "none"
