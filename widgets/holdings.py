"""What is owned and how good it is: calendar heat map, silences, sides against quotes, the ladder of repairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from widgets import theme
from widgets.blank import blank

GOOD, DEGRADED = 0.95, 0.80
_ABSENT = "rgba(255,59,92,0.35)"
_FEWEST_WEEKS = 30
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")
_FAMILY = (
    "#a78bfa",
    "#60a5fa",
    "#f2c14e",
    "#2dd4bf",
    "#f472b6",
    theme.NEUTRAL,
    "#fb923c",
    "#a3e635",
    "#38bdf8",
)
_WHAT = {
    "repaired": theme.CAUTION,
    "quarantined": "#a78bfa",
    "refused": theme.ALARM,
}


def calendar_map(days: Any, *, stamp: str | None = None) -> go.Figure:
    """Return the sessions as squares, week by week: colour is the quality score, red a session that is absent.

    Parameters
    ----------
    days : table
        `date`, `score` (NaN: nothing stored), `rows`, `due`, one row per session (`Holdings.calendar`).
    stamp : str, optional
        Word across the picture.
    """
    date = pd.to_datetime(days["date"])
    monday = date - pd.to_timedelta(date.dt.day_of_week, unit="D")
    # A few weeks alone would be drawn as wide as a year: squares stay squares.
    last = max(monday.max(), monday.min() + pd.Timedelta(weeks=_FEWEST_WEEKS))
    weeks = pd.date_range(monday.min(), last, freq="7D")
    score, text = np.full((5, len(weeks)), np.nan), np.full((5, len(weeks)), "", object)
    for at, day, value, rows, due in zip(
        date, days["day"], days["score"], days["rows"], days["due"], strict=True
    ):
        column, row = (at - weeks[0]).days // 7, at.weekday()
        if row > 4:
            continue
        held = np.isfinite(rows)
        # Held without a score (a table, a daily value) is neutral, absent is below the scale.
        score[row, column] = (value if np.isfinite(value) else 0.9) if held else (-1.0 if due else np.nan)
        said = f"{int(rows):,} rows, score {value:.3f}" if held else "absent"
        text[row, column] = f"{day}: {said}"
    figure = go.Figure(go.Heatmap(
        x=weeks, y=list(_WEEKDAYS), z=score, text=text, zmin=-1, zmax=1, xgap=2, ygap=2, showscale=False,
        colorscale=[[0, _ABSENT], [0.49, _ABSENT], [0.5, theme.SELL], [0.85, theme.SELL], [0.9, theme.CAUTION],
                    [0.974, theme.CAUTION], [0.975, theme.BUY], [1, theme.BUY]],
        hovertemplate="%{text}<extra></extra>"))  # fmt: skip
    figure.update_xaxes(theme.axis(showgrid=False, tickformat="%b %Y"))
    figure.update_yaxes(theme.axis(showgrid=False, autorange="reversed"))
    figure.update_layout(theme.layout(190, hovermode="closest", showlegend=False))
    figure.update_layout(margin={"l": 8, "r": 8, "t": 30, "b": 8})
    words = (
        ("good ≥ 0.95", theme.BUY),
        ("degraded ≥ 0.80", theme.CAUTION),
        ("bad", theme.SELL),
        ("absent", theme.ALARM),
    )
    for k, (word, colour) in enumerate(words):
        figure.add_annotation(text=f"■ {word}", x=0.13 * k, y=1.16, xref="paper", yref="paper", showarrow=False,
                              xanchor="left", font={"color": colour, "size": theme.SIZES[0]})  # fmt: skip
    return _stamped(figure, stamp)


def gap_timeline(gaps: Any, *, stamp: str | None = None) -> go.Figure:
    """Return every silence inside a session: where in the day it lies, how long it was, which series.

    `gaps` has series, day, start (New York) and seconds (`Holdings.gaps`). Colour is adapter and kind, a disc's name
    the series; area grows with the length, up to three hours.
    """
    figure = go.Figure()
    if len(gaps) == 0:
        return blank("no silence inside a session", stamp)
    families = gaps["series"].str.split(" ", n=1).str[-1]
    for k, (name, mine) in enumerate(gaps.groupby(families)):
        start = pd.DatetimeIndex(mine["start"])
        hour = (start.hour + start.minute / 60 + start.second / 3600 - 18) % 24
        size = np.clip(np.sqrt(mine["seconds"] / 60.0) * 3, 4, 42)
        figure.add_trace(go.Scatter(
            x=pd.to_datetime(mine["day"].astype(str)), y=hour, mode="markers", name=str(name),
            marker={"size": size, "color": _FAMILY[k % len(_FAMILY)], "opacity": 0.6, "line": {"width": 0}},
            customdata=np.column_stack([mine["seconds"] / 60.0, start.strftime("%Y-%m-%d %H:%M:%S"), mine["series"]]),
            hovertemplate="%{customdata[2]}<br>%{customdata[1]}: %{customdata[0]:.1f} min<extra></extra>"))  # fmt: skip
    hours = list(range(0, 24, 3))
    figure.update_yaxes(theme.axis(range=[23.2, -0.2], tickvals=hours,
                                   ticktext=[f"{(h + 18) % 24}:00" for h in hours],
                                   title={"text": "New York"}))  # fmt: skip
    figure.update_xaxes(theme.axis(type="date", tickformat="%b %d, %Y", **_padded(gaps)))
    figure.update_layout(theme.layout(360, hovermode="closest"))
    figure.update_layout(legend={"itemsizing": "constant"})
    return _stamped(figure, stamp)


def _padded(gaps: Any) -> dict[str, Any]:
    """Return the range of days with room beside it, so that one day does not fill the picture."""
    if len(gaps) == 0:
        return {}
    days = pd.to_datetime(gaps["day"].astype(str))
    room = max((days.max() - days.min()) * 0.05, pd.Timedelta(days=2))
    return {"range": [days.min() - room, days.max() + room]}


def side_agreement(sides: Any, *, stamp: str | None = None) -> go.Figure:
    """Return how often the feed's side agrees with the quote, per series; the line is the least that is believed.

    `sides` has series, kind, aggressor, decidable, agree and agreement (`Holdings.sides`); files of one series are
    summed. Series without a quote of their own are counted below, and one whose sides were cleared is red.
    """
    told = sides["agreement"].notna() if len(sides) else []
    if not np.any(told):
        return blank(_untold(sides) or "no series has sides", stamp)
    shown = sides[told].groupby(["series", "kind", "aggressor"], sort=False)
    shown = shown.agg(decidable=("decidable", "sum"), agree=("agree", "sum")).reset_index().iloc[::-1]
    values = shown["agree"] / shown["decidable"]
    words = [
        f"{value:.1%} of {int(n):,} · {aggressor}"
        for value, n, aggressor in zip(values, shown["decidable"], shown["aggressor"], strict=True)
    ]
    colours = [
        theme.BUY if a == "feed" else theme.ALARM if a == "untrusted" else theme.NEUTRAL
        for a in shown["aggressor"]
    ]
    figure = go.Figure(go.Bar(x=values, y=shown["series"] + " " + shown["kind"], orientation="h", width=0.6,
                              marker={"color": colours}, text=words, textposition="outside", cliponaxis=False,
                              hoverinfo="skip"))  # fmt: skip
    figure.add_vline(x=0.9, line={"color": theme.TEXT, "width": 1, "dash": "dot"})
    figure.update_xaxes(theme.axis(range=[0, 1.45], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 0.9, 1]))
    figure.update_yaxes(theme.axis(showgrid=False))
    figure.update_layout(theme.layout(130 + 34 * len(shown), showlegend=False, hovermode="closest"))
    if rest := _untold(sides):
        figure.update_layout(margin={"b": 60})
        figure.add_annotation(text=rest, x=0, y=0, yshift=-44, xref="paper", yref="paper", showarrow=False,
                              xanchor="left", font={"color": theme.NEUTRAL, "size": theme.SIZES[0]})  # fmt: skip
    return _stamped(figure, stamp)


def _untold(sides: Any) -> str:
    """Return which series have sides that no quote can be held against, by adapter; empty where there is none."""
    if not len(sides):
        return ""
    rest = sides[sides["agreement"].isna()]
    adapters = rest["series"].str.rsplit(" ", n=1).str[-1]
    counts = (adapters + " " + rest["kind"] + " (" + rest["aggressor"] + ")").value_counts()
    return (
        "no quote to compare: " + ", ".join(f"{n} × {name}" for name, n in counts.items())
        if len(rest)
        else ""
    )


def repair_ladder(repairs: Any, *, stamp: str | None = None) -> go.Figure:
    """Return what was repaired, set aside and refused, most rows first, on a logarithmic scale; not files of options.

    `repairs` has file, what, finding, rows and text (`Holdings.repairs`).
    """
    figure = go.Figure()
    repairs = repairs[repairs["what"] != "options"]
    if len(repairs) == 0:
        return blank("nothing was repaired or set aside", stamp)
    shown = repairs.sort_values("rows")
    for what, mine in shown.groupby("what", sort=False) if len(shown) else []:
        label = mine["finding"].str.replace("_", " ") + " · " + mine["file"].str.slice(0, 34)
        figure.add_trace(go.Bar(
            x=mine["rows"].clip(lower=1), y=label, orientation="h", name=str(what), marker={"color": _WHAT[str(what)]},
            text=[f"{rows:,}" if rows else "whole file" for rows in mine["rows"]], textposition="outside",
            cliponaxis=False, customdata=mine["text"].str.slice(0, 110),
            hovertemplate="%{customdata}<extra></extra>"))  # fmt: skip
    top = float(shown["rows"].max()) if len(shown) else 1.0
    figure.update_xaxes(theme.axis(type="log", dtick=1, range=[0, np.log10(max(top, 10)) * 1.12]))
    order = list(
        dict.fromkeys(shown["finding"].str.replace("_", " ") + " · " + shown["file"].str.slice(0, 34))
    )
    figure.update_yaxes(theme.axis(showgrid=False, categoryorder="array", categoryarray=order))
    figure.update_layout(
        theme.layout(110 + 26 * max(len(shown), 1), hovermode="closest", bargap=0.3, barmode="overlay")
    )
    return _stamped(figure, stamp)


def _stamped(figure: go.Figure, stamp: str | None) -> go.Figure:
    for note in theme.stamp(stamp):
        figure.add_annotation(note)
    return figure
