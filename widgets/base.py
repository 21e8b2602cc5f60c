"""What every view is: a frame goes in, a picture comes out, live or still.

How it moves: `update(frame)` keeps the newest frame and sends it at most `MAX_HZ` times a second: numbers
as one binary buffer of float64 columns, the rest as a small JSON header. The page draws on the next
animation frame and drops what it could not draw; it never queues. `static()` makes a plotly figure of the
same frame, so a report needs no browser to be made.

A frame is a mapping: `seq`, `ts_event` (ns UTC), `source_tag`, one mapping of equally long arrays per
series (`{"bars": {"ts": …, "close": …}}`, times in ns UTC, prices in points), and plain values. Unknown
numbers are NaN and are not drawn.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import plotly.graph_objects as go
import traitlets
from numpy.typing import NDArray

from widgets import theme

STATIC = Path(__file__).parent / "static"
MAX_HZ = 20.0

_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./draw\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=function|const|class)", re.MULTILINE)


def module(name: str) -> str:
    """Return the ES module of a view with the shared drawing code in it (a kernel cannot serve a second file)."""
    shared = _EXPORT.sub("", (STATIC / "draw.js").read_text("utf-8"))
    own = (STATIC / f"{name}.js").read_text("utf-8")
    return shared + "\n" + _EXPORT.sub("", _IMPORT.sub("", own))


class View(anywidget.AnyWidget):
    """Base of the views. A subclass names its `_esm` and builds `static()`.

    Parameters
    ----------
    frame : mapping, optional
        Shown at once.
    height : int
        Pixels.
    """

    _esm = "export default { render() {} }"
    _css = (STATIC / "views.css").read_text("utf-8")

    header = traitlets.Dict().tag(sync=True)
    columns = traitlets.Bytes(b"").tag(sync=True)
    height = traitlets.Int(360).tag(sync=True)
    palette = traitlets.Enum(("classic", "colour_blind"), "classic").tag(sync=True)

    def __init__(self, frame: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.frame: Mapping[str, Any] = {}
        self._sent = 0.0
        if frame is not None:
            self.update(frame)

    def update(self, frame: Mapping[str, Any]) -> bool:
        """Take a frame; return True if it was sent, False if a newer one will be (at most MAX_HZ a second)."""
        self.frame = frame
        if time.monotonic() - self._sent < 1 / MAX_HZ:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Send the newest frame now."""
        self._sent = time.monotonic()
        header, buffer = pack(self.frame)
        with self.hold_sync():
            self.header = header
            self.columns = buffer

    def static(self) -> go.Figure:
        """Return a plotly figure of the newest frame."""
        raise NotImplementedError(f"{type(self).__name__} has no static()")

    def stamp(self) -> str | None:
        """Return the word that belongs across the picture."""
        return frame_stamp(self.frame)


def frame_stamp(frame: Mapping[str, Any]) -> str | None:
    """Return what must be stamped across a frame: its own `stamp`, else that of its source."""
    return frame.get("stamp") or theme.STAMPS.get(str(frame.get("source_tag")))


def pack(frame: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a frame as JSON header and one buffer of float64.

    Returns
    -------
    header : dict
        The plain values, and `series`: {series: {column: [offset, length]}} in numbers, not bytes.
    buffer : bytes
        Little-endian float64; columns whose name ends in `ts` become milliseconds since 1970 UTC.
    """
    plain: dict[str, Any] = {}
    series: dict[str, dict[str, list[int]]] = {}
    parts: list[NDArray[np.float64]] = []
    at = 0
    for name, value in frame.items():
        if not isinstance(value, Mapping):
            plain[name] = value
            continue
        for column, array in value.items():
            if not isinstance(array, np.ndarray):
                plain.setdefault("words", {}).setdefault(name, {})[column] = list(array)
                continue
            numbers = np.asarray(array, "<f8")
            parts.append(numbers / 1e6 if column.endswith("ts") else numbers)
            series.setdefault(name, {})[column] = [at, len(numbers)]
            at += len(numbers)
    plain["series"] = series
    plain["stamp"] = frame_stamp(frame)
    return plain, np.concatenate(parts).tobytes() if parts else b""


def column(frame: Mapping[str, Any], series: str, name: str) -> NDArray[np.float64]:
    """Return a column of a frame as float64, empty where the frame has none."""
    return np.asarray(frame.get(series, {}).get(name, ()), np.float64)


def new_york(ns: Any) -> NDArray[Any]:
    """Return times in ns UTC as naive New York wall time, which is what axes print."""
    import pandas as pd

    index = pd.DatetimeIndex(np.asarray(ns, np.int64).view("datetime64[ns]")).tz_localize("UTC")
    return index.tz_convert("America/New_York").tz_localize(None).to_numpy()
