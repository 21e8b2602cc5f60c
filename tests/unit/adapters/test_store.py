"""Written whole or not at all: full disk, killed writer, second writer, damaged files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from mia_kernel.adapters.store import MANIFESTS, Manifest, Segment, Store, write_flushed
from mia_kernel.core.errors import CorruptError, OutsideError

pytestmark = [pytest.mark.unit, pytest.mark.safety]

FILE = "symbol=ES/contract=ESU19/day=20190809/kind=trades/abc.parquet"


def _segment(data: bytes) -> Segment:
    digest = hashlib.sha256(data).hexdigest()
    return Segment("ES", "ESU19", 20190809, "trades", 1, 0, 0, 1, len(data), digest, "c", FILE, 0)


def _publish(store: Store, data: bytes, import_id: str = "a") -> None:
    with store.writing() as staging:
        write_flushed(staging / "0", data)
        store.publish(Manifest(import_id, "x", "2026-01-01", (_segment(data),), ({},)), {FILE: staging / "0"})


def test_a_published_segment_is_read_back_and_the_staging_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "events")
    _publish(store, b"rows")
    assert store.read(store.manifests()[0].segments[0]) == b"rows"
    assert sorted(p.name for p in store.root.iterdir()) == ["_lock", "_manifests", "symbol=ES"]


def test_a_changed_or_missing_segment_is_corrupt(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _publish(store, b"rows")
    (tmp_path / FILE).write_bytes(b"rowz")
    with pytest.raises(CorruptError, match="does not match its hash"):
        store.read(_segment(b"rows"))
    (tmp_path / FILE).unlink()
    with pytest.raises(CorruptError, match="missing"):
        store.read(_segment(b"rows"))


def test_a_damaged_manifest_is_corrupt(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _publish(store, b"rows")
    file = next((tmp_path / MANIFESTS).glob("*.json"))
    for text in ("{", "[]", json.dumps({"segments": []})):
        file.write_text(text)
        with pytest.raises(CorruptError, match="manifest"):
            store.manifests()


def test_a_changed_word_of_a_manifest_is_corrupt_and_one_of_before_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _publish(store, b"rows")
    file = next((tmp_path / MANIFESTS).glob("*.json"))
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "name": "y"}))
    with pytest.raises(CorruptError, match="own hash"):
        store.manifests()
    del told["sha256"]
    with pytest.raises(CorruptError, match="own hash"):
        file.write_text(json.dumps(told))
        store.manifests()
    file.write_text(json.dumps({**told, "version": 1}))
    assert store.manifests()[0].name == "x"


def test_a_second_writer_is_told_to_wait(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing(), pytest.raises(OutsideError, match="another import"), Store(tmp_path).writing():
        pass
    _publish(store, b"rows")


@pytest.mark.parametrize("fails", ["os.replace", "_flush_folder", "_write_manifest"])
def test_a_full_disk_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    store = Store(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if fails == "_write_manifest":
        monkeypatch.setattr(Store, fails, full)
    else:
        monkeypatch.setattr(f"mia_kernel.adapters.store.{fails}", full)
    with pytest.raises(OutsideError, match="the disk is full"):
        _publish(store, b"rows")
    monkeypatch.undo()
    assert store.manifests() == []
    assert list(tmp_path.rglob("*.parquet")) == []
    _publish(store, b"rows")
    assert len(store.manifests()) == 1


def test_leftovers_of_a_killed_writer_are_invisible_and_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _publish(store, b"rows")
    orphan = tmp_path / "symbol=ES/contract=ESU19/day=20190810/kind=trades/orphan.parquet"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"half")
    (tmp_path / "_staging").mkdir()
    (tmp_path / "_staging" / "7.parquet").write_bytes(b"half")
    assert len(store.manifests()) == 1
    with store.writing():
        pass
    assert not orphan.exists()
    assert not (tmp_path / "_staging").exists()
    assert store.read(store.manifests()[0].segments[0]) == b"rows"


def test_a_folder_that_cannot_be_made_is_the_worlds_fault(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file is in the way")
    with pytest.raises(OutsideError), Store(tmp_path / "events").writing():
        pass
