"""The model: what its labels are, whether its probabilities mean what they say, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mia_kernel.analytics.bootstrap import wilson
from widgets import theme
from widgets.base import new_york
from widgets.blank import blank

NO_MODEL = "No model: there is nothing to judge."


def _figure(height: int, title: str, stamp: str | None, **more: Any) -> go.Figure:
    figure = go.Figure(
        layout=theme.layout(height, annotations=theme.stamp(stamp), hovermode="closest", **more)
    )
    font = {"size": theme.SIZES[1]}
    figure.update_layout(
        title={"text": title, "font": font, "x": 0, "y": 0.98, "yanchor": "top"},
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
    )
    return figure


def label_outcomes(frame: Mapping[str, Any]) -> go.Figure:
    """Return how labelled signals ended, in net ticks: one histogram per ending.

    Parameters
    ----------
    frame : mapping
        `net_ticks`, `ending` (words) per signal, `stamp`.
    """
    net, ending = np.asarray(frame["net_ticks"]), np.asarray(frame["ending"])
    if len(net) == 0:
        return blank("No signal was labelled.", height=260)
    won = float((net > 0).mean())
    title = f"{len(net):,} labelled signals: {won:.1%} won net of costs, mean {net.mean():+.2f} ticks"
    figure = _figure(280, title, frame.get("stamp"), barmode="stack", bargap=0.02)
    colours = {"target": theme.BUY, "stop": theme.SELL, "time": theme.CAUTION, "session": theme.NEUTRAL}
    low, high = np.quantile(net, (0.005, 0.995))
    for name, colour in colours.items():
        part = np.clip(net[ending == name], low, high)
        if len(part):
            bins = {"start": low, "end": high + 2, "size": max(2, round((high - low) / 60))}
            figure.add_trace(go.Histogram(x=part, name=name, marker={"color": colour}, xbins=bins))
    figure.update_layout(xaxis=theme.axis(ticksuffix=" t", showgrid=False), yaxis=theme.axis(side="right"))
    return figure


def calibration(report: Mapping[str, Any] | None) -> go.Figure:
    """Return said against seen share of wins, out of sample, in bins of equal mass."""
    if report is None:
        return blank(NO_MODEL, height=300)
    rows = report["calibration"]["curve"]
    said, seen = [r["said"] for r in rows], [r["seen"] for r in rows]
    z = report["calibration"]["spiegelhalter_z"]
    error = report["calibration"]["calibration_error"]
    title = f"said against seen, n = {report['calibration']['n']:,}; mean error {error:.3f}"
    figure = _figure(340, title if z is None else f"{title}, Z {z:+.1f}", report.get("stamp"))
    top = max(*said, *seen) * 1.1
    line = {"color": theme.NEUTRAL, "dash": "dot", "width": 1}
    figure.add_trace(go.Scatter(x=[0, top], y=[0, top], mode="lines", line=line, name="honest"))
    text = [f"n = {r['n']:,}" for r in rows]
    marker = {"color": theme.FAMILIES["profile"], "size": 8}
    figure.add_trace(
        go.Scatter(x=said, y=seen, mode="lines+markers", marker=marker, name="measured", text=text,
                   hovertemplate="said %{x:.1%}, seen %{y:.1%}<br>%{text}<extra></extra>")
    )  # fmt: skip
    figure.update_layout(
        xaxis=theme.axis(tickformat=".0%", title="said"),
        yaxis=theme.axis(tickformat=".0%", side="right", title="seen"),
    )
    return figure


def signal_equity(frame: Mapping[str, Any] | None) -> go.Figure:
    """Return what one contract per signal would have made out of sample: every signal, and those taken."""
    if frame is None or len(frame["ts"]) == 0:
        return blank(NO_MODEL, height=280)
    x = new_york(np.asarray(frame["ts"], np.int64))
    net = np.asarray(frame["net_ticks"])
    figure = _figure(320, "one ES contract per signal, walk-forward, costs on (USD)", frame.get("stamp"))
    parts = (
        ("every signal", np.ones(len(net), bool), theme.NEUTRAL),
        (
            "cost-aware filter",
            np.asarray(frame["score"]) >= np.asarray(frame["break_even"]),
            theme.FAMILIES["profile"],
        ),
        ("gates alone", np.asarray(frame["ghost"]) == 0, theme.FAMILIES["vwap"]),
    )
    for name, taken, colour in parts:
        usd = np.cumsum(np.where(taken, net, 0.0)) * 12.5
        keep = np.unique(np.r_[0, np.flatnonzero(taken)[:: max(1, int(taken.sum()) // 2_000)], len(net) - 1])
        label = f"{name}, n = {int(taken.sum()):,}"
        line = {"color": colour, "shape": "hv"}
        # Thousands of signals nobody would take dwarf the rest: a click in the legend shows them.
        others = any(part[1].any() for part in parts[1:])
        shown = "legendonly" if name == "every signal" and others else True
        figure.add_trace(
            go.Scatter(x=x[keep], y=usd[keep], mode="lines", line=line, name=label, visible=shown)
        )
    figure.update_layout(xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", tickformat=",.0f"))
    return figure


def threshold(frame: Mapping[str, Any] | None) -> go.Figure:
    """Return what signals made on average when only those so far above their own break-even are taken.

    Parameters
    ----------
    frame : mapping
        `score`, `break_even`, `net_ticks` per signal out of sample, `stamp`.
    """
    if frame is None or len(frame["score"]) == 0:
        return blank(NO_MODEL, height=260)
    above = np.asarray(frame["score"]) - np.asarray(frame["break_even"])
    net = np.asarray(frame["net_ticks"])[np.argsort(-above, kind="stable")]
    above = np.sort(above)[::-1]
    n = np.arange(1, len(net) + 1)
    mean = np.cumsum(net) / n
    keep = np.unique(np.r_[np.arange(29, len(n), max(1, len(n) // 400)), len(n) - 1])
    figure = _figure(
        300, "mean net ticks of the signals at least so far above their break-even", frame.get("stamp")
    )
    hover = "%{x:+.1%} above break-even<br>mean %{y:+.2f} ticks, n = %{text}<extra></extra>"
    line = {"color": theme.FAMILIES["profile"]}
    figure.add_trace(
        go.Scatter(x=above[keep], y=mean[keep], mode="lines", line=line, text=[f"{i:,}" for i in n[keep]],
                   hovertemplate=hover, showlegend=False)
    )  # fmt: skip
    taken = int((above >= 0).sum())
    figure.add_vline(
        x=0, line={"color": theme.NEUTRAL, "width": 1, "dash": "dot"}, annotation_text=f"taken, n = {taken:,}"
    )
    figure.add_hline(y=0, line={"color": theme.NEUTRAL, "width": 1})
    figure.update_layout(
        xaxis=theme.axis(tickformat="+.0%", title="score above break-even"),
        yaxis=theme.axis(side="right", ticksuffix=" t"),
    )
    return figure


def stability(report: Mapping[str, Any] | None) -> go.Figure:
    """Return the share of wins in each part of the sessions, with its 95 % interval, beside that of all."""
    if report is None:
        return blank(NO_MODEL, height=220)
    rows = [r for r in report["stability"] if "win_rate" in r]
    seen = np.array([r["win_rate"] for r in rows])
    low, high = np.array([_interval(r) for r in rows]).T
    title = f"share of signals that won, each part of the sessions with its 95 %; all of them {report['base_rate']:.1%}"
    figure = _figure(260, title, report.get("stamp"), showlegend=False)
    x = [f"{i + 1} of {len(rows)}" for i in range(len(rows))]
    error = {"type": "data", "array": high - seen, "arrayminus": seen - low, "color": theme.NEUTRAL}
    marker = {"color": theme.FAMILIES["profile"], "size": 8}
    text = [f"n = {r['n']:,}" for r in rows]
    figure.add_trace(
        go.Scatter(x=x, y=seen, mode="markers", marker=marker, error_y=error, text=text,
                   hovertemplate="won %{y:.1%}<br>%{text}<extra></extra>")
    )  # fmt: skip
    figure.add_hline(y=report["base_rate"], line={"color": theme.NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis=theme.axis(showgrid=False), yaxis=theme.axis(side="right", tickformat=".0%", rangemode="tozero")
    )
    return figure


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    return wilson(round(row["win_rate"] * row["n"]), row["n"]) or (np.nan, np.nan)


def path_fan(report: Mapping[str, Any] | None) -> go.Figure:
    """Return the whole paths of the combinatorial split: a distribution instead of one lucky number."""
    if report is None:
        return blank(NO_MODEL, height=220)
    rows = [r for r in report["fan"] if r["mean_net_ticks"] is not None]
    if not rows:
        return blank("The rule took no signal on any path.", height=220)
    title = f"mean net ticks a signal on {len(rows)} whole CPCV paths ({report['verdict_of']})"
    figure = _figure(240, title, report.get("stamp"), showlegend=False)
    y = [f"path {i + 1}, n = {r['n']:,}" for i, r in enumerate(rows)]
    x = [r["mean_net_ticks"] for r in rows]
    colours = [theme.side_colour(value) for value in x]
    figure.add_trace(go.Bar(x=x, y=y, orientation="h", marker={"color": colours}, width=0.6))
    figure.update_layout(xaxis=theme.axis(ticksuffix=" t", zeroline=True), yaxis=theme.axis(showgrid=False))
    return figure


def chance(report: Mapping[str, Any] | None) -> go.Figure:
    """Return random entries with the same sides and exits, the signals' own mean as a line."""
    if report is None:
        return blank(NO_MODEL, height=240)
    found = report["control"]
    if found["own"] is None:
        return blank("No random entry could be drawn.", height=240)
    share = found["share_at_least"]
    title = f"{share:.1%} of {found['sets']} random sets did at least as well (n = {found['n']:,} each)"
    figure = _figure(260, title, report.get("stamp"), showlegend=False, bargap=0.02)
    figure.add_trace(go.Histogram(x=found["random"], nbinsx=40, marker={"color": theme.NEUTRAL}))
    colour = theme.side_colour(found["own"])
    figure.add_vline(
        x=found["own"], line={"color": colour, "width": 2}, annotation_text=f"own {found['own']:+.2f} t"
    )
    figure.update_layout(xaxis=theme.axis(ticksuffix=" t", showgrid=False), yaxis=theme.axis(side="right"))
    return figure


def overfit(report: Mapping[str, Any] | None) -> go.Figure:
    """Return where the best try of one half of the days landed in the other half."""
    if report is None:
        return blank(NO_MODEL, height=240)
    found = report["overfitting"]
    if found is None:
        return blank("Too few tries that moved: overfitting cannot be measured.", height=240)
    title = f"PBO {found['pbo']:.2f} over {found['tries']} tries: share at or under 0 fell to the lower half"
    figure = _figure(260, title, report.get("stamp"), showlegend=False, bargap=0.05)
    # λ takes few values, one for each rank among the tries: bars of one width, both halves always in sight, and a bar
    # around 0, for 0 itself counts as fallen.
    widest = max(2.0, *(abs(x) for x in found["logits"])) * 1.15
    bins = {"start": -widest, "end": widest, "size": 2 * widest / 31}
    colour = theme.FAMILIES["gamma"]
    figure.add_trace(go.Histogram(x=found["logits"], xbins=bins, marker={"color": colour}))
    figure.add_vline(x=0, line={"color": theme.ALARM, "width": 1})
    figure.update_layout(
        xaxis=theme.axis(showgrid=False, title="λ", range=[-widest, widest]),
        yaxis=theme.axis(side="right", title="splits of the days"),
    )
    return figure


def _of(rows: Any) -> str:
    """Return how many shuffles the bars are the mean of; one kept by an older version shows no spread."""
    repeats = rows[0].get("repeats", 1)
    return f", mean and spread of {repeats} shuffles" if repeats > 1 else ", one shuffle"


def importance(rows: Any) -> go.Figure:
    """Return how much worse the log loss gets when a column is shuffled, largest first.

    Parameters
    ----------
    rows : sequence of mapping
        `name`, `mean`, `sd` (over the shuffles), `repeats`.
    """
    if not rows:
        return blank(NO_MODEL, height=240)
    kept = sorted(rows, key=lambda row: row["mean"])[-15:]
    height = 120 + 18 * len(kept)
    figure = _figure(
        height,
        f"permutation importance: log loss added by shuffling a column{_of(kept)}",
        None,
        showlegend=False,
    )
    error = {"type": "data", "array": [r["sd"] for r in kept], "color": theme.NEUTRAL}
    names, means = [r["name"] for r in kept], [r["mean"] for r in kept]
    marker = {"color": theme.FAMILIES["profile"]}
    figure.add_trace(go.Bar(x=means, y=names, orientation="h", error_x=error, marker=marker))
    figure.update_layout(xaxis=theme.axis(), yaxis=theme.axis(showgrid=False))
    return figure
