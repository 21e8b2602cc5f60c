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
from numpy.typing import NDArray

from mia_kernel.core.decisions import GRADE_NAMES, OUTCOME_NAMES, STATUS_NAMES, Decision
from mia_kernel.core.kernel import kernel

MICRO = 1_000_000.0
WIDEST = 20
"""Most characters of a 64-bit number with its sign."""

NULL = np.frombuffer(b"null", np.uint8)
MINUS, ZERO, TEN = np.uint8(ord("-")), np.uint8(ord("0")), np.uint64(10)
POWERS = np.array([10**n for n in range(WIDEST - 1)], np.uint64)
NOTHING, NO_NUMBER = np.zeros(0, np.int8), np.zeros(0)


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
        self._gates = _Cells(gate_codes, (':{"actual":', ',"outcome":"', '","required":', "}"), OUTCOME_NAMES)
        self._vector = _Cells(names, (':{"quality":', ',"status":"', '","value":', "}"), STATUS_NAMES)
        self._weights = _Cells(names, (":", "", "", ""), ("",))

    def canonical(self, decision: Decision) -> bytes:
        """Return the canonical JSON of one decision."""
        vector, score = decision.vector, decision.score
        heads = (
            f'{{"coverage":{_number(score.coverage)},"event_sequence":{decision.event_sequence},'
            f'"fills":{_text(decision.fills)},"gates":{{'
        )
        middle = (
            f'}},"grade":"{GRADE_NAMES[score.grade]}","intents":{_text(decision.intents)},'
            f'"percent":{_number(score.percent)},"score":{_number(score.total)},"sequence":{decision.sequence},'
            f'"side":{score.side},"signal":{_text(decision.signal)},"ts_event":{decision.ts_event},"vector":{{'
        )
        return b"".join(
            (
                heads.encode(),
                self._gates.fill(decision.gate_actual, decision.gate_outcome, decision.gate_required),
                middle.encode(),
                self._vector.fill(vector.quality, vector.status, vector.values),
                f'}},"verdict":{_text(decision.verdict)},"weights":{{'.encode(),
                self._weights.fill(score.weights),
                b"}}",
            )
        )

    def update(self, decision: Decision) -> None:
        """Add one decision."""
        self._hash.update(self.canonical(decision))
        self._hash.update(b"\n")
        self.count += 1

    def hexdigest(self) -> str:
        """Return the digest of all decisions so far."""
        return self._hash.hexdigest()


class _Cells:
    """The text of one mapping whose keys never change: numbers and a code's name are set between fixed pieces.

    Python's own formatting of some 200 cells was measured at 22 µs a decision warm and 67 µs between other
    work; this is one compiled call.
    """

    def __init__(self, keys: Sequence[str], pieces: tuple[str, str, str, str], codes: Sequence[str]) -> None:
        self._order = np.array(sorted(range(len(keys)), key=lambda i: keys[i]), np.int64)
        before, *between = pieces
        texts: list[str] = []
        for place, i in enumerate(self._order):
            texts += [("," if place else "") + json.dumps(keys[i], ensure_ascii=False) + before, *between]
        self._texts, self._ends = _packed(texts)
        self._codes, self._code_ends = _packed(codes)
        longest = max(len(code.encode()) for code in codes)
        self._out = np.zeros(len(self._texts) + len(keys) * (2 * WIDEST + longest), np.uint8)

    def fill(self, first: Any, code: Any = NOTHING, second: Any = NO_NUMBER) -> bytes:
        """Return the text with these values; a mapping of plain numbers has neither code nor second."""
        n = _fill(
            self._texts, self._ends, self._codes, self._code_ends, self._order, first, code, second, self._out
        )
        return self._out[:n].tobytes()


def _packed(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    data = [text.encode() for text in texts]
    return np.frombuffer(b"".join(data), np.uint8), np.cumsum([0, *map(len, data)])


@kernel
def _put(out: Any, at: int, data: Any, start: int, stop: int) -> int:
    to, first = (
        np.uint64(at),
        np.uint64(start),
    )  # unsigned: an index that may be negative costs twice the time
    for i in range(np.uint64(stop) - first):
        out[to + i] = data[first + i]
    return at + stop - start


@kernel
def _put_number(out: Any, at: int, value: float) -> int:
    if not np.isfinite(value):
        return _put(out, at, NULL, 0, 4)
    whole = np.int64(np.rint(value * MICRO))
    if whole < 0:
        out[at] = MINUS
        at += 1
        whole = -whole
    left = np.uint64(whole)  # unsigned: a division by ten is then one multiplication
    digits = 1
    while digits < len(POWERS) and left >= POWERS[digits]:
        digits += 1
    last = np.uint64(at + digits - 1)
    for i in range(np.uint64(digits)):
        rest = left // TEN
        out[last - i] = ZERO + np.uint8(left - rest * TEN)
        left = rest
    return at + digits


@kernel
def _fill(
    texts: Any,
    ends: Any,
    codes: Any,
    code_ends: Any,
    order: Any,
    first: Any,
    code: Any,
    second: Any,
    out: Any,
) -> int:
    at = 0
    for place in range(len(order)):
        i, p = order[place], 4 * place
        at = _put_number(out, _put(out, at, texts, ends[p], ends[p + 1]), first[i])
        if len(code):
            c = code[i]
            at = _put(out, at, texts, ends[p + 1], ends[p + 2])
            at = _put(out, at, codes, code_ends[c], code_ends[c + 1])
            at = _put_number(out, _put(out, at, texts, ends[p + 2], ends[p + 3]), second[i])
        at = _put(out, at, texts, ends[p + 3], ends[p + 4])
    return at


def _number(value: float) -> str:
    whole = micro(float(value))
    return "null" if whole is None else str(whole)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if value == ():
        return "[]"
    return canonical_bytes(value).decode()
