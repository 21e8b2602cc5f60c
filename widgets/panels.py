"""Panels of measures: ES beside NQ, the microstructure, five timeframes, and the tape of large orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme
from widgets.base import new_york
from widgets.blank import blank

ROW_PX = 110
GAP_NS = 30 * 60 * 10**9
MICRO_ROWS = (
    ("bid_ask_spread_ticks", "spread, ticks", ()),
    ("obi_depth", "book imbalance, five levels", (0.0,)),
    ("ofi_60s", "order-flow imbalance, 60 s", (0.0,)),
    ("micro_price_offset_ticks", "micro-price less mid, ticks", (0.0,)),
    ("flow_anomaly_sigma", "flow, deviations", (-2.5, 2.5)),
    ("volume_spike_ratio", "volume against 30 bars", (3.0,)),
    ("kyle_lambda", "Kyle's λ, ticks per contract (shown, never weighed)", ()),
    ("vpin", "VPIN (shown, never weighed)", ()),
    ("latency_p99_us", "latency p99, µs", ()),
)


def microstructure(measures: Any, *, stamp: str | None = None) -> go.Figure:
    """Return the rows of `MICRO_ROWS` through time; one that was never known says so instead of drawing.

    Parameters
    ----------
    measures : DataFrame
        Measures by name, indexed by time.
    stamp : str, optional
        Word across the picture.
    """
    return _rows(measures, MICRO_ROWS, stamp)


def es_nq(prices: Any, measures: Any, *, stamp: str | None = None) -> go.Figure:
    """Return ES and NQ in percent of their first price, their correlation, and the divergence of ES.

    Parameters
    ----------
    prices : DataFrame
        `es`, `nq` in points, indexed by time; empty without NQ.
    measures : DataFrame
        `es_nq_corr_60`, `es_nq_beta_60`, `es_nq_divergence`, `es_nq_lead_lag`, `es_nq_hayashi_yoshida`.
    stamp : str, optional
        Word across the picture.
    """
    if len(prices) == 0:
        return blank("No NQ beside this run.", stamp)
    rows = (
        ("es_nq_corr_60", "correlation of 60 returns", (0.0,)),
        ("es_nq_beta_60", "beta: ES return per NQ return, 60 bars", ()),
        ("es_nq_divergence", "5-bar residual of ES, deviations", (-2.0, 2.0)),
        ("es_nq_lead_lag", "lag of the largest correlation, bars (above 0 NQ leads)", (0.0,)),
        ("es_nq_hayashi_yoshida", "correlation of ticks (Hayashi-Yoshida)", (0.0,)),
    )
    figure = _rows(measures, rows, stamp, first=220)
    for name, colour in (("es", theme.TEXT), ("nq", theme.FAMILIES["gamma"])):
        known = prices[name].dropna()
        percent = 100.0 * (prices[name] / known.iloc[0] - 1.0)
        figure.add_trace(_line(prices.index, percent, name.upper(), colour), row=1, col=1)
    figure.update_yaxes(ticksuffix=" %", row=1, col=1)
    figure.update_layout(showlegend=True)
    return figure


def _rows(
    measures: Any, rows: Sequence[tuple[str, str, Any]], stamp: str | None, first: int = 0
) -> go.Figure:
    titles = ["since the first price"] * bool(first) + [title for _, title, _ in rows]
    heights = [first] * bool(first) + [ROW_PX] * len(rows)
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, subplot_titles=titles, row_heights=heights,
        vertical_spacing=0.3 / len(heights) ** 1.2,
    )  # fmt: skip
    for at, (name, title, marks) in enumerate(rows, start=1 + bool(first)):
        series = measures[name]
        if series.notna().any():
            figure.add_trace(_line(measures.index, series, title, theme.NEUTRAL, hidden=True), row=at, col=1)
            for mark in marks:
                figure.add_trace(_mark(measures.index, mark), row=at, col=1)
        else:
            figure.add_trace(_line(measures.index, series, title, theme.NEUTRAL, hidden=True), row=at, col=1)
            axis = "" if at == 1 else str(at)
            figure.update_yaxes(showticklabels=False, row=at, col=1)
            figure.add_annotation(text="not known in this run", showarrow=False, x=0.5, y=0.5,
                                  xref=f"x{axis} domain", yref=f"y{axis} domain")  # fmt: skip
    for at in range(1, len(heights) + 1):
        figure.update_xaxes(theme.axis(showgrid=False), row=at, col=1)
        figure.update_yaxes(theme.axis(side="right", nticks=4), row=at, col=1)
    figure.update_layout(theme.layout(sum(heights) + 80), showlegend=False)
    figure.update_annotations(font={"size": theme.SIZES[0], "color": theme.TEXT})
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def _line(index: Any, values: Any, name: str, colour: str, *, hidden: bool = False) -> go.Scatter:
    """Return a line that is broken where nothing was decided for half an hour: closed hours are no market."""
    ts = index.as_unit("ns").asi8
    numbers = np.asarray(values, np.float64)
    cut = np.flatnonzero(np.diff(ts) > GAP_NS) + 1
    x = new_york(np.insert(ts, cut, ts[cut] - 1))
    y = np.insert(numbers, cut, np.nan)
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": colour, "width": 1}, name=name, showlegend=not hidden
    )


def _mark(index: Any, value: float) -> go.Scatter:
    x = new_york(index.as_unit("ns").asi8[[0, -1]])
    line = {"color": theme.NEUTRAL, "width": 0.8, "dash": "dot"}
    return go.Scatter(x=x, y=[value, value], mode="lines", line=line, hoverinfo="skip", showlegend=False)


def timeframes(table: Any, *, stamp: str | None = None) -> go.Figure:
    """Return strength of five timeframes as bars as wide as their weight, the quality written beside.

    Parameters
    ----------
    table : DataFrame
        Index timeframe; `strength`, `quality`, `weight`, `golden_rule`; None where not known.
    stamp : str, optional
        Word across the picture.
    """
    known = table["strength"].notna()
    colours = [theme.side_colour(s if ok else 0) for s, ok in zip(table["strength"], known, strict=True)]
    texts = [
        f"{s:+.2f} · quality {q:.2f} · {rule.replace('_', ' ')}" if ok else "not ready"
        for s, q, rule, ok in zip(
            table["strength"], table["quality"], table["golden_rule"], known, strict=True
        )
    ]
    figure = go.Figure(layout=theme.layout(240, showlegend=False, annotations=theme.stamp(stamp)))
    figure.add_trace(
        go.Bar(
            y=list(table.index),
            x=table["strength"].fillna(0.0).astype(float),
            width=[min(0.15 + 2.0 * weight, 0.9) for weight in table["weight"]],
            orientation="h",
            marker={"color": colours, "line": {"width": 0}},
            text=texts,
            textposition="outside",
            constraintext="none",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(theme.axis(range=[-1.6, 1.6], tickvals=[-1, -0.5, 0, 0.5, 1]))
    figure.update_yaxes(theme.axis(autorange="reversed", showgrid=False))
    return figure


def large_orders(bars: Any, orders: Any, *, stamp: str | None = None) -> go.Figure:
    """Return large aggregated orders over the path of price: area is size, colour side, shape kind.

    Parameters
    ----------
    bars : DataFrame
        Closed bars: `end` (ns UTC), `close` in points.
    orders : DataFrame
        `ts`, `side`, `size`, `price`, `to`, `levels`, `kind`.
    stamp : str, optional
        Word across the picture.
    """
    figure = go.Figure(layout=theme.layout(380, annotations=theme.stamp(stamp)))
    if len(bars):
        line = {"color": theme.NEUTRAL, "width": 1}
        figure.add_trace(
            go.Scatter(
                x=new_york(bars["end"]),
                y=bars["close"],
                mode="lines",
                line=line,
                name="close",
                hoverinfo="skip",
            )
        )
        orders = orders[orders["ts"] >= int(bars["start"].iloc[0])]
    if len(orders) == 0:
        figure.add_annotation(
            text="No large order in these hours.", showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
    largest = float(orders["size"].max()) if len(orders) else 1.0
    for kind, symbol in (
        ("large", "circle"),
        ("sweep", "triangle-right"),
        ("block", "square"),
        ("iceberg", "diamond-open"),
    ):
        rows = orders[orders["kind"] == kind]
        if len(rows) == 0:
            continue
        figure.add_trace(
            go.Scatter(
                x=new_york(rows["ts"]),
                y=rows["to"],
                mode="markers",
                name=kind if kind != "iceberg" else "iceberg, inferred",
                customdata=np.c_[rows["size"], rows["levels"]],
                hovertemplate="%{customdata[0]:,} contracts over %{customdata[1]} prices, %{y:.2f}<extra>"
                + kind
                + "</extra>",
                marker={
                    "symbol": symbol,
                    "size": 6 + 20 * np.sqrt(rows["size"].astype(float) / largest),
                    "color": [theme.side_colour(s) for s in rows["side"]],
                    "opacity": 0.75,
                    "line": {"width": 1, "color": [theme.side_colour(s) for s in rows["side"]]},
                },
            )
        )
    figure.update_layout(
        xaxis=theme.axis(showgrid=False),
        yaxis=theme.axis(side="right", tickformat=".2f"),
        hovermode="closest",
    )
    return figure
