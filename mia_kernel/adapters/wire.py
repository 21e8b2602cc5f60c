"""Carry frames between processes: MessagePack with numpy arrays as (dtype, shape, bytes), and nothing pickled.

`encode` and `decode` are each other's inverse. `pack` is what a browser gets: plain values as JSON, arrays in one
buffer it can look into without copying.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from mia_kernel.core.errors import DataError

_ARRAY = "__array__"
_KINDS = {"f8": "<f8", "f4": "<f4", "i4": "<i4", "u2": "<u2", "i1": "|i1"}
"""Number kinds a browser's typed arrays know, by the name they have in a header."""

_encoder = msgspec.msgpack.Encoder(enc_hook=lambda value: _plain(value))
_decoder = msgspec.msgpack.Decoder()


def encode(frame: Mapping[str, Any]) -> bytes:
    """Return a frame as MessagePack; arrays keep dtype and shape.

    Raises
    ------
    TypeError
        For a value that is neither plain nor a numpy array or number.
    """
    return _encoder.encode(frame)


def decode(payload: bytes) -> dict[str, Any]:
    """Return the frame that `encode` wrote; its arrays are read-only views into the payload.

    Raises
    ------
    DataError
        If the payload is no frame.
    """
    try:
        return _revive(_decoder.decode(payload))
    except (msgspec.DecodeError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"not a frame of {len(payload)} bytes: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value)
        return {_ARRAY: data.dtype.str, "shape": data.shape, "bytes": data.tobytes()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a frame cannot hold {type(value).__name__}")


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return np.frombuffer(value["bytes"], np.dtype(value[_ARRAY])).reshape(value["shape"])
        return {name: _revive(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_revive(item) for item in value]
    return value


def pack(frame: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a frame as JSON header and one buffer.

    Returns
    -------
    header : dict
        The plain values (NaN as None), and `series`: {series: {column: [at, length, kind]}}; `at` counts
        8-byte words, `kind` is one of f8 f4 i4 u2 i1 and left out for f8.
    buffer : bytes
        Little-endian; columns whose name ends in `ts` become milliseconds since 1970 UTC.
    """
    plain: dict[str, Any] = {}
    series: dict[str, dict[str, list[Any]]] = {}
    parts: list[bytes] = []
    at = 0
    for name, value in frame.items():
        if not _is_series(value):
            plain[name] = _json(value)
            continue
        for column, array in value.items():
            if not isinstance(array, np.ndarray):
                plain.setdefault("words", {}).setdefault(name, {})[column] = _json(list(array))
                continue
            kind, data = _column(column, array)
            raw = data.tobytes()
            raw += b"\0" * (-len(raw) % 8)
            series.setdefault(name, {})[column] = [at, data.size] + ([] if kind == "f8" else [kind])
            parts.append(raw)
            at += len(raw) // 8
    plain["series"] = series
    return plain, b"".join(parts)


def _is_series(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(item, np.ndarray) for item in value.values())


def _column(name: str, array: Any) -> tuple[str, Any]:
    kind = array.dtype.str[1:]
    if name.endswith("ts"):
        return "f8", np.asarray(array, "<f8") / 1e6
    if kind not in _KINDS:
        return "f8", np.asarray(array, "<f8")
    return kind, np.ascontiguousarray(array, _KINDS[kind])


def _json(value: Any) -> Any:
    """Return a value as JSON knows it; an unknown number is None."""
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, np.generic):
        return _json(value.item())
    if isinstance(value, Mapping):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(item) for item in value]
    return value
