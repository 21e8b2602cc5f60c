"""The small commands as a person types them: import, data, journal, config, doctor."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from mia_kernel import cli
from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.cli import doctor
from tests.fakes.journals import header
from tests.fakes.market_files import session as session_bars
from tests.fakes.market_files import sierra_text

pytestmark = [pytest.mark.unit, pytest.mark.integration]


@pytest.fixture(autouse=True)
def _own_home(mia_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.startswith("MIA_") and name not in ("MIA_HOME", "MIA_SHARED_DATA")
    ]:
        monkeypatch.delenv(name)


def _json(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_import_stores_once_and_data_tells_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ESH24_5min.txt"
    file.write_bytes(sierra_text(session_bars(dt.datetime(2024, 2, 6))))
    assert cli.main(["import", str(file), "--symbol", "ESH24", "--json", "-"]) == 0
    first = _json(capsys)["files"][0]
    assert first["status"] == "stored"
    assert cli.main(["import", str(file), "--symbol", "ESH24", "--json", "-"]) == 0
    assert _json(capsys)["files"][0]["status"] == "known"
    assert cli.main(["data", "ls", "--json", "-"]) == 0
    days = _json(capsys)["days"]
    assert {entry["symbol"] for entry in days} >= {"ES"}
    assert cli.main(["data", "health"]) == 0
    assert "0 problems" in capsys.readouterr().out


@pytest.mark.safety
def test_a_broken_file_stores_nothing_and_names_itself(
    tmp_path: Path, mia_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.dbn"
    broken.write_bytes(b"DBN\x02 and then nothing")
    assert cli.main(["import", str(broken)]) == 2
    assert "broken.dbn" in capsys.readouterr().err
    assert cli.main(["data", "ls", "--json", "-"]) == 0
    assert _json(capsys)["days"] == []


def test_an_empty_catalog_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data"]) == 0
    assert "mia import" in capsys.readouterr().out


@pytest.mark.safety
def test_a_changed_journal_row_is_found_and_gives_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.sqlite"
    with JournalWriter(path, live=False) as writer:
        writer.open_run(header(note="untouched"))
        writer.close({"digest": "0"})
    assert cli.main(["journal", "verify", str(path)]) == 0
    content = path.read_bytes()
    assert b"untouched" in content
    path.write_bytes(content.replace(b"untouched", b"UNtouched"))
    assert cli.main(["journal", "verify", str(path)]) == 1
    assert "is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like one" * 40])
def test_an_unreadable_journal_is_said_with_its_path(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes(content)
    assert cli.main(["journal", "tail", str(path)]) == 2
    assert "run.sqlite" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_without_a_journal_the_way_to_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["journal", "verify"]) == 2
    assert "mia replay" in capsys.readouterr().err


def test_config_tells_value_unit_and_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIA_RISK__DAILY_LOSS_USD", "400")
    assert cli.main(["config", "show", "--json", "-"]) == 0
    shown = {value["path"]: value for value in _json(capsys)["values"]}
    assert shown["risk.daily_loss_usd"]["value"] == 400
    assert shown["risk.daily_loss_usd"]["unit"] == "USD"
    assert shown["risk.daily_loss_usd"]["origin"] == "environment"
    assert shown["risk.weekly_loss_usd"]["origin"] == "default"
    assert cli.main(["config", "check"]) == 0
    assert cli.main(["config", "show", "nonsense"]) == 2


def test_config_tells_how_two_profiles_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "diff", "paper", "production", "--json", "-"]) == 0
    rows = {row["path"]: row for row in _json(capsys)["differences"]}
    assert rows["risk.gates.ml_mode"] == {
        "path": "risk.gates.ml_mode", "paper": "advise", "production": "require", "unit": "mode",
    }  # fmt: skip


def test_doctor_names_a_remedy_for_whatever_is_not_green(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["doctor", "--json", "-"])
    answer = _json(capsys)
    assert code == (1 if answer["verdict"] == "red" else 0)
    names = {finding["name"] for finding in answer["findings"]}
    assert names >= {
        "python",
        "packages",
        "disk",
        "calendar",
        "roll",
        "catalog",
        "journal",
        "clock",
        "secrets",
    }
    assert not [f for f in answer["findings"] if f["level"] != "green" and not f["remedy"]]


@pytest.mark.safety
def test_doctor_sees_a_broken_journal_and_a_leaked_secret(
    mia_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIA_SECRETS__DISCORD_WEBHOOK", "canary-webhook-4711")
    journals = mia_home / "data" / "journal"
    journals.mkdir(parents=True)
    (journals / "run.sqlite").write_bytes(b"torn")
    (mia_home / "reports").mkdir()
    (mia_home / "reports" / "page.html").write_text("canary-webhook-4711")
    assert cli.main(["doctor", "--json", "-"]) == 1
    red = {f["name"] for f in _json(capsys)["findings"] if f["level"] == "red"}
    assert red >= {"journal", "secrets"}


def test_doctor_goes_on_where_the_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_RISK__DAILY_LOSS_USD", "-1")
    findings = {finding.name: finding for finding in doctor.examine()}
    assert findings["settings"].level == "red"
    assert "daily_loss_usd" in findings["settings"].text
    assert "disk" not in findings
