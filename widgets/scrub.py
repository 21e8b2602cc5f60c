"""Slide through a replayed day: the picture with a line where you are, and beside it what was known and why.

How it moves: an ordinary slider walks the run's decisions; each step asks the run for its exact state at that instant
(checkpoints make that some milliseconds) and shows score, contributions, refusals and the book as they were.
"""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import numpy as np
import plotly.graph_objects as go

from widgets import theme
from widgets.base import new_york
from widgets.day import DayView

BOOK_ROWS = 5
STYLE = "font:11px/1.4 ui-monospace,monospace;white-space:pre;margin:0"


class Scrubber(ipywidgets.VBox):
    """A day under a slider.

    Parameters
    ----------
    run : Run
        A finished replay: `decisions`, `report()` and `at(ns)` are asked.
    picture : bool
        Whether the day's picture stands above; without it only the words move.
    """

    def __init__(self, run: Any, *, picture: bool = True) -> None:
        self._run = run
        self._times: Any = np.asarray(run.decisions.index.asi8, np.int64)
        last = max(len(self._times) - 1, 0)
        self.slider = ipywidgets.IntSlider(
            value=last,
            min=0,
            max=last,
            description="decision",
            readout=False,
            layout=ipywidgets.Layout(width="100%"),
        )
        self.head, self.words, self.book = (ipywidgets.HTML() for _ in range(3))
        self.figure: Any = _figure(run) if picture else None
        below = ipywidgets.HBox(
            [self.words, self.book], layout=ipywidgets.Layout(justify_content="space-between")
        )
        above = [self.figure] if self.figure is not None else []
        super().__init__([*above, self.slider, self.head, below])
        self.slider.observe(lambda change: self.go(change["new"]), names="value")
        self.go(last)

    def go(self, i: int) -> None:
        """Show decision number `i`; a run without a decision says so."""
        if not len(self._times):
            self.head.value = "<p>No decision was taken in this run.</p>"
            return
        if self.slider.value != i:
            self.slider.value = i  # comes back here
            return
        ts = int(self._times[i])
        now = self._run.at(ts)
        when = np.datetime_as_string(new_york([ts])[0], unit="s").replace("T", " ")
        side = {1: "long", -1: "short"}.get(now.decision.score.side, "no side")
        price = self._run.decisions["price_ticks"].iloc[i] * 0.25
        place = f"{i + 1} of {len(self._times)}"
        self.head.value = f"<b>{when}</b> New York · {price:,.2f} · S {now.score:+.4f} {side} · {place}"
        text = html.escape(f"{now.why_not()}\n\n{now.why()}")
        self.words.value = f"<div style='{STYLE}'>{text}</div>"
        self.book.value = _book(now.book)
        if self.figure is not None:
            x = new_york([ts])[0]
            with self.figure.batch_update():
                self.figure.layout.shapes[-1].x0 = self.figure.layout.shapes[-1].x1 = x


def _figure(run: Any) -> Any:
    figure = go.FigureWidget(DayView(run.report().frame).static())
    line = {"color": theme.CAUTION, "width": 1.5}
    figure.add_shape(type="line", xref="x", yref="paper", x0=None, x1=None, y0=0, y1=1, line=line)
    return figure


def _book(book: Any) -> str:
    """Return the best levels as text, best in the middle; a source without a book says so."""
    if not len(book):
        return f"<div style='{STYLE}'>no book in this source</div>"
    best = book.head(BOOK_ROWS)
    asks = [f"ask {row.ask:>10,.2f} {row.ask_size:>7,.0f}" for row in best.iloc[::-1].itertuples()]
    bids = [f"bid {row.bid:>10,.2f} {row.bid_size:>7,.0f}" for row in best.itertuples()]
    return f"<div style='{STYLE}'>{html.escape(chr(10).join([*asks, *bids]))}</div>"
