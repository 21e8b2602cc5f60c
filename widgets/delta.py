"""Delta: contracts bought minus sold at the aggressor's side, per bar and cumulative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import View, column, module, new_york

NO_DELTA = "No delta: the source does not say who was the aggressor."


class DeltaView(View):
    """Draw `delta` (ts, delta, cumulative) of a frame; without sides it says so instead of drawing zero."""

    _esm = module("delta")

    def static(self) -> go.Figure:
        """Return bars of delta with the cumulative line."""
        figure = go.Figure(layout=theme.layout(220, annotations=theme.stamp(self.stamp())))
        found = traces(self.frame)
        for trace in found:
            figure.add_trace(trace)
        figure.update_layout(
            xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", tickformat=",.0f")
        )
        if not found:
            figure.add_annotation(sentence(NO_DELTA))
        return figure


def traces(frame: Mapping[str, Any]) -> list[Any]:
    """Return the plotly traces of a frame's delta, empty where it is unknown."""
    ts = column(frame, "delta", "ts").astype(np.int64)
    out: list[Any] = []
    if len(ts) == 0:
        return out
    x = new_york(ts)
    per_bar, running = column(frame, "delta", "delta"), column(frame, "delta", "cumulative")
    if len(per_bar) and np.isfinite(per_bar).any():
        colours = [theme.side_colour(d) for d in per_bar]
        out.append(
            go.Bar(
                x=x,
                y=per_bar,
                marker={"color": colours, "line": {"width": 0}},
                name="delta",
                showlegend=False,
            )
        )
    if len(running) and np.isfinite(running).any():
        line = {"color": theme.NEUTRAL, "width": 1.4}
        out.append(
            go.Scatter(x=x, y=running, mode="lines", line=line, name="cumulative delta", showlegend=False)
        )
    return out


def sentence(text: str) -> dict[str, Any]:
    """Return a quiet sentence in the middle of an empty panel."""
    where = {"xref": "x domain", "yref": "y domain", "x": 0.5, "y": 0.5, "showarrow": False}
    return {"text": text, **where, "font": {"size": theme.SIZES[1], "color": theme.TEXT}}
