"""Limits: one small pure function each, answering with what is required, what is, and how close that is.

Every function takes the parameters `p`, the gathered inputs `x` and the question `q` (records of
`risk/record`) and returns `(limit, actual, severity)` in the unit of its row in `LIMITS`. Severity is
normal, warning (70 % of a limit used), danger (90 %), emergency (reached, or not computable), or −1 where
the limit does not apply. Money is signed: a large profit is never an emergency.

The engine asks them as advice, the guardian as law: the same functions on its own records.
Source: domain reference, Limits (catastrophe monitor).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.risk.record import STATE_ACTIVE

NORMAL, CAUTION, DANGER, EMERGENCY = range(4)
SEVERITY_NAMES = ("normal", "warning", "danger", "emergency")
WARN_AT, DANGER_AT = 0.70, 0.90

Answer = Any
"""(limit, actual, severity) inside the compiled room: floats."""


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """The answer of one limit: a value, never an exception."""

    code: str
    limit: float | None
    actual: float | None
    unit: str
    level: str
    applies: bool


@kernel
def _used(share: float) -> float:
    """Grade the used share of a limit that is broken when it is reached; NaN is an emergency."""
    if share < WARN_AT:
        return 0.0
    if share < DANGER_AT:
        return 1.0
    if share < 1.0:
        return 2.0
    return 3.0


@kernel
def _beyond(limit: float, actual: float) -> float:
    """Grade a limit that is broken only beyond its value."""
    if actual > limit or actual != actual:
        return 3.0
    return min(_used(actual / limit), 2.0)


@kernel
def trading_state(p: Record, x: Record, q: Record) -> Answer:
    """Allow entries in ACTIVE only."""
    return float(STATE_ACTIVE), float(q["state"]), 0.0 if q["state"] == STATE_ACTIVE else 3.0


@kernel
def phase_size(p: Record, x: Record, q: Record) -> Answer:
    """Allow no entry in a phase of size 0 (post, closed)."""
    return 0.0, x["phase_size"], 0.0 if x["phase_size"] > 0.0 else 3.0


@kernel
def entry_hours(p: Record, x: Record, q: Record) -> Answer:
    """Keep entries to 09:35-15:45 where the hours are `rth_only`."""
    if p["rth_only"] == 0.0:
        return 1.0, float(x["in_entry_hours"]), -1.0
    return 1.0, float(x["in_entry_hours"]), 0.0 if x["in_entry_hours"] else 3.0


@kernel
def daily_loss(p: Record, x: Record, q: Record) -> Answer:
    """Bound the realised and open loss of the trading day, net."""
    return -p["daily_loss_usd"], x["day_net_usd"], _used(-x["day_net_usd"] / p["daily_loss_usd"])


@kernel
def hard_daily_loss(p: Record, x: Record, q: Record) -> Answer:
    """Kill the day at the hard loss."""
    return -p["hard_daily_loss_usd"], x["day_net_usd"], _used(-x["day_net_usd"] / p["hard_daily_loss_usd"])


@kernel
def weekly_loss(p: Record, x: Record, q: Record) -> Answer:
    """Bound the loss from Sunday 18:00 to Friday 17:00."""
    return -p["weekly_loss_usd"], x["week_net_usd"], _used(-x["week_net_usd"] / p["weekly_loss_usd"])


@kernel
def drawdown(p: Record, x: Record, q: Record) -> Answer:
    """Bound the fall of marked equity from its peak."""
    limit = p["max_drawdown_percent"]
    return limit, x["drawdown_percent"], _used(x["drawdown_percent"] / limit)


@kernel
def minimum_balance(p: Record, x: Record, q: Record) -> Answer:
    """Hold at least the minimum balance; it nears as equity falls towards it."""
    limit = p["min_balance_usd"]
    equity = x["equity_usd"]
    if not equity > limit:
        return limit, equity, 3.0
    return limit, equity, min(_used(limit / equity), 2.0)


@kernel
def open_risk(p: Record, x: Record, q: Record) -> Answer:
    """Bound what open positions lose at their stops."""
    limit = p["open_risk_share"] * p["daily_loss_usd"]
    return limit, x["open_risk_usd"], _beyond(limit, x["open_risk_usd"])


@kernel
def max_position(p: Record, x: Record, q: Record) -> Answer:
    """Bound the position, MES counted as a tenth; VIX and volatility regime may lower the bound."""
    limit = allowed_position(p, x)
    held = abs(x["es_position"])
    return limit, held, _used(held / limit)


@kernel
def allowed_position(p: Record, x: Record) -> float:
    """Return the largest position now in ES contracts."""
    limit = p["max_position"]
    if x["volatility_max_position"] < limit:
        limit = x["volatility_max_position"]
    if x["vix"] > p["extreme_vix"]:
        limit = min(limit, 1.0)
    return limit


@kernel
def concurrent(p: Record, x: Record, q: Record) -> Answer:
    """Bound the round trips open or under way."""
    return p["max_concurrent"], float(x["brackets"]), _used(x["brackets"] / p["max_concurrent"])


@kernel
def opposite_position(p: Record, x: Record, q: Record) -> Answer:
    """Refuse an entry against an open position: it would net it instead of opening a round trip."""
    against = q["side"] * x["es_position"] < 0.0
    return 0.0, 1.0 if against else 0.0, 3.0 if against else 0.0


@kernel
def trades_per_hour(p: Record, x: Record, q: Record) -> Answer:
    """Bound the round trips opened in the last 60 minutes."""
    return (
        p["max_trades_per_hour"],
        float(x["trades_hour"]),
        _used(x["trades_hour"] / p["max_trades_per_hour"]),
    )


@kernel
def trades_per_day(p: Record, x: Record, q: Record) -> Answer:
    """Bound the round trips opened in the trading day."""
    return (
        p["max_trades_per_day"],
        float(x["trades_today"]),
        _used(x["trades_today"] / p["max_trades_per_day"]),
    )


@kernel
def consecutive_losses(p: Record, x: Record, q: Record) -> Answer:
    """Pause after losses in a row; the count stays until a win."""
    limit = p["max_consecutive_losses"]
    n = float(x["consecutive_losses"])
    if n >= limit and x["since_loss_min"] >= p["loss_pause_minutes"]:
        return limit, n, 2.0
    return limit, n, _used(n / limit)


@kernel
def spread(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries in a wide market."""
    return p["max_spread_ticks"], x["spread_ticks"], _beyond(p["max_spread_ticks"], x["spread_ticks"])


@kernel
def slippage(p: Record, x: Record, q: Record) -> Answer:
    """Pause after one very bad fill or five bad ones; shown is the mean of the last five."""
    mean = x["slippage_mean"]
    if q["slippage_paused"]:
        return p["max_mean_slippage_ticks"], mean, 3.0
    if mean != mean:
        return p["max_mean_slippage_ticks"], mean, -1.0
    return p["max_mean_slippage_ticks"], mean, min(_used(mean / p["max_mean_slippage_ticks"]), 2.0)


@kernel
def volume(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries for some minutes after abnormal volume; without a reference nothing is abnormal."""
    recent = x["rvol_recent"]
    if recent != recent:
        return p["max_rvol"], recent, -1.0
    return p["max_rvol"], recent, _beyond(p["max_rvol"], recent)


@kernel
def news(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries around high-impact releases; without a calendar it does not apply."""
    away = x["to_news_min"]
    if p["news_calendar"] == 0.0:
        return p["news_minutes"], away, -1.0
    return p["news_minutes"], away, 0.0 if away > p["news_minutes"] else 3.0


@kernel
def close_buffer(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries shortly before the RTH end and before the close; a closed market has its own gate."""
    left = x["to_close_min"]
    if x["to_rth_end_min"] < left:
        left = x["to_rth_end_min"]
    if left != left:
        return p["close_buffer_minutes"], left, -1.0
    return p["close_buffer_minutes"], left, 0.0 if left > p["close_buffer_minutes"] else 3.0


@kernel
def flat_before_close(p: Record, x: Record, q: Record) -> Answer:
    """Be flat before the daily break and before a weekend or holiday."""
    left = x["to_close_min"]
    limit = p["flat_before_break_minutes"]
    if x["long_break_ahead"]:
        limit = p["flat_before_weekend_minutes"]
    elif p["hold_overnight"] != 0.0:
        return limit, left, -1.0
    if left != left:
        return limit, left, -1.0
    return limit, left, 0.0 if left > limit + p["flat_lead_minutes"] else 3.0


@kernel
def vix(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries while a high VIX rises explosively."""
    now = x["vix"]
    if now != now:
        return p["max_vix"], now, -1.0 if p["simulated"] else 3.0
    return p["max_vix"], now, 3.0 if now > p["max_vix"] and x["vix_explosive"] > 0.0 else 0.0


@kernel
def stale_book(p: Record, x: Record, q: Record) -> Answer:
    """Refuse entries on an old book."""
    limit = p["stale_book_rth_ms"] if x["is_rth"] else p["stale_book_eth_ms"]
    return limit, x["book_age_ms"], _beyond(limit, x["book_age_ms"])


@kernel
def profit_target(p: Record, x: Record, q: Record) -> Answer:
    """End the day at a profit, where that is wanted."""
    target = p["profit_target_usd"]
    if target != target:
        return target, x["day_net_usd"], -1.0
    return target, x["day_net_usd"], 3.0 if x["day_net_usd"] >= target else 0.0


@kernel
def duplicate_order(p: Record, x: Record, q: Record) -> Answer:
    """Refuse the same side, price and stop again within a second."""
    return 0.0, float(q["duplicate"]), 3.0 if q["duplicate"] else 0.0


@kernel
def orders_per_second(p: Record, x: Record, q: Record) -> Answer:
    """Bound the orders sent in the last second."""
    limit = p["max_orders_per_second"]
    return limit, float(q["orders_second"]), _used(q["orders_second"] / limit)


@kernel
def orders_per_hour(p: Record, x: Record, q: Record) -> Answer:
    """Bound the orders sent in the last hour."""
    limit = p["max_orders_per_hour"]
    return limit, float(q["orders_hour"]), _used(q["orders_hour"] / limit)
