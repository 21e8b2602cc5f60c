"""Train a model and judge it in one go; nothing of the judgement has seen what it judges.

How it moves: the last fifth of the sessions is locked away. On the rest every variant is fitted out of fold, the
walk-forward steps choose theirs inside their own past, the combinatorial splits give whole paths; each try is
logged before its verdict is known. The chosen variant is fitted on all of the rest, calibrated on its
out-of-fold scores, exported, and written into the registry as a candidate with card and report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.adapters.trials import TrialLog
from mia_kernel.analytics import edge, leakage, learning
from mia_kernel.analytics.calibration import figures as calibration_figures
from mia_kernel.analytics.dataset import MIN_SIGNALS, Dataset
from mia_kernel.analytics.drift import stability_index
from mia_kernel.analytics.drift_watch import reference_of
from mia_kernel.analytics.edge import RULES, Scored
from mia_kernel.analytics.learning import VARIANTS, Members, Rows, Variant
from mia_kernel.core.errors import InputError
from mia_kernel.ml.ensemble import Ensemble
from mia_kernel.ml.splits import Split, combinatorial, paths, walk_forward
from mia_kernel.settings import Settings
from mia_kernel.training.fitting import Fitter, Task
from mia_kernel.training.gather import Progress, silent

FloatArray = NDArray[np.float64]
GROUPS_N, TESTED = 6, 2
EMBARGO_SESSIONS = 1
LOCKED_SHARE = 0.20
KIND = "model"
WATCHED = 8
"""Features whose drift is watched while the model serves: the eight, which lead every schema."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted and judged model, not yet stored."""

    ensemble: Ensemble
    members: Members
    report: dict[str, Any]
    oos: dict[str, NDArray[Any]]
    locked: Dataset | None


def rows_of(data: Dataset) -> Rows:
    """Return what is learned from a data set."""
    return Rows(data.x, data.y, data.weight, data.lives)


def market_hash(data: Dataset) -> str:
    """Return what names the market a data set was tried on: its prices in time, whatever was made of them.

    Other weights, patterns, exits or features make other signals of the same rows; they are further tries on the same
    market, and its locked part stays the same.
    """
    found = hashlib.sha256()
    for name in ("ts", "close"):
        found.update(np.ascontiguousarray(data.path[name]).tobytes())
    return found.hexdigest()


def unlocked(data: Dataset, *, share: float = LOCKED_SHARE) -> tuple[NDArray[np.int64], int]:
    """Return the rows before the locked last part, and the first locked trading day (0: nothing is locked)."""
    sessions = np.unique(data.signals["session"])
    count = int(len(sessions) * share)
    if count == 0:
        return np.arange(len(data)), 0
    first = int(sessions[-count])
    return np.flatnonzero(data.signals["session"] < first), first


def train(
    settings: Settings,
    data: Dataset,
    *,
    model_id: str,
    trained_at: int,
    facts: Mapping[str, Any],
    variants: Sequence[Variant] = VARIANTS,
    processes: int | None = None,
    progress: Progress = silent,
    seed: int = learning.SEED,
    shuffles: int = leakage.SHUFFLES,
) -> Trained:
    """Return a model trained on all but the locked part of a data set, with its report.

    Parameters
    ----------
    facts : mapping
        Provenance for the report: source, hashes, settings.
    shuffles : int
        Orders of shuffled answers in the leakage test.

    Raises
    ------
    InputError
        Under MIN_SIGNALS labelled signals: that is reported, not worked around.
    CorruptError
        If the trial log is not what was written: what it counts would flatter the verdict.
    """
    TrialLog(settings.trials_file).verify()
    part, first_locked = unlocked(data)
    dev = data.take(part)
    _refuse_too_little(dev, len(data))
    rows = rows_of(dev)
    folds = combinatorial(rows.lives, GROUPS_N, 1, embargo_sessions=EMBARGO_SESSIONS)
    steps = walk_forward(rows.lives, GROUPS_N, embargo_sessions=EMBARGO_SESSIONS)
    many = combinatorial(rows.lives, GROUPS_N, TESTED, embargo_sessions=EMBARGO_SESSIONS)
    tasks = [Task("fold", fold, (v,), EMBARGO_SESSIONS, seed) for v in variants for fold in folds]
    tasks += [Task("nested", s, tuple(variants), EMBARGO_SESSIONS, seed) for s in steps]
    tasks.append(Task("leak", None, (), EMBARGO_SESSIONS, seed, data.schema.columns))
    tasks += [Task("shuffled", None, (), EMBARGO_SESSIONS, seed + i) for i in range(shuffles)]
    with Fitter(rows, processes) as fitter:
        found = fitter.run(tasks, progress=progress, what="fitting")
        at, n = len(variants) * len(folds), len(folds)
        choices = {s.groups[0]: found[at + i] for i, s in enumerate(steps)}
        out_of_fold = {
            v.name: _gathered(len(rows.y), folds, found[i * n : (i + 1) * n]) for i, v in enumerate(variants)
        }
        best = min(
            variants,
            key=lambda v: learning.log_loss(learning.mean_score(out_of_fold[v.name]), rows.y, rows.w),
        )
        ways = [Task("fold", split, (best,), EMBARGO_SESSIONS, seed) for split in many]
        ways.append(Task("importance", steps[-1], (best,), EMBARGO_SESSIONS, seed, data.schema.names))
        *fanned, weighed = fitter.run(ways, progress=progress, what="fitting whole paths")
    progress(0, 1, "judging")
    curve = learning.bend(learning.mean_score(out_of_fold[best.name]), rows.y, rows.w)
    members = learning.fit(best, rows.x, rows.y, rows.w, seed=seed)
    ensemble = _exported(members, curve, dev, model_id, trained_at)
    judged = _Judged(settings, dev, rows, steps, choices, folds, out_of_fold, many, fanned, curve)
    leaks = [leakage.shuffled(found[len(tasks) - shuffles :]), *found[len(tasks) - shuffles - 1]]
    report = _report(judged, leaks, best, variants, facts, first_locked, len(data) - len(dev))
    report["importance"] = weighed
    return Trained(ensemble, members, report, _oos(judged), _locked(data, first_locked))


def _refuse_too_little(dev: Dataset, total: int) -> None:
    """Refuse what no model can be learned from."""
    if len(dev) < MIN_SIGNALS:
        raise InputError(
            "too few labelled signals to train on",
            field="signals",
            value=len(dev),
            rule=f"at least {MIN_SIGNALS} before the locked last fifth ({total} in all)",
            way_out="a longer source",
        )
    if len(np.unique(dev.y)) < 2:
        raise InputError(
            "every signal ended the same way: there is nothing to tell apart",
            field="signals",
            value=f"{len(dev)}, {int(dev.y.sum())} won",
            way_out="another source, or other exits",
        )


def _exported(
    members: Members, curve: learning.Bend, dev: Dataset, model_id: str, trained_at: int
) -> Ensemble:
    forest, boosted, line, intercept = learning.exported(members)
    valid_from = int(dev.labels["end_ts"].max())
    return Ensemble(
        model_id, dev.schema, forest, boosted, 0.0, line, intercept, curve.x, curve.y, valid_from, trained_at
    )


def _locked(data: Dataset, first: int) -> Dataset | None:
    """Return the locked part as it is kept for its one opening, None where nothing is locked."""
    return data.take(np.flatnonzero(data.signals["session"] >= first)) if first else None


@dataclass(frozen=True, slots=True)
class _Judged:
    settings: Settings
    data: Dataset
    rows: Rows
    steps: list[Split]
    choices: dict[int, learning.Choice]
    folds: list[Split]
    out_of_fold: dict[str, FloatArray]
    many: list[Split]
    fanned: list[FloatArray]
    curve: learning.Bend

    @property
    def walked(self) -> Scored:
        """The walk-forward signals with what the model of their time said."""
        rows = np.concatenate([s.test for s in self.steps])
        p = np.concatenate([self.choices[s.groups[0]].probability for s in self.steps])
        agree = np.concatenate([learning.agreement(self.choices[s.groups[0]].parts) for s in self.steps])
        return Scored(rows, p, learning.ml_score(p, agree))

    def whole(self, parts: FloatArray) -> Scored:
        """Every signal with an out-of-fold score, bent by the final calibration."""
        p = self.curve(learning.mean_score(parts))
        return Scored(np.arange(len(p)), p, learning.ml_score(p, learning.agreement(parts)))


def _gathered(n: int, splits: Sequence[Split], parts: Sequence[FloatArray]) -> FloatArray:
    out = np.full((n, 3), np.nan)
    for split, scores in zip(splits, parts, strict=True):
        out[split.test] = scores
    return out


def _report(
    judged: _Judged,
    leaks: list[Any],
    best: Variant,
    variants: Sequence[Variant],
    facts: Mapping[str, Any],
    first_locked: int,
    locked: int,
) -> dict[str, Any]:
    data, walked = judged.data, judged.walked
    capital, threshold = judged.settings.risk.equity_usd, judged.settings.risk.gates.ml_threshold
    days = np.unique(data.signals["session"][walked.rows])
    scope, log = market_hash(data), TrialLog(judged.settings.trials_file)
    matrix, names = _tries(judged, variants, threshold, capital)
    _log_tries(log, matrix, names, {"settings": facts.get("settings_id"), "schema": data.schema.hash}, scope)
    tries = log.sharpes(scope=scope)
    sections = {
        rule: edge.section(
            data, walked.rows[taken(data, walked, threshold)], days, capital_usd=capital, tries=tries
        )
        for rule, taken in RULES.items()
    }
    picked = walked.rows[RULES["cost-aware"](data, walked, threshold)]
    base = picked if len(picked) >= 30 else walked.rows
    control = edge.random_entries(data, base)
    found = edge.overfitting(matrix)
    chosen = "cost-aware" if len(picked) >= 30 else "every signal"
    ways = paths(judged.many, GROUPS_N, TESTED)
    fans = edge.fan(data, [_path(judged, way) for way in ways], chosen, threshold, capital_usd=capital)
    return {
        **facts,
        "kind": "walk-forward, out of sample, costs on",
        **_extent(data, first_locked, locked),
        "oos_signals": len(walked.rows),
        "oos_sessions": len(days),
        "variant": best.describe(),
        "chosen_per_step": {str(g): c.variant.name for g, c in sorted(judged.choices.items())},
        "inner_losses": {str(g): c.losses for g, c in sorted(judged.choices.items())},
        "calibration_kind": judged.curve.kind,
        "calibration": calibration_figures(walked.probability, data.y[walked.rows]),
        "sections": sections,
        "verdict_of": chosen,
        "verdicts": edge.verdicts(sections[chosen], found, control),
        "control": control,
        "overfitting": found,
        "fan": fans,
        "groups": edge.groups(data, base),
        "sizing": edge.sizing_inputs(data.trips(base), judged.settings.risk),
        "trials": log.count(scope=scope),
        "market_sha256": scope,
        "leakage": [asdict(check) for check in leaks],
        "stability": _stability(judged),
        "reference": reference_of(
            data.x, data.schema.names[:WATCHED], sections["cost-aware"]["performance"]["win_rate"]
        ),
        "cost_ticks": data.fee_ticks,
        "seed": learning.SEED,
        "exits": {name: _spread(data.signals[name]) for name in ("stop_ticks", "target_ticks")},
    }


def _extent(data: Dataset, first_locked: int, locked: int) -> dict[str, Any]:
    return {
        "signals": len(data),
        "locked_signals": locked,
        "locked_from_session": first_locked,
        "unlabelled": data.unlabelled,
        "ghost_share": float(data.signals["ghost"].mean()),
        "base_rate": float(data.y.mean()),
    }


def _log_tries(
    log: TrialLog, matrix: FloatArray, names: Sequence[str], under: Mapping[str, Any], scope: str
) -> None:
    """Write down every try with what it was made under, before its verdict is known."""
    for j, name in enumerate(names):
        log.append(KIND, {"try": name, **under}, edge.sharpe_of(matrix[:, j]), len(matrix), scope=scope)


def _tries(
    judged: _Judged, variants: Sequence[Variant], threshold: float, capital: float
) -> tuple[FloatArray, list[str]]:
    """Return daily returns of everything that was looked at, (days, tries), and what each try is."""
    data = judged.data
    days = np.unique(data.signals["session"])
    columns, names = list[FloatArray](), list[str]()
    for rule in ("every signal", "gates alone"):
        whole = judged.whole(judged.out_of_fold[variants[0].name])
        taken = whole.rows[RULES[rule](data, whole, threshold)]
        columns.append(edge.daily_returns(data, taken, days, capital))
        names.append(rule)
    for variant in variants:
        whole = judged.whole(judged.out_of_fold[variant.name])
        for rule in ("cost-aware", "threshold"):
            taken = whole.rows[RULES[rule](data, whole, threshold)]
            columns.append(edge.daily_returns(data, taken, days, capital))
            names.append(f"{variant.describe()} {rule}")
    return np.column_stack(columns), names


def _path(judged: _Judged, way: Sequence[int]) -> Scored:
    """Return one whole path: each group scored by the split the path names."""
    groups = np.empty(len(judged.rows.y), np.int64)
    for g, fold in enumerate(judged.folds):
        groups[fold.test] = g
    parts = np.full((len(groups), 3), np.nan)
    for g, i in enumerate(way):
        split, scores = judged.many[i], judged.fanned[i]
        mine = groups[split.test] == g
        parts[split.test[mine]] = scores[mine]
    return judged.whole(parts)


def _stability(judged: _Judged) -> list[dict[str, Any]]:
    """Return how each of the eight moved from the first to the last group, and the win rate of each group."""
    data, first, last = judged.data, judged.folds[0].test, judged.folds[-1].test
    moved = [
        {"name": name, "psi": stability_index(data.x[first, j].astype(float), data.x[last, j].astype(float))}
        for j, name in enumerate(data.schema.names[:8])
    ]
    rates = [
        {"name": f"group {g}", "win_rate": float(data.y[fold.test].mean()), "n": len(fold.test)}
        for g, fold in enumerate(judged.folds)
    ]
    return [*moved, *rates]


def _spread(values: NDArray[Any]) -> dict[str, float]:
    middle, low, high = np.quantile(values, (0.5, 0.1, 0.9))
    return {"median": float(middle), "p10": float(low), "p90": float(high)}


def _oos(judged: _Judged) -> dict[str, NDArray[Any]]:
    """Return the out-of-sample signals as plain arrays, for pictures."""
    data, walked = judged.data, judged.walked
    at = walked.rows
    return {
        "ts": data.signals["ts"][at],
        "session": data.signals["session"][at],
        "side": data.signals["side"][at],
        "ghost": data.signals["ghost"][at],
        "net_ticks": data.labels["net_ticks"][at],
        "probability": walked.probability,
        "score": walked.score,
        "break_even": data.break_even[at],
    }
