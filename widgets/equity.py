"""Equity: what the account was worth at every mark, with the fall from its peak shaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import View, column, module, new_york


class EquityView(View):
    """Draw `equity` (ts, usd) of a frame, its first value as the base line."""

    _esm = module("equity")

    def static(self) -> go.Figure:
        """Return the equity curve with its drawdown."""
        figure = go.Figure(layout=theme.layout(220, annotations=theme.stamp(self.stamp())))
        for trace in traces(self.frame):
            figure.add_trace(trace)
        figure.update_layout(
            xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", tickformat=",.2f")
        )
        return figure


def has_moved(frame: Mapping[str, Any]) -> bool:
    """Return whether there is anything to see: a flat line of a day without trades says nothing."""
    usd = column(frame, "equity", "usd")
    return bool(len(usd) and (usd != usd[0]).any())


def traces(frame: Mapping[str, Any]) -> list[Any]:
    """Return the plotly traces of a frame's equity, empty where there is none."""
    ts, usd = column(frame, "equity", "ts").astype(np.int64), column(frame, "equity", "usd")
    if len(ts) == 0:
        return []
    x = new_york(ts)
    peak = np.maximum.accumulate(usd)
    flat = {"color": "rgba(0,0,0,0)", "width": 0}
    out: list[Any] = []
    if (peak > usd).any():
        out.append(go.Scatter(x=x, y=peak, mode="lines", line=flat, showlegend=False, hoverinfo="skip"))
        shade = "rgba(229,96,77,0.18)"
        out.append(
            go.Scatter(
                x=x,
                y=usd,
                mode="lines",
                line=flat,
                fill="tonexty",
                fillcolor=shade,
                name="from peak",
                showlegend=False,
                hoverinfo="skip",
            )
        )
    line = {"color": theme.NEUTRAL, "width": 1.6, "shape": "hv"}
    hover = "%{y:,.2f} USD<extra>equity</extra>"
    out.append(
        go.Scatter(x=x, y=usd, mode="lines", line=line, name="equity", hovertemplate=hover, showlegend=False)
    )
    return out
