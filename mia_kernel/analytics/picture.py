"""The day as one frame of arrays: what the views draw, live or in a report.

How it moves: closed bars (stored in the journal, prices in ticks) give candles, VWAP and delta; where none
were stored the candles are made of the decision prices, every 15 s, and the frame says so. Decisions give
score and levels, round trips the entries and the equity, refused signals the hollow marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mia_kernel.analytics.equity import marked_equity
from mia_kernel.analytics.say import Say, mark, marks
from mia_kernel.analytics.table import DecisionTable
from mia_kernel.core.decisions import CONTEXT_NAMES, Decision
from mia_kernel.core.instrument import TICK_POINTS
from mia_kernel.core.orders import RoundTrip

MINUTE_NS = 60_000_000_000

LEVELS = (
    ("POC", "poc_ticks", "profile", "solid"),
    ("VAH", "vah_ticks", "profile", "dash"),
    ("VAL", "val_ticks", "profile", "dash"),
    ("High", "session_high_ticks", "session", "dot"),
    ("Low", "session_low_ticks", "session", "dot"),
)
"""Levels a decision carries: label, context column, family, line."""


PICTURE_WORDS = marks(
    "Price (points) · New York time", "Score S, −1 to +1", "Delta per bar and cumulative (contracts)",
    "Equity, marked (USD)", "No price: the run has no decision.", "round trip", "refused signal", "entry", "score",
    "equity", "delta", "cumulative delta", "stop", "target", "day", "running", "trade", "no trade", "SYNTHETIC",
    "REPLAY", "Days and running (USD)", "Each trade (USD)", "call wall", "put wall",
    "zero gamma", "0DTE call wall", "0DTE put wall", "pin", "expected range, 1 SD", "not in the picture: ",
    "Price with the levels then in force (points), modelled: dealers long calls, short puts",
)  # fmt: skip
"""What the pictures of a page say, word for word as the views write it."""


def picture_words(say: Say) -> dict[str, str]:
    """Return what the pictures of a page say in the reader's language; empty where it is that of the code."""
    return {text: said for text in PICTURE_WORDS if (said := say(text)) != text}


def day_frame(
    table: DecisionTable,
    trips: Sequence[RoundTrip],
    *,
    title: str,
    source_tag: str,
    capital_cents: int,
    bars: Any = None,
) -> dict[str, Any]:
    """Return the frame of a day for price, delta, equity and day views.

    Parameters
    ----------
    table : DecisionTable
    trips : sequence of RoundTrip
    title : str
    source_tag : str
        `synthetic`, `replay`, `imported` or `live`; it decides what is stamped across.
    capital_cents : int
    bars : structured array, optional
        Closed bars with `end`, `open`, `high`, `low`, `close`, `volume`, `bid_volume`, `ask_volume`,
        `known_volume`, `cvd`, `vwap`, `vwap_sd` (prices in ticks).

    Returns
    -------
    dict
        Series in points and ns UTC, see `widgets/base.py`; `bars_from` says what the candles are made of.
    """
    ts = table.column("ts_event")
    frame: dict[str, Any] = {
        "title": title,
        "source_tag": source_tag,
        "seq": len(table),
        "ts_event": int(ts[-1]) if len(ts) else None,
        "score": {"ts": ts, "total": table.column("heads")[:, 0]},
        "trips": _trips(trips),
        "entries": _entries(trips),
        "refused": _refused(table.signals),
        "levels": _levels(table),
        "equity": _equity(table, trips, capital_cents),
    }
    if bars is not None:
        # A warm-up session in front is not this day.
        bars = bars[bars["end"] >= ts[0]] if len(ts) else bars[:0]
    stored = bars is not None and len(bars) > 0
    frame.update(_from_bars(bars) if stored else _from_decisions(table))
    return frame


def _from_bars(bars: Any) -> dict[str, Any]:
    vwap, sd = bars["vwap"] * TICK_POINTS, bars["vwap_sd"] * TICK_POINTS
    found = {
        "bars": {
            "ts": bars["start"] if "start" in (bars.dtype.names or ()) else bars["end"],
            **{name: bars[name] * TICK_POINTS for name in ("open", "high", "low", "close")},
            "volume": bars["volume"],
        },
        "lines": {"vwap": vwap, "vwap_upper": vwap + sd, "vwap_lower": vwap - sd},
        "bars_from": mark("the source's own trades and bars"),
    }
    known = bars["known_volume"] > 0
    if known.any():
        delta = np.where(known, (bars["ask_volume"] - bars["bid_volume"]).astype(np.float64), np.nan)
        found["delta"] = {
            "ts": found["bars"]["ts"],
            "delta": delta,
            "cumulative": np.where(known, bars["cvd"].astype(np.float64), np.nan),
        }
    return found


def _from_decisions(table: DecisionTable) -> dict[str, Any]:
    ts, price = table.column("ts_event"), table.column("price_ticks") * TICK_POINTS
    if len(ts) == 0:
        return {"bars": {}, "bars_from": mark("nothing: no decision was taken")}
    minute = ts // MINUTE_NS
    start = np.flatnonzero(np.concatenate([[True], minute[1:] != minute[:-1]]))
    last = np.concatenate([start[1:] - 1, [len(ts) - 1]])
    vwap, sd = (
        context(table, "vwap_ticks")[last] * TICK_POINTS,
        context(table, "vwap_sd_ticks")[last] * TICK_POINTS,
    )
    found = {
        "bars": {
            "ts": minute[start] * MINUTE_NS,
            "open": price[start],
            "high": np.maximum.reduceat(price, start),
            "low": np.minimum.reduceat(price, start),
            "close": price[last],
        },
        "lines": {"vwap": vwap, "vwap_upper": vwap + sd, "vwap_lower": vwap - sd},
        "bars_from": mark("the price at each decision, not every trade"),
    }
    running = context(table, "cumulative_delta")[last]
    if np.isfinite(running).any():
        found["delta"] = {
            "ts": minute[start] * MINUTE_NS,
            "delta": np.diff(running, prepend=np.nan),
            "cumulative": running,
        }
    return found


def context(table: DecisionTable, name: str) -> Any:
    """Return one context column of the decisions, NaN where unknown."""
    return table.column("context")[:, CONTEXT_NAMES.index(name)]


def _levels(table: DecisionTable) -> list[dict[str, Any]]:
    if len(table) == 0:
        return []
    out: list[dict[str, Any]] = []
    for name, column, family, style in LEVELS:
        known = context(table, column)
        known = known[np.isfinite(known)]
        if len(known):
            price = float(known[-1]) * TICK_POINTS
            out.append({"name": f"{name} {price:.2f}", "family": family, "price": price, "style": style})
    return out


def _trips(trips: Sequence[RoundTrip]) -> dict[str, Any]:
    return {
        "entry_ts": np.array([t.entry_ts for t in trips], np.int64),
        "exit_ts": np.array([t.exit_ts for t in trips], np.int64),
        "entry": np.array([t.entry_ticks for t in trips], np.float64) * TICK_POINTS,
        "exit": np.array([t.exit_ticks for t in trips], np.float64) * TICK_POINTS,
        "side": np.array([t.side for t in trips], np.float64),
        "net_usd": np.array([t.net_cents for t in trips], np.float64) / 100,
    }


def _entries(trips: Sequence[RoundTrip]) -> dict[str, Any]:
    return {
        "ts": np.array([t.entry_ts for t in trips], np.int64),
        "price": np.array([t.entry_ticks for t in trips], np.float64) * TICK_POINTS,
        "side": np.array([t.side for t in trips], np.float64),
        "text": [f"{'long' if t.side > 0 else 'short'} {t.qty} {t.symbol}" for t in trips],
    }


def _refused(signals: Sequence[tuple[int, Decision]]) -> dict[str, Any]:
    found = [d for _, d in signals if d.signal is not None and not (d.verdict and d.verdict.allowed)]
    return {
        "ts": np.array([d.ts_event for d in found], np.int64),
        "price": np.array([d.price_ticks for d in found], np.float64) * TICK_POINTS,
        "side": np.array([d.signal.side if d.signal else 0 for d in found], np.float64),
        "text": [f"refused: {d.verdict.code if d.verdict else 'not asked'}" for d in found],
    }


def _equity(table: DecisionTable, trips: Sequence[RoundTrip], capital_cents: int) -> Mapping[str, Any]:
    curve = marked_equity(
        trips,
        capital_cents=capital_cents,
        mark_ts=table.column("ts_event"),
        mark_ticks=table.column("price_ticks").astype(np.float64),
    )
    if len(curve.ts) < 2:
        return {}
    # The repeated first point carries the starting capital; a chart needs it once.
    return {"ts": curve.ts[1:], "usd": curve.cents[1:] / 100, "low_usd": curve.low_cents[1:] / 100}
