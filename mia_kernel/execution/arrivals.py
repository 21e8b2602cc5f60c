"""Time at the venue: what was under way arrives, is cancelled or expires before a row is looked at."""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.execution.record import (
    AWAITING,
    DONE,
    PENDING,
    R_ENTRY,
    R_EXIT,
    R_STOP,
    RESTING,
    S_CANCELLED,
    S_EXPIRED,
    S_REJECTED,
    S_WORKING,
    T_MARKETABLE,
    T_NONE,
    W_CANCEL,
    W_CLOSE,
    W_FLAT,
    W_NO_MARKET,
    W_NONE,
    W_TIMEOUT,
    W_TOO_FAR,
)
from mia_kernel.execution.slots import (
    displayed,
    end_entry,
    fill_entry,
    fill_exit,
    finish,
    slippage_ticks,
    tell,
    withdraw,
)


@kernel
def _arrive_entry(v: Record, k: int) -> None:
    s = v["slots"][k]
    side = s["side"]
    if v["has_price"] == 0:
        end_entry(v, k, S_REJECTED, W_NO_MARKET)
        finish(v, k)
        return
    twice_mid = v["bid"] + v["ask"] if v["has_quote"] else 2 * v["last"]
    if s["entry_is_market"] == 0 and abs(2 * s["entry_limit"] - twice_mid) > 2 * v["p_far_ticks"]:
        end_entry(v, k, S_REJECTED, W_TOO_FAR)
        finish(v, k)
        return
    tell(v, k, R_ENTRY, S_WORKING, W_NONE)
    worst = s["entry_worst"]
    if s["entry_is_market"]:
        if v["has_quote"]:
            fill_entry(v, k, s["qty"], worst + side * slippage_ticks(v), T_NONE)
        else:
            s["entry_state"] = AWAITING
        return
    marketable = side * (s["entry_limit"] - worst) >= 0
    if v["has_quote"] == 0:
        s["entry_state"] = AWAITING if marketable else RESTING
        s["entry_queue"] = -1
        return
    s["entry_state"] = RESTING
    s["entry_queue"] = displayed(v, side, s["entry_limit"])
    if marketable:
        touch = v["ask"] if side > 0 else v["bid"]
        room = 0
        for i in range(v["levels_seen"]):
            if side * (s["entry_limit"] - touch) >= i:
                room += v["a"][i] if side > 0 else v["b"][i]
        if room > 0:
            fill_entry(v, k, min(room, s["qty"]), worst, T_MARKETABLE)


@kernel
def _arrive_exit(v: Record, k: int) -> None:
    s = v["slots"][k]
    end_entry(v, k, S_CANCELLED, W_CLOSE)
    if s["open"] == 0:
        finish(v, k)
        return
    if s["stop_state"] == AWAITING:  # the stop is a market order already: it will close the position
        tell(v, k, R_EXIT, S_CANCELLED, W_FLAT)
        s["exit_state"] = DONE
        return
    withdraw(v, k, R_EXIT, W_CLOSE)
    tell(v, k, R_EXIT, S_WORKING, W_NONE)
    s["exit_state"] = AWAITING
    if v["has_quote"]:
        s["exit_state"] = DONE
        fill_exit(v, k, R_EXIT, s["open"], s["exit_worst"] - s["side"] * slippage_ticks(v), T_NONE)


@kernel
def pass_time(v: Record, k: int, bar_start: int) -> None:
    """Let everything happen to a bracket that was due before the present row.

    `bar_start` is when the interval of a bar row began, else the clock: an order alive during a bar is
    still matched against it.
    """
    s = v["slots"][k]
    t = v["clock"]
    if s["entry_state"] == PENDING and s["entry_arrive"] <= t:
        _arrive_entry(v, k)
    if s["used"] and s["stop_arrive"] != 0 and s["stop_arrive"] <= t:
        s["stop_arrive"] = 0
        s["stop"] = s["stop_next"]
        if s["stop_state"] == RESTING:
            tell(v, k, R_STOP, S_WORKING, W_NONE)
    if s["used"] and s["entry_state"] != DONE:
        if s["cancel_arrive"] != 0 and s["cancel_arrive"] <= t:
            end_entry(v, k, S_CANCELLED, W_CANCEL)
            finish(v, k)
        elif s["entry_expires"] != 0 and s["entry_expires"] <= bar_start:
            end_entry(v, k, S_EXPIRED, W_TIMEOUT)
            finish(v, k)
    if s["used"] and s["exit_state"] == PENDING and s["exit_arrive"] <= t:
        _arrive_exit(v, k)
