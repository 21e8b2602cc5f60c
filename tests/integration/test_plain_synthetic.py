"""What no file at hand can make speak, against plain definitions on a SYNTHETIC market.

Quality of the session, unusual spreads, tick correlation with NQ, the calendar of events, and how an entry was
filled: each needs a book with days before it, ticks of two markets, or fills beside a book.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.core.events import BOOK, CALENDAR_DTYPE, PRIMARY, SECOND, TRADE
from mia_kernel.core.orders import Role
from mia_kernel.core.session import session_row
from mia_kernel.state.ledger import bracket_key
from tests.integration.test_plain_structure import both
from tests.plain import Told, phase_at, told

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

NS = 1_000_000_000
MINUTE = 60 * NS
HIGH, LOW = 2, 0
SIZES = np.array((0.5, 0.8, 0.7, 1.0, 1.0, 0.6, 1.0, 0.7, 0.0))  # asia to post


@pytest.fixture(scope="module")
def market() -> Told:
    """Two sessions; decided from 12:00 to 14:00 of the second, with three events in the calendar."""
    whole = synthetic_recording(11, scale=0.1)
    clock = np.maximum.accumulate(whole.events["ts_event"])
    row = session_row(
        int(np.datetime64(int(clock[-1]), "ns").astype("datetime64[D]").astype(str).replace("-", ""))
    )
    assert row is not None
    opened = int(row["rth_open_ns"])
    calendar = np.array(
        [(int(row["open_ns"]) - 3600 * NS, HIGH), (opened - 30 * MINUTE, LOW), (opened + 30 * MINUTE, HIGH)],
        CALENDAR_DTYPE,
    )
    first, last, stop = (int(np.searchsorted(clock, opened + at * MINUTE)) for at in (150, 270, 271))
    recording = replace(whole, events=whole.events[:stop], calendar=calendar)
    return told(recording, slice(first, last))


class Spreads:
    """The book of the last session on a grid of seconds: the spread of every second whose book is fresh."""

    def __init__(self, market: Told) -> None:
        rows = market.run.recording.events
        clock = np.maximum.accumulate(rows["ts_event"])
        day = session_row(int(market.bars["day"].iloc[-1]))
        assert day is not None
        book = (rows["kind"] == BOOK) & (rows["instrument"] == PRIMARY)
        ts, self.rows = clock[book], rows[book]
        seconds = np.arange(int(day["open_ns"]) // NS + 1, clock[-1] // NS + 1) * NS
        at = np.searchsorted(ts, seconds, "right") - 1
        fresh = (at >= 0) & (seconds - ts[np.maximum(at, 0)] <= 5 * NS)
        self.seconds, rows = seconds[fresh], self.rows[at[fresh]]
        self.ticks = pd.Series((rows["ask"] - rows["bid"]).astype(float))
        self.ratio = self.ticks / self.ticks.shift(1).rolling(30).mean()
        self.wide = (self.ratio > 2) & (self.ticks > 1)
        self.mids = (rows["bid"] + rows["ask"]) / 2.0
        self.newest = np.searchsorted(self.seconds, market.found.index.to_numpy(), "right") - 1
        # A book older than its limit says nothing.
        row = np.searchsorted(ts, market.found.index.to_numpy(), "right") - 1
        self.known = market.found.index.to_numpy() - ts[row] <= 5 * NS


@pytest.fixture(scope="module")
def spreads(market: Told) -> Spreads:
    return Spreads(market)


def test_spread_against_the_half_minute_before(market: Told, spreads: Spreads) -> None:
    at, now = spreads.newest, market.found.index.to_numpy()
    wide = spreads.wide.rolling(300).mean()
    flagged = spreads.seconds[spreads.wide]
    last = np.r_[-1, flagged][np.searchsorted(flagged, now, "right")]
    for name, expected in (
        ("spread_ratio", spreads.ratio.to_numpy()[at]),
        ("wide_spread_share", wide.to_numpy()[at]),
        ("spread_anomaly_detected", (now - last <= MINUTE).astype(float)),
    ):
        both(market.found[name], expected, spreads.known, least=400)
    assert spreads.wide.sum() > 10


def test_quality_of_the_session(market: Told, spreads: Spreads) -> None:
    """0.30 volume + 0.20 spread + 0.25 volatility + 0.25 phase; the rank of ATR is held on ESH17."""
    bars, now = market.bars, market.found.index.to_numpy()
    volume = bars["volume"].astype(float)
    loud = (volume / volume.shift(1).rolling(20).mean()).clip(upper=1).to_numpy()
    newest = np.searchsorted(bars["end"].to_numpy(), now, "right") - 1
    one_tick = (spreads.ticks == 1).rolling(300).mean().to_numpy()[spreads.newest]
    steady = 1 - (2 * market.found["atr_percentile"] - 1).abs()
    phase = phase_at(np.full(len(now), bars["day"].iloc[-1]), now)
    expected = 0.30 * loud[newest] + 0.20 * one_tick + 0.25 * steady + 0.25 * SIZES[phase]
    both(market.found["session_quality"], expected, slice(None), least=470)
    assert expected.std() > 0.02


def test_tick_correlation_with_nq(market: Told) -> None:
    """Hayashi and Yoshida (2005): every pair of changes whose intervals overlap, ended before the decision."""
    rows = market.run.recording.events
    clock = np.maximum.accumulate(rows["ts_event"])
    day = session_row(int(market.bars["day"].iloc[-1]))
    assert day is not None
    traded = (rows["kind"] == TRADE) & (clock >= int(day["open_ns"]))
    when, es, nq = (
        np.arange(len(rows)),
        traded & (rows["instrument"] == PRIMARY),
        traded & (rows["instrument"] == SECOND),
    )
    es &= when > np.flatnonzero(nq)[0]  # ES counts from its first trade after NQ was seen
    expected = []
    asked = market.found.index.to_numpy()[::60]
    for now in asked:
        seen = int(np.searchsorted(clock, now, "right"))
        (t, x), (u, y) = (
            (when[:seen][one[:seen]], rows["px"][:seen][one[:seen]].astype(float)) for one in (es, nq)
        )
        # The changes of NQ that overlap an interval of ES run from the trade at or before it to the one at or after.
        first, last = np.searchsorted(u, t[:-1], "right") - 1, np.searchsorted(u, t[1:], "left")
        ended = last < len(u)
        total = (np.diff(x)[ended] * (y[last[ended]] - y[first[ended]])).sum()
        expected.append(total / np.sqrt((np.diff(x) ** 2).sum() * (np.diff(y) ** 2).sum()))
    found = market.found["es_nq_hayashi_yoshida"].loc[asked]
    both(found, np.clip(expected, -1, 1), slice(None), least=7)
    assert len(set(expected)) > 5


def test_events_of_the_day(market: Told) -> None:
    """Two of the three lie within the session; the one of yesterday is not counted and not near."""
    now = market.found.index.to_numpy()
    calendar = market.run.recording.calendar
    assert calendar is not None
    today = calendar[calendar["ts"] >= int(session_row(int(market.bars["day"].iloc[-1]))["open_ns"])]  # type: ignore[index]
    high = today["ts"][today["impact"] == HIGH]
    both(market.found["economic_events_today"], np.full(len(now), len(today)), slice(None), least=470)
    both(market.found["high_impact_event_today"], np.full(len(now), 1.0), slice(None), least=470)
    both(market.found["high_impact_minutes"], np.abs(high[0] - now) / MINUTE, slice(None), least=470)
    assert len(today) == 2


def test_how_the_newest_entry_was_filled(market: Told, spreads: Spreads) -> None:
    """Time it took, slippage against the mid decided at, what is left of four ticks, and the ten seconds after."""
    entries = [r for r in market.run.reports if r.role is Role.ENTRY and r.last_qty > 0]
    now, mids = market.found.index.to_numpy(), spreads.mids
    names = ("execution_time_ms", "slippage_ticks", "fill_quality", "bid_ask_spread", "market_impact")
    expected = np.full((len(now), len(names)), np.nan)
    for entry in entries:
        sent = bracket_key(entry.bracket_id)  # a bracket is named after its decision
        at, seen = (int(np.searchsorted(spreads.seconds, ts, "right")) for ts in (sent, entry.ts_event))
        slip = entry.side * (entry.last_ticks - mids[at - 1])
        took = (entry.ts_event - sent) / 1e6
        known = now >= spreads.seconds[seen]
        expected[known, :3] = took, slip, np.clip(1 - max(0, slip) / 4, 0, 1) * entry.last_qty / entry.qty
        expected[known, 3] = spreads.ticks[at - 1]
        after = int(np.searchsorted(spreads.seconds, spreads.seconds[seen] + 10 * NS))
        expected[now >= spreads.seconds[after], 4] = entry.side * (mids[after] - mids[seen])
    for name, column in zip(names, expected.T, strict=True):
        both(market.found[name], column, slice(None), least=300)
    assert len(entries) >= 3
