"""Market: everything that is remembered, one record, one step.

How it moves: `apply` takes rows while event time stays at or before a limit; each row first lets time pass
(`clockwork.catch_up`), then goes to the part it concerns. `advance` lets time pass without a row, up to a
decision point. One function serves one row and a whole file. The record is plain bytes: snapshot, restore
and checkpoint are copies.

Impossible rows are counted and not applied (domain: data-quality traps); what comes up to two seconds late
is applied at the present clock and counted, never back-dated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from mia_kernel.core.events import (
    BAR,
    BAR_ASK_VOLUME,
    BAR_BID_VOLUME,
    BAR_HIGH,
    BAR_LOW,
    BAR_OPEN,
    BAR_SECONDS,
    BAR_TRADES,
    BOOK,
    PRIMARY,
    QUOTE,
    SECOND,
    SIDE_FEED,
    TIMER,
    TRADE,
    VIX,
)
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.core.session import SESSION_DTYPE
from mia_kernel.state import (
    bars,
    battle,
    book,
    clockwork,
    cross,
    flow,
    headfake,
    iceberg,
    ledger,
    levels,
    micro,
    options,
    profile,
    quality,
    regime,
    season,
)
from mia_kernel.state.bars import NS
from mia_kernel.state.battle import BattleParams
from mia_kernel.state.book import BookParams
from mia_kernel.state.flow import FlowParams
from mia_kernel.state.micro import MicroParams
from mia_kernel.state.profile import ProfileParams
from mia_kernel.state.regime import RegimeParams

LATE_NS = 2 * NS
JUMP_CONFIRMATIONS = 3

CLOCK_DTYPE = np.dtype(
    [
        ("ts", np.int64),  # event clock: running maximum of ts_event
        ("now", np.int64),  # the instant features are asked for: the decision point
        ("due", np.int64),  # earliest instant at which time alone makes something happen
        ("bar_due", np.int64),
        ("boundary_due", np.int64),
        ("next_second", np.int64),
        ("rows", np.int64),
        ("day_rows", np.int64),
        ("seq", np.int64),
        ("price_ts", np.int64),
        ("price", np.int32),
        ("jump", np.int32),
        ("jump_n", np.int32),
        ("base", np.int32),  # index of the finest timeframe the source gives
        ("signal", np.int32),  # index of the timeframe strategy and patterns run on
        ("has_day", np.uint8),
        ("has_price", np.uint8),
        ("is_rth", np.uint8),
        ("bars_only", np.uint8),
        ("phase", np.int8),
    ],
    align=True,
)

MARKET_DTYPE = np.dtype(
    [
        ("clock", CLOCK_DTYPE),
        ("session", SESSION_DTYPE),
        ("book", book.BOOK_DTYPE),
        ("flow", flow.FLOW_DTYPE),
        ("tf", bars.BARS_DTYPE, (5,)),
        ("time_of_day", bars.TIME_OF_DAY_DTYPE),
        ("profile", profile.PROFILE_DTYPE),
        ("levels", levels.LEVELS_DTYPE),
        ("battle", battle.BATTLE_DTYPE, (5,)),
        ("regime", regime.REGIME_DTYPE),
        ("cross", cross.CROSS_DTYPE),
        ("micro", micro.MICRO_DTYPE),
        ("iceberg", iceberg.ICEBERG_DTYPE),
        ("season", season.SEASON_DTYPE),
        ("headfake", headfake.HEADFAKE_DTYPE),
        ("options", options.OPTIONS_DTYPE),
        ("quality", quality.QUALITY_DTYPE),
        ("account", ledger.ACCOUNT_DTYPE),
    ],
    align=True,
)


class StateParams(BaseModel):
    """What the state kernels are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    book: BookParams = BookParams()
    flow: FlowParams = FlowParams()
    profile: ProfileParams = ProfileParams()
    battle: BattleParams = BattleParams()
    regime: RegimeParams = RegimeParams()
    micro: MicroParams = MicroParams()


@kernel
def apply(st: Any, events: Any, start: int, stop: int, until: int) -> int:
    """Apply rows [start, stop) while event time ≤ `until`; return the index of the first row not applied."""
    s = st[0]
    c, q = s["clock"], s["quality"]
    i = start
    while i < stop:
        e = events[i]
        t = e["ts_event"]
        if t > c["ts"]:
            if t > until:
                break
            if t >= c["due"]:
                clockwork.catch_up(s, t - 1 if e["kind"] == BAR else t, 0)
            c["ts"] = t
        elif t < c["ts"]:
            q["now"][quality.DISORDER] += 1
            if t < c["ts"] - LATE_NS:
                q["quarantined"] += 1
                i += 1
                continue
            q["late"] += 1
        c["rows"] += 1
        c["seq"] = e["seq"]
        if e["ts_recv"] != t and e["instrument"] == PRIMARY:
            micro.arrival(s["micro"], e["ts_recv"] - t, c["ts"])
        _row(s, e)
        i += 1
    return i


@kernel
def _row(s: Record, e: Record) -> None:
    kind, instrument = e["kind"], e["instrument"]
    if instrument == PRIMARY:
        if kind == TRADE:
            _trade(s, e)
        elif kind == BOOK or kind == QUOTE:
            _book(s, e)
        elif kind == BAR:
            _bar(s, e)
    elif instrument == SECOND:
        if kind == TRADE and (e["px"] <= 0 or e["sz"] <= 0):
            s["quality"]["quarantined"] += 1
        else:
            cross.on_event(s, e)
    elif instrument == VIX and kind != TIMER:
        if e["px"] <= 0:
            s["quality"]["quarantined"] += 1
        else:
            regime.on_vix(s, e["px"], s["clock"]["ts"])


@kernel
def _book(s: Record, e: Record) -> None:
    c, q = s["clock"], s["quality"]
    q["now"][quality.ROWS] += 1
    if c["ts"] >= s["session"]["close_ns"]:
        # An exporter goes on writing a frozen book after the close.
        q["outside"] += 1
        q["quarantined"] += 1
    elif not book.on_book(s["book"], e, c["ts"]):
        q["now"][quality.CROSSED] += 1
        q["quarantined"] += 1
    else:
        iceberg.on_book(s["iceberg"], s["book"])


@kernel
def _trade(s: Record, e: Record) -> None:
    c, q, px, sz = s["clock"], s["quality"], e["px"], e["sz"]
    q["now"][quality.ROWS] += 1
    if sz <= 0 or px <= 0:
        q["now"][quality.ZERO] += 1
        q["quarantined"] += 1
    elif c["ts"] >= s["session"]["close_ns"]:
        q["outside"] += 1
        q["quarantined"] += 1
    elif _believable(c, q, px):
        f, p = s["flow"], s["profile"]
        t = s["tf"][0]
        side, weight = flow.side_of(f, s["book"], e)
        if not t["has_current"]:
            row = s["session"]
            bars.begin(t, c["ts"], px, row["anchor_ns"], row["close_ns"], row["trading_day"])
            c["bar_due"] = min(c["bar_due"], t["current"]["end"])
            c["due"] = min(c["due"], c["bar_due"])
        bars.touch(t["current"], px, sz, side, weight)
        flow.on_trade(f, px, sz, side, weight, c["ts"])
        iceberg.on_trade(s["iceberg"], px, sz, side, c["ts"])
        profile.add(p["anchor"][0], px, sz)
        if c["is_rth"]:
            profile.add(p["anchor"][1], px, sz)
        if s["cross"]["has_second"]:
            cross.on_trade(s["cross"], px)
        c["price"], c["price_ts"], c["has_price"] = px, c["ts"], 1
        c["day_rows"] += 1


@kernel
def _believable(c: Record, q: Record, px: int) -> int:
    """Return 0 for a jump of more than 1 % inside a session until three prints in a row confirm it."""
    if c["day_rows"] == 0 or 100 * abs(px - c["price"]) <= c["price"]:
        c["jump_n"] = 0
        return 1
    if c["jump_n"] > 0 and 100 * abs(px - c["jump"]) <= c["jump"]:
        c["jump_n"] += 1
    else:
        c["jump_n"] = 1
    c["jump"] = px
    if c["jump_n"] >= JUMP_CONFIRMATIONS:
        c["jump_n"] = 0
        return 1
    q["jumps"] += 1
    q["quarantined"] += 1
    return 0


@kernel
def _bar(s: Record, e: Record) -> None:
    """Take a bar row, which carries a whole interval and enters at its end."""
    c, q, row, p, f = s["clock"], s["quality"], s["session"], s["profile"], s["flow"]
    volume, length = e["sz"], e["b"][BAR_SECONDS] * NS
    base = c["base"]
    started = c["ts"] - length
    q["now"][quality.ROWS] += 1
    if volume <= 0:
        q["now"][quality.ZERO] += 1
    if (
        started >= row["close_ns"]
        or started < row["anchor_ns"]
        or e["b"][BAR_SECONDS] != s["tf"][base]["seconds"]
    ):
        q["outside"] += 1
        q["quarantined"] += 1
        return
    t = s["tf"][base]
    bars.begin(t, started, e["b"][BAR_OPEN], row["anchor_ns"], row["close_ns"], row["trading_day"])
    b = t["current"]
    b["high"], b["low"], b["close"], b["volume"] = e["b"][BAR_HIGH], e["b"][BAR_LOW], e["px"], volume
    b["trades"] = e["b"][BAR_TRADES]
    if e["flags"] & SIDE_FEED:
        bought, sold = e["b"][BAR_ASK_VOLUME], e["b"][BAR_BID_VOLUME]
        b["ask_volume"], b["bid_volume"], b["known_volume"] = bought, sold, bought + sold
        b["side_quality"] = float(bought + sold)
        b["delta_min"], b["delta_max"] = min(bought - sold, 0), max(bought - sold, 0)
        f["cvd"] += bought - sold
        f["buy"] += bought
        f["sell"] += sold
    else:
        f["unknown"] += volume
    if volume > 0:
        profile.add_bar(p["anchor"][0], b["low"], b["high"], b["open"], b["close"], volume)
        if c["is_rth"]:
            profile.add_bar(p["anchor"][1], b["low"], b["high"], b["open"], b["close"], volume)
    c["price"], c["price_ts"], c["has_price"] = b["close"], c["ts"], 1
    c["day_rows"] += 1
    quality.bar(q)
    c["bar_due"] = min(c["bar_due"], b["end"])
    clockwork.catch_up(s, c["ts"], 0)


@kernel
def advance(st: Any, ts: int) -> None:
    """Let event time pass to `ts` without a row: bars that end there close, its second is sampled."""
    s = st[0]
    s["clock"]["now"] = ts
    if ts >= s["clock"]["ts"]:
        clockwork.catch_up(s, ts, 1)


@kernel
def enter(st: Any, ts: int) -> None:
    """Start the trading day whose row is in `session`, at the time of its first row."""
    clockwork.enter(st[0], ts)


@kernel
def pass_to(st: Any, ts: int) -> None:
    """Let event time pass to the end of a trading day before the next one is entered."""
    clockwork.catch_up(st[0], ts, 1)


@kernel
def surroundings(st: Any, out: Any) -> None:
    """Fill `out` in the order of core.decisions.CONTEXT_NAMES; it arrives full of NaN (unknown)."""
    s = st[0]
    c, p, a = s["clock"], s["profile"], s["account"]
    eth, rth = p["anchor"][0], p["anchor"][1]
    out[0], out[1] = profile.vwap(eth)
    if rth["has_area"]:
        out[2], out[3], out[4] = rth["poc_2"] / 2.0, rth["vah"], rth["val"]
    if eth["has"]:
        out[5], out[6] = eth["high"], eth["low"]
    five = s["tf"][max(bars.TF_5M, c["base"])]
    if five["n"] > 0:
        out[7] = bars.bar_at(five, 0)["atr"]
    out[8] = s["regime"]["vix"]
    if s["regime"]["volatility"] >= 0:
        out[9] = s["regime"]["volatility"]
    if s["regime"]["market"] >= 0:
        out[10] = s["regime"]["market"]
    out[11] = c["phase"]
    if s["book"]["has"]:
        out[12] = s["book"]["ask"] - s["book"]["bid"]
    out[13] = s["quality"]["score"]
    w = s["battle"][c["signal"]]
    out[14] = w["score"]
    if w["bars"] > 0:
        out[15] = w["ball_trend"]
    out[16] = a["position"]
    out[17] = (a["equity_cents"] - a["day_start_cents"]) / 100.0
    out[18] = (a["equity_cents"] - a["p_equity_cents"] - a["closed_cents"]) / 100.0
    out[19] = a["equity_cents"] / 100.0
    if s["flow"]["buy"] + s["flow"]["sell"] > 0:
        out[20] = s["flow"]["cvd"]
    out[21] = s["book"]["signal"]


@kernel
def forget_levels(st: Any) -> None:
    """A contract change with an unknown spread: old prices mean nothing any more."""
    levels.on_session(st[0]["levels"])
    st[0]["profile"]["has_previous"] = 0


@kernel
def translate(st: Any, ticks: int) -> None:
    """Move every remembered price by `ticks`: levels, previous session, bars, balls and bases."""
    s = st[0]
    s["clock"]["price"] += ticks
    s["flow"]["last"] += ticks
    p = s["profile"]
    p["pvah"] += ticks
    p["pval"] += ticks
    p["ppoc_2"] += 2 * ticks
    p["pdh"] += ticks
    p["pdl"] += ticks
    p["previous_close"] += ticks
    for k in range(5):
        t, w = s["tf"][k], s["battle"][k]
        for j in range(bars.BAR_RING):
            b = t["ring"][j]
            b["open"] += ticks
            b["high"] += ticks
            b["low"] += ticks
            b["close"] += ticks
            b["vwap"] += ticks
        for j in range(battle.BALLS):
            w["green"][j]["px"] += ticks
            w["red"][j]["px"] += ticks
        for j in range(battle.EVENTS):
            w["event_px"][j] += ticks
            w["event_to"][j] += ticks
        w["base_low"] += ticks
        w["base_high"] += ticks
        w["box_low"] += ticks
        w["box_high"] += ticks
        w["lowest_green_low"] += ticks
        w["highest_red_high"] += ticks
        w["ball_stop"] += ticks
    for i in range(levels.SLOTS):
        s["levels"]["at"][i]["price_2"] += 2 * ticks
        s["levels"]["at"][i]["touched_2"] += 2 * ticks
