"""Battle Navale: bars, bases, balls, the golden rule and its breaks, the pullback zone and the stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import new_york

WORDS = {
    "none": "no governing base",
    "bull": "golden rule: up while no red candle closes below the green base",
    "bear": "golden rule: down while no green candle closes above the red base",
    "green_broken": "green base broken",
    "red_broken": "red base broken",
}


def battle(bars: Any, events: Any, now: Mapping[str, Any], *, stamp: str | None = None) -> go.Figure:
    """Return one timeframe of Battle Navale as it was known at its newest bar.

    Parameters
    ----------
    bars : DataFrame
        Closed bars: `start`, `end` (ns UTC), `open`, `high`, `low`, `close` in points.
    events : DataFrame
        `kind`, `side`, `price`, `to`, `ts`, `pivot_ts`; a ball is drawn at its pivot, its hover says when it
        was known.
    now : mapping
        How it stands: golden rule, base, streaks, maturity, pullback, stop; unknown is None.
    stamp : str, optional
        Word across the picture.
    """
    figure = go.Figure(layout=theme.layout(480, annotations=theme.stamp(stamp)))
    if len(bars) == 0:
        return figure
    figure.add_trace(_candles(bars))
    seen = events[events["ts"] >= int(bars["start"].iloc[0])]
    _bases(figure, seen, int(bars["end"].iloc[-1]))
    for trace in _marks(seen):
        figure.add_trace(trace)
    if now.get("stop") is not None and now["ball_trend"]:
        figure.add_hline(y=now["stop"], line={"color": theme.ALARM, "width": 1, "dash": "dash"},
                         annotation_text="ball stop", annotation_position="right")  # fmt: skip
    if now.get("entry_low") is not None:
        figure.add_hrect(y0=now["entry_low"], y1=now["entry_high"], fillcolor=theme.side_colour(now["ball_trend"]),
                         opacity=0.08, line_width=0, layer="below", annotation_text="entry zone of the pullback",
                         annotation_position="top left", annotation_font_size=theme.SIZES[0])  # fmt: skip
    low, high = float(bars["low"].min()), float(bars["high"].max())
    figure.update_layout(
        title={"text": sentence(now), "font": {"size": theme.SIZES[1]}, "x": 0, "y": 0.99, "yanchor": "top"},
        margin={"l": 8, "r": 84, "t": 64, "b": 8},
        xaxis=theme.axis(showgrid=False, rangeslider={"visible": False}),
        yaxis=theme.axis(side="right", tickformat=".2f", range=[low - 1, high + 1]),
    )
    return figure


def sentence(now: Mapping[str, Any]) -> str:
    """Return how it stands in words: golden rule, balls, pullback."""
    rule = WORDS[now["golden_rule"]] + (" (strong)" if now["golden_rule_strong"] else "")
    trend = now["ball_trend"]
    side = "up" if trend > 0 else "down"
    streak = now["up_streak"] if trend > 0 else now["down_streak"]
    balls = f"balls {side}, {streak} in a row, {now['maturity']}" if trend else "no ball trend"
    if now["compression"]:
        balls = "compression: both streaks hold"
    depth = now["pullback"]
    pull = "" if depth is None else f"; pullback {depth:.0%}"
    if now["in_entry_zone"]:
        signs = ", ".join(now["confirms"] or ()) or "no sign of the footprint"
        pull += f", in the entry zone, {signs} for it"
    score = "—" if now["score"] is None else f"{now['score']:+.2f}"
    return f"score {score} · {rule} · {balls}{pull}"


def _candles(bars: Any) -> go.Candlestick:
    return go.Candlestick(
        x=new_york(bars["start"]),
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        close=bars["close"],
        name="bars",
        showlegend=False,
        increasing={"line": {"color": theme.BUY, "width": 1}, "fillcolor": theme.BUY},
        decreasing={"line": {"color": theme.SELL, "width": 1}, "fillcolor": theme.SELL},
    )


def _bases(figure: go.Figure, events: Any, end: int) -> None:
    """Draw each confirmed base from where it was known to the next base or its break."""
    over = events[events["kind"].isin(["base", "golden_break"])]
    for base in events[events["kind"] == "base"].itertuples():
        later = over[over["ts"] > base.ts]["ts"]
        until = int(later.iloc[0]) if len(later) else end
        x0, x1 = new_york([int(base.ts), until])
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=min(base.price, base.to), y1=max(base.price, base.to),
            fillcolor=theme.side_colour(base.side), opacity=0.18, line_width=0, layer="below",
        )  # fmt: skip


def _marks(events: Any) -> list[Any]:
    out: list[Any] = []
    for kind, name, symbol, size in (
        ("green_ball", "green ball: a low that was defended", "circle", 9),
        ("red_ball", "red ball: a high that was defended", "circle", 9),
        ("pattern", "Sierra pattern", "star-triangle", 9),
        ("ball_break", "break of the ball trend", "x-thin", 9),
        ("golden_break", "break of the base", "x", 9),
    ):
        rows = events[events["kind"] == kind]
        if len(rows) == 0:
            continue
        shapes = [
            symbol if symbol != "star-triangle" else "star-triangle-up" if side > 0 else "star-triangle-down"
            for side in rows["side"]
        ]
        colours = [theme.side_colour(side) for side in rows["side"]]
        known = [np.datetime_as_string(t, "m")[11:] for t in new_york(rows["ts"]).astype("datetime64[m]")]
        out.append(
            go.Scatter(
                x=new_york(rows["pivot_ts"]),
                y=rows["price"],
                mode="markers",
                name=name,
                text=known,
                hovertemplate="%{y:.2f}, known %{text}<extra>" + name + "</extra>",
                marker={
                    "symbol": shapes,
                    "size": size,
                    "color": colours,
                    "line": {"width": 1.5, "color": colours},
                },
            )
        )
    return out
