"""Option quotes over the real wire: a batch takes lines, tells what was said, and gives the lines back."""

from __future__ import annotations

import time

import pytest

from mia_kernel.adapters.ibkr_options import IbkrOptions
from mia_kernel.adapters.ibkr_params import Address
from mia_kernel.adapters.ibkr_session import IbkrSession
from mia_kernel.gamma.chain import CALL, PUT
from mia_kernel.gamma.sampler import Quoted, Wanted
from tests.fakes.live_gateway import LiveGateway, morning

pytestmark = pytest.mark.integration


def test_a_batch_is_quoted_what_does_not_exist_is_remembered_and_every_line_comes_back() -> None:
    recording, start = morning(scale=0.05)
    with LiveGateway(recording, start) as running:
        session = IbkrSession(Address("gateway", "127.0.0.1", running.port), (997,))
        options = IbkrOptions(session)
        session.start()
        session.wait_ready(30.0)
        listed = [
            x
            for x in running.gateway.options.listings
            if x.expiry == running.gateway.options.listings[0].expiry
        ]
        middle = listed[len(listed) // 2 : len(listed) // 2 + 4]
        batch = [
            Wanted(x.trading_class, int(x.expiry), x.strike, CALL if x.right == "C" else PUT) for x in middle
        ]
        nowhere = Wanted(batch[0].root, batch[0].expiry, 123.0, CALL)
        session.now(lambda: options.ask([*batch, nowhere]))
        ends = time.monotonic() + 20.0
        while not options.due():
            assert time.monotonic() < ends
            time.sleep(0.1)
        quotes: list[Quoted] = session.now(options.collect)
        assert {quote.contract for quote in quotes} == set(batch)
        assert options.absent == {nowhere}
        assert not options.busy
        for quote in quotes:
            assert quote.iv is not None
            assert quote.delta is not None
            assert quote.gamma is not None
            assert 0.0 < quote.iv < 3.0
            assert (quote.delta >= 0.0) == (quote.contract.right == CALL)
            assert quote.gamma >= 0.0
            assert quote.ask is not None
            assert quote.ask > 0.0
            assert 0.0 <= quote.age_s <= 10.0
        assert any(quote.oi for quote in quotes)
        session.now(lambda: options.ask([nowhere]))
        assert not options.busy
        session.close()
