"""The market feed against the simulated gateway: rows of the inbox equal the market that the gateway tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.ibkr_feed import IbkrFeed
from mia_kernel.adapters.ibkr_params import Address, IbkrParams
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.session_clock import ALARM_S
from mia_kernel.core.events import BOOK, PRIMARY, SIDE_TICK_RULE, TIMER, TRADE, VIX
from tests.fakes.live_gateway import LiveGateway, morning

pytestmark = pytest.mark.integration


class Scene:
    """A gateway, a feed on it, the rows that came."""

    def __init__(self, gateway: LiveGateway) -> None:
        self.gateway = gateway
        self.session = IbkrSession(Address("gateway", "127.0.0.1", gateway.port), (998, 997))
        self.inbox = Inbox(stamp=self.session.clock.now_ns)
        self.feed = IbkrFeed(self.session, self.inbox, IbkrParams())
        self.rows: list[Any] = []
        self.session.start()
        self.session.wait_ready(30.0)

    def until(self, done: Callable[[], bool], seconds: float = 15.0) -> None:
        ends = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < ends, (self.feed.counts, len(self.rows))
            batch = self.inbox.take(0.05)
            if batch is not None:
                self.rows += [batch.rows] if len(batch.rows) else []
            self.feed.tick()

    def all(self) -> Any:
        return np.concatenate(self.rows)

    def of(self, kind: int, place: int = PRIMARY) -> Any:
        rows = self.all() if self.rows else np.zeros(0)
        return rows[(rows["kind"] == kind) & (rows["instrument"] == place)] if len(rows) else rows


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    recording, start = morning(scale=0.05)
    with LiveGateway(recording, start, speed=4.0) as running:
        yield running


@pytest.fixture
def scene(gateway: LiveGateway) -> Iterator[Scene]:
    here = Scene(gateway)
    yield here
    here.session.close()


def test_prints_books_and_time_come_as_the_gateway_tells_them(scene: Scene) -> None:
    scene.until(lambda: len(scene.of(TRADE)) >= 8 and len(scene.of(BOOK)) >= 10)
    rows, recorded = scene.all(), scene.gateway._recording.events
    stamps = rows["ts_recv"].astype(np.int64)
    assert (np.diff(stamps) >= 0).all()
    assert scene.feed.contract is not None
    prints = scene.of(TRADE)
    assert (prints["flags"] & SIDE_TICK_RULE).all()
    told = recorded[(recorded["kind"] == TRADE) & (recorded["instrument"] == PRIMARY)]
    near = told[(told["ts_recv"] > stamps[0] - 4 * 10**9) & (told["ts_recv"] < stamps[-1] + 4 * 10**9)]
    ours = list(zip(prints["px"].tolist(), prints["sz"].tolist(), strict=True))
    there = list(zip(near["px"].tolist(), near["sz"].tolist(), strict=True))
    assert any(there[i : i + len(ours)] == ours for i in range(len(there))), (ours[:5], there[:9])
    books = scene.of(BOOK)
    whole = books[(books["bid"] > 0) & (books["ask"] > 0)]
    assert len(whole)
    assert (whole["bid"] < whole["ask"]).all()
    assert scene.feed.counts.off_grid == scene.feed.counts.unknown_level == 0
    # every event lies within a second of event time before its arrival, but for what the two clocks differ:
    # a print keeps the exchange's second also where ours has not come to it
    late = rows["ts_recv"].astype(np.int64) - rows["ts_event"].astype(np.int64)
    assert late.min() > -ALARM_S * 10**9
    assert np.median(late) >= 0
    assert late.max() < 2 * 10**9


def test_lost_data_is_subscribed_again_and_a_flapping_farm_too(scene: Scene) -> None:
    scene.until(lambda: len(scene.of(BOOK)) > 0)
    scene.gateway.do("drop-link", data_lost=True)
    scene.until(lambda: not scene.session.connected)
    scene.gateway.do("restore")
    scene.until(lambda: scene.feed.counts.resubscribed == 1)
    before = len(scene.of(BOOK))
    scene.until(lambda: len(scene.of(BOOK)) > before + 5)
    scene.gateway.do("flap-farm", down_s=0.2)
    scene.until(lambda: scene.feed.counts.resubscribed >= 2)
    before = len(scene.of(TRADE))
    scene.until(lambda: len(scene.of(TRADE)) > before)
    assert scene.feed.counts.resubscribed == 2  # four farms went and came: the streams were asked for once


def test_a_reset_book_is_empty_until_it_is_told_again_and_silence_makes_time_pass(scene: Scene) -> None:
    scene.until(lambda: len(scene.of(BOOK)) > 0)
    scene.gateway.do("reset-depth")
    scene.until(lambda: scene.feed.counts.resets == 1)
    before = len(scene.of(BOOK))
    scene.until(lambda: len(scene.of(BOOK)) > before)
    scene.gateway.do("halt")
    before = len(scene.of(TIMER))
    scene.until(lambda: len(scene.of(TIMER)) > before + 2)
    scene.gateway.do("resume")


def test_what_the_source_has_not_is_refused_and_said(gateway: LiveGateway) -> None:
    has = set(np.unique(gateway._recording.events["instrument"]).tolist())
    here = Scene(gateway)
    try:
        here.until(lambda: len(here.of(BOOK)) > 0)
        here.until(lambda: all(place in has or place in here.feed.refused for place in (VIX,)))
        assert all("354" in said for said in here.feed.refused.values())
        assert not set(here.feed.refused) & has
    finally:
        here.session.close()
