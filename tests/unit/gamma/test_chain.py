"""What is live, what is partial, what is told: a chain as it was read."""

from __future__ import annotations

import numpy as np
import pytest

from mia_kernel.adapters.synthetic_chain import synthetic_chain
from mia_kernel.core.errors import DataError
from mia_kernel.core.session import new_york_ns
from mia_kernel.gamma.chain import CALL, PUT, make_chain, settlement_ns, twins

pytestmark = [pytest.mark.unit, pytest.mark.options]


def small(roots: list[str], **columns: object):
    n = len(roots)
    base = {
        "strike": np.full(n, 100.0),
        "right": np.full(n, CALL),
        "expiry": np.full(n, 20240621),
        "oi": np.full(n, 10.0),
    }
    return make_chain({**base, **columns}, np.array(roots), as_of=new_york_ns(20240620, 720), spot=100.0,
                      underlying="SPX", source="by hand", kind="by hand")  # fmt: skip


def test_am_settles_at_the_open_and_pm_at_the_cash_close_of_the_day() -> None:
    assert settlement_ns(20240621, True) == new_york_ns(20240621, 570)
    assert settlement_ns(20240621, False) == new_york_ns(20240621, 960)
    assert settlement_ns(20241129, False) == new_york_ns(20241129, 780)


def test_the_same_strike_of_two_roots_is_two_contracts() -> None:
    chain = small(["SPX", "SPXW"])
    assert len(chain.legs) == 2
    assert chain.defects.duplicate_symbols == 0
    opened = new_york_ns(20240621, 570)
    assert [chain.roots[int(leg["root"])] for leg in chain.live(opened)] == ["SPXW"]


def test_a_symbol_twice_counts_once_and_is_told() -> None:
    chain = small(["SPX", "SPX"])
    assert len(chain.legs) == 1
    assert chain.defects.duplicate_symbols == 1


def test_a_call_and_its_put_find_each_other() -> None:
    chain = small(["SPX", "SPX", "SPXW"], right=np.array([PUT, CALL, CALL]))
    assert twins(chain.legs).tolist() == [1, 0, -1]


def test_a_printed_volatility_of_zero_is_unknown() -> None:
    chain = small(["SPX", "SPXW"], iv=np.array([0.0, 0.2]))
    assert np.isnan(chain.legs["iv"]).tolist() == [True, False]
    assert chain.defects.iv_missing_oi_share == 0.5


def test_open_interest_is_of_the_cash_day_before() -> None:
    # Thursday after Juneteenth: the clearing before is Tuesday's.
    assert small(["SPX"]).defects.oi_date == 20240618


def test_a_chain_without_a_spot_or_a_contract_is_refused() -> None:
    with pytest.raises(DataError, match="no spot"):
        make_chain(
            {"strike": np.ones(1)},
            np.array(["SPX"]),
            as_of=0,
            spot=0.0,
            underlying="SPX",
            source="x",
            kind="x",
        )
    with pytest.raises(DataError, match="no contract"):
        make_chain({}, np.array([], np.str_), as_of=0, spot=1.0, underlying="SPX", source="x", kind="x")


def test_a_month_of_a_chain_is_partial_and_a_whole_one_is_not() -> None:
    whole = synthetic_chain()
    assert whole.defects.partial == ()
    assert "SYNTHETIC" in whole.source
    near = whole.legs[whole.legs["expiry"] < 20240701]
    names = [name for name in near.dtype.names or () if name not in ("root", "settle_ns", "am")]
    part = make_chain({name: near[name] for name in names}, np.array(whole.roots)[near["root"]], as_of=whole.as_of,
                      spot=whole.spot, underlying="SPX", source="part", kind="part")  # fmt: skip
    assert any("farthest expiry" in cause for cause in part.defects.partial)
