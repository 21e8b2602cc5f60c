"""One trade in its surroundings: price, entry and exit, the stop as it moved, the target, how far it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import price, theme
from widgets.base import column, frame_stamp, new_york, translated
from widgets.day import DayView


def _range(frame: Mapping[str, Any], stops: Any) -> list[float] | None:
    """Return the prices of bars, stop and target with some air: a far VWAP band must not press the trade flat."""
    target = [] if frame.get("target") is None else [frame["target"]]
    prices = np.concatenate([column(frame, "bars", "low"), column(frame, "bars", "high"), stops, target])
    if not len(prices):
        return None
    low, high = float(np.nanmin(prices)), float(np.nanmax(prices))
    air = 0.06 * max(high - low, 1.0)
    return [low - air, high + air]


def trade(frame: Mapping[str, Any]) -> go.Figure:
    """Return the picture of one trade.

    Parameters
    ----------
    frame : mapping
        A day's frame around it with `stop` (ts, price), `target`, `extremes` (mae, mfe) and `span`.
    Without `span` it is a whole day's frame (post-mortem of a day) and drawn as one.
    """
    if "span" not in frame:
        return DayView(frame).static()
    figure = go.Figure(layout=theme.layout(430, annotations=theme.stamp(frame_stamp(frame))))
    for trace in price.traces(frame):
        figure.add_trace(trace)
    ts, stops = column(frame, "stop", "ts").astype(np.int64), column(frame, "stop", "price")
    if len(ts):
        line = {"color": theme.SELL, "width": 1.4, "dash": "dash", "shape": "hv"}
        figure.add_trace(
            go.Scatter(
                x=new_york(ts),
                y=stops,
                mode="lines",
                line=line,
                name="stop",
                hovertemplate="%{y:.2f}<extra>stop</extra>",
            )
        )
    span = new_york(list(frame["span"]))
    if frame.get("target") is not None:
        line = {"color": theme.BUY, "width": 1.4, "dash": "dash"}
        figure.add_trace(go.Scatter(x=span, y=[frame["target"]] * 2, mode="lines", line=line, name="target"))
    for name, label in (("mae", "MAE"), ("mfe", "MFE")):
        at = frame["extremes"][name]
        line = {"color": theme.NEUTRAL, "width": 1, "dash": "dot"}
        figure.add_trace(
            go.Scatter(
                x=span,
                y=[at] * 2,
                mode="lines",
                line=line,
                name=label,
                hovertemplate=f"%{{y:.2f}}<extra>{label}</extra>",
            )
        )
    figure.update_layout(
        xaxis=theme.axis(rangeslider={"visible": False}, showgrid=False),
        yaxis=theme.axis(side="right", tickformat=".2f", range=_range(frame, stops)),
    )
    return translated(figure, frame)
