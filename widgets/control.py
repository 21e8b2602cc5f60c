"""Control: the strategy's result among those of random entries with the same exits."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.blank import blank

NOTHING = "Nothing was entered: there is no result to hold against chance."


def control(found: Any, *, stamp: str | None = None) -> go.Figure:
    """Return the random results as a histogram with the strategy's own as a line, and the verdict in words.

    Parameters
    ----------
    found : Control
        `entries`, `strategy_usd`, `random_usd`, `share_at_least`.
    stamp : str, optional
        Word across the picture.
    """
    if found.strategy_usd is None:
        return blank(NOTHING, stamp)
    figure = go.Figure(
        layout=theme.layout(280, showlegend=False, bargap=0.02, annotations=theme.stamp(stamp))
    )
    counts, edges = np.histogram(found.random_usd, bins=40)
    middle = (edges[:-1] + edges[1:]) / 2
    figure.add_trace(
        go.Bar(
            x=middle,
            y=counts,
            width=edges[1] - edges[0],
            marker={"color": theme.NEUTRAL, "line": {"width": 0}},
            hovertemplate="%{x:,.0f} USD: %{y} sets<extra>random entries</extra>",
        )
    )
    figure.add_vline(
        x=found.strategy_usd,
        line={"color": theme.side_colour(found.strategy_usd), "width": 2},
        annotation_text=f"these entries, bracket alone: {found.strategy_usd:+,.2f} USD",
        annotation_position="top",
    )
    figure.update_layout(
        title={
            "text": sentence(found),
            "font": {"size": theme.SIZES[1]},
            "x": 0,
            "y": 0.99,
            "yanchor": "top",
        },
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
        xaxis=theme.axis(showgrid=False, tickprefix="", ticksuffix=" USD", tickformat=",.0f"),
        yaxis=theme.axis(side="right"),
    )
    return figure


def sentence(found: Any) -> str:
    """Return what the comparison says and what it cannot say."""
    if found.strategy_usd is None:
        return NOTHING
    share = found.share_at_least
    text = (
        f"{found.entries} entries under their brackets alone; {share:.1%} of "
        f"{len(found.random_usd):,} random sets did at least as well"
    )
    few = " · under 30 entries this proves nothing" if found.entries < 30 else ""
    verdict = " · no better than chance" if share > 0.05 else ""
    return text + verdict + few
