"""Components over a day: how each is spread, how steady it is by the hour, and which ones say the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme
from widgets.base import new_york

COLUMNS, ROW_PX, BINS = 4, 130, 41
CELL_PX = 26
TOLD_ZERO, OVER = 0.2, 1.25
"""From which share at exactly 0 on it is told in figures, and how far its bar rises over the others."""


def spread(
    values: Mapping[str, Any], unsided: Collection[str] = (), *, stamp: str | None = None
) -> go.Figure:
    """Return small histograms of components by name, on their common range [-1, 1] or a wider one of their own.

    A bar of exact zeros that would hide the rest is cut off, its share is in the title. What was never known has no
    panel and is named below.

    Parameters
    ----------
    values : mapping of str to array
        Values of each component (a table of decisions will do); NaN is unknown and not drawn.
    unsided : collection of str, optional
        Components whose sign is no side: drawn neutral.
    stamp : str, optional
        Word across the picture, for example SYNTHETIC.
    """
    known = {name: _known(values[name]) for name in values}
    never = [name.replace("_", " ") for name, those in known.items() if len(those) == 0]
    drawn = {name: those for name, those in known.items() if len(those)}
    rows = max(1, -(-len(drawn) // COLUMNS))
    titles = [_title(name, those) for name, those in drawn.items()]
    figure = make_subplots(rows=rows, cols=COLUMNS, subplot_titles=titles, vertical_spacing=0.45 / rows)
    for at, (name, those) in enumerate(drawn.items()):
        row, col = at // COLUMNS + 1, at % COLUMNS + 1
        figure.add_trace(_bars(those, sided=name not in unsided), row=row, col=col)
        figure.update_xaxes(theme.axis(showgrid=False, nticks=5), row=row, col=col)
        figure.update_yaxes(theme.axis(showgrid=False, showticklabels=False), row=row, col=col)
    figure.update_layout(theme.layout(rows * ROW_PX + 76), showlegend=False, bargap=0, margin_b=40)
    if never:
        figure.add_annotation(
            text=f"never known: {', '.join(never)}", showarrow=False, xref="paper", yref="paper", x=0, y=0,
            yshift=-36, xanchor="left", font={"color": theme.TEXT},
        )  # fmt: skip
    figure.update_annotations(font_size=theme.SIZES[0])
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def _known(values: Any) -> Any:
    given = np.asarray(values, np.float64)
    return given[np.isfinite(given)]


def _title(name: str, known: Any) -> str:
    zero = float(np.mean(known == 0))
    return name.replace("_", " ") + (
        f" · {zero:.{0 if zero < 0.995 else 1}%} at 0" if zero >= TOLD_ZERO else ""
    )


def _bars(known: Any, *, sided: bool) -> go.Bar:
    low, high = min(-1.0, known.min()), max(1.0, known.max())
    counts, edges = np.histogram(known, bins=BINS, range=(low, high))
    middle = (edges[:-1] + edges[1:]) / 2
    share, width = counts / len(known), (high - low) / BINS
    height = share.copy()
    if np.mean(known == 0) >= TOLD_ZERO:
        at = int(np.argmin(np.abs(middle)))
        others = np.delete(share, at).max()
        height[at] = min(share[at], OVER * others) if others > 0 else share[at]
    colours = [theme.side_colour(x if sided and abs(x) > width else 0) for x in middle]
    hover = "%{x:.2f}: %{customdata:.1%} of the known<extra></extra>"
    return go.Bar(
        x=middle,
        y=height,
        customdata=share,
        marker={"color": colours, "line": {"width": 0}},
        hovertemplate=hover,
    )


def steadiness(values: Any, ts: Any, unsided: Collection[str] = (), *, stamp: str | None = None) -> go.Figure:
    """Return the mean of each component in every hour of New York, empty where it was not known.

    Parameters
    ----------
    values : DataFrame
        One column per component; NaN is unknown.
    ts : array of int64
        ns UTC of each row.
    unsided : collection of str, optional
        Components whose sign is no side; left out.
    stamp : str, optional
        Word across the picture.
    """
    kept = values[[name for name in values.columns if name not in unsided and values[name].notna().any()]]
    hour = new_york(ts).astype("datetime64[h]")
    if len(np.unique(hour)) > 48:
        hour = (
            np.datetime64("2000-01-01T18", "h") + (hour.astype(np.int64) - 18) % 24
        )  # years: by hour of the day
    means = kept.groupby(hour).mean()
    labels = [f"{int(at) % 24:02d}" for at in means.index.to_numpy().astype("datetime64[h]").astype(np.int64)]
    heat = _heat(
        means.T.to_numpy(), labels, kept.columns, "%{y}, from %{x}:00: mean %{z:+.2f}<extra></extra>", 1
    )
    return _table(heat, labels, len(kept.columns), stamp)


def together(values: Any, *, least: int = 100, stamp: str | None = None) -> go.Figure:
    """Return the correlation of components over the rows at which both were known; what never moved is left out.

    Parameters
    ----------
    values : DataFrame
        One column per component; NaN is unknown.
    least : int
        Rows two components need in common.
    stamp : str, optional
        Word across the picture.
    """
    moving = values.loc[:, values.nunique() > 1]
    table = moving.corr(min_periods=least)
    names = [name.replace("_", " ") for name in table.columns]
    below = np.tril(np.ones(table.shape, bool), -1)
    heat = _heat(
        np.where(below, table.to_numpy(), np.nan),
        names,
        table.columns,
        "%{y} with %{x}: %{z:+.2f}<extra></extra>",
        2,
    )
    figure = _table(heat, names, len(names), stamp)
    figure.update_layout(height=len(names) * CELL_PX + 150)
    figure.update_xaxes(tickangle=-45, side="bottom")
    return figure


def _heat(z: Any, x: list[str], names: Any, hover: str, decimals: int) -> go.Heatmap:
    least = 0.5 * 10.0**-decimals
    text = [["" if not abs(cell) >= least else f"{cell:+.{decimals}f}" for cell in row] for row in z]
    return go.Heatmap(
        z=z,
        x=list(range(len(x))),
        y=[name.replace("_", " ") for name in names],
        customdata=[x] * len(z),
        text=text,
        texttemplate="%{text}",
        textfont={"size": theme.SIZES[0], "color": theme.TEXT},
        # Tints stay faint: the grey of the numbers must read on them on white and on black.
        colorscale=[
            [0, _tint(theme.SELL, 0.26)],
            [0.35, _tint(theme.SELL, 0.16)],
            [0.5, _tint(theme.NEUTRAL, 0.06)],
            [0.65, _tint(theme.BUY, 0.16)],
            [1, _tint(theme.BUY, 0.26)],
        ],
        zmin=-1.0,
        zmax=1.0,
        showscale=False,
        xgap=1,
        ygap=1,
        hovertemplate=hover.replace("%{x}", "%{customdata}"),
    )


def _tint(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _table(heat: go.Heatmap, labels: list[str], rows: int, stamp: str | None) -> go.Figure:
    figure = go.Figure(heat, layout=theme.layout(rows * CELL_PX + 70, showlegend=False, hovermode="closest"))
    figure.update_xaxes(theme.axis(showgrid=False, tickvals=list(range(len(labels))), ticktext=labels))
    figure.update_yaxes(theme.axis(showgrid=False, autorange="reversed"))
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure
