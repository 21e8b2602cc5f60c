"""Say honestly whether there is an edge: out of sample only, costs on, with every try counted.

How it moves: signals that were scored by a model that had not seen them become round trips of one contract and go
through the one performance room; beside them lie all signals without the filter and random entries with the same
exits. Sharpe ratios are doubted by sample, tails and the logged number of tries. The verdict is a word per
target: supported, refuted, not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.analytics.dataset import Dataset, kelly_record
from mia_kernel.analytics.deflated import (
    deflated_sharpe,
    min_track_record,
    moments,
    overfit,
    probabilistic_sharpe,
)
from mia_kernel.analytics.performance import TARGETS, by_group, performance, targets
from mia_kernel.core.decisions import GRADE_NAMES
from mia_kernel.core.orders import RoundTrip
from mia_kernel.core.phases import PHASE_NAMES
from mia_kernel.ml.labels import HORIZON_NS, LABEL_DTYPE, LATENCY_NS, barriers
from mia_kernel.risk.params import RiskParams
from mia_kernel.risk.sizing import Record, kelly, risk_share, wilson_lower
from mia_kernel.state.ledger import TICK_CENTS

FloatArray = NDArray[np.float64]
MARKET_NAMES = ("up strong", "up weak", "down strong", "down weak", "range", "transition", "unclear")
VOLATILITY_NAMES = ("low", "normal", "high", "extreme", "transition")
BALL_NAMES = {1: "with the ball trend", 0: "no ball trend", -1: "against the ball trend"}
CONTROL_SETS = 200
SEED = 20_260_101
MIN_DSR, MAX_PBO, MIN_SHADOW_SESSIONS, MIN_ACCURACY = 0.95, 0.20, 20, 0.65
PROVEN_Z = 2.0


@dataclass(frozen=True, slots=True)
class Scored:
    """Signals with the opinion of a model that had not seen them: rows of the data set, and what was said."""

    rows: NDArray[np.int64]
    probability: FloatArray
    score: FloatArray


RULES: Mapping[str, Callable[[Dataset, Scored, float], NDArray[np.bool_]]] = {
    "every signal": lambda data, scored, threshold: np.ones(len(scored.rows), np.bool_),
    "cost-aware": lambda data, scored, threshold: scored.score >= data.break_even[scored.rows],
    "threshold": lambda data, scored, threshold: scored.score >= threshold,
    "gates alone": lambda data, scored, threshold: data.signals["ghost"][scored.rows] == 0,
}
"""Which of the scored signals are taken. `gates alone` is what the engine would have entered without a model."""


def daily_returns(data: Dataset, rows: NDArray[Any], days: NDArray[Any], capital_usd: float) -> FloatArray:
    """Return the net result of signals per trading day over a fixed capital, zero days kept."""
    usd = data.labels["net_ticks"][rows] * TICK_CENTS[0] / 100
    at = np.searchsorted(days, data.signals["session"][rows])
    return np.bincount(at, weights=usd, minlength=len(days)) / capital_usd


def sharpe_of(returns: FloatArray) -> float | None:
    """Return the Sharpe ratio per period, None where it is unknown."""
    found = moments(returns)
    return None if found is None else found.sharpe


def section(
    data: Dataset,
    rows: NDArray[np.int64],
    days: NDArray[Any],
    *,
    capital_usd: float,
    tries: Sequence[float],
) -> dict[str, Any]:
    """Return the figures of some signals: performance with intervals, verdicts, doubted Sharpe ratios."""
    trips = sorted(data.trips(rows), key=lambda trip: trip.exit_ts)
    figures = performance(trips, capital_cents=round(capital_usd * 100), days=[int(d) for d in days])
    returns = daily_returns(data, rows, days, capital_usd)
    found = moments(returns)
    return {
        "performance": figures,
        "targets": targets(figures),
        "sharpe_per_day": None if found is None else found.sharpe,
        "psr": probabilistic_sharpe(returns),
        "dsr": deflated_sharpe(returns, tries) if tries else None,
        "min_track_record_days": None if found is None else min_track_record(found),
        "mean_net_ticks": float(data.labels["net_ticks"][rows].mean()) if len(rows) else None,
        "mean_gross_ticks": float(data.labels["gross_ticks"][rows].mean()) if len(rows) else None,
    }


def groups(data: Dataset, rows: NDArray[np.int64]) -> dict[str, list[dict[str, Any]]]:
    """Return n, win rate with interval and expectancy by grade, phase, regimes, pattern and year."""
    found: dict[str, list[dict[str, Any]]] = {}
    trips = data.trips(rows)
    signals = data.signals[rows]
    named: dict[str, list[str]] = {
        "grade": [GRADE_NAMES[int(g)] for g in signals["grade"]],
        "phase": [PHASE_NAMES[int(p)] for p in signals["phase"]],
        "market regime": [_named(MARKET_NAMES, int(m)) for m in signals["market"]],
        "volatility regime": [_named(VOLATILITY_NAMES, int(v)) for v in signals["volatility"]],
        "pattern": [BALL_NAMES[int(b)] for b in signals["ball"]],
        "side": ["long" if s > 0 else "short" for s in signals["side"]],
        "year": [str(int(day) // 10_000) for day in signals["session"]],
        "exit": [trip.exit_reason for trip in trips],
    }
    for name, words in named.items():
        by_id = {id(trip): word for trip, word in zip(trips, words, strict=True)}
        found[name] = by_group(trips, lambda trip, by_id=by_id: by_id[id(trip)])
    return found


def _named(names: Sequence[str], code: int) -> str:
    return "unknown" if code < 0 else names[code]


def random_entries(
    data: Dataset, rows: NDArray[np.int64], *, sets: int = CONTROL_SETS, seed: int = SEED
) -> dict[str, Any]:
    """Return the mean net ticks of signals beside random sets of as many with the same sides and exits.

    Random times are decision points of the same sessions' span at which market, clock and feed let entries pass.
    """
    first, last = int(data.signals["ts"][rows].min()), int(data.signals["ts"][rows].max())
    times = data.candidates[(data.candidates >= first) & (data.candidates <= last)]
    if len(times) == 0:
        return {"n": len(rows), "sets": 0, "own": None, "random": [], "share_at_least": None}
    signals = data.signals[rows]
    side, stop = signals["side"].astype(np.int64), signals["stop_ticks"].astype(np.int64)
    target = signals["target_ticks"].astype(np.int64)
    own = float(data.labels["net_ticks"][rows].mean())
    rng = np.random.default_rng(seed)
    means = np.empty(sets)
    for i in range(sets):
        drawn, order = times[rng.integers(0, len(times), len(rows))], rng.permutation(len(rows))
        labels = np.zeros(len(rows), LABEL_DTYPE)
        barriers(
            data.path,
            drawn,
            side[order],
            stop[order],
            target[order],
            HORIZON_NS,
            LATENCY_NS,
            data.fee_ticks,
            labels,
        )
        means[i] = np.nanmean(labels["net_ticks"])
    at_least = (1 + int((means >= own - 1e-12).sum())) / (1 + sets)
    return {"n": len(rows), "sets": sets, "own": own, "random": means.tolist(), "share_at_least": at_least}


def fan(
    data: Dataset, paths: Sequence[Scored], rule: str, threshold: float, *, capital_usd: float
) -> list[dict[str, Any]]:
    """Return Sharpe, win rate, profit factor and n of each whole CPCV path: a distribution, not a number."""
    days = np.unique(data.signals["session"])
    found: list[dict[str, Any]] = []
    for path in paths:
        rows = path.rows[RULES[rule](data, path, threshold)]
        net = data.labels["net_ticks"][rows]
        lost = -float(net[net < 0].sum())
        sharpe = sharpe_of(daily_returns(data, rows, days, capital_usd))
        found.append(
            {
                "n": len(rows),
                "win_rate": float((net > 0).mean()) if len(rows) else None,
                "profit_factor": float(net[net > 0].sum()) / lost if lost > 0 else None,
                "sharpe_daily": None if sharpe is None else sharpe * 252**0.5,
                "mean_net_ticks": float(net.mean()) if len(rows) else None,
            }
        )
    return found


def overfitting(matrix: FloatArray) -> dict[str, Any] | None:
    """Return the probability of backtest overfitting of tries laid as (days, tries), None where there are too few."""
    moving = matrix[:, matrix.std(axis=0) > 0]
    if moving.shape[1] < 2 or len(moving) < 32:
        return None
    found = overfit(moving)
    return {
        "pbo": found.probability,
        "tries": moving.shape[1],
        "slope": found.slope,
        "loss_share": found.loss_share,
        "logits": found.logits.tolist(),
    }


def sizing_inputs(trips: Sequence[RoundTrip], params: RiskParams) -> dict[str, Any]:
    """Return what sizing would make of this record: the lower bound of the win rate, payoff, Kelly's share.

    `shrunk` is Kelly's share at the point estimate times Baker and McHale's factor, for comparison only.
    """
    kept = kelly_record(trips)
    record = Record(**kept)
    share, name = risk_share(record, params)
    out: dict[str, Any] = {**kept, "share": share, "share_name": name}
    if record.wins == 0 or record.losses == 0:
        return out | {
            "p": None,
            "p_lower": None,
            "payoff": None,
            "kelly": None,
            "kelly_lower": None,
            "shrunk": None,
        }
    p, b = record.wins / record.n, (record.win_cents / record.wins) / (record.loss_cents / record.losses)
    lower = wilson_lower(record.wins, record.n, params.wilson_z)
    return out | {
        "p": p,
        "p_lower": lower,
        "payoff": b,
        "kelly": kelly(p, b),
        "kelly_lower": kelly(lower, b),
        "shrunk": max(kelly(p, b), 0.0) * shrink(p, b, record.n),
    }


def shrink(p: float, payoff: float, n: int) -> float:
    """Return Baker and McHale's factor for an estimated win rate, 0 without an edge.

    Examples
    --------
    >>> round(shrink(0.55, 1.0, 200), 3)
    0.669
    """
    edge = (payoff + 1) * p - 1
    if edge <= 0:
        return 0.0
    variance = p * (1 - p) / n
    return edge**2 / (edge**2 + (payoff + 1) ** 2 * variance)


# -- in words -----------------------------------------------------------------------------------------------


def verdicts(
    part: Mapping[str, Any], overfit_found: Mapping[str, Any] | None, control: Mapping[str, Any]
) -> list[str]:
    """Return the verdict in sentences: each target, then what stands against a chance find."""
    asked = (
        ("win rate", "win_rate", "at least"),
        ("profit factor", "profit_factor", "above"),
        ("drawdown %", "max_drawdown", "under"),
    )
    words = [_target(part, name, key, word) for name, key, word in asked]
    words.append(edge_sentence(part, overfit_found, control))
    return words


def _target(part: Mapping[str, Any], name: str, key: str, word: str) -> str:
    figures, goal = part["performance"], TARGETS[key]
    field = "max_drawdown_percent" if key == "max_drawdown" else key
    value, n = figures[field], figures["n"]
    if value is None:
        return f"{name} {word} {goal:g}: not shown (n = {n}, nothing to measure)"
    low, high = figures[f"{field}_ci"] or (None, None)
    between = f"{_short(low)} to {_short(high)}"
    return f"{name} {word} {goal:g}: {part['targets'][key]} (measured {value:.3g}, 95 % {between}, n = {n})"


def _short(value: float | None) -> str:
    if value is None:
        return "?"
    return "under 0.001" if 0 < value < 1e-3 else f"{value:.3g}"


def edge(part: Mapping[str, Any], overfit_found: Mapping[str, Any] | None, control: Mapping[str, Any]) -> str:
    """Return `supported`, `refuted` or `not shown` for "there is an edge after costs".

    Supported: n ≥ 300, DSR ≥ 0.95, PBO ≤ 0.2 and random entries do as well in at most 5 % of sets. Refuted: the whole
    interval of the expectancy lies under zero. Else not shown.
    """
    figures = part["performance"]
    interval = figures["expectancy_r_ci"]
    if interval is not None and interval[1] is not None and interval[1] < 0:
        return "refuted"
    enough = figures["n"] >= 300 and part["dsr"] is not None and part["dsr"] >= MIN_DSR
    kept = overfit_found is None or overfit_found["pbo"] <= MAX_PBO
    beaten = control["share_at_least"] is not None and control["share_at_least"] <= 0.05
    return "supported" if enough and kept and beaten else "not shown"


def edge_sentence(
    part: Mapping[str, Any], overfit_found: Mapping[str, Any] | None, control: Mapping[str, Any]
) -> str:
    """Return the sentence on the edge as a whole, with what it rests on."""
    figures = part["performance"]
    dsr = _short(part["dsr"])
    chance = "unknown" if overfit_found is None else f"{overfit_found['pbo']:.2f}"
    low, high = figures["expectancy_r_ci"] or (None, None)
    luck = _short(control["share_at_least"])
    expectancy = "unknown" if figures["expectancy_r"] is None else f"{figures['expectancy_r']:+.3f} R"
    return (
        f"an edge after costs: {edge(part, overfit_found, control)} (expectancy {expectancy}, 95 % {_short(low)} to "
        f"{_short(high)}, DSR {dsr}, PBO {chance}, random entries as good in {luck} of sets)"
    )


def promotion(report: Mapping[str, Any], *, shadow_sessions: int) -> list[dict[str, Any]]:
    """Return each rule a champion must meet: what is required, what was found, whether it holds."""
    calibration, part = report["calibration"], report["sections"]["cost-aware"]
    z = calibration["spiegelhalter_z"]
    pbo = None if report["overfitting"] is None else report["overfitting"]["pbo"]
    better = calibration["brier_base_rate"] - calibration["brier"]
    rules = [
        ("accuracy ≥ 0.65", calibration["accuracy"], calibration["accuracy"] >= MIN_ACCURACY),
        ("accuracy above base rate", calibration["accuracy"] - calibration["accuracy_base_rate"],
         calibration["accuracy"] > calibration["accuracy_base_rate"]),
        ("Brier better than base rate", better, better > 0),
        ("calibrated (|Z| ≤ 2)", z, z is not None and abs(z) <= PROVEN_Z),
        ("DSR ≥ 0.95", part["dsr"], part["dsr"] is not None and part["dsr"] >= MIN_DSR),
        ("PBO ≤ 0.2", pbo, pbo is not None and pbo <= MAX_PBO),
        ("no leak found", None, all(check["ok"] is not False for check in report["leakage"])),
        ("shadow sessions ≥ 20", float(shadow_sessions), shadow_sessions >= MIN_SHADOW_SESSIONS),
    ]  # fmt: skip
    return [{"rule": rule, "found": found, "ok": bool(ok)} for rule, found, ok in rules]
