"""Views of likeness: figures over their reference, and the shapes of a session beside the real ones."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme

_REAL = "real"
_DASHES = ("solid", "dot", "dash", "dashdot")


def ratios(values: Any, *, stamp: str | None = None) -> go.Figure:
    """Return figures over their reference on a logarithmic scale: 1 is equal, right is more, left is less.

    `values` is a series of ratios by name.
    """
    shown = values[values > 0].iloc[::-1]
    far = max([0.7, *(1.1 * abs(math.log10(value)) for value in shown)])
    figure = go.Figure(go.Scatter(
        x=shown, y=[str(name).replace("_", " ") for name in shown.index], mode="markers+text",
        marker={"size": 11, "color": theme.FAMILIES["profile"]}, text=[f"{value:.2f}" for value in shown],
        textposition="top center", hoverinfo="skip"))  # fmt: skip
    figure.add_vline(x=1.0, line={"color": theme.TEXT, "width": 1, "dash": "dot"})
    figure.update_xaxes(theme.axis(type="log", range=[-far, far], tickvals=[0.1, 0.25, 0.5, 1, 2, 4, 10]))
    figure.update_yaxes(theme.axis())
    figure.update_layout(theme.layout(90 + 32 * max(len(shown), 1), showlegend=False, hovermode="closest"))
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def shapes(table: Any, titles: Any = None, *, stamp: str | None = None) -> go.Figure:
    """Return the shapes of a session, one panel each, a line per source; the real one is the strong one.

    Parameters
    ----------
    table : DataFrame
        Rows are hours; columns are (shape, source) (`mia.likeness(view="by_hour")`).
    titles : mapping of str to str, optional
        Words over each panel by shape.
    stamp : str, optional
        Word across the picture.
    """
    names = list(dict.fromkeys(name for name, _ in table.columns))
    words = [str((titles or {}).get(name, name)) for name in names]
    rows = (len(names) + 1) // 2
    figure = make_subplots(rows, 2, shared_xaxes=True, vertical_spacing=0.1, horizontal_spacing=0.09,
                           subplot_titles=words)  # fmt: skip
    for at, name in enumerate(names):
        for order, source in enumerate(column for shape, column in table.columns if shape == name):
            real = source == _REAL
            line = {
                "color": theme.TEXT if real else theme.FAMILIES["profile"],
                "width": 2.5 if real else 1.5,
                "dash": "solid" if real else _DASHES[order % len(_DASHES)],
            }
            figure.add_trace(
                go.Scatter(x=list(table.index), y=table[name, source], name=str(source), legendgroup=str(source),
                           showlegend=at == 0, mode="lines", line=line),
                row=at // 2 + 1, col=at % 2 + 1)  # fmt: skip
    figure.update_xaxes(theme.axis(nticks=8, type="category"))
    figure.update_yaxes(theme.axis(rangemode="tozero"))
    figure.update_layout(theme.layout(90 + 240 * rows))
    figure.update_layout(margin={"l": 8, "r": 20, "t": 64, "b": 8}, legend={"y": 1.09})
    figure.update_annotations(font={"size": theme.SIZES[1], "color": theme.TEXT})
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure
