"""Volume profile: contracts by price, the value area, its POC, high and low volume nodes."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from widgets import theme
from widgets.blank import blank

NONE_YET = "No volume yet at this anchor."


def profile(
    rows: Any, levels: Any = None, *, price: float | None = None, stamp: str | None = None
) -> go.Figure:
    """Return volume by price; inside the value area strong, outside faint.

    Parameters
    ----------
    rows : DataFrame
        `price`, `volume`, `node` (`high`, `low` or empty), `in_area`.
    levels : mapping of str to float, optional
        Prices to mark by name, for example POC, VAH, VAL, VWAP; None is not drawn.
    price : float, optional
        Last price.
    stamp : str, optional
        Word across the picture.
    """
    if len(rows) == 0:
        return blank(NONE_YET, stamp)
    figure = go.Figure(layout=theme.layout(460, showlegend=False, bargap=0, annotations=theme.stamp(stamp)))
    blue = theme.FAMILIES["profile"]
    figure.add_trace(
        go.Bar(
            x=rows["volume"],
            y=rows["price"],
            orientation="h",
            marker={
                "color": blue,
                "opacity": [0.75 if inside else 0.3 for inside in rows["in_area"]],
                "line": {"width": 0},
            },
            hovertemplate="%{y:.2f}: %{x:,} contracts<extra></extra>",
        )
    )
    for node, symbol in (("high", "triangle-left"), ("low", "triangle-left-open")):
        at = rows[rows["node"] == node]
        figure.add_trace(
            go.Scatter(
                x=at["volume"], y=at["price"], mode="markers", marker={"symbol": symbol, "size": 7, "color": blue},
                hovertemplate=f"%{{y:.2f}} {node} volume node<extra></extra>",
            )
        )  # fmt: skip
    for name, at in (levels or {}).items():
        if at is not None:
            figure.add_hline(y=at, line={"color": theme.NEUTRAL, "width": 1, "dash": "dot"}, annotation_text=name,
                             annotation_position="right", annotation_font_size=theme.SIZES[0])  # fmt: skip
    if price is not None:
        figure.add_hline(y=price, line={"color": theme.TEXT, "width": 1}, annotation_text="last",
                         annotation_position="top left", annotation_font_size=theme.SIZES[0])  # fmt: skip
    figure.update_layout(
        xaxis=theme.axis(tickformat=",.0f"), yaxis=theme.axis(tickformat=".2f", side="left", showgrid=False)
    )
    return figure
