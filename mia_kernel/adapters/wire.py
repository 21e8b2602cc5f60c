"""Carry frames between processes: MessagePack with numpy arrays as (dtype, shape, bytes), and nothing pickled.

`encode` and `decode` are each other's inverse; what a browser gets is made by `core/packing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from mia_kernel.core.errors import DataError

_ARRAY = "__array__"

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
