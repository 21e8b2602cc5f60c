"""A bracket at the venue: its fills, what they withdraw, and the reports they give.

Stop and target follow the open quantity: a fill of the entry enlarges them, a fill of the target shrinks
the stop, the stop closes all. When nothing is open and nothing can still be filled the slot is free.
"""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.execution.record import (
    AWAITING,
    DONE,
    NONE,
    OUT,
    PENDING,
    R_ENTRY,
    R_EXIT,
    R_STOP,
    R_TARGET,
    RESTING,
    S_CANCELLED,
    S_FILLED,
    S_PARTIAL,
    S_WORKING,
    W_FLAT,
    W_NONE,
    W_OCO,
)


@kernel
def worse(side: int, p: int, q: int) -> int:
    """The worse price for an order of `side`: the higher for a buyer, the lower for a seller."""
    return max(p, q) if side > 0 else min(p, q)


@kernel
def slippage_ticks(v: Record) -> int:
    """Expected slippage of a market or stop fill now: by session, more around news."""
    t = v["clock"]
    inside = v["rth_open"] <= t and t < v["rth_close"]
    ticks = v["p_slippage_rth_ticks"] if inside else v["p_slippage_eth_ticks"]
    for i in range(v["news_n"]):
        if abs(t - v["news"][i]) <= v["p_news_ns"]:
            ticks = max(ticks, v["p_slippage_news_ticks"])
    return ticks


@kernel
def tell(v: Record, k: int, role: int, status: int, reason: int) -> None:
    """Append a report about one order of bracket `k` as it stands now."""
    r = v["out"][min(v["out_n"], OUT - 1)]
    s = v["slots"][k]
    r["ts_event"] = v["clock"]
    r["submitted_ts"] = s["exit_submit"] if role == R_EXIT else s["entry_submit"]
    r["key"] = s["key"]
    r["slot"] = k
    r["role"] = role
    r["status"] = status
    r["qty"] = s["open"]
    r["filled_qty"] = 0
    r["last_qty"] = 0
    r["last_ticks"] = 0.0
    r["fee_cents"] = 0
    r["reason"] = reason
    r["tags"] = 0
    r["symbol"] = s["symbol"]
    r["side"] = -s["side"]
    if role == R_ENTRY:
        r["side"] = s["side"]
        r["qty"] = s["qty"]
        r["filled_qty"] = s["filled"]
        r["reference_ticks"] = s["entry_reference"]
    elif role == R_TARGET:
        r["qty"] = s["open"] + s["target_filled"]
        r["filled_qty"] = s["target_filled"]
        r["reference_ticks"] = s["target"]
    elif role == R_STOP:
        r["reference_ticks"] = s["stop"]
    else:
        r["reference_ticks"] = s["exit_reference"]
    v["out_n"] += 1


@kernel
def tell_fill(v: Record, k: int, role: int, n: int, px: int, tags: int) -> None:
    """Append the report of a fill of `n` at `px`, after the slot has taken it."""
    tell(v, k, role, S_FILLED, W_NONE)
    r = v["out"][min(v["out_n"], OUT) - 1]
    if role == R_STOP or role == R_EXIT:
        r["qty"] = n
        r["filled_qty"] = n
    if r["filled_qty"] < r["qty"]:
        r["status"] = S_PARTIAL
    r["last_qty"] = n
    r["last_ticks"] = px
    r["fee_cents"] = n * v["slots"][k]["fee_cents"]
    r["tags"] = tags


@kernel
def displayed(v: Record, side: int, px: int) -> int:
    """Size shown at `px` on the side an order of `side` would rest; 0 better than the touch, −1 unseen."""
    if v["has_quote"] == 0:
        return -1
    at = v["bid"] - px if side > 0 else px - v["ask"]
    if at < 0:
        return 0
    if at >= v["levels_seen"]:
        return -1
    return v["b"][at] if side > 0 else v["a"][at]


@kernel
def finish(v: Record, k: int) -> None:
    """Free a bracket of which nothing is open and nothing can still be filled."""
    s = v["slots"][k]
    if s["open"] == 0 and s["entry_state"] == DONE:
        if s["exit_state"] == PENDING or s["exit_state"] == AWAITING:
            tell(v, k, R_EXIT, S_CANCELLED, W_FLAT)
            s["exit_state"] = DONE
        s["used"] = 0
        v["used"] -= 1


@kernel
def protect(v: Record, k: int) -> None:
    """Let stop and target follow the open quantity after a fill of the entry or of the target."""
    s = v["slots"][k]
    if s["stop_state"] == NONE:
        s["stop_state"] = RESTING
        s["target_state"] = RESTING
        s["target_queue"] = displayed(v, -s["side"], s["target"])
    if s["stop_state"] == RESTING:
        tell(v, k, R_STOP, S_WORKING, W_NONE)
    if s["target_state"] == RESTING:
        tell(v, k, R_TARGET, S_PARTIAL if s["target_filled"] else S_WORKING, W_NONE)


@kernel
def fill_entry(v: Record, k: int, n: int, px: int, tags: int) -> None:
    """Fill `n` contracts of the entry; stop and target follow."""
    s = v["slots"][k]
    s["filled"] += n
    s["open"] += n
    tell_fill(v, k, R_ENTRY, n, px, tags)
    if s["filled"] == s["qty"]:
        s["entry_state"] = DONE
    protect(v, k)


@kernel
def end_entry(v: Record, k: int, status: int, reason: int) -> None:
    """End the entry, unless it has ended: what is unfilled stays unfilled."""
    s = v["slots"][k]
    if s["entry_state"] != DONE:
        s["entry_state"] = DONE
        tell(v, k, R_ENTRY, status, reason)


@kernel
def fill_exit(v: Record, k: int, role: int, n: int, px: int, tags: int) -> None:
    """Fill `n` open contracts by one of the exits and withdraw whatever that makes pointless."""
    s = v["slots"][k]
    s["open"] -= n
    if role == R_TARGET:
        s["target_filled"] += n
        tell_fill(v, k, role, n, px, tags)
        if s["open"] > 0:
            protect(v, k)
            return
    else:
        tell_fill(v, k, role, n, px, tags)
    withdraw(v, k, role, W_OCO)
    end_entry(v, k, S_CANCELLED, W_OCO)
    finish(v, k)


@kernel
def withdraw(v: Record, k: int, role: int, reason: int) -> None:
    """Cancel the protective orders except the one of `role`, which has just done its work."""
    s = v["slots"][k]
    if s["stop_state"] == RESTING:
        if role != R_STOP:
            tell(v, k, R_STOP, S_CANCELLED, reason)
        s["stop_state"] = DONE
    if s["target_state"] == RESTING:
        if role != R_TARGET:
            tell(v, k, R_TARGET, S_CANCELLED, reason)
        s["target_state"] = DONE
    if s["stop_state"] == AWAITING and role == R_STOP:
        s["stop_state"] = DONE
