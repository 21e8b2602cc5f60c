"""The data collector: what was appended is read back, sealed or not; damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.recorded import (
    backup_sessions,
    closing_of,
    list_sessions,
    read_session,
    read_table,
    verify_session,
)
from mia_kernel.adapters.recorder import SessionAbout, SessionRecorder
from mia_kernel.adapters.tail import TailWriter, decode, encode, read_tail
from mia_kernel.core.errors import CorruptError, InvariantError, OutsideError
from mia_kernel.core.events import BOOK, Carries, EventArray, OptionView, SourceInfo, StateChange, empty
from mia_kernel.core.orders import OrderReport, OrderStatus, Role

pytestmark = pytest.mark.unit

T0 = 1_699_977_600_000_000_000
SOURCE = SourceInfo("synthetic", "test", "SYNTHETIC rows", "ES", "ESZ23", carries=Carries(book=True))


def about(name: str = "s1") -> SessionAbout:
    return SessionAbout(
        session_id=name, mode="dry-run", uri="synthetic:1", source=SOURCE, others=(), declared=("broker", "vix"),
        calendar=((T0, 2),), settings_id="x", settings={}, code_version="v", started_at="2023-11-14T16:00:00+00:00",
    )  # fmt: skip


def rows(n: int, start: int = 0) -> EventArray:
    rng = np.random.default_rng(start)
    out = empty(n)
    out["ts_event"] = out["ts_recv"] = T0 + (start + np.arange(n)) * 1_000
    out["seq"], out["kind"] = start + np.arange(n), BOOK
    out["bid"], out["ask"] = 18_000, 18_001
    out["b"], out["a"] = rng.integers(0, 900, (n, 10)), rng.integers(0, 900, (n, 10))
    return out


REPORT = OrderReport(
    T0, T0 + 5, 7, "b1-entry", "b1", Role.ENTRY, "ES", 1, OrderStatus.FILLED, 1, 1, 1, 18_000.0, 250, "x.01",
    "", ("queue",), 18_000.5, T0,
)  # fmt: skip
CHANGE = StateChange(T0, T0 + 9, 8, "active", "armed by hand")
VIEW = OptionView(
    T0, T0 + 11, 9, T0, 0, True, 0.5, "test", {"call_wall_ticks": 18_400.0, "put_wall_ticks": None}
)


def test_a_sealed_session_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path / "data" / "sessions" / "s1", about())
    recorder.append(rows(100), (REPORT,))
    recorder.seal(wait=True)
    recorder.append(rows(50, 100), (CHANGE, VIEW))
    recorder.add_table("standard", {"ts_event": [1, 2], "score": [0.1, 0.2]})
    recorder.close({"decisions": 2, "digest": "d", "parity": None})
    recording = read_session(recorder.folder)
    assert recording.events.tobytes() == np.concatenate([rows(100), rows(50, 100)]).tobytes()
    assert recording.objects == (REPORT, CHANGE, VIEW)
    assert recording.source.tag == "synthetic"
    assert recording.declared == {"broker", "vix"}
    assert recording.calendar is not None
    assert recording.calendar["ts"].tolist() == [T0]
    table = read_table(recorder.folder, "standard")
    assert table is not None
    assert table.column("score").to_pylist() == [0.1, 0.2]
    assert verify_session(recorder.folder) == []
    assert list_sessions(tmp_path / "data")[0].rows == 150
    assert not list(recorder.folder.glob("tail-*"))


@pytest.mark.safety
def test_a_killed_writer_loses_nothing_it_appended_and_the_next_one_continues(tmp_path: Path) -> None:
    folder = tmp_path / "s1"
    first = SessionRecorder(folder, about())
    first.append(rows(10))
    first.seal(wait=True)
    first.append(rows(10, 10), (REPORT,))
    first.abandon()  # no sealing, as after a kill
    assert len(read_session(folder).events) == 20
    second = SessionRecorder(folder, about())
    second.append(rows(10, 20))
    second.close({"decisions": 0})
    recording = read_session(folder)
    assert recording.events["seq"].tolist() == list(range(30))
    assert recording.objects == (REPORT,)


@pytest.mark.safety
def test_a_torn_frame_at_the_end_of_a_killed_tail_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "tail.bin"
    writer = TailWriter(path)
    writer.append(rows(3))
    whole = path.stat().st_size
    writer.append(rows(3, 3))
    writer.close()
    with path.open("rb+") as stream:
        stream.truncate(path.stat().st_size - 5)
    tail = read_tail(path)
    assert tail.rows["seq"].tolist() == [0, 1, 2]
    assert tail.torn_bytes == path.stat().st_size - whole


@pytest.mark.safety
def test_every_changed_byte_of_a_tail_ends_the_reading_there(tmp_path: Path) -> None:
    path = tmp_path / "tail.bin"
    writer = TailWriter(path)
    for at in range(3):
        writer.append(rows(1, at), (CHANGE,))
    writer.close()
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        tail = read_tail(path)
        assert tail.torn_bytes > 0
        assert len(tail.rows) + len(tail.objects) < 6


@pytest.mark.safety
def test_a_changed_segment_is_refused(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path / "s1", about())
    recorder.append(rows(100))
    recorder.close({"decisions": 0})
    file = next(recorder.folder.rglob("kind=events/*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptError, match="does not match its hash"):
        read_session(recorder.folder)
    assert len(verify_session(recorder.folder)) == 1


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path / "s1", about())
    with pytest.raises(OutsideError, match="another"):
        SessionRecorder(tmp_path / "s1", about())
    recorder.abandon()


def test_an_object_without_a_stored_form_is_refused() -> None:
    with pytest.raises(InvariantError, match="no stored form"):
        encode(object())
    for event in (REPORT, CHANGE, VIEW):
        assert decode(encode(event)) == event


def test_a_backup_is_read_back_and_finds_damage(tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        recorder = SessionRecorder(tmp_path / "data" / "sessions" / name, about(name))
        recorder.append(rows(10))
        if name == "s1":
            recorder.close({"decisions": 0})
        else:
            recorder.abandon()
    copy = backup_sessions(tmp_path / "data", tmp_path / "copy")
    assert copy.sessions == 1  # the other one was cut off: it waits to be continued
    kept = tmp_path / "copy" / "sessions" / "s1"
    assert read_session(kept).events.tobytes() == rows(10).tobytes()
    assert (closing_of(kept) or {})["decisions"] == 0
    file = next(kept.rglob("kind=events/*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptError, match="does not match"):
        backup_sessions(tmp_path / "data", tmp_path / "copy")


def test_a_backup_of_one_session_leaves_the_others_unread(tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        recorder = SessionRecorder(tmp_path / "data" / "sessions" / name, about(name))
        recorder.append(rows(10))
        recorder.close({"decisions": 0})
    broken = next((tmp_path / "data" / "sessions" / "s1").rglob("kind=events/*.parquet"))
    broken.write_bytes(broken.read_bytes()[:-1])
    assert backup_sessions(tmp_path / "data", tmp_path / "copy", "s2").sessions == 1
    with pytest.raises(CorruptError, match="itself is damaged"):
        backup_sessions(tmp_path / "data", tmp_path / "copy", "s1")
