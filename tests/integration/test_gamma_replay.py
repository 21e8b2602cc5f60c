"""A day replayed with its chain: gamma components present, coverage up, nothing known before its time."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.chain_history import ChainHistory
from mia_kernel.adapters.chain_views import lay_read_chains, stored_chains
from mia_kernel.adapters.chains import read_chain
from mia_kernel.adapters.sources import open_source
from mia_kernel.core.errors import DataError, InputError
from mia_kernel.core.events import OptionView, Recording
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [needs_shared_data, pytest.mark.options, pytest.mark.integration]

MONDAY = "2022-02-07"


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


@lru_cache(maxsize=2)
def _contract(code: str) -> Recording:
    return open_source(shared_file(f"sierra_es_5min_contracts/{code}-CME.txt.gz"))


def _day(contract: str, first: str, last: str, extras: list[str]) -> Recording:
    recording = _contract(contract)
    rows = recording.events
    keep = (rows["ts_recv"] >= _utc(first)) & (rows["ts_recv"] <= _utc(last))
    day = replace(recording, events=rows[keep])
    return lay_read_chains(day, [read_chain(shared_file(name)) for name in extras]) if extras else day


@pytest.fixture(scope="module")
def monday() -> Recording:
    return _day("ESH22", "2022-02-06T23:00", "2022-02-07T22:00", ["options/spx_20220205_2009ET_weekend.csv"])


def test_components_are_present_and_coverage_is_up(monday: Recording) -> None:
    settings = load(arguments={"confluence.weights": "mia14"}).settings
    plain = Run(settings, _day("ESH22", "2022-02-06T23:00", "2022-02-07T22:00", []))
    with_chain = Run(settings, monday)
    plain.drive()
    with_chain.drive()
    without, found = plain.summary(), with_chain.summary()
    for name in ("gamma_levels", "options_flow"):
        assert without["components"][name]["present_share"] == 0.0
        assert found["components"][name]["present_share"] > 0.9
    assert found["components"]["gamma_levels"]["max"] > found["components"]["gamma_levels"]["min"]
    assert found["coverage"] > without["coverage"] + 0.15


def test_an_end_of_day_chain_speaks_until_five_in_the_evening_of_the_next_cash_day(monday: Recording) -> None:
    views = [event for event in monday.objects if isinstance(event, OptionView)]
    assert {view.valid_until for view in views} == {_utc("2022-02-07T22:00")}
    assert views[0].ts_recv >= int(monday.events["ts_recv"][0])
    assert views[-1].ts_recv <= _utc("2022-02-07T22:00")


def test_a_view_is_priced_at_what_was_traded_before_it(monday: Recording) -> None:
    views = [event for event in monday.objects if isinstance(event, OptionView)]
    later = monday.events.copy()
    cut = _utc("2022-02-07T16:00")
    later["px"][later["ts_recv"] >= cut] += 400
    changed = lay_read_chains(
        replace(monday, events=later, objects=()),
        [read_chain(shared_file("options/spx_20220205_2009ET_weekend.csv"))],
    )
    other = [event for event in changed.objects if isinstance(event, OptionView)]
    same = [(a, b) for a, b in zip(views, other, strict=True) if a.ts_recv <= cut]
    assert len(same) > 100
    assert all(a.figures == b.figures for a, b in same)
    assert any(a.figures != b.figures for a, b in zip(views, other, strict=True) if a.ts_recv > cut)


def test_a_later_chain_never_speaks_for_an_earlier_minute() -> None:
    with pytest.raises(InputError, match="no chain is in force"):
        _day("ESH22", "2022-02-03T15:00", "2022-02-03T20:00", ["options/spx_20220205_2009ET_weekend.csv"])


def test_a_partial_chain_says_so_in_its_quality() -> None:
    name = "spx_chains/spx_quotedata_20241111_nearmoney_es_locale.csv"
    day = _day("ESZ24", "2024-11-11T14:30", "2024-11-11T20:00", [name])
    views = [event for event in day.objects if isinstance(event, OptionView)]
    assert views
    assert {view.valid_until for view in views} == {_utc("2024-11-11T22:00")}
    assert max(view.quality for view in views) < 0.6
    assert all(view.figures["call_wall_ticks"] is not None for view in views)


def test_walls_are_placed_by_the_ratio_of_the_chain(monday: Recording) -> None:
    view = next(event for event in monday.objects if isinstance(event, OptionView))
    wall = view.figures["call_wall_ticks"]
    assert wall is not None
    # ESH22 stood 13.6 points under the index: half a month of dividends and no rate.
    assert wall * 0.25 == pytest.approx(4700 * 0.99697, abs=0.5)


def test_a_future_of_another_year_is_refused() -> None:
    recording = _contract("ESH22")
    rows = recording.events
    keep = (rows["ts_recv"] >= _utc("2022-02-07T15:00")) & (rows["ts_recv"] <= _utc("2022-02-07T16:00"))
    moved = rows[keep].copy()
    moved["px"] += 3000
    chain = read_chain(shared_file("options/spx_20220205_2009ET_weekend.csv"))
    with pytest.raises(DataError, match="too far from what its chain implies"):
        lay_read_chains(replace(recording, events=moved), [chain])
    adjusted = replace(recording.source, adjustment="back_adjusted")
    with pytest.raises(InputError, match="back-adjusted"):
        lay_read_chains(replace(recording, source=adjusted), [chain])


def test_a_stored_chain_comes_along_with_the_days_it_counts_for(tmp_path: Path) -> None:
    shelf = ChainHistory(tmp_path)
    shelf.add(read_chain(shared_file("options/spx_20220205_2009ET_weekend.csv")))
    monday = stored_chains(tmp_path, _utc("2022-02-07T14:30"), _utc("2022-02-07T21:00"))
    assert [chain.underlying for chain in monday] == ["SPX"]
    assert stored_chains(tmp_path, _utc("2022-02-08T14:30"), _utc("2022-02-08T21:00")) == []
    assert stored_chains(tmp_path, _utc("2022-02-04T14:30"), _utc("2022-02-04T21:00")) == []
