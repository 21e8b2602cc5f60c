"""The order socket against the simulated gateway, over the real wire and the real client library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from mia_kernel.adapters.ibkr_broker import Broker, open_socket
from mia_kernel.core.errors import OutsideError
from mia_kernel.core.orders import OrderStatus
from mia_kernel.core.venue import (
    Cancel,
    Commission,
    Fill,
    Holding,
    Link,
    Modify,
    Place,
    Rests,
    Snapshot,
    Tif,
    Trouble,
    VenueEvent,
    VenueOrder,
    WireOrder,
    WireType,
)
from tests.fakes.live_gateway import LiveGateway, morning

pytestmark = [pytest.mark.integration, pytest.mark.safety]


class Scene:
    """A gateway, a broker on it, everything heard so far."""

    def __init__(self, gateway: LiveGateway, broker: Broker) -> None:
        self.gateway, self.broker = gateway, broker
        self.heard: list[VenueEvent] = []
        self.queries = 100

    def until(self, done: Callable[[], bool], seconds: float = 5.0) -> None:
        ends = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < ends, self.heard[-6:]
            self.broker.wait(0.05)
            self.heard += self.broker.reports()
        self.heard += self.broker.reports()

    def last(self, ref: str) -> VenueOrder | None:
        found = [e for e in self.heard if isinstance(e, VenueOrder) and e.ref == ref]
        return found[-1] if found else None

    def becomes(self, ref: str, status: OrderStatus) -> VenueOrder:
        self.until(lambda: (told := self.last(ref)) is not None and told.status is status)
        told = self.last(ref)
        assert told is not None
        return told

    def snapshot(self) -> Snapshot:
        self.queries += 1
        self.broker.query(self.queries)
        number = self.queries
        self.until(lambda: any(isinstance(e, Snapshot) and e.query_id == number for e in self.heard))
        return next(e for e in self.heard if isinstance(e, Snapshot) and e.query_id == number)

    def top(self) -> tuple[int, int]:
        """Return bid and ask; the two come one by one."""
        found: list[tuple[int, int]] = []

        def both() -> bool:
            top = self.broker.top_of_book("ES")
            if top is not None and top.bid_ticks is not None and top.ask_ticks is not None:
                found.append((top.bid_ticks, top.ask_ticks))
            return bool(found)

        self.until(both)
        return found[0]

    def bracket(self, name: str, *, away: int = 0, qty: int = 1) -> Place:
        bid, ask = self.top()
        limit = ask + 8 if not away else bid - away
        entry = WireOrder(f"{name}-entry", "ES", 1, qty, WireType.LIMIT, limit_ticks=limit, tif=Tif.GTC)
        stop = WireOrder(f"{name}-stop", "ES", -1, qty, WireType.STOP, stop_ticks=bid - 400, tif=Tif.GTC,
                         outside_rth=True, parent=entry.ref, oca=name)  # fmt: skip
        target = WireOrder(f"{name}-target", "ES", -1, qty, WireType.LIMIT, limit_ticks=ask + 400, tif=Tif.GTC,
                           parent=entry.ref, oca=name)  # fmt: skip
        return Place((entry, stop, target))


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    recording, start = morning(scale=0.05)
    with LiveGateway(recording, start) as running:
        yield running


@pytest.fixture(scope="module")
def broker(gateway: LiveGateway) -> Iterator[Broker]:
    socket = open_socket("gateway", "127.0.0.1", gateway.port)
    yield socket
    socket.close()


@pytest.fixture
def scene(gateway: LiveGateway, broker: Broker) -> Iterator[Scene]:
    here = Scene(gateway, broker)
    here.until(lambda: broker.connected)
    yield here
    if broker.connected:
        for order in here.snapshot().orders:
            broker.submit((Cancel(order.ref, order.perm_id),))
        held = {h.symbol: h.qty for h in here.snapshot().holdings}.get("ES", 0)
        if held:
            out = WireOrder(
                f"out-{time.monotonic_ns()}", "ES", -1 if held > 0 else 1, abs(held), WireType.MARKET
            )
            broker.submit((Place((out,)),))
            here.becomes(out.ref, OrderStatus.FILLED)


def test_a_bracket_fills_is_protected_and_told_as_the_venue_has_it(scene: Scene) -> None:
    place = scene.bracket("mia-1")
    scene.broker.submit((place,))
    filled = scene.becomes("mia-1-entry", OrderStatus.FILLED)
    stop = scene.becomes("mia-1-stop", OrderStatus.WORKING)
    scene.becomes("mia-1-target", OrderStatus.WORKING)
    scene.until(lambda: any(isinstance(e, Commission) for e in scene.heard))
    fill = next(e for e in scene.heard if isinstance(e, Fill))
    assert (fill.ref, fill.side, fill.qty, fill.perm_id) == ("mia-1-entry", 1, 1, filled.perm_id)
    assert stop.outside_rth
    assert stop.rests is Rests.BROKER
    assert stop.stop_ticks == place.orders[1].stop_ticks
    told = scene.snapshot()
    assert told.holdings == (Holding("ES", 1),)
    assert {order.ref for order in told.orders} == {"mia-1-stop", "mia-1-target"}
    mine = next(f for f in told.fills if f.exec_id == fill.exec_id)
    assert mine.commission_usd == Decimal("2.25")
    assert scene.broker.equity_usd() is not None
    moved = replace(place.orders[1], stop_ticks=(place.orders[1].stop_ticks or 0) + 4)
    scene.broker.submit((Modify(moved),))
    scene.until(
        lambda: (told := scene.last("mia-1-stop")) is not None and told.stop_ticks == moved.stop_ticks
    )
    again = scene.last("mia-1-stop")
    assert again is not None
    assert again.perm_id == stop.perm_id


def test_a_refused_order_is_told_as_rejected_with_its_reason(scene: Scene) -> None:
    scene.gateway.do("reject-next", code=201)
    bid, _ = scene.top()
    scene.broker.submit(
        (Place((WireOrder("mia-2-entry", "ES", 1, 1, WireType.LIMIT, limit_ticks=bid - 40),)),)
    )
    told = scene.becomes("mia-2-entry", OrderStatus.REJECTED)
    assert told.reason.startswith("201")
    assert any(isinstance(e, Trouble) and e.code == 201 and e.ref == "mia-2-entry" for e in scene.heard)


def test_what_cannot_be_cancelled_or_changed_is_trouble_not_silence(scene: Scene) -> None:
    scene.broker.submit((Cancel("mia-77-stop"),))
    scene.until(lambda: any(isinstance(e, Trouble) and e.ref == "mia-77-stop" for e in scene.heard))


def test_link_lost_and_restored_is_told_and_nothing_is_sent_meanwhile(scene: Scene) -> None:
    scene.gateway.do("drop-link", data_lost=True)
    scene.until(lambda: not scene.broker.connected)
    with pytest.raises(OutsideError, match="nothing was sent"):
        scene.broker.submit((Cancel("x"),))
    scene.gateway.do("restore")
    scene.until(lambda: scene.broker.connected)
    links = [e for e in scene.heard if isinstance(e, Link)]
    assert [(e.up, e.data_lost) for e in links[-2:]] == [(False, False), (True, True)]
    before = scene.broker.top_of_book("ES")
    scene.until(lambda: scene.broker.top_of_book("ES") != before)  # quotes were asked again


def test_a_restart_with_ids_rolled_back_reuses_no_id_and_keeps_every_order(scene: Scene) -> None:
    scene.broker.submit((scene.bracket("mia-3", away=400),))
    scene.becomes("mia-3-entry", OrderStatus.WORKING)
    used = {k.order_id for k in scene.broker.heard.by_id.values()}
    scene.gateway.do("restart", down_s=0.3, id_rollback=True, stale_326_s=1.0)
    scene.until(lambda: not scene.broker.connected)
    began = time.monotonic()
    scene.until(lambda: scene.broker.connected, 15.0)
    assert time.monotonic() - began < 4.0  # a refused id is not waited out: 0.3 s away, 1 s in use
    assert scene.broker.session.client_id == 999
    told = scene.snapshot()
    assert {o.ref for o in told.orders} == {"mia-3-entry", "mia-3-stop", "mia-3-target"}
    scene.broker.submit((scene.bracket("mia-4", away=410),))
    scene.becomes("mia-4-entry", OrderStatus.WORKING)
    fresh = {k.order_id for k in scene.broker.heard.by_id.values() if k.ref.startswith("mia-4")}
    assert not fresh & used
    assert {o.ref for o in scene.snapshot().orders} >= {"mia-3-stop", "mia-4-stop"}


def test_an_id_in_use_gives_the_next_one_down(scene: Scene) -> None:
    second = open_socket("gateway", "127.0.0.1", scene.gateway.port)
    assert (scene.broker.session.client_id, second.session.client_id) == (999, 998)
    second.close()


def test_a_half_open_link_is_found_within_three_seconds(scene: Scene) -> None:
    began = time.monotonic()
    scene.gateway.do("half-open")
    scene.until(lambda: not scene.broker.connected, 6.0)
    took = time.monotonic() - began
    assert took <= 3.5, took  # 3 s are promised; the rest is this machine's
    scene.until(lambda: scene.broker.connected, 15.0)
