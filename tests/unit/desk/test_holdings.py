# pyright: basic, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false
"""What a notebook sees of the catalog: planted defects come out as told, SQL and the magic answer."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mia_kernel as mia
import widgets
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.catalog_query import day_text
from mia_kernel.adapters.importing import import_sources
from mia_kernel.core.errors import InputError
from mia_kernel.desk import magics
from mia_kernel.desk.holdings import Holdings
from tests.fakes.market_files import bar_csv, session

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def owned() -> Holdings:
    return mia.holdings("synthetic:3")


def test_planted_defects_are_found(owned: Holdings) -> None:
    assert owned.synthetic
    assert {result.status for result in owned.imported} == {"stored"}
    repairs = owned.repairs.set_index("finding")["rows"]
    assert min(repairs["duplicates"], repairs["side_mismatch"], repairs["off_grid"]) > 5
    sides = owned.sides.set_index("series")
    assert sides["aggressor"].filter(like="NQ").tolist() == ["untrusted"]
    assert sides["agreement"].filter(like="scid").min() > 0.99
    assert owned.gaps("ES")["seconds"].max() > 25 * 60


def test_a_folder_looked_at_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ES.csv").write_bytes(bar_csv(session(datetime(2024, 8, 5), step=900)))
    code = f"import mia_kernel as mia; print(len(mia.holdings({str(tmp_path / 'own')!r}).stored))"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[-1]) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_the_calendar_names_sessions_and_refuses_what_is_not_there(owned: Holdings) -> None:
    calendar = owned.calendar("ES")
    assert calendar["due"].all()
    assert calendar["score"].notna().all()
    with pytest.raises(InputError):
        owned.calendar("MES")


def test_the_views_are_drawn_and_stamped(owned: Holdings) -> None:
    drawn = (
        widgets.calendar_map(owned.calendar("ES"), stamp="SYNTHETIC"),
        widgets.gap_timeline(owned.gaps("ES"), stamp="SYNTHETIC"),
        widgets.gap_timeline(owned.gaps("VIX"), stamp="SYNTHETIC"),
        widgets.side_agreement(owned.sides, stamp="SYNTHETIC"),
        widgets.repair_ladder(owned.repairs, stamp="SYNTHETIC"),
    )
    assert all(any(a.name == "stamp" for a in figure.layout.annotations) for figure in drawn)


def test_files_of_one_series_are_one_bar_and_the_untold_are_counted() -> None:
    sides = pd.DataFrame(
        [
            ("ESH24 databento", "trades", "feed", 30, 30, 1.0),
            ("ESH24 databento", "trades", "feed", 10, 2, 0.2),
            ("ESZ19 cme", "trades", "tick_rule", None, 0, np.nan),
            ("ESU19 cme", "trades", "tick_rule", None, 0, np.nan),
        ],
        columns=["series", "kind", "aggressor", "decidable", "agree", "agreement"],
    )
    drawn = widgets.side_agreement(sides)
    assert list(drawn.data[0].x) == [0.8]
    assert any(a.text == "no quote to compare: 2 × cme trades (tick_rule)" for a in drawn.layout.annotations)
    assert not widgets.side_agreement(sides[2:]).data


def test_years_of_daily_values_are_told_as_years(owned: Holdings) -> None:
    assert [day_text(day) for day in (19900000, 20240805)] == ["1990", "20240805"]
    assert set(owned.series["first_day"].str.len()) <= {4, 8}


def test_the_book_over_time(owned: Holdings) -> None:
    heat = mia.day("synthetic:3").book_heat(minutes=10)
    assert heat.size.shape == (len(heat.price), len(heat.time))
    best = heat.size[[round(float(b - heat.price[0]) * 4) for b in heat.bid], range(len(heat.time))]
    assert (best > 0).all()
    figure = widgets.heat(
        heat.time, heat.price, heat.size, heat.bid, heat.ask, heat.trades, stamp="SYNTHETIC"
    )
    assert figure.data[0].type == "heatmap"


def test_sql_and_the_magic(owned: Holdings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = owned.catalog.store.root.parents[1]
    monkeypatch.setenv("MIA_HOME", str(home))
    query = "SELECT count(*) AS n FROM trades WHERE symbol = 'ES'"
    told = mia.sql(query, home=home)["n"][0]
    assert told == owned.rows("ES")["trades"]
    assert magics.mia("sql", query)["n"][0] == told
    assert magics.mia(f"sql {query}")["n"][0] == told
    with pytest.raises(InputError, match="no such word"):
        magics.mia("sell everything")
    with pytest.raises(InputError, match="no query"):
        magics.mia("sql", " ")


def test_a_day_that_no_series_reaches_is_not_called_missing(tmp_path: Path) -> None:
    """Two files years apart: the years between are no hole, a day left out inside one is."""
    for name, day, left_out in (("ES_a.csv", datetime(2022, 8, 8), 2), ("ES_b.csv", datetime(2024, 8, 5), 9)):
        days = [k for k in range(4) if k != left_out]
        rows = [bar for k in days for bar in session(day + timedelta(days=k), step=900)]
        (tmp_path / name).write_bytes(bar_csv(rows))
    catalog = Catalog(tmp_path / "data")
    for name in ("ES_a.csv", "ES_b.csv"):
        (result,) = import_sources([tmp_path / name], catalog)
        assert result.status == "stored"
    days = Holdings(catalog, ()).calendar("ES")
    absent = days[days["due"] & days["score"].isna()]["day"].tolist()
    assert 20230301 not in absent
    assert 20220810 in days["day"].tolist()
