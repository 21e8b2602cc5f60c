"""Questions to the catalog: lists, health, SQL, verified backup, export."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mia_kernel.adapters import catalog_query as query
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.importing import import_sources
from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from tests.fakes.market_files import bar_csv, cme_zip, session

pytestmark = pytest.mark.unit


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "data")
    zipped, bars = tmp_path / "day.zip", tmp_path / "ES_5min.csv"
    zipped.write_bytes(cme_zip())
    days = [datetime(2022, 8, 8), datetime(2022, 8, 9), datetime(2022, 8, 11)]
    bars.write_bytes(bar_csv([bar for day in days for bar in session(day)]))
    import_sources([zipped, bars], catalog)
    return catalog


def test_days_are_listed_by_series(catalog: Catalog) -> None:
    entries = query.list_days(catalog)
    found = {(e.symbol, e.contract, e.day, e.kinds, e.rows) for e in entries}
    assert ("ES", "ESU19", 20190809, ("trades",), 5) in found
    assert ("ES", "continuous", 20220809, ("bars",), 276) in found
    assert len(query.to_json(entries)) == len(entries) == 5


def test_health_names_absent_sessions(catalog: Catalog) -> None:
    series = {(h.contract, h.adapter): h for h in query.health(catalog)}
    bars = series["continuous", "bars-csv"]
    assert (bars.days, bars.first_day, bars.last_day) == (3, 20220808, 20220811)
    assert bars.missing_days == (20220810,)
    assert series["ESU19", "cme"].aggressor == "tick_rule"


def test_sql_sees_prices_in_points_and_times_in_utc(catalog: Catalog) -> None:
    table = query.sql(
        catalog, "SELECT contract, count(*) AS n, max(price) AS top FROM trades GROUP BY 1 ORDER BY n DESC"
    )
    assert table["n"].tolist() == [5, 1]
    assert table["top"][0] == 2928.25
    first = query.sql(catalog, "SELECT min(time) AS t, min(day) AS d FROM bars")
    assert first["t"][0] == pd.Timestamp("2022-08-07T22:05")
    assert first["d"][0] == 20220808
    assert query.sql(catalog, "SELECT count(*) AS n FROM book")["n"][0] == 0
    with pytest.raises(InputError):
        query.sql(catalog, "SELECT nothing FROM nowhere")


def test_a_day_is_shown(catalog: Catalog) -> None:
    shown = query.show_day(catalog, "2019-08-09")
    assert shown["kinds"] == {"trades": 5}
    assert shown["first_event"] == "2019-08-08T22:00:00.000000001+00:00"


def test_a_backup_is_verified_and_repeating_it_copies_nothing(catalog: Catalog, tmp_path: Path) -> None:
    copy = query.backup(catalog, tmp_path / "backup")
    assert copy.verified
    assert copy.files == 5
    again = Catalog(Path(copy.path))
    assert (again.read_day("ES", 20190809).events == catalog.read_day("ES", 20190809).events).all()
    assert query.backup(catalog, tmp_path / "backup") == copy


@pytest.mark.safety
def test_damage_is_found_by_verification_and_stops_a_backup(catalog: Catalog, tmp_path: Path) -> None:
    assert query.verify(catalog).ok
    next(catalog.store.root.rglob("*.parquet")).write_bytes(b"x")
    verdict = query.verify(catalog)
    assert not verdict.ok
    assert len(verdict.problems) == 1
    with pytest.raises(CorruptError):
        query.backup(catalog, tmp_path / "backup")


@pytest.mark.safety
def test_a_backup_that_does_not_fit_leaves_nothing(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mia_kernel.adapters.catalog_query.shutil.copyfile", full)
    with pytest.raises(OutsideError, match="full"):
        query.backup(catalog, tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == []


def test_an_empty_catalog_has_nothing_to_copy_or_export(tmp_path: Path) -> None:
    empty = Catalog(tmp_path / "none")
    assert query.list_days(empty) == []
    assert query.health(empty) == []
    with pytest.raises(InputError):
        query.backup(empty, tmp_path)
    with pytest.raises(InputError):
        query.export(empty, tmp_path / "x.parquet")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_export_writes_one_flat_table(catalog: Catalog, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"bars{suffix}"
    assert query.export(catalog, file, symbol="ES") == 3 * 276
    table = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file)
    assert len(table) == 3 * 276
    assert {"time", "open_price", "close_price", "sz", "symbol", "day"} <= set(table.columns)
    assert query.export(catalog, tmp_path / f"t{suffix}", symbol="ESU19", kind="trades") == 5
    with pytest.raises(InputError):
        query.export(catalog, tmp_path / "x.xlsx")


def test_days_between_two_imports_are_in_time_order(catalog: Catalog, tmp_path: Path) -> None:
    more = tmp_path / "ES_more.csv"
    more.write_bytes(
        bar_csv([bar for k in (2,) for bar in session(datetime(2022, 8, 8) + timedelta(days=k))])
    )
    import_sources([more], catalog, tz="ET")
    health = {h.contract: h for h in query.health(catalog) if h.adapter == "bars-csv"}
    assert health["continuous"].missing_days == ()
