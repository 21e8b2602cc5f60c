import numpy as np
import pytest

from mia_kernel.analytics.calibration import auc, brier, expected_error, line_through, spiegelhalter
from mia_kernel.analytics.drift import adwin_changes, cusum, first_alarm, stability_index, stability_p_value
from mia_kernel.analytics.drift_watch import DriftWatch, reference_of
from mia_kernel.analytics.learning import bend

pytestmark = pytest.mark.unit


def test_cusum_speed_is_the_published_one():
    rng = np.random.default_rng(1)
    delays = [first_alarm(cusum(rng.random(3000) < 0.45, good=0.60, bad=0.50)) for _ in range(300)]
    assert np.median([d for d in delays if d is not None]) == pytest.approx(65, abs=20)
    calm = [first_alarm(cusum(rng.random(6000) < 0.60, good=0.60, bad=0.50)) for _ in range(300)]
    mean = np.mean([6000 if d is None else d for d in calm])
    assert 700 < mean < 1300  # 990 by simulation


def test_stability_of_one_law_and_of_a_moved_one():
    rng = np.random.default_rng(2)
    same, moved = (rng.normal(m, 1, 4000) for m in (0.0, 1.0))
    reference = rng.normal(0, 1, 4000)
    assert stability_index(reference, same) < 0.02
    assert stability_index(reference, moved) > 0.25
    assert stability_p_value(reference[:300], moved[:300], draws=99) == pytest.approx(0.01)
    assert stability_p_value(reference[:300], same[:300], draws=99) > 0.02
    assert stability_index(np.zeros(0), same) is None


def test_adwin_notices_a_new_mean_and_leaves_an_old_one_alone():
    rng = np.random.default_rng(3)
    assert adwin_changes((rng.random(4000) < 0.6).astype(float)) == []
    won = np.concatenate([rng.random(1000) < 0.60, rng.random(1500) < 0.45]).astype(float)
    found = adwin_changes(won)
    assert found
    assert 1000 < found[0] < 1900


def watched(rng, *, signals=500, shift=0.0, of=0, win=0.60, trades=0):
    """Return a watch over normal features, the first `of` moved by `shift`, and trades won with chance `win`."""
    x = np.zeros((4_000, 16), np.float32)
    x[:, :8] = rng.normal(0, 1, (4_000, 8))
    watch = DriftWatch(reference_of(x, [f"f{j}" for j in range(8)], 0.60))
    rows = rng.normal(0, 1, (signals, 8))
    rows[:, :of] += shift
    for row in rows:
        watch.see(row.tolist())
    for won in rng.random(trades) < win:
        watch.ended(bool(won))
    return watch


def test_calm_is_seldom_called_drift_and_planted_drift_is_nearly_always():
    """Over 100 watches each: eight calm features and 100 trades; one of eight moved by one sd; a fall to 45 % won."""
    rng = np.random.default_rng(9)
    assert np.mean([bool(watched(rng, trades=100).alarms()) for _ in range(100)]) <= 0.05
    moved = [watched(rng, shift=1.0, of=1).alarms() for _ in range(30)]
    assert all(lines and all(line.startswith("f0") for line in lines) for lines in moved)
    fallen = [watched(rng, signals=0, win=0.45, trades=200).alarms() for _ in range(100)]
    assert np.mean([any("win rate fell" in line for line in lines) for lines in fallen]) >= 0.80


def test_honest_probabilities_look_honest():
    rng = np.random.default_rng(4)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(int)
    slope, intercept = line_through(p, y)
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.02)
    assert abs(spiegelhalter(p, y)) < 3
    assert brier(p, y) == pytest.approx(np.mean((p - y) ** 2))


def test_calibration_takes_most_of_an_overconfident_error():
    rng = np.random.default_rng(5)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(np.int64)
    loud = np.clip(0.5 + 2.5 * (p - 0.5), 0.001, 0.999)
    half = 10_000
    curve = bend(loud[:half], y[:half], np.ones(half))
    assert curve.kind == "isotonic"
    before, after = expected_error(loud[half:], y[half:]), expected_error(curve(loud[half:]), y[half:])
    assert after < 0.2 * before
    assert bend(loud[:500], y[:500], np.ones(500)).kind == "platt"


def test_auc_against_the_library():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(6)
    score, y = rng.integers(0, 20, 500).astype(float), rng.integers(0, 2, 500)
    assert auc(score, y)[0] == pytest.approx(roc_auc_score(y, score))
    assert auc(score, np.ones(500)) is None
