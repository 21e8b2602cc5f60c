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

from mia_kernel.core import packing
from widgets import theme

STATIC = Path(__file__).parent / "static"
MAX_HZ = 20.0

_IMPORT = re.compile(r"^import \{([^}]*)\} from \"\./([\w.]+)\";\n", re.MULTILINE)
_NAMED = re.compile(r"^export (?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_DEFAULT = re.compile(r"^export default (.*);\n", re.MULTILINE)
_EXTRA = re.compile(r"<extra>([^<]*)</extra>")
_EXPORT = re.compile(r"^export (?=async|function|class|const|let)", re.MULTILINE)


def module(name: str) -> str:
    """Return the ES module of a view with all it imports in it: a kernel cannot serve a second file.

    Each file becomes a function that is called once and hands over what it exports, so names never meet.
    """
    done: dict[str, str] = {}
    body, _, default = _parts(f"{name}.js", done)
    return "\n".join([*done.values(), f"{body}\nexport default {default};\n"])


def _parts(file: str, done: dict[str, str]) -> tuple[str, list[str], str]:
    """Return body, exported names and default export of a file; what it imports joins `done`, each once."""
    text = (STATIC / file).read_text("utf-8")
    for _, other in _IMPORT.findall(text):
        if other not in done:
            body, named, _ = _parts(other, done)
            done[other] = (
                f"const {_hand(other)} = (() => {{\n{body}\nreturn {{ {', '.join(named)} }};\n}})();\n"
            )
    body = _IMPORT.sub(lambda m: f"const {{{m[1].replace(' as ', ': ')}}} = {_hand(m[2])};\n", text)
    named = [*_NAMED.findall(body), *(n.strip() for group in _LIST.findall(body) for n in group.split(","))]
    default = _DEFAULT.search(body)
    body = _EXPORT.sub("", _LIST.sub("", _DEFAULT.sub("", body)))
    return body, named, default[1] if default is not None else "{}"


def _hand(file: str) -> str:
    return "from_" + file.removesuffix(".js")


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
    """Return a frame as JSON header and one buffer (`core/packing`), with the word that is stamped across it."""
    plain, buffer = packing.pack(frame)
    plain["stamp"] = frame_stamp(frame)
    return plain, buffer


def column(frame: Mapping[str, Any], series: str, name: str) -> NDArray[np.float64]:
    """Return a column of a frame as float64, empty where the frame has none."""
    return np.asarray(frame.get(series, {}).get(name, ()), np.float64)


def translated(figure: go.Figure, frame: Mapping[str, Any]) -> go.Figure:
    """Put the words of a figure into the language of its frame (`said`: a word of ours to the reader's)."""
    said = frame.get("said") or {}
    traces: Any = figure.data if said else ()
    for trace in traces:
        if trace.name in said:
            trace.name = said[trace.name]
        hover = trace.hovertemplate
        if isinstance(hover, str):
            trace.hovertemplate = _EXTRA.sub(
                lambda found: f"<extra>{said.get(found[1], found[1])}</extra>", hover
            )
    title = figure.layout.title
    if title.text in said:
        title.text = said[title.text]
    for note in figure.layout.annotations if said else ():
        note.text = said.get(note.text, note.text)
    return figure


def new_york(ns: Any) -> NDArray[Any]:
    """Return times in ns UTC as naive New York wall time, which is what axes print."""
    import pandas as pd

    index = pd.DatetimeIndex(np.asarray(ns, np.int64).view("datetime64[ns]")).tz_localize("UTC")
    return index.tz_convert("America/New_York").tz_localize(None).to_numpy()
