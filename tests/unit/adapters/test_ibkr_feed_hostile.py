"""R5 at the wire: whatever numbers a message carries, the feed answers with a sound row or a count, never a trace."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.adapters.ibkr_depth import BID_SIDE, INSERT, UPDATE
from mia_kernel.adapters.ibkr_feed import DEPTH_AGAIN_S, IbkrFeed
from mia_kernel.adapters.ibkr_numbers import FUTURE_S, MOST
from mia_kernel.adapters.ibkr_params import IbkrParams
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.core.events import BOOK, PRIMARY, QUOTE, TRADE

pytestmark = [pytest.mark.unit, pytest.mark.safety]

NS = 10**9
NOW = 1_565_357_400 * NS
SECOND_NOW = NOW // NS
PRICE = 2_925.25

NUMBERS = st.one_of(
    st.sampled_from((math.nan, math.inf, -math.inf, 1.797e308, -1.0, 0.0, 0.1, 1e20, PRICE, PRICE + 0.1)),
    st.integers(11_690, 11_710).map(lambda ticks: ticks / 4),
    st.floats(),
)
TIMES = st.one_of(st.integers(-(2**63), 2**63), st.integers(SECOND_NOW - 5, SECOND_NOW + 5))
PLACES = st.integers(-3, 20)


class Wire:
    """A session that keeps what is asked of it; its clock is moved by hand."""

    def __init__(self) -> None:
        self.clock = SimpleNamespace(now_ns=lambda: self.now, speed=1.0)
        self.now = NOW
        self.asked: list[tuple[str, int]] = []
        self.client = self
        self._id = 0

    def add(self, listener: Any) -> None:
        """Nobody else listens."""

    def next_id(self) -> int:
        self._id += 1
        return self._id

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("req", "cancel")):
            raise AttributeError(name)
        return lambda request, *_: self.asked.append((name, request))


class Scene:
    """A feed whose ES is subscribed, and its requests by what they are."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.inbox = Inbox(stamp=self.wire.clock.now_ns)
        self.feed = IbkrFeed(self.wire, self.inbox, IbkrParams(second=False, vix=False))  # type: ignore[arg-type]
        self.feed.on_up(self.wire)  # type: ignore[arg-type]
        contract = SimpleNamespace(lastTradeDateOrContractMonth="20190920")
        self.feed.on_contractDetails(self.of("reqContractDetails"), SimpleNamespace(contract=contract))

    def of(self, name: str) -> int:
        """Return the newest request of a kind."""
        return [request for asked, request in self.wire.asked if asked == name][-1]

    def rows(self) -> Any:
        batch = self.inbox.take(0.0)
        return batch.rows if batch is not None else np.zeros(0)

    def dropped(self) -> int:
        counts = self.feed.counts
        return counts.impossible + counts.off_grid + counts.unknown_level + counts.crossed


def sound(row: Any) -> bool:
    if row["ts_event"] > NOW + (FUTURE_S + 1) * NS:
        return False
    if row["kind"] == TRADE:
        return 0 < row["px"] < MOST and 0 <= row["sz"] < MOST
    sides = row["bid"] == 0 or row["ask"] == 0 or row["bid"] < row["ask"]
    return bool(sides and (row["b"] >= 0).all() and (row["a"] >= 0).all())


MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.just("depth"), PLACES, st.integers(-1, 4), st.integers(-1, 3), NUMBERS, NUMBERS),
        st.tuples(st.just("print"), TIMES, NUMBERS, NUMBERS),
        st.tuples(st.just("best"), st.integers(0, 5), NUMBERS, NUMBERS),
        st.tuples(st.just("size"), st.integers(0, 5), NUMBERS),
        st.tuples(st.just("bar"), NUMBERS),
        st.tuples(st.just("packet")),
    ),
    max_size=40,
)


def tell(scene: Scene, message: Any) -> None:
    """Pass one message on, as the decoder would."""
    feed = scene.feed
    match message:
        case ("depth", at, operation, side, price, size):
            feed.on_updateMktDepth(scene.of("reqMktDepth"), at, operation, side, price, size)
        case ("print", time, price, size):
            feed.on_tickByTickAllLast(scene.of("reqTickByTickData"), 1, time, price, size)
        case ("best", kind, price, size):
            feed.on_priceSizeTick(scene.of("reqMktData"), kind, price, size)
        case ("size", kind, size):
            feed.on_tickSize(scene.of("reqMktData"), kind, size)
        case ("bar", volume):
            feed.on_realtimeBar(scene.of("reqRealTimeBars"), 0, 1.0, 1.0, 1.0, 1.0, volume)
        case _:
            feed.on_tcpDataProcessed()


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(messages=MESSAGES)
def test_any_message_becomes_a_sound_row_or_a_count(messages: list[Any]) -> None:
    scene = Scene()
    for message in messages:
        before = scene.dropped()
        tell(scene, message)
        rows = scene.rows()
        assert all(sound(row) for row in rows), (message, rows)
        if message[0] == "print":
            assert bool(len(rows)) or scene.dropped() > before  # nothing is lost without a count
    scene.feed.on_tcpDataProcessed()
    assert all(sound(row) for row in scene.rows())


def test_an_impossible_row_of_the_depth_leaves_the_book_and_asks_again_later() -> None:
    scene = Scene()
    feed, old = scene.feed, scene.of("reqMktDepth")
    for side, price in ((BID_SIDE, PRICE), (1 - BID_SIDE, PRICE + 0.25)):
        feed.on_updateMktDepth(old, 0, INSERT, side, price, 7.0)
    feed.on_tcpDataProcessed()
    assert scene.rows()["kind"].tolist() == [BOOK]
    feed.on_updateMktDepth(old, 0, UPDATE, BID_SIDE, math.nan, 7.0)
    assert ("cancelMktDepth", old) in scene.wire.asked
    feed.on_updateMktDepth(
        old, 0, INSERT, BID_SIDE, PRICE, 7.0
    )  # still under way: of a book nobody knows any more
    feed.on_tcpDataProcessed()
    assert not len(scene.rows())
    feed.on_priceSizeTick(scene.of("reqMktData"), 1, PRICE, 3.0)
    feed.on_priceSizeTick(scene.of("reqMktData"), 2, PRICE + 0.25, 4.0)
    assert scene.rows()["kind"].tolist() == [QUOTE], "the best prices carry on without depth"
    feed.tick()
    assert scene.of("reqMktDepth") == old
    scene.wire.now += round(DEPTH_AGAIN_S * NS)
    feed.tick()
    assert scene.of("reqMktDepth") != old
    assert (feed.counts.impossible, feed.counts.depth_left) == (1, 1)


@pytest.mark.parametrize(
    "text", ["", ";;", "a;b;c", "2925.25;1;nan", "nan;1;5", "2925.25;-1;5", "2925.25;1;1e9"]
)
def test_a_broken_volume_string_is_no_print(text: str) -> None:
    scene = Scene()
    scene.feed.tick_by_tick[PRIMARY] = False
    scene.feed.on_tickString(scene.of("reqMktData"), 48, text)
    assert not len(scene.rows())
