"""Ledger: the account as bytes, and the kernel that marks it row by row.

How it moves: `state/account` writes fills into the record, `mark` reads the rows of a slice. Money is
integer US cents and exact without average prices: the equity of an open account is a straight line in the
price, `base_cents + slope_cents · ticks`, and a fill only moves that line. Session and execution features
and the risk limits read the record inside the market state.

A venue cuts slices just behind the row that fills an order, so the row before a report is the filling
row. `mark` therefore keeps the extremes from before that row (`prev_*`): what the market printed after a
position was gone is not part of its excursion.

Unknown numbers are NaN. `last_signal_ts` means nothing while `signals` is 0, the marks nothing while
`has_mark` is 0.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from mia_kernel.core.errors import InvariantError
from mia_kernel.core.events import BAR, BAR_HIGH, BAR_LOW, BOOK, PRIMARY, QUOTE, TRADE, EventArray
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.prints import believable

SYMBOLS = ("ES", "MES")
TICK_CENTS = (1250, 125)
ES_EQUIVALENT = (1.0, 0.1)
LEGS = 4
SLIPPAGE_RING = 5
ENTRY_RING = 32
PHASES = 16

LEG_DTYPE = np.dtype(
    [
        ("key", np.int64),  # decision time of the bracket, which names it
        ("entry_ts", np.int64),
        ("exit_ts", np.int64),
        ("entry_cents", np.int64),  # Σ quantity · price · tick value over entry fills
        ("exit_cents", np.int64),
        ("fees_cents", np.int64),
        ("risk_cents", np.int64),  # planned risk of the whole bracket
        ("confluence_percent", np.float64),
        ("slippage", np.float64),  # Σ entry quantity · slippage ticks, NaN without a reference
        ("qty", np.int32),  # open contracts, ≥ 0
        ("entered", np.int32),
        ("exited", np.int32),
        ("planned", np.int32),
        ("stop_ticks", np.int32),  # where the protective stop was last sent to
        ("first_stop_ticks", np.int32),
        ("target_ticks", np.int32),
        ("low", np.int32),  # extremes since the first fill
        ("high", np.int32),
        ("prev_low", np.int32),
        ("prev_high", np.int32),
        ("used", np.uint8),
        ("symbol", np.uint8),
        ("side", np.int8),
        ("grade", np.int8),
        ("phase", np.int8),
    ],
    align=True,
)

ACCOUNT_DTYPE = np.dtype(
    [
        ("p_equity_cents", np.int64),  # equity at the start of the run
        ("base_cents", np.int64),  # equity at price 0: the line's intercept
        ("slope_cents", np.int64),  # equity per tick: signed open size
        ("equity_cents", np.int64),
        ("peak_cents", np.int64),
        ("drawdown_cents", np.int64),  # largest fall from a peak so far, ≥ 0
        ("prev_peak_cents", np.int64),
        ("prev_drawdown_cents", np.int64),
        ("day_start_cents", np.int64),
        ("week_start_cents", np.int64),
        ("closed_cents", np.int64),  # net of closed round trips
        ("fees_cents", np.int64),  # all fees so far
        ("last_signal_ts", np.int64),
        ("last_loss_ts", np.int64),  # close of the last losing round trip; means nothing without losses
        ("last_slip_ts", np.int64),  # time of the newest entry in `slips`; means nothing while slip_n is 0
        ("entry_ts", np.int64, (ENTRY_RING,)),  # first fills of the newest round trips
        ("entries", np.int64),  # round trips opened so far
        ("trips", np.int64),  # round trips closed so far
        ("wins", np.int64),
        ("losses", np.int64),
        ("win_cents", np.int64),
        ("loss_cents", np.int64),  # Σ |net| of losing round trips
        ("signals", np.int64),
        ("slip_n", np.int64),
        ("slips", np.float64, (SLIPPAGE_RING,)),  # ticks, newest at (slip_n - 1) % SLIPPAGE_RING
        ("phase_n", np.int64, (PHASES, 2)),  # closed round trips by phase and side (0 long, 1 short)
        ("phase_r", np.float64, (PHASES, 2)),  # Σ R of them
        ("execution_time_ms", np.float64),  # of the newest entry
        ("slippage_ticks", np.float64),
        ("fill_quality", np.float64),
        ("day", np.int32),  # trading day yyyymmdd, 0 before the first
        ("week", np.int32),
        ("trades_today", np.int32),
        ("consecutive_losses", np.int32),
        ("position", np.int32),  # signed contracts of both symbols; `es_position` weighs them
        ("brackets", np.int32),  # noted and not yet finished
        ("open_legs", np.int32),
        ("es_position", np.float64),  # signed, in ES contracts
        ("open_risk_cents", np.int64),  # loss if every working stop fills at its price, ≥ 0
        ("bid_mark", np.int32),  # where a long would be valued; equal to ask_mark where trades or bars mark
        ("ask_mark", np.int32),
        ("row_low", np.int32),
        ("row_high", np.int32),
        ("print_px", np.int32),  # last believed print (state/prints)
        ("jump_px", np.int32),
        ("jump_n", np.int32),
        ("print_n", np.uint8),
        ("has_mark", np.uint8),
        ("has_trades", np.uint8),
        ("row_is_bar", np.uint8),
        ("row_marks", np.uint8),  # the last row of the newest slice was one that marks
        ("legs", LEG_DTYPE, (LEGS,)),
    ],
    align=True,
)


def bracket_name(ts_event: int) -> str:
    """Name the bracket decided at `ts_event`: one decision sends at most one, so the time is its identity."""
    return f"mia-{ts_event}"


def bracket_key(name: str) -> int:
    """Return the decision time inside a bracket's name.

    Raises
    ------
    InvariantError
        If the name was not made by `bracket_name`.
    """
    head, _, tail = name.partition("-")
    if head != "mia" or not tail.isdigit():
        raise InvariantError(
            f"bracket id {name!r} is not of the form mia-<ns>; only MIA's own brackets are accounted"
        )
    return int(tail)


def week_of(day: int) -> int:
    """Return the number of the trading week (Monday to Friday) of a trading day yyyymmdd."""
    return (date(day // 10_000, day // 100 % 100, day % 100).toordinal() - 1) // 7


def clear(record: Any, dtype: np.dtype[Any]) -> None:
    """Set every field of a record to zero bytes, in place."""
    for name in dtype.names or ():
        record[name] = np.zeros((), dtype[name])


def init(record: Any, equity_cents: int) -> None:
    """Make `record` (an ACCOUNT_DTYPE scalar or a view of any shape) a fresh account of `equity_cents`."""
    clear(record, ACCOUNT_DTYPE)
    for name in ("p_equity_cents", "base_cents", "equity_cents", "peak_cents", "prev_peak_cents"):
        record[name] = equity_cents
    for name in ("day_start_cents", "week_start_cents"):
        record[name] = equity_cents
    for name in ("execution_time_ms", "slippage_ticks", "fill_quality"):
        record[name] = np.nan
    record["slips"] = np.nan


@kernel
def _value(a: Record) -> None:
    """Set equity from the line and the mark; raise the peak; keep the largest fall from it."""
    slope = a["slope_cents"]
    equity = a["base_cents"] + slope * (a["bid_mark"] if slope > 0 else a["ask_mark"])
    a["equity_cents"] = equity
    a["peak_cents"] = max(a["peak_cents"], equity)
    a["drawdown_cents"] = max(a["drawdown_cents"], a["peak_cents"] - equity)


@kernel
def _row(a: Record, low: int, high: int, bid_mark: int, ask_mark: int, is_bar: int) -> None:
    """Mark one row: `low` and `high` bound what it printed."""
    a["row_low"] = low
    a["row_high"] = high
    a["row_is_bar"] = is_bar
    a["row_marks"] = 1
    a["bid_mark"] = bid_mark
    a["ask_mark"] = ask_mark
    a["has_mark"] = 1
    if a["open_legs"] > 0:
        slope = a["slope_cents"]
        for k in range(LEGS):
            leg = a["legs"][k]
            if leg["qty"] > 0:
                # Between two quotes a long is worth the bid and a short the ask.
                leg["low"] = min(leg["low"], low if is_bar or leg["side"] > 0 else high)
                leg["high"] = max(leg["high"], high if is_bar or leg["side"] < 0 else low)
        if is_bar:
            # The order inside a bar is unknown; the good extreme first is the worst case for a drawdown.
            best = a["base_cents"] + slope * (high if slope > 0 else low)
            worst = a["base_cents"] + slope * (low if slope > 0 else high)
            a["peak_cents"] = max(a["peak_cents"], best)
            a["drawdown_cents"] = max(a["drawdown_cents"], a["peak_cents"] - worst)
        _value(a)


@kernel
def _mark_row(a: Record, e: Record) -> None:
    if e["instrument"] != PRIMARY:
        return
    kind = e["kind"]
    if kind == TRADE:
        a["has_trades"] = 1
        if e["sz"] <= 0 or not believable(a, e["px"]):
            return
        _row(a, e["px"], e["px"], e["px"], e["px"], 0)
    elif a["has_trades"] == 0:
        if kind == BAR:
            _row(a, e["b"][BAR_LOW], e["b"][BAR_HIGH], e["px"], e["px"], 1)
        elif (kind == QUOTE or kind == BOOK) and e["bid"] != 0 and e["bid"] < e["ask"]:
            _row(a, e["bid"], e["ask"], e["bid"], e["ask"], 0)


@kernel
def _remember(a: Record) -> None:
    """Keep peak and extremes as they are before the next row, for the case that it fills an exit."""
    a["prev_peak_cents"] = a["peak_cents"]
    a["prev_drawdown_cents"] = a["drawdown_cents"]
    for k in range(LEGS):
        leg = a["legs"][k]
        leg["prev_low"] = leg["low"]
        leg["prev_high"] = leg["high"]


@kernel
def mark(account: Any, events: EventArray, start: int, stop: int) -> None:
    """Mark the account over rows [start, stop): exact extremes, peak and drawdown at every row.

    Parameters
    ----------
    account : ndarray of ACCOUNT_DTYPE, shape (1,)
    events : ndarray of EVENT_DTYPE
    start, stop : int
        Rows to read; a slice must end behind the row that fills an order (the venue's `scan` sees to it).
    """
    a = account[0]
    if start >= stop:
        return
    for i in range(start, stop - 1):
        _mark_row(a, events[i])
    _remember(a)
    a["row_marks"] = 0
    _mark_row(a, events[stop - 1])
