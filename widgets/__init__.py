"""Views: they get plain frames (arrays, numbers, words) and draw; they never decide.

Each view is an anywidget for a live notebook and, by `static()`, a plotly figure of the same frame for
analysis and reports. Colours and words come from `theme`, and from there only.
"""

from widgets.base import View, frame_stamp
from widgets.confluence import history, waterfall, zone_map
from widgets.day import DayView
from widgets.delta import DeltaView
from widgets.equity import EquityView
from widgets.page import Html, style
from widgets.price import PriceView
from widgets.spread import spread

__all__ = [
    "DayView",
    "DeltaView",
    "EquityView",
    "Html",
    "PriceView",
    "View",
    "frame_stamp",
    "history",
    "spread",
    "style",
    "waterfall",
    "zone_map",
]
