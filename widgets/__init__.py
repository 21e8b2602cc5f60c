"""Views: they get plain frames (arrays, numbers, words) and draw; they never decide.

Each view is an anywidget for a live notebook and, by `static()`, a plotly figure of the same frame for
analysis and reports. Colours and words come from `theme`, and from there only.
"""

from widgets.base import View, frame_stamp
from widgets.battle import battle
from widgets.confluence import history, waterfall, zone_map
from widgets.control import control
from widgets.controls import choose
from widgets.day import DayView
from widgets.delta import DeltaView
from widgets.equity import EquityView
from widgets.footprint import footprint
from widgets.heat import heat
from widgets.holdings import calendar_map, gap_timeline, repair_ladder, side_agreement
from widgets.live import (
    Console,
    LiveAccount,
    LiveBattle,
    LiveDecision,
    LiveDelta,
    LiveDepth,
    LiveLadder,
    LivePrice,
    LiveSignals,
)
from widgets.page import Html, style
from widgets.panels import es_nq, large_orders, microstructure, timeframes
from widgets.price import PriceView
from widgets.profile import profile
from widgets.spread import spread

__all__ = [
    "Console",
    "DayView",
    "DeltaView",
    "EquityView",
    "Html",
    "LiveAccount",
    "LiveBattle",
    "LiveDecision",
    "LiveDelta",
    "LiveDepth",
    "LiveLadder",
    "LivePrice",
    "LiveSignals",
    "PriceView",
    "View",
    "battle",
    "calendar_map",
    "choose",
    "control",
    "es_nq",
    "footprint",
    "frame_stamp",
    "gap_timeline",
    "heat",
    "history",
    "large_orders",
    "microstructure",
    "profile",
    "repair_ladder",
    "side_agreement",
    "spread",
    "style",
    "timeframes",
    "waterfall",
    "zone_map",
]
