"""The catalog gives a day back as it came in, stores nothing twice and brings NQ and VIX along."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_days import new_york_dates, split_days
from mia_kernel.adapters.importing import import_sources
from mia_kernel.adapters.sources import open_recording, open_source
from mia_kernel.core import events as ev
from mia_kernel.core.errors import CorruptError, InputError
from tests.fakes.market_files import bar_csv, cme_zip, session, shifted, sierra_text

pytestmark = pytest.mark.unit

DAYS = [datetime(2022, 8, 8) + timedelta(days=k) for k in range(3)]
BARS = [bar for day in DAYS for bar in session(day)]
VIX = b"DATE,OPEN,HIGH,LOW,CLOSE\n8/7/2019,1,1,1,19.49\n8/8/2019,1,1,1,16.91\n8/9/2019,1,1,1,17.97\n"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "data")


def _file(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_day_comes_back_as_it_was_read(catalog: Catalog, tmp_path: Path) -> None:
    path = _file(tmp_path, "day.zip", cme_zip())
    import_sources([path], catalog)
    day, read = catalog.read_day("ES", 20190809), open_source(path)
    assert (day.events == read.events).all()
    assert day.source.tag == "replay"
    assert (day.source.contract, day.source.carries) == (read.source.contract, read.source.carries)
    assert catalog.days("ES") == [20190809]
    assert len(catalog.read_day("ESZ19", 20190809)) == 1


def test_days_are_named_in_several_ways(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    for text in ("2019-08-09", "20190809", "ES/2019-08-09", "ESU19/20190809"):
        assert len(catalog.read_uri(text)) == 5
    assert len(open_recording("replay:2019-08-09", home=tmp_path)) == 5
    for text in ("2019-08-10", "NQ/2019-08-09", "yesterday"):
        with pytest.raises(InputError):
            catalog.read_uri(text)


def test_a_bar_that_ends_at_the_close_belongs_to_its_own_day(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "ES_5min.csv", bar_csv(BARS))], catalog)
    assert catalog.days("ES") == [20220808, 20220809, 20220810]
    day = catalog.read_day("ES", 20220809)
    assert len(day) == 276
    assert day.events["ts_event"][-1] == int(np.datetime64("2022-08-09T21:00", "ns").astype(np.int64))


def test_the_same_rows_are_never_stored_twice(catalog: Catalog, tmp_path: Path) -> None:
    first = import_sources([_file(tmp_path, "ES_a.csv", bar_csv(BARS[:400]))], catalog)[0]
    more = import_sources([_file(tmp_path, "ES_b.csv", bar_csv(BARS[200:]))], catalog)[0]
    assert (first.rows, first.rows_known) == (400, 0)
    assert (more.rows, more.rows_known) == (len(BARS) - 400, 200)
    assert sum(len(catalog.read_day("ES", day)) for day in catalog.days("ES")) == len(BARS)


def test_ticks_inside_a_stored_time_are_taken_as_stored(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    again = import_sources([_file(tmp_path, "packed.zip", cme_zip() + b"")], catalog)[0]
    assert again.status == "known"


def test_of_two_series_the_one_that_tells_more_is_replayed(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "ES_5min.csv", bar_csv(BARS))], catalog)
    sierra = sierra_text(shifted(BARS, -1))
    import_sources([_file(tmp_path, "ESU22.txt", sierra)], catalog)
    assert catalog.read_day("ES", 20220809).source.adapter in ("sierra", "bars-csv")
    import_sources([_file(tmp_path, "ES_1min.csv", bar_csv(session(DAYS[1], step=60)))], catalog, tz="ET")
    assert catalog.read_day("ES", 20220809).source.carries.bar_seconds == 60


def test_a_day_brings_nq_and_the_vix_close_before_it(catalog: Catalog, tmp_path: Path) -> None:
    nq = [bar for k in range(5) for bar in session(datetime(2019, 8, 5) + timedelta(days=k))]
    # Before 2021-06-28 the exchange paused from 16:15 to 16:30 New York.
    nq = [bar for bar in nq if not (bar[0].hour == 16 and 15 <= bar[0].minute < 30)]
    files = [
        _file(tmp_path, "day.zip", cme_zip()),
        _file(tmp_path, "NQ_5min.csv", bar_csv(nq)),
        _file(tmp_path, "VIX_daily.csv", VIX),
    ]
    results = import_sources(files, catalog)
    assert [result.status for result in results] == ["stored"] * 3
    day = catalog.read_day("ES", 20190809)
    rows = day.events
    assert [source.symbol for source in day.others] == ["NQ", "VIX"]
    assert rows["instrument"][0] == ev.VIX
    assert rows["px"][0] == 1691
    assert (np.diff(rows["ts_recv"]) >= 0).all()
    assert int((rows["instrument"] == ev.PRIMARY).sum()) == 5
    assert int((rows["instrument"] == ev.SECOND).sum()) > 100
    assert catalog.days("VIX") == [20190807, 20190808, 20190809]


@pytest.mark.safety
def test_a_changed_file_is_not_replayed(catalog: Catalog, tmp_path: Path) -> None:
    import_sources([_file(tmp_path, "day.zip", cme_zip())], catalog)
    file = next(catalog.store.root.rglob("contract=ESU19/**/*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CorruptError):
        catalog.read_day("ES", 20190809)


def test_days_of_rows() -> None:
    assert split_days(ev.empty(0)) == []
    stamps = np.array([np.datetime64("2019-08-08T20:15", "ns").astype(np.int64)])
    assert new_york_dates(stamps).tolist() == [20190808]
