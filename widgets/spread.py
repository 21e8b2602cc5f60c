"""Spread of components: one small histogram each, so that a dead or constant one is seen at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme

COLUMNS, ROW_PX, BINS = 4, 130, 41


def spread(
    values: Mapping[str, Any], unsided: Collection[str] = (), *, stamp: str | None = None
) -> go.Figure:
    """Return small histograms of components by name, on their common range [-1, 1] or a wider one of their own.

    Parameters
    ----------
    values : mapping of str to array
        Values of each component (a table of decisions will do); NaN is unknown and not drawn, and a panel
        without any known value says so.
    unsided : collection of str, optional
        Components whose sign is no side: drawn neutral.
    stamp : str, optional
        Word across the picture, for example SYNTHETIC.
    """
    names = list(values)
    rows = max(1, -(-len(names) // COLUMNS))
    titles = [name.replace("_", " ") for name in names]
    figure = make_subplots(rows=rows, cols=COLUMNS, subplot_titles=titles, vertical_spacing=0.45 / rows)
    for at, name in enumerate(names):
        row, col = at // COLUMNS + 1, at % COLUMNS + 1
        known = np.asarray(values[name], np.float64)
        known = known[np.isfinite(known)]
        figure.add_trace(_bars(known, sided=name not in unsided), row=row, col=col)
        if len(known) == 0:
            figure.add_annotation(
                text="never known", showarrow=False, row=row, col=col, x=0, y=0.5, font={"color": theme.TEXT}
            )
        figure.update_xaxes(theme.axis(showgrid=False, nticks=5), row=row, col=col)
        figure.update_yaxes(theme.axis(showgrid=False, showticklabels=False), row=row, col=col)
    figure.update_layout(theme.layout(rows * ROW_PX + 60), showlegend=False, bargap=0)
    figure.update_annotations(font_size=theme.SIZES[0])
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def _bars(known: Any, *, sided: bool) -> go.Bar:
    low, high = (-1.0, 1.0) if len(known) == 0 else (min(-1.0, known.min()), max(1.0, known.max()))
    counts, edges = np.histogram(known, bins=BINS, range=(low, high))
    middle = (edges[:-1] + edges[1:]) / 2
    share = counts / max(1, len(known))
    width = (high - low) / BINS
    colours = [theme.side_colour(x if sided and abs(x) > width else 0) for x in middle]
    hover = "%{x:.2f}: %{y:.1%} of the known<extra></extra>"
    return go.Bar(x=middle, y=share, marker={"color": colours, "line": {"width": 0}}, hovertemplate=hover)
