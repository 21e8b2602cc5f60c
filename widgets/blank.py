"""Say that there is nothing to draw: words alone, without axes that would invent a time or a price."""

from __future__ import annotations

import plotly.graph_objects as go

from widgets import theme


def blank(words: str, stamp: str | None = None, *, height: int = 160) -> go.Figure:
    """Return a picture of nothing but `words`, with the word across it that every picture of its source has."""
    figure = go.Figure(layout=theme.layout(height, showlegend=False, annotations=theme.stamp(stamp)))
    figure.add_annotation(text=words, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
