"""The simulated venue as bytes: brackets at the venue, the market it last saw, the reports not yet told.

One slot holds a whole bracket: entry, protective stop, target and a possible market exit share one open
quantity, so that the exits follow what was filled and can never add up to more. Whole numbers are 64 bits
wide throughout: one width keeps the kernels to one compiled form each. Times are ns UTC of event
time, prices integer ticks. 0 in a time field means "not set", a queue of −1 means "unknown".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mia_kernel.core.events import DEPTH

SLOTS = 8
OUT = 64
NEWS = 16


def _codes(*values: int) -> tuple[Any, ...]:
    """Number the words: numpy integers, because numba compiles a function anew for every plain constant."""
    return tuple(np.int64(value) for value in values)


# Where an order of a bracket is.
NONE, PENDING, RESTING, AWAITING, DONE = _codes(0, 1, 2, 3, 4)
# PENDING: sent, still under way. AWAITING: a market order (or marketable limit) without quotes, which
# needs the next trade to know its price.

# Codes of reports; the words stand in simulate.
R_ENTRY, R_STOP, R_TARGET, R_EXIT = _codes(0, 1, 2, 3)
S_WORKING, S_PARTIAL, S_FILLED, S_CANCELLED, S_REJECTED, S_EXPIRED = _codes(0, 1, 2, 3, 4, 5)
W_NONE, W_TIMEOUT, W_CANCEL, W_OCO, W_CLOSE, W_TOO_FAR, W_NO_MARKET, W_FLAT = _codes(0, 1, 2, 3, 4, 5, 6, 7)
T_NONE, T_NO_QUOTES, T_THROUGH, T_QUEUE, T_FROM_BARS, T_GAP, T_MARKETABLE = _codes(0, 1, 2, 4, 8, 16, 32)

SLOT_DTYPE = np.dtype(
    [
        ("key", np.int64),
        ("entry_submit", np.int64),
        ("entry_arrive", np.int64),
        ("entry_expires", np.int64),
        ("cancel_arrive", np.int64),
        ("stop_arrive", np.int64),  # of a replacement under way
        ("exit_submit", np.int64),
        ("exit_arrive", np.int64),
        ("entry_queue", np.int64),
        ("target_queue", np.int64),
        ("fee_cents", np.int64),  # per contract and side
        ("entry_reference", np.float64),  # decision mid in ticks
        ("exit_reference", np.float64),
        ("qty", np.int64),
        ("filled", np.int64),
        ("open", np.int64),
        ("target_filled", np.int64),
        ("entry_limit", np.int64),
        ("entry_worst", np.int64),  # worst opposite touch between sending and arrival
        ("exit_worst", np.int64),
        ("stop", np.int64),
        ("stop_next", np.int64),
        ("stop_worst", np.int64),  # trade that triggered it, while it waits for the next
        ("target", np.int64),
        ("used", np.uint8),
        ("entry_state", np.uint8),
        ("stop_state", np.uint8),
        ("target_state", np.uint8),
        ("exit_state", np.uint8),
        ("entry_is_market", np.uint8),
        ("symbol", np.uint8),
        ("side", np.int64),
    ],
    align=True,
)

REPORT_DTYPE = np.dtype(
    [
        ("ts_event", np.int64),
        ("submitted_ts", np.int64),
        ("key", np.int64),
        ("last_ticks", np.float64),
        ("reference_ticks", np.float64),
        ("fee_cents", np.int64),
        ("qty", np.int32),
        ("filled_qty", np.int32),
        ("last_qty", np.int32),
        ("slot", np.int32),
        ("role", np.uint8),
        ("status", np.uint8),
        ("reason", np.uint8),
        ("tags", np.uint8),
        ("symbol", np.uint8),
        ("side", np.int8),
    ],
    align=True,
)

VENUE_DTYPE = np.dtype(
    [
        ("p_latency_ns", np.int64),
        ("p_slippage_rth_ticks", np.int64),
        ("p_slippage_eth_ticks", np.int64),
        ("p_slippage_news_ticks", np.int64),
        ("p_news_ns", np.int64),
        ("p_far_ticks", np.int64),
        ("p_levels", np.int64),  # book levels a queue is read from
        ("rth_open", np.int64),
        ("rth_close", np.int64),
        ("session_until", np.int64),  # last instant those bounds hold for; 0 = ask the calendar first
        ("needs_session", np.int64),
        ("news", np.int64, (NEWS,)),
        ("news_n", np.int64),
        ("clock", np.int64),
        ("reports_n", np.int64),  # told so far: the next report's number
        ("used", np.int64),
        ("bid", np.int64),
        ("ask", np.int64),
        ("last", np.int64),
        ("print_px", np.int64),  # last believed print (state/prints)
        ("jump_px", np.int64),
        ("jump_n", np.int64),
        ("print_n", np.int64),
        ("levels_seen", np.int64),  # 1 after a QUOTE, p_levels after a BOOK
        ("b", np.int64, (DEPTH,)),
        ("a", np.int64, (DEPTH,)),
        ("has_quote", np.uint8),
        ("has_trade", np.uint8),
        ("has_price", np.uint8),
        ("slots", SLOT_DTYPE, (SLOTS,)),
        ("out", REPORT_DTYPE, (OUT,)),
        ("out_n", np.int64),
    ],
    align=True,
)
