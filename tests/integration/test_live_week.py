"""Weeks through the live loop: weekend, nightly breaks, market-wide halts, a change of contract; the record replays.

Five-minute bars per contract of 2020 go through feed, inbox, loop and recorder as a session's rows do, without waiting
for their time. What a wall clock adds (waiting for an open, the end of a day) is held in `test_follow.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_source
from mia_kernel.core.session import interruptions, is_open, trading_day_of
from mia_kernel.live.session import dry_run
from mia_kernel.settings import load
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [needs_shared_data, pytest.mark.integration, pytest.mark.safety]


def _utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


@pytest.mark.parametrize(
    ("contracts", "first", "last", "days", "halts", "changes"),
    [
        (("ESH20",), "2020-03-08T22:00", "2020-03-17T21:00", 7, 4, 0),
        (("ESU20", "ESZ20"), "2020-09-09T22:00", "2020-09-23T21:00", 5, 0, 1),
    ],
    ids=["four stops of the market and a weekend", "a change of contract over a weekend"],
)
def test_a_week_is_lived_through_and_replays_the_same(
    contracts: tuple[str, ...], first: str, last: str, days: int, halts: int, changes: int, tmp_path: Path
) -> None:
    folder, began, ends = tmp_path / "es", _utc(first), _utc(last)
    folder.mkdir()
    for name in contracts:
        (folder / f"{name}-CME.txt.gz").symlink_to(shared_file(f"sierra_es_5min_contracts/{name}-CME.txt.gz"))
    whole = open_source(folder)
    rows = whole.events[(whole.events["ts_recv"] > began) & (whole.events["ts_recv"] <= ends)]
    objects = tuple(event for event in whole.objects if began < event.ts_recv <= ends)
    week = replace(whole, events=rows, objects=objects)
    stops = [stop for stop in interruptions() if began < stop.start_ns < ends]
    assert (len(objects), len(stops)) == (changes, halts)

    settings = load(arguments={"confluence.weights": "bars", "home": str(tmp_path)}).settings
    session = dry_run(
        settings, week, tmp_path / "j.sqlite", uri="sierra_es_5min_contracts", speed=float("inf")
    )
    session.go()
    decided = session.run.table.column("ts_event").tolist()
    trips = list(session.run.round_trips)
    session.run.close()
    answer = session.close()
    print(
        f"{len(rows)} bars, {len(decided)} decisions, {len(trips)} trips, parity {answer.equal}/{answer.total}"
    )

    assert answer.holds
    assert answer.total == len(decided) > 200 * days
    assert {trading_day_of(ts - 1) for ts in decided} == {
        trading_day_of(int(ts) - 1) for ts in rows["ts_recv"]
    }
    assert len({trading_day_of(ts - 1) for ts in decided}) == days
    assert all(is_open(ts - 1) for ts in decided), "a decision while the exchange is closed"
    assert len(trips) > 5
    for trip in trips:
        assert not any(stop.start_ns <= trip.entry_ts < stop.end_ns for stop in stops), "an entry in a halt"
        assert trading_day_of(trip.entry_ts - 1) == trading_day_of(trip.exit_ts - 1), "held over the night"
