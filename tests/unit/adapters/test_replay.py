"""MIA's own file gives back the recording it was made of."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mia_kernel.adapters.replay import write_recording
from mia_kernel.adapters.sources import open_source, sniff
from mia_kernel.core.errors import FormatError, OutsideError
from mia_kernel.core.events import ContractChange, Recording
from tests.fakes.market_files import cme_zip

pytestmark = pytest.mark.unit


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    path = tmp_path / "day.zip"
    path.write_bytes(cme_zip())
    day = open_source(path)
    return Recording(day.events, day.source, (ContractChange(1, 1, 0, "ESM19", "ESU19", 5),))


def test_a_recording_survives(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    write_recording(path, recording)
    assert sniff(path).name == "mia-parquet"
    again = open_source(path)
    assert (again.events == recording.events).all()
    assert again.objects == recording.objects
    assert (again.source.tag, again.source.contract) == ("replay", "ESU19")


@pytest.mark.safety
def test_a_cut_file_is_refused(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    write_recording(path, recording)
    data = path.read_bytes()
    for cut in (5, 100, len(data) // 2, len(data) - 6):
        path.write_bytes(data[:-cut])
        with pytest.raises(FormatError):
            open_source(path)


@pytest.mark.safety
def test_a_full_disk_leaves_the_older_file(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(b"older")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mia_kernel.adapters.replay.pq.write_table", full)
    with pytest.raises(OutsideError):
        write_recording(path, recording)
    assert path.read_bytes() == b"older"
    assert [file.name for file in tmp_path.glob("own*")] == ["own.parquet"]
