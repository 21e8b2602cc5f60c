import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.ml.labels import (
    HORIZON_NS,
    LABEL_DTYPE,
    LATENCY_NS,
    NO_MARKET,
    SESSION,
    STOP,
    TARGET,
    TIME,
    attribution,
    barriers,
    concurrency,
    uniqueness,
)

pytestmark = pytest.mark.unit
MINUTE = 60_000_000_000


def bars(*rows, slippage=1, ends=()):
    path = np.zeros(len(rows), PATH_DTYPE)
    for i, (opened, high, low, close) in enumerate(rows):
        path[i] = ((i + 1) * MINUTE, opened, high, low, close, slippage, 0)
    path["last_of_session"][[len(rows) - 1, *ends]] = 1
    return path


def label(path, *, side=1, stop=4, target=8, at=MINUTE, fee=0.36):
    out = np.zeros(1, LABEL_DTYPE)
    given = [np.array([x], np.int64) for x in (at, side, stop, target)]
    barriers(path, *given, HORIZON_NS, LATENCY_NS, fee, out)
    return out[0]


FLAT = (100, 100, 100, 100)


def test_entry_is_at_the_next_open_slipped_never_at_the_signal():
    found = label(bars(FLAT, (102, 103, 102, 103), (103, 120, 103, 119)))
    assert found["entry_ticks"] == 103
    assert found["first"] == 1
    assert found["reason"] == TARGET
    assert found["net_ticks"] == pytest.approx(8 - 0.36)


def test_both_barriers_in_one_bar_are_a_loss():
    found = label(bars(FLAT, (100, 130, 70, 100)))
    assert found["reason"] == STOP
    assert found["gross_ticks"] == -5  # four of the stop and one of its slippage


def test_a_gap_through_the_stop_is_paid_in_full():
    found = label(bars(FLAT, FLAT, (90, 91, 88, 90)))
    assert found["gross_ticks"] == 90 - 101 - 1


def test_a_target_needs_a_price_beyond_it():
    touched = label(bars(FLAT, FLAT, (100, 109, 100, 109)))
    assert touched["reason"] == SESSION
    beyond = label(bars(FLAT, FLAT, (100, 110, 100, 109)))
    assert beyond["reason"] == TARGET


def test_an_hour_is_all_a_signal_gets():
    found = label(bars(*[FLAT] * 90))
    assert found["reason"] == TIME
    assert found["gross_ticks"] == -2  # slipped in and out


def test_no_label_across_the_end_of_a_session():
    found = label(bars(FLAT, FLAT, ends=(0,)))
    assert found["reason"] == NO_MARKET
    assert np.isnan(found["net_ticks"])
    assert label(bars(FLAT), at=5 * MINUTE)["reason"] == NO_MARKET


@pytest.mark.parametrize("seed", range(20))
def test_a_mirrored_market_labels_the_mirrored_signal_the_same(seed):
    rng = np.random.default_rng(seed)
    closes = 1000 + rng.normal(0, 3, 80).cumsum().round()
    rows = [(c, c + rng.integers(0, 5), c - rng.integers(0, 5), c + rng.integers(-1, 2)) for c in closes]
    path = bars(*rows)
    other = path.copy()
    for name, of in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        other[name] = 2000 - path[of]
    a, b = label(path), label(other, side=-1)
    assert (a["net_ticks"], a["reason"], a["last"]) == (b["net_ticks"], b["reason"], b["last"])


@pytest.mark.parametrize("seed", range(20))
def test_more_cost_never_makes_more(seed):
    rng = np.random.default_rng(seed)
    closes = 1000 + rng.normal(0, 3, 80).cumsum().round()
    rows = [(c, c + 4, c - 4, c) for c in closes]
    by_fee = [label(bars(*rows), fee=fee)["net_ticks"] for fee in (0.0, 0.36, 2.0)]
    assert by_fee == sorted(by_fee, reverse=True)


def test_uniqueness_is_the_plain_mean_over_each_life():
    rng = np.random.default_rng(3)
    first = np.sort(rng.integers(0, 80, 40))
    last = np.minimum(first + rng.integers(0, 15, 40), 99)
    count = concurrency(first, last, 100)
    plain = [sum((first <= t) & (t <= last)) for t in range(100)]
    assert count.tolist() == plain
    expected = [np.mean([1 / plain[t] for t in range(a, b + 1)]) for a, b in zip(first, last, strict=True)]
    assert uniqueness(first, last, 100) == pytest.approx(expected)
    closes = 100 + rng.normal(0, 1, 100).cumsum()
    r = np.concatenate([[0], np.diff(np.log(closes))])
    raw = [abs(sum(r[t] / plain[t] for t in range(a, b + 1))) for a, b in zip(first, last, strict=True)]
    assert attribution(first, last, closes) == pytest.approx(np.array(raw) * 40 / sum(raw))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    fee=st.floats(0, 3),
    more_fee=st.floats(0, 3),
    slip=st.integers(0, 2),
    more_slip=st.integers(0, 3),
)
def test_costs_never_make_a_result_better(seed, fee, more_fee, slip, more_slip):
    """Fees and slipped exits only take, on every path and for both sides.

    Barriers hang on the slipped entry, so a worse entry may be stopped before a gap that a better one meets: the
    entry's own slip is therefore held while that of the exits grows.
    """
    rng = np.random.default_rng(seed)
    close = 16_000 + rng.normal(0, 4, 80).round().astype(int).cumsum()
    side = int(rng.choice((-1, 1)))
    cheap, dear = (
        net_of(close, side, fee_ticks=f, slippage=s) for f, s in ((fee, slip), (fee + more_fee, slip))
    )
    assert dear <= cheap + 1e-12
    exits = [net_of(close, side, fee_ticks=fee, slippage=s, moved=slip) for s in (slip, slip + more_slip)]
    assert exits[1] <= exits[0] + 1e-12


def net_of(close, side, *, fee_ticks, slippage, moved=None):
    """Return the net ticks of one signal; with `moved` the entry row slips by that and only exits by `slippage`."""
    path = np.zeros(len(close), PATH_DTYPE)
    path["ts"] = np.arange(1, len(close) + 1) * 60_000_000_000
    for name in ("open", "high", "low", "close"):
        path[name] = close
    path["slippage"] = slippage
    if moved is not None:
        path["slippage"][0] = moved
    path["last_of_session"][-1] = 1
    out = np.zeros(1, LABEL_DTYPE)
    one = np.ones(1, np.int64)
    barriers(
        path, np.zeros(1, np.int64), side * one, 10 * one, 16 * one, HORIZON_NS, LATENCY_NS, fee_ticks, out
    )
    return float(out["net_ticks"][0])
