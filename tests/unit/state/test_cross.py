"""The second market: synchronised log returns against numpy, what does not match, what is not ready."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_kernel.core.events import BAR, SECOND, TRADE, empty
from mia_kernel.features.spec import OUT_DTYPE, registry
from mia_kernel.state import cross
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import add_bar, fresh_market

pytestmark = pytest.mark.unit

MINUTE = 60 * 10**9


def nq_row(market: MarketState, ts: int, px: int, kind: int = BAR) -> None:
    row = empty(1)
    row["kind"], row["instrument"], row["px"], row["sz"] = kind, SECOND, px, 5
    market.array["clock"]["ts"] = ts
    cross.on_event(market.array[0], row[0])


def es_close(market: MarketState, ticks: int) -> int:
    """Close one ES minute; return its end."""
    price = ticks / 4
    add_bar(market, TF_1M, (price, price, price, price))
    end = int(market.array["tf"][0, TF_1M]["n"]) * MINUTE
    market.array["clock"]["ts"] = end
    cross.on_base_close(market.array[0])
    return end


def closes(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(7)
    steps = rng.integers(-6, 7, n)
    es = 20_000 + np.cumsum(steps)
    nq = 72_000 + np.cumsum(4 * steps + rng.integers(-8, 9, n))
    return es, nq


def run(n: int, kind: int = BAR) -> MarketState:
    market = fresh_market()
    for es, nq in zip(*closes(n), strict=True):
        end = (int(market.array["tf"][0, TF_1M]["n"]) + 1) * MINUTE
        if kind == TRADE:
            nq_row(market, end - MINUTE // 2, int(nq), TRADE)
        es_close(market, int(es))
        if kind == BAR:
            nq_row(market, end, int(nq))
    return market


@pytest.mark.parametrize("kind", [BAR, TRADE])
def test_measures_equal_numpy(kind: int) -> None:
    x = run(200, kind).array["cross"][0]
    es, nq = (np.diff(np.log(series)) for series in closes(200))
    for name, window in (("corr30", 30), ("corr60", 60), ("corr120", 120)):
        assert x[name] == pytest.approx(np.corrcoef(es[-window:], nq[-window:])[0, 1], abs=1e-9)
    beta = np.cov(es[-60:], nq[-60:], bias=True)[0, 1] / nq[-60:].var()
    assert x["beta60"] == pytest.approx(beta, rel=1e-9)
    five_nq = np.convolve(nq[-120:], np.ones(5), "valid")
    five_es = np.convolve(es[-120:], np.ones(5), "valid")
    assert x["z"] == pytest.approx(five_nq[-1] / five_nq.std(), rel=1e-9)
    rest = five_es - beta * five_nq
    assert x["divergence"] == pytest.approx(rest[-1] / rest.std(), rel=1e-6)
    assert x["lead_lag"] == 0


def test_component_is_signed_by_nq_and_scaled_by_correlation() -> None:
    market = run(200)
    x = market.array["cross"][0]
    cells = np.zeros(1, OUT_DTYPE)
    market.array["clock"]["now"] = 200 * MINUTE
    run_component = registry()["es_nq_correlation"].run
    assert run_component is not None
    run_component(market.array, cells, 0)
    expected = x["corr60"] * np.sign(x["z"]) * min(abs(x["z"]) / 2, 1.0)
    assert cells[0]["value"] == pytest.approx(float(np.clip(expected, -1, 1)))
    assert cells[0]["quality"] == pytest.approx(max(float(x["corr60"]), 0.0))


def test_fewer_than_45_matched_bars_are_not_enough() -> None:
    assert np.isnan(run(45).array["cross"][0]["corr60"])  # 44 returns
    assert not np.isnan(run(46).array["cross"][0]["corr60"])


def test_a_minute_of_one_market_alone_makes_no_pair() -> None:
    market = fresh_market()
    end = es_close(market, 20_000)
    nq_row(market, end, 72_000)
    es_close(market, 20_004)  # NQ silent
    end = es_close(market, 20_008)
    nq_row(market, end, 72_010)
    assert market.array["cross"][0]["match_n"] == 0
    end = es_close(market, 20_004)
    nq_row(market, end, 72_004)
    assert market.array["cross"][0]["match_n"] == 1
    assert market.array["cross"][0]["match_es"][0] == pytest.approx(np.log(20_004 / 20_008))


def test_five_returns_with_a_hole_are_no_five_minute_return() -> None:
    market = run(120)
    for ticks, nq in ((20_004, 72_020), (20_010, None), (20_000, 72_000), (20_003, 72_012)):
        end = es_close(market, ticks)
        if nq is not None:
            nq_row(market, end, nq)
    x = market.array["cross"][0]
    assert not np.isnan(x["corr60"])
    assert np.isnan(x["z"])


def test_a_market_never_seen_stays_unknown() -> None:
    market = fresh_market()
    es_close(market, 20_000)
    assert not market.array["cross"][0]["has_second"]
    assert np.isnan(market.array["cross"][0]["corr60"])


def test_tick_correlation_equals_the_sum_over_overlapping_intervals() -> None:
    rng = np.random.default_rng(5)
    n = 4_000
    ts = np.sort(rng.choice(50 * n, 2 * n, replace=False))
    which = rng.random(2 * n) < 0.5
    px_es = 20_000 + np.cumsum(rng.integers(-1, 2, 2 * n))
    px_nq = 72_000 + np.cumsum(rng.integers(-3, 4, 2 * n)) + 3 * (px_es - 20_000)
    x = fresh_market().array[0]["cross"]
    for es, a, b in zip(which, px_es, px_nq, strict=True):
        if es:
            cross.on_trade(x, int(a))
        else:
            cross._hy_nq(x, int(b))
    found = cross.hayashi_yoshida(x)
    first = ts[~which][0]  # ES counts from its first trade after NQ was seen
    t_es, t_nq = ts[which & (ts > first)], ts[~which]
    p_es, p_nq = px_es[which & (ts > first)], px_nq[~which]
    de, dn = np.diff(p_es), np.diff(p_nq)
    lo = np.maximum.outer(t_es[:-1], t_nq[:-1])
    hi = np.minimum.outer(t_es[1:], t_nq[1:])
    ended = t_es[1:] < t_nq[-1]  # the last ES interval may still wait for NQ
    total = float((np.outer(de, dn) * (lo < hi))[ended].sum())
    expected = total / np.sqrt(float((de**2).sum()) * float((dn**2).sum()))
    assert found == pytest.approx(expected, rel=1e-9)
