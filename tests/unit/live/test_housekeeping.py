"""The daily backup: real folders are copied and read back; damage and a full disk are told and end nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.recorded import read_session
from mia_kernel.adapters.recorder import SessionAbout, SessionRecorder
from mia_kernel.core.events import BOOK, Carries, EventArray, SourceInfo, empty
from mia_kernel.live.housekeeping import backup_of, daily_backup
from mia_kernel.settings import Settings, load
from tests.fakes.market_files import cme_zip

pytestmark = pytest.mark.unit

T0 = 1_699_977_600_000_000_000
SOURCE = SourceInfo("synthetic", "test", "SYNTHETIC rows", "ES", "ESZ23", carries=Carries(book=True))


def rows(n: int) -> EventArray:
    out = empty(n)
    out["ts_event"] = out["ts_recv"] = T0 + np.arange(n) * 1_000
    out["seq"], out["kind"], out["bid"], out["ask"] = np.arange(n), BOOK, 18_000, 18_001
    return out


def recorded(settings: Settings, name: str) -> Path:
    about = SessionAbout(
        session_id=name, mode="dry-run", uri="synthetic:1", source=SOURCE, others=(), declared=(),
        calendar=((T0, 2),), settings_id="x", settings={}, code_version="v", started_at="2023-11-14T16:00:00+00:00",
    )  # fmt: skip
    recorder = SessionRecorder(settings.data_folder / "sessions" / name, about)
    recorder.append(rows(100))
    recorder.close({"decisions": 0})
    return recorder.folder


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MIA_HOME", str(tmp_path))
    return load().settings


def test_sessions_and_catalog_are_copied_and_can_be_read_from_there(settings: Settings) -> None:
    folder = recorded(settings, "s1")
    zipped = settings.home / "day.zip"
    zipped.write_bytes(cme_zip())
    import_sources([zipped], Catalog(settings.data_folder))
    told = daily_backup(settings)
    assert told.startswith("backup  1 sessions, ")
    stored = len(Catalog(settings.data_folder).stored())
    assert stored > 0
    assert told.endswith(f"; catalog {stored} files, verified")
    copy = settings.home / "backup" / "sessions" / "s1"
    assert read_session(copy).events.tobytes() == read_session(folder).events.tobytes() == rows(100).tobytes()
    kept = next((settings.home / "backup").glob("mia-data-*"))
    assert len(Catalog(kept).stored()) == stored
    assert daily_backup(settings) == told  # what is there is verified again, and kept


def test_without_anything_to_copy_it_says_so_and_fails_nothing(settings: Settings) -> None:
    assert daily_backup(settings) == "backup  0 sessions, 0.0 MB, verified"


@pytest.mark.safety
def test_a_damaged_copy_and_a_damaged_session_are_noticed(settings: Settings) -> None:
    folder = recorded(settings, "s1")
    daily_backup(settings)
    copy = next((settings.home / "backup").rglob("kind=events/*.parquet"))
    whole = copy.read_bytes()
    copy.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    told = daily_backup(settings)
    assert told.startswith("BACKUP FAILED: ")
    assert "the copy does not match" in told
    assert "s1" in told
    copy.write_bytes(whole)
    assert daily_backup(settings).endswith("verified")
    source = next(folder.rglob("kind=events/*.parquet"))
    source.write_bytes(source.read_bytes()[:-1])
    assert "the session itself is damaged" in daily_backup(settings)
    assert "the session itself is damaged" in backup_of(settings, "s1")
    assert copy.read_bytes() == whole  # the good copy stays


@pytest.mark.safety
def test_a_full_disk_is_told_blocks_nothing_and_leaves_no_half_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded(settings, "s1")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("mia_kernel.adapters.recorded.shutil.copyfile", full)
        for told in (daily_backup(settings), backup_of(settings, "s1")):
            assert told.startswith("BACKUP FAILED: ")
            assert "full" in told
    assert list((settings.home / "backup").rglob("*.parquet")) == []
    assert read_session(folder).events.tobytes() == rows(100).tobytes()
    assert daily_backup(settings).startswith("backup  1 sessions")  # there is room again
