"""Options of a live session: swept over the real wire within the line budget, seen by the engine once a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mia_kernel.adapters.chain_history import ChainHistory
from mia_kernel.adapters.ibkr_feed import IbkrFeed
from mia_kernel.adapters.ibkr_params import Address, IbkrParams
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.adapters.inbox import Inbox
from mia_kernel.adapters.messages import Limits
from mia_kernel.core.decisions import ABSENT
from mia_kernel.core.events import OptionView
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.session import trading_day_of
from mia_kernel.gamma.refresh import Refresh
from mia_kernel.gamma.sampler import RESERVED, Quoted
from mia_kernel.gamma.summary import GammaLevels, levels_of
from mia_kernel.gateway.synthetic_chain import synthetic_chain
from mia_kernel.live import broker
from mia_kernel.live.loop import Timer
from mia_kernel.live.options import OptionSweep
from mia_kernel.settings import load
from tests.fakes.live_gateway import LiveGateway, morning, near
from tests.fakes.no_guardian import NoGuardian

pytestmark = [pytest.mark.integration, pytest.mark.options]

LINES = 45
HOUR_NS = 3_600_000_000_000


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[LiveGateway, int, float]]:
    recording, start = morning(scale=0.05)
    # Ten times as fast: a minute of views and three batches fit into the test.
    with LiveGateway(recording, start, speed=10.0) as running:
        yield running, start, near(recording, start) * TICK_POINTS


def _base(start: int, future: float, *, back_ns: int = HOUR_NS) -> GammaLevels:
    """The market's own chain as a stored page would hold it: an hour old, of another spot and volatility."""
    chain = synthetic_chain(trading_day_of(start), start - back_ns, round(future * 0.99, 2), 20.0)
    return levels_of(chain)


def test_a_session_sweeps_its_options_and_the_engine_gets_a_view_a_minute(
    gateway: tuple[LiveGateway, int, float],
) -> None:
    running, start, future = gateway
    session = IbkrSession(Address("gateway", "127.0.0.1", running.port), (996,))
    inbox = Inbox(stamp=session.clock.now_ns)
    feed = IbkrFeed(session, inbox, IbkrParams())
    sweep = OptionSweep(session, inbox, LINES)
    session.start()
    try:
        session.wait_ready(30.0)
        assert feed.contract is not None
        seen = {"mid": float("nan")}
        sweep.begin(_base(start, future), feed.contract, lambda: seen["mid"])
        views: list[OptionView] = []
        most, ends = 0, time.monotonic() + 40.0
        while len(views) < 2:
            assert time.monotonic() < ends, (sweep.status(), sweep.failure)
            batch = inbox.take(0.1)
            if batch is not None:
                quotes = batch.rows[(batch.rows["instrument"] == 0) & (batch.rows["bid"] > 0)]
                if len(quotes):
                    seen["mid"] = float(quotes["bid"][-1] + quotes["ask"][-1]) / 2
                views += [event for event in batch.objects if isinstance(event, OptionView)]
            most = max(most, len(sweep.options._asked))
        assert most <= LINES - RESERVED
        assert sweep.failure is None
        first, second = views
        assert second.as_of - first.as_of >= 60_000_000_000
        assert first.ts_recv >= first.as_of
        assert first.source.endswith("+ broker")
        # What was asked for is only part of the book, and the quality says so.
        assert 0.0 < sweep.share < 1.0
        assert 0.0 < first.quality <= second.quality < 1.0
        for name in ("call_wall_ticks", "put_wall_ticks", "gamma_flip_ticks"):
            wall = second.figures[name]
            assert wall is not None
            assert abs(wall * TICK_POINTS / future - 1) < 0.12
    finally:
        sweep.stop()
        session.close()
    assert not sweep.is_alive()
    assert len(running.gateway.options.listings) > LINES


@pytest.mark.long
def test_a_session_over_a_stored_chain_knows_options_and_its_record_replays_the_same(
    gateway: tuple[LiveGateway, int, float], mia_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, start, future = gateway
    page = synthetic_chain(trading_day_of(start), start - HOUR_NS, round(future * 0.995, 2), 18.0)
    ChainHistory(mia_home / "data" / "options").add(replace(page, content_sha256="a" * 64))
    monkeypatch.setattr(broker, "Relink", NoGuardian)
    limits = Limits("", "", "reducing")
    monkeypatch.setattr(broker, "greet", lambda *_: (NoGuardian(), limits))
    session = broker.open_broker_session(
        load().settings, f"gateway:127.0.0.1:{running.port}", "paper", mia_home / "j.sqlite", session_id="x"
    )
    sweep = session.sweep
    assert sweep is not None
    assert "options" in (session.run.recording.declared or ())
    began = time.monotonic()
    session.loop.timers.append(
        Timer(
            0.5,
            lambda: session.loop.stop("seen") if sweep.views > 2 or time.monotonic() - began > 90 else None,
        )
    )
    session.go()
    answer = session.close()
    assert sweep.views > 2
    assert session.run.chains.rows[0]["source"].endswith("+ broker")
    at = session.run.table.names.index("gamma_levels")
    assert (session.run.table.column("status")[:, at] != ABSENT).any()
    assert answer.equal == answer.total > 0


def test_fresh_volatilities_are_taken_stale_ones_are_not_and_the_share_bounds_the_quality() -> None:
    start = morning(scale=0.05)[1]
    base = _base(start, 5000.0)
    contract = replace(base.basis).contract if base.basis else None
    assert contract is not None
    refresh, now, spot = Refresh(base, contract), start, base.book.spot
    before, nothing = refresh.levels(now, spot)
    assert nothing == 0.0
    assert before.confidence.score == pytest.approx(0.6 * base.confidence.score)
    assert before.ratios["all_rows"]["volume"] is None
    asked = refresh.batch(now, spot, LINES)
    assert len(asked.pinned) + len(asked.rotating) == LINES - RESERVED
    quotes = [
        Quoted(wanted, 1.0, 1.1, 0.5, None, None, None, 100.0, 0.0)
        for wanted in (*asked.pinned, *asked.rotating)
    ]
    assert refresh.take(quotes, now) == LINES - RESERVED
    after, share = refresh.levels(now, spot)
    assert 0.0 < share < 1.0
    assert after.confidence.score == pytest.approx(base.confidence.score * (0.6 + 0.4 * share))
    assert np.count_nonzero(after.book.sigma == 0.5) == LINES - RESERVED
    # The next batch goes on, and does not ask for the heavy ones again at once.
    again = refresh.batch(now, spot, LINES)
    assert not set(again.rotating) & set(asked.rotating)
    later, none = refresh.levels(now + 901_000_000_000, spot)
    assert none == 0.0
    assert not (later.book.sigma == 0.5).any()
    # The basis is that of the whole chain, whatever spot the book is moved to.
    force, _ = refresh.in_force(now, spot * 1.01)
    assert force.basis.ratio == pytest.approx(refresh.basis.ratio)
