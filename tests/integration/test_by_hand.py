"""What a person does at the venue beside us, as in TWS: known and told at once, and its end too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mia_kernel.adapters import limits_file
from mia_kernel.adapters.ibkr_broker import open_socket
from mia_kernel.gateway.fields import by_hand
from tests.fakes.guarded import ACCOUNT
from tests.fakes.live_gateway import LiveGateway, morning, near
from tests.fakes.wired import Wired

pytestmark = [pytest.mark.integration, pytest.mark.safety]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    recording, start = morning(scale=0.2)
    with LiveGateway(recording, start, account=ACCOUNT) as running:
        yield running


@pytest.fixture
def wired(gateway: LiveGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wired]:
    """A guardian that the venue has confirmed and that sees quotes; its look at everything is far away."""
    monkeypatch.setitem(limits_file.CAPS, "max_orders_per_hour", 256)
    broker = open_socket("gateway", "127.0.0.1", gateway.port, account=ACCOUNT)
    wired = Wired(tmp_path / "home", broker)
    try:
        wired.until(lambda: broker.connected and wired.g.reconciled, 30.0, "not reconciled before")
        wired.until(lambda: broker.top_of_book("ES") is not None, 5.0, "no quote")
        wired.until(lambda: wired.g.query_asked is None, 5.0, "still asking")
        wired.g.next_query = wired.now + 3600.0
        yield wired
    finally:
        gateway.inside(gateway.gateway.venue.cancel_all)
        wired.g.book.close()
        broker.close()


def hand(gateway: LiveGateway, action: str, price: float | None) -> Any:
    listing = gateway.gateway.listings.front["ES"]
    return gateway.inside(lambda: gateway.gateway.venue.place_by_hand(listing, by_hand(action, 1, price)))


def told(wired: Wired) -> list[str]:
    return [note.text for note in wired.g.alerts.notes()]


def test_an_order_that_only_rests_is_known_within_two_seconds_and_gone_when_it_is_taken_away(
    wired: Wired, gateway: LiveGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    far = (near(gateway._recording, wired.broker.now_ns()) - 200) * 0.25

    def strangers() -> list[Any]:
        return [r for r in wired.g.truth.live_orders() if r.external]

    placed = hand(gateway, "BUY", far)
    took = wired.until(strangers, 5.0, "not noticed")
    assert took <= 2.0
    assert [r.perm_id for r in strangers()] == [placed.perm_id]
    assert any("was not placed here" in text for text in told(wired))
    wired.until(lambda: wired.g.query_asked is None, 5.0, "still asking")
    gateway.inside(gateway.gateway.venue.cancel_all)
    gone = wired.until(lambda: not strangers(), 5.0, "still believed")
    assert gone <= 3.0
    with capsys.disabled():
        print(f"\nan order by hand that rests: known after {took:.2f} s, its end after {gone:.2f} s")


def test_a_position_is_found_at_once(
    wired: Wired, gateway: LiveGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    held = wired.g.truth.position("ES")
    for action, after in (("BUY", held + 1), ("SELL", held)):
        wired.g.next_query = wired.now + 3600.0
        hand(gateway, action, None)
        took = wired.until(lambda after=after: wired.g.truth.position("ES") == after, 5.0, "not noticed")
        assert any("of an order not placed here" in text for text in told(wired))
        wired.until(lambda: wired.g.reconciled and wired.g.query_asked is None, 5.0, "not equal")
        assert took <= 1.0
        with capsys.disabled():
            print(f"\na hand at the venue: known and told after {1000 * took:.0f} ms")
