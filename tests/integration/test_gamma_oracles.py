"""Greeks and implied volatility against QuantLib and py_vollib, on random contracts."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
import pytest
import QuantLib as ql

from mia_kernel.gamma import greeks

with warnings.catch_warnings():
    # py_vollib announces its successor when it is loaded, and makes its modules then.
    warnings.simplefilter("ignore")
    _black = importlib.import_module("py_vollib.black")
    _solver = importlib.import_module("py_vollib.black.implied_volatility")
    vollib: Any = importlib.import_module("py_vollib.black_scholes_merton.greeks.analytical")
vollib_black: Any = _black.black
vollib_iv: Any = _solver.implied_volatility

pytestmark = [pytest.mark.integration, pytest.mark.options]

N = 300


@pytest.fixture(scope="module")
def contracts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(20230609)
    years = np.exp(rng.uniform(np.log(1 / 365 / 24), np.log(3.0), N))
    rate, dividend = rng.uniform(-0.01, 0.06, N), rng.uniform(0.0, 0.03, N)
    sigma = rng.uniform(0.06, 0.8, N)
    spot = 4300.0
    forward = spot * np.exp((rate - dividend) * years)
    strike = forward * np.exp(rng.uniform(-2.5, 2.5, N) * sigma * np.sqrt(years))
    return {
        "years": years, "rate": rate, "dividend": dividend, "sigma": sigma, "forward": forward, "strike": strike,
        "discount": np.exp(-rate * years), "s": sigma * np.sqrt(years), "right": rng.choice([-1.0, 1.0], N),
        "spot": np.full(N, spot),
    }  # fmt: skip


def test_gamma_delta_and_vanna_are_those_of_two_libraries(contracts: dict[str, np.ndarray]) -> None:
    c = contracts
    gamma = greeks.spot_gamma(4300.0, c["forward"], c["discount"], c["strike"], c["s"])
    delta = greeks.spot_delta(4300.0, c["forward"], c["discount"], c["strike"], c["s"], c["right"])
    for i in range(N):
        flag = "c" if c["right"][i] > 0 else "p"
        args = (flag, 4300.0, c["strike"][i], c["years"][i], c["rate"][i], c["sigma"][i], c["dividend"][i])
        assert gamma[i] == pytest.approx(vollib.gamma(*args), rel=1e-9)
        assert delta[i] == pytest.approx(vollib.delta(*args), rel=1e-9, abs=1e-12)
        kind = ql.Option.Call if flag == "c" else ql.Option.Put
        other = ql.BlackCalculator(
            ql.PlainVanillaPayoff(kind, c["strike"][i]), c["forward"][i], c["s"][i], c["discount"][i]
        )
        assert gamma[i] == pytest.approx(other.gamma(4300.0), rel=1e-9)
        assert delta[i] == pytest.approx(other.delta(4300.0), rel=1e-9, abs=1e-12)


def test_prices_and_implied_volatility_are_those_of_py_vollib(contracts: dict[str, np.ndarray]) -> None:
    c = contracts
    # Out of the money, as the smile reads it: in the money a price hides its volatility behind the intrinsic value.
    right = np.where(c["strike"] >= c["forward"], 1.0, -1.0)
    price = greeks.black(c["forward"], c["discount"], c["strike"], c["s"], right)
    found = greeks.implied_volatility(price, c["forward"], c["discount"], c["strike"], c["years"], right)
    for i in range(N):
        flag = "c" if right[i] > 0 else "p"
        args = c["forward"][i], c["strike"][i]
        told = vollib_black(flag, *args, c["years"][i], c["rate"][i], c["sigma"][i])
        assert price[i] == pytest.approx(told, rel=1e-9, abs=1e-10)
        assert found[i] == pytest.approx(c["sigma"][i], rel=1e-7)
        iv = vollib_iv(told, *args, c["rate"][i], c["years"][i], flag)
        assert found[i] == pytest.approx(iv, rel=1e-6)
