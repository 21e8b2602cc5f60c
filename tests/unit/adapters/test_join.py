"""Joining contracts: the roll by volume, the spread where both trade, one numbering."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.join import calendar_spread, choose, in_time_order, richness
from mia_kernel.adapters.parts import Ask
from mia_kernel.adapters.sources import open_source, read_parts
from mia_kernel.core import events as ev
from mia_kernel.core.events import Carries, ContractChange, SourceInfo
from tests.fakes.market_files import session, sierra_text

pytestmark = pytest.mark.unit

OLD, NEW = "ESU22", "ESZ22"


def _write(folder: Path, contract: str, days: list[tuple[datetime, int]], shift: float) -> None:
    bars = [
        (bar[0], *(p + shift for p in bar[1:5]), volume, volume // 2, volume - volume // 2)
        for day, volume in days
        for bar in session(day)
    ]
    (folder / f"{contract}-CME.txt").write_bytes(sierra_text(bars))  # type: ignore[arg-type]


@pytest.fixture
def rolled(tmp_path: Path) -> Path:
    # September 2022: the old contract leads on Wednesday, the new one on Thursday and Friday.
    days = [datetime(2022, 9, 7) + timedelta(days=k) for k in range(3)]
    _write(tmp_path, OLD, list(zip(days, (900, 300, 100), strict=True)), 0.0)
    _write(tmp_path, NEW, list(zip(days, (100, 700, 900), strict=True)), 6.25)
    return tmp_path


def test_the_new_contract_is_front_the_day_after_its_volume_was_larger(rolled: Path) -> None:
    recording = open_source(rolled)
    change = recording.objects[0]
    assert isinstance(change, ContractChange)
    assert (change.old, change.new, change.spread_ticks) == (OLD, NEW, 25)
    # Thursday's volume is known when Thursday is over: Friday's session opens on Thursday 18:00 New York.
    assert change.ts_event == int(np.datetime64("2022-09-08T22:00", "ns").astype(np.int64))
    rows = recording.events
    before, after = rows[rows["ts_event"] <= change.ts_event], rows[rows["ts_event"] > change.ts_event]
    assert (len(before), len(after)) == (2 * 276, 276)
    assert before["seq"][-1] < change.seq < after["seq"][0]
    assert set(before["sz"]) == {900, 300}
    assert set(after["sz"]) == {900}


def test_one_contract_may_be_asked_for(rolled: Path) -> None:
    recording = open_source(rolled, symbol=OLD)
    assert recording.source.contract == OLD
    assert recording.objects == ()
    assert len(recording) == 3 * 276


def test_no_common_bars_means_no_spread() -> None:
    assert calendar_spread(ev.empty(0), ev.empty(0), 10**18) is None


def test_a_richer_source_is_preferred() -> None:
    def info(**carries: object) -> SourceInfo:
        return SourceInfo("imported", "x", "x", "ES", carries=Carries(**carries))  # type: ignore[arg-type]

    order = [
        info(bars=True, bar_seconds=300),
        info(bars=True, bar_seconds=60),
        info(trades=True, aggressor="tick_rule"),
        info(trades=True, aggressor="feed"),
        info(trades=True, quotes=True, aggressor="feed"),
        info(book=True),
        info(book=True, trades=True, aggressor="feed"),
    ]
    assert sorted(order, key=richness) == order


def test_the_part_of_most_volume_is_chosen(rolled: Path) -> None:
    parts = [part for file in sorted(rolled.iterdir()) for part in read_parts(file, Ask())]
    assert choose(parts, Ask(), "x").source.contract == NEW
    assert choose(parts, Ask(symbol=OLD), "x").source.contract == OLD


def test_equal_stamps_keep_the_order_of_the_files() -> None:
    a, b = ev.empty(2), ev.empty(2)
    for rows, px in ((a, 1), (b, 2)):
        rows["kind"], rows["px"], rows["ts_event"], rows["ts_recv"], rows["seq"] = ev.TRADE, px, 5, 5, [0, 1]
    assert in_time_order([a, b])["px"].tolist() == [1, 1, 2, 2]
