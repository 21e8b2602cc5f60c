"""Readings of this machine, against files made for the test."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from mia_kernel import __version__
from mia_kernel.adapters import machine

pytestmark = pytest.mark.unit


def test_lock_is_read_with_its_markers(tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text(
        "NumPy==2.4.6 ; python_full_version >= '3.11' \\\n    --hash=sha256:00\n"
        "numpy==9.9.9 ; python_full_version < '3' \\\n    --hash=sha256:00\n"
        "typing_extensions==4.16.0 \\\n    --hash=sha256:00\n"
    )
    assert machine.locked_packages(lock) == {"numpy": "2.4.6", "typing-extensions": "4.16.0"}
    assert machine.locked_packages(tmp_path / "absent.txt") == {}


def test_installed_packages_use_the_same_spelling() -> None:
    assert "pydantic-settings" in machine.installed_packages()


def test_disk_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    free, total = machine.disk(tmp_path / "a" / "b")
    assert 0 < free <= total


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert machine.write_problem(tmp_path / "home") is None
    assert list((tmp_path / "home").iterdir()) == []


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert machine.write_problem(tmp_path / "home") is not None


def test_a_file_from_the_future_tells_that_the_clock_is_behind(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_text("x")
    assert machine.newest_ahead_s([tmp_path]) < 0.5
    os.utime(file, (time.time() + 3600, time.time() + 3600))
    assert 3500 < machine.newest_ahead_s([tmp_path]) <= 3600
    assert machine.newest_ahead_s([tmp_path / "absent"]) == 0.0


def test_a_secret_in_a_report_is_found_and_short_words_are_not_secrets(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>token-0815-canary</p>")
    (tmp_path / "b.html").write_text("<p>nothing</p>")
    assert machine.files_with(["token-0815-canary", "p"], [tmp_path]) == [str(tmp_path / "a.html")]
    assert machine.files_with([], [tmp_path]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permission bits")
def test_a_file_others_may_read_is_named(tmp_path: Path) -> None:
    mine, open_ = tmp_path / "mine", tmp_path / "open"
    for path, mode in ((mine, 0o600), (open_, 0o644)):
        path.write_text("x")
        path.chmod(mode)
    assert machine.readable_by_others([mine, open_, tmp_path / "absent"]) == [str(open_)]


def test_code_version_names_version_and_sources() -> None:
    version, _, fingerprint = machine.code_version().partition("+")
    assert version == __version__
    assert len(fingerprint) == 12


def test_time_zones_of_the_exchange_are_known() -> None:
    assert machine.missing_zones() == []
