"""Splits, labels, weights, Sharpe ratios and figures against others' code, each in an environment of its own.

`--long`: the environments are made from their locks on the first run. What they answered stands in
`docs/performance.md`; the papers' own printed numbers are held in the default tests.
"""

from __future__ import annotations

import json
import math
import subprocess
from typing import Any

import numpy as np
import pytest
from scipy.stats import kurtosis, skew

from mia_kernel.analytics.bootstrap import interval_by_day
from mia_kernel.analytics.control import PATH_DTYPE
from mia_kernel.analytics.deflated import (
    Moments,
    dsr,
    min_backtest_years,
    min_track_record,
    pbo,
    probabilistic_sharpe,
    psr,
)
from mia_kernel.analytics.performance import performance
from mia_kernel.core.orders import RoundTrip
from mia_kernel.ml.labels import LABEL_DTYPE, STOP, TARGET, attribution, barriers, uniqueness
from mia_kernel.ml.splits import Lives, combinatorial, paths
from mia_kernel.state.ledger import TICK_CENTS
from tests.clients.environments import ROOT, python_of

pytestmark = [pytest.mark.integration, pytest.mark.long]

MINUTE = 60_000_000_000
CASES, PATHS = 1_000, 200
WIDTH, HORIZON = 11, 30
DAY_NS, CAPITAL_CENTS = 86_400_000_000_000, 5_000_000


def _asked(tmp_path_factory: pytest.TempPathFactory, name: str, scene: str, arrays: dict[str, Any]) -> Any:
    folder = tmp_path_factory.mktemp(name)
    np.savez(folder / "asked.npz", **arrays)
    python = python_of(name, kind="oracle")
    done = subprocess.run(
        [python, str(ROOT / "tests" / "clients" / scene), str(folder)], capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _lives(rng: np.random.Generator, n: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    start = np.cumsum(rng.integers(1, 50, n * groups)) * MINUTE
    return start, start + rng.integers(0, 400, len(start)) * MINUTE


def _cents(rng: np.random.Generator) -> np.ndarray:
    """Return daily results of whole ticks: thirty of a normal law with days without a trade, one first-day loss."""
    drawn = np.rint(rng.normal(30, 400, (30, 300)) / 12.5) * 1_250
    drawn[rng.random(drawn.shape) < 0.1] = 0
    return np.vstack([drawn, np.r_[-CAPITAL_CENTS / 10, np.full(299, 5_000)]]).astype(np.int64)


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    rng = np.random.default_rng(12)
    arrays: dict[str, Any] = {"cases": CASES, "shapes": np.array([(6, 2), (8, 2), (10, 3)])}
    for case in range(CASES):
        n = int(rng.integers(3, 8))
        arrays[f"start_{case}"], arrays[f"end_{case}"] = _lives(rng, int(rng.integers(2, 9)), n)
        arrays[f"shape_{case}"] = np.array([n, int(rng.integers(1, min(n, 4)))])
    arrays |= {
        "returns": rng.standard_t(5, 750) / 100 + 0.0005,
        "trials": 40,
        "variance": 0.002,
        "moments": np.array([-1.0, 6.0]),
        "matrices": rng.normal(size=(20, 500, 20)),
        "cents": _cents(rng),
        "capital": CAPITAL_CENTS,
        "series": rng.normal(0.1, 1, 250),
    }
    return arrays, _asked(tmp_path_factory, "edge", "oracle_edge.py", arrays)


def _there(told: Any) -> Any:
    if isinstance(told, str):
        pytest.skip(told)
    return told


def test_purged_splits_are_purgedcv_s(edge):
    arrays, told = edge
    for case, theirs in enumerate(_there(told["purged"])):
        start, end = arrays[f"start_{case}"], arrays[f"end_{case}"]
        n, k = arrays[f"shape_{case}"]
        lives = Lives(start, end, np.arange(len(start)))
        ours = combinatorial(lives, int(n), int(k), embargo_sessions=0)
        assert [(s.train.tolist(), s.test.tolist()) for s in ours] == [tuple(split) for split in theirs]
        for split in ours:  # looked at plainly: no life of a training label touches a tested one
            overlap = (start[split.train][:, None] <= end[split.test]) & (
                end[split.train][:, None] >= start[split.test]
            )
            assert not overlap.any()


def test_tested_groups_and_paths_are_skfolio_s(edge):
    arrays, told = edge
    for (n, k), theirs in zip(arrays["shapes"], _there(told["counted"]), strict=True):
        start = np.arange(4 * n) * MINUTE
        ours = combinatorial(Lives(start, start, np.arange(4 * n)), int(n), int(k), embargo_sessions=0)
        assert sorted(s.test.tolist() for s in ours) == sorted(theirs["tests"])
        assert len(paths(ours, int(n), int(k))) == theirs["paths"]


def test_doubted_sharpe_ratios_are_purgedcv_s_and_vectorbt_s(edge):
    arrays, told = edge
    theirs, r = _there(told["sharpes"]), arrays["returns"]
    # Theirs are the unbiased skew and kurtosis over the plain spread; the formula is one.
    m = Moments(r.mean() / r.std(), len(r), skew(r, bias=False), kurtosis(r, fisher=False, bias=False))
    assert psr(m) == pytest.approx(theirs["psr"], abs=1e-9)
    assert dsr(m, variance=arrays["variance"], trials=arrays["trials"]) == pytest.approx(
        theirs["dsr"], abs=1e-9
    )
    assert probabilistic_sharpe(r) == pytest.approx(theirs["psr"], abs=1e-3)
    ours = [min_track_record(Moments(0.1, 100, s, k)) for s, k in ((0.0, 3.0), (-1.0, 6.0))]
    assert [math.ceil(x) for x in ours] == pytest.approx(theirs["min_trl"], abs=1)
    assert min_backtest_years(45) == pytest.approx(theirs["min_btl"], abs=1e-9)
    assert [pbo(m, blocks=8) for m in arrays["matrices"]] == pytest.approx(theirs["pbo"], abs=0.03)
    paper = dsr(Moments(2.5 / math.sqrt(250), 1250, -3.0, 10.0), variance=0.5 / 250, trials=100)
    assert paper == pytest.approx(_there(told["paper"]), abs=5e-5)


def _traded(cents: np.ndarray, day: int) -> RoundTrip:
    """Return a round trip that made `cents` on a day and was never worse than its end."""
    ticks = float(cents) / TICK_CENTS[0]
    return RoundTrip(
        id=day, bracket_id="b", symbol="ES", side=1, qty=1, entry_ts=day * DAY_NS + 1, entry_ticks=20_000.0,
        exit_ts=day * DAY_NS + 2, exit_ticks=20_000.0 + ticks, exit_reason="target", gross_cents=int(cents),
        fees_cents=0, mae_ticks=max(0.0, -ticks), mfe_ticks=max(0.0, ticks), grade=2, confluence_percent=70.0,
        risk_cents=10_000, slippage_ticks=0.0, phase="morning",
    )  # fmt: skip


def test_performance_is_empyrical_s_and_quantstats(edge):
    """Whole results of `performance`, in the cents of its trips: V7."""
    arrays, told = edge
    for cents, theirs in zip(arrays["cents"], _there(told["figures"]), strict=True):
        trips = [_traded(x, day) for day, x in enumerate(cents) if x]
        ours = performance(
            trips, capital_cents=CAPITAL_CENTS, days=range(len(cents)), day_of=lambda ts: ts // DAY_NS
        )
        for key in ("sharpe_daily", "sortino_daily", "calmar"):
            assert [ours[key], ours[key]] == pytest.approx(theirs[key], abs=1e-9), key
        fall = -ours["max_drawdown_percent"] / 100
        assert [fall, fall] == pytest.approx(theirs["drawdown"], abs=1e-9)
        assert ours["profit_factor"] == pytest.approx(theirs["profit_factor"], abs=1e-9)
        assert ours["win_rate"] == pytest.approx(theirs["win_rate"], abs=1e-9)
    assert told["figures"][-1]["drawdown"][0] == pytest.approx(-0.10)  # lost on the first day


def test_bootstrap_intervals_are_arch_s(edge):
    arrays, told = edge
    x = arrays["series"]
    ours = interval_by_day(x[:, None], lambda drawn: drawn[:, :, 0].mean(axis=1))
    assert ours == pytest.approx(_there(told["interval"]), abs=0.012)  # a tenth of the interval's half width


def test_barriers_uniqueness_and_weights_are_mlfinpy_s(tmp_path_factory):
    rng = np.random.default_rng(5)
    # Prices are even and barriers odd: no price lies on a barrier, where the rules differ by design.
    closes = 16_000 + 2 * rng.integers(-3, 4, (PATHS, 240)).cumsum(axis=1)
    at = np.sort(np.array([rng.choice(200, 25, replace=False) for _ in range(PATHS)]), axis=1)
    side = rng.choice((-1, 1), at.shape)
    asked = {"closes": closes.astype(float), "at": at, "side": side, "width": WIDTH, "horizon": HORIZON}
    told = _asked(tmp_path_factory, "mlfinpy", "oracle_labels.py", asked)
    for close, rows, sides, theirs in zip(closes, at, side, told["paths"], strict=True):
        path = np.zeros(len(close), PATH_DTYPE)
        path["ts"] = np.arange(1, len(close) + 1) * MINUTE
        for name in ("open", "high", "low", "close"):
            path[name] = close
        out, width = np.zeros(len(rows), LABEL_DTYPE), np.full(len(rows), WIDTH)
        barriers(
            path,
            path["ts"][rows] - MINUTE // 2,
            sides,
            width,
            width,
            HORIZON * MINUTE + MINUTE // 2,
            0,
            0.0,
            out,
        )
        assert out["first"].tolist() == rows.tolist()
        assert out["last"].tolist() == theirs["rows"]
        # A vertical end is 0 there and the sign of the result here: the tie rule that differs on purpose.
        met = (out["reason"] == STOP) | (out["reason"] == TARGET)
        assert met.sum() > 5
        assert ((out["reason"] == TARGET)[met] == np.array(theirs["won"], bool)[met]).all()
        unique = uniqueness(out["first"], out["last"], len(close))
        assert unique == pytest.approx(theirs["unique"], abs=1e-12)
        weight = attribution(out["first"], out["last"], close.astype(float))
        assert weight == pytest.approx(theirs["weight"], abs=1e-9)
