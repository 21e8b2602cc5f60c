"""Volatility: the surface over strike and expiry, the term structure, the skew."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from widgets import theme
from widgets.gamma import VIOLET, day_text, sheet, title


def volatility_surface(levels: Any, *, around: float = 0.12, stamp: str | None = None) -> go.Figure:
    """Return implied volatility over strike and time as a heat map, and beside it the smiles of four expiries."""
    smiles = [smile for smile in levels.surface.smiles if smile.years * 365 >= 0.2]
    figure = make_subplots(1, 2, column_widths=[0.58, 0.42], horizontal_spacing=0.09)
    moneyness = np.linspace(1 - around, 1 + around, 61)
    heat = np.full((len(smiles), len(moneyness)), np.nan)
    for at, smile in enumerate(smiles):
        strikes = moneyness * smile.forward
        inside = (strikes >= smile.strike[0]) & (strikes <= smile.strike[-1])
        heat[at, inside] = np.interp(strikes[inside], smile.strike, smile.iv) * 100
    names = [f"{day_text(smile.expiry)} {'AM' if smile.am else 'PM'}" for smile in smiles]
    figure.add_trace(
        go.Heatmap(
            x=(moneyness - 1) * 100,
            y=names,
            z=heat,
            colorscale="Viridis",
            zmax=float(np.nanquantile(heat, 0.98)) if len(smiles) else None,
            colorbar={"title": "vol %", "x": 0.52, "thickness": 10},
            hovertemplate="%{y}, %{x:+.1f} % of forward: %{z:.1f} %<extra></extra>",
        ),
        row=1,
        col=1,
    )
    for at in sorted({round(i * (len(smiles) - 1) / 3) for i in range(4)}) if smiles else []:
        smile = smiles[at]
        near = np.abs(smile.strike / smile.forward - 1) < around
        figure.add_trace(
            go.Scatter(
                x=(smile.strike[near] / smile.forward - 1) * 100,
                y=smile.iv[near] * 100,
                mode="lines",
                name=names[at],
                line={"color": VIOLET, "width": 1 + at * 1.5 / max(len(smiles), 1)},
                opacity=1 - 0.7 * at / max(len(smiles), 1),
            ),
            row=1,
            col=2,
        )
    figure.update_layout(
        theme.layout(460, annotations=theme.stamp(stamp), margin={"l": 8, "r": 30, "t": 76, "b": 8}),
        title=title("Implied volatility by strike (% from forward) and expiry; smiles at the right"),
    )
    figure.update_layout(legend={"x": 0.62, "y": 1.0, "xanchor": "left"})
    figure.update_xaxes(theme.axis(ticksuffix=" %", showgrid=False))
    figure.update_yaxes(theme.axis())
    figure.update_yaxes(type="category", nticks=18, row=1, col=1)
    figure.update_yaxes(ticksuffix=" %", row=1, col=2)
    return figure


def term_and_skew(levels: Any, *, stamp: str | None = None) -> go.Figure:
    """Return at-the-money volatility and 25-delta skew of every expiry over days to settlement."""
    smiles = [smile for smile in levels.surface.smiles if smile.years * 365 >= 0.5]
    days = [smile.years * 365 for smile in smiles]
    figure = sheet(
        300, "At-the-money volatility and 25-delta put minus call (% points) over days to settlement", stamp
    )
    for name, values, dash in (
        ("ATM", [smile.atm * 100 for smile in smiles], "solid"),
        (
            "25-delta skew",
            [None if smile.skew_25 is None else smile.skew_25 * 100 for smile in smiles],
            "dot",
        ),
    ):
        figure.add_trace(
            go.Scatter(
                x=days,
                y=values,
                mode="lines+markers",
                name=name,
                marker={"size": 5},
                line={"color": VIOLET, "width": 1.6, "dash": dash},
                hovertemplate="%{x:.1f} d: %{y:.2f}<extra>" + name + "</extra>",
            )
        )
    figure.update_layout(
        xaxis=theme.axis(type="log", tickformat=".0f", showgrid=False), yaxis=theme.axis(side="right")
    )
    return figure
