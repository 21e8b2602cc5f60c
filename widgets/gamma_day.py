"""The day's price with what chains said about it: walls, zero gamma, 0DTE walls, pin and expected range as steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import price, theme
from widgets.base import column, frame_stamp, new_york, translated
from widgets.gamma import MODELLED, VIOLET, sheet
from widgets.page import Html

REACH = 0.35
"""A level further from the day's range than this share of it is named at the edge, not drawn."""

OUTSIDE = "not in the picture: "
JUMP_POINTS = 1.0

_LINES = (
    ("call_wall", "call wall", "solid", 1.8),
    ("put_wall", "put wall", "dash", 1.8),
    ("gamma_flip", "zero gamma", "dot", 2.0),
    ("call_wall_0dte", "0DTE call wall", "solid", 0.9),
    ("put_wall_0dte", "0DTE put wall", "dash", 0.9),
    ("pin", "pin", "dashdot", 1.2),
)


def gamma_day(frame: Mapping[str, Any]) -> go.Figure | Html:
    """Return the picture of a day's frame with its `gamma` columns; nothing at all where no chain was in force."""
    ts = column(frame, "gamma", "ts").astype(np.int64)
    candles = [trace for trace in price.traces(frame) if isinstance(trace, go.Candlestick)]
    if len(ts) == 0 or not candles:
        return Html("")
    figure = sheet(460, "Price with the levels then in force (points), " + MODELLED, frame_stamp(frame))
    figure.add_trace(candles[0].update(showlegend=False))
    drawn: Any = candles[0]
    low, high = float(np.nanmin(drawn.low)), float(np.nanmax(drawn.high))
    room = REACH * (high - low)
    until = int(column(frame, "bars", "ts").astype(np.int64)[-1])
    x = new_york(np.append(ts, max(until, int(ts[-1]))))
    outside = _expected(figure, frame, x, low - room, high + room)
    ends: list[float] = []
    said = frame.get("said") or {}
    for name, english, dash, width in _LINES:
        label = said.get(english, english)
        values = column(frame, "gamma", name)
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        inside = (known >= low - room) & (known <= high + room)
        if not inside.any():
            outside.append(f"{label} {known[-1]:,.2f}")
            continue
        y = np.append(values, values[-1])
        at, level = _steps(x, np.where((y >= low - room) & (y <= high + room), y, np.nan))
        figure.add_trace(
            go.Scatter(
                x=at,
                y=level,
                mode="lines",
                name=label,
                line={"color": VIOLET, "width": width, "dash": dash},
                hovertemplate="%{y:,.2f}<extra>" + label + "</extra>",
            )
        )
        if low - room <= values[-1] <= high + room:
            _label(figure, label, float(values[-1]), ends, (high - low + 2 * room) * 0.035)
    if outside:
        _edge(figure, said.get(OUTSIDE, OUTSIDE) + " · ".join(outside))
    figure.update_layout(
        margin={"l": 8, "r": 150, "t": 56, "b": 8},
        xaxis=theme.axis(rangeslider={"visible": False}, showgrid=False),
        yaxis=theme.axis(side="left", tickformat=",.0f", range=[low - room, high + room]),
        legend={"orientation": "h", "x": 0, "y": -0.08, "yanchor": "top"},
    )
    return translated(figure, frame)


def _steps(x: Any, y: Any) -> tuple[Any, Any]:
    """Return a level as flat pieces, each from its row to the next, with a gap where it jumped."""
    at, level = np.repeat(x, 3)[2:-1], np.repeat(y, 3)[:-3]
    # A wall that moves to another strike does not pass what lies between; the drift of the basis is drawn through.
    jumped = ~(np.abs(np.diff(y)) <= JUMP_POINTS)
    level[2::3] = np.where(jumped, np.nan, y[1:])
    return at, level


def _expected(figure: go.Figure, frame: Mapping[str, Any], x: Any, low: float, high: float) -> list[str]:
    """Shade the range the nearest expiry's at-the-money volatility gave one standard deviation.

    Where the whole picture lies inside it, it is returned in words instead.
    """
    up, down = column(frame, "gamma", "expected_high"), column(frame, "gamma", "expected_low")
    if not (np.isfinite(up).any() and np.isfinite(down).any()):
        return []
    if np.nanmin(up) >= high and np.nanmax(down) <= low:
        return [f"expected range, 1 SD {np.nanmax(down):,.2f} to {np.nanmin(up):,.2f}"]
    edges = [np.clip(np.append(values, values[-1]), low, high) for values in (down, up)]
    for values, fill in zip(edges, (None, "tonexty"), strict=True):
        figure.add_trace(
            go.Scatter(
                x=x,
                y=values,
                mode="lines",
                line={"width": 0, "shape": "hv"},
                fill=fill,
                fillcolor="rgba(139,147,161,0.10)",
                name="expected range, 1 SD",
                showlegend=fill is not None,
                hoverinfo="skip",
            )
        )
    return []


def _label(figure: go.Figure, label: str, at: float, taken: list[float], room: float) -> None:
    """Name a line at the right; of lines too close to each other the first keeps its name (the legend has all)."""
    if any(abs(at - other) < room for other in taken):
        return
    taken.append(at)
    figure.add_annotation(
        text=f"{label} {at:,.0f}", xref="paper", x=1.005, xanchor="left", y=at, yref="y", showarrow=False,
        font={"size": theme.SIZES[0], "color": VIOLET},
    )  # fmt: skip


def _edge(figure: go.Figure, words: str) -> None:
    figure.add_annotation(
        text=words, xref="paper", yref="paper", x=0, y=1.0, xanchor="left", yanchor="bottom", showarrow=False,
        font={"size": theme.SIZES[0], "color": theme.NEUTRAL},
    )  # fmt: skip
