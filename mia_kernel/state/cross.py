"""Cross: NQ beside ES on synchronised returns of the base timeframe.

How it moves: rows of the second instrument (trades, or bars at their end) become closes by minute; when
both markets have the same minute and the one before, a pair of log returns joins the ring and every measure
is taken anew. Price levels are never correlated. Source: domain §14, ES/NQ correlation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mia_kernel.core.events import BAR, TRADE
from mia_kernel.core.kernel import Record, kernel
from mia_kernel.state.bars import bar_at

RING = 256
MIN_MATCHED = 45
SHORT, USED, LONG = 30, 60, 120
FIVE = 5
LAGS = 5
HY_MIN = 1_000
NS = 1_000_000_000

CROSS_DTYPE = np.dtype(
    [
        ("has_second", np.uint8),  # any row of the second instrument was seen
        ("has_current", np.uint8),
        ("ts", np.int64),  # event time of the newest one
        ("current_end", np.int64),
        ("current_close", np.int32),
        ("end", np.int64, (RING,)),  # closed intervals of the second instrument
        ("close", np.int32, (RING,)),
        ("n", np.int64),
        ("last_matched", np.int64),  # end of the newest matched interval
        ("match_es", np.float64, (RING,)),  # log return of the matched interval
        ("match_nq", np.float64, (RING,)),
        ("match_end", np.int64, (RING,)),
        ("match_n", np.int64),
        ("corr30", np.float64),
        ("corr60", np.float64),
        ("corr120", np.float64),
        ("beta60", np.float64),
        ("z", np.float64),  # NQ 5-bar return over its deviation within 120 bars
        ("divergence", np.float64),  # 5-bar residual over its deviation; beyond ±2 is a divergence
        ("lead_lag", np.int32),  # lag in bars with the largest |corr|; > 0: NQ leads
        # Hayashi-Yoshida over the trades of the session: whole ticks
        ("hy_cov", np.int64),
        ("hy_es", np.int64),  # Σ (change of ES)²
        ("hy_nq", np.int64),
        ("hy_n", np.int64),  # changes of ES that count
        ("hy_es_px", np.int32),
        ("hy_nq_px", np.int32),
        ("hy_has", np.uint8),  # 1 ES seen, 2 NQ seen
        ("hy_open", np.int64),  # NQ price when the running ES interval began
        ("hy_wait", np.int64),  # Σ change of ES over ended intervals whose NQ interval has not ended
        ("hy_wait_from", np.int64),  # Σ change of ES · NQ price at its beginning
    ],
    align=True,
)


def init(record: Any) -> None:
    """Make `record` a second market never seen."""
    record[...] = np.zeros((), CROSS_DTYPE)
    for name in ("corr30", "corr60", "corr120", "beta60", "z", "divergence"):
        record[name] = np.nan


@kernel
def on_event(s: Record, e: Record) -> None:
    """Take one row of the second instrument."""
    x = s["cross"]
    if e["sz"] <= 0 or e["px"] <= 0:
        return
    now, length = s["clock"]["ts"], s["tf"][s["clock"]["base"]]["seconds"] * NS
    if e["kind"] == BAR:
        x["has_second"], x["ts"] = 1, now
        _close(x, now, e["px"])
        _match(s)
    elif e["kind"] == TRADE:
        x["has_second"], x["ts"] = 1, now
        _hy_nq(x, e["px"])
        end = now // length * length + length
        if x["has_current"] and end > x["current_end"]:
            _close(x, x["current_end"], x["current_close"])
            _match(s)
        x["current_end"], x["current_close"], x["has_current"] = end, e["px"], 1


@kernel
def on_session(x: Record) -> None:
    """A new trading day: the sums over ticks start anew, each market from its first trade."""
    x["hy_cov"] = x["hy_es"] = x["hy_nq"] = x["hy_n"] = x["hy_has"] = x["hy_wait"] = x["hy_wait_from"] = 0


@kernel
def on_trade(x: Record, px: int) -> None:
    """Take a trade of the traded market: the interval since its last trade has ended.

    Its change counts against the change of NQ over every NQ interval that overlaps it: from NQ's price at
    its beginning to NQ's next trade, which is waited for. Source: Hayashi and Yoshida (2005).
    """
    if x["hy_has"] & 1 and x["hy_has"] & 2:
        change = np.int64(px) - x["hy_es_px"]
        x["hy_es"] += change * change
        x["hy_wait"] += change
        x["hy_wait_from"] += change * x["hy_open"]
        x["hy_n"] += 1
    if x["hy_has"] & 2:
        x["hy_open"] = x["hy_nq_px"]
        x["hy_has"] |= 1
        x["hy_es_px"] = px


@kernel
def _hy_nq(x: Record, px: int) -> None:
    if x["hy_has"] & 2:
        change = np.int64(px) - x["hy_nq_px"]
        x["hy_nq"] += change * change
    x["hy_cov"] += x["hy_wait"] * px - x["hy_wait_from"]
    x["hy_wait"] = x["hy_wait_from"] = 0
    x["hy_nq_px"] = px
    x["hy_has"] |= 2


@kernel
def hayashi_yoshida(x: Record) -> float:
    """Return the correlation of the session's tick changes without any grid, NaN under 1,000 of ES.

    It is a ratio of sums over asynchronous intervals and may leave ±1 a little on small samples; it is held
    there.
    """
    if x["hy_n"] < HY_MIN or x["hy_es"] == 0 or x["hy_nq"] == 0:
        return np.nan
    return min(max(x["hy_cov"] / np.sqrt(float(x["hy_es"]) * float(x["hy_nq"])), -1.0), 1.0)


@kernel
def on_base_close(s: Record) -> None:
    """A bar of the traded market has closed: finish the second market's interval and match."""
    x = s["cross"]
    if not x["has_second"]:
        return
    end = bar_at(s["tf"][s["clock"]["base"]], 0)["end"]
    if x["has_current"] and x["current_end"] <= end:
        _close(x, x["current_end"], x["current_close"])
        x["has_current"] = 0
    _match(s)


@kernel
def _close(x: Record, end: int, px: int) -> None:
    if x["n"] > 0 and x["end"][(x["n"] - 1) % RING] >= end:
        return
    x["end"][x["n"] % RING], x["close"][x["n"] % RING] = end, px
    x["n"] += 1


@kernel
def _match(s: Record) -> None:
    """Pair the newest interval both markets have, if they also have the one before it."""
    x, t = s["cross"], s["tf"][s["clock"]["base"]]
    if t["n"] < 2 or x["n"] < 2:
        return
    length = t["seconds"] * NS
    at, before = (x["n"] - 1) % RING, (x["n"] - 2) % RING
    end = x["end"][at]
    es, es_before = bar_at(t, 0), bar_at(t, 1)
    if es["end"] != end or end <= x["last_matched"]:
        return
    x["last_matched"] = end
    if es_before["end"] != end - length or x["end"][before] != end - length:
        return
    if es["close"] <= 0 or es_before["close"] <= 0:
        return
    m = x["match_n"] % RING
    x["match_es"][m] = math.log(es["close"] / es_before["close"])
    x["match_nq"][m] = math.log(x["close"][at] / x["close"][before])
    x["match_end"][m] = end
    x["match_n"] += 1
    _measure(x, end, length)


@kernel
def _measure(x: Record, end: int, length: int) -> None:
    x["corr30"] = _corr(x, SHORT, 0, end, length)
    x["corr60"] = _corr(x, USED, 0, end, length)
    x["corr120"] = _corr(x, LONG, 0, end, length)
    x["beta60"] = x["z"] = x["divergence"] = np.nan
    if x["corr60"] != x["corr60"]:
        return
    x["beta60"] = _beta(x, USED, end, length)
    n = min(x["match_n"], LONG)
    joined = False
    total, squares, rest, rest_squares, count = 0.0, 0.0, 0.0, 0.0, 0
    nq5 = es5 = 0.0
    for i in range(n - FIVE + 1):
        first = x["match_n"] - n + i
        last_end, first_end = x["match_end"][(first + FIVE - 1) % RING], x["match_end"][first % RING]
        # Five returns with a hole between them are no 5-bar return.
        joined = last_end - first_end == (FIVE - 1) * length
        if not joined or end - first_end >= LONG * length:
            continue
        nq5, es5 = 0.0, 0.0
        for j in range(FIVE):
            at = (first + j) % RING
            nq5 += x["match_nq"][at]
            es5 += x["match_es"][at]
        residual = es5 - x["beta60"] * nq5
        total += nq5
        squares += nq5 * nq5
        rest += residual
        rest_squares += residual * residual
        count += 1
    if not joined:
        return
    spread = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
    noise = np.sqrt(max(rest_squares / count - (rest / count) ** 2, 0.0))
    if spread > 0:
        x["z"] = nq5 / spread
    if noise > 0:
        x["divergence"] = (es5 - x["beta60"] * nq5) / noise
    best, most = 0, -1.0
    for lag in range(-LAGS, LAGS + 1):
        c = abs(_corr(x, USED, lag, end, length))
        if c > most + 1e-12 or (c > most - 1e-12 and abs(lag) < abs(best)):
            best, most = lag, c
    x["lead_lag"] = best


@kernel
def _corr(x: Record, window: int, lag: int, end: int, length: int) -> float:
    """Return corr(ES now, NQ `lag` bars earlier) over `window` bars, NaN with too few matched ones."""
    n = 0
    sx = sy = sxx = syy = sxy = 0.0
    most = min(x["match_n"], RING)
    for i in range(min(window, most)):
        at = x["match_n"] - 1 - i
        if end - x["match_end"][at % RING] >= window * length:
            break
        other = at - lag
        if other < x["match_n"] - most or other >= x["match_n"]:
            continue
        a, b = x["match_es"][at % RING], x["match_nq"][other % RING]
        sx += a
        sy += b
        sxx += a * a
        syy += b * b
        sxy += a * b
        n += 1
    if n < window * MIN_MATCHED // USED - abs(lag):
        return np.nan
    vx, vy = sxx - sx * sx / n, syy - sy * sy / n
    if vx <= 0.0 or vy <= 0.0:
        return np.nan
    return min(max((sxy - sx * sy / n) / np.sqrt(vx * vy), -1.0), 1.0)


@kernel
def _beta(x: Record, window: int, end: int, length: int) -> float:
    """Return the slope of ES on NQ returns over the pairs of the last `window` bars."""
    n = 0
    sx = sy = sxx = sxy = 0.0
    for i in range(min(window, min(x["match_n"], RING))):
        at = (x["match_n"] - 1 - i) % RING
        if end - x["match_end"][at] >= window * length:
            break
        n += 1
        a, b = x["match_nq"][at], x["match_es"][at]
        sx += a
        sy += b
        sxx += a * a
        sxy += a * b
    return (sxy - sx * sy / n) / (sxx - sx * sx / n)
