"""Still pictures of what mentor and model say in a frame of the live desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import frame_stamp, new_york

Frame = Mapping[str, Any]
NO_PAGE = "No daily page yet: `mia report daily` makes one after a session."
NO_MODEL = "No model judges here."
NO_OPINION = "No signal has got a probability yet."


def mentor(frame: Frame) -> go.Figure:
    """Return the newest advice as a table of one row: day, title, sentence, evidence."""
    said = frame.get("mentor")
    if not said:
        return _sentence(frame, NO_PAGE)
    day = str(np.datetime_as_string(new_york([said["ts"]])[0].astype("datetime64[D]")))
    stamp = theme.STAMPS.get(said["tag"], "")
    cells = [[f"{day} {stamp}".strip()], [said["title"]], [said["text"]], [said["evidence"]]]
    figure = go.Figure(layout=theme.layout(140))
    heads = ["day (New York)", "advice", "", "evidence"]
    figure.add_trace(
        go.Table(columnwidth=[1, 1, 4, 2], header={"values": heads}, cells={"values": cells, "align": "left"})
    )
    return figure


def model(frame: Frame) -> go.Figure:
    """Return the probability of each judged signal; hollow marks were not traded."""
    said = frame.get("opinions") or {}
    probability = np.asarray(said.get("probability", ()), np.float64)
    if not frame.get("ml"):
        return _sentence(frame, NO_MODEL)
    known = np.isfinite(probability)
    if not known.any():
        return _sentence(frame, NO_OPINION)
    figure = go.Figure(
        layout=theme.layout(240, showlegend=False, annotations=theme.stamp(frame_stamp(frame)))
    )
    allowed = np.asarray(said["allowed"])[known] > 0
    figure.add_trace(
        go.Scatter(
            x=new_york(np.asarray(said["ts"])[known]),
            y=probability[known],
            mode="markers",
            marker={
                "size": 8,
                "color": theme.TEXT,
                "symbol": ["circle" if each else "circle-open" for each in allowed],
            },
        )
    )
    figure.update_layout(xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", range=[0, 1]))
    return figure


def _sentence(frame: Frame, text: str) -> go.Figure:
    figure = go.Figure(layout=theme.layout(120, annotations=theme.stamp(frame_stamp(frame))))
    where = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    figure.add_annotation(text=text, font={"size": theme.SIZES[1], "color": theme.TEXT}, **where)
    figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
    return figure
