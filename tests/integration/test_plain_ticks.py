"""Ticks and book against plain numpy: every decision of the CME session, every decision of an hour of ESH4.

The engine sees one row at a time; here the whole column is there and each value is worked out anew from the
rows up to the decision, by the words of its definition. One replay of each recording serves the file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.core.events import BOOK
from mia_kernel.measures.shelf import NAMES, Shelf
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state.flow import ORDERS
from tests.plain_profile import area
from tests.plain_replay import (
    BLOCK,
    HOUR,
    HOUR_NS,
    MINUTE,
    NS,
    QUARTER,
    SESSION,
    Replay,
    Tape,
    large_orders,
    replayed,
    same,
    tape_of,
)  # fmt: skip
from tests.shared_data import shared_file

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

# -- the session of trades -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> Replay:
    return replayed(SESSION)


@pytest.fixture(scope="module")
def tape(session: Replay) -> Tape:
    return tape_of(session)


def test_cumulative_delta_at_every_decision(session: Replay, tape: Tape) -> None:
    delta = np.r_[0, np.cumsum(tape.side * tape.sz)]
    same(session.context["cumulative_delta"], delta[tape.known], least=5_300, rel=0)
    closed = np.searchsorted(tape.ts, session.bar["end"], "left")
    same(session.measures["cumulative_delta"], delta[closed], least=5_300, rel=0)


def test_vwap_and_its_deviation_are_those_of_the_trades(session: Replay, tape: Tape) -> None:
    away = tape.px - tape.px[0]  # whole numbers: no rounding before the division
    volume, first, second = (np.cumsum(x * tape.sz)[tape.known - 1] for x in (1 + 0 * away, away, away**2))
    mean = first / volume
    same(session.context["vwap_ticks"], tape.px[0] + mean, least=5_300, rel=1e-13)
    same(session.context["vwap_sd_ticks"], np.sqrt(second / volume - mean**2), least=5_300, rel=1e-12)


def test_tick_momentum_over_twenty_trades(session: Replay, tape: Tape) -> None:
    step = np.sign(np.diff(tape.px, prepend=tape.px[0]))

    def last_twenty(x: Any) -> Any:
        total = np.r_[0, np.cumsum(x)]
        return total[tape.known] - total[np.maximum(tape.known - 20, 0)]

    expected = 0.4 * last_twenty(step) / 20 + 0.6 * last_twenty(step * tape.sz) / last_twenty(tape.sz)
    fresh = session.at - tape.ts[tape.known - 1] <= MINUTE
    found = session.components["tick_momentum"]
    assert np.array_equal(np.isfinite(found), fresh & (tape.known >= 20))
    same(found, expected, least=5_000)


def test_point_of_control_and_value_area_of_every_minute(session: Replay, tape: Tape) -> None:
    opened = int(np.datetime64("2019-08-09T13:30", "ns").astype(np.int64))
    closed = opened + 390 * MINUTE
    first = np.searchsorted(tape.ts, opened, "left")
    found = np.array([session.context[name] for name in ("poc_ticks", "val_ticks", "vah_ticks")])
    ends, starts = np.unique(session.bar["end"], return_index=True)
    checked = 0
    for end, i in zip(ends, starts, strict=True):
        if not opened < end <= closed:
            continue
        stop = np.searchsorted(tape.ts, end, "left")
        assert tuple(found[:, i]) == area(tape.px[first:stop], tape.sz[first:stop])
        checked += 1
    assert checked == 390
    assert np.isnan(found[:, session.at < opened]).all()


def stacked(rows: Any) -> int:
    """Return the runs of three rows or more."""
    edges = np.diff(np.r_[0, rows.astype(int), 0])
    return int((np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0) >= 3).sum())


def test_footprint_stacks_of_every_minute(session: Replay, tape: Tape) -> None:
    _, starts = np.unique(session.bar["end"], return_index=True)
    some = 0
    for bar in session.bar[starts]:
        if bar["end"] == 0:
            continue  # before the first closed bar
        a, b = np.searchsorted(tape.ts, [bar["start"], bar["end"]], "left")
        px, sz, side = tape.px[a:b], tape.sz[a:b], tape.side[a:b]
        low = px.min()
        n = int(px.max() - low) + 1
        bought = np.bincount(px - low, weights=sz * (side > 0), minlength=n)
        sold = np.bincount(px - low, weights=sz * (side < 0), minlength=n)
        buys = (bought >= 10) & (bought >= 3 * np.r_[0, sold[:-1]])
        sells = (sold >= 10) & (sold >= 3 * np.r_[bought[1:], 0])
        assert (bar["stacked_buy"], bar["stacked_sell"]) == (stacked(buys), stacked(sells))
        some += stacked(buys) + stacked(sells)
    assert some > 200


def test_large_orders_of_the_last_quarter_and_hour(session: Replay, tape: Tape) -> None:
    """The newest ORDERS large orders are kept: a busier window has lost its oldest, here as there."""
    found = large_orders(tape)
    orders, when = np.array(found, float), np.array([order.ts for order in found])
    expected: dict[str, list[float]] = {
        name: []
        for name in (
            "large_orders_bias", "large_orders_count", "large_orders_intensity", "large_orders_persistence",
            "large_orders_impact_ticks", "block_share", "sweep_share",
        )
    }  # fmt: skip
    for now in session.at:
        stop = int(np.searchsorted(when, now, "right"))
        first = stop - ORDERS
        quarter = slice(max(int(np.searchsorted(when, now - QUARTER, "right")), first), stop)
        hour = orders[max(int(np.searchsorted(when, now - HOUR_NS, "right")), first) : stop]
        signed, size = (orders[:, 1] * orders[:, 2])[quarter], orders[quarter, 2]
        net = signed.sum() / size.sum() if len(size) else np.nan
        periods = np.bincount((now - when[quarter]) // (3 * MINUTE), weights=signed, minlength=5)
        flowing = periods[periods != 0]
        agreeing = (np.sign(flowing) == np.sign(net)).mean() if len(flowing) >= 2 else 0.0
        row = [net, len(size), min(size.sum() / 500, 1), agreeing]
        row += [(hour[:, 2] * hour[:, 4]).sum() / hour[:, 2].sum()] if len(hour) else [np.nan]
        row += [(hour[:, 2] >= BLOCK).mean(), (hour[:, 3] >= 2).mean()] if len(hour) else [np.nan] * 2
        for name, value in zip(expected, row, strict=True):
            expected[name].append(value)
    assert len(orders) > 500
    for name, values in expected.items():
        same(session.measures[name], values, least=4_400)


# -- the hour of orders --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hour() -> Replay:
    return replayed(HOUR)


class Ladder(NamedTuple):
    """The book rows by event clock, and for each whole second how many of them are known."""

    ts: Any
    rows: Any
    seconds: Any
    known: Any


@pytest.fixture(scope="module")
def ladder(hour: Replay) -> Ladder:
    clock = np.maximum.accumulate(hour.rows["ts_event"])
    is_book = hour.rows["kind"] == BOOK
    ts = clock[is_book]
    seconds = np.arange(-(-ts[0] // NS), hour.at[-1] // NS + 1) * NS
    return Ladder(ts, hour.rows[is_book], seconds, np.searchsorted(ts, seconds, "right"))


def sampled(hour: Replay, ladder: Ladder) -> dict[str, Any]:
    """Return the six figures of every second whose book is at most five seconds old."""
    fresh = ladder.seconds - ladder.ts[ladder.known - 1] <= 5 * NS
    rows = ladder.rows[(ladder.known - 1)[fresh]]
    b, a = rows["b"][:, :5].astype(float), rows["a"][:, :5].astype(float)
    decay = 0.8 ** np.arange(5)
    total, spread = (b + a).sum(axis=1), (rows["ask"] - rows["bid"]).astype(float)
    one = (b[:, 0] - a[:, 0]) / (b[:, 0] + a[:, 0])
    deep = ((b - a) @ decay) / ((b + a) @ decay)
    filled = ((b > 0).sum(axis=1) + (a > 0).sum(axis=1)) / 10
    raw = 0.6 * one + 0.4 * deep
    liquidity, signal = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    weights = np.exp(np.linspace(0, 1, 10))
    for i in range(10, len(rows)):
        mean = total[max(i - 50, 0) : i].mean()
        liquidity[i] = 0.7 * min(1, total[i] / (2 * mean)) + 0.3 * filled[i]
        smooth = raw[i - 9 : i + 1] @ weights / weights.sum()
        penalty = 1.0 if spread[i] <= 2 else max(0.5, 1 - 0.25 * (spread[i] - 2))
        signal[i] = smooth * liquidity[i] * penalty
    at = np.searchsorted(ladder.seconds[fresh], hour.at, "right") - 1
    figures = {
        "obi_level1": one,
        "obi_depth": deep,
        "obi_volume_share": b.sum(axis=1) / total,
        "obi_volume_ratio": b.sum(axis=1) / a.sum(axis=1),
        "bid_ask_spread_ticks": spread,
        "bid_ask_spread_bps": 1e4 * spread / ((rows["ask"] + rows["bid"]) / 2),
        "obi_liquidity": liquidity,
        "signal": signal,
    }
    return {name: np.where(at >= 0, column[np.maximum(at, 0)], np.nan) for name, column in figures.items()}


def test_six_figures_of_the_book_at_every_decision(hour: Replay, ladder: Ladder) -> None:
    expected = sampled(hour, ladder)
    signal = expected.pop("signal")
    for name, values in expected.items():
        same(hour.measures[name], values, least=230)
    same(hour.components["order_book"], signal, least=230)


def flow_terms(rows: Any) -> Any:
    """Return e of Cont, Kukanov and Stoikov (2014) of every row against the one before, non-strict."""
    pb, pa = rows["bid"].astype(int), rows["ask"].astype(int)
    qb, qa = rows["b"][:, 0].astype(int), rows["a"][:, 0].astype(int)
    e = (pb[1:] >= pb[:-1]) * qb[1:] - (pb[1:] <= pb[:-1]) * qb[:-1]
    e += (pa[1:] >= pa[:-1]) * qa[:-1] - (pa[1:] <= pa[:-1]) * qa[1:]
    return np.r_[0, e]


def test_order_flow_imbalance_of_three_windows(hour: Replay, ladder: Ladder) -> None:
    total = np.r_[0, np.cumsum(flow_terms(ladder.rows))]

    def over(seconds: int) -> Any:
        now, before = (np.searchsorted(ladder.ts, t, "right") for t in (hour.at, hour.at - seconds * NS))
        return total[now] - total[before]

    for seconds in (1, 10, 60):
        same(hour.measures[f"ofi_{seconds}s"], over(seconds), least=230, rel=0)


def test_order_flow_imbalance_of_the_shelf_explains_the_hour_as_published_for_it() -> None:
    """Read from the real state once a second; R² of the same window as validated, of the next one none."""
    run = Run(load().settings, open_recording(shared_file(HOUR)))
    rows, market, shelf = run.recording.events, run.engine.rooms.market, Shelf(run.given)
    start = int(np.datetime64("2023-12-25T23:00", "ns").astype(np.int64))
    market.enter_session_at(market.clock_with(int(rows["ts_event"][0])))
    grid, row = start + NS * np.arange(1, 3_601), 0
    names = [NAMES.index(f"ofi_{seconds}s") for seconds in (1, 10, 60)]
    flows, mids = np.full((3_600, 3), np.nan), np.full(3_600, np.nan)
    for i, at in enumerate(grid):
        row = market.apply(rows, row, len(rows), int(at))
        market.advance(int(at))
        flows[i], mids[i] = shelf.read(market, int(at)).values[names], market.mid_ticks
    assert row == len(rows) or rows["ts_event"][row:].min() > grid[-1]
    for column, (seconds, expected) in enumerate(((1, 0.355), (10, 0.471), (60, 0.696))):
        ends = np.arange(2 * seconds, 3_601, seconds) - 1  # the first window opens the book
        x, y = flows[ends, column], mids[ends] - mids[ends - seconds]
        known = np.isfinite(x)
        assert known.mean() > 0.9
        assert squared(x[known], y[known]) == pytest.approx(expected, abs=0.002)
        following = known[:-1] & known[1:]
        assert squared(x[:-1][following], y[1:][following]) < 0.01


LOBSTER = "lobster/AAPL_2012-06-21_34200000_57600000_{}_10.first998.csv"


def test_order_flow_imbalance_of_lobster_is_the_one_of_its_own_files() -> None:
    """Validation V8 on AAPL of 21 June 2012, ten levels: another venue, another reader, the same imbalance.

    49 s are a check of the way, no evidence: the same second explains R² 0.33 of the mid's move, the next 0.01.
    """
    run = Run(load().settings, open_recording(shared_file(LOBSTER.format("message"))))
    rows, market, shelf = run.recording.events, run.engine.rooms.market, Shelf(run.given)
    books = rows[rows["kind"] == BOOK]
    assert len(books) == 844
    assert (books["bid"] < books["ask"]).all()
    start = int(np.datetime64("2012-06-21T13:30", "ns").astype(np.int64))
    seconds = np.loadtxt(shared_file(LOBSTER.format("message")), delimiter=",")[:, 0]
    file = np.loadtxt(shared_file(LOBSTER.format("orderbook")), delimiter=",").astype(int)
    ladder = {"ask": file[:, 0], "a": file[:, 1:2], "bid": file[:, 2], "b": file[:, 3:4]}
    total = np.r_[0, np.cumsum(flow_terms(ladder))]
    times = start + np.rint((seconds - 34_200) * 1e9).astype(np.int64)
    market.enter_session_at(market.clock_with(int(rows["ts_event"][0])))
    grid, row = start + NS * np.arange(1, 50), 0
    names = [NAMES.index(f"ofi_{seconds}s") for seconds in (1, 10)]
    flows, mids = np.full((49, 2), np.nan), np.full(49, np.nan)
    for i, at in enumerate(grid):
        row = market.apply(rows, row, len(rows), int(at))
        market.advance(int(at))
        flows[i], mids[i] = shelf.read(market, int(at)).values[names], market.mid_ticks
    now = np.searchsorted(times, grid, "right")
    assert (mids == (file[now - 1, 0] + file[now - 1, 2]) / 200).all()
    for column, (window, least) in enumerate(((1, 49), (10, 40))):
        expected = total[now] - total[np.searchsorted(times, grid - window * NS, "right")]
        same(flows[:, column], expected, least=least, rel=0)
    moved = np.diff(mids)
    assert squared(flows[1:, 0], moved) == pytest.approx(0.333, abs=0.002)
    assert squared(flows[:-1, 0], moved) < 0.02  # the second after the imbalance


def squared(x: Any, y: Any) -> float:
    """Return R² of a line through y over x."""
    return float(np.corrcoef(x, y)[0, 1] ** 2)
