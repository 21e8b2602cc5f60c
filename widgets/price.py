"""Price: bars with VWAP and bands, levels, entries, round trips, refused signals as hollow marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import View, column, module, new_york

MAX_CANDLES = 320
STEPS_MIN = (1, 2, 3, 5, 10, 15, 30, 60, 240, 1440)
DASHES = {"solid": "solid", "dash": "dash", "dot": "dot"}


class PriceView(View):
    """Draw `bars` (ts, open, high, low, close), `lines` (vwap, vwap_upper, vwap_lower), `levels`, `trips`,
    `entries` and `refused` of a frame."""

    _esm = module("price")

    def static(self) -> go.Figure:
        """Return the price picture alone."""
        figure = go.Figure(layout=theme.layout(420, annotations=theme.stamp(self.stamp())))
        for trace in traces(self.frame):
            figure.add_trace(trace)
        figure.update_layout(
            xaxis=theme.axis(rangeslider={"visible": False}, showgrid=False),
            yaxis=theme.axis(side="right", tickformat=".2f"),
        )
        for shape, note in level_marks(self.frame):
            figure.add_shape(shape)
            figure.add_annotation(note)
        return figure


def traces(frame: Mapping[str, Any]) -> list[Any]:
    """Return the plotly traces of a price frame, empty where the frame has no bars."""
    bars = thin(frame)
    if len(bars["ts"]) == 0:
        return []
    x = new_york(bars["ts"])
    out: list[Any] = [
        go.Candlestick(
            x=x,
            open=bars["open"],
            high=bars["high"],
            low=bars["low"],
            close=bars["close"],
            name=f"{bars['minutes']} min",
            increasing={"line": {"color": theme.BUY, "width": 1}, "fillcolor": theme.BUY},
            decreasing={"line": {"color": theme.SELL, "width": 1}, "fillcolor": theme.SELL},
        )
    ]
    at = new_york(column(frame, "bars", "ts").astype(np.int64))
    for name, label, width, dash in (
        ("vwap", "VWAP", 1.6, "solid"),
        ("vwap_upper", "VWAP +1 SD", 0.8, "dot"),
        ("vwap_lower", "VWAP −1 SD", 0.8, "dot"),
    ):
        values = column(frame, "lines", name)
        if len(values) == len(at) and np.isfinite(values).any():
            line = {"color": theme.FAMILIES["vwap"], "width": width, "dash": dash}
            shown = name == "vwap"
            out.append(
                go.Scatter(
                    x=at, y=values, mode="lines", line=line, name=label, showlegend=shown, hoverinfo="skip"
                )
            )
    return out + _trips(frame) + _marks(frame)


def _trips(frame: Mapping[str, Any]) -> list[Any]:
    """Return the round trips as one trace per outcome: ten thousand traces would take a browser a minute."""
    net = column(frame, "trips", "net_usd")
    if not len(net):
        return []
    entry_ts, exit_ts = (column(frame, "trips", name).astype(np.int64) for name in ("entry_ts", "exit_ts"))
    entry, exit_ = column(frame, "trips", "entry"), column(frame, "trips", "exit")
    out: list[Any] = []
    for sign in (1, -1, 0):
        mine = np.sign(net) == sign
        n = int(mine.sum())
        if not n:
            continue
        # Entry, exit, and a gap to the next trade.
        y = np.column_stack([entry[mine], exit_[mine], np.full(n, np.nan)]).ravel()
        x = new_york(np.column_stack([entry_ts[mine], exit_ts[mine], exit_ts[mine]]).ravel())
        colour = theme.side_colour(sign)
        out.append(
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={
                    "symbol": ["circle", "x-thin", "circle"] * n,
                    "size": 8,
                    "line": {"width": 2, "color": colour},
                },
                text=np.repeat([f"{value:+.2f} USD" for value in net[mine]], 3).tolist(),
                name="round trip",
                legendgroup="trip",
                showlegend=not out,
                hovertemplate="%{y:.2f} · %{text}<extra></extra>",
            )
        )
    return out


def _marks(frame: Mapping[str, Any]) -> list[Any]:
    out: list[Any] = []
    for series, label, hollow in (("refused", "refused signal", True), ("entries", "entry", False)):
        ts = column(frame, series, "ts").astype(np.int64)
        if len(ts) == 0:
            continue
        side, price = column(frame, series, "side"), column(frame, series, "price")
        shapes = ["triangle-up" if s > 0 else "triangle-down" for s in side]
        out.append(
            go.Scatter(
                x=new_york(ts),
                y=price,
                mode="markers",
                name=label,
                text=list(frame[series].get("text", [""] * len(ts))),
                hovertemplate="%{y:.2f} %{text}<extra>" + label + "</extra>",
                marker={
                    "symbol": [s + "-open" for s in shapes] if hollow else shapes,
                    "size": 8 if hollow else 11,
                    "color": [theme.side_colour(s) for s in side],
                    "line": {"width": 1.2, "color": [theme.side_colour(s) for s in side]},
                },
            )
        )
    return out


def level_marks(
    frame: Mapping[str, Any], *, apart: float = 0.022
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a line and a label for each level inside the range of the bars; labels too close are left out.

    Parameters
    ----------
    frame : mapping
    apart : float
        Smallest distance of two labels as a share of the range.
    """
    bars = frame.get("bars", {})
    if len(bars.get("ts", ())) == 0:
        return []
    low, high = float(np.nanmin(bars["low"])), float(np.nanmax(bars["high"]))
    room, last = (high - low) * apart, -np.inf
    out: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for level in sorted(frame.get("levels", ()), key=lambda x: x["price"]):
        price = float(level["price"])
        if not low <= price <= high:
            continue
        colour = theme.FAMILIES.get(level["family"], theme.NEUTRAL)
        dash = DASHES[level.get("style", "solid")]
        shape = {
            "type": "line",
            "xref": "x domain",
            "yref": "y",
            "x0": 0,
            "x1": 1,
            "y0": price,
            "y1": price,
            "line": {"color": colour, "width": 1, "dash": dash},
            "layer": "below",
            "opacity": 0.8,
        }
        note = {
            "text": level["name"] if price - last > room else "",
            "xref": "x domain",
            "yref": "y",
            "x": 0,
            "y": price,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"color": colour, "size": theme.SIZES[0]},
        }
        last = price if note["text"] else last
        out.append((shape, note))
    return out


def thin(frame: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bars of a frame joined to the shortest usual interval that keeps the picture readable."""
    bars = {k: column(frame, "bars", k) for k in ("ts", "open", "high", "low", "close")}
    ts = bars["ts"].astype(np.int64)
    if len(ts) == 0:
        return {**bars, "ts": ts, "minutes": 1}
    minute = 60_000_000_000
    found = (ts, ts, 0)
    for minutes in STEPS_MIN:
        group = ts // (minutes * minute)
        start = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        found = (start, group[start] * minutes * minute, minutes)
        if len(start) <= MAX_CANDLES:
            break
    start, times, minutes = found
    return {
        "ts": times,
        "open": bars["open"][start],
        "high": np.maximum.reduceat(bars["high"], start),
        "low": np.minimum.reduceat(bars["low"], start),
        "close": bars["close"][np.concatenate([start[1:] - 1, [len(ts) - 1]])],
        "minutes": minutes,
    }
