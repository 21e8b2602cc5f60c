"""The unsealed end of a session's record: frames appended to one file, readable up to the last whole frame.

A frame is written with one `write` and needs no flush to outlive its process: only a power cut can take what
`sync` has not yet put on the disk. Each frame carries its length and a CRC-32; a torn or changed frame ends
the reading, and how many bytes were left is told.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mia_kernel.core.errors import InvariantError, OutsideError
from mia_kernel.core.events import (
    EVENT_DTYPE,
    ContractChange,
    EventArray,
    ImportedLevel,
    OptionView,
    StateChange,
    empty,
)
from mia_kernel.core.model_event import ModelChange
from mia_kernel.core.orders import OrderReport, OrderStatus, Role

ROWS, OBJECT = 1, 2
_HEAD = struct.Struct("<4sBII")
_MAGIC = b"MIAt"
_OBJECTS = {
    kind.__name__: kind
    for kind in (ContractChange, OptionView, ImportedLevel, OrderReport, StateChange, ModelChange)
}


@dataclass(frozen=True, slots=True)
class Tail:
    """What a tail holds: rows and objects in order, and the bytes behind the last whole frame."""

    rows: EventArray
    objects: tuple[Any, ...]
    torn_bytes: int


class TailWriter:
    """Append to one tail file.

    Raises
    ------
    OutsideError
        If the disk refuses; what was written before stays whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.bytes = 0
        try:
            self._handle = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600
            )
        except OSError as error:
            raise _refused(path, error) from error

    def append(self, rows: EventArray, objects: Sequence[Any] = ()) -> None:
        """Write rows, then the objects that came among them (each carries its place in the order)."""
        data = b"".join(
            [
                *([_frame(ROWS, rows.tobytes())] if len(rows) else []),
                *(_frame(OBJECT, encode(event)) for event in objects),
            ]
        )
        if not data:
            return
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError as error:
            raise _refused(self.path, error) from error
        self.rows += len(rows)
        self.bytes += len(data)

    def sync(self) -> None:
        """Put everything on the disk; returns when it is there."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise _refused(self.path, error) from error

    def close(self) -> None:
        """Flush and close."""
        self.sync()
        os.close(self._handle)


def read_tail(path: Path) -> Tail:
    """Return the whole frames of a tail file."""
    data = path.read_bytes()
    rows: list[EventArray] = []
    objects: list[Any] = []
    at = 0
    while at + _HEAD.size <= len(data):
        magic, kind, length, crc = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if magic != _MAGIC or len(body) != length or zlib.crc32(body, kind) != crc:
            break
        if kind == ROWS:
            rows.append(np.frombuffer(body, EVENT_DTYPE))
        else:
            objects.append(decode(body))
        at += _HEAD.size + length
    return Tail(np.concatenate(rows) if rows else empty(0), tuple(objects), len(data) - at)


def encode(event: Any) -> bytes:
    """Return an object event as JSON bytes with its kind.

    Raises
    ------
    InvariantError
        If this kind has no stored form: a session that holds it could not be replayed.
    """
    kind = type(event).__name__
    if kind not in _OBJECTS:
        raise InvariantError(f"no stored form for an object event of kind {kind}")
    return json.dumps([kind, asdict(event)], separators=(",", ":")).encode()


def decode(data: bytes) -> Any:
    """Return the object event of `encode`."""
    kind, value = json.loads(data)
    if kind == "OrderReport":
        value["role"], value["status"] = Role(value["role"]), OrderStatus(value["status"])
        value["tags"] = tuple(value["tags"])
    return _OBJECTS[kind](**value)


def _frame(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_MAGIC, kind, len(body), zlib.crc32(body, kind)) + body


def _refused(path: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"{path}: the session cannot be recorded ({error.strerror or error}); free space on that disk, start again"
    )
