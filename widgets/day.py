"""The day in one picture: price on top, the score under it, then delta where it is known, then equity."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import delta, equity, price, theme
from widgets.base import View, column, module, new_york, translated

HEIGHTS = {"price": 430, "score": 110, "delta": 130, "equity": 140}
TITLES = {
    "price": "Price (points) · New York time",
    "score": "Score S, −1 to +1",
    "delta": "Delta per bar and cumulative (contracts)",
    "equity": "Equity, marked (USD)",
}


class DayView(View):
    """Draw a whole day's frame: everything the price, delta and equity views draw, on one time axis."""

    _esm = module("price")

    def static(self) -> go.Figure:
        """Return the stacked picture; panels whose input is unknown are left out."""
        parts: dict[str, list[Any]] = {
            "price": price.traces(self.frame),
            "score": _score(self.frame),
            "delta": delta.traces(self.frame),
            "equity": equity.traces(self.frame) if equity.has_moved(self.frame) else [],
        }
        shown = [name for name in HEIGHTS if parts[name] or name == "price"]
        heights = [HEIGHTS[name] for name in shown] if any(parts.values()) else [40]
        figure = make_subplots(len(shown), 1, shared_xaxes=True, row_heights=heights, vertical_spacing=0.045)
        for row, name in enumerate(shown, start=1):
            for trace in parts[name]:
                figure.add_trace(trace, row=row, col=1)
            figure.update_yaxes(
                theme.axis(side="right", tickformat=FORMATS[name], nticks=NTICKS[name]), row=row
            )
        figure.update_xaxes(theme.axis(showgrid=False, rangeslider={"visible": False}))
        figure.update_layout(theme.layout(sum(heights) + 90, bargap=0.15))
        self._notes(figure, shown)
        return translated(figure, self.frame)

    def _notes(self, figure: go.Figure, shown: list[str]) -> None:
        if not len(column(self.frame, "bars", "ts")) and shown == ["price"]:
            figure.add_annotation(delta.sentence("No price: the run has no decision."))
            figure.update_xaxes(visible=False)
            figure.update_yaxes(visible=False)
            return
        for row, name in enumerate(shown, start=1):
            suffix = "" if row == 1 else str(row)
            figure.add_annotation(
                text=TITLES[name],
                xref="x domain" if row == 1 else f"x{suffix} domain",
                yref=f"y{suffix} domain",
                x=1,
                y=1,
                xanchor="right",
                yanchor="bottom",
                showarrow=False,
                font={"size": theme.SIZES[0], "color": theme.TEXT},
            )
        if "score" in shown:
            row = shown.index("score") + 1
            for at in (-0.2, 0.2):
                line = {"color": theme.NEUTRAL, "width": 0.8, "dash": "dot"}
                figure.add_shape(
                    type="line", xref=f"x{row} domain", yref=f"y{row}", x0=0, x1=1, y0=at, y1=at, line=line
                )
        for shape, note in [*price.level_marks(self.frame), *_bands(self.frame)]:
            figure.add_shape(shape)
            figure.add_annotation(note)
        for note in theme.stamp(self.stamp(), y=0.72):
            figure.add_annotation(note)


def _bands(frame: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a grey band over all panels, with its word at the foot of the price, for each time nobody could enter."""
    found = []
    for band in frame.get("bands", ()):
        start, end = map(str, new_york([band["start"], band["end"]]))
        shape = {
            "type": "rect", "xref": "x", "yref": "paper", "x0": start, "x1": end, "y0": 0, "y1": 1,
            "fillcolor": "rgba(139,147,161,0.18)", "line": {"width": 0}, "layer": "below",
        }  # fmt: skip
        note = {
            "text": band["text"], "xref": "x", "yref": "y domain", "x": start, "y": 0, "xanchor": "left",
            "yanchor": "bottom", "showarrow": False, "font": {"size": theme.SIZES[0], "color": theme.TEXT},
        }  # fmt: skip
        found.append((shape, note))
    return found


FORMATS = {"price": ".2f", "score": "+.1f", "delta": ",.0f", "equity": ",.0f"}
NTICKS = {"price": 10, "score": 5, "delta": 4, "equity": 4}


def _score(frame: Any) -> list[Any]:
    ts, total = column(frame, "score", "ts").astype(np.int64), column(frame, "score", "total")
    if len(ts) == 0 or not np.isfinite(total).any():
        return []
    x = new_york(ts)
    out: list[Any] = []
    for sign, colour, fill in (
        (1, theme.BUY, "rgba(47,191,143,0.25)"),
        (-1, theme.SELL, "rgba(229,96,77,0.25)"),
    ):
        side = np.where(sign * total > 0, total, 0.0)
        line = {"color": colour, "width": 0.8}
        hover = "%{y:+.3f}<extra>score</extra>" if sign > 0 else None
        out.append(
            go.Scatter(
                x=x,
                y=side,
                mode="lines",
                line=line,
                fill="tozeroy",
                fillcolor=fill,
                name="score",
                showlegend=False,
                hovertemplate=hover,
                hoverinfo=None if sign > 0 else "skip",
            )
        )
    return out
