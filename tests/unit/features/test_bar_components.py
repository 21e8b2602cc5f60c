"""Components over closed bars against plain numpy, their mirrors, and when they are not ready."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_kernel.core.decisions import NOT_READY, OK, STALE
from mia_kernel.core.session import session_row
from mia_kernel.features.spec import OUT_DTYPE, registry
from mia_kernel.state import levels
from mia_kernel.state.bars import TF_1M
from mia_kernel.state.memory import MarketState
from tests.fakes.bars_by_hand import add_bar, fresh_market

pytestmark = [pytest.mark.unit, pytest.mark.orderflow]

CENTRE = 20_000
FloatArray = NDArray[np.float64]


def ask(name: str, market: MarketState) -> Any:
    cells = np.zeros(1, OUT_DTYPE)
    run = registry()[name].run
    assert run is not None
    run(market.array, cells, 0)
    return cells[0]


class Path:
    """A seeded walk of 1m bars; `side` −1 gives its mirror about CENTRE."""

    def __init__(self, n: int, side: int = 1, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.close = CENTRE + side * np.cumsum(rng.integers(-5, 6, n))
        wings = rng.integers(1, 6, (2, n))
        up, down = (wings[0], wings[1]) if side > 0 else (wings[1], wings[0])
        self.high, self.low = self.close + up, self.close - down
        self.volume = rng.integers(100, 2000, n)
        self.delta = side * (rng.integers(-400, 401, n) * self.volume // 1000)
        self.cvd = np.cumsum(self.delta)
        self.vwap = CENTRE + side * np.cumsum(rng.normal(0.0, 0.3, n))
        self.sd = 6.0 + rng.random(n)

    def market(self) -> MarketState:
        market = fresh_market()
        row = session_row(20250304)
        assert row is not None
        market.array["session"][0] = row
        for i in range(len(self.close)):
            bought = int(self.volume[i] + self.delta[i]) // 2
            o, h, low, c = (x / 4 for x in (self.close[i], self.high[i], self.low[i], self.close[i]))
            add_bar(
                market, TF_1M, (o, h, low, c), volume=int(self.volume[i]), ask_volume=bought,
                bid_volume=bought - int(self.delta[i]), cvd=int(self.cvd[i]), vwap=self.vwap[i],
                vwap_sd=self.sd[i], atr=12.0,
            )  # fmt: skip
        ring = market.array["tf"][0, TF_1M]["ring"]
        shift = int(row["anchor_ns"]) - int(ring["start"][0])
        ring["start"] += shift
        ring["end"] += shift
        return market


def fit(y: FloatArray) -> tuple[float, float]:
    """Return (slope, R²) of a straight line through y."""
    x = np.arange(len(y))
    slope = float(np.polyfit(x, y - y[-1], 1)[0])
    return slope, float(np.corrcoef(x, y)[0, 1] ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_vwap_trend_equals_numpy(seed: int) -> None:
    p = Path(140, seed=seed)
    out = ask("vwap_trend", p.market())
    s = (p.vwap[10:] - p.vwap[:-10]) / 10
    slope, r2 = fit(p.close[-10:].astype(float))
    agree = np.sign(slope) if np.sign(slope) == np.sign(s[-1]) else 0
    swing = (np.sign(fit(p.high[-20:].astype(float))[0]) + np.sign(fit(p.low[-20:].astype(float))[0])) / 2
    stand = np.clip((p.close[-1] - p.vwap[-1]) / p.sd[-1], -2, 2) / 2
    expected = 0.30 * np.tanh(s[-1] / max(0.1, s[-100:].std())) + 0.25 * stand + 0.25 * agree + 0.20 * swing
    assert out["status"] == OK
    assert out["value"] == pytest.approx(expected, abs=1e-9)
    assert out["quality"] == pytest.approx(r2, abs=1e-9)


def test_vwap_trend_waits_half_an_hour_after_the_anchor() -> None:
    assert ask("vwap_trend", Path(29).market())["status"] == NOT_READY
    assert ask("vwap_trend", Path(30).market())["status"] == OK


@pytest.mark.parametrize("seed", range(4))
def test_volume_confirmation_equals_numpy(seed: int) -> None:
    p = Path(30, seed=seed)
    market = p.market()
    out = ask("volume_confirmation", market)
    bar = market.array["tf"][0, TF_1M]["ring"][29]
    volume, delta = int(p.volume[-1]), int(bar["ask_volume"]) - int(bar["bid_volume"])
    corr = abs(np.corrcoef(p.volume[-5:], p.close[-5:])[0, 1])
    expected = 0.45 * min(volume / (1.8 * p.volume[-11:-1].mean()), 1) + 0.20 * corr
    expected += 0.35 * min(2.2 * abs(delta) / volume, 1)
    assert out["value"] == pytest.approx(np.sign(delta) * expected, abs=1e-9)
    assert out["quality"] == pytest.approx(min(int(bar["known_volume"]) / volume, 1.0))


def test_volume_confirmation_of_an_empty_bar_is_a_measured_zero() -> None:
    p = Path(30)
    p.volume[-1] = p.delta[-1] = 0
    out = ask("volume_confirmation", p.market())
    assert (out["status"], out["value"], out["quality"]) == (OK, 0.0, 0.0)
    assert ask("volume_confirmation", Path(10).market())["status"] == NOT_READY


@pytest.mark.parametrize("side", [1, -1])
def test_falling_price_with_rising_delta_is_bullish(side: int) -> None:
    p = Path(160, side)
    i = np.arange(10)
    p.close[-10:] = p.close[-11] - side * 3 * i
    p.high[-10:], p.low[-10:] = p.close[-10:] + 2, p.close[-10:] - 2
    p.cvd[-10:] = p.cvd[-11] + side * (60 * i + np.array([0, 9, -9, 4, 0, -5, 7, 0, -3, 2]))
    out = ask("delta_divergence", p.market())

    def spread(y: FloatArray) -> float:
        return float(np.std([fit(y[len(y) - 10 - j : len(y) - j])[0] for j in range(100)]))

    price, r2_price = fit(p.close[-10:].astype(float))
    delta, r2_delta = fit(p.cvd[-10:].astype(float))
    z = min(abs(price) / spread(p.close.astype(float)), abs(delta) / spread(p.cvd.astype(float)))
    quality = (r2_price + r2_delta) / 2
    assert out["value"] == pytest.approx(side * min(z / 2, 1) * quality, abs=1e-9)
    assert out["quality"] == pytest.approx(quality)
    assert side * out["value"] > 0


def test_price_and_delta_together_are_no_divergence() -> None:
    p = Path(160)
    p.close[-10:] = p.close[-11] + 3 * np.arange(10)
    p.cvd[-10:] = p.cvd[-11] + 60 * np.arange(10)
    p.high[-10:], p.low[-10:] = p.close[-10:] + 2, p.close[-10:] - 2
    out = ask("delta_divergence", p.market())
    assert (out["status"], out["value"]) == (OK, 0.0)
    assert ask("delta_divergence", Path(109).market())["status"] == NOT_READY


@pytest.mark.parametrize("name", ["vwap_trend", "volume_confirmation", "delta_divergence"])
@pytest.mark.parametrize("seed", range(3))
def test_the_mirrored_bars_give_the_mirrored_value(name: str, seed: int) -> None:
    up, down = (ask(name, Path(160, side, seed).market()) for side in (1, -1))
    assert down["value"] == pytest.approx(-up["value"], abs=1e-9)
    assert down["quality"] == pytest.approx(up["quality"], abs=1e-9)


def level_market(close: int, level: int, *more: int) -> MarketState:
    market = fresh_market()
    add_bar(market, TF_1M, (close / 4, (close + 1) / 4, (close - 1) / 4, close / 4))
    for slot, price in enumerate((level, *more)):
        levels.put(market.array["levels"][0], (levels.POC, levels.PVAH)[slot], 2 * price, 0)
    return market


@pytest.mark.parametrize(
    ("close", "value", "quality"),
    [
        (20_001, 2 / 3, 0.9),  # one tick above and the bar touched: full
        (19_999, -2 / 3, 0.9),
        (20_002, 1 / 3, 0.9),  # its low is one tick from the level: a touch
        (20_003, 0.0, 0.0),
        (20_000, 0.0, 0.9),  # on the level: no side
    ],
)
def test_level_proximity(close: int, value: float, quality: float) -> None:
    out = ask("level_proximity", level_market(close, 20_000))
    assert out["status"] == OK
    assert out["value"] == pytest.approx(value)
    assert out["quality"] == pytest.approx(quality)


def test_level_not_touched_counts_half_and_equal_distances_cancel() -> None:
    market = level_market(20_002, 20_000)
    market.array["tf"][0, TF_1M]["ring"][0]["low"] = 20_002
    assert ask("level_proximity", market)["value"] == pytest.approx(0.5 / 3)
    assert ask("level_proximity", level_market(20_002, 20_000, 20_004))["value"] == pytest.approx(0.0)
    assert ask("level_proximity", fresh_market())["status"] == NOT_READY


def test_session_context_needs_thirty_trips_a_side_and_shrinks() -> None:
    market = fresh_market()
    account = market.array["account"][0]
    phase = int(market.array["clock"]["phase"][0])
    account["phase_n"][phase] = (30, 29)
    assert ask("session_context", market)["status"] == NOT_READY
    account["phase_n"][phase] = (60, 30)
    account["phase_r"][phase] = (60 * 0.3, 30 * 0.1)
    out = ask("session_context", market)
    assert out["value"] == pytest.approx((0.3 * 60 / 90 - 0.1 * 30 / 60) / 0.5)
    assert out["quality"] == pytest.approx(0.3)


def test_an_old_trade_makes_momentum_stale() -> None:
    market = fresh_market()
    market.array["flow"]["trades"], market.array["flow"]["ts"] = 25, 10**9
    market.array["flow"]["ring_sz"] = 1
    market.array["clock"]["now"] = 61 * 10**9
    assert ask("tick_momentum", market)["status"] == OK
    market.array["clock"]["now"] += 1
    assert ask("tick_momentum", market)["status"] == STALE
