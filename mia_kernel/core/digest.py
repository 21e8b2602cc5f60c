"""The decision digest: one hash that two replays of the same events must share.

Each decision becomes canonical JSON (sorted keys, no spaces, UTF-8). Numbers that are not integers by
nature are written as integers of one millionth, rounded half to even, −0 as 0, so any tool can rebuild the
text. In it is what was known and decided; not in it are wall-clock times, durations, paths, host, run id,
code version and settings id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from mia_kernel.core.decisions import GRADE_NAMES, OUTCOME_NAMES, STATUS_NAMES, Decision

MICRO = 1_000_000.0


def micro(value: float | None) -> int | None:
    """Return `value` in whole millionths, half to even; None and NaN give None."""
    if value is None or value != value:
        return None
    return round(value * MICRO)


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical JSON of a record, list, mapping or scalar (floats become millionths)."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        return micro(float(value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, np.integer):
        return int(value)  # pyright: ignore[reportUnknownArgumentType]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [_plain(item) for item in value]


class DecisionDigest:
    """Running sha256 over decisions in order.

    The keys of a run (component names, gate codes) are fixed, so their text is prepared once and a
    decision only fills in its numbers.
    """

    def __init__(self, names: Sequence[str], gate_codes: Sequence[str]) -> None:
        self._hash = hashlib.sha256()
        self.count = 0
        self._names = tuple(names)
        self._gates = tuple(gate_codes)
        self._name_order = sorted(range(len(names)), key=lambda i: names[i])
        self._gate_order = sorted(range(len(gate_codes)), key=lambda i: gate_codes[i])
        self._template = self._prepare()

    def _prepare(self) -> str:
        def key(name: str) -> str:
            return json.dumps(name, ensure_ascii=False).replace("%", "%%")

        gates = ",".join(
            f'{key(self._gates[i])}:{{"actual":%s,"outcome":"%s","required":%s}}' for i in self._gate_order
        )
        vector = ",".join(
            f'{key(self._names[i])}:{{"quality":%s,"status":"%s","value":%s}}' for i in self._name_order
        )
        weights = ",".join(f"{key(self._names[i])}:%s" for i in self._name_order)
        return (
            '{"coverage":%s,"event_sequence":%d,"fills":%s,"gates":{' + gates + '},"grade":"%s","intents":%s,'
            '"percent":%s,"score":%s,"sequence":%d,"side":%d,"signal":%s,"ts_event":%d,"vector":{'
            + vector
            + '},"verdict":%s,"weights":{'
            + weights
            + "}}"
        )

    def canonical(self, decision: Decision) -> bytes:
        """Return the canonical JSON of one decision."""
        vector, score = decision.vector, decision.score
        numbers = _micros(
            vector.quality,
            vector.values,
            score.weights,
            decision.gate_actual,
            decision.gate_required,
            np.array([score.coverage, score.percent, score.total]),
        )
        quality, values, weights, actual, required, heads = numbers
        status = vector.status.tolist()
        outcome = decision.gate_outcome.tolist()
        cells: list[Any] = [heads[0], decision.event_sequence, _text(decision.fills)]
        for i in self._gate_order:
            cells += (actual[i], OUTCOME_NAMES[outcome[i]], required[i])
        cells += (
            GRADE_NAMES[score.grade],
            _text(decision.intents),
            heads[1],
            heads[2],
            decision.sequence,
            score.side,
            _text(decision.signal),
            decision.ts_event,
        )
        for i in self._name_order:
            cells += (quality[i], STATUS_NAMES[status[i]], values[i])
        cells.append(_text(decision.verdict))
        cells += [weights[i] for i in self._name_order]
        return (self._template % tuple(cells)).encode()

    def update(self, decision: Decision) -> None:
        """Add one decision."""
        self._hash.update(self.canonical(decision))
        self._hash.update(b"\n")
        self.count += 1

    def hexdigest(self) -> str:
        """Return the digest of all decisions so far."""
        return self._hash.hexdigest()


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if value == ():
        return "[]"
    return canonical_bytes(value).decode()


def _micros(*arrays: Any) -> list[list[int | str]]:
    """Return each array as a list of millionths, "null" where not finite, in one pass over all."""
    joined = np.concatenate(arrays)
    known = np.isfinite(joined)
    whole: list[Any] = np.rint(np.where(known, joined, 0.0) * MICRO).astype(np.int64).tolist()
    if not known.all():
        for i in np.flatnonzero(~known).tolist():
            whole[i] = "null"
    out: list[list[int | str]] = []
    at = 0
    for array in arrays:
        out.append(whole[at : at + len(array)])
        at += len(array)
    return out
