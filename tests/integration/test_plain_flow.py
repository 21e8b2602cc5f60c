"""Flow and structure against plain numpy: smart money, nearness of levels, nodes of the profile, timeframes.

The whole session is there and each value is worked out anew at every decision by the words of its definition.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from mia_kernel.core.events import BOOK
from mia_kernel.state.levels import NAMES as LEVELS
from tests.plain_replay import (
    HOUR,
    HOUR_NS,
    MINUTE,
    QUARTER,
    SESSION,
    Replay,
    Tape,
    large_orders,
    replayed,
    same,
    tape_of,
)

pytestmark = [pytest.mark.integration, pytest.mark.orderflow]

OPENED = int(np.datetime64("2019-08-09T13:30", "ns").astype(np.int64))
CLOSED = OPENED + 390 * MINUTE
NEUTRAL, ROTATION, STEADY, INSTITUTIONAL = range(4)


@pytest.fixture(scope="module")
def session() -> Replay:
    return replayed(SESSION)


@pytest.fixture(scope="module")
def tape(session: Replay) -> Tape:
    return tape_of(session)


@pytest.fixture(scope="module")
def bars(session: Replay) -> Any:
    """Return every closed minute once, oldest first."""
    _, first = np.unique(session.bar["end"], return_index=True)
    found = session.bar[first]
    return found[found["end"] > 0]


def both(found: Any, expected: Any, *, least: int, abs_: float = 1e-9) -> None:
    """Compare where known; unknown must coincide."""
    expected = np.asarray(expected, float)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    same(found, expected, least=least, abs_=abs_)


# -- smart money ---------------------------------------------------------------------------------------


def judged(signed: Any, age: Any, alignment: float, aggressor: float) -> tuple[float, float, float]:
    """Return (signal, confidence, value) of the large orders of one window, the first condition that holds."""
    size = np.abs(signed).sum()
    net, intensity = signed.sum() / size, min(size / 500, 1)
    flow = np.array([signed[age // (3 * MINUTE) == period].sum() for period in range(5)])
    agree = np.sign(flow[flow != 0]) == np.sign(net)
    persistence = agree.mean() if len(agree) >= 2 else 0.0
    confidence = 0.30 * intensity + 0.20 * min(len(signed) / 10, 1) + 0.20 * persistence
    confidence += 0.15 * alignment + 0.15 * aggressor
    if abs(net) > 0.4 and intensity > 0.5:
        signal, base = INSTITUTIONAL, 0.8
    elif abs(net) > 0.2 and persistence > 0.6:
        signal, base = STEADY, 0.6
    else:
        return (ROTATION if intensity > 0.7 else NEUTRAL), confidence, 0.0
    size = base * confidence * (0.5 + 0.5 * intensity) + 0.2 * persistence + 0.1 * alignment
    return signal, confidence, float(np.clip(np.sign(net) * size, -1, 1))


def test_the_worked_example_of_smart_money() -> None:
    """B = 620, S = 180, six orders, persistence .8, alignment .5, sides from the feed: +0.854."""
    signed = np.array([120, 100, 180, 120, 100, -180])
    age = np.array([0, 3, 6, 9, 9, 12]) * MINUTE
    assert judged(signed, age, 0.5, 1.0) == pytest.approx((INSTITUTIONAL, 0.805, 0.854))


def test_smart_money_its_signal_and_its_confidence(session: Replay, tape: Tape, bars: Any) -> None:
    orders = large_orders(tape)
    when = np.array([order.ts for order in orders])
    signed = np.array([order.side * order.size for order in orders])
    price = tape.px[tape.known - 1]
    away = np.nan_to_num(np.abs(session.levels / 2 - price[:, None]), nan=np.inf).min(axis=1)
    alignment = np.maximum(0, 1 - away / (0.001 * price))
    traded = np.r_[0, np.cumsum(tape.sz)]
    rows = []
    for now, near in zip(session.at, alignment, strict=True):
        if now - bars["start"][0] < QUARTER:
            rows.append((np.nan, np.nan, np.nan))
            continue
        window = slice(*np.searchsorted(when, [now - QUARTER, now], "right"))
        minute = now // MINUTE * MINUTE  # minutes that have closed within the window
        a, b = np.searchsorted(tape.ts, [minute - QUARTER, minute], "left")
        if window.stop - window.start < 3 or traded[b] - traded[a] < 1_000:
            rows.append((NEUTRAL, 0.0, 0.0))  # no large flow is a measurement
            continue
        # Sides come from the tick rule here: a quality of one half each.
        rows.append(judged(signed[window], now - when[window], near, 0.5))
    signal, confidence, value = np.array(rows).T
    both(session.components["smart_money"], value, least=5_300)
    both(session.measures["smart_signal"], signal, least=5_300)
    both(session.measures["smart_confidence"], confidence, least=5_300)
    both(
        session.measures["large_orders_alignment"], np.where(np.isnan(value), np.nan, alignment), least=5_300
    )
    assert {NEUTRAL, ROTATION, STEADY, INSTITUTIONAL} == set(signal[np.isfinite(signal)])
    assert (np.abs(value) > 0.1).sum() > 1_000


# -- timeframes ----------------------------------------------------------------------------------------

WEIGHT = np.array([0.20, 0.25, 0.25, 0.20, 0.10])
TILT = np.array([1, 0.5, 0, -0.5, -1])
FRAMES = ("1m", "5m", "15m", "1h", "4h")


def combined(s: Any, k: Any, percentile: float) -> float:
    """Return the value of five strengths and qualities, NaN where a timeframe is missing."""
    here = np.isfinite(s)
    if here.sum() < 3 or WEIGHT[here].sum() < 0.6 - 1e-12:
        return np.nan
    tau = 0.0 if np.isnan(percentile) else 0.5 * (2 * percentile - 1)
    w = (WEIGHT * (1 + tau * TILT))[here]
    w, s, k = w / w.sum(), s[here], k[here]
    base, quality = (w * s * k).sum(), (w * k).sum()
    a = abs((w * k * np.sign(s)).sum()) / quality if quality > 0 else 0.0
    pairs = list(combinations(range(len(s)), 2))
    opposed = [s[i] * s[j] < 0 and abs(s[i]) > 0.3 + 1e-12 and abs(s[j]) > 0.3 + 1e-12 for i, j in pairs]
    products = np.array([w[i] * w[j] for i, j in pairs])
    d = (products * opposed).sum() / products.sum()
    bonus = (0.2 if a > 0.8 else 0.1 if a > 0.6 else 0) * a
    bonus += (0.15 if quality > 0.8 else 0.08 if quality > 0.6 else 0) * quality
    penalty = (0.3 if d > 0.5 else 0.15 if d > 0.3 else 0) * d
    return float(np.sign(base) * np.clip(abs(base) + bonus - penalty, 0, 1))


def test_the_worked_example_of_timeframes() -> None:
    s, k = np.array([-0.35, 0.55, 0.60, 0.70, 0.30]), np.array([0.50, 0.70, 0.80, 0.75, 0.60])
    assert combined(s, k, 0.8) == pytest.approx(0.327, abs=5e-4)
    assert combined(-s, k, 0.8) == pytest.approx(-0.327, abs=5e-4)


def test_the_confluence_of_timeframes_is_that_of_its_parts(session: Replay) -> None:
    s, k = (
        np.array([session.measures[f"mtf_{frame}_{part}"] for frame in FRAMES]).T
        for part in ("strength", "quality")
    )
    percentile = session.measures["atr_percentile"]
    expected = [combined(*row) for row in zip(s, k, percentile, strict=True)]
    both(session.components["mtf_confluence"], expected, least=400)
    assert len(np.unique(np.round(np.array(expected), 6))) > 80


def test_strength_of_the_minute(session: Replay, bars: Any) -> None:
    close, delta = bars["close"].astype(float), bars["ask_volume"].astype(float) - bars["bid_volume"]
    back = np.r_[[np.nan] * 3, close[:-3]]
    atr = np.where(bars["atr"] > 0, bars["atr"], np.nan)
    strength = np.clip(0.6 * np.clip((close - back) / atr, -1, 1) + 1.4 * np.clip(delta / 500, -1, 1), -1, 1)
    at = np.searchsorted(bars["end"], session.at, "right") - 1
    both(session.measures["mtf_1m_strength"], np.where(at >= 0, strength[at], np.nan), least=5_200)


# -- levels and nodes ----------------------------------------------------------------------------------


def test_level_proximity_is_that_of_the_nearest_level(session: Replay, bars: Any) -> None:
    names = ("poc", "vah", "val", "ppoc", "pvah", "pval", "hvn")
    slots = [i for i, name in enumerate(LEVELS) if name in names]
    at = np.searchsorted(bars["end"], session.at, "right") - 1
    expected = []
    for newest, row in zip(at, session.levels[:, slots], strict=True):
        levels = row[np.isfinite(row)] / 2
        if newest < 0 or len(levels) == 0:
            expected.append(np.nan)
            continue
        last = bars[max(newest - 2, 0) : newest + 1]
        distance = np.abs(levels - last["close"][-1])
        value = 0.0
        for level in levels[distance == distance.min()]:
            side = np.sign(last["close"][-1] - level)
            touched = (last["low"] - 1 <= level) & (level <= last["high"] + 1)
            rejected = (touched & (np.sign(last["close"] - level) == side)).any()
            value += side * max(0, 1 - distance.min() / 3) * (1.0 if rejected else 0.5)
        expected.append(float(np.clip(value, -1, 1)))
    both(session.components["level_proximity"], expected, least=1_400)
    assert (np.abs(expected) > 0.1).sum() > 300


def nodes(px: Any, sz: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the prices of high and of low volume: alone the extreme of three rows either side."""
    low = int(px.min())
    rows = np.bincount(px - low, weights=sz)
    high_at, low_at = [], []
    for i in range(3, len(rows) - 3):
        others = np.r_[rows[i - 3 : i], rows[i + 1 : i + 4]]
        if rows[i] > others.max() and rows[i] >= 1.5 * rows.mean():
            high_at.append(low + i)
        if rows[i] < others.min() and rows[i] <= 0.5 * rows.mean():
            low_at.append(low + i)
    return tuple(high_at), tuple(low_at)


def test_nodes_of_the_profile_of_every_minute(session: Replay, tape: Tape) -> None:
    first = np.searchsorted(tape.ts, OPENED, "left")
    ends, starts = np.unique(session.bar["end"], return_index=True)
    hvn = [i for i, name in enumerate(LEVELS) if name == "hvn"]
    checked = high = low = 0
    for end, i in zip(ends, starts, strict=True):
        if not OPENED < end <= CLOSED:
            continue
        stop = np.searchsorted(tape.ts, end, "left")
        expected = nodes(tape.px[first:stop], tape.sz[first:stop])
        assert tuple(session.nodes[i]) == expected
        kept = session.levels[i, hvn]
        assert set(kept[np.isfinite(kept)] / 2) <= set(expected[0])
        if len(expected[0]) <= len(hvn):
            assert set(kept[np.isfinite(kept)] / 2) == set(expected[0])
        checked, high, low = checked + 1, high + len(expected[0]), low + len(expected[1])
    assert checked == 390
    assert high > 300
    assert low > 100


# -- the hour of orders --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hour() -> Replay:
    return replayed(HOUR)


def test_latency_is_that_of_the_rows_within_a_quarter_octave(hour: Replay) -> None:
    """The five minutes before the newest row's and its own; the upper edge of a bin, four an octave.

    The last bin is open: anything later than 14 s reads as its edge; the hour has nothing as late.
    """
    rows = hour.rows
    clock = np.maximum.accumulate(rows["ts_event"])
    checked = 0
    late = (rows["ts_recv"] - rows["ts_event"]) / 1e3
    for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        found = hour.measures[f"latency_{name}_us"]
        assert np.isfinite(found).all()
        for now, value in zip(hour.at, found, strict=True):
            stop = int(np.searchsorted(clock, now, "right"))
            minute = clock[stop - 1] // MINUTE
            window = late[np.searchsorted(clock, (minute - 5) * MINUTE, "left") : stop]
            exact = np.quantile(window, share, method="inverted_cdf")
            assert exact < value <= exact * 2**0.25 * (1 + 1e-9)
            checked += 1
    assert checked == 3 * len(hour.at) > 3 * 230
    assert late.max() > 55_000


def test_icebergs_are_three_times_what_a_price_showed(hour: Replay) -> None:
    """While a price is the best of its side: at least 100 executed there, and three times the most it showed."""
    best, shown, executed, current = [0, 0], [0, 0], [0, 0], [-1, -1]
    when: list[int] = []
    size: list[list[tuple[int, int]]] = []  # of every iceberg: how its signed volume grew
    clock = np.maximum.accumulate(hour.rows["ts_event"])
    for ts, row in zip(clock.tolist(), hour.rows, strict=True):
        if row["kind"] == BOOK:
            for k, (px, most) in enumerate(((row["bid"], row["b"][0]), (row["ask"], row["a"][0]))):
                if best[k] != px:
                    best[k], shown[k], executed[k], current[k] = int(px), 0, 0, -1
                shown[k] = max(shown[k], int(most))
        elif row["side"] != 0:
            k = 0 if row["side"] < 0 else 1
            if row["px"] == best[k]:
                executed[k] += int(row["sz"])
                if executed[k] >= max(100, 3 * shown[k]):
                    if current[k] < 0:
                        current[k] = len(when)
                        when.append(ts)
                        size.append([])
                    size[current[k]].append((ts, (1 if k == 0 else -1) * executed[k]))
    counts = [sum(now - HOUR_NS < ts <= now for ts in when) for now in hour.at]
    bias = [
        sum([v for t, v in grown if t <= now][-1] for grown in size if grown[0][0] <= now) for now in hour.at
    ]
    same(hour.measures["iceberg_count"], counts, least=180, rel=0)
    same(hour.measures["iceberg_bias_contracts"], bias, least=180, rel=0)
    assert max(counts) >= 1
    assert len(set(bias)) >= 2
