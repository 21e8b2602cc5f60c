"""What a journal stores and how its bytes are chained: shared by the writer and the reader.

How it moves: every stored row has a sequence number and a hash. The hash of row n is
SHA-256(hash of row n−1 ‖ n ‖ payload), and the payload is a packing of *every* column of that row with its
length, so no stored byte can change, move between columns or disappear from the middle unseen. What is cut
from the end is found by the head (number and hash of the last row), which the writer publishes, and by the
trailer that closes a finished run.

Two tables share one numbering: `record` (header, report, round_trip, bars, trailer: JSON payloads) and
`decision` (fixed columns, then float64/int8 arrays in the order of the header's names).
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np

from mia_kernel.core.decisions import CODE_PARTS, Decision, Opinion, Signal, Verdict
from mia_kernel.core.layout import CODES, HEADS, Layout
from mia_kernel.core.orders import CancelEntry, ClosePosition, OrderReport, PlaceBracket, ReplaceStop

FORMAT = "mia-journal-1"
GENESIS = bytes(32)

RECORD_SQL = (
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, ts_event INTEGER NOT NULL, "
    "payload TEXT NOT NULL, hash BLOB NOT NULL) STRICT"
)
DECISION_SQL = (
    "CREATE TABLE decision (seq INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, "
    "event_sequence INTEGER NOT NULL, ts_event INTEGER NOT NULL, price_ticks INTEGER NOT NULL, "
    "total REAL, percent REAL, coverage REAL, quality REAL, grade INTEGER NOT NULL, side INTEGER NOT NULL, "
    "component_value BLOB NOT NULL, component_quality BLOB NOT NULL, component_status BLOB NOT NULL, "
    "contribution BLOB NOT NULL, weight BLOB NOT NULL, gate_outcome BLOB NOT NULL, "
    "gate_required BLOB NOT NULL, gate_actual BLOB NOT NULL, context BLOB NOT NULL, "
    "detail TEXT NOT NULL, hash BLOB NOT NULL) STRICT"
)
SCHEMA = {"record": RECORD_SQL, "decision": DECISION_SQL}

INSERT_RECORD = "INSERT INTO record VALUES (?,?,?,?,?)"
INSERT_DECISION = "INSERT INTO decision VALUES (" + ",".join("?" * 22) + ")"
SELECT_RECORD = "SELECT seq, kind, ts_event, payload, hash FROM record ORDER BY seq"
SELECT_DECISION = "SELECT * FROM decision ORDER BY seq"

HEADER, REPORT, ROUND_TRIP, BARS, TRAILER = "header", "report", "round_trip", "bars", "trailer"
REQUIRED_HEADER = (
    "settings_id",
    "code_version",
    "model_id",
    "source",
    "symbol",
    "names",
    "weights",
    "gate_codes",
)

_FIXED = struct.Struct("<qqqqqddddqq9I")
_SEQ = struct.Struct("<q")
_RECORD = struct.Struct("<qqII")
PackError = struct.error
_NAN = float("nan")
_COMMANDS = {c.__name__: c for c in (PlaceBracket, ReplaceStop, CancelEntry, ClosePosition)}
STORED_PARTS = (
    "values",
    "quality",
    "status",
    "contributions",
    "weights",
    "gate_outcome",
    "gate_required",
    "gate_actual",
    "context",
)
"""Parts of a decision in the order of their columns."""

Row = tuple[Any, ...]


def chain(previous: bytes, seq: int, payload: bytes) -> bytes:
    """Return the hash of row `seq` given the hash before it."""
    return hashlib.sha256(previous + _SEQ.pack(seq) + payload).digest()


def record_payload(seq: int, kind: str, ts_event: int, payload: str) -> bytes:
    """Return the bytes that the hash of a `record` row covers."""
    kind_bytes, text = kind.encode(), payload.encode()
    return b"R" + _RECORD.pack(seq, ts_event, len(kind_bytes), len(text)) + kind_bytes + text


def decision_payload(row: Row) -> bytes:
    """Return the bytes that the hash of a `decision` row covers; `row` is all columns but the hash."""
    blobs = row[11:20]
    detail = row[20].encode()
    reals = [_NAN if x is None else x for x in row[5:9]]
    fixed = _FIXED.pack(*row[:5], *reals, row[9], row[10], *map(len, blobs))
    return b"".join((b"D", fixed, *blobs, detail))


def decision_row(seq: int, decision: Decision) -> Row:
    """Return the stored columns of a decision without the hash."""
    total, percent, coverage, quality = decision.numbers[:HEADS].tolist()
    grade, side = decision.codes[:CODES].tolist()
    numbers, codes = decision.numbers.tobytes(), decision.codes.tobytes()
    return (
        seq,
        decision.sequence,
        decision.event_sequence,
        decision.ts_event,
        decision.price_ticks,
        _real(total),
        _real(percent),
        _real(coverage),
        _real(quality),
        grade,
        side,
        *(codes[part] if width == 1 else numbers[part] for part, width in _places(decision.layout)),
        _detail(decision),
    )


@cache
def _places(shape: Layout) -> tuple[tuple[slice, int], ...]:
    """Return where the bytes of each stored part lie, and how wide one of its cells is."""
    widths = [(shape.parts[name], 1 if name in CODE_PARTS else 8) for name in STORED_PARTS]
    return tuple((slice(part.start * width, part.stop * width), width) for part, width in widths)


def _real(value: float) -> float | None:
    # NaN is NULL in SQLite, and -0.0 comes back as 0.0: both are settled here, before the hash.
    return value + 0.0 if value == value else None


def _detail(decision: Decision) -> str:
    if decision.signal is None and decision.verdict is None and not decision.intents and not decision.fills:
        return "{}"
    detail: dict[str, Any] = {
        "signal": decision.signal,
        "verdict": decision.verdict,
        "intents": [{"type": type(x).__name__, "command": x} for x in decision.intents],
        "fills": list(decision.fills),
    }
    if decision.opinion is not None:
        detail["opinion"] = decision.opinion
    return to_json(detail)


def to_json(value: Any) -> str:
    """Return `value` as JSON text; dataclasses and enums become their plain form, NaN becomes null."""
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise NotImplementedError(f"a journal cannot store {type(value).__name__}")


def packed_array(array: Any) -> dict[str, Any]:
    """Return a structured array as JSON: its fields and its bytes, compressed."""
    return {
        "fields": [[name, array.dtype[name].str] for name in array.dtype.names],
        "n": len(array),
        "zlib": base64.b64encode(zlib.compress(_unpadded(array).tobytes(), 6)).decode(),
    }


def unpacked_array(payload: Mapping[str, Any]) -> Any:
    """Return the structured array of `packed_array`."""
    dtype = np.dtype([(name, code) for name, code in payload["fields"]])
    return np.frombuffer(zlib.decompress(base64.b64decode(payload["zlib"])), dtype)


def _unpadded(array: Any) -> Any:
    # Padding between fields is undefined memory: it would make the same bars hash differently.
    return array.astype(np.dtype([(name, array.dtype[name].str) for name in array.dtype.names]))


def signal_of(detail: Mapping[str, Any]) -> Signal | None:
    """Return the signal of a decision's detail, None where it had none."""
    return msgspec.convert(detail["signal"], Signal) if detail.get("signal") else None


def verdict_of(detail: Mapping[str, Any]) -> Verdict | None:
    """Return the verdict of a decision's detail, None where the gate was not asked."""
    return msgspec.convert(detail["verdict"], Verdict) if detail.get("verdict") else None


def opinion_of(detail: Mapping[str, Any]) -> Opinion | None:
    """Return the model's opinion of a decision's detail, None where no model was asked."""
    return msgspec.convert(detail["opinion"], Opinion) if detail.get("opinion") else None


def intents_of(detail: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the commands of a decision's detail."""
    return tuple(msgspec.convert(x["command"], _COMMANDS[x["type"]]) for x in detail.get("intents", ()))


def fills_of(detail: Mapping[str, Any]) -> tuple[OrderReport, ...]:
    """Return the reports that a decision carried."""
    return tuple(msgspec.convert(x, OrderReport) for x in detail.get("fills", ()))
