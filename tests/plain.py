"""One replay of a real contract and the comparison that the tests of plain definitions share."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import WARM_UP, Recording
from mia_kernel.core.session import session_row
from mia_kernel.measures.shelf import NAMES, Shelf
from mia_kernel.runtime import Run as Pass
from mia_kernel.settings import load
from tests.shared_data import shared_file

SETTINGS = load(arguments={"confluence.weights": "bars"}).settings

CONTRACT = "sierra_es_5min_contracts/ESH17-CME.txt.gz"


class Whole(NamedTuple):
    """What a run of a notebook shows, its measures read on the way instead of in a second pass."""

    frames: dict[str, pd.DataFrame]
    measures: pd.DataFrame
    decisions: pd.DataFrame


def whole(recording: Recording) -> Whole:
    """Replay a recording that is decided at every point."""
    replay = told(recording)
    at, ends = (
        pd.DatetimeIndex(pd.to_datetime(ts, unit="ns", utc=True)).tz_convert("America/New_York")
        for ts in (replay.found.index, replay.bars["end"])
    )
    columns = replay.run.table.columns()
    del columns["ts_event"]
    measures = replay.found[list(NAMES)].set_axis(at)
    return Whole({"bars": replay.bars.set_axis(ends)}, measures, pd.DataFrame(columns, at))


@cache
def contract_run() -> Whole:
    """Replay the 5-minute bars of ESH17 once for every module that asks."""
    return whole(open_recording(shared_file(CONTRACT)))


class Contract(NamedTuple):
    """The contract's bars, what was said at each of them, and at which one decided."""

    bars: pd.DataFrame
    found: pd.DataFrame
    decided: Any


@cache
def contract_tables() -> Contract:
    """Return measures and components at every bar; a refused row is a decision without a bar."""
    run = contract_run()
    bars, decisions = run.frames["bars"].copy(), run.decisions
    bars["delta"] = bars["ask_volume"].astype(float) - bars["bid_volume"]
    extra = [name for name in decisions.columns if name not in run.measures.columns]
    found = run.measures.join(decisions[extra]).reindex(bars.index)
    return Contract(bars, found, found["session_phase"].notna().to_numpy())


def same(found: pd.Series, expected: Any, *, least: int, rel: float = 1e-9, abs_: float = 1e-9) -> None:
    """Compare where both are known; nothing known may be missing in the definition."""
    expected = pd.Series(np.asarray(expected, float), found.index)
    known = found.notna()
    assert known.sum() >= least
    assert expected[known].notna().all()
    np.testing.assert_allclose(found[known], expected[known], rtol=rel, atol=abs_)


def equal(found: pd.Series, expected: Any, *, least: int, abs_: float = 1e-9) -> None:
    """Compare at every row: what one does not know, the other does not know either."""
    np.testing.assert_allclose(found.to_numpy(float), np.asarray(expected, float), rtol=1e-9, atol=abs_)
    assert found.notna().sum() >= least


class Told(NamedTuple):
    """A replay: the pass, what it said by name at its decisions (index ns UTC), and every closed bar."""

    run: Pass
    found: pd.DataFrame
    bars: pd.DataFrame


def told(recording: Recording, decide: Any = slice(None)) -> Told:
    """Replay a recording that is decided only at the rows `decide` names; the state sees every row."""
    events = recording.events.copy()
    kept = np.zeros(len(events), bool)
    kept[decide] = True
    events["flags"][~kept] |= WARM_UP
    run = Pass(SETTINGS, replace(recording, events=events))
    shelf, taken = Shelf(run.given), []
    run.watch(lambda market, ts: taken.append((ts, shelf.read(market, ts).values)))
    run.drive()
    at = pd.Index([ts for ts, _ in taken], name="ts")
    measures = pd.DataFrame([values for _, values in taken], at, list(NAMES))
    components = pd.DataFrame(run.table.column("values"), at, list(run.table.names))
    bars: Any = np.array(run.bars)
    closed = pd.DataFrame({name: bars[name] for name in bars.dtype.names})
    return Told(run, measures.join(components), closed)


def read_at(recording: Recording, points: Any) -> pd.DataFrame:
    """Return every measure at instants (ns UTC, ascending) of a recording whose rows only move the state."""
    run = Pass(SETTINGS, recording)
    market, shelf, rows = run.engine.rooms.market, Shelf(run.given), recording.events
    clock, at, found = np.maximum.accumulate(rows["ts_event"]), 0, []
    for ts in points:
        while at < len(rows) and clock[at] <= ts:
            if market.needs_session(int(clock[at])):
                market.enter_session_at(int(clock[at]))
            at = market.apply(rows, at, len(rows), min(int(ts), market.session_until))
        market.advance(int(ts))
        found.append(shelf.read(market, int(ts)).values)
    return pd.DataFrame(found, pd.Index(points, name="ts"), list(NAMES))


def phase_at(day: Any, ts: Any) -> Any:
    """Return the code of the phase each instant lies in, by the calendar's row of its trading day."""
    found = np.full(len(ts), -1)
    for one in np.unique(day):
        row = session_row(int(one))
        assert row is not None
        n, here = int(row["phase_count"]), day == one
        found[here] = row["phase_code"][np.searchsorted(row["phase_start_ns"][:n], ts[here], "right") - 1]
    return found
