"""Battle Navale per timeframe: Vikings against Defenders, bases, the golden rule, Sierra patterns, one score.

How it moves: when a bar of a timeframe closes, `on_bar_close` measures the outcome of the last five bars,
looks for a base, steps the golden rule, tests the four patterns centred one bar back, lets `swings` confirm
balls, and joins view A into one score. Everything is stamped when it is known and never changes afterwards.
Prices are ticks, and a mirrored market gives mirrored numbers. Source: domain §7, §8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import TIMEFRAMES, bar_at
from mia_kernel.state.patterns import PATTERN_AGE
from mia_kernel.state.patterns import on_bar_close as pattern_on_bar_close
from mia_kernel.state.swings import BALLS, E_BASE, E_BREAK, EVENTS, note
from mia_kernel.state.swings import on_bar_close as swing_on_bar_close

# Golden-rule states.
G_NONE, G_BULL, G_BEAR, G_GREEN_BROKEN, G_RED_BROKEN = range(5)
GOLDEN_NAMES = ("none", "bull", "bear", "green_broken", "red_broken")
OUTCOME_BARS = 5
BASE_WINDOW, BOX_BARS, BOX_MOST = 15, 8, 15
BROKEN_BARS = 20
NEVER_BAR = -1_000_000


class BattleParams(BaseModel):
    """Thresholds of Battle Navale (domain §7, §8)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signal_tf_s: int = Field(
        default=300, description="timeframe of strategy and patterns: 60 300 900 3600 14400 (s)"
    )
    pattern_ticks: int = Field(default=8, ge=1, description="range of Long Down Up and Long Up Down (ticks)")
    color_ticks: int = Field(default=12, ge=1, description="leg of the Color settings (ticks)")
    base_min_height_ticks: int = Field(default=10, ge=1, description="largest base height at least (ticks)")
    base_quality_min: float = Field(
        default=0.5, ge=0, le=1, description="quality a base needs to be confirmed (0-1)"
    )
    delta_reference_1m: float = Field(
        default=1000.0, gt=0, description="delta that counts fully on 1m (contracts)"
    )
    ball_reach_bars: int = Field(
        default=3, ge=1, le=10, description="bars a swing must stand out on each side (bars)"
    )

    @field_validator("signal_tf_s")
    @classmethod
    def _is_a_timeframe(cls, value: int) -> int:
        if value not in TIMEFRAMES:
            raise ValueError(f"must be one of {TIMEFRAMES}")
        return value


BALL_DTYPE = np.dtype(
    [("px", np.int32), ("ts", np.int64), ("known", np.int64), ("bar", np.int64)], align=True
)

BATTLE_DTYPE = np.dtype(
    [
        ("p_pattern", np.int64),
        ("p_color", np.int64),
        ("p_height", np.int64),
        ("p_quality", np.float64),
        ("p_delta", np.float64),  # reference of this timeframe: 1m × √minutes
        ("p_reach", np.int64),
        ("p_is_signal", np.uint8),
        ("bars", np.int64),  # closed bars measured so far (= tf n)
        # outcome
        ("vikings", np.float64),
        ("defenders", np.float64),
        ("outcome", np.float64),  # [0,1], NaN where both are 0 or fewer than 5 bars
        # base
        ("has_base", np.uint8),  # a governing (coloured) base
        ("base_low", np.int32),
        ("base_high", np.int32),
        ("base_color", np.int8),
        ("base_quality", np.float64),
        ("base_ts", np.int64),
        ("box_has", np.uint8),  # the last confirmed base of any colour, for the re-arm rule and for drawing
        ("box_low", np.int32),
        ("box_high", np.int32),
        ("box_color", np.int8),
        ("box_quality", np.float64),
        ("box_bar", np.int64),
        ("box_left", np.uint8),
        # golden rule
        ("golden", np.int8),
        ("golden_strong", np.uint8),
        ("k", np.float64),  # signed continuation, NaN = absent
        ("violated_bar", np.int64),
        ("violated_ts", np.int64),
        ("warning", np.uint8),  # a close beyond the edge that does not violate
        # patterns
        ("pattern_strength", np.float64, (4,)),  # of the newest event of each kind, signed, NaN = never
        ("pattern_bar", np.int64, (4,)),
        (
            "pattern_ring",
            np.float64,
            (PATTERN_AGE, 4),
        ),  # signed strengths emitted at bar % PATTERN_AGE, 0 = none
        ("pattern_doubt", np.uint8, (PATTERN_AGE,)),  # 1 where one of them was rated without RVOL
        ("pattern_quality", np.float64),  # 1, or 0.7 while a pattern rated without RVOL counts
        ("completeness", np.float64),
        ("pattern", np.float64),  # P in [-1, 1], NaN before five bars could be tested
        # score A
        ("score", np.float64),
        ("confidence", np.float64),
        # balls
        ("green", BALL_DTYPE, (BALLS,)),
        ("red", BALL_DTYPE, (BALLS,)),
        ("green_n", np.int64),
        ("red_n", np.int64),
        ("up_streak", np.int32),
        ("down_streak", np.int32),
        ("compression", np.uint8),
        ("ball_trend", np.float64),  # ± weight of maturity, 0 without a trend
        ("ball_break_ts", np.int64),
        ("ball_break", np.int8),  # direction of the trend that broke last, 0 = none yet
        ("lowest_green_low", np.int32),  # low of the lowest green candle since the last green ball
        ("has_lowest_green", np.uint8),
        ("highest_red_high", np.int32),
        ("has_highest_red", np.uint8),
        ("leg_high", np.int32),  # extremes since the last ball of each colour
        ("leg_low", np.int32),
        ("pullback", np.float64),  # depth of the pullback in the last leg on the trend's side, NaN without
        ("ball_stop", np.int32),
        ("has_ball_stop", np.uint8),
        # what views draw
        ("event_kind", np.int8, (EVENTS,)),
        ("event_side", np.int8, (EVENTS,)),
        ("event_px", np.int32, (EVENTS,)),
        ("event_to", np.int32, (EVENTS,)),  # the other edge of a base, else the same price
        ("event_ts", np.int64, (EVENTS,)),
        ("event_n", np.int64),
    ],
    align=True,
)


def init(record: Any, params: BattleParams) -> None:
    """Make `record` (BATTLE_DTYPE, shape (5,)) five untouched battles."""
    record[...] = np.zeros((), BATTLE_DTYPE)
    minutes = np.array(TIMEFRAMES) / 60
    record["p_pattern"], record["p_color"] = params.pattern_ticks, params.color_ticks
    record["p_height"], record["p_quality"] = params.base_min_height_ticks, params.base_quality_min
    record["p_delta"] = params.delta_reference_1m * np.sqrt(minutes)
    record["p_reach"] = params.ball_reach_bars
    record["p_is_signal"] = np.array(TIMEFRAMES) == params.signal_tf_s
    for name in (
        "outcome",
        "base_quality",
        "box_quality",
        "k",
        "completeness",
        "pattern",
        "pattern_quality",
        "score",
    ):
        record[name] = np.nan
    for name in ("confidence", "pullback", "pattern_strength", "vikings", "defenders"):
        record[name] = np.nan
    record["pattern_bar"] = NEVER_BAR
    record["box_bar"] = NEVER_BAR


@kernel
def on_session(s: Record) -> None:
    """A new trading day: the golden rule starts from `none`."""
    for k in range(5):
        w = s["battle"][k]
        w["golden"], w["golden_strong"], w["k"], w["has_base"] = G_NONE, 0, np.nan, 0


@kernel
def on_bar_close(s: Record, tf: int) -> None:
    """Measure timeframe `tf` after its newest bar has closed."""
    t, w = s["tf"][tf], s["battle"][tf]
    w["bars"] = t["n"]
    _outcome(t, w)
    _golden_step(t, w)
    _base(t, w)
    pattern_on_bar_close(t, w)
    swing_on_bar_close(t, w)
    _score(w)


@kernel
def _outcome(t: Record, w: Record) -> None:
    """Weigh the coloured bars of the last five, then the newest bar's flow (domain §7.1)."""
    w["outcome"] = np.nan
    if t["n"] < OUTCOME_BARS:
        return
    vikings, defenders = 0.0, 0.0
    for j in range(OUTCOME_BARS - 1, -1, -1):
        bar = bar_at(t, j)
        body, span = bar["close"] - bar["open"], bar["high"] - bar["low"]
        ratio = abs(body) / span if span > 0 else 0.0
        push = 0.8 * ratio if ratio > 0.6 else 0.0
        if bar["rvol"] == bar["rvol"]:
            push += 0.2 * min(bar["rvol"], 2.0)
        if body > 0:
            vikings += push
        elif body < 0:
            defenders += push
    bar = bar_at(t, 0)
    bought, sold = bar["ask_volume"], bar["bid_volume"]
    if bar["known_volume"] > 0:
        lean = 0.5 * min(abs(bought - sold) / w["p_delta"], 1.0)
        if bought > sold:
            vikings += lean
        elif bought < sold:
            defenders += lean
        # a > 0.6 and a < 0.4 in whole contracts, so that the mirror is exact.
        if 10 * bought > 6 * (bought + sold):
            vikings += 0.3
        elif 10 * sold > 6 * (bought + sold):
            defenders += 0.3
    w["vikings"], w["defenders"] = vikings, defenders
    if vikings + defenders > 0:
        w["outcome"] = vikings / (vikings + defenders)


@kernel
def _base(t: Record, w: Record) -> None:
    """Confirm a base at the close of the first bar that meets every condition (domain §7.2)."""
    n = t["n"]
    newest = bar_at(t, 0)
    if w["box_has"] and not (w["box_low"] <= newest["close"] <= w["box_high"]):
        w["box_left"] = 1
    if n < BASE_WINDOW or (w["box_has"] and not w["box_left"] and n - 1 - w["box_bar"] < BOX_BARS):
        return
    low, high = _range(t, BOX_BARS)
    wide_low, wide_high = _range(t, BASE_WINDOW)
    if not newest["atr"] > 0:
        return
    most = max(float(w["p_height"]), 0.5 * newest["atr"])
    if not _std_close(t, BASE_WINDOW) < 0.3 * (wide_high - wide_low) or high - low > most:
        return
    quality = base_quality(t, low, high, w["p_height"] * (high - low) / most)
    if not quality > w["p_quality"]:
        return
    color = _color(t)
    w["box_has"], w["box_left"], w["box_bar"] = 1, 0, n - 1
    w["box_low"], w["box_high"], w["box_color"], w["box_quality"] = low, high, color, quality
    note(w, E_BASE, color, low if color >= 0 else high, newest["end"])
    w["event_to"][(w["event_n"] - 1) % EVENTS] = high if color >= 0 else low
    if color != 0:
        _govern(w, low, high, color, quality, newest["end"])


@kernel
def _range(t: Record, bars: int) -> tuple[int, int]:
    low, high = bar_at(t, 0)["low"], bar_at(t, 0)["high"]
    for j in range(1, bars):
        low, high = min(low, bar_at(t, j)["low"]), max(high, bar_at(t, j)["high"])
    return low, high


@kernel
def _std_close(t: Record, bars: int) -> float:
    reference = bar_at(t, 0)["close"]
    total, squares = 0, 0
    for j in range(bars):
        d = bar_at(t, j)["close"] - reference
        total += d
        squares += d * d
    # Whole numbers, so that a mirrored market gives the same bits.
    return np.sqrt(bars * squares - total * total) / bars


@kernel
def base_quality(t: Record, low: int, high: int, scaled_height: float) -> float:
    """Return q = 0.30·min(n/10,1) + 0.20·size + 0.25·clip(1 − std(V)/mean(V),0,1) + 0.25·inside.

    `scaled_height` is h·10T/h_max in ticks. n counts the newest bars wholly inside the box (8 to 15).
    """
    count = 0
    for j in range(min(BOX_MOST, t["n"])):
        bar = bar_at(t, j)
        if bar["low"] < low or bar["high"] > high:
            break
        count += 1
    if 2.0 <= scaled_height <= 6.0:
        size = 1.0
    else:
        size = 0.7 if 1.0 <= scaled_height <= 8.0 else 0.3
    total, squares, inside = 0, 0, 0
    for j in range(BOX_BARS):
        bar = bar_at(t, j)
        total += bar["volume"]
        squares += bar["volume"] * bar["volume"]
        # The middle half of the box: |close − centre| ≤ height/4, in whole numbers.
        inside += 1 if 2 * abs(2 * bar["close"] - low - high) <= high - low else 0
    steady = 0.0
    if total > 0:
        deviation = np.sqrt(float(BOX_BARS * squares - total * total)) / total
        steady = min(max(1.0 - deviation, 0.0), 1.0)
    return 0.30 * min(count / 10.0, 1.0) + 0.20 * size + 0.25 * steady + 0.25 * inside / BOX_BARS


@kernel
def _color(t: Record) -> int:
    """Return +1 if ≥ 3 of the last 4 close-to-close changes are up, −1 if ≥ 3 are down, else 0."""
    up, down = 0, 0
    for j in range(4):
        change = bar_at(t, j)["close"] - bar_at(t, j + 1)["close"]
        up += 1 if change > 0 else 0
        down += 1 if change < 0 else 0
    if up >= 3:
        return 1
    return -1 if down >= 3 else 0


@kernel
def _govern(w: Record, low: int, high: int, color: int, quality: float, ts: int) -> None:
    """A coloured base replaces any state of the golden rule (domain §7.3)."""
    w["has_base"], w["base_low"], w["base_high"] = 1, low, high
    w["base_color"], w["base_quality"], w["base_ts"] = color, quality, ts
    w["golden"] = G_BULL if color > 0 else G_BEAR
    o = w["outcome"]
    strong = o > 0.7 if color > 0 else o < 0.3
    w["golden_strong"] = 1 if strong else 0
    w["k"] = color * (0.6 if strong else 0.2)
    w["warning"] = 0


@kernel
def _golden_step(t: Record, w: Record) -> None:
    """Test the newest bar against the governing base; one violation ends it.

    The tolerance of half a tick means: a red close at least one tick below a green base.
    """
    bar = bar_at(t, 0)
    red, green = bar["close"] < bar["open"], bar["close"] > bar["open"]
    w["warning"] = 0
    if w["golden"] == G_BULL and bar["close"] < w["base_low"]:
        if red:
            _violate(t, w, G_GREEN_BROKEN, -0.6, bar)
        else:
            w["warning"] = 1
    elif w["golden"] == G_BEAR and bar["close"] > w["base_high"]:
        if green:
            _violate(t, w, G_RED_BROKEN, 0.6, bar)
        else:
            w["warning"] = 1
    elif w["golden"] >= G_GREEN_BROKEN and t["n"] - 1 - w["violated_bar"] >= BROKEN_BARS:
        w["golden"], w["k"] = G_NONE, np.nan
    if w["golden"] == G_BULL or w["golden"] == G_BEAR:
        # Strength follows the outcome while the base holds.
        side = 1 if w["golden"] == G_BULL else -1
        strong = w["outcome"] > 0.7 if side > 0 else w["outcome"] < 0.3
        w["golden_strong"] = 1 if strong else 0
        w["k"] = side * (0.6 if strong else 0.2)


@kernel
def _violate(t: Record, w: Record, state: int, k: float, bar: Record) -> None:
    w["golden"], w["k"], w["has_base"], w["golden_strong"] = state, k, 0, 0
    w["violated_bar"], w["violated_ts"] = t["n"] - 1, bar["end"]
    note(w, E_BREAK, 1 if k > 0 else -1, bar["close"], bar["end"])


@kernel
def _score(w: Record) -> None:
    """Join view A: s = clip(0.40·(2o−1) + 0.35·k + 0.25·dir·q + 0.15·P, ±1); not ready without an outcome."""
    o, k, p = w["outcome"], w["k"], w["pattern"]
    w["score"], w["confidence"] = np.nan, np.nan
    if o != o:
        return
    total = 0.40 * (2.0 * o - 1.0)
    known, parts = 0.0, 0
    if k == k:
        total += 0.35 * k
        known += abs(k)
        parts += 1
    if w["has_base"]:
        total += 0.25 * w["base_color"] * w["base_quality"]
        known += w["base_quality"]
        parts += 1
    if p == p:
        total += 0.15 * p
    strength, patterns = 0.0, 0
    for kind in range(4):
        if w["bars"] - 1 - w["pattern_bar"][kind] <= PATTERN_AGE:
            strength += abs(w["pattern_strength"][kind])
            patterns += 1
    if patterns > 0:
        known += strength / patterns
        parts += 1
    total = min(max(total, -1.0), 1.0)
    w["score"] = total
    w["confidence"] = (known + abs(total)) / (parts + 1)
