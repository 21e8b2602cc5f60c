"""Importing: verdicts, duplicates, refusals; disk full and kill -9 leave the catalog as it was."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mia_kernel.adapters import catalog_query as query
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources, price_offset, worst_exit_code
from mia_kernel.adapters.sources import open_source
from mia_kernel.core.errors import InputError, OutsideError
from tests.fakes.market_files import bar_csv, bar_json, cme_zip, minutes, session, shifted, sierra_text
from tests.gates import SLACK
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.safety]

BARS = [bar for k in range(3) for bar in session(datetime(2022, 8, 8) + timedelta(days=k))]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "data")


def _file(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def _picture(catalog: Catalog) -> dict[str, str]:
    """Return every file of the catalog with its hash, but for the lock."""
    root = catalog.store.root
    files = [file for file in root.rglob("*") if file.is_file() and file.name != "_lock"]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_each_file_gets_its_verdict(catalog: Catalog, tmp_path: Path) -> None:
    result = import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)[0]
    assert (result.status, result.rows, result.days) == ("stored", 6, (20190809,))
    part = {part.contract: part for part in result.parts}["ESU19"]
    assert (part.rows, part.volume, part.aggressor, part.adjustment) == (5, 18, "tick_rule", "contract")
    assert part.verdict.counts["not_a_trade_open"] == 1
    value = json.loads(json.dumps(result.to_json()))
    assert value["parts"][0]["verdict"]["grade"] in ("good", "degraded", "bad")
    assert part.first_event == "2019-08-08T22:00:00.000000001+00:00"


def test_a_second_import_of_a_file_is_reported_and_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = _file(tmp_path, "day.zip", cme_zip())
    import_sources([path], catalog)
    before = _picture(catalog)
    again = import_sources([path, _file(tmp_path, "copy.bin", path.read_bytes())], catalog)
    assert [(r.status, r.rows, r.rows_known) for r in again] == [("known", 0, 6)] * 2
    assert worst_exit_code(again) == 0
    assert _picture(catalog) == before


def test_a_folder_imports_every_contract(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    _file(folder, "ESU22.txt", sierra_text(shifted(BARS, -1)))
    _file(folder, "ESZ22.txt", sierra_text(shifted(BARS[:300], -1)))
    _file(
        folder, "ESH23.txt", sierra_text(minutes(datetime(2022, 8, 9, 9), 20, step=300))
    )  # too short to prove its zone
    results = import_sources([folder], catalog)
    assert [result.status for result in results] == ["stored"] * 3
    assert {part.zone for result in results for part in result.parts} == {"America/Chicago"}


BROKEN = {
    "empty.csv": b"",
    "unknown.bin": b"\x00\x01\x02" * 50,
    "cut.zip": cme_zip()[:-40],
    "ES_cut.csv": bar_csv(BARS)[:-300] + b"\n2022-08-10 16:5,1,2\n",
    "ES_word.csv": bar_csv(BARS).replace(b",4000.25,", b",many,", 1),
    "ES_scale.csv": bar_csv([(b[0], b[1] + 0.1, b[2] + 0.1, b[3] + 0.1, b[4] + 0.1, *b[5:]) for b in BARS]),
    "day.csv": bar_csv(BARS),  # no symbol
    "ES_short.csv": bar_csv(minutes(datetime(2022, 8, 9, 10), 30)),  # no zone
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_stores_nothing_and_says_why(name: str, catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    before = _picture(catalog)
    path = _file(tmp_path, name, BROKEN[name])
    results = import_sources([path], catalog)
    assert [result.status for result in results] == ["refused"]
    assert results[0].error is not None
    assert str(path) in results[0].error
    assert worst_exit_code(results) == 2
    assert _picture(catalog) == before


def test_a_wrong_zone_stores_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = _file(tmp_path, "ES_5min.csv", bar_csv(BARS))
    refused = import_sources([path], catalog, tz="Europe/Madrid")[0]
    assert refused.error is not None
    assert "wrong zone" in refused.error
    assert "America/New_York" in refused.error
    assert catalog.stored() == []


def test_a_refused_file_does_not_stop_the_others(catalog: Catalog, tmp_path: Path) -> None:
    files = [_file(tmp_path, "empty.csv", b""), _file(tmp_path, "day.zip", cme_zip())]
    assert [result.status for result in import_sources(files, catalog)] == ["refused", "stored"]


def test_a_path_that_does_not_exist_is_bad_usage(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        import_sources([tmp_path / "nothing"], catalog)


def test_prices_are_compared_with_stored_contract_prices(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "ESU22.txt", sierra_text(shifted(BARS, -1)))], catalog)
    above = [(b[0], b[1] + 7, b[2] + 7, b[3] + 7, b[4] + 7, *b[5:]) for b in BARS]
    shiftedup = import_sources([_file(tmp_path, "ES_5min.csv", bar_csv(above))], catalog)[0].parts[0]
    assert shiftedup.adjustment == "back_adjusted"
    assert shiftedup.adjustment_note == "measured: +28 ticks against ESU22 of 20220808 (3 days compared)"
    same = import_sources([_file(tmp_path, "ES_day.json", bar_json(BARS))], catalog)[0].parts[0]
    assert same.adjustment_note is not None
    assert "+0 ticks" in same.adjustment_note


def test_a_distance_that_changes_is_no_offset(tmp_path: Path) -> None:
    bars = open_source(_file(tmp_path, "ES_5min.csv", bar_csv(BARS))).events
    other = bars.copy()
    other["px"] += 28
    assert price_offset(other, bars) == 28
    other["px"][::2] += 1
    assert price_offset(other, bars) is None


def test_a_full_disk_leaves_the_catalog_as_it_was(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    before = _picture(catalog)
    path = _file(tmp_path, "ES_5min.csv", bar_csv(BARS))
    written = 0

    def full(target: Path, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 2:
            target.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        target.write_bytes(data)

    monkeypatch.setattr("mia_kernel.adapters.catalog_stage.write_flushed", full)
    with pytest.raises(OutsideError, match="the disk is full") as caught:
        import_sources([path], catalog)
    assert caught.value.exit_code == 3
    monkeypatch.undo()
    assert _picture(catalog) == before
    assert query.verify(catalog).ok
    assert import_sources([path], catalog)[0].status == "stored"


@pytest.mark.integration
def test_a_really_full_disk_leaves_the_catalog_as_it_was(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        catalog = Catalog(small)
        import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
        before = _picture(catalog)
        many = [bar for k in range(25) for bar in session(datetime(2022, 8, 8) + timedelta(days=k), step=60)]
        many = [bar for bar in many if bar[0].weekday() < 5 and (bar[0].weekday() != 4 or bar[0].hour < 17)]
        many = [bar for bar in many if bar[0].date() != datetime(2022, 9, 5).date()]
        with pytest.raises(OutsideError, match="full"):
            import_sources([_file(tmp_path, "ES_1min.csv", bar_csv(many))], catalog)
        assert _picture(catalog) == before
        assert query.verify(catalog).ok
    finally:
        subprocess.run(["umount", str(small)], check=True)


_VICTIM = """
import sys, time
from pathlib import Path
from mia_kernel.adapters import catalog, catalog_stage, importing, store
slow = getattr({place}, {name!r})
def wait(*args):
    Path({flag!r}).write_text("here")
    time.sleep(30)
    return slow(*args)
setattr({place}, {name!r}, wait)
importing.import_sources([{source!r}], catalog.Catalog(Path({data!r})))
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a Unix word")
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("catalog_stage", "write_flushed"),
        ("store.Store", "publish"),
        ("store", "_flush_folder"),
        ("store.Store", "_write_manifest"),
    ],
)
def test_kill_9_leaves_the_catalog_as_it_was(place: str, name: str, catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    before, listed = _picture(catalog), query.to_json(query.list_days(catalog))
    source = _file(tmp_path, "ES_5min.csv", bar_csv(BARS))
    flag = tmp_path / "flag"
    code = _VICTIM.format(
        place=place, name=name, flag=str(flag), source=str(source), data=str(tmp_path / "data")
    )
    victim = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    while not flag.exists() and victim.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert flag.exists()
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert query.to_json(query.list_days(catalog)) == listed
    assert query.verify(catalog).ok
    with catalog.store.writing():  # the next writer sweeps what the dead one left
        pass
    assert _picture(catalog) == before
    assert import_sources([source], catalog)[0].rows == len(BARS)


@pytest.mark.integration
@pytest.mark.performance
def test_the_real_session_is_in_the_catalog_within_six_seconds(catalog: Catalog) -> None:
    path = shared_file("es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip")
    start = time.perf_counter()
    result = import_sources([path], catalog)[0]
    assert time.perf_counter() - start < 6.0 * SLACK
    assert result.rows == 325_253 + 1_628 + 81
    assert (catalog.read_day("ES", 20190809).events == open_source(path).events).all()
