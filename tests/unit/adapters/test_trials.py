"""The trial log: a trial counts once, is never lost, and nothing in the file changes unseen."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mia_kernel.adapters.trials import TrialLog
from mia_kernel.core.errors import CorruptError, InputError, OutsideError

pytestmark = pytest.mark.unit


@pytest.fixture
def log(tmp_path: Path) -> TrialLog:
    return TrialLog(tmp_path / "data" / "trials.sqlite")


def test_no_file_is_no_trial(log: TrialLog):
    assert log.count() == 0
    assert log.rows() == []
    assert log.verify()[0] == 0
    assert not log.path.exists()


def test_a_trial_comes_back_as_it_was_said(log: TrialLog):
    made = log.append(
        "what-if", {"weights": {"b": 1, "a": 2}}, 0.125, 14, scope="day", detail={"net_usd": -3.5}
    )
    assert log.rows() == [made]
    assert (made.seq, made.kind, made.sharpe, made.n, made.scope) == (1, "what-if", 0.125, 14, "day")
    assert made.what == '{"weights":{"a":2,"b":1}}'
    assert made.detail == {"net_usd": -3.5}


def test_looking_again_is_not_another_trial(log: TrialLog):
    for _ in range(3):
        log.append("what-if", {"a": 1}, 0.1, 5, scope="x")
    log.append("what-if", {"a": 2}, None, 0, scope="x")
    log.append("what-if", {"a": 1}, 0.2, 5, scope="y")
    log.append("model", {"a": 1}, float("nan"), 5, scope="x")
    assert len(log.rows()) == 6
    assert log.count() == 4
    assert log.count("what-if") == 3
    assert log.count(scope="x") == 3
    assert log.sharpes("what-if") == [0.1, 0.2]


def test_many_writers_lose_nothing(log: TrialLog):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: TrialLog(log.path).append("search", str(i), i / 10, i), range(60)))
    assert log.verify()[0] == 60
    assert {row.what for row in log.rows()} == {str(i) for i in range(60)}


def test_the_file_refuses_change_and_deletion(log: TrialLog):
    log.append("model", "a", 0.1, 1)
    with sqlite3.connect(log.path) as db:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            db.execute("UPDATE trial SET sharpe = 9")
        with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            db.execute("DELETE FROM trial")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE trial SET sharpe = 0.0 WHERE seq = 2",
        "UPDATE trial SET what = 'other' WHERE seq = 2",
        "UPDATE trial SET at_ns = at_ns + 1 WHERE seq = 2",
        "UPDATE trial SET kind = 'x', scope = kind WHERE seq = 2",
        "DELETE FROM trial WHERE seq = 2",
    ],
)
def test_tampering_behind_the_guards_is_named(log: TrialLog, sql: str):
    for i in range(3):
        log.append("model", str(i), 0.5, 3)
    with sqlite3.connect(log.path) as db:
        guards = [row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")]
        db.execute("DROP TRIGGER trial_kept")
        db.execute("DROP TRIGGER trial_fixed")
        db.execute(sql)
        for guard in guards:
            db.execute(guard)
    with pytest.raises(CorruptError, match="trial 2"):
        log.verify()


def test_dropped_guards_are_named(log: TrialLog):
    log.append("model", "a", 0.1, 1)
    with sqlite3.connect(log.path) as db:
        db.execute("DROP TRIGGER trial_kept")
    with pytest.raises(CorruptError, match="guards"):
        log.verify()


def test_what_is_no_trial_and_no_log_is_refused(log: TrialLog, tmp_path: Path):
    with pytest.raises(InputError):
        log.append("", "a", 0.1, 1)
    with pytest.raises(InputError):
        log.append("model", "a", 0.1, -1)
    other = tmp_path / "letter.txt"
    other.write_text("this is not a database, it is a long letter to somebody " * 20)
    with pytest.raises(CorruptError):
        TrialLog(other).append("model", "a", 0.1, 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError):
        TrialLog(tmp_path / "file" / "trials.sqlite").append("model", "a", 0.1, 1)
