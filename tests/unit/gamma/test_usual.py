"""Volume against earlier days, open interest after, volatility that moves with spot: small laws on SYNTHETIC chains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.core.errors import DataError
from mia_kernel.desk import options
from mia_kernel.gamma.bands import alternatives, bands_of
from mia_kernel.gamma.book import Repricer, book_of
from mia_kernel.gamma.chain import Chain
from mia_kernel.gamma.sticky import StickyDelta
from mia_kernel.gamma.usual import flow_adjusted, flow_fit, group_tape, open_interest_change, volume_scores
from tests.shared_data import needs_shared_data, shared_file

pytestmark = [pytest.mark.unit, pytest.mark.options]

DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="module")
def chain() -> Chain:
    made = synthetic_chain(7, spot=5360.0, day=20240610)
    near = np.isin(made.legs["expiry"], np.unique(made.legs["expiry"])[:6])
    return replace(made, legs=made.legs[near])


def _earlier(chain: Chain, days: int, seed: int = 1) -> list[Chain]:
    rng = np.random.default_rng(seed)
    out: list[Chain] = []
    for day in range(1, days + 1):
        legs = chain.legs.copy()
        legs["volume"] = rng.poisson(50.0, len(legs))
        out.append(replace(chain, legs=legs, as_of=chain.as_of - day * DAY_NS))
    return out


def test_a_contract_far_above_its_group_scores_high_and_nothing_is_said_under_five_sessions(
    chain: Chain,
) -> None:
    legs = chain.legs.copy()
    legs["volume"] = 50.0
    legs["oi"] = 100_000.0
    # An expiry that earlier days had in the same distance, at the money.
    far = legs["expiry"] != np.unique(legs["expiry"])[4]
    legs["volume"][np.argmin(np.abs(legs["strike"] - chain.spot) + 1e6 * far)] = 20_000.0
    today = replace(chain, legs=legs)
    book, tapes = book_of(today), [group_tape(one) for one in _earlier(chain, 6)]
    z = volume_scores(book, tapes)
    at = int(np.argmax(book.legs["volume"]))
    assert z[at] > 10
    assert abs(float(np.nanmedian(z))) < 1
    assert np.isnan(volume_scores(book, tapes[:4])).all()
    later = [replace(tape, as_of=book.now) for tape in tapes]
    assert np.isnan(volume_scores(book, later)).all()
    table = options.unusual(today, _earlier(chain, 6))
    assert table["volume"].tolist() == [20_000.0]
    assert np.isnan(table["oi_change"]).all()
    assert len(options.unusual(today)) == 0


def test_alpha_is_measured_on_the_next_morning_and_never_assumed(chain: Chain) -> None:
    legs = chain.legs.copy()
    legs["volume"] = np.random.default_rng(2).integers(1, 5_000, len(legs))
    before = replace(chain, legs=legs)
    grown = legs.copy()
    grown["oi"] = legs["oi"] + 0.4 * legs["volume"]
    after = replace(chain, legs=grown, as_of=chain.as_of + DAY_NS)
    fit = flow_fit(before, after)
    assert fit.alpha == pytest.approx(0.4)
    assert fit.r2 == pytest.approx(1.0)
    assert np.nansum(open_interest_change(before, after)) == pytest.approx(0.4 * legs["volume"].sum())
    moved = flow_adjusted(before, fit.alpha)
    assert moved.legs["oi"] == pytest.approx(grown["oi"])
    assert "ESTIMATED" in moved.defects.notes[-1]
    assert (flow_adjusted(before, -10.0).legs["oi"] >= 0).all()
    with pytest.raises(DataError, match="one cash day to the next"):
        flow_fit(before, replace(after, as_of=chain.as_of + 2 * DAY_NS))


@needs_shared_data
def test_on_a_real_pair_of_days_a_third_of_the_volume_stays() -> None:
    first, second = (
        shared_file(f"options/spx_{name}_eod.csv") for name in ("20230405_1941ET", "20230406_2248ET")
    )
    fit = options.flow_fit(first, second)
    assert fit.contracts == 6310
    # One pair of days: a measurement, not a constant of nature; peers assume 0.4.
    assert fit.alpha == pytest.approx(0.3125, abs=1e-4)
    assert fit.r2 == pytest.approx(0.4316, abs=1e-4)
    table = options.unusual(first, after=second)
    assert table["oi_change"].notna().any()
    # After hours nothing is quoted: a premium of 0 would be an invention.
    assert not (table["premium_usd"] == 0).any()


def test_sticky_delta_is_the_same_book_at_the_present_spot_and_another_away_from_it(chain: Chain) -> None:
    book = book_of(chain)
    moved, fixed = StickyDelta(book), Repricer(book)
    assert moved.net(book.spot) == pytest.approx(fixed.net(book.spot), rel=1e-9)
    away = 1.04 * book.spot
    assert moved.net(away) != pytest.approx(fixed.net(away), rel=1e-3)
    flat = book.replaced(sigma=np.full(len(book.sigma), 0.15))
    assert StickyDelta(flat).net(away) == pytest.approx(Repricer(flat).net(away), rel=1e-9)


def test_the_band_of_zero_gamma_holds_the_answer_of_sticky_delta(chain: Chain) -> None:
    found = {one.name: one for one in alternatives(book_of(chain))}
    sticky = found["volatility moves with spot (sticky delta)"]
    assert sticky.net == found["canonical"].net
    band = bands_of(tuple(found.values()))["zero_gamma"]
    assert sticky.zero_gamma is not None
    assert band.low is not None
    assert band.high is not None
    assert band.low <= sticky.zero_gamma <= band.high
