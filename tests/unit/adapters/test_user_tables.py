"""The user's own tables: levels of others and economic events, laid beside a run and refused where wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.adapters.user_tables import kind_of, read_events, read_levels
from mia_kernel.core.errors import DataError
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state.levels import NAMES

pytestmark = pytest.mark.unit

LEVELS = """ts,symbol,type,price,strength
2026-06-15T08:00:00-04:00,ES,call_resistance,6100.25,0.9
2026-06-15T08:00:00-04:00,ES,put_support,5900,
2026-06-15T09:00:00-04:00,NQ,hvl,21000,
"""
EVENTS = """ts,impact,name
2026-06-15T10:00:00-04:00,high,CPI
2026-06-15T08:30:00-04:00,Medium,Retail sales
"""


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_tables_are_known_by_their_header(tmp_path: Path) -> None:
    assert kind_of(write(tmp_path, LEVELS)) == "levels"
    assert kind_of(write(tmp_path, EVENTS)) == "events"
    assert kind_of(write(tmp_path, "time,open,high\n")) is None
    assert kind_of(tmp_path / "missing.csv") is None


def test_levels_of_the_traded_product_are_taken(tmp_path: Path) -> None:
    found = read_levels(write(tmp_path, LEVELS), "MES")
    assert [(level.kind, level.price_ticks, level.strength) for level in found] == [
        ("call_resistance", 24401.0, 0.9),
        ("put_support", 23600.0, 1.0),
    ]


@pytest.mark.parametrize(
    ("row", "field", "line"),
    [
        ("2026-06-15T08:00:00-04:00,ES,wall,6100,", "type", 2),
        ("2026-06-15T08:00:00-04:00,ES,hvl,-3,", "price", 2),
        ("2026-06-15T08:00:00-04:00,ES,hvl,nan,", "price", 2),
        ("2026-06-15T08:00:00-04:00,ES,hvl,6000,1.5", "strength", 2),
        ("2026-06-15 08:00,ES,hvl,6000,", "ts", 2),
        ("2026-06-15T08:00:00-04:00,ES", "type", 2),
    ],
)
def test_a_wrong_row_refuses_the_file_with_its_place(tmp_path: Path, row: str, field: str, line: int) -> None:
    with pytest.raises(DataError) as caught:
        read_levels(write(tmp_path, "ts,symbol,type,price,strength\n" + row + "\n"), "ES")
    assert (caught.value.field, caught.value.line) == (field, line)
    assert "nothing of the file was taken" in str(caught.value)


def test_levels_of_another_product_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no level for the traded product"):
        read_levels(write(tmp_path, LEVELS), "CL")


def test_events_are_in_order_with_their_impact(tmp_path: Path) -> None:
    found = read_events(write(tmp_path, EVENTS))
    assert found["impact"].tolist() == [1, 2]
    assert (found["ts"][1:] > found["ts"][:-1]).all()
    with pytest.raises(DataError, match="impact"):
        read_events(write(tmp_path, "ts,impact,name\n2026-06-15T08:30:00-04:00,huge,CPI\n"))
    with pytest.raises(DataError, match="no event"):
        read_events(write(tmp_path, "ts,impact,name\n"))


def test_a_run_sees_levels_from_their_time_on_and_refuses_near_an_event(tmp_path: Path) -> None:
    bare = open_recording("synthetic:7")
    middle = int(bare.events["ts_event"][len(bare.events) // 2])
    price = float(bare.events["px"][bare.events["px"] > 0][0]) / 4
    stamp = _iso(middle)
    levels = write(tmp_path, f"ts,symbol,type,price\n{stamp},ES,hvl,{price}\n", "levels.csv")
    events = write(tmp_path, f"ts,impact,name\n{stamp},high,FOMC\n", "events.csv")
    recording = open_recording("synthetic:7", [levels, events])
    run = Run(load().settings, recording)
    seen: list[tuple[int, bool]] = []
    slot = NAMES.index("hvl")
    run.watch(lambda market, ts: seen.append((ts, bool(market.array["levels"][0]["at"][slot]["known"]))))
    run.drive()
    assert not any(known for ts, known in seen if ts < middle)
    assert any(known for ts, known in seen if ts >= middle)
    at = run.table.gate_codes.index("news")
    away = run.table.column("gate_actual")[:, at]
    ts = run.table.column("ts_event")
    near = abs(ts - middle) <= 15 * 60 * 10**9
    refused = run.table.column("gate_outcome")[:, at] == 1
    assert refused[near].all()
    assert not refused[~near & (away == away)].any()


def _iso(ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ns // 10**9, UTC).isoformat()
