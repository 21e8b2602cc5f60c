"""Gamma: exposure by strike and expiry, over price and time, and where it puts its lines on the future.

Every view takes what `mia.options.levels` returns and draws it. Violet is gamma; calls and puts carry the colours
of buy and sell. "Modelled" stands in every title that shows a sign: it is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme
from widgets.base import new_york

VIOLET = theme.FAMILIES["gamma"]
BILLION = 1e9
AROUND = 0.06
MODELLED = "modelled: dealers long calls, short puts"
_DIVERGING = [[0.0, theme.SELL], [0.5, "rgba(139,147,161,0.05)"], [1.0, theme.BUY]]


def gamma_by_strike(levels: Any, *, around: float = AROUND, stamp: str | None = None) -> go.Figure:
    """Return call, put and net exposure by strike near spot, with walls, zero gamma and spot as lines."""
    table, spot = levels.strikes, levels.book.spot
    near = (np.abs(table.strike / spot - 1) < around) & (table.gross > 0)
    strike = table.strike[near]
    figure = sheet(
        560, "Exposure by strike (bn USD per 1 %), " + MODELLED, stamp, barmode="relative", bargap=0.15
    )
    for name, values, colour in (("calls", table.call, theme.BUY), ("puts", -table.put, theme.SELL)):
        figure.add_trace(
            go.Bar(
                x=values[near] / BILLION,
                y=strike,
                orientation="h",
                name=name,
                opacity=0.55,
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate="%{y:.0f}: %{x:.2f} bn<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=table.net[near] / BILLION,
            y=strike,
            mode="lines+markers",
            name="net",
            marker={"size": 4},
            line={"color": VIOLET, "width": 1.5},
            hovertemplate="%{y:.0f}: %{x:.2f} bn net<extra></extra>",
        )
    )
    low, high = float(strike.min()), float(strike.max())
    for name, at, dash in named_levels(levels):
        if low <= at <= high:
            _line(figure, at, name, dash)
    figure.update_layout(
        hovermode="y unified",
        xaxis=theme.axis(tickformat=".1f"),
        yaxis=theme.axis(tickformat=".0f", showgrid=False, side="left"),
    )
    return figure


def named_levels(levels: Any) -> list[tuple[str, float, str]]:
    """Return (name, price of the index, dash) of what the book has: walls, flip, spot."""
    net = levels.walls["net"]
    found = [
        ("call wall", net.call, "solid"),
        ("put wall", net.put, "dash"),
        ("zero gamma", levels.zero.price, "dot"),
        ("spot", levels.book.spot, "spot"),
    ]
    return [(name, float(at), dash) for name, at, dash in found if at is not None]


def _line(figure: go.Figure, at: float, name: str, dash: str) -> None:
    is_spot = dash == "spot"
    figure.add_hline(
        y=at,
        line={"color": theme.TEXT if is_spot else VIOLET, "width": 1.2, "dash": "solid" if is_spot else dash},
        annotation_text=f"{name} {at:,.0f}",
        annotation_position="top left" if is_spot else "right",
        annotation_font_size=theme.SIZES[0],
    )


def gamma_by_expiry(levels: Any, *, most: int = 30, stamp: str | None = None) -> go.Figure:
    """Return net exposure and gross by expiry, AM and PM settlement apart, the nearest `most`."""
    rows = levels.expiries[:most]
    names = [f"{day_text(row['expiry'])} {row['settlement']}" for row in rows]
    figure = sheet(320, "Exposure by expiry (bn USD per 1 %), " + MODELLED, stamp, bargap=0.25)
    net = np.array([row["net_gex"] for row in rows]) / BILLION
    gross = np.array([row["gross_gex"] for row in rows]) / BILLION
    figure.add_trace(
        go.Bar(
            x=names,
            y=gross,
            name="gross",
            marker={"color": theme.NEUTRAL, "opacity": 0.25},
            hovertemplate="%{y:.2f} bn<extra>gross</extra>",
        )
    )
    figure.add_trace(
        go.Bar(
            x=names,
            y=net,
            name="net",
            width=0.5,
            marker={"color": [theme.side_colour(v) for v in net]},
            hovertemplate="%{y:+.2f} bn<extra>net</extra>",
        )
    )
    figure.update_layout(
        barmode="overlay",
        xaxis=theme.axis(showgrid=False, tickangle=-60),
        yaxis=theme.axis(tickformat=".0f", side="right"),
    )
    return figure


def gamma_profile(levels: Any, *, around: float = 0.08, stamp: str | None = None) -> go.Figure:
    """Return net exposure over the price of the index, what other assumptions give, and the band of the flip."""
    spots, net = levels.spots, levels.profile
    near = np.abs(spots / levels.book.spot - 1) < around
    figure = sheet(400, "Net exposure if the index stood there (bn USD per 1 %), " + MODELLED, stamp)
    neutral = 0.03 * levels.gross / BILLION
    figure.add_hrect(
        y0=-neutral,
        y1=neutral,
        fillcolor=theme.NEUTRAL,
        opacity=0.10,
        line_width=0,
        annotation_text="neutral: under 3 % of gross",
        annotation_position="bottom left",
        annotation_font_size=theme.SIZES[0],
    )
    band = levels.bands["zero_gamma"]
    if band.low is not None and band.high is not None:
        figure.add_vrect(
            x0=band.low,
            x1=band.high,
            fillcolor=VIOLET,
            opacity=0.12,
            line_width=0,
            annotation_text=f"zero gamma {band.low:,.0f}–{band.high:,.0f} under other assumptions",
            annotation_position="top left",
            annotation_font_size=theme.SIZES[0],
        )
    figure.add_trace(
        go.Scatter(
            x=spots[near],
            y=net[near] / BILLION,
            mode="lines",
            name="net",
            line={"color": VIOLET, "width": 2.2},
            hovertemplate="%{x:,.0f}: %{y:+.2f} bn<extra></extra>",
        )
    )
    for name, at, dash in named_levels(levels):
        if spots[near][0] <= at <= spots[near][-1]:
            line = {
                "color": theme.TEXT if dash == "spot" else VIOLET,
                "width": 1,
                "dash": "dot" if dash != "spot" else "solid",
            }
            figure.add_vline(
                x=at,
                line=line,
                annotation_text=f"{name} {at:,.0f}",
                annotation_textangle=-90,
                annotation_position="bottom right",
                annotation_font_size=theme.SIZES[0],
            )
    figure.update_layout(
        showlegend=False,
        xaxis=theme.axis(tickformat=",.0f", showgrid=False),
        yaxis=theme.axis(tickformat="+.0f", side="right", zeroline=True, zerolinecolor=theme.NEUTRAL),
    )
    return figure


def gamma_on_price(bars: Any, levels: Any, *, stamp: str | None = None) -> go.Figure:
    """Return bars of the future with the walls on its own prices.

    Parameters
    ----------
    bars : DataFrame
        Indexed by time, with `open`, `high`, `low`, `close` in points.
    levels : GammaLevels
        With a basis; without one there are no lines and the title says so.
    """
    basis = levels.basis
    words = "ES with gamma levels, " + MODELLED if basis else "ES; no basis, so no gamma levels"
    figure = sheet(460, words, stamp, showlegend=False)
    figure.add_trace(
        go.Candlestick(
            x=bars.index,
            open=bars["open"],
            high=bars["high"],
            low=bars["low"],
            close=bars["close"],
            name="ES",
            increasing={"line": {"color": theme.BUY, "width": 1}, "fillcolor": theme.BUY},
            decreasing={"line": {"color": theme.SELL, "width": 1}, "fillcolor": theme.SELL},
        )
    )
    if basis is not None:
        for name, at, dash in named_levels(levels):
            if dash != "spot":
                _line(figure, at * basis.ratio, name, dash)
    figure.update_layout(
        xaxis=theme.axis(rangeslider={"visible": False}, showgrid=False),
        yaxis=theme.axis(side="left", tickformat=",.0f"),
    )
    return figure


def level_evolution(history: Any, *, around: float = 0.08, stamp: str | None = None) -> go.Figure:
    """Return net exposure by strike through snapshots, with spot, walls and zero gamma, and the expiring share.

    Parameters
    ----------
    history : DataFrame
        Rows of `mia.options.history(...)`, by time.
    """
    labels = [str(at)[:16].replace("T", " ") for at in new_york(history["as_of"].to_numpy())]
    strikes, heat = _heat(history, around)
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.8, 0.2], vertical_spacing=0.04)
    top = float(np.quantile(np.abs(heat), 0.97)) or 1.0
    figure.add_trace(
        go.Heatmap(
            x=labels,
            y=strikes,
            z=heat,
            zmin=-top,
            zmax=top,
            colorscale=_DIVERGING,
            name="net",
            colorbar={"title": "bn", "len": 0.75, "y": 0.62, "thickness": 10},
            hovertemplate="%{x}<br>%{y:.0f}: %{z:+.2f} bn<extra></extra>",
        ),
        row=1,
        col=1,
    )
    for name, dash, colour, width in (
        ("spot", "solid", theme.TEXT, 2.0),
        ("call_wall", "solid", VIOLET, 1.6),
        ("put_wall", "dash", VIOLET, 1.6),
        ("zero_gamma", "dot", VIOLET, 2.0),
    ):
        figure.add_trace(
            go.Scatter(
                x=labels,
                y=history[name],
                mode="lines+markers",
                name=name.replace("_", " "),
                marker={"size": 4},
                line={"color": colour, "dash": dash, "width": width},
            ),
            row=1,
            col=1,
        )
    monthly = np.array([_next_monthly(row) for row in history.itertuples()]) / BILLION
    parts = (
        ("next AM monthly", monthly, VIOLET),
        ("other expiries", history["gross_gex"] / BILLION - monthly, theme.NEUTRAL),
    )
    for name, values, colour in parts:
        figure.add_trace(
            go.Bar(x=labels, y=values, name="gross: " + name, marker={"color": colour, "opacity": 0.7}),
            row=2,
            col=1,
        )
    figure.update_layout(
        theme.layout(
            600, annotations=theme.stamp(stamp), barmode="stack", margin={"l": 8, "r": 84, "t": 70, "b": 8}
        ),
        title=title("Net exposure by strike through time; gross below (bn USD per 1 %)"),
    )
    figure.update_xaxes(theme.axis(showgrid=False, tickangle=-45, type="category"))
    figure.update_yaxes(theme.axis(tickformat=",.0f"))
    return figure


def _heat(history: Any, around: float) -> tuple[Any, Any]:
    """Net exposure in bn by 25-point strike (rows) and snapshot (columns), within a share of the median spot."""
    middle = float(history["spot"].median())
    strikes = np.arange(round(middle * (1 - around) / 25) * 25, middle * (1 + around), 25.0)
    heat = np.zeros((len(strikes), len(history)))
    for column, row in enumerate(history.itertuples()):
        at = np.round((np.asarray(row.strike) - strikes[0]) / 25).astype(int)
        inside = (at >= 0) & (at < len(strikes))
        np.add.at(heat[:, column], at[inside], np.asarray(row.net_by_strike)[inside] / BILLION)
    return strikes, heat


def _next_monthly(row: Any) -> float:
    """Gross exposure of the nearest AM expiry of a snapshot; 0 where it lists none."""
    held = [
        (day, gross) for day, am, gross in zip(row.expiry, row.am, row.gross_by_expiry, strict=True) if am
    ]
    return float(min(held)[1]) if held else 0.0


def zero_dte_field(field: Any, levels: Any, *, stamp: str | None = None) -> go.Figure:
    """Return net exposure of the nearest expiry over clock and price, with spot as it stands."""
    words = (
        f"What settles on {day_text(field.expiry)}: net exposure over price and clock (bn per 1 %), projected"
    )
    figure = sheet(460, words, stamp, showlegend=False)
    top = float(np.quantile(np.abs(field.net), 0.985)) / BILLION or 1.0
    figure.add_trace(
        go.Heatmap(
            x=new_york(field.ts),
            y=field.spot,
            z=field.net.T / BILLION,
            colorscale=_DIVERGING,
            zmin=-top,
            zmax=top,
            colorbar={"title": "bn", "thickness": 10, "x": 1.09},
            hovertemplate="%{x|%H:%M} %{y:,.0f}: %{z:+.2f} bn<extra></extra>",
        )
    )
    _line(figure, levels.book.spot, "spot", "spot")
    figure.update_layout(
        hovermode="closest",
        xaxis=theme.axis(showgrid=False, tickformat="%H:%M"),
        yaxis=theme.axis(tickformat=",.0f", side="left", showgrid=False),
    )
    return figure


def sheet(height: int, words: str, stamp: str | None, **more: Any) -> go.Figure:
    """Return an empty figure with a title line, room for labels at the right, and the stamp."""
    margin = {"l": 8, "r": 110, "t": 56, "b": 8}
    return go.Figure(
        layout=theme.layout(height, annotations=theme.stamp(stamp), title=title(words), margin=margin, **more)
    )


def title(text: str) -> dict[str, Any]:
    """Return the layout of a title at the left."""
    return {
        "text": text,
        "x": 0,
        "xanchor": "left",
        "y": 0.985,
        "yanchor": "top",
        "font": {"size": theme.SIZES[1]},
    }


def day_text(day: int) -> str:
    """Return 20230609 as 2023-06-09."""
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
