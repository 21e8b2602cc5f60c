"""Days side by side: each day's net result as a bar, the running result as a line, and how single trades ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme
from widgets.base import column, frame_stamp, translated

UPRIGHT_DAYS = 7
"""So many labels find room beside each other."""


def week(frame: Mapping[str, Any]) -> go.Figure:
    """Return the picture of several days.

    Parameters
    ----------
    frame : mapping
        `days` (label, net_usd, cumulative_usd, trades) and `trades` (net_usd).
    """
    days = frame["days"]
    net, running, counts = (column(frame, "days", name) for name in ("net_usd", "cumulative_usd", "trades"))
    figure = make_subplots(
        1, 2, column_widths=[0.68, 0.32], horizontal_spacing=0.09,
        subplot_titles=("Days and running (USD)", "Each trade (USD)"),
    )  # fmt: skip
    figure.update_layout(theme.layout(320, hovermode="x", showlegend=False))
    label = list(days["label"])
    text = [f"n = {int(n)}" for n in counts]
    figure.add_trace(
        go.Bar(x=label, y=net, marker={"color": [theme.side_colour(v) for v in net]}, name="day", customdata=text,
               hovertemplate="%{y:+,.2f} USD, %{customdata}<extra>day</extra>"),
        row=1, col=1,
    )  # fmt: skip
    line = {"color": theme.NEUTRAL, "width": 2}
    figure.add_trace(
        go.Scatter(x=label, y=running, mode="lines+markers", line=line, marker={"size": 5}, name="running",
                   hovertemplate="%{y:+,.2f} USD<extra>running</extra>"),
        row=1, col=1,
    )  # fmt: skip
    single = np.sort(column(frame, "trades", "net_usd"))
    figure.add_trace(
        go.Bar(x=np.arange(1, len(single) + 1), y=single, marker={"color": [theme.side_colour(v) for v in single]},
               name="trade", showlegend=False, hovertemplate="%{y:+,.2f} USD<extra>trade</extra>"),
        row=1, col=2,
    )  # fmt: skip
    turned = {"tickangle": 0} if len(label) <= UPRIGHT_DAYS else {}
    figure.update_xaxes(theme.axis(showgrid=False, **turned), row=1, col=1)
    figure.update_xaxes(theme.axis(showgrid=False, showticklabels=False), row=1, col=2)
    figure.update_yaxes(theme.axis(side="right", tickformat=",.0f"))
    figure.update_annotations(font={"size": theme.SIZES[0], "color": theme.TEXT})
    for note in theme.stamp(frame_stamp(frame)):
        figure.add_annotation(note)
    if not len(single):
        figure.add_annotation(text="no trade", x=0.86, y=0.5, xref="paper", yref="paper", showarrow=False)
    return translated(figure, frame)
