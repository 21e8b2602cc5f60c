"""Matching: what the market would have done to our orders, row by row, never kinder than it was.

How it moves: every row first lets time pass (orders arrive, are cancelled, expire), then meets the resting
orders, then becomes the market that the next row finds. A limit order fills when the market trades through
it, or when the volume traded at its price has consumed the queue that stood ahead at its arrival. Market
and stop orders fill at the opposite touch plus slippage, at the worst touch seen between sending and
arrival. Without quotes the touch is the last trade and a market fill is the worse of the next trade and
the last one ± 1 tick. Inside a bar the bad extreme comes first.

Source: domain reference, Orders (dry-run fills) and Contracts (slippage); the rule for queues is the
risk-averse queue of hftbacktest: what leaves the level ahead of us is seen only when the level shrinks
below it.
"""

from __future__ import annotations

import numpy as np

from mia_kernel.core.events import (
    BAR,
    BAR_HIGH,
    BAR_LOW,
    BAR_OPEN,
    BAR_SECONDS,
    BOOK,
    PRIMARY,
    QUOTE,
    TRADE,
    EventArray,
)
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.execution.arrivals import pass_time
from mia_kernel.execution.record import (
    AWAITING,
    DONE,
    PENDING,
    R_EXIT,
    R_STOP,
    R_TARGET,
    RESTING,
    S_CANCELLED,
    S_EXPIRED,
    SLOTS,
    T_FROM_BARS,
    T_GAP,
    T_NO_QUOTES,
    T_NONE,
    T_QUEUE,
    T_THROUGH,
    W_OCO,
    W_TIMEOUT,
)
from mia_kernel.execution.slots import (
    displayed,
    end_entry,
    fill_entry,
    fill_exit,
    finish,
    slippage_ticks,
    tell,
    worse,
)
from mia_kernel.state.prints import LATE_NS, believable

NS = 1_000_000_000


@kernel
def _limit_on_trade(v: Record, side: int, px_order: int, queue: int, e: Record) -> tuple[int, int]:
    """Return (fill room, queue left) of a resting limit after one trade; room −1 means all of it."""
    ahead = side * (px_order - e["px"])
    if ahead > 0:
        return -1, queue
    if ahead < 0 or queue < 0:
        return 0, queue
    opposite = e["side"] == -side
    if e["side"] == 0 and v["has_quote"]:
        opposite = e["px"] <= v["bid"] if side > 0 else e["px"] >= v["ask"]
    if not opposite:
        return 0, queue
    left = queue - e["sz"]
    return (-left, 0) if left < 0 else (0, left)


@kernel
def _awaited(v: Record, side: int, px: int, last: int, is_limit: int) -> int:
    """Price of a fill without quotes: the worse of the next trade and the last one ± at least one tick."""
    step = 1 if is_limit else max(1, slippage_ticks(v))
    return worse(side, px, last + side * step)


@kernel
def _entry_on_trade(v: Record, k: int, e: Record) -> None:
    s = v["slots"][k]
    side = s["side"]
    rest = s["qty"] - s["filled"]
    if s["entry_state"] == AWAITING:
        px = _awaited(v, side, e["px"], s["entry_worst"], 1 - s["entry_is_market"])
        if s["entry_is_market"] or side * (s["entry_limit"] - px) >= 0:
            fill_entry(v, k, rest, px, T_NO_QUOTES)
            return
        s["entry_state"] = RESTING
    if s["entry_state"] == RESTING:
        room, queue = _limit_on_trade(v, side, s["entry_limit"], s["entry_queue"], e)
        s["entry_queue"] = queue
        if room != 0:
            n = rest if room < 0 else min(room, rest)
            fill_entry(v, k, n, s["entry_limit"], T_THROUGH if room < 0 else T_QUEUE)


@kernel
def _trigger(v: Record, k: int, px: int) -> None:
    """A stop was touched by a trade at `px`: it is a market order now."""
    s = v["slots"][k]
    side = s["side"]
    if v["has_quote"]:
        touch = v["bid"] if side > 0 else v["ask"]
        fill_exit(v, k, R_STOP, s["open"], worse(-side, touch, px) - side * slippage_ticks(v), T_NONE)
    else:
        s["stop_state"] = AWAITING
        s["stop_worst"] = px
        if s["target_state"] == RESTING:
            tell(v, k, R_TARGET, S_CANCELLED, W_OCO)
            s["target_state"] = DONE


@kernel
def _exits_on_trade(v: Record, k: int, e: Record, fresh: int) -> None:
    """Meet stop, target and awaited exits; `fresh`: filled by this very row, so the target cannot be."""
    s = v["slots"][k]
    side = s["side"]
    px = e["px"]
    if s["exit_state"] == AWAITING:
        s["exit_state"] = DONE
        fill_exit(
            v,
            k,
            R_EXIT,
            s["open"],
            _awaited(v, -side, px, s["exit_worst"], 0),
            T_NO_QUOTES,
        )
        return
    if s["stop_state"] == AWAITING:
        fill_exit(
            v,
            k,
            R_STOP,
            s["open"],
            _awaited(v, -side, px, s["stop_worst"], 0),
            T_NO_QUOTES,
        )
        return
    if s["stop_state"] == RESTING and side * (px - s["stop"]) <= 0:
        _trigger(v, k, px)
        return
    if s["target_state"] == RESTING and fresh == 0:
        room, queue = _limit_on_trade(v, -side, s["target"], s["target_queue"], e)
        s["target_queue"] = queue
        if room != 0:
            n = s["open"] if room < 0 else min(room, s["open"])
            fill_exit(v, k, R_TARGET, n, s["target"], T_THROUGH if room < 0 else T_QUEUE)


@kernel
def _on_trade(v: Record, k: int, e: Record) -> None:
    s = v["slots"][k]
    before = s["open"]
    _entry_on_trade(v, k, e)
    if s["used"] and s["open"] > 0:
        _exits_on_trade(v, k, e, 1 if before == 0 else 0)


@kernel
def _queue_on_quote(v: Record, side: int, px: int, queue: int) -> int:
    shown = displayed(v, side, px)
    if shown < 0:
        return queue
    return shown if queue < 0 else min(queue, shown)


@kernel
def _on_quote(v: Record, k: int) -> None:
    """Meet a new book, which `v` already holds: a crossing quote means that the level ahead is gone."""
    s = v["slots"][k]
    side = s["side"]
    touch = v["ask"] if side > 0 else v["bid"]
    size = v["a"][0] if side > 0 else v["b"][0]
    if s["entry_state"] == AWAITING:  # sent before the first quote ever
        s["entry_state"] = RESTING
    if s["entry_state"] == RESTING:
        if s["entry_is_market"]:
            worst = worse(side, touch, s["entry_worst"])
            fill_entry(v, k, s["qty"] - s["filled"], worst + side * slippage_ticks(v), T_NONE)
        elif side * (s["entry_limit"] - touch) >= 0:
            fill_entry(
                v,
                k,
                min(max(size, 1), s["qty"] - s["filled"]),
                s["entry_limit"],
                T_THROUGH,
            )
        else:
            s["entry_queue"] = _queue_on_quote(v, side, s["entry_limit"], s["entry_queue"])
    if s["open"] > 0:
        _exits_on_quote(v, k)


@kernel
def _exits_on_quote(v: Record, k: int) -> None:
    s = v["slots"][k]
    side = s["side"]
    touch = v["bid"] if side > 0 else v["ask"]
    size = v["b"][0] if side > 0 else v["a"][0]
    slip = slippage_ticks(v)
    if s["exit_state"] == AWAITING:
        s["exit_state"] = DONE
        fill_exit(v, k, R_EXIT, s["open"], worse(-side, touch, s["exit_worst"]) - side * slip, T_NONE)
    elif s["stop_state"] == AWAITING:
        fill_exit(v, k, R_STOP, s["open"], worse(-side, touch, s["stop_worst"]) - side * slip, T_NONE)
    elif s["stop_state"] == RESTING and side * (touch - s["stop"]) < 0:
        fill_exit(v, k, R_STOP, s["open"], touch - side * slip, T_GAP)
    elif s["target_state"] == RESTING:
        if side * (touch - s["target"]) >= 0:
            fill_exit(v, k, R_TARGET, min(max(size, 1), s["open"]), s["target"], T_THROUGH)
        else:
            s["target_queue"] = _queue_on_quote(v, -side, s["target"], s["target_queue"])


@kernel
def _entry_on_bar(v: Record, k: int, e: Record) -> None:
    s = v["slots"][k]
    side = s["side"]
    adverse = e["b"][BAR_LOW] if side > 0 else e["b"][BAR_HIGH]
    rest = s["qty"] - s["filled"]
    if s["entry_state"] == AWAITING:
        px = _awaited(v, side, e["b"][BAR_OPEN], s["entry_worst"], 1 - s["entry_is_market"])
        if s["entry_is_market"] or side * (s["entry_limit"] - px) >= 0:
            fill_entry(v, k, rest, px, T_NO_QUOTES | T_FROM_BARS)
            return
        s["entry_state"] = RESTING
    if s["entry_state"] == RESTING and side * (s["entry_limit"] - adverse) > 0:
        fill_entry(v, k, rest, s["entry_limit"], T_THROUGH | T_FROM_BARS)


@kernel
def _exits_on_bar(v: Record, k: int, e: Record, fresh: int) -> None:
    s = v["slots"][k]
    side = s["side"]
    slip = slippage_ticks(v)
    first = e["b"][BAR_OPEN]
    bad = e["b"][BAR_LOW] if side > 0 else e["b"][BAR_HIGH]
    good = e["b"][BAR_HIGH] if side > 0 else e["b"][BAR_LOW]
    if s["exit_state"] == AWAITING:
        s["exit_state"] = DONE
        px = _awaited(v, -side, first, s["exit_worst"], 0)
        fill_exit(v, k, R_EXIT, s["open"], px, T_NO_QUOTES | T_FROM_BARS)
    elif s["stop_state"] == RESTING and side * (first - s["stop"]) <= 0:
        fill_exit(v, k, R_STOP, s["open"], first - side * slip, T_GAP | T_FROM_BARS)
    elif s["target_state"] == RESTING and fresh == 0 and side * (first - s["target"]) > 0:
        fill_exit(v, k, R_TARGET, s["open"], s["target"], T_GAP | T_FROM_BARS)
    elif s["stop_state"] == RESTING and side * (bad - s["stop"]) <= 0:
        fill_exit(v, k, R_STOP, s["open"], s["stop"] - side * slip, T_FROM_BARS)
    elif s["target_state"] == RESTING and fresh == 0 and side * (good - s["target"]) > 0:
        fill_exit(v, k, R_TARGET, s["open"], s["target"], T_THROUGH | T_FROM_BARS)


@kernel
def _on_bar(v: Record, k: int, e: Record) -> None:
    s = v["slots"][k]
    before = s["open"]
    _entry_on_bar(v, k, e)
    if s["used"] and s["open"] > 0:
        _exits_on_bar(v, k, e, 1 if before == 0 else 0)
    if (
        s["used"]
        and s["entry_state"] != DONE
        and s["entry_expires"] != 0
        and s["entry_expires"] <= v["clock"]
    ):
        end_entry(v, k, S_EXPIRED, W_TIMEOUT)
        finish(v, k)


@kernel
def _learn_quote(v: Record, e: Record) -> None:
    v["bid"] = e["bid"]
    v["ask"] = e["ask"]
    v["has_quote"] = 1
    v["has_price"] = 1
    v["levels_seen"] = 1 if e["kind"] == QUOTE else v["p_levels"]
    for i in range(v["levels_seen"]):
        v["b"][i] = e["b"][i]
        v["a"][i] = e["a"][i]


@kernel
def _worsen(v: Record) -> None:
    """Keep the worst touch while an order is under way: more latency can then never improve its price."""
    for k in range(SLOTS):
        s = v["slots"][k]
        if s["used"]:
            bid = v["bid"] if v["has_quote"] else v["last"]
            ask = v["ask"] if v["has_quote"] else v["last"]
            if s["entry_state"] == PENDING:
                s["entry_worst"] = worse(s["side"], s["entry_worst"], ask if s["side"] > 0 else bid)
            if s["exit_state"] == PENDING:
                s["exit_worst"] = worse(-s["side"], s["exit_worst"], bid if s["side"] > 0 else ask)


@kernel
def _step(v: Record, e: Record) -> None:
    kind = e["kind"]
    primary = e["instrument"] == PRIMARY
    quote = primary and (kind == QUOTE or kind == BOOK) and e["bid"] != 0 and e["bid"] < e["ask"]
    trade = primary and kind == TRADE and e["sz"] > 0 and believable(v, e["px"])
    bar = primary and kind == BAR and v["has_trade"] == 0 and v["has_quote"] == 0
    if v["used"] > 0:
        start = v["clock"]
        if bar:
            start -= np.int64(e["b"][BAR_SECONDS]) * NS
        for k in range(SLOTS):
            if v["slots"][k]["used"]:
                pass_time(v, k, start)
    if quote:
        _learn_quote(v, e)
    if v["used"] > 0:
        for k in range(SLOTS):
            if v["slots"][k]["used"]:
                if trade:
                    _on_trade(v, k, e)
                elif quote:
                    _on_quote(v, k)
                elif bar:
                    _on_bar(v, k, e)
    if trade:
        v["has_trade"] = 1
    if trade or bar:
        v["last"] = e["px"]
        v["has_price"] = 1
    if v["used"] > 0 and (quote or ((trade or bar) and v["has_quote"] == 0)):
        _worsen(v)


@kernel
def run(venue: EventArray, events: EventArray, start: int, stop: int) -> int:
    """Run rows [start, stop) until one gives a report; return the index just behind it, else `stop`.

    Parameters
    ----------
    venue : ndarray of VENUE_DTYPE, shape (1,)
        Reports are appended to `out`; the caller empties it. Where `needs_session` is set, the row at the
        returned index lies beyond the session whose hours `v` knows: give it the next one and go on.
    """
    v = venue[0]
    told = v["out_n"]
    v["needs_session"] = 0
    for i in range(start, stop):
        e = events[i]
        if v["used"] > 0 and e["ts_event"] > v["session_until"]:
            v["needs_session"] = 1
            return i
        if e["ts_event"] < v["clock"] - LATE_NS:
            continue
        v["clock"] = max(v["clock"], e["ts_event"])
        _step(v, e)
        if v["out_n"] != told:
            return i + 1
    return stop
