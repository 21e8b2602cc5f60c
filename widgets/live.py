"""Live views: one panel of the console each, usable alone in three lines.

    desk = mia.attach()
    view = widgets.LivePrice()
    desk.follow(view)            # or view.update(frame) with any frame of mia_kernel.frames

Each has `update(frame)` and `static()`; the same ES modules draw the monitor page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import traitlets

from mia_kernel.core.errors import MiaError
from widgets import live_said, live_static
from widgets.base import STATIC, View, module

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h")
STATUS_S = 0.5
_STYLE = (STATIC / "live.css").read_text("utf-8")


class LiveView(View):
    """Base of the live views; `timeframe` chooses the bars of those that draw bars."""

    _css = _STYLE
    timeframe = traitlets.Enum(TIMEFRAMES, "1m").tag(sync=True)


class LivePrice(LiveView):
    """Bars with VWAP and bands, levels, zones, gamma walls, balls and bases, fills, stop and target, profile."""

    _esm = module("live_price")
    height = traitlets.Int(420).tag(sync=True)

    def static(self) -> go.Figure:
        """Return bars, VWAP, levels, fills and refused signals as a figure."""
        return live_static.price(self.frame, self.timeframe)


class LiveDepth(LiveView):
    """Resting sizes through half an hour on a log scale, large trades as dots, the present book at the right."""

    _esm = module("live_depth")

    def static(self) -> go.Figure:
        """Return the heat map as a figure."""
        return live_static.depth(self.frame)


class LiveDelta(LiveView):
    """The footprint of the last minutes with its imbalances; bar delta and cumulative delta below."""

    _esm = module("live_delta")

    def static(self) -> go.Figure:
        """Return bar delta and cumulative delta as a figure."""
        return live_static.delta(self.frame)


class LiveLadder(LiveView):
    """Ten levels a side, what traded at each price today, and the imbalance."""

    _esm = module("live_ladder")
    height = traitlets.Int(400).tag(sync=True)

    def static(self) -> go.Figure:
        """Return the sizes of both sides as a figure."""
        return live_static.ladder(self.frame)


class LiveDecision(LiveView):
    """Grade and coverage, the waterfall that adds up to the score, why not, and what would flip it."""

    _esm = module("live_decision")
    height = traitlets.Int(400).tag(sync=True)

    def static(self) -> go.Figure:
        """Return the waterfall as a figure."""
        return live_static.decision(self.frame)


class LiveBattle(LiveView):
    """Battle Navale: golden rule, balls, pullback with its entry zone, five timeframes."""

    _esm = module("live_battle")
    height = traitlets.Int(260).tag(sync=True)

    def static(self) -> go.Figure:
        """Return what five timeframes say as a figure."""
        return live_static.battle(self.frame)


class LiveSignals(LiveView):
    """Every wish of the strategy, newest first, allowed or refused, with its sentence."""

    _esm = module("live_signals")

    def static(self) -> go.Figure:
        """Return the signals as a table."""
        return live_static.signals(self.frame)


class LiveAccount(LiveView):
    """Position, orders and where their protection rests, the day's result, limits used, closed positions."""

    _esm = module("live_account")

    def static(self) -> go.Figure:
        """Return how much of each limit is used as a figure."""
        return live_static.limits(self.frame)


class LiveMentor(LiveView):
    """What the newest daily page says, with the evidence it stands on and the day it is about."""

    _esm = module("live_mentor")
    height = traitlets.Int(120).tag(sync=True)

    def static(self) -> go.Figure:
        """Return the advice as a table of one row."""
        return live_said.mentor(self.frame)


class LiveModel(LiveView):
    """Who judges signals, what it said of the last one, and how what it said has turned out so far."""

    _esm = module("live_model")
    height = traitlets.Int(260).tag(sync=True)

    def static(self) -> go.Figure:
        """Return the probability of each judged signal as a figure."""
        return live_said.model(self.frame)


class Console(View):
    """The whole console: it reads the running loop through JupyterLab's own connection, not through the kernel.

    Parameters
    ----------
    desk : optional
        What `mia.attach()` returns; only used where JupyterLab's proxy is missing: frames then come through the
        kernel, DISARM and HALT wait while a cell runs, and nothing can be armed.
    """

    _esm = module("console_widget")
    _css = _STYLE
    height = traitlets.Int(860, help="px at most; a notebook that shows less gets less").tag(sync=True)
    in_view = traitlets.Bool(False, help="scroll to the console when the page opens").tag(sync=True)
    status = traitlets.Dict().tag(sync=True)

    def __init__(self, desk: Any = None, **more: Any) -> None:
        super().__init__(**more)
        self._desk = desk
        self._leave: Any = None
        self._asked = 0.0
        self.on_msg(self._heard)

    def update(self, frame: Mapping[str, Any]) -> bool:
        """Take a frame that came through the kernel, and with it twice a second the guardian's word."""
        if self._desk is not None and time.monotonic() - self._asked >= STATUS_S:
            self._ask()
        return super().update(frame)

    def static(self) -> go.Figure:
        """Return the price panel of the newest frame that came through the kernel."""
        return live_static.price(self.frame, "1m")

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        """Do what the page asks where it has no line of its own: feed it, disarm, halt; never arm."""
        said = content if isinstance(content, dict) else {}
        if self._desk is None:
            return
        if said.get("command") in ("disarm", "halt"):
            self._command(said["command"])
        elif "frames" in said:
            self._feed(bool(said["frames"]))

    def _command(self, name: str) -> None:
        try:
            answer = getattr(self._desk, name)("through the kernel")
        except MiaError as error:
            self._say(None, f"{name}: {error}")
        else:
            self._say(answer, "")

    def _feed(self, wanted: bool) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None
        if not wanted:
            return
        try:
            self._leave = self._desk.follow(self)
        except MiaError as error:
            self._say(None, str(error))

    def _ask(self) -> None:
        self._asked = time.monotonic()
        try:
            self._say(self._desk.status(), "")
        except MiaError as error:
            self._say(None, str(error))

    def _say(self, guardian: Any, why: str) -> None:
        # Numbered, so that the page hears the same word again: its age is what makes it a state.
        number = int(self.status.get("number", 0)) + 1
        self.status = {"guardian": guardian, "why": why, "number": number}
