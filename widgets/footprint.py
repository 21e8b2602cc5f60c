"""Footprint: what was sold at the bid and bought at the ask, by price, in the last bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import new_york
from widgets.blank import blank

ROW_PX, MOST_ROWS = 17, 60
NO_SIDES = "No footprint: the source does not say who was the aggressor."


def footprint(table: Any, bars: Any = None, absorbed: Any = None, *, stamp: str | None = None) -> go.Figure:
    """Return one column per bar: contracts at bid × ask, imbalances in the colour of their side, stacks bold.

    Parameters
    ----------
    table : DataFrame
        Rows of `start` (ns UTC), `price`, `bid`, `ask`, `buy_imbalance`, `sell_imbalance`, `buy_stacked`,
        `sell_stacked`.
    bars : DataFrame, optional
        Closed bars with `start`, `low` and `absorption`; absorption beyond 0.1 is written under its bar.
    absorbed : DataFrame, optional
        Prices that absorbed aggression: `ts`, `price`, `side`, `volume`, `refilled`, `score`; a diamond beside them.
    stamp : str, optional
        Word across the picture.
    """
    if len(table) == 0:
        return blank(NO_SIDES, stamp)
    starts = np.unique(table["start"])
    prices = np.unique(table["price"])
    rows = round((prices[-1] - prices[0]) / 0.25) + 1
    # A range too tall to be read shows what is nearest to where trading went last.
    middle = float(table[table["start"] == starts[-1]]["price"].median())
    half = min(rows, MOST_ROWS) * 0.125
    shown = table[(table["price"] - middle).abs() <= half] if rows > MOST_ROWS else table
    figure = go.Figure(layout=theme.layout(min(rows, MOST_ROWS) * ROW_PX + 70, showlegend=False))
    labels = [np.datetime_as_string(t, "m")[11:] for t in new_york(starts).astype("datetime64[m]")]
    most = max(1, int((shown["bid"] + shown["ask"]).max()))
    for at, start in enumerate(starts):
        _column(figure, shown[shown["start"] == start], at, most)
    if bars is not None:
        _absorbed(figure, bars, starts, float(shown["price"].min()))
    if absorbed is not None and len(absorbed):
        figure.add_trace(_levels(absorbed, starts, shown))
    figure.update_layout(
        xaxis=theme.axis(
            tickvals=list(range(len(starts))),
            ticktext=labels,
            range=[-0.6, len(starts) - 0.4],
            showgrid=False,
        ),
        yaxis=theme.axis(side="right", tickformat=".2f", dtick=1.0 if rows > 16 else 0.25),
    )
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure


def _column(figure: go.Figure, rows: Any, at: int, most: int) -> None:
    """Add one bar: a shade of volume behind each price, sold on the left, bought on the right."""
    if len(rows) == 0:
        return
    total = (rows["bid"] + rows["ask"]).to_numpy()
    figure.add_trace(
        go.Bar(
            x=0.9 * total / most,
            y=rows["price"],
            base=at - 0.45,
            orientation="h",
            width=0.23,
            marker={"color": theme.GRID, "line": {"width": 0}},
            hoverinfo="skip",
        )
    )
    poc = total.argmax()
    for name, shift, anchor, flag, stack, side in (
        ("bid", -0.04, "middle left", "sell_imbalance", "sell_stacked", -1),
        ("ask", 0.04, "middle right", "buy_imbalance", "buy_stacked", 1),
    ):
        texts, colours = [], []
        for i, (size, imbalanced, stacked) in enumerate(
            zip(rows[name], rows[flag], rows[stack], strict=True)
        ):
            text = f"{size}" if i != poc else f"<u>{size}</u>"
            texts.append(f"<b>{text}</b>" if stacked else text)
            colours.append(theme.side_colour(side) if imbalanced else theme.TEXT)
        figure.add_trace(
            go.Scatter(
                x=np.full(len(rows), at + shift),
                y=rows["price"],
                mode="text",
                text=texts,
                textposition=anchor,
                textfont={"size": theme.SIZES[0], "color": colours},
                hovertemplate=f"%{{y:.2f}}: %{{text}} at the {name}<extra></extra>",
            )
        )


def _absorbed(figure: go.Figure, bars: Any, starts: Any, floor: float) -> None:
    found = bars[bars["start"].isin(starts) & (bars["absorption"].abs() > 0.1)]
    for start, score in zip(found["start"], found["absorption"], strict=True):
        at = int(np.flatnonzero(starts == start)[0])
        word = "selling absorbed" if score > 0 else "buying absorbed"
        figure.add_annotation(
            x=at, y=floor - 0.5, text=f"{word} {score:+.2f}", showarrow=False,
            font={"size": theme.SIZES[0], "color": theme.side_colour(score)},
        )  # fmt: skip


def _levels(absorbed: Any, starts: Any, shown: Any) -> go.Scatter:
    """Return a diamond at each shown price that absorbed, on the side that was hit."""
    at = np.searchsorted(starts, absorbed["ts"].to_numpy() - 1, side="right") - 1
    length = np.diff(starts).min() if len(starts) > 1 else np.inf
    at = np.where(absorbed["ts"].to_numpy() - starts[at] > length, -1, at)  # after the newest bar
    prices = {start: set(rows["price"]) for start, rows in shown.groupby("start")}
    seen = [
        i >= 0 and price in prices.get(starts[i], ()) for i, price in zip(at, absorbed["price"], strict=True)
    ]
    rows, at = absorbed[seen], at[seen]
    side = rows["side"].to_numpy()
    words = [
        f"{'selling' if e > 0 else 'buying'} absorbed: {volume} traded, {refilled} refilled (inferred)"
        + ("" if score is None or score != score else f", score {score:.1f}")
        for e, volume, refilled, score in zip(
            side, rows["volume"], rows["refilled"], rows["score"], strict=True
        )
    ]
    return go.Scatter(
        x=at - 0.44 * side,
        y=rows["price"],
        mode="markers",
        text=words,
        hovertemplate="%{y:.2f}: %{text}<extra></extra>",
        marker={"symbol": "diamond", "size": 8, "color": [theme.side_colour(e) for e in side]},
    )
