"""How far an import is: the share of a file never falls, moves while it is read, and is 1 at the end."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters import scid_stream, streams, table
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.meter import FilesBar, Meter, MeteredBytes
from mia_kernel.adapters.scid import scid_bytes
from mia_kernel.core import events as ev
from tests.fakes.market_files import bar_csv, cme_zip, session
from tests.shared_data import needs_shared_data, shared_file

pytestmark = pytest.mark.unit


def _shares(path: Path, folder: Path, **asked: str) -> list[float]:
    """Import a file and return every share that was told."""
    told: list[float] = []
    (result,) = import_sources([path], Catalog(folder), watch=lambda _, share: told.append(share), **asked)  # type: ignore[arg-type]
    assert result.status == "stored", result.error
    return told


def _rises(told: list[float]) -> bool:
    return told == sorted(set(told)) and told[-1] == 1.0


def test_a_share_never_falls_and_stages_lie_behind_each_other() -> None:
    told: list[float] = []
    meter = Meter(told.append)
    meter.stage(0.5)
    meter.reach(1, 2)
    meter.reach(1, 4)  # less than before: nothing
    meter.reach(9, 2)  # more than all is all
    meter.stage(0.9)
    assert list(meter.over("ab")) == ["a", "b"]
    meter.stage(0.2)  # behind already
    meter.reach(1, 1)
    meter.finish()
    assert told == pytest.approx([0.25, 0.5, 0.7, 0.9, 1.0])


def test_bytes_tell_how_far_they_are_read() -> None:
    told: list[float] = []
    data = MeteredBytes(bytes(100), Meter(told.append))
    assert [len(data.read(40)) for _ in range(3)] == [40, 40, 20]
    assert told == pytest.approx([0.4, 0.8, 1.0])


def test_a_large_scid_moves_slice_by_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGE", 0)
    monkeypatch.setattr(scid_stream, "SLICE", 50)
    rows = ev.empty(500)
    rows["ts_event"] = rows["ts_recv"] = 1_704_380_400 * 10**9 + np.arange(500) * 10**9
    rows["kind"], rows["px"], rows["sz"], rows["side"] = ev.TRADE, 19_000, 1, 1 - 2 * (np.arange(500) % 2)
    path = tmp_path / "ESH24.scid"
    path.write_bytes(scid_bytes(rows, "ES"))
    told = _shares(path, tmp_path / "data")
    assert _rises(told)
    assert len(told) > 25  # three passes of ten slices
    assert max(np.diff(told)) < 0.2


def test_a_table_of_text_moves_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BLOCK", 4_096)
    bars = [bar for day in (8, 9, 10) for bar in session(datetime(2022, 8, day), step=60)]
    path = tmp_path / "ES_1min.csv"
    path.write_bytes(bar_csv(bars))
    told = _shares(path, tmp_path / "data")
    assert _rises(told)
    assert sum(0.05 < share < 0.6 for share in told) > 10
    assert sum(share > 0.6 for share in told) == 3  # a day stored is told


def test_an_archive_moves_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "day.zip"
    path.write_bytes(cme_zip())
    with zipfile.ZipFile(path) as archive:
        count = len(archive.namelist())
    told = _shares(path, tmp_path / "data")
    assert _rises(told)
    assert len(told) > count


@needs_shared_data
def test_an_hour_of_orders_moves_while_it_is_read(tmp_path: Path) -> None:
    told = _shares(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"), tmp_path / "data")
    assert _rises(told)
    assert sum(0.05 < share < 0.6 for share in told) >= 3


def test_the_bar_counts_bytes_of_all_files_and_ends_full_whatever_became_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, size in zip(files, (100, 300, 0), strict=True):
        file.write_bytes(bytes(size))
    bar = FilesBar(files, shown=True)
    for file in files:
        bar.begin(file)
        bar.reach(file, 0.5)
        bar.end(file)
    bar.close()
    assert "100%" in capsys.readouterr().err
    refused = tmp_path / "x.csv"
    refused.write_bytes(b"nothing\n1\n")
    import_sources([refused], Catalog(tmp_path / "data"), progress=True)
    assert "100%" in capsys.readouterr().err
