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
from widgets.gamma import (
    gamma_by_expiry,
    gamma_by_strike,
    gamma_on_price,
    gamma_profile,
    level_evolution,
    zero_dte_field,
)
from widgets.gamma_day import gamma_day
from widgets.gamma_tables import alternatives_table, defect_table, gamma_facts, level_table, unusual_table
from widgets.heat import heat
from widgets.holdings import calendar_map, gap_timeline, repair_ladder, side_agreement
from widgets.likeness import ratios, shapes
from widgets.live import (
    Console,
    LiveAccount,
    LiveBattle,
    LiveDecision,
    LiveDelta,
    LiveDepth,
    LiveLadder,
    LiveMentor,
    LiveModel,
    LivePrice,
    LiveSignals,
)
from widgets.model import (
    calibration,
    chance,
    importance,
    label_outcomes,
    overfit,
    path_fan,
    signal_equity,
    stability,
    threshold,
)
from widgets.page import Card, Html, style
from widgets.panels import es_nq, large_orders, microstructure, timeframes
from widgets.price import PriceView
from widgets.profile import profile
from widgets.scrub import Scrubber
from widgets.spread import spread, steadiness, together
from widgets.surface import term_and_skew, volatility_surface
from widgets.trade import trade
from widgets.week import week

__all__ = [
    "Card",
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
    "LiveMentor",
    "LiveModel",
    "LivePrice",
    "LiveSignals",
    "PriceView",
    "Scrubber",
    "View",
    "alternatives_table",
    "battle",
    "calendar_map",
    "calibration",
    "chance",
    "choose",
    "control",
    "defect_table",
    "es_nq",
    "footprint",
    "frame_stamp",
    "gamma_by_expiry",
    "gamma_by_strike",
    "gamma_day",
    "gamma_facts",
    "gamma_on_price",
    "gamma_profile",
    "gap_timeline",
    "heat",
    "history",
    "importance",
    "label_outcomes",
    "large_orders",
    "level_evolution",
    "level_table",
    "microstructure",
    "overfit",
    "path_fan",
    "profile",
    "ratios",
    "repair_ladder",
    "shapes",
    "side_agreement",
    "signal_equity",
    "spread",
    "stability",
    "steadiness",
    "style",
    "term_and_skew",
    "threshold",
    "timeframes",
    "together",
    "trade",
    "unusual_table",
    "volatility_surface",
    "waterfall",
    "week",
    "zero_dte_field",
    "zone_map",
]
