"""Micro: what one sees with a magnifying glass: spread and flow anomalies, price impact, toxicity, latency.

How it moves: once a second the spread joins its ring and the micro-price counts one transition; when a base
bar closes, volume and flow are held against the 30 bars before, price change against signed volume joins
the session's regression (Kyle's λ), and the volume falls into equal buckets (VPIN). Every row whose arrival
clock is its own is counted into a histogram of latency. Nothing here has a vote: λ and VPIN are displayed
until they beat volume and volatility out of sample. Source: domain §4, §6.2, §6.6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state import microprice
from mia_kernel.state.bars import TF_1H, TF_5M, bar_at
from mia_kernel.state.quality import LATENCY_BINS, latency_bin

HISTORY = 30  # samples an anomaly is held against
SPREADS = 300  # seconds of spread that are remembered
BUCKETS = 50
DELTAS = 50  # bars the bulk classification takes its deviation from
EVENTS = 32
LATENCY_MINUTES = 6  # five closed ones and the running one
MINUTE_NS = 60_000_000_000
IMPACT_NS = 10_000_000_000
KYLE_MIN = 30
A_VOLUME, A_SPREAD, A_FLOW = range(3)
ANOMALY_NAMES = ("volume", "spread", "flow")


class MicroParams(BaseModel):
    """When something is out of the ordinary (domain §6.6)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume_spike: float = Field(default=3.0, gt=1, description="volume against its mean (ratio)")
    spread_widening: float = Field(default=2.0, gt=1, description="spread against its mean (ratio)")
    flow_sigmas: float = Field(default=2.5, gt=0, description="flow against its mean in deviations (ratio)")
    vpin_bucket_contracts: int = Field(
        default=25_000,
        ge=1,
        description="volume of one VPIN bucket: a fiftieth of a usual ES day (contracts)",
    )


MICRO_DTYPE = np.dtype(
    [
        ("p_volume", np.float64),
        ("p_spread", np.float64),
        ("p_flow", np.float64),
        ("p_bucket", np.int64),
        # spread, on the 1 s grid
        ("spread", np.int32, (SPREADS,)),
        ("spread_ts", np.int64, (SPREADS,)),
        ("spread_flag", np.uint8, (SPREADS,)),  # 1 at one tick, 2 anomalous
        ("spread_n", np.int64),
        ("spread_sum", np.int64),  # of the newest 30
        ("one_tick_n", np.int64),  # flags within the ring
        ("wide_n", np.int64),
        ("spread_ratio", np.float64),  # newest sample over the mean of the 30 before
        # volume and flow of the newest base bar against the 30 before
        ("volume_ratio", np.float64),
        ("flow_sigma", np.float64),  # signed
        ("event_kind", np.int8, (EVENTS,)),
        ("event_ts", np.int64, (EVENTS,)),
        ("event_size", np.float64, (EVENTS,)),
        ("event_n", np.int64),
        # Kyle's lambda of the session: whole numbers, so that a mirrored market has the same sums
        ("kyle_n", np.int64),
        ("kyle_x", np.int64),
        ("kyle_y", np.int64),
        ("kyle_xx", np.int64),
        ("kyle_xy", np.int64),
        ("kyle_yy", np.int64),
        # VPIN
        ("bucket_volume", np.float64),
        ("bucket_signed", np.float64),
        ("bucket_ring", np.float64, (BUCKETS,)),
        ("bucket_n", np.int64),
        # latency
        ("latency", np.int32, (LATENCY_MINUTES, LATENCY_BINS)),
        ("latency_minute", np.int64),
        ("latency_until", np.int64),  # end of that minute
        ("latency_row", np.int64),
        ("latency_rows", np.int64),
        ("early_rows", np.int64),  # received before they happened: a clock is wrong
        # what the market did after our last entry
        ("entries_seen", np.int64),
        ("impact_due", np.int64),  # 0 = nothing pending
        ("impact_side", np.int8),
        ("impact_mid_2", np.int32),
        ("impact_ticks", np.float64),
        ("impact_spread", np.float64),
        ("microprice", microprice.MICROPRICE_DTYPE),
    ],
    align=True,
)


def init(record: Any, params: MicroParams) -> None:
    """Make `record` one that has seen nothing."""
    record[...] = np.zeros((), MICRO_DTYPE)
    record["p_volume"], record["p_spread"] = params.volume_spike, params.spread_widening
    record["p_flow"], record["p_bucket"] = params.flow_sigmas, params.vpin_bucket_contracts
    for name in ("spread_ratio", "volume_ratio", "flow_sigma", "impact_ticks", "impact_spread"):
        record[name] = np.nan
    microprice.init(record["microprice"])


@kernel
def on_session(m: Record) -> None:
    """A new trading day: the regression starts anew, and no second is compared with one of yesterday."""
    m["kyle_n"] = m["kyle_x"] = m["kyle_y"] = m["kyle_xx"] = m["kyle_xy"] = m["kyle_yy"] = 0
    m["spread_n"] = m["spread_sum"] = m["one_tick_n"] = m["wide_n"] = 0
    m["spread_ratio"] = np.nan
    m["microprice"]["has_last"] = 0


@kernel
def note(m: Record, kind: int, size: float, ts: int) -> None:
    """Remember one anomaly: what, how large (ratio or deviations), when."""
    at = m["event_n"] % EVENTS
    m["event_kind"][at], m["event_size"][at], m["event_ts"][at] = kind, size, ts
    m["event_n"] += 1


@kernel
def second(s: Record, ts: int) -> None:
    """Look at the book at the end of a second of event time; nothing without a fresh one."""
    m, k = s["micro"], s["book"]
    if not k["has"] or ts - k["ts"] > k["p_obi_stale_ns"]:
        m["microprice"]["has_last"] = 0
        return
    _spread(m, k["ask"] - k["bid"], ts)
    microprice.second(m["microprice"], k)
    _impact(s, ts)


@kernel
def _spread(m: Record, ticks: int, ts: int) -> None:
    n, flag = m["spread_n"], 1 if ticks == 1 else 0
    m["spread_ratio"] = np.nan
    if n >= HISTORY:
        m["spread_ratio"] = ticks * HISTORY / m["spread_sum"]
        if m["spread_ratio"] > m["p_spread"] and ticks > 1:
            flag |= 2
            note(m, A_SPREAD, m["spread_ratio"], ts)
    at = n % SPREADS
    if n >= SPREADS:
        m["one_tick_n"] -= m["spread_flag"][at] & 1
        m["wide_n"] -= m["spread_flag"][at] >> 1
    m["spread_sum"] += ticks
    if n >= HISTORY:
        m["spread_sum"] -= m["spread"][(n - HISTORY) % SPREADS]
    m["spread"][at], m["spread_flag"][at], m["spread_ts"][at] = ticks, flag, ts
    m["one_tick_n"] += flag & 1
    m["wide_n"] += flag >> 1
    m["spread_n"] = n + 1


@kernel
def _impact(s: Record, ts: int) -> None:
    """Follow the mid for ten seconds after an entry, in ticks on its side (domain §19)."""
    m, k, a = s["micro"], s["book"], s["account"]
    mid_2 = k["bid"] + k["ask"]
    if a["entries"] > m["entries_seen"]:
        m["entries_seen"] = a["entries"]
        m["impact_due"] = 0
        if a["position"] != 0:
            m["impact_due"], m["impact_mid_2"] = ts + IMPACT_NS, mid_2
            m["impact_side"] = 1 if a["position"] > 0 else -1
            at = (a["entries"] - 1) % len(a["entry_ts"])
            m["impact_spread"] = _spread_at(m, a["entry_ts"][at] - round(1e6 * a["execution_time_ms"]))
    elif m["impact_due"] != 0 and ts >= m["impact_due"]:
        m["impact_ticks"] = m["impact_side"] * (mid_2 - m["impact_mid_2"]) / 2.0
        m["impact_due"] = 0


@kernel
def _spread_at(m: Record, ts: int) -> float:
    """Return the spread in ticks at the newest sampled second at or before `ts`, NaN where none is kept."""
    for j in range(min(m["spread_n"], SPREADS)):
        at = (m["spread_n"] - 1 - j) % SPREADS
        if m["spread_ts"][at] <= ts:
            return float(m["spread"][at])
    return np.nan


@kernel
def on_bar_close(s: Record, tf: int) -> None:
    """Hold the newest bar of the base timeframe against the ones before it."""
    m, base = s["micro"], s["clock"]["base"]
    # Solving costs a hundred times what a bar close does: at once when it can be known, then every hour.
    if tf == TF_1H or (tf == TF_5M and not m["microprice"]["estimated"]):
        microprice.estimate(m["microprice"])
    if tf != base:
        return
    t = s["tf"][tf]
    if t["n"] < 2:
        return
    bar = bar_at(t, 0)
    if bar_at(t, 1)["day"] == bar["day"] and bar["known_volume"] > 0:
        _kyle(m, bar["ask_volume"] - bar["bid_volume"], bar["close"] - bar_at(t, 1)["close"])
    _anomalies(m, t, bar)
    if t["n"] > DELTAS:
        _vpin(m, t, bar)


@kernel
def _kyle(m: Record, x: int, y: int) -> None:
    m["kyle_n"] += 1
    m["kyle_x"] += x
    m["kyle_y"] += y
    m["kyle_xx"] += x * x
    m["kyle_xy"] += x * y
    m["kyle_yy"] += y * y


@kernel
def kyle(m: Record) -> tuple[float, float]:
    """Return (λ in ticks per contract, R²) of the session, NaN under 30 bars or without variation."""
    n = m["kyle_n"]
    if n < KYLE_MIN:
        return np.nan, np.nan
    spread_x = float(n * m["kyle_xx"] - m["kyle_x"] * m["kyle_x"])
    spread_y = float(n * m["kyle_yy"] - m["kyle_y"] * m["kyle_y"])
    common = float(n * m["kyle_xy"] - m["kyle_x"] * m["kyle_y"])
    if spread_x <= 0.0:
        return np.nan, np.nan
    return common / spread_x, common * common / (spread_x * spread_y) if spread_y > 0.0 else 0.0


@kernel
def _anomalies(m: Record, t: Record, bar: Record) -> None:
    m["volume_ratio"] = m["flow_sigma"] = np.nan
    if t["n"] < HISTORY + 1:
        return
    volume, total, squares = 0, 0, 0
    for j in range(1, HISTORY + 1):
        before = bar_at(t, j)
        delta = np.int64(before["ask_volume"]) - before["bid_volume"]
        volume += before["volume"]
        total += delta
        squares += delta * delta
    if volume > 0:
        m["volume_ratio"] = bar["volume"] * HISTORY / volume
        if m["volume_ratio"] > m["p_volume"]:
            note(m, A_VOLUME, m["volume_ratio"], bar["end"])
    spread = HISTORY * squares - total * total
    if spread > 0 and bar["known_volume"] > 0:
        newest = HISTORY * (np.int64(bar["ask_volume"]) - bar["bid_volume"]) - total
        m["flow_sigma"] = newest / np.sqrt(float(spread))
        if abs(m["flow_sigma"]) > m["p_flow"]:
            note(m, A_FLOW, m["flow_sigma"], bar["end"])


@kernel
def _vpin(m: Record, t: Record, bar: Record) -> None:
    """Bulk classification: the signed share of a bar's volume is 2Φ(ΔP/σ) − 1, spread over equal buckets."""
    total, squares = 0, 0
    for j in range(DELTAS):
        change = np.int64(bar_at(t, j)["close"]) - bar_at(t, j + 1)["close"]
        total += change
        squares += change * change
    spread = DELTAS * squares - total * total
    if spread <= 0:
        return
    z = (bar["close"] - bar_at(t, 1)["close"]) * DELTAS / np.sqrt(float(spread))
    share, left, size = math.erf(z / math.sqrt(2.0)), float(bar["volume"]), float(m["p_bucket"])
    while left > 0.0:
        take = min(left, size - m["bucket_volume"])
        m["bucket_volume"] += take
        m["bucket_signed"] += take * share
        left -= take
        if m["bucket_volume"] >= size:
            m["bucket_ring"][m["bucket_n"] % BUCKETS] = abs(m["bucket_signed"]) / size
            m["bucket_n"] += 1
            m["bucket_volume"] = m["bucket_signed"] = 0.0


@kernel
def vpin(m: Record) -> float:
    """Return the mean share of one-sided volume over the last 50 buckets, NaN before there are 50."""
    if m["bucket_n"] < BUCKETS:
        return np.nan
    total = 0.0
    for i in range(BUCKETS):
        total += m["bucket_ring"][i]
    return total / BUCKETS


@kernel
def arrival(m: Record, late_ns: int, clock: int) -> None:
    """Count one row's way from the exchange to here; `late_ns` is ts_recv − ts_event, never 0 here."""
    if clock >= m["latency_until"]:
        _latency_minute(m, clock // MINUTE_NS)
    m["latency_rows"] += 1
    if late_ns < 0:
        m["early_rows"] += 1
    m["latency"][m["latency_row"], latency_bin(late_ns * 1e-3)] += 1


@kernel
def _latency_minute(m: Record, minute: int) -> None:
    """Begin a minute: what is older than five is forgotten."""
    for i in range(min(minute - m["latency_minute"], LATENCY_MINUTES)):
        for j in range(LATENCY_BINS):
            m["latency"][(minute - i) % LATENCY_MINUTES, j] = 0
    m["latency_minute"], m["latency_until"] = minute, (minute + 1) * MINUTE_NS
    m["latency_row"] = minute % LATENCY_MINUTES


@kernel
def latency_us(m: Record, share: float, now: int) -> float:
    """Return a quantile of the latency of the last five to six minutes in µs: the upper edge of its bin.

    NaN where no row came with an arrival clock of its own.
    """
    minute, total = now // MINUTE_NS, 0
    if minute - m["latency_minute"] >= LATENCY_MINUTES:
        return np.nan
    for j in range(LATENCY_BINS):
        total += _column(m, j)
    if total == 0:
        return np.nan
    seen = 0
    for j in range(LATENCY_BINS):
        seen += _column(m, j)
        if seen >= share * total:
            return 2.0 ** (j / 4.0)
    return np.nan


@kernel
def _column(m: Record, j: int) -> int:
    total = 0
    for i in range(LATENCY_MINUTES):
        total += m["latency"][i, j]
    return total
