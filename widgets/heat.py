"""Depth heat map: what rested at each price over time, the best prices through it, and large trades as bubbles."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme

HEIGHT = 460
_BUBBLES = 140


def heat(
    time: Any, price: Any, size: Any, bid: Any, ask: Any, trades: Any, *, stamp: str | None = None
) -> go.Figure:
    """Return the heat map of a book.

    Parameters
    ----------
    time : sequence of shape (columns,)
        End of each column.
    price : array of shape (prices,)
        Points, ascending.
    size : array of shape (prices, columns)
        Contracts resting; NaN where nothing was shown is left empty.
    bid, ask : array of shape (columns,)
        Best prices in points.
    trades : table
        time, price, size, side of the trades; the largest are drawn, their area in proportion to the size.
    stamp : str, optional
        Word across the picture, for example SYNTHETIC.
    """
    figure = go.Figure()
    known = size[np.isfinite(size)]
    top = float(np.quantile(known, 0.985)) if len(known) else 1.0
    figure.add_trace(
        go.Heatmap(
            x=time, y=price, z=size, zmin=0, zmax=max(top, 1.0), name="resting",
            colorscale=[[0, "rgba(96,165,250,0.02)"], [0.35, "rgba(96,165,250,0.35)"], [0.7, "rgba(242,193,78,0.75)"],
                        [1, "rgba(255,244,214,1)"]],
            colorbar={"title": {"text": "contracts", "side": "right"}, "x": 1.07, "thickness": 10, "outlinewidth": 0},
            hovertemplate="%{y:.2f}: %{z:.0f} resting<extra></extra>",
        )
    )  # fmt: skip
    for name, values, side in (("bid", bid, 1), ("ask", ask, -1)):
        line = {"color": theme.side_colour(side), "width": 1.2, "shape": "hv"}
        figure.add_trace(go.Scatter(x=time, y=values, mode="lines", line=line, name=name, hoverinfo="skip"))
    _bubbles(figure, trades)
    figure.update_xaxes(theme.axis(showgrid=False))
    figure.update_yaxes(theme.axis(showgrid=False, side="right", tickformat=".2f"))
    figure.update_layout(theme.layout(HEIGHT, hovermode="closest"))
    figure.update_layout(margin={"l": 8, "r": 100, "t": 36, "b": 8})
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def _bubbles(figure: go.Figure, trades: Any) -> None:
    if len(trades) == 0:
        return
    large = trades.nlargest(_BUBBLES, "size")
    scale = 22.0 / float(np.sqrt(large["size"].max()))
    for side, name in ((1, "bought"), (-1, "sold"), (0, "side unknown")):
        mine = large[large["side"] == side]
        if len(mine) == 0:
            continue
        marker = {"size": np.sqrt(mine["size"]) * scale, "color": theme.side_colour(side), "opacity": 0.75,
                  "line": {"width": 1, "color": "rgba(18,21,27,0.8)"}}  # fmt: skip
        figure.add_trace(go.Scatter(
            x=mine["time"], y=mine["price"], mode="markers", marker=marker, name=name, customdata=mine["size"],
            hovertemplate="%{customdata} at %{y:.2f}<extra>" + name + "</extra>"))  # fmt: skip
