"""An engine that greets: it comes to the truth from however far behind, or is refused; a cut journal is noticed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mia_kernel.adapters.journal_reader import verify
from mia_kernel.adapters.messages import Arm, Limits, Refused, Report, report_of
from mia_kernel.core.orders import OrderReport
from mia_kernel.guardian import core
from tests.fakes.guarded import ASK, Guarded

pytestmark = [pytest.mark.unit, pytest.mark.safety]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "home", max_trades_per_day=32, max_consecutive_losses=8)


def trips(guarded: Guarded, count: int) -> None:
    """Enter and leave so often."""
    for _ in range(count):
        guarded.arm()
        name = guarded.enter(entry=ASK)
        guarded.run(1.2, 0.05)
        bracket = guarded.g.truth.state.brackets[name]
        target = guarded.venue._by_ref(bracket.target)
        assert target is not None
        guarded.venue.fill(target, 1, ASK + 16)
        guarded.run(1.2, 0.05)
        assert name not in guarded.g.truth.state.brackets


def told(guarded: Guarded, seen: int) -> list[OrderReport]:
    return [report_of(m.payload) for m in guarded.hello(seen=seen) if isinstance(m, Report)]


def test_an_engine_far_behind_is_told_everything_from_the_journal(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "REPORTS", 5)
    trips(guarded, 2)
    guarded.g.save()
    everything = guarded.reports()
    assert len(everything) > 10
    assert len(guarded.g.kept.reports) == 5
    assert told(guarded, 0) == everything
    assert told(guarded, 3) == everything[3:]
    assert told(guarded, len(everything) - 2) == everything[-2:]
    guarded.restart()
    guarded.run(0.1)
    assert told(guarded, 0)[: len(everything)] == everything


def test_an_engine_that_missed_what_no_journal_holds_is_refused_with_the_way_out(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "REPORTS", 5)
    trips(guarded, 1)
    guarded.g.save()
    guarded.g.book.close()
    for path in (guarded.home / "journal").glob("guardian-*.sqlite"):
        path.rename(path.with_suffix(".away"))
    guarded.g.book.day = 0
    guarded.g.turn_day()
    (answer,) = guarded.hello(seen=0)
    assert isinstance(answer, Refused)
    assert answer.code == "too_far_behind"
    assert "new session" in answer.reason


def test_rows_cut_off_whole_are_noticed_when_the_engine_heard_more(guarded: Guarded) -> None:
    trips(guarded, 1)
    seen = guarded.g.truth.state.reports
    (path,) = (guarded.home / "journal").glob("guardian-*.sqlite")
    guarded.g.book.close()
    with sqlite3.connect(path) as db:
        (first,) = db.execute("SELECT min(seq) FROM record WHERE kind = 'send'").fetchone()
        db.execute("DELETE FROM record WHERE seq >= ?", (first,))
    db.close()
    assert verify(path).ok  # the chain alone cannot know
    guarded.start()
    guarded.run(0.3)
    assert guarded.g.truth.state.reports < seen
    answers = guarded.hello(seen=seen)
    assert isinstance(answers[0], Limits)
    assert any(n.code == "memory" and n.level == "critical" for n in guarded.g.alerts.notes())
    guarded.g.alerts.acknowledge(0)
    guarded.run(0.3)
    refused = guarded.ask(Arm(guarded.g.arming.phrase, guarded.g.account))
    assert isinstance(refused, Refused)
    assert "newest rows are gone" in refused.reason
    assert not guarded.g.armed
    assert guarded.g.truth.state.reports == seen  # no number is given twice

    guarded.restart()
    guarded.run(0.3)
    guarded.arm()
    assert guarded.g.armed
