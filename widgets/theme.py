"""Colours, sizes and the plotly template: one place, so that a thing looks the same everywhere.

Colour means side, level family or alarm, and nothing else. Figures have no background of their own and a
text grey that reads on dark and on light; a report's page replaces the tokens by those of its theme.
"""

from __future__ import annotations

from typing import Any, Literal

Palette = Literal["classic", "colour_blind"]

BUY, SELL = "#2fbf8f", "#e5604d"
BUY_SAFE, SELL_SAFE = "#4c9be8", "#f2a33a"
NEUTRAL, ALARM, CAUTION = "#8b93a1", "#ff3b5c", "#e8b84a"
TEXT = "#727b89"
GRID = "rgba(139,147,161,0.22)"

DARK = {"surface": "#12151b", "raised": "#1a1f27", "line": "#232a34", "text": "#e6e9ef", "muted": "#9aa3b2"}
LIGHT = {"surface": "#ffffff", "raised": "#f4f6f9", "line": "#d9dee6", "text": "#1b212b", "muted": "#5b6573"}

LIGHT_MARKS = {
    BUY: "#138a63",
    SELL: "#c9402c",
    BUY_SAFE: "#1f6fbe",
    SELL_SAFE: "#b06a00",
    "#f2c14e": "#9a7400",
    "#60a5fa": "#2563c9",
    "#a78bfa": "#7250d8",
    CAUTION: "#8f6a00",
}
"""What a mark becomes on white, where the dark theme's colour would fall under 3:1."""

FAMILIES = {
    "gamma": "#a78bfa",
    "profile": "#60a5fa",
    "vwap": "#f2c14e",
    "previous": NEUTRAL,
    "session": NEUTRAL,
    "round": "rgba(139,147,161,0.5)",
}

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
SIZES = (11, 13, 16, 24)

STAMPS = {"synthetic": "SYNTHETIC", "replay": "REPLAY", "imported": "REPLAY"}


def side_colour(side: float, palette: Palette = "classic") -> str:
    """Return the colour of a side: above 0 buy, below 0 sell, else neutral."""
    buy, sell = (BUY, SELL) if palette == "classic" else (BUY_SAFE, SELL_SAFE)
    return buy if side > 0 else sell if side < 0 else NEUTRAL


def layout(height: int, **more: Any) -> dict[str, Any]:
    """Return the plotly layout that every figure shares."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 84, "t": 28, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": SANS, "size": SIZES[0], "color": TEXT},
        "hovermode": "x unified",
        "hoverlabel": {"font": {"family": SANS, "size": SIZES[0]}},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": SIZES[0]}},
        "dragmode": "pan",
        "autosize": True,
        "template": {"data": {}, "layout": {}},
    }
    return {**base, **more}


def axis(**more: Any) -> dict[str, Any]:
    """Return the axis that every figure shares: hairline grid, no frame, numbers on the right."""
    base: dict[str, Any] = {
        "gridcolor": GRID,
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": SIZES[0]},
    }
    return {**base, **more}


def stamp(text: str | None, *, x: float = 0.5, y: float = 0.5) -> list[dict[str, Any]]:
    """Return the annotation that says across a panel what it is not (SYNTHETIC, REPLAY, STALE, UNKNOWN)."""
    if not text:
        return []
    return [
        {
            "text": text,
            "xref": "paper",
            "yref": "paper",
            "x": x,
            "y": y,
            "showarrow": False,
            "textangle": -18,
            "font": {"size": 88, "color": "rgba(139,147,161,0.16)", "family": SANS},
            "name": "stamp",
        }
    ]
