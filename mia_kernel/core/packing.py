"""Name how a frame reaches a browser: plain values as JSON, numbers in one buffer it looks into without copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_KINDS = {"f8": "<f8", "f4": "<f4", "i4": "<i4", "u2": "<u2", "i1": "|i1"}
"""Number kinds a browser's typed arrays know, by the name they have in a header."""


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
            kind, data = _column(column, cast("NDArray[Any]", array))
            raw = data.tobytes()
            raw += b"\0" * (-len(raw) % 8)
            series.setdefault(name, {})[column] = [at, data.size] + ([] if kind == "f8" else [kind])
            parts.append(raw)
            at += len(raw) // 8
    plain["series"] = series
    return plain, b"".join(parts)


def _is_series(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return any(isinstance(item, np.ndarray) for item in cast("Mapping[str, Any]", value).values())


def _column(name: str, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
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
        return {str(name): _json(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(item) for item in cast("list[Any]", value)]
    return value
