"""A level of the index on the future: by a ratio that shrinks to 1 at the future's last trade."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.synthetic_chain import DIVIDEND, RATE, synthetic_chain
from mia_kernel.core.contract import last_trade_ns, parse_contract
from mia_kernel.core.errors import DataError
from mia_kernel.core.session import new_york_ns
from mia_kernel.gamma.book import book_of
from mia_kernel.gamma.chain import NS_PER_YEAR
from mia_kernel.gamma.mapping import Basis, chain_basis, live_basis, parity_gap
from mia_kernel.gamma.summary import levels_of
from mia_kernel.gamma.view import ChainInForce, valid_until

pytestmark = [pytest.mark.unit, pytest.mark.options]

ESM24, ESU24 = parse_contract("ESM24"), parse_contract("ESU24")


def test_the_chain_implies_the_basis_it_was_made_with() -> None:
    book = book_of(synthetic_chain())
    for contract in (ESM24, ESU24):
        years = (last_trade_ns(contract) - book.now) / NS_PER_YEAR
        assert chain_basis(book, contract).ratio == pytest.approx(np.exp((RATE - DIVIDEND) * years), rel=2e-4)


def test_the_ratio_shrinks_to_one_at_the_last_trade() -> None:
    end = last_trade_ns(ESU24)
    start = end - 1_000_000
    basis = Basis(1.01, start, ESU24, "by hand")
    assert basis.at(start) == pytest.approx(1.01)
    assert basis.at(start + 500_000) == pytest.approx(1.01**0.5)
    assert basis.at(end) == 1.0


def test_a_live_ratio_is_the_median_of_pairs() -> None:
    assert live_basis([101.0, 102.0, 150.0], [100.0, 100.0, 100.0], 0, ESU24).ratio == pytest.approx(1.02)
    with pytest.raises(DataError, match="pairs of prices"):
        live_basis([], [], 0, ESU24)


def test_the_future_is_checked_against_the_settlement_it_shares() -> None:
    book = book_of(synthetic_chain())
    fair = next(e.forward for e in book.carry.expiries if e.am and e.expiry == 20240621)
    assert parity_gap(book, ESM24, fair + 3.0) == pytest.approx(3.0)
    told = levels_of(synthetic_chain(), es=fair + 3.0).to_dict()["es"]
    assert told["contract"] in ("ESM24", "ESU24")
    if told["contract"] == "ESM24":
        assert told["parity_alert"]


@pytest.mark.parametrize(
    ("day", "minute", "until"),
    [
        (20240610, 600, None),  # Monday 10:00: cash hours, ages by its limit
        (20240610, 480, (20240610, 1020)),  # Monday 08:00: counts for Monday
        (20240610, 1000, (20240611, 1020)),  # Monday 16:40: counts for Tuesday
        (20240614, 1000, (20240617, 1020)),  # Friday evening: Monday
        (20240618, 1200, (20240620, 1020)),  # the evening before Juneteenth: Thursday
        (20240615, 700, (20240617, 1020)),  # Saturday: Monday
    ],
)
def test_what_a_chain_counts_for(day: int, minute: int, until: tuple[int, int] | None) -> None:
    expected = 0 if until is None else new_york_ns(*until)
    assert valid_until(new_york_ns(day, minute)) == expected


def test_a_chain_in_force_answers_by_instant_and_price_alone() -> None:
    levels = levels_of(synthetic_chain())
    force, again = ChainInForce(levels, ESM24), ChainInForce(levels, ESM24)
    later = levels.book.now + 3_600_000_000_000
    ticks = levels.book.spot * force.basis.ratio / 0.25
    first = force.view(later, ticks)
    force.view(later + 90_000_000_000, ticks + 40)
    assert force.view(later, ticks).figures == first.figures == again.view(later, ticks).figures
    assert first.zero_dte
    assert first.valid_until == 0


def test_settled_contracts_leave_a_chain_in_force() -> None:
    levels = levels_of(synthetic_chain())
    force = ChainInForce(levels, ESM24)
    close = new_york_ns(20240610, 960)
    ticks = levels.book.spot * force.basis.ratio / 0.25
    assert force.view(close - 60_000_000_000, ticks).figures["call_wall_0dte_ticks"] is not None
    assert force.view(close, ticks).figures["call_wall_0dte_ticks"] is None
