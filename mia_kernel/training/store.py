"""Write a trained model into the registry, with a card a person can read, and read it back for a verdict."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.adapters.journal_reader import JournalReader
from mia_kernel.adapters.machine import code_version
from mia_kernel.adapters.models import ModelRegistry, State, models_folder
from mia_kernel.adapters.sources import open_recording
from mia_kernel.analytics.dataset import Dataset
from mia_kernel.analytics.edge import promotion
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.core.events import Recording
from mia_kernel.core.session import trading_days_of
from mia_kernel.settings import Settings, settings_id
from mia_kernel.training.gather import GROUPS, Progress, gather, silent
from mia_kernel.training.locked import LOCKED, open_once, openings, packed, plain, same_market
from mia_kernel.training.train import Trained, train

LIVE = ("live", "ibkr")
"""Tag and adapter of a session at a broker; the simulated gateway has another adapter."""

REPORT, OOS, BOOSTED = "report.json", "oos.npz", "xgboost.ubj"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stored model under the rules: is it whole, what its report says, may it be a champion."""

    version: str
    state: State
    model_id: str
    report: dict[str, Any]
    rules: list[dict[str, Any]]
    shadow_sessions: int
    opened: dict[str, Any] | None = None
    """The one opening of the locked last part of this data, None while it is locked."""

    @property
    def may_be_champion(self) -> bool:
        """Whether every rule of promotion holds."""
        return all(rule["ok"] for rule in self.rules)


def train_source(
    settings: Settings,
    source: str,
    extras: Sequence[str] = (),
    *,
    symbol: str | None = None,
    tz: str | None = None,
    groups: Sequence[str] = GROUPS,
    processes: int | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Replay a source into labelled signals, train on them, store the candidate, return its verdict."""
    began = time.perf_counter()
    recording = open_recording(source, extras, symbol=symbol, tz=tz, home=settings.home)
    data = gather(settings, recording, groups=groups, processes=processes, progress=progress)
    return train_gathered(
        settings,
        recording,
        data,
        processes=processes,
        progress=progress,
        gather_seconds=time.perf_counter() - began,
    )


def train_gathered(
    settings: Settings,
    recording: Recording,
    data: Dataset,
    *,
    processes: int | None = None,
    progress: Progress = silent,
    gather_seconds: float | None = None,
) -> Verdict:
    """Train on labelled signals of a recording, store the candidate, return its verdict."""
    registry = ModelRegistry(models_folder(settings.home) / settings.ml.model)
    began = time.perf_counter()
    version, now = registry.next_version(), time.time_ns()
    events = recording.events
    facts = {
        "source": recording.source.name.rsplit("/", 1)[-1],
        "source_tag": recording.source.tag,
        "symbol": recording.source.symbol,
        "rows": len(events),
        "from_ns": int(events["ts_event"][0]),
        "to_ns": int(events["ts_event"][-1]),
        "data_sha256": data.hash,
        "schema_sha256": data.schema.hash,
        "settings_id": settings_id(settings),
        "weights": str(settings.confluence.weights),
        "code_version": code_version(),
    }
    made = train(
        settings, data, model_id=f"{registry.name}-{version}", trained_at=now, facts=facts,
        processes=processes, progress=progress,
    )  # fmt: skip
    seconds = {"gather": gather_seconds, "train": time.perf_counter() - began}
    store(registry, version, made, facts | {"seconds": seconds}, at_ns=now)
    return verdict(settings, version)


def store(
    registry: ModelRegistry, version: str, made: Trained, facts: Mapping[str, Any], *, at_ns: int
) -> Path:
    """Write a trained model as a candidate."""
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **made.oos)  # type: ignore[arg-type]
    report = json.dumps(made.report, default=plain, allow_nan=True).encode()
    files = {
        REPORT: report,
        OOS: arrays.getvalue(),
        BOOSTED: bytes(made.members.boosted.get_booster().save_raw(raw_format="ubj")),
        "card.md": card(registry.name, version, made.report).encode(),
    }
    if made.locked is not None:
        files[LOCKED] = packed(made.locked)
    known = {**facts, "market_sha256": made.report["market_sha256"]}
    return registry.save(version, made.ensemble, files, known, at_ns=at_ns)


def verdict(settings: Settings, model: str = "") -> Verdict:
    """Check a stored model byte by byte and hold it against the rules of promotion.

    Parameters
    ----------
    model : str
        Version, or `NAME/VERSION`; default the newest of the settings' model.

    Raises
    ------
    InputError
        If there is none.
    CorruptError
        If a file is not what was written.
    """
    name, _, version = model.rpartition("/")
    registry = ModelRegistry(models_folder(settings.home) / (name or settings.ml.model))
    states = registry.states()
    if not states:
        raise InputError("no model there", path=str(registry.folder), way_out="mia train --data SOURCE")
    version = version or list(states)[-1]
    manifest = registry.manifest(version)
    for file in manifest["sha256"]:
        registry.read(version, file)
    ensemble = registry.load(version)
    report = json.loads(registry.read(version, REPORT))
    sessions = shadow_sessions(settings, ensemble.model_id)
    rules = promotion(report, shadow_sessions=sessions)
    opened = [row for row in openings(registry) if same_market(row, manifest)]
    return Verdict(
        version, states[version], ensemble.model_id, report, rules, sessions, opened[0] if opened else None
    )


def open_locked(settings: Settings, model: str, *, reason: str) -> Verdict:
    """Open the locked last part of a model's data, once for ever, and judge the model on it.

    Raises
    ------
    InputError
        If it was opened before.
    """
    found = verdict(settings, model)
    registry = ModelRegistry(models_folder(settings.home) / (model.rpartition("/")[0] or settings.ml.model))
    open_once(settings, registry, found.version, reason=reason, at_ns=time.time_ns())
    return verdict(settings, model)


def shadow_sessions(settings: Settings, model_id: str) -> int:
    """Return on how many trading days of live sessions the model gave an opinion.

    Replays do not count, nor does a SYNTHETIC or simulated market: a model could pass probation in an evening.
    """
    days: set[int] = set()
    for path in settings.journals():
        try:
            with JournalReader(path) as reader:
                source = reader.header.get("source") or {}
                if (source.get("tag"), source.get("adapter")) != LIVE:
                    continue
                said = reader.opined(model_id)
                if said:
                    days |= set(trading_days_of(np.array(said, np.int64)).tolist())
        except CorruptError:
            continue  # a damaged journal proves nothing; `mia journal verify` names it
    return len(days)


def promote(settings: Settings, model: str, state: State, *, reason: str) -> Verdict:
    """Move a model on, if the rules allow it; a person asks for it, nothing does so by itself.

    Raises
    ------
    InputError
        If a rule of a champion does not hold; it names them.
    """
    found = verdict(settings, model)
    if state == "champion" and not found.may_be_champion:
        broken = "; ".join(f"{r['rule']} (found {r['found']})" for r in found.rules if not r["ok"])
        raise InputError("not fit to be champion", field="model", value=found.version, rule=broken)
    registry = ModelRegistry(models_folder(settings.home) / (model.rpartition("/")[0] or settings.ml.model))
    registry.move(found.version, state, reason, at_ns=time.time_ns())
    return verdict(settings, model)


def card(name: str, version: str, report: Mapping[str, Any]) -> str:
    """Return what a person must know of a model, as Markdown."""
    part, c = report["sections"][report["verdict_of"]], report["calibration"]
    tag, ghosts = str(report.get("source_tag")).upper(), f"{report['ghost_share']:.0%}"
    lines = [
        f"# {name} {version}",
        "",
        "Purpose: P(win | signal), the chance that a signal makes more than its costs before its stop, 60 minutes",
        "or the end of the session. It judges signals; it makes none.",
        "",
        f"- Data: {report.get('source')} [{tag}], sha256 `{report.get('data_sha256')}`",
        f"- Signals: {report['signals']:,} labelled ({ghosts} ghosts), {report['unlabelled']} without a market;",
        f"  {report['locked_signals']:,} later ones locked and not looked at",
        f"- Base rate: {report['base_rate']:.1%} won net of costs",
        f"- Variant: `{report['variant']}`, calibration {report['calibration_kind']}, seed {report['seed']}",
        "- Design: six groups of whole sessions, purged by label life, one session embargo; walk-forward with",
        "  nested choice, CPCV(6, 2)",
        f"- Out of sample: n = {report['oos_signals']:,} signals on {report['oos_sessions']} sessions",
        f"- Brier {c['brier']:.4f} (base rate {c['brier_base_rate']:.4f}), AUC {_short(c['auc'])} ± "
        f"{_short(c['auc_se'])}, calibration error {c['calibration_error']:.3f}",
        f"- Trials logged on this data: {report['trials']}",
        "",
        f"Verdict ({report['verdict_of']}, n = {part['performance']['n']}):",
        "",
        *[f"- {line}" for line in report["verdicts"]],
        "",
        *_weighed(report.get("importance", [])),
        *_leaks(report["leakage"]),
        "Limits: bars know neither queue nor book; entries at the next bar's open with slippage; past results of",
        "a rule that was written by people who knew the past.",
        "",
    ]
    return "\n".join(lines)


def _weighed(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what each feature was worth on rows the model had not seen, the ten largest."""
    if not rows:
        return []
    return [
        f"Permutation importance, log loss added (mean and spread of {rows[0]['repeats']} shuffles, last step):",
        "",
        *[f"- {r['name']} {r['mean']:+.4f} ± {_short(r['sd'])}" for r in rows[:10]],
        "",
    ]


def _leaks(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return how each leakage test ended."""
    ended = {True: "passed", False: "LEAK", None: "nothing to judge"}
    return ["Leakage tests:", "", *[f"- {c['name']}: {ended[c['ok']]} ({c['says']})" for c in checks], ""]


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
