"""Swings: view B of Battle Navale, the balls and the golden rule of balls.

How it moves: a ball is a swing point strictly beyond the bars on each side, known when the last of those
has closed. Green balls are swing lows, red ones swing highs. Streaks of rising green or falling red balls
make a trend; a break restarts them. Source: domain §8.2.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at

BALLS = 64
FRESH, MATURE, EXTENDED = 1.0, 0.8, 0.5
STOP_TICKS = 3
TREND_STREAK = 3
EVENTS = 64
E_BASE, E_BREAK, E_PATTERN, E_GREEN_BALL, E_RED_BALL, E_BALL_BREAK = range(1, 7)


@kernel
def note(w: Record, kind: int, side: int, px: int, ts: int) -> None:
    """Remember an event for the views, stamped when it was known."""
    at = w["event_n"] % EVENTS
    w["event_kind"][at], w["event_side"][at] = kind, side
    w["event_px"][at], w["event_to"][at], w["event_ts"][at] = px, px, ts
    w["event_n"] += 1


@kernel
def on_bar_close(t: Record, w: Record) -> None:
    """Confirm the ball `reach` bars back, then look for a break on the bar that closed."""
    reach = w["p_reach"]
    bar = bar_at(t, 0)
    low_ball = high_ball = 0
    if t["n"] >= 2 * reach + 1:
        pivot = bar_at(t, reach)
        low_ball, high_ball = 1, 1
        for d in range(1, reach + 1):
            newer, older = bar_at(t, reach - d), bar_at(t, reach + d)
            if not (pivot["low"] < newer["low"] and pivot["low"] < older["low"]):
                low_ball = 0
            if not (pivot["high"] > newer["high"] and pivot["high"] > older["high"]):
                high_ball = 0
        _ball_breaks(w, pivot, low_ball, high_ball, bar["end"])
        if low_ball:
            _green(t, w, pivot["low"], pivot["end"], bar["end"])
        if high_ball:
            _red(t, w, pivot["high"], pivot["end"], bar["end"])
    _candles(t, w, low_ball, high_ball)
    _trend(t, w)


@kernel
def _ball_breaks(w: Record, pivot: Record, low_ball: int, high_ball: int, known: int) -> None:
    """A red ball below the last green one breaks an uptrend; and its mirror.

    Both are tested before either new ball is stored: one bar may be a swing high and a swing low.
    """
    up_broken = high_ball and w["up_streak"] >= TREND_STREAK
    down_broken = low_ball and w["down_streak"] >= TREND_STREAK
    if up_broken and w["green_n"] > 0 and pivot["high"] < w["green"][(w["green_n"] - 1) % BALLS]["px"]:
        _break(w, 1, pivot["high"], known)
    if down_broken and w["red_n"] > 0 and pivot["low"] > w["red"][(w["red_n"] - 1) % BALLS]["px"]:
        _break(w, -1, pivot["low"], known)


@kernel
def _green(t: Record, w: Record, px: int, ts: int, known: int) -> None:
    n = w["green_n"]
    rising = n > 0 and px > w["green"][(n - 1) % BALLS]["px"]
    b = w["green"][n % BALLS]
    b["px"], b["ts"], b["known"], b["bar"] = px, ts, known, t["n"] - 1 - w["p_reach"]
    w["green_n"] = n + 1
    w["up_streak"] = w["up_streak"] + 1 if rising and w["up_streak"] > 0 else 1
    note(w, E_GREEN_BALL, 1, px, known)


@kernel
def _red(t: Record, w: Record, px: int, ts: int, known: int) -> None:
    n = w["red_n"]
    falling = n > 0 and px < w["red"][(n - 1) % BALLS]["px"]
    b = w["red"][n % BALLS]
    b["px"], b["ts"], b["known"], b["bar"] = px, ts, known, t["n"] - 1 - w["p_reach"]
    w["red_n"] = n + 1
    w["down_streak"] = w["down_streak"] + 1 if falling and w["down_streak"] > 0 else 1
    note(w, E_RED_BALL, -1, px, known)


@kernel
def _break(w: Record, side: int, px: int, ts: int) -> None:
    """The trend of `side` is over: its streak restarts at 0."""
    if side > 0:
        w["up_streak"] = 0
    else:
        w["down_streak"] = 0
    w["ball_break"], w["ball_break_ts"] = side, ts
    note(w, E_BALL_BREAK, -side, px, ts)


@kernel
def _candles(t: Record, w: Record, new_green: int, new_red: int) -> None:
    """A red candle closing below the lowest green candle since the last green ball's pivot breaks; and its mirror.

    The candles since the pivot, its own among them, have closed before the ball is known: they are read again.
    """
    if new_green:
        w["has_lowest_green"] = 0
        for j in range(w["p_reach"], 0, -1):
            _green_candle(w, bar_at(t, j))
    if new_red:
        w["has_highest_red"] = 0
        for j in range(w["p_reach"], 0, -1):
            _red_candle(w, bar_at(t, j))
    bar = bar_at(t, 0)
    green, red = bar["close"] > bar["open"], bar["close"] < bar["open"]
    if (
        red
        and w["up_streak"] >= TREND_STREAK
        and w["has_lowest_green"]
        and bar["close"] < w["lowest_green_low"]
    ):
        _break(w, 1, bar["close"], bar["end"])
    if (
        green
        and w["down_streak"] >= TREND_STREAK
        and w["has_highest_red"]
        and bar["close"] > w["highest_red_high"]
    ):
        _break(w, -1, bar["close"], bar["end"])
    _green_candle(w, bar)
    _red_candle(w, bar)


@kernel
def _green_candle(w: Record, bar: Record) -> None:
    if bar["close"] > bar["open"] and (not w["has_lowest_green"] or bar["low"] < w["lowest_green_low"]):
        w["lowest_green_low"], w["has_lowest_green"] = bar["low"], 1


@kernel
def _red_candle(w: Record, bar: Record) -> None:
    if bar["close"] < bar["open"] and (not w["has_highest_red"] or bar["high"] > w["highest_red_high"]):
        w["highest_red_high"], w["has_highest_red"] = bar["high"], 1


@kernel
def _trend(t: Record, w: Record) -> None:
    up, down = w["up_streak"] >= TREND_STREAK, w["down_streak"] >= TREND_STREAK
    w["compression"] = 1 if up and down else 0
    w["ball_trend"], w["pullback"], w["has_ball_stop"] = 0.0, np.nan, 0
    if up == down:
        return
    if up:
        w["ball_trend"] = maturity(w["up_streak"])
        ball, before = w["green"][(w["green_n"] - 1) % BALLS], w["green"][(w["green_n"] - 2) % BALLS]
        w["ball_stop"], w["has_ball_stop"] = before["px"] - STOP_TICKS, 1
    else:
        w["ball_trend"] = -maturity(w["down_streak"])
        ball, before = w["red"][(w["red_n"] - 1) % BALLS], w["red"][(w["red_n"] - 2) % BALLS]
        w["ball_stop"], w["has_ball_stop"] = before["px"] + STOP_TICKS, 1
    w["pullback"] = pullback_depth(t, ball["bar"], ball["px"], 1 if up else -1)


@kernel
def maturity(streak: int) -> float:
    """Return the weight of a streak: 3 fresh, 4–5 mature, ≥ 6 extended."""
    if streak >= 6:
        return EXTENDED
    return MATURE if streak >= 4 else FRESH


@kernel
def pullback_depth(t: Record, ball_bar: int, ball_px: int, side: int) -> float:
    """Return how deep the close lies in the leg from the last ball to the extreme after it, NaN without a leg."""
    newest = t["n"] - 1
    span = min(newest - ball_bar, 250)
    extreme = ball_px
    for j in range(span):
        bar = bar_at(t, j)
        reach = bar["high"] if side > 0 else bar["low"]
        if side * (reach - extreme) > 0:
            extreme = reach
    leg = side * (extreme - ball_px)
    if leg <= 0:
        return np.nan
    return side * (extreme - bar_at(t, 0)["close"]) / leg
