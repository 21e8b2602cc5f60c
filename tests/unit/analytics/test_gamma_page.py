"""The gamma section of a day's page: what chains said, once each, placed on the day's price; or one line."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import pytest

import widgets
from mia_kernel.adapters.journal import JournalWriter
from mia_kernel.analytics.chains_told import OPTIONS, ChainsTold, series
from mia_kernel.analytics.gamma_page import NO_CHAIN
from mia_kernel.core.events import OptionView
from mia_kernel.desk.review import review
from mia_kernel.settings import load
from tests.fakes import journals

pytestmark = [pytest.mark.unit, pytest.mark.options]

MINUTE = 60_000_000_000


def view(minute: int, *, source: str = "a.csv", **figures: float | None) -> OptionView:
    ts = journals.START_NS + minute * MINUTE
    told = {"call_wall_ticks": 26_040.0, "put_wall_ticks": 25_000.0, "gamma_flip_ticks": 25_900.0,
            "dealer_gamma_position": 1.0, "total_gamma_exposure_usd": 9.5e9}  # fmt: skip
    return OptionView(ts, ts, minute, journals.START_NS, 0, False, 0.73, source, told | figures)


def told(*views: OptionView) -> ChainsTold:
    found = ChainsTold()
    for one in views:
        found.add(one)
    return found


def test_a_view_that_says_nothing_new_makes_no_row() -> None:
    found = told(view(0), view(1), view(2, gamma_flip_ticks=25_901.0), view(3, call_wall_ticks=26_041.0))
    assert [row["ts"] for row in found.rows] == [journals.START_NS, journals.START_NS + 3 * MINUTE]
    assert len(told(view(0), view(1, put_wall_ticks=None), view(2)).rows) == 3
    assert len(told(view(0), view(1, source="b.csv")).rows) == 2
    assert series([]) == {}
    assert series(found.rows)["call_wall"].tolist() == [6510.0, 6510.25]


def _journal(home: Path, *views: OptionView) -> Path:
    path = home / "data" / "journal" / "a.sqlite"
    with JournalWriter(path, live=False) as journal:
        journal.open_run(journals.header())
        journal.append(journals.decisions(400))
        kept = ChainsTold()
        for one in views:
            kept.add(one, journal.append_record)
        journal.close({"digest": "0" * 64})
    return path


def test_the_page_of_a_day_with_a_chain_shows_it_and_its_picture(mia_home: Path) -> None:
    page = review(_journal(mia_home, view(0), view(30, call_wall_ticks=26_080.0)), settings=load().settings)
    for words in ("a.csv", "long gamma", "+9.5 to +9.5 bn", "6,510.00", "6,520.00", "0.73", "Modelled"):
        assert words in page.gamma
    assert page.gamma.count("<tr") == 2 + 1 + 8  # two heads, one chain, eight levels
    figure = widgets.gamma_day(page.frame)
    assert isinstance(figure, go.Figure)
    assert "call wall" in {trace.name for trace in figure.data}
    notes = [str(note.text) for note in figure.layout.annotations]
    assert "not in the picture: put wall 6,250.00 · zero gamma 6,475.00" in notes


def test_the_page_of_a_day_without_a_chain_says_so_in_one_line(mia_home: Path) -> None:
    page = review(_journal(mia_home), settings=load().settings)
    assert NO_CHAIN in page.gamma
    assert "<table" not in page.gamma
    assert not isinstance(widgets.gamma_day(page.frame), go.Figure)


def test_a_hostile_name_of_a_chain_is_inert(mia_home: Path) -> None:
    page = review(_journal(mia_home, view(0, source="<script>alert(1)</script>")), settings=load().settings)
    assert "<script" not in page.gamma
    assert OPTIONS == "options"
