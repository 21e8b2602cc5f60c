"""S5 and R9: records edited, deleted, inserted, swapped, cut; bytes flipped, files cut, wherever MIA believes them.

A change is found, or it changed nothing that is read: never a wrong answer without a word. Short form some dozen of
each, `--long` 1,000 of each.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.journal import JournalWriter, verify
from mia_kernel.adapters.journal_reader import records_since
from mia_kernel.adapters.models import MODEL, ModelRegistry
from mia_kernel.core.errors import MiaError
from mia_kernel.ml.inputs import EIGHT
from tests.fakes import journals
from tests.fakes.guarded import Guarded
from tests.fakes.market_files import cme_zip
from tests.fakes.small_model import ensemble

pytestmark = [pytest.mark.unit, pytest.mark.safety]

TIMES = [20, pytest.param(1_000, marks=pytest.mark.long)]


# -- S5: records ---------------------------------------------------------------------------------------


def engine_journal(folder: Path) -> Path:
    """Write a journal of 80 decisions with its orders and round trips."""
    found = journals.decisions(80)
    trips, reports = journals.round_trips(found)
    path = folder / "engine.sqlite"
    writer = JournalWriter(path, live=False)
    writer.open_run(journals.header())
    writer.append(found)
    writer.append_reports(reports)
    writer.append_round_trips(trips)
    writer.close({"digest": "d" * 64})
    return path


def guardian_journal(folder: Path) -> Path:
    """Let a guardian work for two seconds; return what it wrote."""
    guarded = Guarded(folder / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(2.0, 0.05)
    guarded.g.book.close()
    return next((folder / "home" / "journal").glob("guardian-*.sqlite"))


def rows(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return (table, seq) of every record."""
    return [
        (table, seq)
        for table in ("record", "decision")
        for (seq,) in db.execute(f"SELECT seq FROM {table} ORDER BY seq")
    ]


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]


def edit(db: sqlite3.Connection, rng: random.Random) -> None:
    """Change one field of one record."""
    table, seq = rng.choice(rows(db))
    name = rng.choice(columns(db, table))
    (value,) = db.execute(f"SELECT {name} FROM {table} WHERE seq = ?", (seq,)).fetchone()
    match value:
        case bytes():
            changed: Any = bytes([value[0] ^ 1, *value[1:]]) if value else b"x"
        case str():
            changed = value + " "
        case None:
            changed = 0
        case _:
            changed = value + 1
    db.execute(f"UPDATE {table} SET {name} = ? WHERE seq = ?", (changed, seq))


def delete(db: sqlite3.Connection, rng: random.Random) -> None:
    """Take one record out of the middle."""
    table, seq = rng.choice(rows(db)[:-1])
    last = max(seq for _, seq in rows(db))
    db.execute(f"DELETE FROM {table} WHERE seq = ?", (seq if seq != last else 1,))


def insert(db: sqlite3.Connection, rng: random.Random) -> None:
    """Repeat a record at the end, under the next number."""
    table, seq = rng.choice(rows(db))
    names = ", ".join(columns(db, table))
    last = max(seq for _, seq in rows(db))
    db.execute(
        f"INSERT INTO {table} (seq, {names}) SELECT ?, {names} FROM {table} WHERE seq = ?", (last + 1, seq)
    )


def swap(db: sqlite3.Connection, rng: random.Random) -> None:
    """Exchange two records of a table."""
    table = rng.choice([name for name in ("record", "decision") if len(_of(db, name)) > 1])
    one, two = rng.sample(_of(db, table), 2)
    for before, after in ((one, -1), (two, one), (-1, two)):
        db.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (after, before))


def cut(db: sqlite3.Connection, rng: random.Random) -> None:
    """Take everything from one record on away."""
    _, seq = rng.choice(rows(db))
    for table in ("record", "decision"):
        db.execute(f"DELETE FROM {table} WHERE seq >= ?", (seq,))


def _of(db: sqlite3.Connection, table: str) -> list[int]:
    return [seq for name, seq in rows(db) if name == table]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("change", [edit, delete, insert, swap, cut], ids=lambda change: change.__name__)
@pytest.mark.parametrize("make", [engine_journal, guardian_journal], ids=["engine", "guardian"])
def test_a_tampered_record_is_always_found(
    tmp_path: Path, make: Callable[[Path], Path], change: Callable[..., None], times: int
) -> None:
    whole, copy, rng = make(tmp_path), tmp_path / "copy.sqlite", random.Random(times)
    head = verify(whole).head
    for number in range(times):
        shutil.copyfile(whole, copy)
        with closing(sqlite3.connect(copy)) as db, db:
            change(db, rng)
        found = verify(copy, head=head)
        assert not found.ok, (change.__name__, number)
        assert found.reason


# -- R9: bytes -----------------------------------------------------------------------------------------


@dataclass
class Kept:
    """A file that MIA believes, and what is read from it."""

    path: Path
    read: Callable[[], Any]


def catalog_segment(folder: Path) -> Kept:
    """Return the events of a stored day."""
    source = folder / "day.zip"
    source.write_bytes(cme_zip())
    catalog = Catalog(folder / "data")
    import_sources([source], catalog)
    path = next((folder / "data").rglob("contract=ESU19/**/*.parquet"))
    return Kept(path, lambda: catalog.read_day("ES", 20190809).events.tobytes())


def catalog_manifest(folder: Path) -> Kept:
    """Return the list that names what is stored."""
    kept = catalog_segment(folder)
    path = next(p for p in (folder / "data").rglob("*.json"))
    return Kept(path, kept.read)


def model_file(folder: Path) -> Kept:
    """Return the numbers of a trained model."""
    registry = ModelRegistry(folder / "models")
    registry.save("1.0.0", ensemble(), {}, {}, at_ns=1)
    x = np.random.default_rng(1).normal(0, 1, (20, 2 * len(EIGHT))).astype(np.float32)
    return Kept(registry.folder / "1.0.0" / MODEL, lambda: registry.load("1.0.0").evaluate(x).tobytes())


def journal_wal(folder: Path) -> Kept:
    """Return the newest rows of a live journal, which still lie in SQLite's write-ahead file."""
    guarded = Guarded(folder / "home")
    guarded.arm()
    guarded.enter()
    guarded.run(0.5, 0.05)
    source = next((folder / "home" / "journal").glob("guardian-*.sqlite"))
    for end in ("", "-wal"):
        shutil.copyfile(f"{source}{end}", folder / f"live.sqlite{end}")
    guarded.g.book.close()
    path = folder / "live.sqlite"

    def read() -> list[Any]:
        verify(path)
        return records_since(path, None)

    return Kept(folder / "live.sqlite-wal", read)


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """Flip one bit, or cut the file."""
    at = rng.randrange(len(whole))
    if rng.random() < 0.25:
        return whole[:at]
    bent = bytearray(whole)
    bent[at] ^= 1 << rng.randrange(8)
    return bytes(bent)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(
    "make", [catalog_segment, catalog_manifest, model_file], ids=lambda make: make.__name__
)
def test_a_flipped_or_cut_file_is_refused_or_reads_the_same(
    tmp_path: Path, make: Callable[[Path], Kept], times: int
) -> None:
    kept = make(tmp_path)
    whole, truth, rng, refused = kept.path.read_bytes(), kept.read(), random.Random(times), 0
    for _ in range(times):
        kept.path.write_bytes(damaged(whole, rng))
        try:
            assert kept.read() == truth
        except MiaError as error:
            refused += 1
            assert str(error)
    assert refused > times // 2


@pytest.mark.parametrize("times", TIMES)
def test_a_damaged_write_ahead_file_loses_its_tail_or_is_refused(tmp_path: Path, times: int) -> None:
    """What lies behind the damage is gone, as after a power cut: the venue is asked what became of it."""
    kept = journal_wal(tmp_path)
    whole, main, rng = kept.path.read_bytes(), (tmp_path / "live.sqlite").read_bytes(), random.Random(times)
    truth, shorter = kept.read(), 0
    for _ in range(times):
        for leftover in tmp_path.glob("live.sqlite*"):
            leftover.unlink()
        (tmp_path / "live.sqlite").write_bytes(main)
        kept.path.write_bytes(damaged(whole, rng))
        try:
            found = kept.read()
        except MiaError as error:
            assert str(error)
        else:
            assert found == truth[: len(found)]
            shorter += len(found) < len(truth)
    assert shorter > 0
