"""What the risk room reads, remembers and answers, as compiled records.

`INPUT_DTYPE` is everything about market and account a gate or limit looks at, gathered once per decision;
NaN is unknown. `MEMORY_DTYPE` is what must survive a restart: state, halts, pauses, what was sent.
"""

from __future__ import annotations

import numpy as np

GATES_MAX = 64
ORDERS_RING = 256
REJECTS_RING = 32

# TradingState and why it is what it is.
STATE_ACTIVE, STATE_REDUCING, STATE_HALTED = range(3)
HALT_NONE, HALT_DAY, HALT_WEEK, HALT_HUMAN = range(4)

NUMBERS = (
    "min_data_quality",
    "min_coverage",
    "min_grade",
    "gate_spread_ticks",
    "min_rvol",
    "min_confidence",
    "min_signal_gap_s",
    "ml_threshold",
    "min_reward_risk",
    "min_reward_risk_after_fees",
    "max_entry_distance_ticks",
    "daily_loss_usd",
    "hard_daily_loss_usd",
    "weekly_loss_usd",
    "max_drawdown_percent",
    "min_balance_usd",
    "open_risk_share",
    "max_position",
    "max_concurrent",
    "max_trades_per_hour",
    "max_trades_per_day",
    "max_consecutive_losses",
    "loss_pause_minutes",
    "max_spread_ticks",
    "max_mean_slippage_ticks",
    "max_rvol",
    "volume_pause_minutes",
    "news_minutes",
    "close_buffer_minutes",
    "flat_before_break_minutes",
    "flat_before_weekend_minutes",
    "flat_lead_minutes",
    "max_vix",
    "extreme_vix",
    "stale_book_rth_ms",
    "stale_book_eth_ms",
    "duplicate_window_s",
    "max_orders_per_second",
    "max_orders_per_hour",
    "profit_target_usd",
    # not parameters by themselves: modes as numbers, facts of costs and source
    "rth_only",
    "ball_gate",  # 0 off, 1 veto, 2 require
    "battle_required",
    "ml_mode",  # 0 off, 1 advise, 2 require
    "hold_overnight",
    "fee_ticks",
    "simulated",
    "news_calendar",
)
PARAMETER_DTYPE = np.dtype(
    [(name, np.float64) for name in NUMBERS] + [("applies", np.int8, (GATES_MAX,))], align=True
)
"""Parameters as the kernels read them; NaN = not set."""

INPUT_DTYPE = np.dtype(
    [
        ("ts", np.int64),
        ("phase", np.int64),
        ("is_open", np.int64),
        ("is_rth", np.int64),
        ("in_entry_hours", np.int64),  # 09:35-15:45 of a day with RTH
        ("long_break_ahead", np.int64),  # this close begins a weekend or holiday
        ("day", np.int64),
        ("week", np.int64),
        ("phase_size", np.float64),
        ("phase_threshold", np.float64),  # %, after regime adjustment; NaN where no entry is possible
        ("to_rth_end_min", np.float64),  # NaN outside RTH
        ("to_close_min", np.float64),  # NaN while closed
        ("data_quality", np.float64),
        ("spread_ticks", np.float64),
        ("book_age_ms", np.float64),
        ("mid_ticks", np.float64),
        ("rvol", np.float64),  # of the last closed 1m bar
        ("rvol_recent", np.float64),  # highest of the 1m bars closed within the volume pause
        ("vix", np.float64),
        ("vix_explosive", np.float64),  # 1 while volatility rises explosively
        ("battle_score", np.float64),
        ("battle_threshold", np.float64),
        ("ball_trend", np.float64),
        ("fomo_long", np.float64),  # 1 = flagged, NaN unknown
        ("fomo_short", np.float64),
        ("volatility_known", np.float64),
        ("volatility_size", np.float64),
        ("volatility_max_position", np.float64),
        ("market_size", np.float64),
        ("allow_long", np.float64),  # 1 or 0 by market regime, NaN while it is not ready
        ("allow_short", np.float64),
        ("equity_usd", np.float64),
        ("day_net_usd", np.float64),
        ("week_net_usd", np.float64),
        ("drawdown_percent", np.float64),
        ("open_risk_usd", np.float64),
        ("es_position", np.float64),
        ("brackets", np.int64),
        ("trades_today", np.int64),
        ("trades_hour", np.int64),
        ("consecutive_losses", np.int64),
        ("since_loss_min", np.float64),
        ("since_signal_s", np.float64),  # NaN before the first signal
        ("slip_n", np.int64),  # fills with a reference so far
        ("slippage_mean", np.float64),  # of the last five fills, NaN before five
        ("trips", np.int64),
        ("wins", np.int64),
        ("losses", np.int64),
        ("win_cents", np.int64),
        ("loss_cents", np.int64),
        ("to_news_min", np.float64),  # distance to the nearest release, NaN without a calendar
    ],
    align=True,
)

MEMORY_DTYPE = np.dtype(
    [
        ("armed", np.int64),
        ("halt", np.int64),
        ("halt_day", np.int64),
        ("halt_week", np.int64),
        ("slippage_pause_until", np.int64),
        ("slips_seen", np.int64),
        ("orders_n", np.int64),
        ("orders", np.int64, (ORDERS_RING,)),  # times of orders sent
        ("last_order_ts", np.int64),
        ("last_order_ticks", np.int64),
        ("last_order_side", np.int64),
        ("last_order_stop_ticks", np.int64),
        ("rejects_n", np.int64),
        ("rejects", np.int64, (REJECTS_RING,)),
        ("rate_denials_n", np.int64),
        ("rate_denials", np.int64, (3,)),
        ("halt_code", np.int64),  # index into gate.HALT_CODES
    ],
    align=True,
)

QUESTION_DTYPE = np.dtype(
    [
        ("has_signal", np.int64),
        ("side", np.int64),  # of the signal, else the side the rule leans to, 0 none
        ("grade", np.int64),
        ("coverage", np.float64),
        ("percent", np.float64),
        ("confidence", np.float64),
        ("ml_score", np.float64),
        ("entry_ticks", np.int64),
        ("stop_ticks", np.int64),
        ("target_ticks", np.int64),
        ("orders_second", np.int64),
        ("orders_hour", np.int64),
        ("duplicate", np.int64),
        ("state", np.int64),
        ("slippage_paused", np.int64),
    ],
    align=True,
)

ANSWER_DTYPE = np.dtype(
    [
        ("required", np.float64, (GATES_MAX,)),
        ("actual", np.float64, (GATES_MAX,)),
        ("outcome", np.int8, (GATES_MAX,)),
        ("severity", np.int8, (GATES_MAX,)),  # normal, warning, danger, emergency; −1 does not apply
        ("attention", np.int64),  # 1 where `monitor` must look: a limit acts, a new fill, not ACTIVE
    ],
    align=True,
)
