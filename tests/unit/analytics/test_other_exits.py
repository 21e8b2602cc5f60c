"""Other ways out of a trade along bars: the worse side first, the bar of the entry asked only for its stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.analytics.lookback import from_bars
from mia_kernel.analytics.other_exits import other_exits, stops_of
from mia_kernel.analytics.postmortem import trade_report
from mia_kernel.analytics.postmortem_day import day_mortem
from mia_kernel.core.errors import InputError
from mia_kernel.core.orders import ReplaceStop
from mia_kernel.state.costs import CostParams
from tests.fakes import journals

pytestmark = pytest.mark.unit

NAMES = ("open", "high", "low", "close", "volume", "bid_volume", "ask_volume", "known_volume")
DTYPE = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        *((n, "f8") for n in NAMES),
        ("cvd", "i8"),
        ("vwap", "f8"),
        ("vwap_sd", "f8"),
    ]
)
MINUTE = 60 * 10**9
MATERIAL = journals.material(400)
TRIP = replace(MATERIAL.trips[0], mae_ticks=2.0)
SIDE, ENTRY = TRIP.side, TRIP.entry_ticks


def bars(*moves: tuple[float, float, float]) -> np.ndarray:
    """Return minutes from the one that ends with the entry on: open, worst and best in ticks for the trade."""
    out = np.zeros(len(moves), DTYPE)
    out["start"] = TRIP.entry_ts + (np.arange(len(moves)) - 1) * MINUTE
    out["end"] = out["start"] + MINUTE
    for row, (opened, worst, best) in zip(out, moves, strict=True):
        ends = ENTRY + SIDE * worst, ENTRY + SIDE * best
        row["open"], row["close"] = ENTRY + SIDE * opened, ENTRY + SIDE * opened
        row["low"], row["high"] = min(ends), max(ends)
    return out


def found(trip=TRIP, *moves: tuple[float, float, float]) -> dict[str, tuple[str, float]]:  # type: ignore[no-untyped-def]
    rows = other_exits(replace(MATERIAL, bars=bars(*moves)), trip)
    return {row.name: (row.how, SIDE * (row.price_ticks - ENTRY)) for row in rows}


def test_a_target_and_a_stop_end_where_the_bars_reach_them() -> None:
    rows = found(TRIP, (0, 0, 0), (0, -1, 9), (9, 0, 17), (9, 9, 25))
    assert rows["as planned: first stop, target"] == ("target", 16.0)
    assert rows["target at 1 R"] == ("target", 8.0)
    assert rows["target at 3 R"] == ("target", 24.0)
    rows = found(TRIP, (0, 0, 0), (0, -9, 20), (0, -17, 0))
    assert rows["as planned: first stop, target"] == ("stop", -9.0), (
        "the worse side first, and it slips a tick"
    )
    assert rows["stop half as far"] == ("stop", -5.0)
    assert rows["stop twice as far"] == ("target", 16.0), "-9 does not reach a stop at -16"


def test_a_stop_fills_where_the_market_opens_beyond_it() -> None:
    rows = found(TRIP, (0, 0, 0), (-12, -13, -11))
    assert rows["as planned: first stop, target"] == ("stop", -13.0)


def test_the_bar_of_the_entry_is_asked_for_the_stop_only() -> None:
    at_once = replace(TRIP, exit_ts=TRIP.entry_ts)
    rows = found(at_once, (0, -8, 30), (0, 0, 30))
    assert rows["as planned: first stop, target"] == ("stop", -9.0)
    assert rows["stop twice as far"] == ("target", 16.0), "its better side may have come before the entry"


def test_what_came_before_the_entry_stops_no_trade_that_outlived_its_bar() -> None:
    longer = replace(TRIP, exit_ts=TRIP.entry_ts + 5 * MINUTE, mae_ticks=2.0)
    assert found(longer, (0, -20, 0), (0, 0, 17))["as planned: first stop, target"] == ("target", 16.0)


def test_time_ends_what_nothing_else_did_and_an_open_end_is_left_out() -> None:
    quiet = [(0, 0, 0), *[(1, 0, 2)] * 40]
    rows = found(TRIP, *quiet)
    assert rows == {"out after 30 minutes": ("time", 1.0)}


def test_a_stop_that_was_moved_away_is_told_as_what_it_is() -> None:
    for by, words in ((3, "in the trade's favour"), (-3, "away from the entry: more at risk")):
        material = journals.material(400)
        first = stops_of(material, TRIP)[0][1]
        decision = next(d for d in journals.decisions(400) if d.ts_event > TRIP.entry_ts and not d.intents)
        moved = ReplaceStop(decision.ts_event, TRIP.bracket_id, first + by * SIDE, "x")
        material.table.append(replace(decision, signal=None, intents=(moved,)))
        assert words.replace("'", "&#x27;") in trade_report(material, [], TRIP.id).timeline


def test_the_day_sums_its_trades_and_needs_one() -> None:
    material = replace(MATERIAL, bars=bars((0, 0, 0), (0, -1, 30)))
    look = from_bars(None, MATERIAL.table, MATERIAL.trips, CostParams())
    page = day_mortem(replace(material, look=look, checks={"replay": ("proven", "parity 1/1")}), [])
    net = sum(trip.net_cents for trip in MATERIAL.trips) / 100
    assert f"{net:+,.2f} USD".replace("-", "−") in page.verdict
    assert page.card["n"] == len(MATERIAL.trips)
    assert "as planned: first stop, target" in page.alternatives
    assert "winners (n = " in page.contributions
    assert page.timeline.count("<tr>") >= 2 * len(MATERIAL.trips)
    assert "proven" in page.integrity
    with pytest.raises(InputError, match="no trade was closed"):
        day_mortem(replace(material, trips=[]), [])
