"""`mia run` and `mia replay` as a person types them, over a small synthetic session."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from mia_kernel import cli
from mia_kernel.adapters import journal_reader
from mia_kernel.cli.replay import instant
from mia_kernel.cli.run import speed_of
from mia_kernel.core.errors import InputError

pytestmark = [pytest.mark.unit, pytest.mark.integration]

REPLAY_KEYS = {
    "source", "symbol", "first_event", "last_event", "events", "trades", "quotes", "book_updates", "decisions",
    "signals", "denied", "seconds", "events_per_second", "digest", "settings_id", "code_version", "model_id",
    "coverage", "components", "round_trips", "performance", "targets",
}  # fmt: skip


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("0.5", 0.5), ("20", 20.0), ("max", float("inf"))])
def test_speeds(text: str, speed: float) -> None:
    assert speed_of(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan", ""])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a number above 0, or max"):
        speed_of(text)


def test_instants_need_a_zone() -> None:
    noon = dt.datetime(2019, 8, 9, 12, 0, tzinfo=dt.UTC)
    assert instant("2019-08-09T07:00:00-05:00") == int(noon.timestamp()) * 10**9
    assert instant("2019-08-09T12:00:00.000001+00:00") == int(noon.timestamp()) * 10**9 + 1_000
    assert instant(None) is None
    for text in ("2019-08-09T07:00:00", "tomorrow"):
        with pytest.raises(InputError, match="offset"):
            instant(text)


@pytest.mark.safety
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_source_that_is_no_broker_is_refused_before_anything_starts(
    mode: str, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", f"--{mode}"]) == 2
    said = capsys.readouterr().err
    assert "no broker there, nothing was started" in said
    assert ("PAPER" in said) == (mode == "live")
    assert list(mia_home.iterdir()) == []


def test_replay_twice_gives_the_same_digest_and_every_promised_key(
    session: Path, tmp_path: Path, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = []
    for name in ("a", "b"):
        target = tmp_path / f"{name}.json"
        assert cli.main(["replay", str(session), "--json", str(target)]) == 0
        figures = json.loads(target.read_text())
        assert set(figures) >= REPLAY_KEYS
        digests.append(figures["digest"])
        assert f"digest {figures['digest']}" in capsys.readouterr().out
    assert digests[0] == digests[1]


def test_replay_writes_a_journal_that_verifies(session: Path, tmp_path: Path, mia_home: Path) -> None:
    journal = tmp_path / "day.sqlite"
    assert cli.main(["replay", str(session), "--journal", str(journal)]) == 0
    answer = journal_reader.verify(journal)
    assert answer.ok
    assert answer.complete
    assert cli.main(["journal", "verify", str(journal)]) == 0


def test_a_replay_of_nothing_says_so(
    mia_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", str(tmp_path / "absent.zip")]) == 2
    assert "absent.zip" in capsys.readouterr().err


def test_a_wrong_setting_is_refused_before_the_source_is_read(
    session: Path, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", str(session), "--set", "risk.daily_los_usd=1"]) == 2
    assert "risk.daily_los_usd" in capsys.readouterr().err
