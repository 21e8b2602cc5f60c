"""Keep the last fifth of a data set locked, and open it once.

How it moves: `packed` writes the locked signals beside their model without looking at them. `open_once` appends
the opening to the model's list of openings BEFORE it scores anything, so that a second look, by this model or
another on the same data, is refused for ever; then it scores them with the stored model and writes down what
was found. Source: validation, rule 4.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from mia_kernel.adapters.models import ModelRegistry
from mia_kernel.adapters.trials import TrialLog
from mia_kernel.analytics import edge
from mia_kernel.analytics.calibration import figures as calibration_figures
from mia_kernel.analytics.dataset import Dataset
from mia_kernel.analytics.edge import RULES, Scored
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.ml.ensemble import ML_SCORE, PROBABILITY
from mia_kernel.ml.inputs import Schema
from mia_kernel.settings import Settings

LOCKED, OPENINGS = "locked.npz", "openings.jsonl"
KIND = "locked"
LEAST = 30
"""Under so many signals above the threshold the verdict is of every signal."""


def packed(data: Dataset) -> bytes:
    """Return locked signals with the path and candidates of their time, as an npz archive."""
    start = int(data.labels["first"].min()) if len(data) else len(data.path)
    labels = data.labels.copy()
    labels["first"] -= start
    labels["last"] -= start
    since = int(data.signals["ts"].min()) if len(data) else 0
    plain = {
        "groups": list(data.schema.groups), "names": list(data.schema.names), "gate_codes": list(data.gate_codes),
        "unlabelled": data.unlabelled, "fee_ticks": data.fee_ticks,
    }  # fmt: skip
    out = io.BytesIO()
    np.savez_compressed(
        out, x=data.x, signals=data.signals, labels=labels, weight=data.weight, path=data.path[start:],
        candidates=data.candidates[data.candidates >= since],
        plain=np.frombuffer(json.dumps(plain).encode(), np.uint8),
    )  # fmt: skip
    return out.getvalue()


def unpacked(data: bytes) -> Dataset:
    """Return what `packed` wrote.

    Raises
    ------
    CorruptError
        If it is no such archive.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as a:
            plain = json.loads(a["plain"].tobytes())
            schema = Schema(tuple(plain["groups"]), tuple(plain["names"]))
            return Dataset(
                schema, a["x"], a["signals"], a["labels"], a["weight"], a["path"], a["candidates"],
                tuple(plain["gate_codes"]), plain["unlabelled"], plain["fee_ticks"],
            )  # fmt: skip
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptError(f"the locked part does not read: {error}; way out: train anew") from error


def openings(registry: ModelRegistry) -> list[dict[str, Any]]:
    """Return every opening of a model's locked parts, oldest first; one without `found` was cut off."""
    path = registry.folder / OPENINGS
    if not path.is_file():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptError(f"{path}: {error}; way out: restore a backup of the openings") from error
    by_data: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_data[row["data_sha256"]] = by_data.get(row["data_sha256"], {}) | row
    return list(by_data.values())


def same_market(opening: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Return whether an opening looked at the market of a model: other signals of the same rows are no new market."""
    names = ("market_sha256", "data_sha256")
    return any(opening.get(name) is not None and opening.get(name) == manifest.get(name) for name in names)


def open_once(
    settings: Settings, registry: ModelRegistry, version: str, *, reason: str, at_ns: int
) -> dict[str, Any]:
    """Score the locked signals with a stored model, once for ever; return the opening with what was found.

    Raises
    ------
    InputError
        If they were opened before, or nothing was locked.
    """
    manifest = registry.manifest(version)
    if LOCKED not in manifest["sha256"]:
        raise InputError("nothing is locked there", field="model", value=version, way_out="mia train")
    data, market = str(manifest["data_sha256"]), str(manifest.get("market_sha256", manifest["data_sha256"]))
    for before in openings(registry):
        if same_market(before, manifest):
            raise InputError(
                "the locked part of this market was opened already", field="model", value=before["version"],
                rule="it is opened once; a second look would be a choice", way_out="newer data, then mia train",
            )  # fmt: skip
    head = {
        "data_sha256": data,
        "market_sha256": market,
        "version": version,
        "at_ns": at_ns,
        "reason": reason,
    }
    registry.append_line(OPENINGS, _line(head))
    found = _judged(settings, registry, version, market)
    registry.append_line(OPENINGS, _line({"data_sha256": data, "found": found}))
    return head | {"found": found}


def _judged(settings: Settings, registry: ModelRegistry, version: str, scope: str) -> dict[str, Any]:
    data = unpacked(registry.read(version, LOCKED))
    said = registry.load(version).evaluate(data.x)
    scored = Scored(np.arange(len(data)), said[:, PROBABILITY], said[:, ML_SCORE])
    capital, days = settings.risk.equity_usd, np.unique(data.signals["session"])
    threshold = settings.risk.gates.ml_threshold
    log = TrialLog(settings.trials_file)
    rows = {rule: scored.rows[taken(data, scored, threshold)] for rule, taken in RULES.items()}
    chosen = "cost-aware" if len(rows["cost-aware"]) >= LEAST else "every signal"
    returns = edge.daily_returns(data, rows[chosen], days, capital)
    log.append(KIND, f"{registry.name} {version}", edge.sharpe_of(returns), len(days), scope=scope)
    tries = log.sharpes(scope=scope)
    sections = {
        rule: edge.section(data, taken, days, capital_usd=capital, tries=tries)
        for rule, taken in rows.items()
    }
    control = edge.random_entries(data, rows[chosen])
    return {
        "signals": len(data),
        "sessions": len(days),
        "first_session": int(days[0]),
        "last_session": int(days[-1]),
        "calibration": calibration_figures(scored.probability, data.y),
        "sections": sections,
        "verdict_of": chosen,
        "verdicts": edge.verdicts(sections[chosen], None, control),
        "control": control,
        "trials": log.count(scope=scope),
    }


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, default=plain, allow_nan=True)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    return value.item() if isinstance(value, np.generic) else str(value)
