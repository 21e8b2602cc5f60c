"""Levels and zones on a real contract: what each is, when it is touched, when it goes, what a mirror makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_source
from mia_kernel.confluence.zones import levels_of, zones
from mia_kernel.core.events import ImportedLevel, Recording, mirror
from mia_kernel.core.session import session_row
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state.levels import FAMILIES, NAMES
from mia_kernel.state.memory import MarketState
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

CONTRACT = "sierra_es_5min_contracts/ESH17-CME.txt.gz"
ROWS = 2_800  # two weeks
CENTRE = 9_200
# What a mirrored market calls it.
SWAPPED = {
    "vah": "val", "sd1_up": "sd1_down", "sd2_up": "sd2_down", "pvah": "pval", "pdh": "pdl", "onh": "onl",
    "ibh": "ibl", "session_high": "session_low", "round_up": "round_down", "psych_up": "psych_down",
    "r1": "s1", "r2": "s2",
}  # fmt: skip
OTHER = SWAPPED | {down: up for up, down in SWAPPED.items()}


class Walked:
    """Every bar of a recording with the table of levels after it."""

    def __init__(self, recording: Recording) -> None:
        run = Run(load(arguments={"confluence.weights": "bars"}).settings, recording)
        self.at: list[int] = []
        tables: list[Any] = []
        self.zones: list[list[Any]] = []
        self.kept: list[tuple[Any, list[Any]]] = []  # every hour: the table, and the levels that count

        def look(market: MarketState, ts: int) -> None:
            self.at.append(ts)
            tables.append(market.array["levels"][0]["at"].copy())
            if ts % 3_600_000_000_000 == 0:
                self.kept.append((tables[-1], levels_of(market, ts)))
            if len(self.at) % 11 == 0:
                self.zones.append(zones(levels_of(market, ts), market.price_ticks))

        run.watch(look)
        run.drive()
        self.bars = np.array(run.bars)
        self.table = np.array(tables)[np.isin(self.at, self.bars["end"])]


@pytest.fixture(scope="module")
def recording() -> Recording:
    whole = open_source(shared_file(CONTRACT))
    return replace(whole, events=whole.events[:ROWS])


@pytest.fixture(scope="module")
def walked(recording: Recording) -> Walked:
    return Walked(recording)


def days(bars: Any) -> list[tuple[Any, Any]]:
    """Return (session row, indices of its bars) of every trading day."""
    return [(session_row(int(day)), np.flatnonzero(bars["day"] == day)) for day in np.unique(bars["day"])]


def within(bars: Any, at: Any, first: int, stop: int) -> Any:
    return at[(bars["start"][at] >= first) & (bars["start"][at] < stop)]


def test_overnight_initial_balance_and_previous_session_are_those_of_the_bars(walked: Walked) -> None:
    bars, table, before, checked = walked.bars, walked.table, None, 0
    for row, at in days(bars):
        if row is None or not row["has_rth"]:
            continue
        opened, closed, balance = (int(row[name]) for name in ("rth_open_ns", "rth_close_ns", "ib_end_ns"))
        rth, night = within(bars, at, opened, closed), within(bars, at, 0, opened)
        ib = within(bars, at, opened, balance)
        after_open, after_ib = bars["end"][at] > opened, bars["end"][at] > balance
        expected = [("onh", night, "high", after_open), ("onl", night, "low", after_open)]
        expected += [("ibh", ib, "high", after_ib), ("ibl", ib, "low", after_ib)]
        if before is not None:
            early = bars["end"][at] <= closed
            expected += [("pdh", before, "high", early), ("pdl", before, "low", early)]
        for name, those, column, when in expected:
            if len(those):
                extreme = bars[column][those].max() if column == "high" else bars[column][those].min()
                checked += held(table[at[when], NAMES.index(name)], 2 * int(extreme))
        before = rth if len(rth) else before
    assert checked > 8_000


def held(column: Any, price_2: int) -> int:
    known = column["known"] == 1
    assert (column["price_2"][known] == price_2).all()
    return int(known.sum())


def test_session_extremes_are_those_so_far(walked: Walked) -> None:
    for _, at in days(walked.bars):
        for name, running in (
            ("session_high", np.maximum.accumulate(walked.bars["high"][at])),
            ("session_low", np.minimum.accumulate(walked.bars["low"][at])),
        ):
            column = walked.table[at, NAMES.index(name)]
            known = column["known"] == 1
            assert (column["price_2"][known] == 2 * running[known]).all()


def test_touches_of_fixed_levels_are_counted_by_the_rule(walked: Walked) -> None:
    """A bar within a tick, then a close four ticks away: once. A level that stands still all day shows it."""
    bars, counted = walked.bars, 0
    for _, at in days(walked.bars):
        for name in ("pdh", "pdl", "pvah", "pval", "pivot", "r1", "s1", "r2", "s2"):
            column = walked.table[at, NAMES.index(name)]
            near, touches = False, 0
            for i, cell in zip(at, column, strict=True):
                if not cell["known"] or cell["price_2"] != column["price_2"][0]:
                    break  # too far away, or the next RTH has ended
                price = cell["price_2"] / 2
                near = near or bars["low"][i] - 1 <= price <= bars["high"][i] + 1
                if near and abs(bars["close"][i] - price) >= 4:
                    near, touches = False, touches + 1
                assert cell["touches"] == touches
                counted += touches
    assert counted > 1_000


def test_nothing_further_than_two_hundred_points_is_kept(walked: Walked) -> None:
    away = np.abs(walked.table["price_2"] / 2 - walked.bars["close"][:, None])
    assert away[walked.table["known"] == 1].max() <= 800


def test_a_level_of_a_file_goes_when_its_hours_are_over(recording: Recording) -> None:
    """A wall holds 8 hours after its source's time, a flip 12, others 24."""
    kinds = {"call_resistance": 8, "hvl": 12, "gex_1": 24}
    run = Run(
        load(arguments={"confluence.weights": "bars"}).settings,
        replace(recording, events=recording.events[:700]),
    )
    start, lasted = 0, dict.fromkeys(kinds, 0)

    def look(market: MarketState, ts: int) -> None:
        nonlocal start
        if start == 0:
            start = ts
            for kind in kinds:
                market.load(ImportedLevel(ts, ts, 0, kind, float(market.price_ticks), 0.5, "by hand"))
        for row in market.level_rows():
            if row["name"] in kinds:
                assert row["strength"] == 0.5
                lasted[row["name"]] = (ts - start) // 60_000_000_000

    run.watch(look)
    run.drive()
    for kind, hours in kinds.items():
        assert 60 * hours - 90 < lasted[kind] < 60 * hours  # the daily break may hide the last minutes


def test_one_family_within_a_tick_counts_once(walked: Walked) -> None:
    merged = 0
    for table, kept in walked.kept:
        slots = {level.slot for level in kept}
        for i in set(np.flatnonzero(table["known"]).tolist()) - slots:
            price_2 = int(table["price_2"][i])
            assert any(FAMILIES[k.slot] == FAMILIES[i] and abs(k.price_2 - price_2) <= 2 for k in kept)
            merged += 1
        pairs = [
            (a, b) for a in kept for b in kept if a.slot < b.slot and FAMILIES[a.slot] == FAMILIES[b.slot]
        ]
        assert all(abs(a.price_2 - b.price_2) > 2 for a, b in pairs)
    assert merged > 10


def same_mirrored(one: Any, two: Any) -> bool:
    """Return whether `two` is the reflection of `one`; a centre is a mean, equal to rounding."""
    names = sorted(NAMES[slot] for slot in one.slots)
    swapped = sorted(OTHER.get(NAMES[slot], NAMES[slot]) for slot in two.slots)
    ends = (one.low_2, one.high_2) == (4 * CENTRE - two.high_2, 4 * CENTRE - two.low_2)
    close = np.allclose((one.centre_2, one.score), (4 * CENTRE - two.centre_2, two.score), rtol=0, atol=1e-6)
    return names == swapped and ends and bool(close) and one.direction == -two.direction


def test_a_mirrored_market_has_the_mirrored_zones(walked: Walked, recording: Recording) -> None:
    other = Walked(replace(recording, events=mirror(recording.events, CENTRE)))
    assert len(other.zones) == len(walked.zones)
    seen = 0
    for one, two in zip(walked.zones, other.zones, strict=True):
        assert all(same_mirrored(a, b) for a, b in zip(one, reversed(two), strict=True))
        seen += len(one)
    assert seen > 1_000


def test_what_people_are_shown_of_a_level(recording: Recording) -> None:
    run = Run(
        load(arguments={"confluence.weights": "bars"}).settings,
        replace(recording, events=recording.events[:900]),
    )
    run.drive()
    market = run.engine.rooms.market
    rows = market.level_rows()
    assert len(rows) > 10
    for row in rows:
        assert row["strength"] == 1.0
        assert 0 <= row["age_hours"] <= 24
    moved = next(row for row in rows if row["name"] == "pdh")
    now = int(market.array["clock"]["ts"][0])
    assert moved["age_hours"] == pytest.approx((now - moved["since"]) / 3.6e12, abs=1e-3)
