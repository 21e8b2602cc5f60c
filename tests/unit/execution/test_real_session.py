"""The venue on a real ES session: seeded brackets, whole and sliced, to the cent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_source
from mia_kernel.core.events import EventArray
from mia_kernel.core.orders import PlaceBracket
from mia_kernel.state.ledger import TICK_CENTS
from tests.fakes.small_market import bracket_at
from tests.fakes.trading import Desk
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.integration, pytest.mark.safety, needs_shared_data]
DAY = "es_ticks_cme_timesales/ES_CME_time_and_sales_20190809_eoi.zip"


@pytest.fixture(scope="module")
def events() -> EventArray:
    return open_source(shared_file(DAY)).events


def traded(events: EventArray, cut: int | None) -> Desk:
    """Send up to 300 brackets at seeded rows, never more than two at a time."""
    desk, at = Desk(), 0
    desk.record["day"] = 0
    rng = np.random.default_rng(20190809)
    for row in np.sort(rng.choice(np.arange(1, len(events) - 100), 300, replace=False)):
        if row < at:
            continue
        desk.feed(events[at:row], range(0, int(row) - at, cut) if cut else ())
        at = int(row)
        if desk.venue.working < 2:
            desk.send(plan(events[row - 1], int(rng.choice([-1, 1]))))
    desk.feed(events[at:])
    return desk


def plan(row: Any, side: int) -> PlaceBracket:
    px = int(row["px"])
    return bracket_at(int(row["ts_event"]), side, limit=px, stop=px - 8 * side, target=px + 16 * side, qty=2)


def test_a_real_session_is_the_same_however_it_is_sliced(events: EventArray) -> None:
    whole, sliced = traded(events, None), traded(events, 41)
    assert len(whole.trips) > 100
    assert whole.reports == sliced.reports
    assert whole.trips == sliced.trips
    assert whole.record.tobytes() == sliced.record.tobytes()


def test_money_of_a_real_session_adds_up(events: EventArray) -> None:
    desk = traded(events, None)
    fees = sum(r.fee_cents for r in desk.reports)
    flow = sum(-r.side * r.last_qty * round((r.last_ticks or 0.0) * TICK_CENTS[0]) for r in desk.reports)
    assert desk.account.position == 0
    assert desk.account.equity_cents == 5_000_000 + flow - fees
    assert sum(t.net_cents for t in desk.trips) == flow - fees


def test_excursions_of_a_real_session_are_those_of_its_prints(events: EventArray) -> None:
    """Between the row behind the entry and the row before the exit the prints bound MAE and MFE."""
    for trip in traded(events, None).trips[:60]:
        inside = (events["ts_event"] >= trip.entry_ts) & (events["ts_event"] < trip.exit_ts)
        prints = events["px"][inside]
        low, high = min(prints.min(), trip.exit_ticks), max(prints.max(), trip.exit_ticks)
        worst, best = (low, high) if trip.side > 0 else (high, low)
        assert trip.mae_ticks == pytest.approx(max(0.0, trip.side * (trip.entry_ticks - worst)))
        assert trip.mfe_ticks == pytest.approx(max(0.0, trip.side * (best - trip.entry_ticks)))
