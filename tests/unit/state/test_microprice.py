"""The micro-price against the author's construction in plain numpy, and on the real hour of ESH4."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mia_kernel.adapters.sources import open_recording
from mia_kernel.runtime import Run
from mia_kernel.settings import load
from mia_kernel.state import microprice
from mia_kernel.state.microprice import BINS, MICROPRICE_DTYPE, STATES, state_of
from tests.shared_data import shared_file

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

BOOK = np.dtype([("bid", np.int32), ("ask", np.int32), ("b", np.int32, (1,)), ("a", np.int32, (1,))])


def test_states_are_mirrored_by_the_mirrored_book() -> None:
    rng = np.random.default_rng(3)
    for bid, ask, spread in zip(*rng.integers(1, 60, (2, 500)), rng.integers(1, 3, 500), strict=True):
        state = state_of(int(bid), int(ask), int(spread))
        assert 0 <= state < STATES
        assert microprice.mirrored(state) == state_of(int(ask), int(bid), int(spread))
    assert state_of(5, 5, 1) == BINS // 2
    assert state_of(5, 5, 3) == -1


def untouched() -> Any:
    x = np.zeros(1, MICROPRICE_DTYPE)
    microprice.init(x)
    return x[0]


def walk(n: int) -> Any:
    """A queue-reactive toy market: the mid follows the heavier side."""
    rng = np.random.default_rng(11)
    rows = np.zeros(n, BOOK)
    mid_2, bid, ask = 40_001, 20, 20
    for row in rows:
        spread = 1 if mid_2 % 2 else 2
        row["bid"], row["ask"] = (mid_2 - spread) // 2, (mid_2 + spread) // 2
        row["b"], row["a"] = bid, ask
        if rng.random() < 0.15:
            mid_2 += 1 if rng.random() < bid / (bid + ask) else -1
            bid, ask = (int(x) for x in rng.integers(1, 60, 2))
        else:
            bid = int(np.clip(bid + rng.integers(-6, 7), 1, 80))
            ask = int(np.clip(ask + rng.integers(-6, 7), 1, 80))
    return rows


def plain(rows: Any) -> Any:
    """Stoikov (2018): G* = Σ Bᵏ·G¹ with G¹ = (I − Q)⁻¹·R·K, on the symmetrised sample."""
    states = np.array([state_of(int(r["b"][0]), int(r["a"][0]), int(r["ask"] - r["bid"])) for r in rows])
    mids = (rows["bid"].astype(int) + rows["ask"]) / 2
    pairs = [(states[i], states[i + 1], mids[i + 1] - mids[i]) for i in range(len(rows) - 1)]
    pairs += [(microprice.mirrored(int(a)), microprice.mirrored(int(b)), -d) for a, b, d in pairs]
    stay, move, gain = np.zeros((STATES, STATES)), np.zeros((STATES, STATES)), np.zeros(STATES)
    seen = np.zeros(STATES)
    for a, b, d in pairs:
        seen[a] += 1
        stay[a, b] += d == 0
        move[a, b] += d != 0
        gain[a] += d
    used = seen > 0
    q, t, g = (x[used] / seen[used].reshape(-1, *[1] * (x.ndim - 1)) for x in (stay, move, gain))
    inverse = np.linalg.inv(np.eye(used.sum()) - q[:, used])
    first, b = inverse @ g, inverse @ t[:, used]
    out = np.full(STATES, np.nan)
    out[used] = series(b, first)
    return out


def series(b: Any, first: Any) -> Any:
    total, term = first.copy(), first.copy()
    for _ in range(100):
        term = b @ term
        total += term
    return total


def test_adjustments_equal_the_plain_construction() -> None:
    rows = walk(20_000)
    x = untouched()
    for row in rows:
        microprice.second(x, row)
    microprice.estimate(x)
    np.testing.assert_allclose(x["adjustment"], plain(rows), atol=1e-9)
    one_tick = x["adjustment"][:BINS]
    assert (np.diff(one_tick[np.isfinite(one_tick)]) > 0).all(), "a heavier bid is a higher price"


def test_too_little_history_is_no_estimate() -> None:
    x = untouched()
    for row in walk(500):
        microprice.second(x, row)
    microprice.estimate(x)
    assert np.isnan(x["adjustment"]).all()


def test_on_the_real_hour_it_leans_with_the_book_and_stays_inside_a_tick() -> None:
    run = Run(load().settings, open_recording(shared_file("dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst")))
    run.drive()
    adjustment = run.engine.rooms.market.array["micro"][0]["microprice"]["adjustment"][:BINS]
    known = adjustment[np.isfinite(adjustment)]
    assert len(known) == BINS
    assert np.array_equal(known, -known[::-1])
    assert known[-1] > known[BINS // 2 + 1] > 0
    assert known.max() < 1.0
