"""A frame says what the run holds, says nothing where nothing is known, and survives the way to a screen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mia_kernel import frames
from mia_kernel.adapters.synthetic import synthetic_recording
from mia_kernel.adapters.wire import decode, encode
from mia_kernel.core.errors import DataError
from mia_kernel.core.events import TRADE, OptionView
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.packing import pack
from mia_kernel.desk.tape import footprint, tape
from mia_kernel.frames.memory import COLUMN_NS, Memory, imbalances, stacks
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state.tape import Sides, sides

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]


@pytest.fixture(scope="module")
def run() -> Run:
    found = Run(load().settings, synthetic_recording(3, warm_up=False, scale=0.02))
    found.drive()
    return found


@pytest.fixture(scope="module")
def frame(run: Run) -> dict[str, Any]:
    memory = Memory(run)
    memory.take(run.recording.events)
    return frames.build(run, memory, seq=7, mode="dry-run")


def test_a_frame_shows_the_last_decision_and_its_parts_add_up(run: Run, frame: dict[str, Any]) -> None:
    assert run.last is not None
    shown = frame["decision"]
    assert shown["sequence"] == run.last.sequence
    assert shown["percent"] == run.last.score.percent
    assert sum(line["contribution"] for line in shown["contributions"]) == pytest.approx(shown["score"])
    assert shown["coverage_floor"] == run.settings.confluence.coverage_floor


def test_prices_are_those_of_the_state_in_points(run: Run, frame: dict[str, Any]) -> None:
    market = run.engine.rooms.market
    assert frame["price"]["last"] == market.price_ticks * TICK_POINTS
    assert frame["ladder"]["bid"].tolist() == [row["bid"] for row in market.book_levels()]
    bars = market.bar_rows()["1m"]
    shown = frame["bars_1m"]["close"][: len(bars)]
    assert shown.tolist() == (bars["close"][-len(shown) :] * TICK_POINTS).tolist()


def test_money_is_the_accounts(run: Run, frame: dict[str, Any]) -> None:
    account = run.engine.rooms.account
    assert frame["money"]["day_net_usd"] == account.day_net_cents / 100
    assert frame["money"]["position"] == account.position
    assert len(frame["trips"]["net_usd"]) == len(run.round_trips)
    assert frame["signals"][0]["sequence"] == run.table.signals[-1][1].sequence


def test_before_the_first_row_nothing_is_invented() -> None:
    fresh = Run(load().settings, synthetic_recording(3, warm_up=False, scale=0.02))
    frame = frames.build(fresh)
    assert frame["ts_event"] is None
    assert frame["price"]["last"] is None
    assert frame["decision"] is None
    assert frame["book"]["obi"] is None
    assert frame["money"]["average"] is None
    assert len(frame["ladder"]["bid"]) == 0
    assert frame["signals"] == []
    assert np.isnan(frame["lines"]["vwap"]).all()


def test_a_chain_is_told_as_a_whole_and_an_old_one_says_so() -> None:
    day = synthetic_recording(3, warm_up=False, scale=0.02)
    first = int(day.events["ts_recv"][0])
    figures = {"total_gamma_exposure_usd": -2.5e9, "dealer_gamma_position": -1.0, "call_wall_ticks": 25_700.0}
    view = OptionView(first, first, 0, first, 0, False, 0.8, "a test", figures)
    run = Run(load().settings, replace(day, objects=(view,)))
    run.feed(0, 20)
    gamma = frames.build(run)["gamma"]
    assert (gamma["net_usd"], gamma["dealers"], gamma["fresh"]) == (-2.5e9, -1.0, True)
    assert gamma["put_call_ratio"] is None
    assert (gamma["source"], gamma["as_of"]) == ("a test", first)
    walls = [level for level in frames.build(run)["levels"] if level["family"] == "gamma"]
    assert walls[0]["price"] == 25_700 / 4
    run.drive()
    assert frames.build(run)["gamma"] is None or not frames.build(run)["gamma"]["fresh"]


def test_building_twice_gives_the_same_frame(run: Run, frame: dict[str, Any]) -> None:
    memory = Memory(run)
    events = run.recording.events
    for at in range(0, len(events), 997):  # other slices, other memory, and one look in between
        memory.take(events, at, min(at + 997, len(events)))
        if at == 997 * 3:
            frames.build(run, memory)
    assert encode(frames.build(run, memory, seq=7, mode="dry-run")) == encode(frame)


def test_slices_do_not_change_a_side(run: Run) -> None:
    events = run.recording.events
    cut = Sides()
    parts = [cut.of(events[at : at + 331]) for at in range(0, len(events), 331)]
    assert np.array_equal(np.concatenate(parts), sides(events))


def test_the_footprint_is_that_of_the_notebook(run: Run, frame: dict[str, Any]) -> None:
    shown = frame["footprint"]
    start = int(shown["ts"][-1])
    trades = tape(run.recording.events, int(run.recording.events["ts_event"][-1]))
    flow = run.engine.rooms.market.params.flow
    wanted = footprint(
        trades,
        [start],
        [start + 60_000_000_000],
        flow.imbalance_ratio_min,
        flow.imbalance_contracts_min,
        flow.stacked_rows,
    )
    mine = shown["ts"] == start
    assert shown["bid"][mine].tolist() == wanted["bid"].tolist()
    assert shown["ask"][mine].tolist() == wanted["ask"].tolist()
    assert (shown["imbalance"][mine] > 0).tolist() == wanted["buy_imbalance"].tolist()


def test_a_dot_holds_what_traded_in_its_ten_seconds(run: Run, frame: dict[str, Any]) -> None:
    events, dots = run.recording.events, frame["dots"]
    start, price = int(dots["ts"][0]), float(dots["price"][0])
    inside = (events["kind"] == TRADE) & (events["instrument"] == 0)
    inside &= (events["ts_event"] // COLUMN_NS * COLUMN_NS == start) & (events["px"] * TICK_POINTS == price)
    assert dots["bid"][0] + dots["ask"][0] == events["sz"][inside].sum()


def test_diagonal_imbalances_by_hand() -> None:
    buy, sell = imbalances(np.array([10, 2, 0]), np.array([0, 30, 12]), 3.0, 10)
    assert buy.tolist() == [False, True, True]  # 30 against 10, 12 against 2
    assert sell.tolist() == [False, False, False]  # 10 against 30
    assert stacks(np.array([True, True, True, False, True]), 3).tolist() == [True, True, True, False, False]


def test_a_frame_comes_back_as_it_went(frame: dict[str, Any]) -> None:
    back = decode(encode(frame))
    assert back["money"] == frame["money"]
    assert back["levels"] == frame["levels"]
    for name, series in frame.items():
        if isinstance(series, dict):
            for column, values in series.items():
                if isinstance(values, np.ndarray):
                    assert back[name][column].dtype == values.dtype
                    np.testing.assert_array_equal(back[name][column], values)


def test_a_browser_gets_json_and_one_aligned_buffer(frame: dict[str, Any]) -> None:
    header, buffer = pack(frame)
    json.dumps(header, allow_nan=False)
    at, length, kind = header["series"]["ladder"]["bid_size"]
    assert kind == "i4"
    got = np.frombuffer(buffer, "<i4", length, at * 8)
    assert got.tolist() == frame["ladder"]["bid_size"].tolist()
    at, length = header["series"]["bars_1m"]["ts"]
    assert np.frombuffer(buffer, "<f8", length, at * 8)[0] == frame["bars_1m"]["ts"][0] / 1e6


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x01\x02", encode({"a": {"__array__": "<f8"}})])
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError, match="not a frame"):
        decode(payload)
