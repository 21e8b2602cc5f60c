"""Still pictures of live frames: plotly figures of what the panels of the console draw, for reports and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import column, frame_stamp, new_york

Frame = Mapping[str, Any]
NS_PER_COLUMN = 10_000_000_000
TICK = 0.25
LOUD = ("danger", "emergency")


def _figure(frame: Frame, height: int, **more: Any) -> go.Figure:
    return go.Figure(layout=theme.layout(height, annotations=theme.stamp(frame_stamp(frame)), **more))


def _times(frame: Frame, series: str) -> Any:
    return new_york(np.asarray(frame.get(series, {}).get("ts", ()), np.int64))


def price(frame: Frame, timeframe: str) -> go.Figure:
    """Return bars of a timeframe with VWAP, levels inside their range, fills and refused signals."""
    name = f"bars_{timeframe}"
    figure = _figure(frame, 460)
    x = _times(frame, name)
    figure.update_layout(
        xaxis=theme.axis(rangeslider={"visible": False}, showgrid=False),
        yaxis=theme.axis(side="right", tickformat=".2f"),
    )
    if len(x) == 0:
        return figure
    bars = {
        field: column(frame, name, field) for field in ("open", "high", "low", "close", "vwap", "vwap_sd")
    }
    figure.add_trace(
        go.Candlestick(
            x=x, open=bars["open"], high=bars["high"], low=bars["low"], close=bars["close"], name=timeframe,
            increasing={"line": {"color": theme.BUY, "width": 1}, "fillcolor": theme.BUY},
            decreasing={"line": {"color": theme.SELL, "width": 1}, "fillcolor": theme.SELL},
        )
    )  # fmt: skip
    for times, width, dash in ((0, 1.6, "solid"), (1, 0.8, "dot"), (-1, 0.8, "dot")):
        line = {"color": theme.FAMILIES["vwap"], "width": width, "dash": dash}
        label = "VWAP" if times == 0 else f"VWAP {times:+d} SD"
        y = bars["vwap"] + times * bars["vwap_sd"]
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=label, showlegend=times == 0))
    low, high = float(bars["low"].min()), float(bars["high"].max())
    for level in frame.get("levels", ()):
        if low <= level["price"] <= high and level["name"] != "vwap":
            colour = theme.FAMILIES[level["family"]]
            line = {"color": colour, "width": 1, "dash": level["style"]}
            figure.add_hline(level["price"], line=line, annotation_text=level["name"].replace("_", " "))
    _marks(figure, frame)
    return figure


def _marks(figure: go.Figure, frame: Frame) -> None:
    sides = column(frame, "fills", "side")
    if len(sides):
        marker = {
            "symbol": ["triangle-up" if side > 0 else "triangle-down" for side in sides],
            "color": [theme.side_colour(side) for side in sides],
            "size": 10,
        }
        y = column(frame, "fills", "price")
        figure.add_trace(
            go.Scatter(x=_times(frame, "fills"), y=y, mode="markers", marker=marker, name="fills")
        )
    refused = [row for row in frame.get("signals", ()) if not row["allowed"]]
    if refused:
        figure.add_trace(
            go.Scatter(
                x=new_york([row["ts"] for row in refused]),
                y=[row["entry"] for row in refused],
                mode="markers",
                marker={"symbol": "triangle-up-open", "color": theme.NEUTRAL, "size": 9},
                text=[row["sentence"] for row in refused],
                name="refused",
            )
        )


def depth(frame: Frame) -> go.Figure:
    """Return resting sizes by price and time as a heat map, log scale of size."""
    figure = _figure(frame, 380)
    ts = column(frame, "depth", "ts")
    figure.update_layout(xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", tickformat=".2f"))
    if len(ts) == 0:
        figure.add_annotation(_sentence("No depth: this source carries no order book."))
        return figure
    sizes = column(frame, "depth", "sizes").reshape(len(ts), -1)
    levels = sizes.shape[1] // 2
    bid, ask = column(frame, "depth", "bid"), column(frame, "depth", "ask")
    low, high = float(bid.min()) - levels * TICK, float(ask.max()) + levels * TICK
    grid = np.full((round((high - low) / TICK) + 1, len(ts)), np.nan)
    for at in range(len(ts)):
        for k in range(levels):
            grid[round((bid[at] - k * TICK - low) / TICK), at] = sizes[at, k]
            grid[round((ask[at] + k * TICK - low) / TICK), at] = sizes[at, levels + k]
    shown = np.log10(np.where(grid > 0, grid, np.nan))
    figure.add_trace(
        go.Heatmap(
            x=_times(frame, "depth"),
            y=low + np.arange(len(grid)) * TICK,
            z=shown,
            customdata=grid,
            hovertemplate="%{x|%H:%M:%S} %{y:.2f}<br>%{customdata:.0f} contracts<extra></extra>",
            colorscale="Viridis",
            colorbar={
                "title": "contracts (log)",
                "thickness": 8,
                "tickvals": [0, 1, 2],
                "ticktext": ["1", "10", "100"],
            },
        )
    )
    return figure


def delta(frame: Frame) -> go.Figure:
    """Return bar delta of the minutes and the cumulative delta at their close."""
    figure = _figure(frame, 260)
    per_bar, total, x = (
        column(frame, "bars_1m", "delta"),
        column(frame, "bars_1m", "cvd"),
        _times(frame, "bars_1m"),
    )
    figure.update_layout(xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right"))
    if len(per_bar) == 0 or not np.isfinite(per_bar).any():
        figure.add_annotation(_sentence("Delta is unknown: no aggressor in this source."))
        return figure
    colours = [theme.side_colour(value) for value in per_bar]
    figure.add_trace(go.Bar(x=x, y=per_bar, marker={"color": colours}, name="bar delta"))
    figure.add_trace(go.Scatter(x=x, y=total, mode="lines", line={"color": theme.NEUTRAL}, name="cumulative"))
    return figure


def ladder(frame: Frame) -> go.Figure:
    """Return the sizes resting on both sides by price."""
    figure = _figure(frame, 400, barmode="overlay")
    for side, name, colour in (("bid", "bid", theme.BUY), ("ask", "ask", theme.SELL)):
        figure.add_trace(
            go.Bar(
                x=column(frame, "ladder", f"{side}_size"),
                y=column(frame, "ladder", side),
                orientation="h",
                marker={"color": colour},
                name=name,
            )
        )
    figure.update_layout(
        xaxis=theme.axis(title="contracts"), yaxis=theme.axis(side="right", tickformat=".2f")
    )
    return figure


def decision(frame: Frame) -> go.Figure:
    """Return the contributions of the last decision as a waterfall that ends at the score."""
    found = frame.get("decision")
    figure = _figure(frame, 380, showlegend=False)
    if not found:
        figure.add_annotation(_sentence("No decision yet."))
        return figure
    parts = found["contributions"]
    figure.add_trace(
        go.Waterfall(
            orientation="h",
            y=[*(part["name"].replace("_", " ") for part in parts), "score"],
            x=[*(part["contribution"] for part in parts), 0],
            measure=["relative"] * len(parts) + ["total"],
            increasing={"marker": {"color": theme.BUY}},
            decreasing={"marker": {"color": theme.SELL}},
            totals={"marker": {"color": theme.NEUTRAL}},
        )
    )
    title = f"{found['percent']:.2f} % {found['grade'].replace('_', ' ')}, coverage {found['coverage']:.2f}"
    figure.update_layout(
        title={"text": title, "font": {"size": theme.SIZES[1]}, "x": 0},
        xaxis=theme.axis(),
        yaxis=theme.axis(autorange="reversed", showgrid=False),
    )
    return figure


def battle(frame: Frame) -> go.Figure:
    """Return the strength of five timeframes in Battle Navale's eyes; unknown ones are left out."""
    rows = (frame.get("battle") or {}).get("timeframes", [])
    known = [row for row in rows if row["strength"] is not None]
    figure = _figure(frame, 240, showlegend=False)
    figure.add_trace(
        go.Bar(
            x=[row["timeframe"] for row in known],
            y=[row["strength"] for row in known],
            marker={"color": [theme.side_colour(row["strength"]) for row in known]},
            text=[row["golden_rule"].replace("_", " ") for row in known],
        )
    )
    figure.update_layout(xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", range=[-1, 1]))
    return figure


def signals(frame: Frame) -> go.Figure:
    """Return the signals as a table, newest first."""
    rows = frame.get("signals", ())
    figure = _figure(frame, 320)
    cells = [
        [str(np.datetime_as_string(new_york([row["ts"]])[0].astype("datetime64[s]")))[11:] for row in rows],
        ["long" if row["side"] > 0 else "short" for row in rows],
        [row["grade"] for row in rows],
        ["allowed" if row["allowed"] else "refused" for row in rows],
        [f"{row['entry']:.2f}" for row in rows],
        [row["sentence"] for row in rows],
    ]
    heads = ["time (New York)", "side", "grade", "verdict", "entry (points)", "why"]
    figure.add_trace(go.Table(header={"values": heads}, cells={"values": cells, "align": "left"}))
    return figure


def limits(frame: Frame) -> go.Figure:
    """Return the used share of every limit that has one."""
    rows = [row for row in frame.get("limits", ()) if row["limit"] and row["actual"] is not None]
    used = [max(0.0, row["actual"] / row["limit"]) for row in rows]
    figure = _figure(frame, 60 + 22 * len(rows), showlegend=False)
    figure.add_trace(
        go.Bar(
            x=used,
            y=[row["code"].replace("_", " ") for row in rows],
            orientation="h",
            marker={
                "color": [
                    theme.ALARM if row["level"] in ("danger", "emergency") else theme.NEUTRAL for row in rows
                ]
            },
            text=[f"{row['actual']:g} of {row['limit']:g} {row['unit']}" for row in rows],
        )
    )
    figure.update_layout(xaxis=theme.axis(tickformat=".0%"), yaxis=theme.axis(showgrid=False))
    return figure


def _sentence(text: str) -> dict[str, Any]:
    where = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    return {"text": text, **where, "font": {"size": theme.SIZES[1], "color": theme.TEXT}}
