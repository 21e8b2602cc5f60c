import math

import numpy as np
import pytest

from mia_kernel.analytics.deflated import (
    Moments,
    deflated_sharpe,
    dsr,
    effective_trials,
    expected_max,
    luck_sharpe,
    min_backtest_years,
    min_track_record,
    moments,
    overfit,
    pbo,
    probabilistic_sharpe,
    psr,
)
from mia_kernel.core.errors import InputError

pytestmark = pytest.mark.unit

PAPER = Moments(sharpe=2.5 / math.sqrt(250), n=1250, skew=-3.0, kurtosis=10.0)


def test_the_paper_s_deflated_sharpe():
    assert luck_sharpe(0.5 / 250, 100) == pytest.approx(0.1132, abs=5e-5)
    assert dsr(PAPER, variance=0.5 / 250, trials=100) == pytest.approx(0.9004, abs=5e-5)
    assert dsr(PAPER, variance=0.5 / 250, trials=46) == pytest.approx(0.9505, abs=5e-5)
    normal = Moments(PAPER.sharpe, PAPER.n, 0.0, 3.0)
    assert dsr(normal, variance=0.5 / 250, trials=88) == pytest.approx(0.9505, abs=5e-5)


def test_excess_kurtosis_in_the_raw_formula_would_show():
    wrong = Moments(PAPER.sharpe, PAPER.n, PAPER.skew, PAPER.kurtosis - 3.0)
    assert dsr(wrong, variance=0.5 / 250, trials=100) == pytest.approx(0.9018, abs=2e-4)


def test_minimum_backtest_length_of_45_tries():
    assert min_backtest_years(45) == pytest.approx(4.998, abs=1e-3)
    assert expected_max(1) == 0.0


def test_minimum_track_record_length():
    assert min_track_record(Moments(0.1, 100, 0.0, 3.0)) == pytest.approx(272.9, abs=0.1)
    assert min_track_record(Moments(0.1, 100, -1.0, 6.0)) == pytest.approx(302.0, abs=0.1)
    assert min_track_record(Moments(-0.1, 100, 0.0, 3.0)) is None


def test_moments_are_the_plain_ratios():
    from scipy.stats import kurtosis, skew

    x = np.random.default_rng(5).standard_t(5, 400)
    found = moments(x)
    assert found is not None
    assert found.skew == pytest.approx(skew(x), rel=1e-12)
    assert found.kurtosis == pytest.approx(kurtosis(x, fisher=False), rel=1e-12)
    assert found.sharpe == pytest.approx(x.mean() / x.std(ddof=1), rel=1e-12)


def test_too_short_or_still_is_unknown():
    assert probabilistic_sharpe(np.ones(5)) is None
    assert probabilistic_sharpe(np.full(50, 0.3)) is None
    assert deflated_sharpe(np.random.default_rng(1).normal(size=50), []) is None
    assert psr(Moments(1.0, 100, 5.0, 3.0)) is None


def test_more_tries_never_flatter():
    rng = np.random.default_rng(7)
    returns = rng.normal(0.1, 1, 500)
    tries = rng.normal(0, 0.05, 200)
    found = [deflated_sharpe(returns, tries, independent=n) for n in (1, 2, 10, 50, 200)]
    known = [x for x in found if x is not None]
    assert len(known) == 5
    assert known == sorted(known, reverse=True)
    assert deflated_sharpe(returns, [0.1]) == probabilistic_sharpe(returns)


def test_pbo_of_noise_and_of_one_true_edge():
    noise = [pbo(np.random.default_rng(seed).normal(size=(500, 20))) for seed in range(60)]
    assert 0.40 <= np.mean(noise) <= 0.55
    edge = np.random.default_rng(3).normal(size=(1000, 100))
    edge[:, 41] += 0.2
    found = overfit(edge)
    assert found.probability <= 0.01
    assert found.loss_share <= 0.01
    assert len(found.logits) == math.comb(8, 4)


def test_the_wrong_orientation_is_refused():
    with pytest.raises(InputError, match="periods, tries"):
        pbo(np.random.default_rng(3).normal(size=(20, 500)))
    with pytest.raises(InputError, match="nothing to cut"):
        pbo(np.random.default_rng(3).normal(size=(500, 20)), blocks=7)


def test_copies_of_one_try_are_one_try():
    rng = np.random.default_rng(9)
    base = rng.normal(size=(400, 3))
    tries = np.column_stack([base[:, i % 3] + 0.05 * rng.normal(size=400) for i in range(12)])
    assert effective_trials(tries) == 3
    assert effective_trials(tries[:, :1]) == 1
