"""Gather what gates and limits look at from the market state, once per decision, into one flat record.

Everything the risk room takes from other rooms' records passes here, so a gate reads one name with one
unit, and a test can ask any gate without a market. NaN stays NaN: unknown.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.core.phases import BREAK, CLOSED_PHASES, PHASES
from mia_kernel.state import season
from mia_kernel.state.bars import bar_at
from mia_kernel.state.fomo import fomo
from mia_kernel.state.ledger import ENTRY_RING, SLIPPAGE_RING
from mia_kernel.state.regime import M_RANGE, V_EXTREME, V_NORMAL
from mia_kernel.state.trend import is_trend
from mia_kernel.state.volatility import VolatilityParams

MINUTE = 60_000_000_000
PHASE_SIZE = tuple(phase.size_multiplier for phase in PHASES)
PHASE_THRESHOLD = tuple(
    math.nan if phase.minimum_confluence_percent is None else phase.minimum_confluence_percent
    for phase in PHASES
)
PHASE_CLOSED = tuple(1 if phase.code in CLOSED_PHASES else 0 for phase in PHASES)
ENTRY_FROM_MIN, ENTRY_UNTIL_MIN = 5, 15
"""`rth_only` entries: from 5 minutes after the RTH open until 15 before its end (09:35-15:45)."""
LONG_BREAK_MIN = 120.0
"""A closed time longer than this is a weekend or holiday; the daily break takes 60 minutes."""
EXPLOSIVE = 2.0
"""Volatility trend per 5m bar above which it rises explosively."""
TIGHT_RANGE_TICKS = 20
THRESHOLD_LOW, THRESHOLD_HIGH = 60.0, 95.0

REGIME_TABLE_DTYPE = np.dtype(
    [("threshold", np.float64), ("size", np.float64), ("max_position", np.float64)], align=True
)


def regime_table(params: VolatilityParams) -> NDArray[Any]:
    """Return what the gate needs of the volatility table, by regime code."""
    rows = [(row.battle_threshold, row.size, row.max_position) for row in params.rows()]
    return np.array(rows, REGIME_TABLE_DTYPE)


@kernel
def from_session(row: Record, ts: int, x: Record) -> None:
    """Phase, hours and the distance to the next close, from a row of SESSION_DTYPE."""
    phase = BREAK
    for k in range(row["phase_count"]):
        if ts >= row["phase_start_ns"][k]:
            phase = row["phase_code"][k]
    is_open = PHASE_CLOSED[phase] == 0 and ts >= row["open_ns"]
    x["phase"] = phase
    x["is_open"] = 1 if is_open else 0
    x["phase_size"] = PHASE_SIZE[phase] if is_open else 0.0
    x["phase_threshold"] = PHASE_THRESHOLD[phase] if is_open else np.nan
    in_rth = row["has_rth"] != 0 and row["rth_open_ns"] <= ts and ts < row["rth_close_ns"]
    x["is_rth"] = 1 if in_rth else 0
    x["to_rth_end_min"] = (row["rth_close_ns"] - ts) / MINUTE if in_rth else np.nan
    first = row["rth_open_ns"] + ENTRY_FROM_MIN * MINUTE
    last = row["rth_close_ns"] - ENTRY_UNTIL_MIN * MINUTE
    x["in_entry_hours"] = 1 if in_rth and first <= ts and ts < last else 0
    close = row["close_ns"]
    reopen = row["next_open_ns"]
    if row["pause_start_ns"] < row["pause_end_ns"] and ts < row["pause_start_ns"]:
        close = row["pause_start_ns"]
        reopen = row["pause_end_ns"]
    x["to_close_min"] = (close - ts) / MINUTE if is_open else np.nan
    x["long_break_ahead"] = 1 if reopen == 0 or (reopen - close) / MINUTE > LONG_BREAK_MIN else 0


@kernel
def from_account(a: Record, ts: int, x: Record) -> None:
    """Money, position, counts and the last fills, from a row of ACCOUNT_DTYPE."""
    x["day"] = a["day"]
    x["week"] = a["week"]
    x["equity_usd"] = a["equity_cents"] / 100.0
    x["day_net_usd"] = (a["equity_cents"] - a["day_start_cents"]) / 100.0
    x["week_net_usd"] = (a["equity_cents"] - a["week_start_cents"]) / 100.0
    peak = a["peak_cents"]
    x["drawdown_percent"] = 100.0 * (peak - a["equity_cents"]) / peak if peak > 0 else np.nan
    x["open_risk_usd"] = a["open_risk_cents"] / 100.0
    x["es_position"] = a["es_position"]
    x["brackets"] = a["brackets"]
    x["trades_today"] = a["trades_today"]
    hour = 0
    for i in range(min(a["entries"], ENTRY_RING)):
        if ts - a["entry_ts"][i] < 60 * MINUTE:
            hour += 1
    x["trades_hour"] = hour
    x["consecutive_losses"] = a["consecutive_losses"]
    x["since_loss_min"] = (ts - a["last_loss_ts"]) / MINUTE if a["losses"] > 0 else np.nan
    x["since_signal_s"] = (ts - a["last_signal_ts"]) / 1e9 if a["signals"] > 0 else np.nan
    x["slip_n"] = a["slip_n"]
    total = 0.0
    for i in range(SLIPPAGE_RING):
        total += a["slips"][i]
    x["slippage_mean"] = total / SLIPPAGE_RING if a["slip_n"] >= SLIPPAGE_RING else np.nan
    x["trips"] = a["trips"]
    x["wins"] = a["wins"]
    x["losses"] = a["losses"]
    x["win_cents"] = a["win_cents"]
    x["loss_cents"] = a["loss_cents"]


@kernel
def from_book(s: Record, ts: int, x: Record) -> None:
    """Spread, age and mid of the book; without one the mid is the last price."""
    book = s["book"]
    c = s["clock"]
    x["spread_ticks"] = np.nan
    x["book_age_ms"] = np.nan
    x["mid_ticks"] = float(c["price"]) if c["has_price"] else np.nan
    if book["has"]:
        x["spread_ticks"] = book["ask"] - book["bid"]
        x["book_age_ms"] = (ts - book["ts"]) / 1e6
        x["mid_ticks"] = 0.5 * (book["bid"] + book["ask"])


@kernel
def from_bars(s: Record, ts: int, pause_min: float, x: Record) -> None:
    """Relative volume of the last base bar, and the highest of those closed within the volume pause."""
    t = s["tf"][s["clock"]["base"]]
    x["rvol"] = np.nan
    x["rvol_recent"] = np.nan
    highest = -1.0
    for j in range(min(t["n"], 16)):
        b = bar_at(t, j)
        if j == 0:
            x["rvol"] = b["rvol"]
        if ts - b["end"] >= pause_min * MINUTE:
            break
        if b["rvol"] > highest:
            highest = b["rvol"]
    if highest >= 0.0:
        x["rvol_recent"] = highest


@kernel
def from_regime(s: Record, table: Any, x: Record) -> None:
    """Volatility and market regime with their consequences; not ready stays unknown."""
    r = s["regime"]
    code = r["volatility"]
    x["volatility_known"] = 1.0 if code >= 0 else 0.0
    row = table[code if code >= 0 else V_NORMAL]
    x["battle_threshold"] = row["threshold"]
    x["volatility_size"] = row["size"] if code >= 0 else np.nan
    x["volatility_max_position"] = row["max_position"] if code >= 0 else np.nan
    x["vix"] = r["vix"]
    x["vix_explosive"] = 1.0 if r["volatility_trend"] > EXPLOSIVE else 0.0
    ready = r["market"] >= 0
    x["allow_long"] = float(r["allow_long"]) if ready else np.nan
    x["allow_short"] = float(r["allow_short"]) if ready else np.nan
    x["market_size"] = r["market_size"] if ready else np.nan


@kernel
def adjust_threshold(s: Record, x: Record) -> None:
    """Move the phase's advisory percent by the regimes: trend −5, tight range +10, choppy +15, extreme +10."""
    r = s["regime"]
    percent = x["phase_threshold"]
    if percent != percent:
        return
    market = r["market"]
    if is_trend(market):
        percent -= 5.0
    elif market == M_RANGE and r["range_high"] - r["range_low"] <= TIGHT_RANGE_TICKS:
        percent += 10.0
    if r["choppy"]:
        percent += 15.0
    if r["volatility"] == V_EXTREME:
        percent += 10.0
    x["phase_threshold"] = min(max(percent, THRESHOLD_LOW), THRESHOLD_HIGH)


@kernel
def from_battle(s: Record, x: Record) -> None:
    """Battle Navale score, ball trend and the FOMO flags of the signal timeframe."""
    trending = is_trend(s["regime"]["market"])
    for k in range(5):
        b = s["battle"][k]
        if b["p_is_signal"]:
            x["battle_score"] = b["score"]
            x["ball_trend"] = b["ball_trend"]
            x["fomo_long"] = np.nan
            x["fomo_short"] = np.nan
            if trending or b["ball_trend"] > 0.0:
                x["fomo_long"] = fomo(s["tf"][k], b, x["mid_ticks"], 1)
            if trending or b["ball_trend"] < 0.0:
                x["fomo_short"] = fomo(s["tf"][k], b, x["mid_ticks"], -1)


@kernel
def gather(market: Any, table: Any, parameters: Any, ts: int, inputs: Any) -> None:
    """Gather everything for a decision at `ts`.

    Parameters
    ----------
    market : ndarray of MARKET_DTYPE, shape (1,)
    table : ndarray of REGIME_TABLE_DTYPE, by volatility regime
    parameters, inputs : ndarrays of the room's records, shape (1,)
    """
    s, x = market[0], inputs[0]
    x["ts"] = ts
    from_session(s["session"], ts, x)
    from_account(s["account"], ts, x)
    from_book(s, ts, x)
    from_bars(s, ts, parameters[0]["volume_pause_minutes"], x)
    from_regime(s, table, x)
    adjust_threshold(s, x)
    from_battle(s, x)
    x["data_quality"] = s["quality"]["score"]
    x["to_news_min"] = season.high_impact_minutes(s["season"], ts)
