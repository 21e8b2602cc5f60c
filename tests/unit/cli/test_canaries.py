"""S3: secrets planted in the environment are found in nothing that the commands say or write.

A webhook, the desk's token and a token of a name nobody knows are given to the commands of a day: settings,
findings, a replay with its journal and page, alerts that cannot be sent, refusals. Then every file below MIA_HOME and
everything printed is searched, byte for byte, zipped rows of the journal included.
"""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mia_kernel import cli
from tests.fakes import planted

pytestmark = [pytest.mark.unit, pytest.mark.safety]

CANARY = "canary4711"
PLANTED = {
    "MIA_SECRETS__DISCORD_WEBHOOK": f"http://127.0.0.1:9/api/webhooks/1/{CANARY}-webhook",
    "MIA_DESK_TOKEN": f"{CANARY}-desk-token",
    "IB_PASSWORD": f"{CANARY}-password",
}


def _blobs(path: Path) -> Iterator[bytes]:
    """Give a file as it lies there and, of a journal, every value of every row, unzipped where it is zipped."""
    yield path.read_bytes()
    if path.suffix != ".sqlite":
        return
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        for value in (v for table in tables for row in db.execute(f"select * from {table}") for v in row):
            if isinstance(value, bytes):
                try:
                    yield zlib.decompress(value)
                except zlib.error:
                    yield value
            else:
                yield str(value).encode()


def found_in(folder: Path) -> list[str]:
    """Return the files below a folder that hold a canary."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [
        str(path.relative_to(folder)) for path in files if any(CANARY.encode() in b for b in _blobs(path))
    ]


def test_no_command_shows_or_writes_a_planted_secret(
    session: Path, mia_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    journal = mia_home / "data" / "journal" / "run-day.sqlite"
    journal.parent.mkdir(parents=True)
    codes = {
        " ".join(words[:2]): cli.main(words)
        for words in (
            ["config", "show"],
            ["config", "show", "--json", "-"],
            ["replay", str(session), "--journal", str(journal), "--json", str(mia_home / "replay.json")],
            ["journal", "verify", str(journal)],
            ["doctor", "--json", str(mia_home / "doctor.json")],
            ["alerts", "test"],
            ["alerts", "ls", "--json", "-"],
            ["status"],
            ["replay", str(mia_home / "absent.zip")],
            ["replay", str(session), "--set", f"secrets.discord_webhook={CANARY}-argument"],
        )
    }
    said = capsys.readouterr()
    assert codes["config show"] == 0
    assert codes["journal verify"] == 0
    assert journal.exists(), "nothing was written that could hold a secret"
    shown = [line for line in (said.out + said.err).splitlines() if CANARY in line]
    assert shown == []
    assert found_in(mia_home) == []


def test_a_planted_secret_would_be_found(mia_home: Path) -> None:
    (mia_home / "a.log").write_text(f"sent to {PLANTED['MIA_SECRETS__DISCORD_WEBHOOK']}")
    with closing(sqlite3.connect(mia_home / "b.sqlite")) as db:
        db.execute("create table rows (payload blob)")
        db.execute("insert into rows values (?)", (zlib.compress(PLANTED["MIA_DESK_TOKEN"].encode()),))
        db.commit()
    assert sorted(found_in(mia_home)) == ["a.log", "b.sqlite"]
    assert not re.search(CANARY, (mia_home / "b.sqlite").read_bytes().decode("latin1")), "it was not zipped"


def test_a_secret_under_a_mistyped_name_is_refused_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIA_DISCORD_WEBHOOK", f"{CANARY}-mistyped")
    assert cli.main(["config", "show"]) == 2
    said = capsys.readouterr()
    assert "MIA_DISCORD_WEBHOOK" in said.err
    assert CANARY not in said.out + said.err


def test_a_secret_of_a_dotenv_file_is_masked_and_its_mistakes_are_told_without_it(
    mia_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mia_kernel.settings.PROJECT", mia_home)
    dotenv = mia_home / ".env"
    url = PLANTED["MIA_SECRETS__DISCORD_WEBHOOK"]
    dotenv.write_text(f"MIA_SECRETS__DISCORD_WEBHOOK={url}\n")
    dotenv.chmod(0o600)
    assert cli.main(["config", "show"]) == 0
    assert cli.main(["alerts", "ls", "--json", "-"]) in (0, 1, 3)
    for wrong in (f"MIA_DISCORD_WEBHOOK={url}\n", f"MIA_SECRETS__WEBHOK={url}\n"):
        dotenv.write_text(wrong)
        assert cli.main(["config", "show"]) == 2
    said = capsys.readouterr()
    assert "discord_webhook" in said.out
    assert CANARY not in said.out + said.err
    dotenv.unlink()
    assert found_in(mia_home) == []


def test_what_a_whole_session_writes_is_searched(tmp_path: Path) -> None:
    assert set(planted.SECRETS.items()) <= set(os.environ.items()), "nothing is planted in this session"
    (tmp_path / "clean.log").write_text("nothing")
    (tmp_path / "empty").touch()
    dump = tmp_path / "dump.json"
    dump.write_text(planted.SECRETS["IB_PASSWORD"])
    try:
        assert planted.found_in(tmp_path) == [dump]
    finally:
        dump.unlink()
