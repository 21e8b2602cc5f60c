"""Clockwork: what event time alone makes happen, in the order of time.

How it moves: before a row stamped t is applied, everything due before it happens: base bars close at their
ends, coarser ones after them, session boundaries open and close RTH and the initial balance, and once a
second the book is sampled and quality closed. A bar that ends at t closes before a trade stamped t; a second
is sampled after all rows stamped at it. Only event time drives this, so slices cannot matter.
"""

from __future__ import annotations

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state import (
    bars,
    battle,
    book,
    cross,
    flow,
    headfake,
    levels,
    micro,
    options,
    profile,
    quality,
    regime,
    season,
)
from mia_kernel.state.bars import NEVER, NS

QUIET_NS = 6 * NS
"""After this long without a row, seconds in between add nothing but their emptiness."""


@kernel
def catch_up(s: Record, ts: int, inclusive: int) -> None:
    """Let everything due up to event time `ts` happen; `inclusive` also samples the second that ends at `ts`."""
    c = s["clock"]
    while True:
        bar_due, boundary, second = c["bar_due"], c["boundary_due"], c["next_second"]
        next_due = min(bar_due, boundary)
        if second < next_due and (second < ts or (inclusive and second <= ts)):
            _second(s, second, ts)
            continue
        if next_due > ts:
            break
        if bar_due <= boundary:
            close_due(s, bar_due)
        else:
            _boundary(s, boundary)
    c["due"] = min(min(c["bar_due"], c["boundary_due"]), c["next_second"] + 1)


@kernel
def _second(s: Record, second: int, ts: int) -> None:
    """Sample at the end of a second; a long quiet stretch is skipped but for its last minute."""
    c, k = s["clock"], s["book"]
    if second - c["ts"] > QUIET_NS and ts - second > 66 * NS:
        c["next_second"] = (ts // NS - 64) * NS
        return
    flow.expire(s["flow"], second)
    book.sample(k, second // NS)
    quality.second(s["quality"], second - k["ts"] if k["has"] else -1)
    micro.second(s, second)
    c["next_second"] = second + NS


@kernel
def close_due(s: Record, ts: int) -> None:
    """Close every bar that ends at or before `ts`, finest first, then tell its readers."""
    c, base = s["clock"], s["clock"]["base"]
    row = s["session"]
    eth = s["profile"]["anchor"][0]
    for k in range(base, 5):
        t = s["tf"][k]
        if not t["has_current"] or t["current"]["end"] > ts:
            continue
        vwap, sd = profile.vwap(eth)
        if k == base:
            _close_base(s, t, vwap, sd)
        bars.close_bar(t, s["time_of_day"], k, s["flow"]["cvd"], vwap, sd)
        if k == base:
            newest = bars.bar_at(t, 0)
            for coarse in range(base + 1, 5):
                bars.merge_into(s["tf"][coarse], newest, row["anchor_ns"], row["close_ns"])
            levels.from_profile(s["levels"], s["profile"], vwap, sd, newest["end"])
            levels.on_base_close(s["levels"], newest)
            cross.on_base_close(s)
            season.on_base_close(s)
        battle.on_bar_close(s, k)
        if k == c["signal"]:
            _leg(s, k)
        regime.on_bar_close(s, k)
        micro.on_bar_close(s, k)
        headfake.on_bar_close(s, k)
    c["bar_due"] = NEVER
    for k in range(base, 5):
        if s["tf"][k]["has_current"]:
            c["bar_due"] = min(c["bar_due"], s["tf"][k]["current"]["end"])


@kernel
def _leg(s: Record, k: int) -> None:
    """Write the retracements of the leg between the newest two balls of different colour."""
    w = s["battle"][k]
    if w["green_n"] == 0 or w["red_n"] == 0:
        return
    green = w["green"][(w["green_n"] - 1) % battle.BALLS]
    red = w["red"][(w["red_n"] - 1) % battle.BALLS]
    first, last = (green, red) if red["bar"] > green["bar"] else (red, green)
    levels.from_leg(s["levels"], first["px"], last["px"], last["known"])


@kernel
def _close_base(s: Record, t: Record, vwap: float, sd: float) -> None:
    f, p = s["flow"], s["profile"]
    buys, sells = flow.stacks(f)
    t["current"]["stacked_buy"], t["current"]["stacked_sell"] = buys, sells
    flow.clear_footprint(f)
    if p["anchor"][1]["has"]:
        profile.settle(p, p["anchor"][1])
    else:
        profile.settle(p, p["anchor"][0])


@kernel
def _boundary(s: Record, ts: int) -> None:
    """Pass one boundary of the session table: RTH open, end of the initial balance, RTH close, phases."""
    c, row, p, f = s["clock"], s["session"], s["profile"], s["flow"]
    if row["has_rth"]:
        if ts == row["rth_open_ns"]:
            profile.start_rth(p, ts)
            c["is_rth"] = f["is_rth"] = 1
            flow.threshold(f)
        if ts == row["ib_end_ns"]:
            profile.end_ib(p)
        if ts == row["rth_close_ns"]:
            profile.end_rth(p)
            c["is_rth"] = f["is_rth"] = 0
            flow.threshold(f)
    schedule(s, ts)


@kernel
def schedule(s: Record, ts: int) -> None:
    """Find the phase at `ts` and the next boundary after it."""
    c, row = s["clock"], s["session"]
    following = NEVER
    for i in range(row["phase_count"]):
        start = row["phase_start_ns"][i]
        if start <= ts:
            c["phase"] = row["phase_code"][i]
        else:
            following = min(following, start)
    if row["has_rth"]:
        for at in (row["rth_open_ns"], row["ib_end_ns"], row["rth_close_ns"]):
            if at > ts:
                following = min(following, at)
    c["boundary_due"] = following


@kernel
def enter(s: Record, ts: int) -> None:
    """Start the trading day whose row has just been written to `session`; `ts` is the first event's time."""
    c = s["clock"]
    if c["has_day"]:
        close_due(s, NEVER - 1)
        if c["is_rth"]:
            profile.end_rth(s["profile"])
        bars.end_day(s["time_of_day"])
    opened = s["session"]["open_ns"]
    c["has_day"], c["is_rth"] = 1, 0
    flow.on_session(s["flow"])
    profile.on_session(s["profile"], opened)
    levels.on_session(s["levels"])
    quality.reset(s["quality"])
    s["book"]["ofi"] = 0
    battle.on_session(s)
    regime.on_session(s)
    micro.on_session(s["micro"])
    cross.on_session(s["cross"])
    season.on_session(s["season"])
    options.on_session(s)
    c["jump_n"] = 0
    c["day_rows"] = 0
    # Boundaries that passed before the first event (a file that begins inside RTH) happen now, in order.
    c["boundary_due"] = opened
    c["bar_due"] = NEVER
    c["next_second"] = NEVER if c["bars_only"] else ts // NS * NS
    schedule(s, opened - 1)
    catch_up(s, ts - 1, 0)
