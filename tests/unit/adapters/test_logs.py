"""Logs: JSON lines, rotated, and no secret in any of them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from mia_kernel.adapters import logs

pytestmark = [pytest.mark.unit, pytest.mark.safety]

CANARY = "canary-7f3a9c"


@pytest.fixture
def root() -> object:
    logger = logging.getLogger()
    before, level = list(logger.handlers), logger.level
    yield logger
    for handler in [h for h in logger.handlers if h not in before]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_line_is_json_with_its_extras(tmp_path: Path, root: object) -> None:
    path = logs.start(tmp_path, "test", [])
    logging.getLogger("mia.x").info("made %s", "a page", extra={"job": "daily", "day": 20250610})
    row = rows(path)[-1]
    assert (row["level"], row["logger"], row["text"], row["job"], row["day"]) == (
        "info",
        "mia.x",
        "made a page",
        "daily",
        20250610,
    )
    assert str(row["ts"]).endswith("+00:00")


@pytest.mark.parametrize(
    "text",
    [
        f"address {CANARY} here",
        "https://discord.com/api/webhooks/123/abcdefghij",
        "Authorization: Bearer abcdefghijkl",
        'token="abcdefgh"',
        "password=hunter22",
    ],
)
def test_no_secret_is_written(tmp_path: Path, root: object, text: str) -> None:
    path = logs.start(tmp_path, "test", [CANARY])
    logger = logging.getLogger("mia.x")
    logger.info(text, extra={"where": text})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed")
    written = path.read_text("utf-8")
    for secret in (CANARY, "abcdefgh", "hunter22"):
        assert secret not in written
    assert logs.MASK in written


def test_a_hostile_line_cannot_make_another_line(tmp_path: Path, root: object) -> None:
    path = logs.start(tmp_path, "test", [])
    logging.getLogger("mia.x").info('x\n{"level": "critical"}\u2028\x1b[31m')
    found = rows(path)
    assert len(found) == 1
    assert found[0]["level"] == "info"


def test_files_rotate_and_starting_twice_adds_no_second_writer(
    tmp_path: Path, root: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2_000)
    path = logs.start(tmp_path, "test", [])
    assert logs.start(tmp_path, "test", []) == path
    for i in range(200):
        logging.getLogger("mia.x").info("line %d", i)
    kept = list(path.parent.glob("test.jsonl*"))
    assert 2 <= len(kept) <= 1 + logs.FILES
    assert all(f.stat().st_size <= 2_500 for f in kept)
    assert sum(row["text"] == "line 199" for row in rows(path)) == 1


def test_a_secret_of_the_environment_is_known_to_processes_that_read_no_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: object
) -> None:
    monkeypatch.setenv("MIA_SECRETS__DISCORD_WEBHOOK", CANARY)
    monkeypatch.setenv("MIA_HOME", "no-secret")
    assert logs.environment_secrets() == [CANARY]
    path = logs.start(tmp_path, "desk", logs.environment_secrets())
    logging.getLogger("mia.desk").warning("posting to %s", CANARY)
    assert CANARY not in path.read_text("utf-8")


def test_another_file_takes_the_place_of_the_first(tmp_path: Path, root: object) -> None:
    first, second = logs.start(tmp_path, "run", []), logs.start(tmp_path / "other", "run", [])
    logging.getLogger("mia").warning("once")
    assert first.read_text("utf-8") == ""
    assert rows(second)[0]["text"] == "once"
