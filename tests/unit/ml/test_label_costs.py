"""What an entry pays more or waits longer for: never more as traded, never more on average (validation V12).

SYNTHETIC paths. A bracket stands at the signal's prices, so a worse entry takes its slip from every path. Barriers
of a label hang on the slipped entry instead: a worse entry may be stopped before a gap that a better one meets, so
there the law holds for the mean over many paths that know nothing, not for each.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.ml.labels import HORIZON_NS, LABEL_DTYPE, LATENCY_NS, STOP, TARGET, TIME, barriers

pytestmark = pytest.mark.unit

MINUTE = 60_000_000_000
STOP_TICKS, TARGET_TICKS, FEE = 10, 16, 0.36
PATHS, ROWS = 2_000, 80


def path_of(close: np.ndarray, slippage: int) -> np.ndarray:
    """Return rows of one price each, a minute apart, one session for each row of `close`."""
    paths, rows = close.shape
    path = np.zeros(close.size, PATH_DTYPE)
    path["ts"] = np.arange(1, close.size + 1) * MINUTE
    for name in ("open", "high", "low", "close"):
        path[name] = close.ravel()
    path["slippage"] = slippage
    path["last_of_session"][rows - 1 :: rows] = 1
    assert len(path) == paths * rows
    return path


def labels(
    close: np.ndarray,
    sides: np.ndarray,
    *,
    slip: int = 0,
    entry_slip: int | None = None,
    wait: int = 0,
    held: bool = False,
) -> np.ndarray:
    """Return the labels of one signal at the first row of each path.

    `entry_slip` is the slip of the entry's row alone; `held` leaves stop and target where a better entry has them.
    """
    path, n = path_of(close, slip), len(close)
    first = np.arange(n) * close.shape[1] + 1
    moved = slip if entry_slip is None else entry_slip
    path["slippage"][first + wait] = moved
    times = path["ts"][first + wait - 1]
    more = moved if held else 0
    out = np.zeros(n, LABEL_DTYPE)
    stops, targets = np.full(n, STOP_TICKS + more), np.full(n, TARGET_TICKS - more)
    barriers(path, times, sides, stops, targets, HORIZON_NS, LATENCY_NS, FEE, out)
    assert (out["first"] == first + wait).all()
    assert np.isfinite(out["net_ticks"]).all()
    return out


def walks(seed: int, paths: int = PATHS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 16_000 + rng.normal(0, 4, (paths, ROWS)).round().astype(int).cumsum(axis=1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), slip=st.integers(0, 4), more=st.integers(1, 4), side=st.sampled_from((-1, 1))
)
def test_a_worse_entry_into_the_same_bracket_takes_its_slip_from_every_path(seed, slip, more, side):
    close = walks(seed, 20)
    sides = np.full(len(close), side)
    cheap, dear = (labels(close, sides, entry_slip=s, held=True) for s in (slip, slip + more))
    assert (dear["last"] == cheap["last"]).all()
    apart = dear["net_ticks"] - cheap["net_ticks"]
    assert apart == pytest.approx(np.full(len(close), -float(more)))


def test_barriers_that_move_with_the_entry_pay_its_slip_on_average():
    close, sides = walks(5), np.resize((1, -1), PATHS)
    net = [labels(close, sides, entry_slip=slip)["net_ticks"] for slip in range(4)]
    assert any((net[0] < other).any() for other in net[1:])  # the law is not one of each path
    for cheap, dear in pairwise(net):
        apart = dear - cheap
        assert apart.mean() + 3 * apart.std() / np.sqrt(PATHS) < 0
    apart = net[0] - net[3]
    assert apart.mean() == pytest.approx(3.0, abs=3 * apart.std() / np.sqrt(PATHS))


def test_waiting_gives_nothing_to_who_knows_nothing_and_takes_from_who_knows():
    close, sides = walks(6), np.resize((1, -1), PATHS)
    idle = [labels(close, sides, slip=1, wait=wait)["net_ticks"] for wait in (0, 1, 3, 10)]
    for later in idle[1:]:
        apart = later - idle[0]
        assert abs(apart.mean()) < 3 * apart.std() / np.sqrt(PATHS)
    # The next fifteen minutes go the signal's way by a tick each: what is known is worth less with every minute.
    told = close + sides[:, None] * np.minimum(np.arange(1, ROWS + 1), 15)
    known = [labels(told, sides, slip=1, wait=wait)["net_ticks"].mean() for wait in (0, 3, 6, 15)]
    assert known == sorted(known, reverse=True)
    assert known[0] - known[-1] > 2


def test_the_paths_meet_every_ending():
    found = labels(walks(5), np.resize((1, -1), PATHS))
    counts = np.bincount(found["reason"], minlength=5)
    assert counts[STOP] > 100
    assert counts[TARGET] > 100
    assert counts[TIME] > 0
