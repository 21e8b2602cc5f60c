"""Confluence: what each component added to the score, the score through the day, and zones of levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import new_york

ROW_PX = 26
GRADES = (60.0, 70.0, 80.0)
OPACITY = {"extreme": 0.42, "strong": 0.30, "moderate": 0.18, "weak": 0.08}


def waterfall(contributions: Any, *, stamp: str | None = None) -> go.Figure:
    """Return the contributions of one decision as a waterfall that ends at the score.

    Parameters
    ----------
    contributions : DataFrame
        Index name; columns `contribution`, `value` (None where unknown) and `status`, largest first.
    stamp : str, optional
        Word across the picture.
    """
    names = [name.replace("_", " ") for name in contributions.index]
    parts = contributions["contribution"].tolist()
    said = [
        f"{value:+.2f} · adds {part:+.3f}" if status == "ok" else status.replace("_", " ")
        for value, part, status in zip(contributions["value"], parts, contributions["status"], strict=True)
    ]
    figure = go.Figure(layout=theme.layout(ROW_PX * (len(names) + 1) + 60, showlegend=False))
    figure.add_trace(
        go.Waterfall(
            orientation="h",
            y=[*names, "score"],
            x=[*parts, 0],
            measure=["relative"] * len(parts) + ["total"],
            text=[*said, f"{sum(parts):+.3f}"],
            textposition="outside",
            textfont={"size": theme.SIZES[0], "color": theme.TEXT},
            cliponaxis=False,
            increasing={"marker": {"color": theme.BUY}},
            decreasing={"marker": {"color": theme.SELL}},
            totals={"marker": {"color": theme.NEUTRAL}},
            connector={"line": {"color": theme.GRID, "width": 1}},
            hoverinfo="y+text",
        )
    )
    reach = max(0.2, float(np.abs(np.cumsum(parts)).max(initial=0.0)) * 1.6)
    figure.update_xaxes(theme.axis(range=[-reach, reach]))
    figure.update_yaxes(theme.axis(autorange="reversed", showgrid=False))
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def history(ts: Any, score: Any, percent: Any, coverage: Any, *, stamp: str | None = None) -> go.Figure:
    """Return score, confluence percent against the standard grades, and coverage through time.

    Parameters
    ----------
    ts : array of int64
        ns UTC.
    score, percent, coverage : array
        Of each decision.
    stamp : str, optional
        Word across the picture.
    """
    x = new_york(ts)
    figure = go.Figure(layout=theme.layout(360, annotations=theme.stamp(stamp)))
    colours = [theme.side_colour(s) for s in score]
    figure.add_trace(
        go.Scattergl(
            x=x, y=percent, mode="markers", marker={"size": 3, "color": colours}, name="confluence %"
        )
    )
    line = {"color": theme.NEUTRAL, "width": 1, "shape": "hv"}
    figure.add_trace(
        go.Scattergl(x=x, y=coverage, mode="lines", line=line, yaxis="y2", name="coverage, right below")
    )
    for grade in GRADES:
        figure.add_hline(y=grade, line={"color": theme.GRID, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis=theme.axis(showgrid=False),
        yaxis=theme.axis(side="right", domain=[0.28, 1], ticksuffix=" %"),
        yaxis2=theme.axis(side="right", domain=[0, 0.2], range=[0, 1], tickformat=".0%"),
    )
    return figure


def zone_map(bars: Any, zones: Any, *, stamp: str | None = None) -> go.Figure:
    """Return closed bars with the zones near them: bands as strong as their score.

    Parameters
    ----------
    bars : DataFrame
        `end` (ns UTC), `open`, `high`, `low`, `close` in points.
    zones : DataFrame
        `low`, `high`, `score`, `quality`, `bias`, `levels`; prices in points.
    stamp : str, optional
        Word across the picture.
    """
    figure = go.Figure(layout=theme.layout(420, annotations=theme.stamp(stamp), showlegend=False))
    if len(bars) == 0:
        return figure
    figure.add_trace(
        go.Candlestick(
            x=new_york(bars["end"]),
            open=bars["open"],
            high=bars["high"],
            low=bars["low"],
            close=bars["close"],
            increasing={"line": {"color": theme.BUY, "width": 1}, "fillcolor": theme.BUY},
            decreasing={"line": {"color": theme.SELL, "width": 1}, "fillcolor": theme.SELL},
        )
    )
    low, high = float(bars["low"].min()), float(bars["high"].max())
    room = max(1.0, (high - low) * 0.15)
    near = zones[(zones["high"] >= low - room) & (zones["low"] <= high + room)]
    for zone in near.itertuples():
        figure.add_hrect(
            y0=zone.low,
            y1=zone.high,
            line_width=0,
            fillcolor=theme.FAMILIES["profile"],
            opacity=OPACITY[zone.quality],
            layer="below",
        )
        if zone.score >= 0.4:
            figure.add_annotation(
                x=1.0,
                xref="paper",
                xanchor="left",
                y=(zone.low + zone.high) / 2,
                text=f"{zone.quality} {zone.bias}",
                showarrow=False,
                font={"size": theme.SIZES[0], "color": theme.TEXT},
            )
    figure.update_layout(
        xaxis=theme.axis(showgrid=False, rangeslider={"visible": False}),
        yaxis=theme.axis(tickformat=",.2f", range=[low - room, high + room]),
        margin={"l": 8, "r": 140, "t": 28, "b": 8},
    )
    return figure
