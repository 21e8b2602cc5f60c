"""The seat of the model in the engine: what it may do there, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.dataset import joined, labelled
from mia_kernel.assembly import given_of
from mia_kernel.core.decisions import FAILED, PASSED, UNKNOWN, Opinion
from mia_kernel.ml.ensemble import Collector
from mia_kernel.ml.inputs import Inputs, schema_of
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.training.gather import pieces

pytestmark = pytest.mark.integration


class Says:
    """A model that always says the same."""

    model_id = "says-1"

    def __init__(self, score):
        self.score = score
        self.asked = 0

    def opinion(self, market, vector, score, signal, ts):
        self.asked += 1
        return Opinion(
            self.model_id, self.score, self.score, 1.0, "" if self.score is not None else "no_model"
        )


@pytest.fixture(scope="module")
def recording():
    return open_recording("synthetic:7")


def settings(home, **assignments):
    given = {"home": str(home), "confluence.weights": "bars", "strategy.entry_rule": "battle_navale"}
    return load(None, arguments=given | assignments).settings


def driven(home, recording, model=None, journal=None, **assignments):
    run = Run(settings(home, **assignments), recording, journal, model=model)
    run.drive()
    return run


def allowed(run):
    return [d for _, d in run.table.signals if d.verdict and d.verdict.allowed]


def at_gate(run):
    i = run.table.gate_codes.index("ml")
    return {int(run.table.column("gate_outcome")[row, i]) for row, _ in run.table.signals}


def test_a_collector_changes_no_decision_and_sees_every_signal(tmp_path, recording):
    plain = driven(tmp_path, recording)
    collector = Collector(Inputs(schema_of(("session", "structure")), given_of(recording)))
    other = driven(tmp_path, recording, collector)
    assert plain.digest.hexdigest() == other.digest.hexdigest()
    assert collector.times == [d.ts_event for _, d in other.table.signals]
    assert plain.header()["model_id"] == "none"
    assert len(collector.times) > 0


def test_require_refuses_what_will_lose_and_what_nobody_judged(tmp_path, recording):
    free = driven(tmp_path, recording, Says(0.95), **{"risk.gates.ml_mode": "require"})
    assert at_gate(free) == {PASSED}
    for score, outcome in ((0.30, FAILED), (None, UNKNOWN)):
        run = driven(tmp_path, recording, Says(score), **{"risk.gates.ml_mode": "require"})
        assert allowed(run) == []
        assert at_gate(run) == {outcome}


def test_production_always_requires(tmp_path):
    assert load("production", arguments={"home": str(tmp_path)}).settings.risk.gates.ml_mode == "require"


def test_advice_refuses_nothing_and_lifts_nothing_without_an_opinion(tmp_path, recording):
    low, none = (driven(tmp_path, recording, Says(score)) for score in (0.30, None))
    first = [d.verdict.code for _, d in low.table.signals]
    assert "ml" not in first
    assert all(d.verdict.size_multiplier <= 1.0 for _, d in none.table.signals)


def test_the_journal_keeps_the_opinion(tmp_path, recording):
    path = tmp_path / "run.journal"
    run = driven(tmp_path, recording, Says(0.42), journal=path)
    run.close()
    with JournalReader(path) as reader:
        assert reader.header["model_id"] == "says-1"
        kept = [d.opinion for d in reader.decisions() if d.signal is not None]
    assert kept
    assert {o.probability for o in kept if o is not None} == {0.42}


def test_the_cost_aware_threshold_belongs_to_the_signal(tmp_path, recording):
    asked = {"risk.gates.ml_mode": "require", "risk.gates.ml_threshold_rule": "cost_aware"}
    run = driven(tmp_path, recording, Says(0.95), **asked)
    i = run.table.gate_codes.index("ml")
    costs = run.settings.costs
    for row, decision in run.table.signals:
        signal = decision.signal
        stop, target = (
            abs(signal.entry_ticks - signal.stop_ticks),
            abs(signal.target_ticks - signal.entry_ticks),
        )
        found = float(run.table.column("gate_required")[row, i])
        fees = 2 * costs.es_fee_per_side_usd / 12.5
        slips = (costs.slippage_rth_ticks, costs.slippage_eth_ticks)
        wanted = [(1 + (fees + slip) / stop) / (1 + target / stop) for slip in slips]
        assert any(found == pytest.approx(min(w, 1.0)) for w in wanted)


def test_features_of_a_prefix_are_the_features_of_the_whole(tmp_path, recording):
    whole, part = [], []
    for rows, keep in ((len(recording.events), whole), (len(recording.events) * 2 // 3, part)):
        collector = Collector(
            Inputs(schema_of(("bars", "session", "flow", "structure")), given_of(recording))
        )
        run = Run(settings(tmp_path), recording, model=collector)
        run.feed(0, rows)
        keep += list(zip(collector.times, [row.tobytes() for row in collector.rows], strict=True))
    assert 0 < len(part) < len(whole)
    assert part == whole[: len(part)]


def test_a_labelled_day_knows_every_signal_once(tmp_path, recording):
    (piece,) = pieces(recording)
    schema = schema_of()
    collector = Collector(Inputs(schema, given_of(piece)))
    run = driven(tmp_path, piece, collector)
    data = labelled(
        schema=schema, rows=collector.rows, table=run.table, events=piece.events, costs=run.settings.costs
    )
    assert len(data) + data.unlabelled == len(run.table.signals)
    assert data.weight.mean() == pytest.approx(1.0)
    assert (data.labels["end_ts"] > data.signals["ts"]).all()
    assert np.isfinite(data.labels["net_ticks"]).all()
    assert data.hash == joined([data]).hash
    trips = data.trips(np.arange(len(data)))
    cents = np.array([trip.net_cents for trip in trips]) / 1250
    assert cents == pytest.approx(data.labels["net_ticks"], abs=1e-3)
