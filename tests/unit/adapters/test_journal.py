"""The journal: what goes in comes out, what is changed is found, what cannot be written changes nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.journal import JournalReader, JournalWriter, verify
from mia_kernel.adapters.journal_tables import export, frames, tail_lines
from mia_kernel.core.decisions import Decision
from mia_kernel.core.errors import CorruptError, InputError, InvariantError, OutsideError
from tests.fakes import journals

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[3]


def write(path: Path | str, count: int = 120, *, live: bool = False, close: bool = True) -> JournalWriter:
    found = journals.decisions(count)
    trips, reports = journals.round_trips(found)
    writer = JournalWriter(path, live=live)
    writer.open_run(journals.header())
    for at in range(0, count, 50):
        writer.append(found[at : at + 50])
    writer.append_reports(reports)
    writer.append_round_trips(trips)
    if close:
        writer.close({"digest": "d" * 64})
    return writer


def same(a: Decision, b: Decision) -> bool:
    arrays = [
        (a.vector.values, b.vector.values),
        (a.vector.quality, b.vector.quality),
        (a.vector.status, b.vector.status),
        (a.score.contributions, b.score.contributions),
        (a.score.weights, b.score.weights),
        (a.gate_outcome, b.gate_outcome),
        (a.gate_required, b.gate_required),
        (a.gate_actual, b.gate_actual),
        (a.context, b.context),
    ]
    plain = ("sequence", "event_sequence", "ts_event", "price_ticks", "signal", "verdict", "intents", "fills")
    return all(x.tobytes() == y.tobytes() for x, y in arrays) and [getattr(a, k) for k in plain] == [
        getattr(b, k) for k in plain
    ]


@pytest.mark.parametrize("live", [False, True])
def test_decisions_come_back_bit_for_bit(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "day.journal"
    write(path, live=live)
    with JournalReader(path) as reader:
        back = list(reader.decisions())
        assert len(back) == 120
        assert all(same(a, b) for a, b in zip(journals.decisions(120), back, strict=True))
        assert back[10].intents
        assert back[10].signal is not None
        trips, reports = journals.round_trips(journals.decisions(120))
        assert reader.round_trips() == trips
        assert reader.reports() == reports
        assert reader.trailer is not None
        assert reader.trailer["counts"]["decision"] == 120
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["day.journal"]


def test_verify_accepts_what_was_written_and_knows_if_it_was_closed(tmp_path: Path) -> None:
    writer = write(tmp_path / "a.journal")
    found = verify(tmp_path / "a.journal", head=writer.head)
    assert (found.ok, found.complete, found.rows) == (True, True, writer.rows)
    left_open = write(tmp_path / "b.journal", live=True, close=False)
    left_open.commit()
    assert verify(tmp_path / "b.journal").ok
    assert not verify(tmp_path / "b.journal").complete
    left_open.close(None)


def test_the_chain_is_the_documented_formula(tmp_path: Path) -> None:
    import hashlib
    import struct

    write(tmp_path / "a.journal", 1)
    db = sqlite3.connect(tmp_path / "a.journal")
    kind, ts, payload, stored = db.execute(
        "SELECT kind, ts_event, payload, hash FROM record WHERE seq = 1"
    ).fetchone()
    db.close()
    body = b"R" + struct.pack("<qqII", 1, ts, len(kind), len(payload)) + kind.encode() + payload.encode()
    assert stored == hashlib.sha256(bytes(32) + struct.pack("<q", 1) + body).digest()


def logical(path: Path) -> list[tuple[object, ...]] | None:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        schema = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        rows = db.execute("SELECT * FROM record ORDER BY seq").fetchall()
        return [*schema, *rows, *db.execute("SELECT * FROM decision ORDER BY seq").fetchall()]
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        db.close()


def test_every_flip_that_changes_a_stored_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 60)
    whole = path.read_bytes()
    truth = logical(path)
    rng = random.Random(11)
    harmful = 0
    for _ in range(300):
        at = rng.randrange(len(whole))
        broken = bytearray(whole)
        broken[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(broken))
        found = verify(path)
        if logical(path) != truth:
            harmful += 1
            assert not found.ok, f"flip at byte {at} changed a record unseen"
            assert found.first_bad is not None
        else:
            assert found.ok, f"flip at byte {at} is harmless and was reported: {found.reason}"
    assert harmful > 200


@pytest.mark.parametrize(
    ("sql", "first_bad"),
    [
        ("UPDATE decision SET total = total + 1e-12 WHERE seq = 10", 10),
        ("UPDATE decision SET detail = '{ }' WHERE seq = 30", 30),
        ("DELETE FROM decision WHERE seq = 20", 20),
        ("UPDATE record SET payload = replace(payload, 'mia14', 'mia11') WHERE seq = 1", 1),
        ("UPDATE decision SET contribution = weight, weight = contribution WHERE seq = 12", 12),
        ("ALTER TABLE decision RENAME COLUMN total TO sum", 1),
    ],
)
def test_an_edit_names_the_first_bad_row(tmp_path: Path, sql: str, first_bad: int) -> None:
    path = tmp_path / "a.journal"
    write(path, 60)
    db = sqlite3.connect(path)
    with db:
        db.execute(sql)
    db.close()
    found = verify(path)
    assert not found.ok
    assert found.first_bad == first_bad


def test_a_cut_tail_is_found_by_the_published_head(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    head = write(path, 60).head
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM record WHERE seq = ?", (head.seq,))
    db.close()
    assert verify(path).ok
    assert not verify(path).complete
    assert not verify(path, head=head).ok


def test_a_truncated_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 200)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.1):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert not verify(path).ok
        with pytest.raises(CorruptError), JournalReader(path) as reader:
            list(reader.decisions())


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    assert not verify(path).ok
    with pytest.raises(CorruptError):
        JournalReader(path)
    with pytest.raises(CorruptError):
        JournalWriter(path, live=True)
    with pytest.raises(InputError, match="no such journal"):
        JournalReader(tmp_path / "missing.journal")


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    first = write(path, live=True, close=False)
    with pytest.raises(OutsideError, match="another process"):
        JournalWriter(path, live=True)
    first.close({})
    JournalWriter(path, live=True).close(None)


def test_a_live_journal_is_continued_and_holds_two_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 60, live=True)
    second = JournalWriter(path, live=True)
    second.open_run(journals.header(source="synthetic:8"))
    second.append(journals.decisions(30, seed=8))
    second.close({})
    assert verify(path).ok
    with JournalReader(path) as last, JournalReader(path, run=0) as first:
        assert len(list(last.decisions())) == 30
        assert last.header["source"] == "synthetic:8"
        assert len(list(first.decisions())) == 60


def test_readers_see_committed_rows_while_the_writer_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    writer = write(path, 60, live=True, close=False)
    writer.commit()
    with JournalReader(path) as reader:
        assert len(reader.tail(100)) == 60
        writer.append(journals.decisions(10, seed=3))
        writer.commit()
        assert len(reader.tail(100)) == 70
    writer.close(None)


def test_a_replay_is_named_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 10)
    before = path.read_bytes()
    writer = write(path, 60, close=False)
    writer.commit()
    assert path.read_bytes() == before
    writer.abandon()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    other = JournalWriter(path, live=False)
    other.open_run(journals.header())
    with pytest.raises(KeyError), other:
        raise KeyError("the run failed")
    assert path.read_bytes() == before


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 10)
    before = path.read_bytes()
    writer = JournalWriter(path, live=False)
    writer.open_run(journals.header())
    writer._db.execute("PRAGMA max_page_count = 12")  # SQLite then answers SQLITE_FULL, as on a full disk
    many = journals.decisions(2000)
    with pytest.raises(OutsideError, match="full"):
        writer.append(many)
    writer.abandon()
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a POSIX tool")
@pytest.mark.parametrize("live", [True, False])
def test_a_refused_write_by_the_system_is_an_outside_error(tmp_path: Path, live: bool) -> None:
    code = f"""
    import resource, signal, sys
    from mia_kernel.adapters.journal import JournalWriter
    from mia_kernel.core.errors import OutsideError
    from tests.fakes import journals
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        w = JournalWriter({str(tmp_path / "a.journal")!r}, live={live})
        w.open_run(journals.header())
        for seed in range(20):
            w.append(journals.decisions(300, seed=seed))
            w.commit()
    except OutsideError as error:
        w.abandon()
        print(error)
        sys.exit(error.exit_code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 3, done.stderr
    assert "a.journal" in done.stdout
    if live:
        assert verify(tmp_path / "a.journal").ok
    else:
        assert not (tmp_path / "a.journal").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX tool")
def test_a_killed_live_writer_leaves_a_journal_that_verifies_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    code = f"""
    from mia_kernel.adapters.journal import JournalWriter
    from tests.fakes import journals
    w = JournalWriter({str(path)!r}, live=True)
    w.open_run(journals.header())
    found = journals.decisions(300)
    print("ready", flush=True)
    while True:
        w.append(found)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and verify(path).rows < 1000:
        child.poll()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    found = verify(path)
    assert found.ok
    assert found.rows >= 1000
    again = JournalWriter(path, live=True)
    assert again.rows == verify(path).rows
    again.close(None)


def test_memory_mode_reads_through_the_writer() -> None:
    writer = write(":memory:", close=False)
    reader = writer.reader()
    assert len(list(reader.decisions())) == 120
    writer.close({})


def test_a_header_without_names_is_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "a.journal", live=False)
    with pytest.raises(InvariantError, match="names"):
        writer.open_run({"source": "x"})
    with pytest.raises(InvariantError, match="open_run"):
        writer.append(journals.decisions(1))
    writer.abandon()


def test_tables_carry_units_and_unknowns(tmp_path: Path) -> None:
    write(tmp_path / "a.journal")
    with JournalReader(tmp_path / "a.journal") as reader:
        tables = frames(reader)
        decisions = tables["decisions"]
        assert decisions.index[0].isoformat() == "2026-02-25T14:30:00+00:00"
        assert decisions["price"].iloc[0] == journals.decisions(1)[0].price_ticks * 0.25
        assert decisions["vwap"].notna().all()
        assert decisions["vix"].isna().all()
        assert list(tables["signals"]["code"].unique()) == ["allow", "spread"]
        assert (tables["round_trips"]["net_usd"] == tables["round_trips"]["gross_usd"] - 4.5).all()
        assert len(tables["fills"]) == 2 * len(tables["round_trips"])
        np.testing.assert_allclose(tables["contributions"].sum(axis=1), decisions["score"], atol=1e-12)
        lines = [json.loads(x) for x in tail_lines(reader, 3)]
        assert [x["sequence"] for x in lines] == [117, 118, 119]
        assert lines[0]["context"]["vix"] is None
        for name in ("out.jsonl", "out.parquet"):
            assert export(reader, tmp_path / name).stat().st_size > 1000
        with pytest.raises(InputError, match="jsonl"):
            export(reader, tmp_path / "out.xyz")


def test_bars_come_back_and_padding_does_not_count(tmp_path: Path) -> None:
    bars = np.zeros(
        5000, np.dtype([("end", np.int64), ("close", np.int32), ("vwap", np.float64)], align=True)
    )
    bars["end"], bars["close"], bars["vwap"] = np.arange(5000), np.arange(5000) * 3, np.nan
    heads = set()
    for filler in (0, 255):
        raw = bars.view(np.uint8).reshape(5000, -1).copy()
        raw[:, 12:16] = filler  # the hole that alignment leaves
        writer = JournalWriter(tmp_path / "a.journal", live=False)
        writer.open_run(journals.header())
        writer.append_bars(raw.view(bars.dtype).reshape(5000))
        heads.add(writer.close({}))
    assert len(heads) == 1
    with JournalReader(tmp_path / "a.journal") as reader:
        back = reader.bars()
        assert back["close"].tolist() == bars["close"].tolist()
        assert np.isnan(back["vwap"]).all()


def test_an_empty_run_has_empty_tables(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "a.journal", live=False)
    writer.open_run(journals.header())
    writer.close({})
    with JournalReader(tmp_path / "a.journal") as reader:
        assert all(len(table) == 0 for table in frames(reader).values())
