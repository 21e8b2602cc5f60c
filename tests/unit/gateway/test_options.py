"""SPX options of the gateway: parity, greeks against finite differences, a recorded chain under a moving future."""

from __future__ import annotations

import pytest

from mia_kernel.adapters.chains import read_chain
from mia_kernel.core.errors import InputError
from mia_kernel.gamma.chain import NS_PER_YEAR
from mia_kernel.gateway.contracts import Listing
from mia_kernel.gateway.options import OptionMarket, OptionQuote
from mia_kernel.gateway.synthetic_chain import synthetic_chain
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.unit, pytest.mark.options]

DAY, NOW = 20250314, 1_741_960_800_000_000_000  # 10:00 New York
SPOT, FUTURE = 6000.0, 6030.0
DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="module")
def market() -> OptionMarket:
    return OptionMarket(synthetic_chain(DAY, NOW, SPOT, 18.0), FUTURE, NOW)


def at(market: OptionMarket, listing: Listing, future: float, now: int = NOW) -> OptionQuote:
    market.follow(future, now)
    quote = market.quote(listing.con_id, now)
    assert quote is not None
    return quote


def pick(
    market: OptionMarket, right: str, strike: float = 6000.0, root: str = "SPXW", nth: int = 3
) -> Listing:
    own = [x for x in market.listings if (x.right, x.strike, x.trading_class) == (right, strike, root)]
    return sorted(own, key=lambda x: x.expiry)[nth]


def test_the_index_follows_the_future_by_the_ratio_at_the_start(market: OptionMarket) -> None:
    assert at(market, pick(market, "C"), FUTURE).spot == pytest.approx(SPOT, abs=0.01)
    assert at(market, pick(market, "C"), FUTURE * 1.01).spot == pytest.approx(SPOT * 1.01, abs=0.01)


def test_put_call_parity_holds_for_the_model(market: OptionMarket) -> None:
    call, put = at(market, pick(market, "C"), FUTURE), at(market, pick(market, "P"), FUTURE)
    years = 5 / 365  # expiry of the fourth cash day; D·(F − K) with 3 % carry at a strike equal to spot
    assert call.model - put.model == pytest.approx(SPOT * 0.03 * years, abs=1.0)
    assert call.delta - put.delta == pytest.approx(1.0, abs=0.01)
    assert call.gamma == pytest.approx(put.gamma)


@pytest.mark.parametrize("right", ["C", "P"])
def test_delta_and_gamma_are_the_slopes_of_the_price(market: OptionMarket, right: str) -> None:
    listing, step = pick(market, right), FUTURE * 0.0005
    low, mid, high = (at(market, listing, FUTURE + k * step) for k in (-1, 0, 1))
    span = high.spot - low.spot
    assert mid.delta == pytest.approx((high.model - low.model) / span, abs=2e-3)
    assert mid.gamma == pytest.approx((high.delta - low.delta) / span, rel=1e-2)


def test_theta_is_what_one_day_costs(market: OptionMarket) -> None:
    listing = pick(market, "C")
    today, tomorrow = at(market, listing, FUTURE), at(market, listing, FUTURE, NOW + DAY_NS)
    assert tomorrow.model - today.model == pytest.approx(today.theta, rel=1e-6)


def test_quotes_stand_on_the_tick_around_the_model(market: OptionMarket) -> None:
    for listing in market.listings[::37]:
        quote = at(market, listing, FUTURE)
        tick = 0.05 if quote.ask < 3 else 0.10
        assert quote.bid <= quote.model <= quote.ask
        assert quote.ask / tick == pytest.approx(round(quote.ask / tick), abs=1e-6)


def test_a_settled_contract_has_no_quote(market: OptionMarket) -> None:
    first = pick(market, "C", nth=0)
    market.follow(FUTURE, NOW)
    assert market.quote(first.con_id, NOW) is not None
    assert market.quote(first.con_id, NOW + DAY_NS) is None


def test_a_chain_of_other_days_is_refused() -> None:
    chain = synthetic_chain(DAY, NOW, SPOT, 18.0)
    with pytest.raises(InputError, match="settled"):
        OptionMarket(chain, FUTURE, NOW + 10 * NS_PER_YEAR)


@needs_shared_data
def test_a_recorded_chain_is_quoted_near_its_own_quotes() -> None:
    chain = read_chain(shared_file("options/spx_20230609_1340ET_intraday.csv"))
    market = OptionMarket(chain, chain.spot * 1.004, chain.as_of)
    near = [x for x in market.listings if abs(x.strike - chain.spot) < 50 and x.expiry > "20230612"]
    assert len(near) > 50
    legs = {(int(leg["expiry"]), float(leg["strike"]), int(leg["right"]), chain.roots[leg["root"]]): leg
            for leg in chain.legs}  # fmt: skip
    off = []
    for listing in near:
        leg = legs[
            int(listing.expiry), listing.strike, 1 if listing.right == "C" else -1, listing.trading_class
        ]
        if leg["bid"] > 0 and leg["ask"] > leg["bid"]:
            quote = at(market, listing, chain.spot * 1.004, chain.as_of)
            off.append(abs(quote.model - (leg["bid"] + leg["ask"]) / 2) / (leg["bid"] + leg["ask"]) * 2)
    assert sorted(off)[len(off) // 2] < 0.03  # the median model price is within 3 % of the recorded mid
