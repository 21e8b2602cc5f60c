"""What lies below a folder: links once, sessions whole, closed folders told, strange files refused one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters import walk
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources, worst_exit_code
from mia_kernel.adapters.walk import find_sources
from mia_kernel.adapters.wrappers import UnreadableError
from mia_kernel.core.errors import InputError
from tests.fakes.market_files import zipped

pytestmark = [pytest.mark.unit, pytest.mark.safety]

VIX = b"DATE,OPEN,HIGH,LOW,CLOSE\n8/7/2019,1,1,1,19.49\n8/8/2019,1,1,1,16.91\n"


def test_a_link_to_a_folder_above_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "VIX.csv").write_bytes(VIX)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "absent")
    assert find_sources(tmp_path).sources == (tmp_path / "VIX.csv",)


def test_a_session_is_one_source_and_hidden_files_are_none(tmp_path: Path) -> None:
    session = tmp_path / "recorded" / "s1"
    session.mkdir(parents=True)
    for name in ("session.json", "tail-00000001.bin", "part.parquet"):
        (session / name).write_bytes(b"{}")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert find_sources(tmp_path).sources == (session,)


def test_an_empty_folder_and_a_missing_path_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no file"):
        find_sources(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        find_sources(tmp_path / "absent")


def test_a_folder_that_cannot_be_opened_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "VIX.csv").write_bytes(VIX)
    (tmp_path / "closed").mkdir()
    real = os.walk

    def guarded(top: Any, *, onerror: Callable[[OSError], None], followlinks: bool) -> Iterator[Any]:
        for folder, folders, files in real(top, followlinks=followlinks):
            if "closed" in folders:
                folders.remove("closed")
                onerror(PermissionError(13, "Permission denied", f"{folder}/closed"))
            yield folder, folders, files

    monkeypatch.setattr(walk.os, "walk", guarded)
    results = import_sources([tmp_path], Catalog(tmp_path / "home"))
    assert [result.status for result in results] == ["stored", "refused"]
    assert "closed: cannot be opened: Permission denied" in str(results[1].error)
    assert worst_exit_code(results) == 3


def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("a_VIX.csv", "b_VIX.csv"):
        (own / name).write_bytes(VIX)
    real = Path.read_bytes

    def guarded(path: Path) -> bytes:
        if path.name == "a_VIX.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    results = import_sources([own], Catalog(tmp_path / "data"))
    assert [result.status for result in results] == ["refused", "stored"]
    assert UnreadableError.exit_code == worst_exit_code(results) == 3


def test_strange_files_are_refused_in_words(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "ES_wide.csv").write_bytes(VIX.decode().encode("utf-16"))
    (own / "ES_bomb.zip").write_bytes(zipped({"ES.csv": b"0" * 80_000_000}))
    (own / "VIX.xlsx").write_bytes(VIX)  # the name is not asked
    told = {Path(r.path).name: r for r in import_sources([own], Catalog(tmp_path / "data"))}
    assert "save it again as UTF-8" in str(told["ES_wide.csv"].error)
    assert "would unpack to 80,000,000 bytes" in str(told["ES_bomb.zip"].error)
    assert told["VIX.xlsx"].status == "stored"
